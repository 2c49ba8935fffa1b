#!/usr/bin/env python3
"""Measures what solving for the layers costs in a calibration, as a multiple of a forward pass, and how much memory it takes.

    bench/solving.py build/release/bin/actswap model.pt calibration.pt --inputs 256 -- --to relu

Prints the processor time of one forward pass of the original over the inputs, in LibTorch and in batches of 32. Prints that of `convert`
with a calibration without a joint fit, less that of a swap alone that times and judges as many examples; and the ratio of the two. Prints
the peak memory of both conversions beside the granted memory. Options after -- apply to both conversions.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import torch
from common.process import run

BATCH = 32
TIMED = 8  # examples for measuring a calibrated export's latency
GRANTED = 2000  # MB, the default of --calibrate-memory


def forward_seconds(model: Path, data: Path, count: int) -> float:
    module = torch.jit.load(str(model)).eval()
    tensors = torch.load(data, weights_only=True)
    inputs = [tensor[:count] for tensor in (tensors.values() if isinstance(tensors, dict) else [tensors])]
    # As the command reads them: bytes are images.
    inputs = [tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor for tensor in inputs]
    batches = list(zip(*(tensor.split(BATCH) for tensor in inputs), strict=True))
    with torch.no_grad():
        for batch in batches[:3]:  # warms up, and lets TorchScript specialise
            module(*batch)
        begin = time.process_time()
        for batch in batches:
            module(*batch)
        return time.process_time() - begin


def read_options() -> argparse.Namespace:
    words = sys.argv[1:]
    end = words.index("--") if "--" in words else len(words)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", type=Path)
    parser.add_argument("model", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--inputs", type=int, default=1024)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(words[:end])
    options.options = words[end + 1 :]
    return options


def main() -> None:
    options = read_options()
    torch.set_num_threads(options.threads)
    forward = forward_seconds(options.model, options.data, options.inputs)
    with tempfile.TemporaryDirectory() as folder:
        words = [options.command, "convert", options.model, "-o", Path(folder) / "out.pt", "--force", "-q", *options.options]
        _, swap = run([*words, "--val", options.data, "--limit", TIMED, "--epochs", 0], options.threads)
        calibrating = ["--calibrate", options.data, "--calibrate-inputs", options.inputs, "--calibrate-passes", 0, "--epochs", 0]
        _, calibrated = run([*words, *calibrating], options.threads)
    solving = calibrated.processor - swap.processor
    print(f"forward pass {forward:.2f} s; solving {solving:.1f} s, {solving / forward:.1f} forward passes (aim: 12)")
    size = options.model.stat().st_size / 1e6
    most = GRANTED + 3 * size
    print(f"swap alone {swap.megabytes:.0f} MB; calibrated {calibrated.megabytes:.0f} MB (aim: {most:.0f}); file {size:.1f} MB")


if __name__ == "__main__":
    main()
