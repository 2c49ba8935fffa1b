#!/usr/bin/env python3
"""Measures what a plain swap costs, compared with loading and saving the file alone: cost.py [--pairs N]

Takes the zoo's largest model by parameters, scripted. Each pair runs, one right after the other,

  convert   actswap convert MODEL -o OUT --to hard_mish --epochs 0, without data and without --input
  bare      torch.jit.load(MODEL) and torch.jit.save(OUT) in plain PyTorch, which is LibTorch's own code

The same pair measures the time that a process takes before it reaches the model, and the script subtracts it: `actswap activations` for
the command; for the bare run the clock starts after the import. Prints for each pair the ratio of the times, the ratio of the processor
times, and the peak memory of the whole convert process as a multiple of the file. Processor times count all threads and the kernel: other
jobs of a machine disturb them less; they include a thread that hashes meanwhile, but not waiting for the disk. Ends with exit code 1 if
the median of time or memory is above its target: 2 times the time, 2.5 times the file.

Needs what zoo.py needs: bench/zoo/setup.sh.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

import zoo  # noqa: E402
from common.process import run  # noqa: E402

MODEL = "torchvision:vgg11_bn"  # 132.9 million parameters
TIME_TARGET = 2.0
MEMORY_TARGET = 2.5


def run_all_threads(command: list) -> tuple:
    """@returns what the command prints, and what it costs"""
    return run(command, os.cpu_count())


def load_and_save(model: str, out: str) -> None:
    begin, begin_processor = time.monotonic(), time.process_time()
    loaded = torch.jit.load(model)
    loaded.save(out)
    del loaded  # as convert does
    print(time.monotonic() - begin, time.process_time() - begin_processor)


def make(model: str) -> None:
    eager, _, _library = zoo.build(MODEL)
    torch.jit.script(eager).save(model)
    print(sum(parameter.numel() for parameter in eager.parameters()))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--command", default=str(zoo.ROOT / "build/release/bin/actswap"))
    parser.add_argument("--bare", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--make", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.bare:
        load_and_save(*options.bare)
        return 0
    if options.make:
        make(options.make)
        return 0
    # On the build's disk: the system's temporary folder may be in memory, where saving costs nothing.
    zoo.RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=zoo.RESULTS.parent) as name:
        folder = Path(name)
        model, out = folder / "model.pt", folder / "out.pt"
        parameters = run_all_threads([sys.executable, __file__, "--make", model])[0].strip()
        size = model.stat().st_size
        print(f"{MODEL}, {parameters} parameters, {size / 1e6:.0f} MB")
        print("pair  start, s  convert, s  bare, s  ratio  ratio of processor times  memory of convert, files")
        ratios, processor_ratios, factors = [], [], []
        # The first pair warms the disk's cache and does not count.
        for pair in range(options.pairs + 1):
            _, start = run_all_threads([options.command, "activations"])
            _, converting = run_all_threads([options.command, "convert", model, "-o", out, "--to", zoo.TARGET, "--source", "relu", "--epochs", "0", "-q"])
            out.unlink()
            seconds, processor = map(float, run_all_threads([sys.executable, __file__, "--bare", model, out])[0].split())
            out.unlink()
            if pair > 0:
                ratios.append((converting.seconds - start.seconds) / seconds)
                processor_ratios.append((converting.processor - start.processor) / processor)
                factors.append(1e6 * converting.megabytes / size)
                print(f"{pair:4}  {start.seconds:8.2f}  {converting.seconds:10.2f}  {seconds:7.2f}  {ratios[-1]:5.2f}"
                      f"  {processor_ratios[-1]:24.2f}  {factors[-1]:24.2f}", flush=True)  # fmt: skip
    met = median(ratios) <= TIME_TARGET and median(factors) <= MEMORY_TARGET
    print(f"median: {median(ratios):.2f} times the time (target {TIME_TARGET}; least {min(ratios):.2f}), {median(processor_ratios):.2f} times "
          f"the processor's time, {median(factors):.2f} times the file (target {MEMORY_TARGET})")  # fmt: skip
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
