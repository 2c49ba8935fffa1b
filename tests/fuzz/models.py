#!/usr/bin/env python3
"""Random small models through actswap, against PyTorch with the functions replaced by other means.

usage: models.py --program CONVERT_MANY [--models 1000] [--seed 1] [--only I] [--jobs N] [--out DIR] [--no-shrink]

Each model is drawn by its number (generate.py), written as source (programs.py), scripted or traced, and given to convert_many, which finds
its sites, blends and exports it. Then

- each activation in the source must be a site, or stay with a reason, and no other site may be listed (expected.py);
- the blended model at t = 0 must give what the model gives;
- the export, loaded in PyTorch, must give what the source gives with exactly the swapped activations replaced.

What fails is cut down, statement by statement, as long as it fails in the same way. The smallest source is printed and kept in DIR with
the model. The exit status is 1 where anything failed.
"""

from __future__ import annotations

import argparse
import itertools
import json
import linecache
import multiprocessing
import os
import select
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
import expected
import generate
import programs
from spellings import CLASSES, ROW_OF, TARGETS

warnings.filterwarnings("ignore")
PER_PROCESS = 100  # models; PyTorch keeps the code of every class that it has compiled
SECONDS = 60  # that one model may take
TOLERANCE = {torch.float64: 1e-6, torch.float32: 2e-4, torch.float16: 3e-2, torch.bfloat16: 1e-1}


@dataclass
class Failure:
    kind: str
    message: str


