#!/usr/bin/env python3
"""Measures what pruning in the same run as the swap costs, beside other ways to the same size. A full run takes a day on 2 cores.

    bench/recovery/setup.sh
    build/venv/bin/python bench/pruning/run.py [NETWORK...]

The networks are those that bench/recovery trains, the quickstart's, and the published ones (subjects.py); the ways are in methods.py. Each
result is a line of docs/pruning/results.jsonl, with the commit at which it was made. The script does not repeat results, so Ctrl-C loses
only what is running; --redo repeats them. Tables and plots go into docs/pruning.md (report.py). --short shows in a minute that everything
runs. The script puts Torch-Pruning from PyPI into build/.
"""

import argparse
import signal
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(ROOT / "bench"), str(ROOT / "bench/published"), str(ROOT / "bench/recovery")]

import packages  # noqa: E402


def read_options() -> argparse.Namespace:
    from methods import BUDGETS, METHODS, SHARES
    from subjects import NAMES, SHORT

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"all by default: {', '.join(NAMES)}")
    parser.add_argument("--short", action="store_true", help=f"only {', '.join(SHORT)}, on little data: shows only that everything runs")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)), metavar="SEED", help="0 to 4; for the networks trained here")
    parser.add_argument("--shares", type=float, nargs="+", choices=SHARES, help="the shares of the multiplications to remove; all by default")
    parser.add_argument("--budgets", nargs="+", choices=BUDGETS)
    parser.add_argument("--methods", nargs="+", choices=METHODS)
    parser.add_argument("--redo", action="store_true", help="forget the chosen results, and make them anew")
    parser.add_argument("--out", type=Path, help="the folder for originals, data and models (build/pruning, with --short build/pruning/short)")
    parser.add_argument("--results", type=Path, help="the file of the results (docs/pruning/results.jsonl, with --short one in --out)")
    parser.add_argument("--page", type=Path, help="the page to write the report into (docs/pruning.md, with --short one in --out)")
    parser.add_argument("--command", type=Path, default=ROOT / "build/release/bin/actswap")
    options = parser.parse_args()
    if unknown := [name for name in options.networks if name not in NAMES]:
        parser.error(f"expected networks among {', '.join(NAMES)}, but found {', '.join(unknown)}")
    if not options.command.exists():
        parser.error(f"expected the command at {options.command}, but there is none; build it, or name it with --command")
    short = options.short
    options.networks = options.networks or (SHORT if short else NAMES)
    options.seeds = [0] if short else options.seeds
    options.shares = options.shares or ([0.5] if short else SHARES)
    options.budgets = options.budgets or (["none"] if short else BUDGETS)
    options.methods = options.methods or METHODS
    options.out = options.out or ROOT / ("build/pruning/short" if short else "build/pruning")
    options.results = options.results or (options.out if short else ROOT / "docs/pruning") / "results.jsonl"
    options.page = options.page or (options.out / "pruning.md" if short else ROOT / "docs/pruning.md")
    return options


def make_all(options: argparse.Namespace, results) -> int:
    """@returns how many cells failed"""
    from cells import Cells
    from common.process import Failed
    from methods import cells
    from subjects import find

    failed = 0
    for name in options.networks:
        try:
            network = find(name, options)
        except packages.Unavailable as error:
            print(f"run.py: {name} is left out: {error}", file=sys.stderr, flush=True)
            continue
        for seed in options.seeds if network.is_trained else options.seeds[:1]:
            made = Cells(network, seed, options, results)
            for cell in cells(network, seed, options):
                if cell in results.done():
                    continue
                begin = time.monotonic()
                try:
                    row = made.make(cell)
                except Failed as error:  # a peer's failure is a result as well
                    row = {"error": error.reason.removeprefix("error: ")}
                    failed += 1
                made.keep(cell, row, time.monotonic() - begin)
    return failed


def main() -> int:
    packages.enter_environment()
    import report
    from common.results import Results
    from methods import Cell, cells
    from subjects import find

    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.results, Cell.of)
    if options.short or options.redo:
        results.forget({cell for name in options.networks for seed in options.seeds for cell in cells(find(name, options), seed, options)})
    failed = make_all(options, results)
    report.write(results.rows, options.page)
    if failed:
        print(f"run.py: {failed} failed; --redo tries them again", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except packages.Unavailable as error:
        sys.exit(f"run.py: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
