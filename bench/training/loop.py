#!/usr/bin/env python3
"""Times the command's training beside the same loop in PyTorch: loop.py [--build build/release] [--pairs 5] [--threads 1 2]

Both train the quickstart's model with blends from Mish to ReLU in stock operators, while t rises from 0 to 1 over two epochs: AdamW,
distillation, batches of 64 of the same 28 x 28 images, shuffled, the same rate. The command's time is that of its second epoch (run.json).
PyTorch's time is that of the second epoch of the loop below, with a file of `actswap blend`, and torch.optim's AdamW with its defaults and
with fused=True. They run in turn; a ratio is the median over the rounds of the command's time over PyTorch's. If other programs run on the
machine, processor time says more than elapsed time; with several threads it also counts threads that wait.
"""

import argparse
import json
import math
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from torch.nn.functional import kl_div, log_softmax

ROOT = Path(__file__).resolve().parents[2]
MODEL = ROOT / "examples/fashion_mnist/model_mish.pt"
BATCH = 64
EPOCHS = 2
RATE = 5e-4
WARM_UP = 0.05


def rate_at(step: int, steps: int) -> float:
    warm_up = math.floor(WARM_UP * steps)
    if step < warm_up:
        return RATE * (step + 1) / warm_up
    return RATE * 0.5 * (1 + math.cos(math.pi * (step - warm_up) / (steps - warm_up)))


def train_in_pytorch(blended: str, images: torch.Tensor, fused: bool) -> tuple[float, float]:
    """@returns elapsed and processor seconds for a step of the second epoch"""
    student, teacher = torch.jit.load(blended), torch.jit.load(str(MODEL)).eval()
    optimizer = torch.optim.AdamW(student.parameters(), lr=RATE, weight_decay=0.0, fused=fused)
    student.train()
    torch.manual_seed(0)
    batches = len(images) // BATCH
    steps = EPOCHS * batches
    step = 0
    for _ in range(EPOCHS):
        begin, processor = time.perf_counter(), time.process_time()
        order = torch.randperm(len(images))
        for batch in range(batches):
            x = images[order[batch * BATCH : (batch + 1) * BATCH]]
            student.set_blend(step / steps)
            with torch.no_grad():
                label = log_softmax(teacher(x), 1)
            loss = kl_div(log_softmax(student(x), 1), label, reduction="batchmean", log_target=True)
            if not math.isfinite(loss.item()):
                raise RuntimeError("the training diverged")
            optimizer.zero_grad()
            loss.backward()
            for group in optimizer.param_groups:
                group["lr"] = rate_at(step, steps)
            optimizer.step()
            step += 1
    return (time.perf_counter() - begin) / batches, (time.process_time() - processor) / batches


def train_by_command(command: Path, data: str, folder: Path, threads: int) -> tuple[float, float, float]:
    """@returns for a step of the second epoch elapsed seconds, how many of these waited for data, and processor seconds"""
    used, found = [], {}
    for last in 1, EPOCHS:  # subtracts processor time outside the second epoch
        arguments = [command, "convert", MODEL, "-o", folder / "out.pt", "--to", "relu", "--train", data, "--epochs", last, "--batch", BATCH]
        arguments += ["--recipe", "ramp", "--ramp-end", last, "--blend-code", "stock", "--lr", RATE, "--warmup", WARM_UP, "--quiet"]
        arguments += ["--run-dir", folder / "run"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        subprocess.run([str(argument) for argument in arguments], check=True, stdout=subprocess.DEVNULL, env=environment)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        found = json.loads((folder / "run/run.json").read_text())
    epochs = found["epochs"]
    steps = epochs[1]["step"] - epochs[0]["step"]
    return (epochs[1]["seconds"] - epochs[0]["seconds"]) / steps, epochs[1]["waited"] / steps, (used[1] - used[0]) / steps


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--pairs", type=int, default=5, help="how many rounds")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--images", type=int, default=6400)
    options = parser.parse_args()
    command = options.build / "bin/actswap"
    print(f"{platform.machine()}, {os.cpu_count()} processors, PyTorch {torch.__version__}; {options.pairs} rounds, medians; ms a step\n")
    print("| threads | | the command | waited for data | PyTorch | ratio | PyTorch, fused=True | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        torch.manual_seed(1)
        images = torch.randn(options.images, 1, 28, 28)
        torch.save(images, folder / "data.pt")
        blended = str(folder / "blended.pt")
        subprocess.run([command, "blend", MODEL, "-o", blended, "--to", "relu"], check=True, capture_output=True)
        for threads in options.threads:
            torch.set_num_threads(threads)
            rounds = []
            for _ in range(options.pairs):
                ours, waited, processor = train_by_command(command, str(folder / "data.pt"), folder, threads)
                rounds.append([(ours, processor), (waited, math.nan)])
                rounds[-1] += [train_in_pytorch(blended, images, fused) for fused in (False, True)]
            for i, clock in enumerate(("elapsed", "of the processor")):
                columns = list(zip(*((kind[i] for kind in row) for row in rounds)))
                ours, waited, plain, fused = (f"{1e3 * statistics.median(column):.3g}" for column in columns)
                plain_ratio, fused_ratio = (
                    f"{statistics.median(a / b for a, b in zip(columns[0], columns[k])):.2f}" for k in (2, 3)
                )
                waited = "" if i else waited
                print(f"| {threads} | {clock} | {ours} | {waited} | {plain} | {plain_ratio} | {fused} | {fused_ratio} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
