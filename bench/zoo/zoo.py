#!/usr/bin/env python3
"""Retargets real architectures and compares them with PyTorch: zoo.py [--cut] [--prune] [--table] [NAME...]

The script scripts and traces each model of models.txt, with random weights and small inputs. The command blends and collapses each file.
Then the script checks:

  calls     in one forward the sites run as often as the activations that PyTorch's dispatcher runs for the eager model
  sites     as many as these calls. A scripted model also has sites that evaluation does not reach, such as auxiliary heads and the other
            branch of an option: there, as many as activations in the code that PyTorch scripted, counted module by module
  t = 0     the blended file gives the eager model's outputs
  t = 1     the blended file gives the outputs of the eager model with its activations replaced in the dispatcher
  export    so does the collapsed file, in plain PyTorch
  onnx      torch.onnx's TorchScript exporter converts the collapsed file, and ONNX Runtime gives LibTorch's outputs
  ncnn      the ncnn file that pnnx makes of the collapsed trace has no layer of a swapped activation: pnnx recognises layers by class names

Results go to build/zoo/results.jsonl; the script does not repeat those already there. It lists separately what PyTorch itself cannot do
with the original: scripting, tracing or exporting to ONNX. --prune is another pass, with results of its own in docs/zoo/prune.jsonl: it
removes 30 % of what can be pruned (pruning.py). --table runs nothing, but writes docs/zoo.md, or with --prune its part on pruning, from
the results. Needs torchvision 0.28.0, timm, pnnx and what they import: bench/zoo/setup.sh.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pruning
from models import build
from shared import flat

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "build/zoo/results.jsonl"
PRUNED = ROOT / "docs/zoo/prune.jsonl"
TABLE = ROOT / "docs/zoo.md"
SOURCES = ["mish", "silu", "gelu", "gelu_tanh", "elu", "selu", "celu", "relu", "relu6", "hardswish", "leaky_relu"]
NAMES = {"mish", "silu", "gelu", "elu", "selu", "celu", "relu", "relu6", "hardswish", "leaky_relu"}
TARGET = "hard_mish"
TOLERANCE = 1e-5  # relative to the largest output; the same operators run on both sides
ONNX_TOLERANCE = 1e-4  # ONNX Runtime has kernels of its own, which round differently
NCNN_LAYERS = {"Mish", "Swish", "GELU", "ELU", "CELU", "SELU"}  # of the sources; the target is none of them
VISIBLE = 1e-3  # the swap must change the outputs by at least this, or the comparisons say nothing: a hundred times the tolerance
TIMEOUT = 3000  # seconds for a model, while others run beside it
OPSET = 17


def dispatch_mode(replace: bool):
    """Counts the activations that run, and replaces them on request."""
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
            y = x * torch.nn.functional.hardsigmoid(x * 3.0 + 3.0)
            return x.copy_(y) if packet in in_place or packet is aten.hardtanh_ else y

    return Mode()


def in_code(scripted) -> int:
    """The activations in the code that forward reaches, whether they run or not: once for each object that has the code.

    A module without weights and children counts once for each place that calls it instead.
    """
    seen = set()

    def is_bare(module) -> bool:
        return not any(True for _ in (*module.parameters(), *module.buffers(), *module.children()))

    def module_of(value, owner):
        """The module that a value holds: the method's self, or a module that its attributes lead to."""
        node = value.node()
        if node.kind() == "prim::Param":
            return owner
        if node.kind() != "prim::GetAttr":
            raise ValueError(f"expected a module that is called to be an attribute, but got it from {node.kind()}")
        return getattr(module_of(next(node.inputs()), owner), node.s("name"))

    def in_method(module, name: str) -> int:
        if not is_bare(module):
            if (module, name) in seen:
                return 0
            seen.add((module, name))
        return in_block(module._c._get_method(name).graph, module)

    def in_block(block, owner) -> int:
        total = 0
        for node in block.nodes():
            inputs = list(node.inputs())
            if node.kind() == "prim::CallMethod":
                total += in_method(module_of(inputs[0], owner), node.s("name"))
                continue
            is_call = node.kind() == "prim::CallFunction"
            name = inputs.pop(0).node().s("name") if is_call else node.kind()
            name = name.removeprefix("aten::").removesuffix("_")
            total += name in NAMES or name == "hardtanh" and [value.toIValue() for value in inputs[1:3]] == [0, 6]
            total += sum(in_block(inner, owner) for inner in node.blocks())
        return total

    return in_method(scripted, "forward")


def difference(found, expected) -> float:
    found, expected = flat(found), flat(expected)
    if len(found) != len(expected):
        raise ValueError(f"{len(found)} outputs instead of {len(expected)}")
    worst = 0.0
    for a, b in zip(found, expected):
        if not bool(b.isfinite().all()):
            raise ValueError("the model itself gives no finite outputs")
        if a.shape != b.shape or not bool(a.isfinite().all()):
            kind = "a finite one" if bool(a.isfinite().all()) else "one that is not finite"
            raise ValueError(f"expected a finite output of shape {list(b.shape)}, but got {kind} of {list(a.shape)}")
        worst = max(worst, ((a - b).abs().max() / b.abs().max().clamp_min(1e-30)).item())
    return worst


