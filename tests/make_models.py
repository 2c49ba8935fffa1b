#!/usr/bin/env python3
"""Writes the model files of the tests: make_models.py OUTDIR [--if-missing].

Each good model comes with NAME.io.pt, {'inputs': [...], 'outputs': [...]} of the eager model in eval mode. expected.json says for each
its input shapes, its dtype and the number of activation uses that are sources by default and can be swapped, counted by hand beside the
model below.
"""

import argparse
import copy
import json
import math
import os
import sys
import tempfile
import typing
import warnings
import zipfile
from pathlib import Path

import running_models
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

warnings.filterwarnings("ignore", category=DeprecationWarning)
warnings.filterwarnings("ignore", category=FutureWarning)


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


def encoder() -> nn.Module:
    """Layers that run as one fused operator in eval mode, the GELU inside, and by parts otherwise."""
    layers = [nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, activation="gelu", batch_first=True, norm_first=first) for first in (False, True)]
    return nn.Sequential(*layers)


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


IMAGE = [[2, 3, 8, 8]]
# name, model, how it is made, input shapes, number of uses that are sources by default, dtype
GOOD = {
    "scripted_module": (ScriptedModule, "script", IMAGE, 3),  # stem, one in each of two cells
    "scripted_functional": (ScriptedFunctional, "script", [[2, 6]], 6),  # three functions, two in place, one GELU tanh
    "scripted_reused": (lambda: Reused(nn.Mish()), "script", [[2, 4, 6, 6]], 2),
    "traced_train_free": (TracedTrainFree, "trace", IMAGE, 2),  # Mish, SiLU
    "traced_reused": (lambda: Reused(nn.SiLU()), "trace", [[2, 4, 6, 6]], 2),
    "scripted_ops": (ScriptedOps, "script", [[2, 5]], 3),  # silu_, mish_, mish
    "methods": (Methods, "script", [[2, 6]], 2),  # one in forward, one in features
    "gates": (Gates, "script", IMAGE, 1),  # the GELU
    "all_modules": (AllModules, "script", [[2, 6]], 7),  # Mish, SiLU, both GELUs, ELU, SELU, CELU
    "no_activation": (lambda: nn.Linear(4, 2), "script", [[2, 4]], 0),
    "control_flow": (ControlFlow, "script", [[2, 4]], 6),  # three of the list, two branches, one in the loop
    "tied": (Tied, "script", [[2, 5]], 1),
    "alias": (Alias, "script", [[2, 4, 6, 6]], 2),  # one object, two calls
    "frozen": (ScriptedModule, "freeze", IMAGE, 3),
    "double": (ScriptedModule, "script", IMAGE, 3, torch.float64),
    "half": (ScriptedModule, "script", IMAGE, 3, torch.bfloat16),
    "dict_output": (DictOutput, "script", [[2, 4]], 1),
    "two_inputs": (TwoInputs, "script", [[2, 4], [2, 3]], 2),
    "dropout_bn": (Counted, "script", IMAGE, 2),  # Mish, SiLU
    # The module twice, the function, Mish, the one in place.
    "handwritten": (Handwritten, "script", [[2, 6]], 5),
    "handwritten_traced": (Handwritten, "trace", [[2, 6]], 5),
    "handwritten_half": (Handwritten, "trace", [[2, 6]], 5, torch.bfloat16),
    "of_parts": (OfParts, "script", [[2, 6]], 4),  # and a hardswish, which is no source by default
    "of_parts_traced": (OfParts, "trace", [[2, 6]], 4),
    "handwritten_frozen_half": (Handwritten, "freeze", [[2, 6]], 5, torch.bfloat16),
    "extra_files": (Tied, "script", [[2, 5]], 1),
    "hooked": (Hooked, "script", [[2, 6]], 6),  # before, in and after each of the two
    "forked": (Forked, "script", [[2, 6]], 3),
    "attributes": (Attributes, "script", [[2, 6]], 3),
    "learnt": (Learnt, "script", [[2, 6]], 1),  # the other one stays
    "indexed": (Indexed, "script", [[2, 4]], 4),
    "indexed_in_place": (IndexedInPlace, "script", [[2, 4]], 2),
    "indexed_shortcut": (IndexedShortcut, "script", [[2, 4]], 1),  # the other one stays
    "forked_in_place": (ForkedInPlace, "script", [[2, 4]], 1),  # the one that is seen stays
    "encoder": (encoder, "script", [[2, 5, 8]], 4),  # in each layer one in the fused operator, one beside it
    "encoder_traced": (encoder, "trace", [[2, 5, 8]], 2),
    "encoder_frozen": (encoder, "freeze", [[2, 5, 8]], 4),
    "stateful": (Stateful, "script", [[2, 6]], 2),
    "attributed": (Attributed, "script", [[2, 4]], 2),
    "several_outputs": (SeveralOutputs, "script", [[2, 4]], 2),
    "through_identity": (ThroughIdentity, "script", [[2, 4]], 1),  # the one in place stays
    "stateful_root": (Packed, "script", [[2, 6]], 0),  # its one stays
    "channels_last": (lambda: ScriptedModule().to(memory_format=torch.channels_last), "script", IMAGE, 3),
    "float16": (ScriptedModule, "script", IMAGE, 3, torch.float16),
    "old_format": (Divided, "script", [[2, 6]], 1),  # and a hardswish
    "old_format_traced": (Divided, "trace", [[2, 6]], 1),
    "of_operators": (OfOperators, "script", [[2, 6]], 1),
    "of_operators_traced": (OfOperators, "trace", [[2, 6]], 1),
    "of_initializers": (OfInitializers, "script", [[2, 6]], 0),  # hardswish is no source by default
    "of_initializers_traced": (OfInitializers, "trace", [[2, 6]], 0),
}


