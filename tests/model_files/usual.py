"""The usual layouts: activations as modules, functions and operators; reused, shared, in branches and loops; several inputs and outputs."""

import typing

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, 1)


class Cell(nn.Module):
    """conv, norm, module activation: several instances of it share one class type."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = conv(channels, channels)
        self.norm = nn.BatchNorm2d(channels)
        self.act = nn.Mish()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class ScriptedModule(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(conv(3, 8), nn.BatchNorm2d(8), nn.Mish())
        self.cells = nn.Sequential(Cell(8), Cell(8))
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.cells(self.stem(x)).mean([2, 3]))


class ScriptedFunctional(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.c, self.d = (nn.Linear(6, 6) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        x = F.mish(self.a(x))
        x = F.silu(self.b(x))
        x = F.gelu(self.c(x))
        x = F.mish(self.d(x), inplace=True)
        x = F.silu(self.a(x), inplace=True)
        return F.gelu(self.b(x), approximate="tanh")


class Reused(nn.Module):
    """One activation module called twice, as ResNet's blocks do."""

    def __init__(self, act: nn.Module):
        super().__init__()
        self.conv1, self.norm1 = conv(4, 4), nn.BatchNorm2d(4)
        self.conv2, self.norm2 = conv(4, 4), nn.BatchNorm2d(4)
        self.act = act

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm1(self.conv1(x)))
        return self.act(self.norm2(self.conv2(y)) + x)


class TracedTrainFree(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 6), nn.BatchNorm2d(6), nn.Mish(), nn.Dropout(0.5), conv(6, 6), nn.SiLU())
        self.head = nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean([2, 3]))


class ScriptedOps(nn.Module):
    """In-place forms, and an in-place activation whose input is used afterwards (it then holds the output)."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x: Tensor) -> Tensor:
        y = self.a(x)
        y = torch.nn.functional.silu(y, inplace=True)
        z = self.b(y)
        w = F.mish(z, inplace=True)
        return w + z + F.mish(y)


class Methods(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(6, 6), nn.Linear(6, 2)
        self.act = nn.Mish()

    @torch.jit.export
    def features(self, x: Tensor) -> Tensor:
        return F.silu(self.body(x))

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.act(self.body(x)))


class Gates(nn.Module):
    """Squeeze and excitation, an LSTM cell: their sigmoids and tanhs are gates, only the GELU is a source by default."""

    def __init__(self):
        super().__init__()
        self.conv = conv(3, 8)
        self.act = nn.GELU()
        self.squeeze, self.excite = nn.Conv2d(8, 4, 1), nn.Conv2d(4, 8, 1)
        self.cell, self.head = nn.LSTMCell(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x))
        s = torch.relu(self.squeeze(x.mean([2, 3], keepdim=True)))
        x = x * torch.sigmoid(self.excite(s))
        h, c = self.cell(x.mean([2, 3]))
        return self.head(h + torch.tanh(c))


class Recurrent(nn.Module):
    """An LSTM, whose class has an overload of forward for packed sequences, among layers of the same width."""

    def __init__(self):
        super().__init__()
        self.before, self.lstm, self.after, self.head = nn.Linear(4, 8), nn.LSTM(8, 8, batch_first=True), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x, _ = self.lstm(F.silu(self.before(x)))
        return self.head(F.silu(self.after(x[:, -1])))


class AllModules(nn.Module):
    def __init__(self):
        super().__init__()
        acts = [nn.Mish(), nn.SiLU(), nn.GELU(), nn.GELU("tanh"), nn.ELU(), nn.SELU(), nn.CELU(), nn.Hardswish(), nn.ReLU6(),
                nn.LeakyReLU(), nn.Hardtanh(), nn.Softplus(), nn.Tanh(), nn.Sigmoid(), nn.Hardsigmoid()]
        self.body = nn.Sequential(*[layer for act in acts for layer in (nn.Linear(6, 6), act)])

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x)


class ControlFlow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.acts = nn.ModuleList([nn.Mish() for _ in range(3)])
        self.extra = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        for layer, act in zip(self.layers, self.acts):
            x = act(layer(x))
        if x.mean() > 0:
            x = F.silu(self.extra(x))
        else:
            x = F.mish(self.extra(x))
        for _ in range(2):
            x = F.gelu(self.extra(x))
        return x


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 5), nn.Linear(5, 5)
        self.b.weight = self.a.weight
        self.act = nn.Mish()

    def forward(self, x: Tensor) -> Tensor:
        return self.b(self.act(self.a(x)))


class Alias(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = Cell(4)
        self.second = self.first

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


class DictOutput(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.act, self.b = nn.Linear(4, 4), nn.Mish(), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> typing.Dict[str, Tensor]:
        h = self.act(self.a(x))
        return {"hidden": h, "logits": self.b(h)}


class TwoInputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(3, 4)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.mish(self.a(x)) + F.silu(self.b(y))


class Counted(nn.Module):
    """An attribute of its own and a method with a loop, for what an export must keep."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(conv(3, 6), nn.BatchNorm2d(6), nn.Mish(), nn.Dropout(0.2), conv(6, 6), nn.BatchNorm2d(6), nn.SiLU())

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x).mean([2, 3])


def decoder() -> nn.Module:
    """Attention as one fused operator in its first half, and by parts in its second, which reads another input."""
    return nn.TransformerDecoderLayer(12, 3, 8, dropout=0.0, activation="gelu", batch_first=True)


def encoder() -> nn.Module:
    """Layers that run as one fused operator in eval mode, the GELU inside, and by parts otherwise."""
    layers = [nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=first) for first in (False, True)]
    return nn.Sequential(*layers)
