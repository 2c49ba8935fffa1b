#!/usr/bin/env python3
"""Prints the costs of blends and exported models as Markdown tables, and compares them with their goals.

    bench/compare.py BUILD_FOLDER [--repetitions N] [--min-time SECONDS] [--parts kernels,avx2,...] [--into FILE]

Configure BUILD_FOLDER with -DACTSWAP_BUILD_BENCHMARKS=ON; Python needs PyTorch. docs/performance.md holds the output: with --into, the
parts that run replace those in FILE, and the rest of FILE stays. The part accuracy takes an hour, others a few minutes each. Every figure
is a ratio of the least times of two benchmarks of one run. Their repetitions are interleaved, so that other work on the machine disturbs
both. Times are processor time with one thread, elapsed time with two. If a figure misses its goal, it is bold, with the goal beside it.
"""

import argparse
import collections
import contextlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
SIZES = {2**14: "2^14", 2**20: "2^20", 2**24: "2^24"}
ROWS = ["mish", "silu", "gelu", "gelu_tanh", "aptx", "swish_mish", "elu", "softplus", "tanh", "hardswish"]
SOURCE_GOALS = {"mish": 0.12, "silu": 0.85, "gelu": 0.75}
LERP_GOALS = collections.defaultdict(lambda: 0.30, mish=0.10)
RELU_GOALS = {2**20: 2.5, 2**24: 1.5}
THREADS_GOAL = 1.7
STEP_GOALS = {"mish": 0.85, "silu": 1.02, "gelu": 1.02}
MEMORY_GOAL = 1.0
ULP_GOAL = 4.0
EXPORT_GOAL = (0.98, 1.02)
SHAPES = {"narrow": [64, 1, 28, 28], "wide": [32, 3, 32, 32]}
PARTS = ["kernels", "avx2", "steps", "loop", "exports", "spellings", "accuracy"]
REFERENCE_SPELLING = "x * torch.clamp(x * 0.5 + 1.0, 0.0, 1.0)"
INFINITY = float("inf")


class Benchmarks:
    def __init__(self, arguments):
        self.folder = Path(arguments.build) / "bin"
        self.options = ["--benchmark_format=json", "--benchmark_enable_random_interleaving=true",
                        f"--benchmark_repetitions={arguments.repetitions}", f"--benchmark_min_time={arguments.min_time}"]  # fmt: skip

    def run(self, program: str, *words, **environment) -> tuple:
        """@returns the runs of each benchmark, by name, and the context"""
        command = [self.folder / program, *words, *self.options]
        output = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **environment}).stdout
        report = json.loads(output)
        runs = collections.defaultdict(list)
        for entry in report["benchmarks"]:
            if entry.get("run_type") == "iteration":
                runs[entry["run_name"]].append(entry)
        return runs, report["context"]

    def command(self, *words, **environment) -> dict:
        command = [self.folder / "actswap", *words, "--json", "-q"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env={**os.environ, **environment}).stdout)


def least(runs: list, key: str = "cpu_time") -> float:
    return min((run[key] for run in runs), default=INFINITY)


def cell(numerator: float, denominator: float, goal=None, at_least: bool = False) -> str:
    if INFINITY in (numerator, denominator):
        return ""
    ratio = round(numerator / denominator, 2)
    if goal is None:
        return f"{ratio:.2f}"
    met = goal[0] <= ratio <= goal[1] if isinstance(goal, tuple) else ratio >= goal if at_least else ratio <= goal
    wanted = " to ".join(f"{bound:.2f}" for bound in goal) if isinstance(goal, tuple) else f"{goal:.2f}"
    return f"{ratio:.2f}" if met else f"**{ratio:.2f}** ({wanted})"


def print_table(header: list, rows: list) -> None:
    print("| " + " | ".join(header) + " |")
    print("|" + "---|" * len(header))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print(flush=True)


def processor() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return names[0] if names else platform.processor()


