#!/usr/bin/env python3
"""How much accuracy does each method recover on five tasks, and where does a ramp pay? A full run takes up to 10 hours on 2 cores.

    bench/recovery/setup.sh
    build/venv/bin/python bench/recovery/run.py

For each seed the script trains the originals (tasks.py), converts them by every method, to every target, with every budget (methods.py;
for the last seeds only what the goals need), and writes tables and plots into docs/recovery.md (report.py). Each result is a line of
docs/recovery/results.jsonl, with the commit at which it was made. The script does not repeat results, so Ctrl-C loses only what is
running. --redo repeats them, after a change of the command that moves figures.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path

import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

import report  # noqa: E402
from common.results import Results, commit  # noqa: E402
from methods import ALL, BUDGETS, FROM_START, GOAL_SEEDS, LONG, METHODS, ORDERS, SEEDS, TARGETS  # noqa: E402
from methods import Cell, arguments, cells, from_start, goal_cells, longer, steps, study  # noqa: E402
from tasks import COMMAND, ROOT, TASKS  # noqa: E402

ALL_METHODS = [*METHODS, *ORDERS, FROM_START]
ONE_THREAD = {**os.environ, "OMP_NUM_THREADS": "1"}
# What --short does: a task that needs no more than the quickstart.
SHORT_TASKS, SHORT_BUDGETS, SHORT_SEEDS = ["residual"], ["none", "2 %", ALL], [0]


class Stopped(Exception):
    """Ctrl-C stopped the run; the commands get it as well."""


stopped = threading.Event()


def run(command: list) -> str:
    if stopped.is_set():
        raise Stopped
    done = subprocess.run([str(part) for part in command], check=False, capture_output=True, text=True, env=ONE_THREAD)
    if done.returncode in (-signal.SIGINT, 128 + signal.SIGINT):
        stopped.set()
        raise Stopped
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} of {' '.join(str(part) for part in command)}\n{done.stderr.strip()[-1000:]}")
    return done.stdout


def train(name: str, seed: int, options: argparse.Namespace, *more: object) -> None:
    short = ["--short"] if options.short else []
    run([sys.executable, Path(__file__).with_name("tasks.py"), name, "--seed", seed, "--out", options.out / name, *short, *more])


def make_original(name: str, seed: int, options: argparse.Namespace) -> None:
    if not (options.out / name / f"original_{seed}.pt").exists():
        train(name, seed, options)
        print(f"{name}, seed {seed}: original trained", flush=True)


def keep(cell: Cell, values: dict, seconds: float, more: dict, options: argparse.Namespace, results: Results) -> None:
    task = options.chosen[cell.task]
    results.add({**asdict(cell), "steps": steps(task, cell.budget), **values, "seconds": round(seconds, 1), "commit": options.commit, **more})
    print(f"{cell}: {task.metric} {values['retargeted']:.4f} of {values['original']:.4f} in {seconds:.0f} s", flush=True)


def train_from_start(cell: Cell, options: argparse.Namespace, results: Results) -> None:
    task, folder = options.chosen[cell.task], options.out / cell.task
    begin = time.monotonic()
    train(cell.task, cell.seed, options, "--from-start", cell.target, "--command", options.command)
    values = {}
    for key, name in (("original", "original"), ("retargeted", cell.target)):
        model = folder / f"{name}_{cell.seed}.pt"
        measured = run([options.command, "eval", model, "--data", folder / "val.pt", *task.options, "--json", "-q"])
        values[key] = task.value(json.loads(measured))
    keep(cell, values, time.monotonic() - begin, {}, options, results)


def convert(cell: Cell, options: argparse.Namespace, examples: int, results: Results) -> None:
    task, folder = options.chosen[cell.task], options.out / cell.task
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        told = arguments(cell, task, folder, examples)
        record = json.loads(run([options.command, "convert", *told, "-o", Path(scratch) / "out.pt", "--json", "-q"]))
    evaluations = record["evaluations"]
    values = {name: task.value(evaluation) for name, evaluation in evaluations.items()}
    more = {}
    if task.metric == "accuracy":
        before, after = evaluations["original"]["per_class"], evaluations["retargeted"]["per_class"]
        more["largest_fall"] = max(x - y for x, y in zip(before, after, strict=True))
    if "training" in record:
        more["learning_rate"] = record["training"]["learning_rate"]
    if "calibration" in record:
        calibration = record["calibration"]
        more.update(fitted=len(calibration["layers"]), left_out=calibration["left_out"], calibration_seconds=round(calibration["seconds"], 1))
    keep(cell, values, record["seconds"], more, options, results)


def all_of(jobs: int, function: Callable, items: list) -> int:
    """@returns how many failed"""
    failed = 0
    with ThreadPoolExecutor(max_workers=jobs) as workers:
        try:
            for future in as_completed([workers.submit(function, item) for item in items]):
                error = future.exception()
                if isinstance(error, Stopped):
                    raise KeyboardInterrupt
                if error:
                    failed += 1
                    print(f"run.py: {error}", file=sys.stderr, flush=True)
        except KeyboardInterrupt:
            stopped.set()
            raise
    return failed


def chosen(options: argparse.Namespace, seed: int) -> list:
    if seed < SEEDS:
        found = cells(options.chosen, seed) + from_start(options.chosen, seed) + (study(options.chosen, seed) if options.study else [])
    else:
        found = goal_cells(options.chosen, seed)
    if options.study:
        found += longer(options.chosen, seed)
    return [cell for cell in found if cell.target in options.targets and cell.method in options.methods and cell.budget in options.budgets]


def one_seed(seed: int, options: argparse.Namespace, results: Results) -> int:
    done = results.done()
    wanted = [cell for cell in chosen(options, seed) if cell not in done]
    names = list(dict.fromkeys(cell.task for cell in wanted))
    failed = all_of(options.jobs, lambda name: make_original(name, seed, options), names)
    there = [name for name in names if (options.out / name / f"original_{seed}.pt").exists()]
    sizes = {name: len(torch.load(options.out / name / "train.pt", weights_only=True, mmap=True)["x"]) for name in there}
    possible = [cell for cell in wanted if cell.task in there]

    def make(cell: Cell) -> None:
        if cell.method == FROM_START:
            train_from_start(cell, options, results)
        else:
            convert(cell, options, sizes[cell.task], results)

    return failed + all_of(options.jobs, make, possible)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--short", action="store_true", help="one seed, one task, few steps: shows only that everything runs")
    parser.add_argument("--seeds", type=int, nargs="+", choices=range(GOAL_SEEDS), metavar="SEED",
                        help=f"0 to {GOAL_SEEDS - 1}, all by default; from {SEEDS} on only the cells that the goals compare on accuracy")  # fmt: skip
    parser.add_argument("--tasks", nargs="+", choices=TASKS)
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=TARGETS)
    parser.add_argument("--methods", nargs="+", choices=ALL_METHODS, default=ALL_METHODS)
    parser.add_argument("--budgets", nargs="+", choices=[*BUDGETS, LONG, ALL])
    parser.add_argument("--no-study", dest="study", action="store_false", help="leave out longer budgets and the study of ramps: other rates and orders")
    parser.add_argument("--redo", action="store_true", help="forget the chosen results, and make them anew")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="how many commands run at a time, each with one thread")
    parser.add_argument("--out", type=Path, help="the folder for originals and data (build/recovery, with --short build/recovery/short)")
    parser.add_argument("--results", type=Path, help="the file of the results (docs/recovery/results.jsonl, with --short one in --out)")
    parser.add_argument("--page", type=Path, help="the page to write the report into (docs/recovery.md, with --short one in --out)")
    parser.add_argument("--command", type=Path, default=COMMAND)
    options = parser.parse_args()
    names = options.tasks or (SHORT_TASKS if options.short else list(TASKS))
    options.seeds = options.seeds or (SHORT_SEEDS if options.short else range(GOAL_SEEDS))
    if len(set(options.seeds)) != len(options.seeds):
        parser.error(f"expected each seed once, but found {' '.join(map(str, options.seeds))}")
    options.budgets = options.budgets or (SHORT_BUDGETS if options.short else [*BUDGETS, LONG, ALL])
    options.study = options.study and not options.short
    options.commit = commit()
    options.chosen = {name: TASKS[name].short() if options.short else TASKS[name] for name in names}
    options.out = options.out or ROOT / ("build/recovery/short" if options.short else "build/recovery")
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.results or (options.out if options.short else ROOT / "docs/recovery") / "results.jsonl", Cell.of)
    if options.redo:
        results.forget({cell for seed in options.seeds for cell in chosen(options, seed)})
    failed = 0
    for seed in options.seeds:
        failed += one_seed(seed, options, results)
    report.write(results.rows, options.page or (options.out / "recovery.md" if options.short else ROOT / "docs/recovery.md"))
    if failed:
        print(f"run.py: {failed} failed; run it again to try them again", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