def run_command(command: str, *arguments) -> dict:
    done = subprocess.run([command, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments[0]}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def first_line(error: Exception, *folders: Path) -> str:
    """What went wrong, in one line and without the folders of this machine."""
    text = f"{type(error).__name__}: {str(error).strip()}".split("\n")[0]
    for folder in (*folders, ROOT):
        text = text.replace(f"{folder}/", "")
    return text[:200]


def onnx_excess(model, x, path: Path) -> float:
    """How far ONNX Runtime differs from LibTorch after torch.onnx has converted the model, as a multiple of what is allowed.

    If a division by nearly nothing amplifies rounding, as in linear attention whose ReLU is no longer positive, no two runtimes agree.
    So the check allows ten times the difference that LibTorch itself shows for an input changed in the last bit.
    """
    import onnxruntime
    import torch

    class OfOneArgument(torch.nn.Module):
        """Takes one argument: the exporter wants all arguments of a TorchScript module, and does not accept their default None."""

        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, x):
            return self.model(x)

    if len(model.forward.schema.arguments) > 2:
        model = torch.jit.script(OfOneArgument().eval())
    torch.onnx.export(model, (x,), str(path), dynamo=False, opset_version=OPSET, input_names=["x"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    outputs = [output for output in session.run(None, {"x": x.numpy()}) if output is not None]
    expected = model(x.clone())
    last_bit = difference(model(torch.nextafter(x, 2 * x)), expected)
    return difference([torch.from_numpy(output) for output in outputs], expected) / max(ONNX_TOLERANCE, 10 * last_bit)


def check_onnx(x, folder: Path) -> str:
    import torch

    reasons = []
    for name in ("out.pt", "model.pt"):
        try:
            found = onnx_excess(torch.jit.load(folder / name).eval(), x, folder / "model.onnx")
            if found <= 1.0:
                break
            reasons.append(f"ONNX Runtime differs by {found:.2g} times what is allowed")
        except Exception as error:  # of the exporter or ONNX Runtime, which raise many kinds
            reasons.append(first_line(error, folder))
    if not reasons:
        return "passed"
    return ("failed: " if len(reasons) == 1 else "not by PyTorch: ") + reasons[0]


def ncnn_layers(path: Path, spec: str) -> list | None:
    """The kinds of layers in the ncnn file that pnnx makes of a file; None if it makes none."""
    subprocess.run([Path(sys.executable).with_name("pnnx"), path.name, f"inputshape=[{spec.replace('x', ',')}]"], cwd=path.parent,
                   capture_output=True, timeout=TIMEOUT)  # fmt: skip
    made = path.with_suffix(".ncnn.param")
    return [line.split()[0] for line in made.read_text().splitlines()[2:]] if made.exists() else None


def check_ncnn(folder: Path, spec: str) -> str:
    layers = ncnn_layers(folder / "out.pt", spec)
    if layers is None:
        return ("not by pnnx" if ncnn_layers(folder / "model.pt", spec) is None else "failed") + ": nothing was made"
    old = sorted(NCNN_LAYERS.intersection(layers))
    return f"failed: it has {', '.join(old)}" if old else "passed"


def check(command: str, scripted, x, expected: dict, folder: Path) -> dict:
    import torch

    scripted.save(folder / "model.pt")
    spec = "x".join(str(size) for size in x.shape)
    sources = [word for source in SOURCES for word in ("--source", source)]
    blended = run_command(command, "blend", folder / "model.pt", "-o", folder / "blended.pt", "--to", TARGET, "--input", spec, "--json", "-q",
                          *sources)  # fmt: skip
    collapsed = run_command(command, "collapse", folder / "blended.pt", "-o", folder / "out.pt", "--input", spec, "--json", "-q")
    inspected = run_command(command, "inspect", folder / "model.pt", "--input", spec, "--to", TARGET, "--json", "-q", *sources)
    model = torch.jit.load(folder / "blended.pt").eval()
    calls = sum(site.get("calls", 0) for site in inspected["sites"] if site["selected"])
    result = {"calls": calls, "sites": blended["sites_swapped"], "verified": blended["verified"] and collapsed["verified"]}
    model.set_blend(0.0)
    result["at 0"] = difference(model(x.clone()), expected["original"])
    model.set_blend(1.0)
    result["at 1"] = difference(model(x.clone()), expected["replaced"])
    result["export"] = difference(torch.jit.load(folder / "out.pt").eval()(x.clone()), expected["replaced"])
    result["onnx"] = check_onnx(x, folder)
    if isinstance(scripted, torch.jit.TopLevelTracedModule):
        result["ncnn"] = check_ncnn(folder, spec)
    wrong = [f"{key} differs by {result[key]:.2g}" for key in ("at 0", "at 1", "export") if not result[key] <= TOLERANCE]
    wrong += [f"{result[key]} {key} instead of {expected[key]}" for key in ("calls", "sites") if result[key] != expected[key]]
    if not result["verified"]:
        wrong.append("not verified by the command")
    result["status"] = "failed: " + ", ".join(wrong) if wrong else "passed"
    return result


def each_way(name: str, model, x, check_one) -> None:
    """Prints a line for the scripted model and one for the traced model."""
    import torch

    parameters = sum(parameter.numel() for parameter in model.parameters())
    ways = {
        "scripted": lambda: torch.jit.script(model),
        "traced": lambda: torch.jit.trace(model, x, check_trace=False, strict=False),
    }
    for how, make in ways.items():
        result = {"model": name, "how": how, "parameters": parameters}
        try:
            made = make()
        except Exception as error:  # of PyTorch, which raises many kinds
            result["status"] = f"not {how} by PyTorch: {first_line(error)}"
            print(json.dumps(result), flush=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                result.update(check_one(how, made, Path(folder)))
            except (RuntimeError, ValueError) as error:
                result["status"] = "failed: " + first_line(error, Path(folder))
        print(json.dumps(result), flush=True)


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
        visible = difference(replaced, original)
        if visible < VISIBLE:
            raise ValueError(f"expected the swap to change the outputs by {VISIBLE} at least, but it does by {visible:.2g}")
        expected = {"original": original, "replaced": replaced, "calls": counting.count}

        def check_one(how: str, made, folder: Path) -> dict:
            expected["sites"] = in_code(made) if how == "scripted" else counting.count
            return check(command, made, x, expected, folder)

        each_way(name, model, x, check_one)


def prune_one(name: str, command: str) -> None:
    import torch

    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    model, x, _library = build(name)
    each_way(name, model, x, lambda _how, made, folder: pruning.check(command, made, x, folder))


def run_one(name: str, command: str, *more: str) -> list:
    try:
        done = subprocess.run([sys.executable, __file__, "--one", name, "--command", command, *more], capture_output=True, text=True, timeout=TIMEOUT,
                              env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
        output, problem = done.stdout, f"exit code {done.returncode}: {done.stderr.strip().split(chr(10))[-1][:300]}" if done.returncode else ""
    except subprocess.TimeoutExpired as late:
        output, problem = (late.stdout or b"").decode(), f"more than {TIMEOUT} s"
    rows = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    if problem:
        made = {row["how"] for row in rows}
        rows += [{"model": name, "how": how, "status": "failed: " + problem} for how in ("scripted", "traced") if how not in made]
    return rows


def rows_of(path: Path, names: list) -> list:
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return [row for row in rows if row["model"] in names]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("names", nargs="*", help="models, as in models.txt")
    parser.add_argument("--cut", action="store_true", help="only the models marked with * in models.txt")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many models run at a time")
    parser.add_argument("--command", default=str(ROOT / "build/release/bin/actswap"))
    parser.add_argument("--prune", action="store_true", help="run the second pass, which prunes and does not retarget")
    parser.add_argument("--out", type=Path, help="the file of the results (build/zoo/results.jsonl, with --prune docs/zoo/prune.jsonl)")
    parser.add_argument("--table", action="store_true", help="write docs/zoo.md (with --prune its part on pruning) from the results, and run nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.out = options.out or (PRUNED if options.prune else RESULTS)
    if options.one:
        (prune_one if options.prune else one)(options.one, options.command)
        return 0
    lines = [line.strip() for line in (Path(__file__).parent / "models.txt").read_text().splitlines() if line.strip() and line[0] != "#"]
    names = options.names or [line.rstrip(" *") for line in lines if line.endswith("*") or not options.cut]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rows = rows_of(options.out, names)
    if options.table:
        import report

        (report.write_pruned if options.prune else report.write)(TABLE, rows, names)
        print(TABLE.relative_to(ROOT))
        return 0
    done = {row["model"] for row in rows}
    with ThreadPoolExecutor(max_workers=options.jobs) as workers, options.out.open("a") as file:
        for result in workers.map(lambda name: run_one(name, options.command, *(["--prune"] if options.prune else [])), [name for name in names if name not in done]):
            for row in result:
                file.write(json.dumps(row) + "\n")
                file.flush()
                rows.append(row)
                more = {"went": lambda share: f"{100 * share:.1f} % went", "onnx": "ONNX {}".format, "ncnn": "ncnn {}".format}
                print(f"{row['model']:45} {row['how']:9} {'; '.join([row['status'], *(say(row[key]) for key, say in more.items() if key in row)])}", flush=True)
    failed = False
    made = "refused, or that PyTorch cannot make" if options.prune else "that PyTorch cannot make"
    for key, cannot in (("status", made), ("onnx", "that PyTorch cannot export"), ("ncnn", "that pnnx cannot convert")):
        kinds = Counter(row[key].split(":")[0] for row in rows if key in row)
        if not kinds:
            continue
        failed = failed or kinds["failed"] > 0
        others = kinds.total() - kinds["passed"] - kinds["failed"]
        title = f"{len(names)} models" if key == "status" else {"onnx": "ONNX", "ncnn": "ncnn"}[key]
        print(f"{title}: {kinds['passed']} passed, {kinds['failed']} failed, {others} {cannot}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