def load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def kernels(benchmarks: Benchmarks, slack: float = 1.0, **environment) -> None:
    begin = load()
    runs, context = benchmarks.run("blend_benchmark", **environment)
    times = collections.defaultdict(lambda: INFINITY)
    for name, entries in runs.items():
        what, row, size, threads = name.split("/")[:4]
        times[what, row, int(size), int(threads)] = least(entries, "cpu_time" if threads == "1" else "real_time")
    print(f"## The operator, {context['instruction_set']}\n")
    print("Forward and backward of a blend to relu at t = 0.5, float32, one thread: the time, and its ratio to ATen's source, to lerp of ATen's")
    print(f"source and relu, and to ATen's relu alone, all with that instruction set. LibTorch {context['libtorch']}; {begin}.\n")

    def bound(goal):
        return goal and goal * slack

    table = []
    for row in ROWS:
        for size, text in SIZES.items():
            blend = times["blend", row, size, 1]
            table.append([row, text, f"{blend:.0f}", cell(blend, times["aten", row, size, 1], bound(SOURCE_GOALS.get(row))),
                          cell(blend, times["lerp", row, size, 1], bound(LERP_GOALS[row])),
                          cell(blend, times["relu", "relu", size, 1], bound(RELU_GOALS.get(size)))])  # fmt: skip
    print_table(["from", "elements", "microseconds", "/ source", "/ lerp", "/ relu"], table)
    if not environment:
        print("Speed-up by a second thread, 2^24 elements, by elapsed time and by the processor time of the calling thread, which other work on")
        print("the machine does not lengthen. ATen's relu, which computes next to nothing, shows what memory allows:\n")
        rows = []
        for row in ROWS + ["relu"]:
            what, goal = ("relu", None) if row == "relu" else ("blend", THREADS_GOAL)
            one, two = (runs[f"{what}/{row}/{2**24}/{threads}/real_time"] for threads in (1, 2))
            name = "ATen's relu" if row == "relu" else row
            rows.append([name, *(cell(least(one, key), least(two, key), goal, at_least=True) for key in ("real_time", "cpu_time"))])
        print_table(["from", "elapsed", "processor"], rows)


def steps(benchmarks: Benchmarks, models: Path) -> None:
    print("## Training steps\n")
    print("Forward, cross-entropy, backward and SGD of a residual CNN (bench/training/models.py) with blends to relu, as a ratio to the same step")
    print("of the original; float32, one thread. Stock is the same blend in stock operators, as a blended file has it. Memory is the peak of a")
    print("step beside the parameters, as a ratio to the original's; it varies by about 2 % from step to step, and the table shows the least.")
    print(f"{load().capitalize()}.\n")
    table = []
    for kept, environment in (("kept", {}), ("given back", {"ACTSWAP_GIVE_BACK": "1"})):
        for size, shape in SHAPES.items():
            for activation, goal in STEP_GOALS.items():
                name = f"{size}_{activation}"
                runs, _ = benchmarks.run("step_benchmark", models / f"{name}.pt", ",".join(map(str, shape)), name, **environment)
                time = {what: least(runs[f"step/{name}/{what}"]) for what in ("original", "fused_0.5", "fused_1", "stock_0.5")}
                memory = {what: least(runs[f"step/{name}/{what}"], "peak_memory") for what in time}
                original = time["original"]
                table.append([f"{size}, {activation}", kept, f"{original:.1f}",
                              cell(time["fused_0.5"], original, goal), cell(time["fused_1"], original, goal),
                              cell(time["stock_0.5"], original), cell(memory["fused_0.5"], memory["original"], MEMORY_GOAL),
                              cell(memory["fused_1"], memory["original"], MEMORY_GOAL),
                              cell(memory["stock_0.5"], memory["original"])])  # fmt: skip
    print_table(["network", "freed memory", "original, ms", "t = 0.5", "t = 1", "stock, t = 0.5",
                 "memory, t = 0.5", "memory, t = 1", "memory, stock"], table)  # fmt: skip


def exports(benchmarks: Benchmarks, models: Path) -> None:
    print("## Exported models\n")
    print("The export to relu of each Mish network against the same network built with nn.ReLU. The built network against itself shows how far")
    print("the figures can be trusted. Medians of the ratios of 60 rounds, `actswap bench`, one thread.")
    print(f"{load().capitalize()}.\n")
    table = []
    for size, shape in SHAPES.items():
        exported, built = models / f"{size}_exported.pt", models / f"{size}_relu.pt"
        benchmarks.command("convert", models / f"{size}_mish.pt", "-o", exported, "--to", "relu")
        report = benchmarks.command("bench", built, exported, built, "--rounds", "60", "--input", "x".join(map(str, shape)), OMP_NUM_THREADS="1")
        for setting in ("plain", "frozen"):
            first, second, third = (row for row in report["results"] if row["setting"] == setting)
            table.append([size, setting, f"{first['median_ms']:.1f}", cell(second["ratio_to_first"], 1.0, EXPORT_GOAL),
                          cell(third["ratio_to_first"], 1.0)])  # fmt: skip
    print_table(["network", "setting", "built with ReLU, ms", "exported", "built, again"], table)


