"""Activations that are called otherwise than from a forward: by hooks, by forks, by classes that are no modules, by what saves itself."""

import typing

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model_files.by_hand import gelu_by_hand


class Apply(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


def gelu_before(self, input: typing.Tuple[Tensor]) -> typing.Tuple[Tensor]:
    return (F.gelu(input[0]),)


def mish_after(self, input: typing.Tuple[Tensor], output: Tensor) -> Tensor:
    return F.mish(output)


class Hooked(nn.Module):
    """Two submodules of one class whose forward hooks apply activations."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(6, 6)
        self.first, self.second = Apply(), Apply()
        for module in (self.first, self.second):
            module.register_forward_pre_hook(gelu_before)
            module.register_forward_hook(mish_after)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(self.lin(x)))


class Forked(nn.Module):
    """torch.jit.fork of a submodule, of a method, of a function and of a module's function with a branch."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 6), nn.Mish())
        self.lin = nn.Linear(6, 6)

    def helper(self, x: Tensor, wide: bool) -> Tensor:
        return F.silu(self.lin(x)) if wide else x

    def forward(self, x: Tensor) -> Tensor:
        a = torch.jit.fork(self.body, x)
        b = torch.jit.fork(self.helper, x, True)
        c = torch.jit.fork(gelu_by_hand, x)
        return torch.jit.wait(a) + torch.jit.wait(b) + torch.jit.wait(c)


class Packed(nn.Module):
    """Saved and loaded by code of its own, which packs its weight."""

    def __init__(self):
        super().__init__()
        self.weight = torch.randn(6, 6)
        self.scale = 2.0

    @torch.jit.export
    def __getstate__(self) -> typing.Tuple[Tensor, float, bool]:
        return self.weight.t(), self.scale / 2.0, self.training

    @torch.jit.export
    def __setstate__(self, state: typing.Tuple[Tensor, float, bool]) -> None:
        self.weight = state[0].t()
        self.scale = state[1] * 2.0
        self.training = state[2]

    def forward(self, x: Tensor) -> Tensor:
        return F.mish(F.linear(x, self.weight)) * self.scale


class Stateful(nn.Module):
    def __init__(self):
        super().__init__()
        self.packed, self.head = Packed(), nn.Linear(6, 3)

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.head(self.packed(x)))


@torch.jit.script
class Scaler:
    def __init__(self, factor: float):
        self.factor = factor

    def apply(self, x: Tensor) -> Tensor:
        return F.silu(x) * self.factor


class Attributed(nn.Module):
    """Attributes of every kind, a submodule that is None, and an activation in the method of a class that is no module."""

    def __init__(self):
        super().__init__()
        self.lin = nn.Linear(4, 4)
        self.act = nn.Mish()
        self.norm: typing.Optional[nn.Module] = None
        self.scaler = Scaler(1.5)
        self.sizes: typing.Tuple[int, float] = (2, 0.5)
        self.factors: typing.List[float] = [1.0, 2.0]
        self.names: typing.Dict[str, int] = {"a": 3}
        self.offset: typing.Optional[Tensor] = None

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.lin(x))
        if self.norm is not None:
            x = self.norm(x)
        offset = self.offset
        if offset is not None:
            x = x + offset
        return self.scaler.apply(x) * self.sizes[1] * self.factors[1] + self.names["a"]
