#!/usr/bin/env python3
"""Prunes a retargeted network with other people's methods; run.py starts it.

    peers.py NETWORK EXPORT.pt --method magnitude --left 0.5 --data FOLDER --steps 0 -o OUT.pt

The network's Python class gets the export's weights, and ReLU instead of its activations. Torch-Pruning (PyPI) finds the channels that
belong together and removes the least important of the whole network first: by the norm of a filter (magnitude), or by Taylor's first order
over all tensors of a group (its own best score). Then the script estimates batch norms anew, as the command does, and trains the rest with
labels. Prints a JSON object.
"""

import argparse
import copy
import json
import math
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "published"), str(HERE.parent / "recovery")]

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.overrides import TorchFunctionMode  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

import packages  # noqa: E402
from methods import MAGNITUDE, TORCH_PRUNING  # noqa: E402
from subjects import QUICKSTART, save_module  # noqa: E402
from tasks import TASKS, as_input  # noqa: E402

VERSION = "1.6.1"
ACTIVATIONS = {"mish", "silu", "gelu", "elu", "selu", "celu", "hardswish"}
TRIALS = 12  # to find the share of channels that leaves the wanted multiplications
TAYLOR_BATCHES = 16


class ToRelu(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        if getattr(function, "__name__", "") in ACTIVATIONS:
            return torch.relu(args[0])
        return function(*args, **(kwargs or {}))


class Retargeted(nn.Module):
    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        with ToRelu():
            return self.net(x)


def multiplications(model: nn.Module, x: Tensor) -> float:
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(x)
    return counter.get_total_flops() / 2


def last_layer(model: nn.Module) -> nn.Module:
    return [module for module in model.modules() if isinstance(module, nn.Linear)][-1]


def pruned(model: nn.Module, x: Tensor, method: str, ratio: float, gradients: list):
    import torch_pruning

    model = copy.deepcopy(model)
    if method == TORCH_PRUNING:
        for inputs, targets in gradients:
            F.cross_entropy(model(inputs), targets).backward()
        importance = torch_pruning.importance.GroupTaylorImportance()
    else:
        importance = torch_pruning.importance.MagnitudeImportance(p=2, group_reduction="first")
    pruner = torch_pruning.pruner.BasePruner(model, x, importance=importance, global_pruning=True, pruning_ratio=ratio, max_pruning_ratio=0.95,
                                             ignored_layers=[last_layer(model)])  # fmt: skip
    pruner.step()
    model.zero_grad(set_to_none=True)
    return model


def to_size(model: nn.Module, x: Tensor, method: str, left: float, gradients: list) -> tuple:
    """Removes the smallest share of channels that leaves no more than this share of the multiplications."""
    before = multiplications(model, x)
    low, high, found = 0.0, 0.95, None
    for _ in range(TRIALS):
        middle = 0.5 * (low + high)
        trial = pruned(model, x, method, middle, gradients)
        if multiplications(trial, x) <= left * before:
            high, found = middle, trial
        else:
            low = middle
    if found is None:
        raise RuntimeError(f"expected {left:.3f} of the multiplications, but too few channels can be removed")
    return found, multiplications(found, x) / before


@torch.no_grad()
def re_estimate(model: nn.Module, x: Tensor) -> None:
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
    model.train()
    for batch in x.split(64):
        model(batch)
    for norm in norms:
        norm.momentum = 0.1
    model.eval()


def fine_tune(model: nn.Module, data: dict, batch: int, steps: int, rate: float) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 * (1 + math.cos(math.pi * step / steps)))
    model.train()
    for _ in range(steps):
        index = torch.randint(len(data["y"]), (batch,))
        loss = F.cross_entropy(model(as_input(data["x"][index])), data["y"][index].long())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("network", choices=[QUICKSTART, *TASKS])
    parser.add_argument("export", type=Path, help="a file retargeted to relu")
    parser.add_argument("--method", choices=[MAGNITUDE, TORCH_PRUNING], required=True)
    parser.add_argument("--left", type=float, required=True, help="the share of the multiplications to keep")
    parser.add_argument("--data", type=Path, required=True, help="the folder with train.pt")
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True, help="as a share of the original's peak learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("-o", dest="output", type=Path, required=True)
    options = parser.parse_args()
    sys.path.append(str(packages.wheel("torch-pruning", VERSION, packages.ROOT / "build/pruning/wheels")))
    task = TASKS["residual" if options.network == QUICKSTART else options.network]
    task = task.short() if options.short else task
    data = torch.load(options.data / "train.pt", weights_only=True)
    torch.manual_seed(options.seed)
    net = task.net()
    net.load_state_dict(torch.jit.load(str(options.export)).state_dict())
    model = Retargeted(net).eval()
    order = torch.randperm(len(data["y"]))
    some = order[: task.calibration]
    batches = [(as_input(data["x"][part]), data["y"][part].long()) for part in some.split(64)[:TAYLOR_BATCHES]]
    smaller, left = to_size(model, as_input(data["x"][:1]), options.method, options.left, batches)
    re_estimate(smaller, as_input(data["x"][some]))
    if options.steps:
        fine_tune(smaller, data, task.batch, options.steps, options.rate * task.rate)
    with torch.no_grad():
        traced = torch.jit.trace(smaller.eval(), as_input(data["x"][:2]), check_trace=False)
    save_module(traced, options.output)
    print(json.dumps({"left": round(left, 4), "parameters_left": sum(parameter.numel() for parameter in smaller.parameters())}))


if __name__ == "__main__":
    main()
