"""The networks: those of bench/recovery, the quickstart's, and the published ones."""

import argparse
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from common.process import run
from judging import Judge, load, prepare
from network import as_input as as_published_input
from networks import CASES, QUICKEST
from tasks import as_input
from tasks import ROOT, TASKS, Task, make_data, save

TRAINED = ["residual", "efficientnet", "convnext", "text"]
QUICKSTART = "quickstart"
SHORT = ["residual"]
DIGITS = {"accuracy": 2, "nats": 4}
# Passes of both joint fits, the calibration's and the one after pruning. A pruned model gets 60 by default, if they fit into the time; for a
# large network only a few do.
PASSES = 60
PASSES_OF_PUBLISHED = {QUICKEST: 20}
PASSES_OF_LARGE = 5


@dataclass
class Network:
    name: str
    title: str
    metric: str
    less_is_better: bool
    digits: int
    folder: Path  # with train.pt and val.pt
    options: tuple  # for the command
    steps: int = 0  # of the original's training; 0: no further training
    batch: int = 32
    is_trained: bool = False  # here, with a seed
    task: Task | None = None
    published: object = None
    calibration: tuple = ()  # options for the command
    passes: int = PASSES
    judges: dict = field(default_factory=dict)

    @property
    def is_eager(self) -> bool:
        return self.task is not None

    def original(self, seed: int) -> Path:
        return self.folder / (f"original_{seed}.pt" if self.is_trained else "model.pt")

    def calibrate(self) -> list:
        return ["--calibrate", self.folder / ("cal.pt" if self.published else "train.pt"), *self.calibration]

    def measured(self, model: Path, command: Path) -> float:
        """The metric on data that did not serve to choose anything."""
        if self.published:
            judge = self.judges.setdefault("judge", Judge(self.published, self.folder))
            return judge.values(load(model), "test")[self.metric]
        printed, _cost = run([command, "eval", model, "--data", self.folder / "val.pt", *self.options, "--json", "-q"], 1)
        return self.task.value(json.loads(printed))

    def example(self) -> tuple:
        """Inputs for measuring latency."""
        data = torch.load(self.folder / "val.pt", weights_only=True)
        if self.published:
            return tuple(as_published_input(tensor[: self.published.timed]) for tensor in data.values())
        return (as_input(data["x"][:32]),)


def of_task(name: str, task: Task, options: argparse.Namespace) -> Network:
    task = task.short() if options.short else task
    network = Network(name, task.title, task.metric, task.metric == "nats", DIGITS[task.metric], options.out / name, tuple(task.options), task.steps,
                      task.batch, name != QUICKSTART, task, None, ("--calibrate-inputs", task.calibration))  # fmt: skip
    network.folder.mkdir(parents=True, exist_ok=True)
    make_data(task, network.folder)
    if name == QUICKSTART:
        shutil.copyfile(ROOT / "examples/fashion_mnist/model_mish.pt", network.original(0))
    return network


def of_published(name: str, options: argparse.Namespace) -> Network:
    """@throws packages.Unavailable"""
    published, case = CASES[name]
    metric = published.deciding(case)
    folder = prepare(published, ROOT / "build/published")
    words = tuple(word for word in case.options if word not in ("--to", "relu"))
    return Network(name, published.title, metric.name, metric.less_is_better, metric.digits, folder, words, batch=published.batch, published=published,
                   passes=PASSES_OF_PUBLISHED.get(name, PASSES_OF_LARGE))  # fmt: skip


def find(name: str, options: argparse.Namespace) -> Network:
    if name == QUICKSTART:
        return of_task(name, replace(TASKS["residual"], title="the quickstart's network, Mish"), options)
    return of_task(name, TASKS[name], options) if name in TASKS else of_published(name, options)


def make_original(network: Network, seed: int, short: bool) -> None:
    if network.original(seed).exists():
        return
    words = [sys.executable, ROOT / "bench/recovery/tasks.py", network.name, "--seed", seed, "--out", network.folder, *(["--short"] if short else [])]
    subprocess.run([str(word) for word in words], check=True)


def reset(model: nn.Module) -> nn.Module:
    """Gives the model new weights, like those with which PyTorch's layers begin."""
    for module in model.modules():
        own = dict(module.named_parameters(recurse=False))
        buffers = dict(module.named_buffers(recurse=False))
        weight = own.get("weight")
        for name, parameter in own.items():
            with torch.no_grad():
                start(name, parameter, weight)
        for name, start_value in (("running_mean", 0.0), ("running_var", 1.0)):
            if name in buffers:
                buffers[name].fill_(start_value)
    return model


def start(name: str, parameter: Tensor, weight: Tensor | None) -> None:
    if parameter.dim() > 1:
        nn.init.kaiming_uniform_(parameter, a=5**0.5)
    elif "bias" not in name:
        parameter.fill_(1.0)
    elif weight is not None and weight.dim() > 1:
        bound = (weight.numel() / weight.shape[0]) ** -0.5
        parameter.uniform_(-bound, bound)
    else:
        parameter.zero_()


def save_module(model: torch.jit.ScriptModule, path: Path) -> None:
    save(lambda unfinished: model.save(str(unfinished)), path)


NAMES = [QUICKSTART, *TRAINED, *CASES]
