#!/usr/bin/env python3
"""Writes the results that README.md shows: its two tables and its picture (docs/front.svg). Also writes docs/payoff.md.

    bench/published/front_page.py [--check]

It measures nothing; with --check it writes nothing either, and says which files are out of date. The results are
docs/published/results.jsonl (bench/published/run.py) and docs/payoff/results.jsonl (bench/payoff/run.py); both scripts end by calling
this one.
"""

import json
import sys
from pathlib import Path

import packages

ROOT = packages.ROOT
SCRIPT = "bench/published/front_page.py"
RUNTIMES = ("plain", "optimized", "ONNX Runtime")  # of README
TITLES = {"plain": "LibTorch", "frozen": "LibTorch, frozen", "optimized": "LibTorch, optimized", "ONNX Runtime": "ONNX Runtime"}
TO_RELU = "to ReLU"


def read(path: str) -> list:
    file = ROOT / path
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def short(title: str) -> str:
    """ "NudeNet's YOLOv8n, detector, 3.0M" without the size."""
    return title.rsplit(", ", 1)[0]


def cases(rows: list) -> list:
    """The swaps to ReLU that have a calibrated result."""
    from methods import CALIBRATED
    from networks import CASES
    from report import Rows

    found = [Rows(rows, name) for name, (_network, case) in CASES.items() if TO_RELU in case.title]
    return [each for each in found if each.value(CALIBRATED, each.network.deciding(each.case)) is not None]


def published_table(found: list) -> list:
    from common.page import table
    from methods import CALIBRATED, ORIGINAL, SWAP_ALONE, TRAINED

    methods = [ORIGINAL, SWAP_ALONE, CALIBRATED]
    if any(TRAINED in each.rows for each in found):
        methods.append(TRAINED)
    lines = []
    for each in found:
        metric = each.network.deciding(each.case)
        name = f"{short(each.network.title)}: {each.case.title.removesuffix(' ' + TO_RELU)}"
        lines.append([name, metric.name + (" (less is better)" if metric.less_is_better else ""), *(each.shown(method, metric) for method in methods)])
    return table(["network, activation", "measure", *methods], lines)


def ratio(entry: dict) -> str:
    if "error" in entry:
        return "not converted"
    low, high = entry.get("interval", (None, None))
    return f"{entry['ratio']:.2f}" + (f" ({low:.2f} to {high:.2f})" if low is not None else "")


def payoff_table(rows: list, runtimes: tuple) -> list:
    from common.page import table

    return table(["network", *(TITLES[name] for name in runtimes)], [[row["network"], *(ratio(row["runtimes"][name]) for name in runtimes)] for row in rows])


def payoff_page(rows: list) -> str:
    if not rows:
        raise SystemExit(f"{SCRIPT}: there are no results in docs/payoff; run bench/payoff/run.py")
    processors, loads, commits = ({str(row[key]) for row in rows} for key in ("processors", "load", "commit"))
    priority = ", but the measurement had a processor to itself (`chrt -f`)" if all(row["realtime"] for row in rows) else ""
    return "\n".join(
        [
            "# When a swap pays",
            "",
            "The time of a forward pass after a swap to ReLU, as a share of the original's: 0.80 means that the export takes 80 % of that time. Brackets",
            "hold the 95 % interval of the ratio, over rounds in which both files ran one right after the other. One thread, one image of 3 x 224 x 224,",
            "float32. *Frozen* is `torch.jit.freeze`, *optimized* `torch.jit.optimize_for_inference`; for *ONNX Runtime* PyTorch's exporter converts",
            "both files. `actswap inspect model.pt --input 1x3x224x224 --pays` measures the same for your model.",
            "",
            f"`{SCRIPT}` writes this page from `docs/payoff/results.jsonl`, which `bench/payoff/run.py` measures. {', '.join(sorted(processors))} cores; the",
            f"load was {' to '.join([min(loads, key=float), max(loads, key=float)])}{priority}. Made at {', '.join(sorted(commits))}.",
            "",
            *payoff_table(rows, tuple(TITLES)),
        ]
    )


def pages() -> dict:
    """The text of each page, by its path."""
    from common.page import replaced

    import picture

    found, rows = cases(read("docs/published/results.jsonl")), read("docs/payoff/results.jsonl")
    readme = ROOT / "README.md"
    text = replaced(readme.read_text(), readme, SCRIPT, published_table(found), part="networks")
    return {
        readme: replaced(text, readme, SCRIPT, payoff_table(rows, RUNTIMES), part="time"),
        ROOT / "docs/payoff.md": payoff_page(rows),
        ROOT / "docs/front.svg": picture.svg(picture.recoveries(found), picture.times(found, rows)),
    }


def write() -> None:
    for page, text in pages().items():
        page.write_text(text)


def check() -> None:
    """@throws SystemExit if a page does not match the results"""
    old = [str(page.relative_to(ROOT)) for page, text in pages().items() if not page.exists() or page.read_text() != text]
    if old:
        raise SystemExit(f"{SCRIPT}: {', '.join(old)}: not what the results say; run {SCRIPT}")


if __name__ == "__main__":
    is_check = "--check" in sys.argv[1:]
    if not is_check:  # a test has an environment
        packages.enter_environment()
    sys.path.append(str(ROOT / "bench"))
    check() if is_check else write()
