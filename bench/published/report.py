"""Turns the results into tables, and puts them into a page between two marks."""

from pathlib import Path

from common.page import put, table
from methods import BY_COMMAND, CALIBRATED, LATENCY, ORIGINAL, PARTIAL, RIVALS, SWAP_ALONE, TIMED, TRAINED
from network import Metric
from networks import CASES, NETWORKS

NONE = ""
BUSY = 1.5  # programs that run or wait for each core


class Rows:
    """The results of one case, by method."""

    def __init__(self, rows: list, name: str):
        self.network, self.case = CASES[name]
        self.rows = {row["method"]: row for row in rows if row["network"] == name}

    def value(self, method: str, metric: Metric) -> float | None:
        return self.rows.get(method, {}).get("test", {}).get(metric.name)

    def shown(self, method: str, metric: Metric) -> str:
        value = self.value(method, metric)
        if value is not None:
            return f"{value:.{metric.digits}f}"
        return "failed" if "error" in self.rows.get(method, {}) else NONE

    def back(self, method: str, metric: Metric) -> str:
        """The share of the swap's loss that came back, in percent."""
        original, alone, value = (self.value(name, metric) for name in (ORIGINAL, SWAP_ALONE, method))
        if None in (original, alone, value) or original == alone:
            return NONE
        return f"{100 * (value - alone) / (original - alone):.0f} %"


def summary(cases: list) -> list:
    lines = []
    for rows in cases:
        metric, aims = rows.network.deciding(rows.case), rows.case.aims
        line = [rows.network.title, f"{rows.case.title}, {rows.rows.get(ORIGINAL, {}).get('sites', '?')} sites", metric.name, rows.shown(ORIGINAL, metric),
                rows.shown(SWAP_ALONE, metric)]  # fmt: skip
        for method in (CALIBRATED, TRAINED):
            line += [rows.shown(method, metric), rows.back(method, metric), aims.get(method, NONE)]
        lines.append([*line, rows.shown(PARTIAL, metric)])
    head = ["network", "replaced", "metric", "original", "swap alone", CALIBRATED, "back", "aim", TRAINED, "back", "aim", "partial, calibrated"]
    return ["## What was lost, and what came back", "", *table(head, lines)]


def one_case(rows: Rows) -> list:
    metrics = rows.network.metrics
    forward = rows.rows.get(ORIGINAL, {}).get("forward")
    lines = []
    for method in (ORIGINAL, *BY_COMMAND, *RIVALS):
        if row := rows.rows.get(method):
            values = [rows.shown(method, metric) for metric in metrics]
            if "error" in row:
                values = [row["error"].replace("|", "\\|"), *[NONE] * (len(metrics) - 1)]
            lines.append([title(method, row), *values, *cost(row, row.get("forward", forward))])
    names = [metric.name + (" (less is better)" if metric.less_is_better else "") for metric in metrics]
    head = ["", *names, "processor, s", "forward passes", "peak memory, MB"]
    return [f"### {rows.network.title}: {rows.case.title}", "", *table(head, lines), *latency(rows)]


def title(method: str, row: dict) -> str:
    notes = [f"{row['kept']} site{'' if row['kept'] == 1 else 's'} kept"] if "kept" in row else []
    if method in RIVALS and "rate" in row:
        notes.append(f"rate {row['rate']:g}, {row['steps']} steps")
    return (f"*{method}*" if method in RIVALS else method) + (f" ({'; '.join(notes)})" if notes else "")


def cost(row: dict, forward: float | None) -> list:
    """Processor seconds; the same in forward passes of the original over the calibration's inputs; memory."""
    if "processor" not in row:
        return [NONE] * 3
    seconds = row["processor"]
    return [f"{seconds:.0f}", f"{seconds / forward:.0f}" if forward else NONE, row["megabytes"]]


def latency(rows: Rows) -> list:
    lines = []
    for method in TIMED:
        for entry in rows.rows.get(LATENCY + method, {}).get("latency", []):
            where = [method, entry["runtime"], entry["threads"]]
            if "error" in entry:
                lines.append([*where, f"not measured: {entry['error']}".replace("|", "\\|"), NONE, NONE])
            else:
                lines.append([*where, f"{entry['original_ms']:.2f}", f"{entry['export_ms']:.2f}", f"{entry['ratio']:.2f}"])
    if not lines:
        return []
    examples = rows.network.timed
    return table(["export", "runtime", "threads", f"original, ms for {examples} examples", "export, ms", "ratio"], lines)


def licences() -> list:
    lines = [[network.title, f"{network.package.name} {network.package.version}", network.package.licence] for network in NETWORKS]
    return ["## Packages", "", *table(["network", "package", "licence"], lines)]


def made(rows: list) -> str:
    commits, threads, processors = (sorted({str(row[key]) for row in rows}) for key in ("commit", "threads", "processors"))
    text = f"Made at {', '.join(commits)}, with {', '.join(threads)} threads, on {', '.join(processors)} cores."
    busy = max(row["load"] / row["processors"] for row in rows)
    if busy > BUSY:
        text += f" Other programs took part of them (up to {busy:.0f} waited for each core): that distorts latency, and processor time somewhat."
    return text


def write(rows: list, page: Path) -> None:
    cases = [Rows(rows, name) for name in CASES if any(row["network"] == name for row in rows)]
    missing = [name for name in CASES if name not in {rows.case.name for rows in cases}]
    lines = [made(rows), ""] if rows else ["No results yet.", ""]
    if missing:
        lines += [f"Not run: {', '.join(missing)}.", ""]
    if cases:
        lines += summary(cases)
        lines += ["## Each network", "", *(line for rows in cases for line in one_case(rows))]
    page.parent.mkdir(parents=True, exist_ok=True)
    put(page, "bench/published/run.py", [*lines, *licences()])
