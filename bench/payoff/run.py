#!/usr/bin/env python3
"""Measures the time that a swap to ReLU saves, by network, by the activation it had, and by runtime.

    bench/payoff/run.py [NETWORK...]

timm makes each network with random weights, because the time does not depend on them. The script traces it, swaps it with `actswap
convert` without data, and times both files in turn on one thread: by `actswap bench` (LibTorch, plain, frozen and optimized), and in ONNX
Runtime. Each network is a line of docs/payoff/results.jsonl; the script measures it again only with --redo. bench/published/front_page.py
makes docs/payoff.md, the tables of README.md and its picture from the results. timm comes with bench/zoo/setup.sh. On a machine that does
other work, `chrt -f 5 bench/payoff/run.py` takes a processor to itself.
"""

import argparse
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "bench/published"), str(ROOT / "bench")]

import packages  # noqa: E402

SIZE = (1, 3, 224, 224)
SETTINGS = ("plain", "frozen", "optimized")
ONNX = "ONNX Runtime"
# Name, timm's model, its activation: the one of the published weights (None), or Mish instead.
NETWORKS = {
    "ResNet-50, Mish": ("resnet50", "Mish"),
    "EfficientNet-B0, SiLU": ("efficientnet_b0", None),
    "EfficientNet-B0, Mish": ("efficientnet_b0", "Mish"),
    "MobileNetV3-L, hardswish": ("mobilenetv3_large_100", None),
    "ConvNeXt-T, GELU": ("convnext_tiny", None),
    "DeiT-T, GELU": ("deit_tiny_patch16_224", None),
}


def traced(name: str, into: Path) -> None:
    import torch
    from common.vision import declare_operators

    _operators = declare_operators()
    import timm

    model, activation = NETWORKS[name]
    torch.manual_seed(0)
    layers = {"act_layer": getattr(torch.nn, activation)} if activation else {}
    network = timm.create_model(model, pretrained=False, **layers).eval()
    with torch.no_grad():
        torch.jit.trace(network, torch.rand(SIZE)).save(into)


def in_onnx_runtime(files: list, seconds: float) -> dict:
    import torch
    from latency import of_onnx

    torch.manual_seed(0)
    row = of_onnx(files, (torch.rand(SIZE),), [1], seconds)[0]
    return {key: row[key] for key in ("original_ms", "export_ms", "ratio", "error") if key in row}


def in_libtorch(command: Path, files: list, rounds: int) -> dict:
    from common.process import run

    shape = "x".join(map(str, SIZE))
    printed, _cost = run([command, "bench", *files, "--input", shape, "--rounds", rounds, "--json", "-q"], 1)
    results = json.loads(printed)["results"]
    rows = {}
    for setting in SETTINGS:
        original, export = ([row for row in results if row["setting"] == setting][number] for number in range(2))
        ratio, interval = round(export["ratio_to_first"], 3), [round(bound, 3) for bound in export["ratio_interval"]]
        medians = {"original_ms": round(original["median_ms"], 2), "export_ms": round(export["median_ms"], 2)}
        rows[setting] = {**medians, "ratio": ratio, "interval": interval}
    return rows


def measured(name: str, options: argparse.Namespace) -> dict:
    from common.process import run
    from common.results import commit

    options.out.mkdir(parents=True, exist_ok=True)
    original, export = options.out / "original.pt", options.out / "relu.pt"
    traced(name, original)
    run([options.command, "convert", original, "-o", export, "--to", "relu", "--source", "mish,silu,gelu,hardswish", "-q"], 2)
    rows = in_libtorch(options.command, [original, export], options.rounds)
    rows[ONNX] = in_onnx_runtime([original, export], options.seconds)
    machine = {"processors": os.cpu_count(), "realtime": os.sched_getscheduler(0) == os.SCHED_FIFO, "load": round(os.getloadavg()[0], 1)}
    return {"network": name, "runtimes": rows, **machine, "commit": commit()}


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"all by default: {'; '.join(NETWORKS)}")
    parser.add_argument("--redo", action="store_true", help="forget the results of the chosen networks, and measure them again")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seconds", type=float, default=10, help="how long each measurement in ONNX Runtime takes")
    parser.add_argument("--out", type=Path, default=ROOT / "build/payoff", help="the folder for the models")
    parser.add_argument("--command", type=Path, default=ROOT / "build/release/bin/actswap")
    options = parser.parse_args()
    if unknown := [name for name in options.networks if name not in NETWORKS]:
        parser.error(f"expected networks among {'; '.join(NETWORKS)}, but found {'; '.join(unknown)}")
    options.networks = options.networks or list(NETWORKS)
    return options


def main() -> None:
    packages.enter_environment()
    from common.results import Results

    import front_page

    options = read_options()
    packages.install(packages.ONNX_RUNTIME)
    results = Results(ROOT / "docs/payoff/results.jsonl", lambda row: row["network"])
    if options.redo:
        results.forget(set(options.networks))
    for name in options.networks:
        if name not in results.done():
            results.add(measured(name, options))
    front_page.write()


if __name__ == "__main__":
    try:
        main()
    except packages.Unavailable as error:
        print(f"run.py: {error}", file=sys.stderr)
        sys.exit(77)