class Converter:
    """The program convert_many, started anew where it died."""

    def __init__(self, path: str):
        self.path, self.process = path, None

    def __call__(self, request: dict) -> dict:
        if self.process is None:
            self.process = subprocess.Popen([self.path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()
        answer, end = b"", time.monotonic() + SECONDS
        while not answer.endswith(b"\n"):
            ready, _, _ = select.select([self.process.stdout], [], [], max(0.0, end - time.monotonic()))
            part = os.read(self.process.stdout.fileno(), 1 << 20) if ready else b""
            if not part:
                return {"died": self.close() if ready else f"no answer in {SECONDS} seconds: {self.close()}"}
            answer += part
        return json.loads(answer)

    def close(self) -> str:
        if self.process is None:
            return ""
        self.process.stdin.close()
        try:
            status = self.process.wait(2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        message = self.process.stderr.read().decode(errors="replace")[-600:]
        self.process = None
        return f"exit status {status} {message}"


# One model --------------------------------------------------------------------------------------


counter = itertools.count()


def execute(source: str, names: dict) -> dict:
    """Runs source that torch.jit.script can find again."""
    file = f"<model {next(counter)}>"
    linecache.cache[file] = (len(source), None, source.splitlines(True), file)
    exec(compile(source, file, "exec"), names)
    return names


def flattened(value) -> list:
    if isinstance(value, torch.Tensor):
        return [value]
    return [tensor for part in (value.values() if isinstance(value, dict) else value) for tensor in flattened(part)]


def difference(actual, wanted, near=None) -> str:
    """How outputs differ; empty: they do not. `near` is what inputs give that differ in their last places: a norm of nearly equal numbers
    makes much of little."""
    actual, wanted = flattened(actual), flattened(wanted)
    near = wanted if near is None else flattened(near)
    if len(actual) != len(wanted):
        return f"{len(actual)} outputs instead of {len(wanted)}"
    for i, (a, w) in enumerate(zip(actual, wanted)):
        if a.dtype != w.dtype or a.shape != w.shape:
            return f"output {i} is {a.dtype} {tuple(a.shape)} instead of {w.dtype} {tuple(w.shape)}"
        finite = w.isfinite()
        if not torch.equal(a[~finite].nan_to_num(1.25), w[~finite].nan_to_num(1.25)):
            return f"output {i} differs where it is not finite"
        a, w, n = a[finite].double(), w[finite].double(), near[i][finite].double()
        error, noise = [float((x - w).abs().max() / w.abs().max().clamp_min(1e-3)) if w.numel() else 0.0 for x in (a, n)]
        if not error <= TOLERANCE[wanted[i].dtype] + 4.0 * noise:
            return f"output {i} differs by {error:.3g} of its largest number"
    return ""


class Model:
    """A program in PyTorch: as written, as oracle, and compiled."""

    def __init__(self, program: programs.Program):
        self.program, dtype = program, getattr(torch, program.dtype)
        name = program.classes[-1].name
        torch.manual_seed(program.seed)
        self.eager = execute(programs.model_source(program), {"__name__": "model"})[name]().to(dtype).eval()
        self.inputs = [(2.0 * torch.randn(shape)).to(dtype) for shape in program.shapes]
        self.first_names = first_names(self.eager)
        self.run = expected.Run(program, self.first_names, TARGETS[program.target])
        self.oracle = execute(programs.oracle_source(program), {"__name__": "oracle", **self.run.names()})[name]().to(dtype).eval()
        self.oracle.load_state_dict(self.eager.state_dict())
        for path, module in self.oracle.named_modules():
            module._path = path

    def oracle_outputs(self, swapped: set, change: float = 0.0):
        self.run.start(swapped)
        return run(self.oracle, [x * (1.0 + change) for x in self.inputs])

    def compiled(self):
        if not self.program.traced:
            return torch.jit.script(self.eager)
        with torch.no_grad():
            return torch.jit.trace(self.eager, tuple(x.clone() for x in self.inputs), check_trace=False, strict=False)

    def uses(self) -> list:
        """After oracle_outputs."""
        return self.run.uses if self.program.traced else expected.uses_in_code(self.program, self.first_names)

    def assignment(self, sites: list) -> expected.Assignment:
        return expected.assign(self.uses(), sites, self.first_names if self.program.traced else {})


def first_names(module) -> dict:
    """Of every path: that of the same object which comes first."""
    first, named = {}, list(module.named_modules(remove_duplicate=False))
    for path, inner in named:
        first.setdefault(id(inner), path)
    return {path: first[id(inner)] for path, inner in named}


def run(module, inputs):
    with torch.no_grad():
        try:
            return module(*[x.clone() for x in inputs])
        except RuntimeError:  # LibTorch loses values of some graphs with loops that it has not optimised
            with torch.jit.optimized_execution(True):
                return module(*[x.clone() for x in inputs])


def failure_of(program: programs.Program, converter: Converter, out: str, calibrate: bool = False) -> Failure | None:
    try:
        model = Model(program)
        wanted = run(model.eager, model.inputs)
        own = model.oracle_outputs(set())
        compiled = model.compiled()
        reference = run(compiled, model.inputs)
    except Exception as error:  # of the generator, or PyTorch refuses what it should take
        kind = "skipped" if "not implemented for" in str(error) else "generator"
        return Failure(kind, f"{type(error).__name__}: {error}")
    if why := difference(own, wanted) or difference(reference, wanted):
        return Failure("generator", "the oracle or the compiled model differs from the source: " + why)
    torch.jit.save(compiled, out + ".pt")
    torch.save(tuple(model.inputs), out + ".inputs.pt")
    answer = converter({"model": out + ".pt", "inputs": out + ".inputs.pt", "out": out, "to": program.target, "sources": program.sources,
                        "calibrate": calibrate})
    if "died" in answer:
        return Failure("died", answer["died"])
    if failure := failure_of_sites(program, model, answer):
        return failure
    if answer.get("step") == "calibrate" and answer.get("kind") == "usage":
        return None  # on the few examples that there are
    if "error" in answer:
        return Failure(f"{answer['kind']} error, {answer['step']}", answer["error"])
    kept = {use.key for use, site in model.assignment(answer["sites"]).pairs if not site["swapped"]}
    pairs = [(use, site) for use, site in model.assignment(answer["sites"]).pairs if site["swapped"]]
    swapped = {use.key for use, _ in pairs}
    if not swapped or swapped & kept:  # one object under two names, which scripting makes two objects
        return None
    if why := difference(torch.load(out + ".start.pt", weights_only=False), wanted):
        return Failure("differs at t = 0", why)
    if not answer["verified"]:
        return Failure("not verified", answer["reason"])
    if calibrate or any(use.is_torn_gate for use, _ in pairs):
        return None  # what stays of a torn silu has a sigmoid of its own
    try:
        exported = torch.jit.load(out + ".export.pt")
        actual = run(exported, model.inputs)
    except Exception as error:
        return Failure("export does not run", f"{type(error).__name__}: {error}")
    replaced = model.oracle_outputs(swapped)
    if difference(actual, replaced):
        near = model.oracle_outputs(swapped, 2.0 * torch.finfo(model.inputs[0].dtype).eps)
        if why := difference(actual, replaced, near):
            return Failure("export differs", why)
    return failure_of_class_names(program, pairs, answer["sites"], exported)


def failure_of_class_names(program: programs.Program, pairs: list, sites: list, exported) -> Failure | None:
    """Modules that were swapped have the class of what they are now."""
    modules = dict(exported.named_modules())
    kept = {site["module"] for site in sites if not site["swapped"]}
    for use, site in pairs:
        own = use.places[0]
        if own is not None and own[0] not in kept and (site["module"], site["method"]) == own and site["form"] == "module":
            name, wanted = modules[own[0]].original_name, CLASSES[program.target.split("(")[0]]
            if name != wanted:
                return Failure("class name", f"{own[0]} is called {name} instead of {wanted}")
    return None


def failure_of_sites(program: programs.Program, model: Model, answer: dict) -> Failure | None:
    if "error" in answer and answer["step"] in ("load", "plan"):
        return Failure(f"{answer['kind']} error, {answer['step']}", answer["error"])
    assignment = model.assignment(answer["sites"])
    names = [f"{use.function} in {use.places}" for use in assignment.missing]
    found = [f"{site['activation']} at {site['id']}" for site in assignment.unexpected]
    if names or found:
        functions = sorted({use.function for use in assignment.missing})
        return Failure("missing " + ", ".join(functions) if names else "unexpected", f"missing: {names}; unexpected: {found}")
    for use, site in assignment.pairs:
        if use.key is None and not site["obstacle"]:
            return Failure("unexpected", f"{site['id']} is taken for {use.function}, but its input is written to before its last operator")
        wanted = ROW_OF[use.function] in program.sources and use.function != program.target
        if site["swapped"] != (wanted and not site["obstacle"]):
            return Failure("planned otherwise", f"{site['id']} ({use.function}): {site['reason']}")
    return None


def shrunk(program: programs.Program, failure: Failure, converter: Converter, out: str) -> tuple[programs.Program, Failure]:
    """The smallest program that fails in the same way, as far as single cuts lead."""
    end, progress = time.monotonic() + SECONDS, True
    while progress and time.monotonic() < end:
        position, progress = 0, False
        while position >= 0 and time.monotonic() < end:
            for cut in itertools.islice(programs.smaller(program), position, None):
                found = failure_of(cut, converter, out)
                if found and found.kind == failure.kind:
                    program, failure, progress = cut, found, True
                    break  # and go on from here in what is left
                position += 1
            else:
                position = -1
    return program, failure


def described(program: programs.Program, failure: Failure, name: str) -> str:
    how = "traced" if program.traced else "scripted"
    head = (f"# {name}: {failure.kind}\n# {how}, {program.dtype}, inputs {program.shapes}, seed {program.seed}, to {program.target}, "
            f"sources {','.join(program.sources)}\n")
    return head + "".join(f"# {line}\n" for line in failure.message.strip().split("\n")[:12]) + programs.model_source(program)


# Many models ------------------------------------------------------------------------------------


def check_some(arguments) -> tuple[Counter, list]:
    """In a process of its own."""
    options, numbers = arguments
    torch.set_num_threads(1)
    torch._C._set_graph_executor_optimize(False)  # as convert_many does
    counts, texts = Counter(), []
    converter = Converter(options.program)
    with tempfile.TemporaryDirectory() as folder:
        out = os.path.join(folder, "model")
        for number in numbers:
            name = f"model {number}"
            try:
                program = generate.draw(number)
                counts["models"] += 1
                failure = failure_of(program, converter, out, number % 50 == 0)
                if failure is None or failure.kind == "skipped":
                    counts["skipped"] += failure is not None
                    continue
                if options.shrink and number % 50 != 0 and failure.kind != "generator":
                    program, failure = shrunk(program, failure, converter, out)
                texts.append((failure.kind, described(program, failure, name)))
            except Exception:
                texts.append(("generator", f"# {name}\n{traceback.format_exc()}"))
            counts[texts[-1][0]] += 1
    converter.close()
    return counts, texts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=str(Path(__file__).parents[2] / "build/release/bin/convert_many"))
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="check this model alone, by its number")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--out", type=Path, help="a folder for the sources of what fails")
    parser.add_argument("--no-shrink", dest="shrink", action="store_false")
    options = parser.parse_args()
    first = options.seed * 10_000_000
    numbers = [options.only] if options.only is not None else range(first, first + options.models)
    some = [(options, numbers[i:i + PER_PROCESS]) for i in range(0, len(numbers), PER_PROCESS)]
    begin, counts = time.monotonic(), Counter()
    with multiprocessing.get_context("fork").Pool(options.jobs, maxtasksperchild=1) as pool:
        for found, texts in pool.imap_unordered(check_some, some):
            counts += found
            for kind, text in texts:
                print(text, flush=True)
                if options.out:
                    options.out.mkdir(parents=True, exist_ok=True)
                    (options.out / (text.split(":")[0].strip("# ").replace(" ", "_") + ".py")).write_text(text)
    models = counts.pop("models", 0)
    failed = sum(count for kind, count in counts.items() if kind != "skipped")
    print(f"{models} models in {time.monotonic() - begin:.0f} s, {failed} failed: {dict(counts)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
