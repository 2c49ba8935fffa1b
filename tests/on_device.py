#!/usr/bin/env python3
"""Runs blended files and exports on another device in plain PyTorch, and compares with the CPU.

    build/venv/bin/python tests/on_device.py make build/release/on_device      makes the files: actswap, the test models, blended, exported
    python tests/on_device.py run build/release/on_device --device cuda        with a PyTorch that has the device
    build/venv/bin/python tests/on_device.py collapse build/release/on_device  what `run` saved there becomes an export again

The three may be on different machines. The last line of each says how many files it was; exit code 1: something differs or fails.
"""

import argparse
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import torch

from replay import flat

warnings.filterwarnings("ignore")
ROOT = Path(__file__).resolve().parents[1]
# Of the largest value. Half types round at 2^-11 and 2^-8 in every layer.
TOLERANCES = {torch.float16: 1e-2, torch.bfloat16: 5e-2}
TOLERANCE = 2e-4
BLENDS = [0.0, 0.5, 1.0]
# Attention that runs as one fused operator, which has no derivative on any device.
NO_GRADIENT = {"encoder_traced"}


def names(folder: Path, end: str) -> list:
    return sorted(path.name.removesuffix(end) for path in folder.glob(f"*{end}"))


def make(folder: Path, options: argparse.Namespace) -> Iterator:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names(options.models, ".io.pt"):
        model = options.models / f"{name}.pt"
        (folder / f"{name}.io.pt").write_bytes((options.models / f"{name}.io.pt").read_bytes())
        for what, end, more in (("blend", "blended.pt", []), ("convert", "relu.pt", ["--epochs", "0"])):
            done = subprocess.run([options.command, what, model, "-o", folder / f"{name}.{end}", "--to", "relu", "-q", *more], check=False,
                                  capture_output=True, text=True)  # fmt: skip
            # A test model may have nothing to swap.
            yield done.returncode == 0 or "nothing to swap" in done.stderr, f"{what} {name}: {done.stderr.strip()}"


def results(path: Path, inputs: list, device: str, t: float | None, has_gradient: bool) -> list:
    """The outputs; of a blended file the gradients to the inputs as well."""
    model = torch.jit.load(path, map_location=device)
    given = [tensor.to(device, copy=True) for tensor in inputs]
    if t is None:
        return flat(model(*given))
    model.set_blend(t)
    if not has_gradient:
        with torch.no_grad():
            return flat(model(*given))
    given = [tensor.requires_grad_(tensor.is_floating_point()) for tensor in given]
    outputs = flat(model(*given))
    sum(output.square().sum() for output in outputs if output.requires_grad).backward()
    return outputs + [tensor.grad for tensor in given if tensor.grad is not None]


def difference(ours: list, theirs: list) -> float:
    pairs = [(a.detach().double(), b.detach().cpu().double()) for a, b in zip(ours, theirs, strict=True)]
    return float(torch.stack([(a - b).abs().max() / a.abs().max().clamp(min=1e-12) for a, b in pairs]).max())  # NaN where there is one


def run(folder: Path, options: argparse.Namespace) -> Iterator:
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False  # which the CPU does not have
    for name in names(folder, ".io.pt"):
        inputs = torch.load(folder / f"{name}.io.pt", weights_only=True)["inputs"]
        dtype = inputs[0].dtype
        for end, blends in (("relu.pt", [None]), ("blended.pt", BLENDS)):
            path = folder / f"{name}.{end}"
            if not path.exists():
                continue
            for t in blends:
                # In half types an input of ReLU may round to either side of 0, and its gradient with it.
                has_gradient = name not in NO_GRADIENT and dtype not in TOLERANCES
                found = [results(path, inputs, device, t, has_gradient) for device in ("cpu", options.device)]
                differs = difference(*found)
                yield differs <= TOLERANCES.get(dtype, TOLERANCE), f"{path.name}, t = {t}: differs by {differs:.2g}"
        if (folder / f"{name}.blended.pt").exists():
            model = torch.jit.load(folder / f"{name}.blended.pt", map_location=options.device)
            model.set_blend(1.0)
            model.save(str(folder / f"{name}.saved.pt"))


def collapse(folder: Path, options: argparse.Namespace) -> Iterator:
    for name in names(folder, ".saved.pt"):
        out = folder / f"{name}.collapsed.pt"
        done = subprocess.run([options.command, "collapse", folder / f"{name}.saved.pt", "-o", out, "-q"], check=False, capture_output=True, text=True)
        if done.returncode:
            yield False, f"collapse {name}: {done.stderr.strip()}"
            continue
        inputs = torch.load(folder / f"{name}.io.pt", weights_only=True)["inputs"]
        found = [results(path, inputs, "cpu", None, False) for path in (folder / f"{name}.relu.pt", out)]
        differs = difference(*found)
        yield differs <= TOLERANCES.get(inputs[0].dtype, TOLERANCE), f"{out.name}: differs by {differs:.2g}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=["make", "run", "collapse"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--command", type=Path, default=ROOT / "build/release/bin/actswap")
    parser.add_argument("--models", type=Path, default=ROOT / "build/release/test_models")
    options = parser.parse_args()
    tried = failed = 0
    for is_good, what in {"make": make, "run": run, "collapse": collapse}[options.step](options.folder, options):
        tried += 1
        if not is_good:
            failed += 1
            print(what, flush=True)
    print(f"{options.step}: {tried} tried, {failed} failed")
    return 1 if failed or not tried else 0


if __name__ == "__main__":
    sys.exit(main())