def spellings(benchmarks: Benchmarks) -> None:
    print("## Spellings of hard_mish\n")
    print("Forward in the interpreter without gradients, 32x64x28x28, float32, one thread, against the formula as it stands:")
    print(f"`{REFERENCE_SPELLING}`. {load().capitalize()}.\n")
    runs, _ = benchmarks.run("spelling_benchmark")
    times = collections.defaultdict(dict)
    for name, entries in runs.items():
        layout, expression = name.split("/", 1)
        times[expression][layout] = least(entries)
    reference = times[REFERENCE_SPELLING]
    print_table(["expression", "contiguous", "channels last"], [
        [f"`{expression}`", *(cell(time[layout], reference[layout]) for layout in ("contiguous", "channels_last"))]
        for expression, time in sorted(times.items(), key=lambda item: item[1]["contiguous"])])  # fmt: skip


def loop(arguments) -> None:
    print("## The training loop\n")
    print("`actswap convert --train` beside the same loop in Python, over the quickstart's model and a blended file in stock operators, as")
    print("`bench/training/loop.py` describes it. A ratio is the command's time over PyTorch's; the goal is 1.\n")
    command = [sys.executable, HERE / "training" / "loop.py", "--build", arguments.build]
    print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def accuracy(benchmarks: Benchmarks, arguments) -> None:
    """Prints kernel_ulp's table, with one line for instruction sets whose lines are equal."""
    print("## Accuracy\n")
    print("Each row's kernel alone (t = 0), on every float32 or the given share of them, against the table's functions in double:")
    print("`kernel_ulp` (bench/kernel/ulp.cpp). A unit is the last place of the exact result as a float32; below 2^-126 that is 2^-149, the")
    print("smallest denormal. The goal is 4.\n")
    if arguments.accuracy:
        text = Path(arguments.accuracy).read_text(encoding="utf-8")
    else:
        text = subprocess.run([benchmarks.folder / "kernel_ulp"], check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = collections.defaultdict(list)
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[1].isupper():
            row, name, inputs, value, at, derivative, special = cells
            lines[row, "all" if inputs == "1/1" else inputs, value, at, derivative, special].append(name)
    order = {row: place for place, row in enumerate(dict.fromkeys(row for row, *_ in lines))}
    print_table(["row", "sets", "inputs", "value, units", "at", "derivative, units of max(f', 1)", "not finite"], [
        [row, ", ".join(names), inputs, value if float(value) <= ULP_GOAL else f"**{value}** ({ULP_GOAL:.0f})", at, derivative, special]
        for (row, inputs, value, at, derivative, special), names in sorted(lines.items(), key=lambda item: order[item[0][0]])])  # fmt: skip


def marked(text: str) -> dict:
    """The sections of a document, by the mark before each; the text before the first mark, by ''."""
    pieces = re.split(r"^<!-- (\w+) -->\n", text, flags=re.MULTILINE)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2]))}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--min-time", type=float, default=0.05)
    parser.add_argument("--parts", default=",".join(PARTS), help="the parts to run, in this order")
    parser.add_argument("--into", type=Path, help="the document in which to replace the parts")
    parser.add_argument("--accuracy", help="a file with the output of kernel_ulp, to use instead of running it")
    arguments = parser.parse_args()
    parts = arguments.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"expected parts among {', '.join(PARTS)}, but got {', '.join(sorted(unknown))}")
    benchmarks = Benchmarks(arguments)
    sections = marked(arguments.into.read_text(encoding="utf-8")) if arguments.into and arguments.into.exists() else {}
    sections[""] = (
        "# Performance\n\n`bench/compare.py` prints this page and says how it measures. A figure in bold misses its goal, which stands in\n"
        f"brackets.\n\n{processor()}, {os.cpu_count()} cores. Least of {arguments.repetitions} repetitions.\n\n"
    )
    with tempfile.TemporaryDirectory() as name:
        models = Path(name)
        if {"steps", "exports"} & set(parts):
            subprocess.run([sys.executable, HERE / "training" / "models.py", models], check=True)
        runs = {
            "kernels": lambda: kernels(benchmarks),
            "avx2": lambda: kernels(benchmarks, slack=2.0, ACTSWAP_WITHOUT="AVX3", ATEN_CPU_CAPABILITY="avx2"),
            "steps": lambda: steps(benchmarks, models),
            "loop": lambda: loop(arguments),
            "exports": lambda: exports(benchmarks, models),
            "spellings": lambda: spellings(benchmarks),
            "accuracy": lambda: accuracy(benchmarks, arguments),
        }
        for part in parts:
            with contextlib.redirect_stdout(io.StringIO()) as section:
                runs[part]()
            sections[part] = section.getvalue()
    order = ["", *PARTS, *(part for part in sections if part not in ("", *PARTS))]
    text = "".join((f"<!-- {part} -->\n" if part else "") + sections[part] for part in order if part in sections)
    if arguments.into:
        arguments.into.write_text(text.rstrip() + "\n", encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
