#!/usr/bin/env python3
"""Measures what published networks lose by a swap, and what calibration, training, and other people's recipes in the same time recover.

    bench/published/run.py [NETWORK...]

For each network the script fetches the package with the weights, makes a TorchScript file and inputs without labels (networks/), retargets
the file in every way (methods.py), judges the outputs in PyTorch alone, and writes tables into docs/published.md (report.py) and README.md
(front_page.py). Each result is a line of docs/published/results.jsonl, with the commit at which it was made. The script does not repeat
results, so Ctrl-C loses only what is running; --redo repeats them. Weights, pictures and models stay in build/.

Ends with exit code 77 if it cannot get the packages of any network.
"""

import argparse
import signal
import sys
from pathlib import Path

import packages

ROOT = packages.ROOT
UNAVAILABLE = 77  # as ctest's SKIP_RETURN_CODE


def read_options() -> argparse.Namespace:
    from methods import METHODS, SHORT_METHODS
    from networks import CASES, QUICKEST

    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=f"all by default: {', '.join(CASES)}")
    parser.add_argument("--short", action="store_true", help=f"only {QUICKEST}, on little data: shows that everything runs and that calibration helps")
    parser.add_argument("--methods", nargs="+", choices=METHODS, metavar="METHOD", help=f"all by default: {'; '.join(METHODS)}")
    parser.add_argument("--redo", action="store_true", help="forget the chosen results, and make them anew")
    parser.add_argument("--threads", type=int, default=2, help="for the command and the rivals")
    parser.add_argument("--out", type=Path, default=ROOT / "build/published", help="the folder for weights, inputs and models")
    parser.add_argument("--results", type=Path, help="the file of the results (docs/published/results.jsonl, with --short one in --out)")
    parser.add_argument("--page", type=Path, help="the page to write the report into (docs/published.md, with --short one in --out)")
    parser.add_argument("--command", type=Path, default=ROOT / "build/release/bin/actswap")
    options = parser.parse_args()
    if unknown := [name for name in options.networks if name not in CASES]:
        parser.error(f"expected networks among {', '.join(CASES)}, but found {', '.join(unknown)}")
    if not options.command.exists():
        parser.error(f"expected the command at {options.command}, but there is none; build it, or name it with --command")
    options.networks = options.networks or ([QUICKEST] if options.short else list(CASES))
    options.methods = options.methods or (SHORT_METHODS if options.short else METHODS)
    options.results = options.results or (options.out / "short/results.jsonl" if options.short else ROOT / "docs/published/results.jsonl")
    options.page = options.page or (options.out / "short/published.md" if options.short else ROOT / "docs/published.md")
    return options


def one_network(name: str, options: argparse.Namespace, results) -> int:
    """@returns how many cells failed"""
    from cells import Cells
    from common.process import Failed

    wanted = [method for method in options.methods if (name, method) not in results.done()]
    if not wanted:
        return 0
    cells, failed = Cells(name, options, results), 0
    for method in wanted:
        try:
            row = cells.make(method)
        except Failed as error:  # a refusal by the command is a result as well
            row = {"error": error.reason.removeprefix("error: "), "exit_code": error.code}
            failed += 1
            print(f"run.py: {name}, {method}: {error}", file=sys.stderr, flush=True)
        cells.keep(method, row)
    return failed


def check_short(name: str, results) -> list:
    """@returns what is wrong with the short version's results"""
    from methods import CALIBRATED, SWAP_ALONE
    from networks import CASES

    network, case = CASES[name]
    metric = network.deciding(case)
    values = [(results.find((name, method)) or {}).get("test", {}).get(metric.name) for method in (SWAP_ALONE, CALIBRATED)]
    if None in values:
        return [f"{name}: expected the {metric.name} of a swap alone and of a calibration, but found {values}"]
    alone, calibrated = values
    halved = calibrated < alone / 2 if metric.less_is_better else calibrated > alone
    return [] if halved else [f"{name}: expected calibration to improve the {metric.name} of a swap alone, {alone}, clearly, but found {calibrated}"]


def main() -> int:
    packages.enter_environment()
    sys.path.append(str(ROOT / "bench"))
    import front_page
    import report
    from common.results import Results

    options = read_options()
    results = Results(options.results, lambda row: (row["network"], row["method"]))
    if options.short or options.redo:
        results.forget({(name, method) for name in options.networks for method in options.methods})
    failed, missing = 0, []
    for name in options.networks:
        try:
            failed += one_network(name, options, results)
        except packages.Unavailable as error:
            missing.append(name)
            print(f"run.py: {name} is left out: {error}", file=sys.stderr, flush=True)
    report.write(results.rows, options.page)
    if not options.short:
        front_page.write()
    if options.short and not missing:
        for problem in (problems := [problem for name in options.networks for problem in check_short(name, results)]):
            print(f"run.py: {problem}", file=sys.stderr)
        failed += len(problems)
    if missing:
        print(f"run.py: left out because their packages cannot be had: {', '.join(missing)}", file=sys.stderr)
    if failed:
        print(f"run.py: {failed} failed; --redo tries them again", file=sys.stderr)
        return 1
    return UNAVAILABLE if len(missing) == len(options.networks) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except packages.Unavailable as error:
        print(f"run.py: {error}", file=sys.stderr)
        sys.exit(UNAVAILABLE)
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