def build(entry) -> tuple[nn.Module, torch.jit.ScriptModule, list[Tensor]]:
    """The eager model in eval mode, its TorchScript form and inputs."""
    make, how, shapes = entry[:3]
    dtype = entry[4] if len(entry) > 4 else torch.float32
    torch.manual_seed(0)
    model = make()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, 0.0, 0.3)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0.0, 0.3)
    model = model.eval().to(dtype)
    inputs = [torch.randn(shape).to(dtype) for shape in shapes]
    if how == "trace":
        with torch.no_grad():
            return model, torch.jit.trace(model, tuple(inputs), check_trace=False), inputs
    scripted = torch.jit.script(model)
    return model, torch.jit.freeze(scripted) if how == "freeze" else scripted, inputs


def flat(output) -> list[Tensor]:
    """The tensors of an output; those of a dict in the order of its keys' insertion."""
    if isinstance(output, Tensor):
        return [output]
    return [t for part in (output.values() if isinstance(output, dict) else output) for t in flat(part)]


def edit_archive(source: Path, target: Path, edit) -> None:
    """Copies an archive with its entries passed through edit(name inside the archive, bytes)."""
    changed = False
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for info in old.infolist():
            before = old.read(info)
            after = edit(info.filename.split("/", 1)[1], before)
            changed = changed or after != before
            new.writestr(zipfile.ZipInfo(info.filename), after)
    if not changed:
        raise AssertionError(f"nothing was edited in {source}")


def make_old(path: Path) -> None:
    """Makes a file one of before PyTorch 1.6, whose divisions LibTorch then takes for those of that time."""
    new = path.with_suffix(".new")
    path.rename(new)
    edit_archive(new, path, lambda name, data: b"3\n" if name in ("version", ".data/version") else data)
    new.unlink()


class PlainRelu(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x)


class NonAsciiName(nn.Module):
    def __init__(self):
        super().__init__()
        self.stages = nn.ModuleDict({"é tage": nn.Linear(4, 4)})

    def forward(self, x: Tensor) -> Tensor:
        return F.silu(self.stages["é tage"](x))


