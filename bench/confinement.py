#!/usr/bin/env python3
"""Measures what confinement costs, at the start of a run and in a training step: bench/confinement.py COMMAND MODEL [--pairs N] [--training-pairs N]

The start: runs `COMMAND inspect MODEL` with and without confinement in turn; the median of the paired differences of time.
A step: trains a small network (a step takes a few milliseconds, so a cost per step weighs more than in real training) with and without
confinement in turn, once for STEPS steps and once for one step; the difference is the steps alone. Compares processor time, which other
programs disturb less, and its system part, because confinement adds the kernel's checks of system calls to a step.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

STEPS = 1000
EXAMPLES = 320
BATCH = 32


def milliseconds(options: argparse.Namespace, mode: str) -> float:
    begin = time.perf_counter()
    subprocess.run([options.command, "inspect", options.model, "-q", "--confine", mode], check=True, stdout=subprocess.DEVNULL)
    return 1000 * (time.perf_counter() - begin)


def write_training(folder: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 16, 3), nn.Mish(), nn.Conv2d(16, 16, 3, 2), nn.Mish(), nn.Flatten(), nn.Linear(2304, 10))
    torch.jit.script(net).save(folder / "model.pt")
    torch.save({"x": torch.randn(EXAMPLES, 1, 28, 28), "y": torch.randint(0, 10, (EXAMPLES,))}, folder / "data.pt")


def processor_seconds(command: str, folder: Path, mode: str, epochs: float) -> tuple:
    """@returns the processor time of the whole command, both processes, and its system part"""
    words = [command, "convert", "model.pt", "-o", "out.pt", "--train", "data.pt", "--recipe", "hard", "--loss", "cross-entropy"]
    words += ["--batch", str(BATCH), "--epochs", str(epochs), "--lr", "0.0001", "--self-test", "none", "-q", "--confine", mode]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"confinement.py: exit code {process.returncode} of {' '.join(words)}")
    return usage.ru_utime + usage.ru_stime, usage.ru_stime


def steps_seconds(command: str, folder: Path, mode: str) -> tuple:
    per_epoch = EXAMPLES // BATCH
    many = processor_seconds(command, folder, mode, STEPS / per_epoch)
    one = processor_seconds(command, folder, mode, 1 / per_epoch)
    return many[0] - one[0], many[1] - one[1]


def quartiles(values: list, unit: str) -> str:
    low, middle, high = statistics.quantiles(values)
    return f"{middle:.1f} {unit} ({low:.1f} to {high:.1f}, quartiles of {len(values)} pairs)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("command")
    parser.add_argument("model")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--training-pairs", type=int, default=10)
    options = parser.parse_args()
    if options.pairs > 1:
        print("at the start:", quartiles([milliseconds(options, "require") - milliseconds(options, "off") for _ in range(options.pairs)], "ms"))
    shares, systems, without = [], [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_training(folder)
        command = os.path.abspath(options.command)
        for pair in range(options.training_pairs):
            modes = ("require", "off") if pair % 2 == 0 else ("off", "require")
            found = {mode: steps_seconds(command, folder, mode) for mode in modes}
            whole = found["off"][0]
            shares.append(100 * (found["require"][0] / whole - 1))
            systems.append(100 * (found["require"][1] - found["off"][1]) / whole)
            without.append(1000 * whole / STEPS)
    if options.training_pairs > 1:
        print(f"in a step of training of {statistics.median(without):.2f} ms:", quartiles(shares, "% of its processor time"))
        print("of that the system's:", quartiles(systems, "%"))


if __name__ == "__main__":
    main()
