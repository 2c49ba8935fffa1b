#!/usr/bin/env python3
"""Retargets real architectures and compares with PyTorch: zoo.py [--cut] [NAME...]

Each model of models.txt, with random weights and small inputs, is scripted and traced, blended and collapsed by the command, and checked:

  sites     as many as activations that PyTorch's dispatcher runs in one forward of the eager model
  t = 0     the blended file gives the eager model's outputs
  t = 1     the blended file gives the outputs of the eager model with its activations replaced in the dispatcher
  export    so does the collapsed one, in plain PyTorch

Results go to build/zoo/results.jsonl; what stands there already is not done again. Models that PyTorch itself cannot script or trace are
listed apart. Needs torchvision 0.28.0, timm and what they import: bench/zoo/setup.sh.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ["mish", "silu", "gelu", "gelu_tanh", "elu", "selu", "celu", "relu", "relu6", "hardswish", "leaky_relu"]
TARGET = "hard_mish"
TOLERANCE = 1e-4  # relative to the largest output: replaced activations round otherwise in the dispatcher
TIMEOUT = 600


def build(name: str):
    """The eager model and its input."""
    import torch

    library = torch.library.Library("torchvision", "DEF")
    for operator in ("nms", "qnms"):
        library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    torch.manual_seed(0)
    package, model_name = name.split(":")
    if package == "torchvision":
        import torchvision

        options = {"init_weights": False} if model_name in ("googlenet", "inception_v3") else {}
        model = torchvision.models.get_model(model_name, weights=None, **options)
        side = 299 if model_name == "inception_v3" else 224 if "vit" in model_name or "maxvit" in model_name else 96
    else:
        import timm

        model = timm.create_model(model_name, pretrained=False)
        fixed = getattr(model, "pretrained_cfg", {}).get("fixed_input_size", False)
        side = model.pretrained_cfg["input_size"][-1] if fixed else 96
    for module in model.modules():
        if getattr(module, "running_var", None) is not None:
            torch.nn.init.normal_(module.running_mean, 0.0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval(), torch.randn(1, 3, side, side), library


def flat(output) -> list:
    import torch

    if isinstance(output, torch.Tensor):
        return [output]
    if output is None:
        return []
    parts = output.values() if isinstance(output, dict) else output
    return [tensor for part in parts for tensor in flat(part)]


def dispatch_mode(replace: bool):
    """Counts the activations that run, and replaces them where asked."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    aten = torch.ops.aten
    plain = {aten.mish, aten.silu, aten.gelu, aten.elu, aten.celu, aten.relu, aten.hardswish, aten.leaky_relu,
             aten.relu6}  # fmt: skip
    in_place = {aten.mish_, aten.silu_, aten.gelu_, aten.elu_, aten.celu_, aten.relu_, aten.hardswish_, aten.leaky_relu_, aten.relu6_}

    class Mode(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            packet = function.overloadpacket
            is_relu6 = packet in (aten.hardtanh, aten.hardtanh_) and list(args[1:3]) == [0, 6]
            if packet not in plain and packet not in in_place and not is_relu6:
                return function(*args, **(kwargs or {}))
            self.count += 1
            if not replace:
                return function(*args, **(kwargs or {}))
            x = args[0]
            y = x * torch.clamp(x * 0.5 + 1.0, 0.0, 1.0)
            return x.copy_(y) if packet in in_place or packet is aten.hardtanh_ else y

    return Mode()


def difference(found, expected) -> float:
    found, expected = flat(found), flat(expected)
    if len(found) != len(expected):
        raise ValueError(f"{len(found)} outputs instead of {len(expected)}")
    worst = 0.0
    for a, b in zip(found, expected):
        if not bool(b.isfinite().all()):
            raise ValueError("the model itself gives no finite outputs")
        worst = max(worst, ((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item())
    return worst


def run_command(command: str, *arguments) -> dict:
    done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def check(command: str, scripted, x, expected: dict, folder: Path) -> dict:
    import torch

    scripted.save(folder / "model.pt")
    spec = "x".join(str(size) for size in x.shape)
    sources = [word for source in SOURCES for word in ("--source", source)]
    blended = run_command(command, "blend", folder / "model.pt", "-o", folder / "blended.pt", "--to", TARGET, "--input", spec, "--json", "-q",
                          *sources)  # fmt: skip
    collapsed = run_command(command, "collapse", folder / "blended.pt", "-o", folder / "out.pt", "--input", spec, "--json", "-q")
    model = torch.jit.load(folder / "blended.pt").eval()
    result = {"sites": blended["sites_swapped"], "verified": blended["verified"] and collapsed["verified"]}
    model.set_blend(0.0)
    result["at 0"] = difference(model(x.clone()), expected["original"])
    model.set_blend(1.0)
    result["at 1"] = difference(model(x.clone()), expected["replaced"])
    result["export"] = difference(torch.jit.load(folder / "out.pt").eval()(x.clone()), expected["replaced"])
    wrong = [key for key in ("at 0", "at 1", "export") if not result[key] <= TOLERANCE]
    if result["sites"] != expected["count"]:
        wrong.append(f"{result['sites']} sites instead of {expected['count']}")
    result["status"] = "failed: " + ", ".join(wrong) if wrong or not result["verified"] else "passed"
    return result


def one(name: str, command: str) -> None:
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    model, x, _library = build(name)
    with torch.no_grad():
        counting, replacing = dispatch_mode(False), dispatch_mode(True)
        with counting:
            original = model(x.clone())
        with replacing:
            replaced = model(x.clone())
        expected = {"original": original, "replaced": replaced, "count": counting.count}
        for how, make in (("scripted", lambda: torch.jit.script(model)), ("traced", lambda: torch.jit.trace(model, x, check_trace=False, strict=False))):
            result = {"model": name, "how": how}
            try:
                made = make()
            except Exception as error:  # PyTorch's, of which there are many kinds
                result["status"] = "not " + how + " by PyTorch: " + str(error).strip().split("\n")[0][:120]
                print(json.dumps(result), flush=True)
                continue
            with tempfile.TemporaryDirectory() as folder:
                try:
                    result.update(check(command, made, x, expected, Path(folder)))
                except (RuntimeError, ValueError) as error:
                    result["status"] = "failed: " + str(error)[:400]
            print(json.dumps(result), flush=True)


def run_one(name: str, command: str) -> list:
    try:
        done = subprocess.run([sys.executable, __file__, "--one", name, "--command", command], capture_output=True, text=True, timeout=TIMEOUT,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
    except subprocess.TimeoutExpired:
        return [{"model": name, "how": "both", "status": f"failed: more than {TIMEOUT} s"}]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode != 0:
        rows.append({"model": name, "how": "both", "status": "failed: " + done.stderr.strip().split("\n")[-1][:300]})
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help="models, as in models.txt")
    parser.add_argument("--cut", action="store_true", help="the models marked with * in models.txt only")
    parser.add_argument("--command", default=str(ROOT / "build/release/bin/actswap"))
    parser.add_argument("--out", type=Path, default=ROOT / "build/zoo/results.jsonl")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one, options.command)
        return 0
    lines = [line.strip() for line in (Path(__file__).parent / "models.txt").read_text().splitlines() if line.strip() and line[0] != "#"]
    names = options.names or [line.rstrip(" *") for line in lines if line.endswith("*") or not options.cut]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = [json.loads(line) for line in options.out.read_text().splitlines()] if options.out.exists() else []
    done = {row["model"] for row in rows}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as workers, options.out.open("a") as file:
        for result in workers.map(lambda name: run_one(name, options.command), [name for name in names if name not in done]):
            for row in result:
                file.write(json.dumps(row) + "\n")
                file.flush()
                rows.append(row)
                print(f"{row['model']:45} {row['how']:9} {row['status']}", flush=True)
    rows = [row for row in rows if row["model"] in names]
    failed = [row for row in rows if row["status"].startswith("failed")]
    passed = sum(row["status"] == "passed" for row in rows)
    print(f"{len(names)} models: {passed} passed, {len(failed)} failed, {len(rows) - passed - len(failed)} that PyTorch cannot make")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
