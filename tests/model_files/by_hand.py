"""Activations written out: in one expression, over several modules and functions, and as converters of ONNX files write them."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Swish(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x)


def gelu_by_hand(x: Tensor) -> Tensor:
    return x * 0.5 * (1.0 + torch.erf(x / math.sqrt(2.0)))


class Handwritten(nn.Module):
    """Activations written out: as a module, as a function, in place, and a gate that is none."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(6, 6) for _ in range(4))
        self.act = Swish()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.a(x))
        x = gelu_by_hand(self.b(x))
        x = self.c(x)
        x = x * torch.tanh(F.softplus(x))
        x = self.act(x)
        x = x * torch.sigmoid(self.d(x))
        return x.mul_(torch.sigmoid(x))


class BetaSwish(nn.Module):
    def __init__(self, beta: float):
        super().__init__()
        self.beta = beta

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(self.beta * x)


class Attributes(nn.Module):
    """Two objects of one class with different numbers, and a module whose number is an argument of an operator."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 6)
        self.first, self.second = BetaSwish(1.702), BetaSwish(0.7)
        self.alpha = 0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.elu(self.second(self.b(self.first(self.a(x)))), self.alpha)


class Learnt(nn.Module):
    """A swish whose beta is learnt, which stays, and a scaled GELU, of which only the GELU is one."""

    def __init__(self):
        super().__init__()
        self.beta = nn.Parameter(torch.tensor(1.3))
        self.gamma = nn.Parameter(torch.ones(6))
        self.lin = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lin(x)
        x = x * torch.sigmoid(self.beta * x)
        return self.gamma * F.gelu(self.lin(x))


class SwishOfParts(nn.Module):
    def __init__(self, gate: nn.Module):
        super().__init__()
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x)


class HardSigmoid(nn.Module):
    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + 3.0) / 6.0


class MishOfParts(nn.Module):
    def __init__(self):
        super().__init__()
        self.softplus, self.tanh = nn.Softplus(), nn.Tanh()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.tanh(self.softplus(x))


def half_cdf(x: Tensor) -> Tensor:
    return 0.5 * (1.0 + torch.erf(x / 1.4142135623730951))


class OfParts(nn.Module):
    """Activations whose parts are modules, a method and a function; and a gate of a module that one of them has too."""

    def __init__(self):
        super().__init__()
        self.sigmoid = nn.Sigmoid()
        self.acts = nn.Sequential(SwishOfParts(self.sigmoid), MishOfParts(), SwishOfParts(HardSigmoid()))
        self.lin = nn.Linear(6, 6)

    def inner(self, x: Tensor) -> Tensor:
        return torch.tanh(0.7978845608028654 * (x + 0.044715 * x**3))

    def forward(self, x: Tensor) -> Tensor:
        y = self.acts(self.lin(x))
        y = y * half_cdf(y)
        y = 0.5 * y * (1.0 + self.inner(y))
        return y * self.sigmoid(x)


class Divided(nn.Module):
    """Hand-written forms with divisions, for which LibTorch puts branches into files of before PyTorch 1.6."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        x = self.lin(x)
        x = x * 0.5 * (1 + torch.erf(x / math.sqrt(2.0)))
        x = self.lin(x)
        return x * F.relu6(x + 3) / 6


class Multiply(nn.Module):
    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b


class OfOperators(nn.Module):
    """Every operator is a module, as onnx2torch writes them."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(6, 6)
        self.sigmoid = nn.Sigmoid()
        self.multiply = Multiply()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lin(x)
        return self.multiply(x, self.sigmoid(x))


class Add(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + y


class Divide(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x / y


class OfInitializers(nn.Module):
    """A hardswish whose operators are modules and whose numbers are buffers, as onnx2torch writes it."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(6, 6)
        self.initializers = nn.Module()
        self.initializers.register_buffer("three", torch.tensor(3.0))
        self.initializers.register_buffer("six", torch.tensor([6.0]))
        self.add, self.clip, self.multiply, self.divide = Add(), nn.ReLU6(), Multiply(), Divide()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lin(x)
        return self.divide(self.multiply(x, self.clip(self.add(x, self.initializers.three))), self.initializers.six)
