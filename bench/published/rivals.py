#!/usr/bin/env python3
"""Distils swapped files from the original in plain PyTorch; run.py starts it.

    rivals.py CASE --folder FOLDER --students SWAPPED.pt... --rates 1e-4 1e-3 --seconds 60 -o OUT.pt

Each rate gets a trial of a quarter of --seconds (processor time); the rate whose last student is best on val then trains for the whole time,
from the start. Several students are stages with equal shares of the time: each begins with the weights of the one before. Prints a JSON
object.
"""

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from judging import Judge, load, read  # noqa: E402
from network import Metric, Network, as_input, flat  # noqa: E402
from networks import CASES  # noqa: E402

WARM_UP = 0.05  # of the time
LARGEST_NORM = 1.0  # of the gradient
LEAST_STEPS = 2
TRIAL = 0.25  # of the time


class Diverged(RuntimeError):
    pass


def rate_at(share: float) -> float:
    """The share of the peak rate after this share of the time: a linear warm-up, then half a cosine down to 0."""
    return min(1.0, share / WARM_UP) * 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def distil(student: torch.jit.ScriptModule, teacher: torch.jit.ScriptModule, network: Network, inputs: dict, rate: float, seconds: float) -> int:
    """@returns the number of steps"""
    parameters = [parameter.requires_grad_() for parameter in student.parameters()]
    optimizer = torch.optim.AdamW(parameters, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    tensors = list(inputs.values())
    begin, steps, order = time.process_time(), 0, torch.empty(0, dtype=torch.long)
    while (share := (time.process_time() - begin) / seconds) < 1 or steps < LEAST_STEPS:
        if len(order) < network.batch:
            order = torch.randperm(len(tensors[0]), generator=generator)
        rows, order = order[: network.batch], order[network.batch :]
        batch = [as_input(tensor[rows]) for tensor in tensors]
        with torch.no_grad():
            expected = flat(teacher(*batch))
        loss = network.loss(flat(student(*batch)), expected)
        if not loss.isfinite():
            raise Diverged
        optimizer.param_groups[0]["lr"] = rate * rate_at(share)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, LARGEST_NORM)
        optimizer.step()
        steps += 1
    return steps


def in_stages(paths: list, teacher: torch.jit.ScriptModule, network: Network, inputs: dict, rate: float, seconds: float) -> tuple:
    """@returns the last student, and the number of steps"""
    steps, weights = 0, None
    for path in paths:
        student = load(path)
        if weights:
            student.load_state_dict(weights)
        steps += distil(student, teacher, network, inputs, rate, seconds / len(paths))
        weights = student.state_dict()
    return student, steps


def choose(options: argparse.Namespace, judge: Judge, metric: Metric, train: Callable) -> tuple:
    """@returns the rate, and a list with the result of each"""
    trials, best = [], None
    for rate in options.rates:
        try:
            student, steps = train(rate, TRIAL * options.seconds)
            value = judge.values(student, "val")[metric.name]
        except Diverged:
            value, steps = None, None
        trials.append({"rate": rate, "steps": steps, "val": value})
        if is_better(value, best["val"] if best else None, metric):
            best = trials[-1]
    if not best:
        raise SystemExit(f"rivals.py: expected one of the rates {options.rates} to train, but all of them diverged")
    return best["rate"], trials


def is_better(value: float | None, other: float | None, metric: Metric) -> bool:
    """None and NaN are the worst."""
    if value is None or math.isnan(value):
        return False
    if other is None or math.isnan(other):
        return True
    return value < other if metric.less_is_better else value > other


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--folder", type=Path, required=True, help="the network's folder, with model.pt, train.pt, val.pt")
    parser.add_argument("--students", type=Path, nargs="+", required=True)
    parser.add_argument("--rates", type=float, nargs="+", required=True)
    parser.add_argument("--seconds", type=float, required=True, help="processor time for the chosen rate")
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args()
    network, case = CASES[options.case]
    metric, judge = network.deciding(case), Judge(network, options.folder)
    teacher, inputs = load(options.folder / "model.pt"), read(options.folder, "train")

    def train(rate: float, seconds: float) -> tuple:
        return in_stages(options.students, teacher, network, inputs, rate, seconds)

    rate, trials = choose(options, judge, metric, train) if len(options.rates) > 1 else (options.rates[0], [])
    try:
        student, steps = train(rate, options.seconds)
    except Diverged:
        raise SystemExit(f"rivals.py: expected the rate {rate} to train, but it diverged after its trial went well") from None
    student.save(str(options.output))
    print(json.dumps({"rate": rate, "steps": steps, "trials": trials}))


if __name__ == "__main__":
    main()
