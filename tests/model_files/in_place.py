"""Activations in place, and what else sees the memory that they write to."""

import typing

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Step(nn.Module):
    def __init__(self, act: nn.Module):
        super().__init__()
        self.lin, self.act = nn.Linear(4, 4), act

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.lin(x))


@torch.jit.interface
class Layer(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        pass


class Indexed(nn.Module):
    """Submodules that are chosen at run time, and one of which code knows the interface alone."""

    fixed: Layer

    def __init__(self):
        super().__init__()
        self.fixed = Step(nn.GELU())
        self.layers = nn.ModuleList([Step(nn.Mish()), Step(nn.SiLU())])
        self.named = nn.ModuleDict({"a": nn.Linear(4, 4), "act": nn.GELU()})

    def forward(self, x: Tensor) -> Tensor:
        for i in range(2):
            layer: Layer = self.layers[i]
            x = layer.forward(x)
        for module in self.named.values():
            x = module(x)
        return self.fixed.forward(x)


class AddOne(nn.Module):
    """Its activation writes in place to what nobody else sees."""

    def __init__(self):
        super().__init__()
        self.act = nn.Mish(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(x + 1.0)


class IndexedInPlace(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Step(nn.SiLU()), AddOne()])

    def forward(self, x: Tensor) -> Tensor:
        for i in [1, 0, 1]:
            layer: Layer = self.layers[i]
            x = layer.forward(x)
        return x


class WritesToItsInput(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.mish(x, inplace=True) * 2.0


class IndexedShortcut(nn.Module):
    """What is called through an interface writes in place to what its caller reads, but in AddOne to something new."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([WritesToItsInput(), AddOne()])

    def forward(self, x: Tensor) -> Tensor:
        x = x * 2.0
        for i in [0, 1]:
            layer: Layer = self.layers[i]
            x = layer.forward(x) + x
        return x


class ForkedInPlace(nn.Module):
    """Forked methods that write in place: one to what is read when it has ended, one to something new."""

    def seen(self, x: Tensor) -> Tensor:
        return F.silu(x, inplace=True) * 2.0

    def alone(self, x: Tensor) -> Tensor:
        return F.mish(x + 1.0, inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        x, y = x * 2.0, x * 3.0
        a = torch.jit.fork(self.seen, x)
        b = torch.jit.fork(self.alone, y)
        return torch.jit.wait(a) + torch.jit.wait(b) + x + y


class SeveralOutputs(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> typing.Tuple[Tensor, typing.List[Tensor]]:
        x = F.gelu(self.a(x))
        return x, [F.silu(self.b(x)), x + 1.0]


class ThroughIdentity(nn.Module):
    """An in-place activation of what nn.Identity handed through, which is read again."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)
        self.through = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.lin(x)
        y = F.silu(self.through(x), inplace=True)
        return F.mish(x + y)
