#!/usr/bin/env python3
"""Makes ONNX of a TorchScript file, checks it in ONNX Runtime, and says what the swap gains there.

    actswap convert net.pt -o relu.pt --calibrate inputs.pt
    examples/onnx/export.py relu.pt -o relu.onnx --input 8x3x224x224 --original net.pt

Exports with PyTorch's exporter for TorchScript (dynamo=False), which takes what torch.jit.save wrote; the first dimension of each
input stays open. With --original both models are timed in turn, and the ratio has a 95 % interval of its median. Exit code 77,
with the reason, where onnx or onnxruntime is missing; 1 where the outputs differ.
"""
import argparse
import math
import pathlib
import re
import sys
import tempfile
import time
import warnings

try:
    import numpy
    import onnxruntime
    import torch

    import onnx  # noqa: F401  torch.onnx needs it
except ImportError as missing:
    print(f"skipped: {missing} (pip install onnx onnxruntime)")
    sys.exit(77)

TOLERANCE = 1e-4  # of the largest output: both sum in other orders
TYPES = {"float32": torch.float32, "float64": torch.float64, "int64": torch.int64}


def input_of(spec):
    """A random tensor of "8x3x224x224" or "8x128:int64"."""
    parts = re.fullmatch(r"(\d+(?:x\d+)*)(?::(\w+))?", spec)
    if parts is None or (parts[2] or "float32") not in TYPES:
        sys.exit(f"export.py: expected --input like 8x3x224x224 or 8x128:int64, but got '{spec}'")
    sizes = [int(size) for size in parts[1].split("x")]
    kind = TYPES[parts[2] or "float32"]
    return torch.randint(0, 2, sizes) if kind == torch.int64 else torch.rand(sizes, dtype=kind)


def export(model, inputs, path):
    names = [f"input{number}" for number in range(len(inputs))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch announces another exporter, which takes no TorchScript
        torch.onnx.export(model, tuple(inputs), str(path), dynamo=False, input_names=names,
                          dynamic_axes={name: {0: "batch"} for name in names})
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def feed(session, inputs):
    return {entry.name: tensor.numpy() for entry, tensor in zip(session.get_inputs(), inputs)}


def tensors_in(value):
    if isinstance(value, torch.Tensor):
        return [value]
    values = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else []
    return [tensor for each in values for tensor in tensors_in(each)]


def largest_difference(model, session, inputs):
    """Over all outputs, relative to the largest number of each."""
    with torch.no_grad():
        expected = [tensor.numpy() for tensor in tensors_in(model(*[each.clone() for each in inputs]))]
    found = session.run(None, feed(session, inputs))
    if len(found) != len(expected) or any(a.shape != b.shape for a, b in zip(found, expected)):
        return math.inf
    return max(float(numpy.abs(a - b).max() / max(numpy.abs(b).max(), 1e-30)) for a, b in zip(found, expected))


def interval(values):
    """Where the median lies with 95 %: from the k-th smallest to the k-th largest, as `actswap bench` does it."""
    ordered = sorted(values)
    count = len(ordered)
    k, below = 0, 0.0
    while below + math.comb(count, k) / 2**count <= 0.025:
        below += math.comb(count, k) / 2**count
        k += 1
    k = max(k, 1)
    return ordered[k - 1], ordered[-k]


def times(sessions, inputs, rounds):
    taken = [[] for _ in sessions]
    for round_number in range(rounds + 3):
        for turn in range(len(sessions)):
            at = (round_number + turn) % len(sessions)
            begin = time.perf_counter()
            sessions[at].run(None, feed(sessions[at], inputs))
            if round_number >= 3:
                taken[at].append(1000.0 * (time.perf_counter() - begin))
    return taken


def compare(sessions, inputs, rounds):
    original, swapped = times(sessions, inputs, rounds)
    is_doubtful = False  # as `actswap bench` says it
    for name, taken in (("original", original), ("swapped", swapped)):
        low, high = interval(taken)
        is_doubtful |= high - low > 0.2 * float(numpy.median(taken))
        print(f"{name:10} {numpy.median(taken):.3f} ms ({low:.3f} to {high:.3f})")
    ratios = [b / a for a, b in zip(original, swapped)]
    low, high = interval(ratios)
    verdict = "doubtful, the runs differ too much" if is_doubtful else "yes" if high < 1 else "no" if low > 1 else "not told apart"
    print(f"{'ratio':10} {numpy.median(ratios):.2f} ({low:.2f} to {high:.2f}); pays in ONNX Runtime: {verdict}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("-o", "--output", type=pathlib.Path, required=True)
    parser.add_argument("--input", action="append", required=True, help="like 8x3x224x224, once for each argument")
    parser.add_argument("--original", type=pathlib.Path, help="time it against this TorchScript file")
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    torch.manual_seed(0)
    inputs = [input_of(spec) for spec in options.input]
    model = torch.jit.load(str(options.model)).eval()
    session = export(model, inputs, options.output)
    difference = largest_difference(model, session, inputs)
    print(f"{options.output}: largest relative difference in ONNX Runtime {difference:.2g}")
    if not difference <= TOLERANCE:
        print(f"export.py: expected at most {TOLERANCE:g}: ONNX Runtime gives other outputs than LibTorch", file=sys.stderr)
        return 1
    if options.original:
        with tempfile.TemporaryDirectory() as folder:
            original = export(torch.jit.load(str(options.original)).eval(), inputs, pathlib.Path(folder) / "original.onnx")
            compare([original, session], inputs, options.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
