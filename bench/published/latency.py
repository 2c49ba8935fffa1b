#!/usr/bin/env python3
"""Times an export beside its original, in LibTorch and in ONNX Runtime; run.py starts it.

    latency.py CASE ORIGINAL.pt EXPORT.pt --data VAL.pt --threads 1 2 [--seconds 10] [--no-onnx]

A round runs both on the same examples, in alternating order; the ratio is the median over the rounds of the export's time over the
original's. In ONNX Runtime a round opens a session for each file in turn and runs it several times, because the threads of an open session
keep spinning after a run and take a processor from the other session. Prints a JSON list.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from network import as_input, flat  # noqa: E402
from networks import CASES  # noqa: E402

WARM_UPS, LEAST_ROUNDS, MOST_ROUNDS = 3, 5, 100
RUNS_OF_A_SESSION = 20
OPSET = 17
TOLERANCE = 1e-3  # of the largest output, between the runtimes
LIBTORCH, ONNX_RUNTIME = "LibTorch", "ONNX Runtime"


def timed(run: Callable) -> float:
    """@returns milliseconds"""
    start = time.perf_counter()
    run()
    return 1000 * (time.perf_counter() - start)


def paired(original: Callable, export: Callable, seconds: float) -> dict:
    """@returns median times in milliseconds, and the median of the ratios. @param original, export: return the time of a round"""
    runs = {"original": original, "export": export}
    rounds, begin = [], time.monotonic()
    while len(rounds) < LEAST_ROUNDS or len(rounds) < MOST_ROUNDS and time.monotonic() - begin < seconds:
        rounds.append({name: runs[name]() for name in sorted(runs, reverse=len(rounds) % 2 == 0)})
    found = {f"{name}_ms": round(median(times[name] for times in rounds), 3) for name in runs}
    return {**found, "ratio": round(median(times["export"] / times["original"] for times in rounds), 3), "rounds": len(rounds)}


def in_libtorch(paths: list, inputs: tuple, threads: int, seconds: float) -> dict:
    torch.set_num_threads(threads)
    original, export = (torch.jit.load(str(path)).eval() for path in paths)
    with torch.no_grad():
        for _ in range(WARM_UPS):
            original(*inputs)
            export(*inputs)
        return paired(lambda: timed(lambda: original(*inputs)), lambda: timed(lambda: export(*inputs)), seconds)


def to_onnx(path: Path, inputs: tuple, into: Path) -> Path:
    names = [f"input_{number}" for number in range(len(inputs))]
    torch.onnx.export(torch.jit.load(str(path)).eval(), inputs, str(into), dynamo=False, opset_version=OPSET, input_names=names)
    return into


def session_of(path: Path, threads: int):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def feed_of(inputs: tuple) -> dict:
    return {f"input_{number}": tensor.numpy() for number, tensor in enumerate(inputs)}


def in_onnx_runtime(paths: list, inputs: tuple, threads: int, seconds: float) -> dict:
    feed = feed_of(inputs)

    def of_a_session(path: Path) -> float:
        session, begin, times = session_of(path, threads), time.monotonic(), []
        while len(times) < WARM_UPS or len(times) < RUNS_OF_A_SESSION and time.monotonic() - begin < seconds / LEAST_ROUNDS / 2:
            times.append(timed(lambda: session.run(None, feed)))
        return median(times[WARM_UPS:] or times[-1:])

    return paired(lambda: of_a_session(paths[0]), lambda: of_a_session(paths[1]), seconds)


def check_onnx(path: Path, converted: Path, inputs: tuple) -> None:
    """Checks that ONNX Runtime gives LibTorch's outputs. @throws ValueError"""
    found = session_of(converted, 1).run(None, feed_of(inputs))
    with torch.no_grad():
        expected = flat(torch.jit.load(str(path)).eval()(*inputs))
    for ours, theirs in zip(found, expected, strict=True):
        difference = float((torch.from_numpy(ours) - theirs).abs().max() / theirs.abs().max())
        if not difference <= TOLERANCE:
            raise ValueError(f"expected LibTorch's outputs within {TOLERANCE:g} of the largest, but they differ by {difference:.2g}")


def of_onnx(paths: list, inputs: tuple, threads: list, seconds: float) -> list:
    with tempfile.TemporaryDirectory() as folder:
        try:
            files = [to_onnx(path, inputs, Path(folder) / f"{number}.onnx") for number, path in enumerate(paths)]
            for path, converted in zip(paths, files, strict=True):
                check_onnx(path, converted, inputs)
            return [{"runtime": ONNX_RUNTIME, "threads": count, **in_onnx_runtime(files, inputs, count, seconds)} for count in threads]
        except Exception as error:  # of the exporter or ONNX Runtime, which raise many kinds
            reason = f"{type(error).__name__}: {str(error).strip()}".split("\n")[0][:200]
            return [{"runtime": ONNX_RUNTIME, "threads": count, "error": reason} for count in threads]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("case", choices=CASES)
    parser.add_argument("files", type=Path, nargs=2, metavar="FILE", help="the original and the export")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=10, help="about how long each measurement may take")
    parser.add_argument("--no-onnx", dest="onnx", action="store_false")
    options = parser.parse_args()
    network, _case = CASES[options.case]
    data = torch.load(options.data, weights_only=True)
    inputs = tuple(as_input(tensor[: network.timed]) for tensor in data.values())
    rows = [{"runtime": LIBTORCH, "threads": count, **in_libtorch(options.files, inputs, count, options.seconds)} for count in options.threads]
    if options.onnx:
        rows += of_onnx(options.files, inputs, options.threads, options.seconds)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