class Größe(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.silu(x)


def write_good(folder: Path) -> dict:
    expected = {}
    for name, entry in GOOD.items():
        model, scripted, inputs = build(entry)
        with torch.no_grad():  # copies: a model may work in place
            outputs = flat(model(*copy.deepcopy(inputs)))
        extra = {"labels.txt": "a\nb"} if name == "extra_files" else {}
        torch.jit.save(scripted, str(folder / f"{name}.pt"), _extra_files=extra)
        if name.startswith("old_format"):
            make_old(folder / f"{name}.pt")
        torch.save({"inputs": inputs, "outputs": [o.clone() for o in outputs]}, folder / f"{name}.io.pt")
        dtype = str(inputs[0].dtype).removeprefix("torch.")
        expected[name] = {"input_shapes": entry[2], "dtype": dtype, "sites": entry[3]}
    return expected


def write_data(folder: Path) -> None:
    x, y = torch.arange(30).reshape(10, 3).float(), torch.arange(10) % 3
    torch.save({"x": x, "y": y}, folder / "data_dict.pt")
    torch.save((x, y), folder / "data_tuple.pt")
    torch.save(x, folder / "data_tensor.pt")


class ForeignOperator(nn.Module):
    def forward(self, x):
        return torch.nn.functional.mish(torch.ops.actswap_test.twice(x))


def write_foreign(folder: Path) -> None:
    """A model with an operator of the library tests/tools/operators.cpp."""
    library = torch.library.Library("actswap_test", "DEF")
    library.define("twice(Tensor x) -> Tensor")
    library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
    torch.jit.script(ForeignOperator()).save(str(folder / "foreign_op.pt"))


def write_bad(folder: Path) -> None:
    torch.manual_seed(0)
    model = ScriptedModule().eval()
    torch.save(model.state_dict(), folder / "state_dict.pt")
    torch.save(torch.arange(6.0), folder / "tensor.pt")
    torch.export.save(torch.export.export(model, (torch.zeros(2, 3, 8, 8),)), folder / "exported.pt2")
    torch.save(model, folder / "pickled_module.pt")
    torch.save(model, folder / "legacy_module.pt", _use_new_zipfile_serialization=False)
    np.savez(folder / "arrays.npz", x=np.zeros(3), y=np.ones(2))
    (folder / "text.pt").write_text("This is no model.\n")
    (folder / "empty.pt").write_bytes(b"")
    content = (folder / "scripted_module.pt").read_bytes()
    (folder / "truncated.pt").write_bytes(content[: len(content) // 2])
    # LibTorch reads the version from .data/version in some releases and from version in others.
    edit_archive(
        folder / "scripted_module.pt",
        folder / "newer_version.pt",
        lambda name, data: b"99\n" if name in ("version", ".data/version") else data,
    )
    with tempfile.TemporaryDirectory() as scratch:
        plain = Path(scratch) / "unknown_op.pt"
        torch.jit.script(PlainRelu()).save(str(plain))
        edit_archive(
            plain,
            folder / "unknown_op.pt",
            lambda name, data: data.replace(b"torch.relu", b"torch.conv99d") if name.endswith(".py") else data,
        )


def write_unreadable(folder: Path) -> None:
    """Files that TorchScript writes and cannot read."""
    torch.jit.script(NonAsciiName()).save(str(folder / "non_ascii_name.pt"))
    torch.jit.script(Größe()).save(str(folder / "non_ascii_class.pt"))


def write_made_ready(folder: Path) -> None:
    """Models that were quantized, optimized, or saved for mobile devices."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.Mish(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)).eval()
    scripted = torch.jit.script(model)
    scripted._save_for_lite_interpreter(str(folder / "mobile.ptl"))
    torch.jit.optimize_for_inference(scripted).save(str(folder / "optimized.pt"))
    quantized = torch.ao.quantization.quantize_dynamic(model, {nn.Linear}, dtype=torch.qint8)
    torch.jit.script(quantized).save(str(folder / "quantized.pt"))


BAD = ["pickled_module.pt", "legacy_module.pt", "arrays.npz", "foreign_op.pt", "mobile.ptl", "optimized.pt", "quantized.pt", "state_dict.pt", "tensor.pt", "exported.pt2", "text.pt", "empty.pt", "truncated.pt", "newer_version.pt", "unknown_op.pt", "non_ascii_name.pt", "non_ascii_class.pt"]
DATA = ["data_dict.pt", "data_tuple.pt", "data_tensor.pt"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--if-missing", action="store_true", help="do nothing where all files are there and newer than this script")
    options = parser.parse_args()
    folder = options.outdir
    wanted = [f"{n}{end}" for n in GOOD for end in (".pt", ".io.pt")] + BAD + DATA + running_models.FILES + ["expected.json"]
    made = folder / "expected.json"  # the last that is written
    newest = made.exists() and all(made.stat().st_mtime > Path(file).stat().st_mtime for file in (__file__, running_models.__file__))
    if options.if_missing and newest and all((folder / name).exists() for name in wanted):
        return 0
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets decides that of some entries of a file
        os.execve(sys.executable, [sys.executable, *sys.argv], {**os.environ, "PYTHONHASHSEED": "0"})
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    expected = write_good(folder)
    write_data(folder)
    write_bad(folder)
    write_foreign(folder)
    write_made_ready(folder)
    running_models.write(folder)
    write_unreadable(folder)
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")  # last: it marks a complete set
    print(f"wrote {len(wanted)} files to {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
