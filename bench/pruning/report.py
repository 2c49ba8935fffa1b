"""Turns the results into tables and plots, and puts them into docs/pruning.md between two marks."""

import itertools
import math
import sys
from pathlib import Path
from statistics import mean, stdev

import plot
from common.page import put, table
from methods import BUDGETS, FADED, FROM_START, MAGNITUDE, PEERS, PRUNED, ROUNDED, SHARES, TIMED, TORCH_PRUNING, UNPRUNED
from networks import CASES
from subjects import QUICKSTART
from tasks import TASKS

SCRIPT = "bench/pruning/run.py"
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776}  # two-sided 95 %, by degrees of freedom
SOLVED, JOINT = "least squares alone", "pruned"  # by the command: solves for the layers; then also fits them together
LINES = (JOINT, ROUNDED, FADED, SOLVED, *PEERS)
COLORS = {JOINT: "#009e73", ROUNDED: "#56b4e9", FADED: "#e69f00", SOLVED: "#0072b2", MAGNITUDE: "#d55e00", TORCH_PRUNING: "#cc79a7", FROM_START: "#777"}
AIMS = {("accuracy", 0.3): 0.2, ("accuracy", 0.5): 0.5, ("nats", 0.3): 0.004, ("nats", 0.5): 0.01}  # behind the unpruned model, without training
AIM_COSINE = 0.985  # of encoders at 50 %, without training
ROUNDING = 1e-9  # 91.12 - 90.92 is more than 0.2 for a computer
AIM_TRAINED = 0.1  # points behind the control at 50 %, after 10 % of the steps
AIM_LATENCY = 0.65  # of the unpruned export, at 50 %, in ONNX Runtime on 2 threads


class Rows:
    def __init__(self, rows: list):
        self.rows = {}
        for row in rows:
            self.rows.setdefault((row["network"], row["method"], row["share"], row["budget"]), {})[row["seed"]] = row

    def names(self) -> list:
        order = [QUICKSTART, *TASKS, *CASES]
        return sorted({name for name, *_ in self.rows}, key=order.index)

    def of(self, name: str, method: str, share: float, budget: str) -> dict:
        return self.rows.get((name, method, share, budget), {})

    def values(self, name: str, method: str, share: float, budget: str, key: str = "value") -> dict:
        return {seed: row[key] for seed, row in self.of(name, method, share, budget).items() if key in row}

    def figures(self, name: str, method: str, share: float, budget: str) -> dict:
        """The figures of a line of the table, by seed."""
        if method == SOLVED:
            return self.values(name, PRUNED, share, "none", "after_pruning") if budget == "none" else {}
        return self.values(name, PRUNED if method == JOINT else method, share, budget)

    def behind(self, name: str, method: str, share: float, budget: str, against: dict) -> list:
        """By how much a method is worse than `against`, paired over the seeds; positive is worse."""
        ours, sign = self.figures(name, method, share, budget), 1 if less_is_better(name) else -1
        return [sign * (ours[seed] - against[seed]) for seed in sorted(ours.keys() & against.keys())]


def metric_of(name: str) -> str:
    if name in CASES:
        network, case = CASES[name]
        return network.deciding(case).name
    return "accuracy" if name == QUICKSTART else TASKS[name].metric


def less_is_better(name: str) -> bool:
    if name in CASES:
        network, case = CASES[name]
        return network.deciding(case).less_is_better
    return metric_of(name) == "nats"


def digits(name: str) -> int:
    return 4 if metric_of(name) in ("nats", "cosine") else 2


def title(name: str) -> str:
    return "The quickstart's network, Mish" if name == QUICKSTART else TASKS[name].title if name in TASKS else CASES[name][0].title


def half(values: list) -> float:
    return STUDENT[len(values) - 1] * stdev(values) / math.sqrt(len(values)) if 1 < len(values) <= len(STUDENT) + 1 else 0.0


def interval(values: list, places: int) -> str:
    if not values:
        return "not run"
    return f"{mean(values):.{places}f}" + (f" ± {half(values):.{places}f}" if len(values) > 1 else "")


def accuracy_tables(rows: Rows, folder: str) -> list:
    lines = []
    for name in rows.names():
        places = digits(name)
        unpruned = {budget: rows.values(name, UNPRUNED, 0.0, budget) for budget in BUDGETS}
        budgets = [budget for budget in BUDGETS if unpruned[budget]]
        if not budgets:
            continue
        head = [f"{metric_of(name)}{', less is better' if less_is_better(name) else ''}", "multiplications that stay", "seeds"]
        for budget in budgets:
            head += ["no training" if budget == "none" else f"{budget} of the steps", "behind"]
        body = [["unpruned", "100 %", len(unpruned[budgets[0]]), *(cell for budget in budgets for cell in (interval(list(unpruned[budget].values()), places), ""))]]
        for share in SHARES:
            for method in LINES:
                if any(rows.figures(name, method, share, budget) for budget in budgets):
                    body.append(line_of(rows, name, method, share, budgets, unpruned))
            if start := rows.values(name, FROM_START, share, "all"):
                body.append([f"{FROM_START}, all steps", left(rows, name, share), len(start), interval(list(start.values()), places), *[""] * (2 * len(budgets) - 1)])
        lines += [f"#### {title(name)}", "", f"![{title(name)}]({folder}/{name}.svg)", "", *table(head, body)]
    return lines


def left(rows: Rows, name: str, share: float, method: str = PRUNED) -> str:
    """The share that stays, of the multiplications of what can be pruned. FADED removes the same units as PRUNED."""
    sizes = []
    for row in rows.of(name, method if method in (ROUNDED, *PEERS) else PRUNED, share, "none").values():
        if "multiplications" in row:
            sizes.append(row["multiplications"]["after"] / row["multiplications"]["before"])
        elif "left" in row:
            sizes.append(row["left"])
    return f"{100 * mean(sizes):.0f} %" if sizes else ""


def line_of(rows: Rows, name: str, method: str, share: float, budgets: list, unpruned: dict) -> list:
    found = [rows.figures(name, method, share, budget) for budget in budgets]
    cells = [f"{method}, {100 * share:.0f} %", left(rows, name, share, method), max(map(len, found))]
    for budget, values in zip(budgets, found, strict=True):
        failed = [row["error"] for row in rows.of(name, method, share, budget).values() if "error" in row]
        cells += [failed[0][:120] if failed and not values else interval(list(values.values()), digits(name)) if values else "",
                  interval(rows.behind(name, method, share, budget, unpruned[budget]), digits(name)) if values else ""]  # fmt: skip
    return cells


def verdict(values: list, aim: float) -> str:
    return "met" if mean(values) <= aim + ROUNDING else "**missed**"


def aims(rows: Rows) -> list:
    body = []
    for name in rows.names():
        for share in SHARES:
            if (aim := AIMS.get((metric_of(name), share))) and (values := rows.behind(name, JOINT, share, "none", rows.values(name, UNPRUNED, 0.0, "none"))):
                body.append([title(name), f"{100 * share:.0f} %, no training: behind the unpruned model", aim, interval(values, digits(name)), verdict(values, aim)])
        if metric_of(name) == "cosine" and (values := list(rows.figures(name, JOINT, 0.5, "none").values())):
            short = [AIM_COSINE - value for value in values]
            body.append([title(name), "50 %, no training: cosine", f"at least {AIM_COSINE}", interval(values, digits(name)), verdict(short, 0.0)])
        control = rows.values(name, UNPRUNED, 0.0, "10 %", "control")
        if metric_of(name) == "accuracy" and (values := rows.behind(name, JOINT, 0.5, "10 %", control)):
            body.append([title(name), "50 %, 10 % of the steps: behind the control", AIM_TRAINED, interval(values, 2), verdict(values, AIM_TRAINED)])
        body += latency_aims(rows, name)
        times = [(row["pruning_seconds"], row["calibration_seconds"]) for share in SHARES for row in rows.of(name, PRUNED, share, "none").values()
                 if "pruning_seconds" in row]  # fmt: skip
        if times:
            worst = max(pruning / max(1e-9, calibration) for pruning, calibration in times)
            body.append([title(name), "time of pruning without the fit, of the calibration's", 1, f"{worst:.2f}", verdict([worst], 1)])
        body += peers_beaten(rows, name)
    return ["### The aims", "", *table(["network", "aim", "at most", "found", ""], body)] if body else []


def latency_aims(rows: Rows, name: str) -> list:
    body = []
    for method, latency_of in TIMED.items():
        for row in rows.of(name, latency_of, 0.5, "none").values():
            for timed in row.get("latency", []):
                if timed["runtime"] == "ONNX Runtime" and timed["threads"] == 2 and "ratio" in timed:
                    body.append([title(name), f"{method}, 50 %: latency in ONNX Runtime, 2 threads", AIM_LATENCY, timed["ratio"], verdict([timed["ratio"]], AIM_LATENCY)])
    return body


def peers_beaten(rows: Rows, name: str) -> list:
    worse = []
    compared = 0
    for share in SHARES:
        for budget in BUDGETS:
            ours = rows.figures(name, JOINT, share, budget)
            for peer in (SOLVED, *PEERS):
                if gains := rows.behind(name, peer, share, budget, ours):
                    compared += 1
                    worse += [f"{peer}, {100 * share:.0f} %, {budget}"] if mean(gains) <= 0 else []
        start, trained = rows.values(name, FROM_START, share, "all"), rows.figures(name, JOINT, share, "10 %")
        if start.keys() & trained.keys():
            compared += 1
            worse += [f"{FROM_START}, {100 * share:.0f} %"] if mean(rows.behind(name, FROM_START, share, "all", trained)) <= 0 else []
    if not compared:
        return []
    return [[title(name), f"peers that are not beaten, of {compared} comparisons", 0, "; ".join(worse) or 0, verdict([len(worse)], 0)]]


def latency(rows: Rows) -> list:
    body = []
    for name in rows.names():
        for (method, latency_of), share in itertools.product(TIMED.items(), SHARES):
            for timed in (entry for row in rows.of(name, latency_of, share, "none").values() for entry in row.get("latency", [])):
                figures = [f"{timed[f'{which}_ms']:.2f}" for which in ("original", "export")] + [timed["ratio"]] if "ratio" in timed else ["", "", timed["error"]]
                body.append([title(name), f"{method}, {100 * share:.0f} %", left(rows, name, share, method), timed["runtime"], timed["threads"], *figures])
    head = ["network", "pruned", "multiplications that stay", "runtime", "threads", "unpruned, ms", "pruned, ms", "ratio"]
    return ["### Latency", "", *table(head, body)] if body else []


def plots(rows: Rows, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    steps = [f"{100 * share:.0f} %" for share in SHARES]
    for name in rows.names():
        panels, heights = {}, []
        for budget in BUDGETS:
            unpruned = rows.values(name, UNPRUNED, 0.0, budget)
            lines = []
            for method in LINES:
                behind = [rows.behind(name, method, share, budget, unpruned) for share in SHARES]
                if any(behind):
                    lines.append(plot.Series(method, COLORS[method], method != JOINT, [(mean(values), half(values)) if values else None for values in behind]))
                    heights += [mean(values) for values in behind if values and method in (JOINT, SOLVED)]
            if lines:
                panels["no training" if budget == "none" else f"{budget} of the steps"] = lines
        if panels:
            top = 1.5 * max(*heights, 0.1 if digits(name) == 2 else 0.002)
            text = plot.svg(f"{metric_of(name)} lost against the unpruned model", panels, steps, (min(0.0, *heights) - 0.05 * top, top))
            (folder / f"{name}.svg").write_text(text)


def write(results: list, page: Path) -> None:
    rows = Rows(results)
    if not results:
        print("run.py: there are no results to report", file=sys.stderr)
        return
    folder = page.with_suffix("")
    plots(rows, folder)
    commits = sorted({row["commit"] for row in results})
    lines = [f"Made by `{SCRIPT}` at {', '.join(commits)}. *Behind* is how much worse than the unpruned retargeted model with the same budget, paired over the",
             "seeds; ± is a 95 % interval of the mean.", "", *aims(rows), "### By network", "",
             *accuracy_tables(rows, folder.name), *latency(rows)]  # fmt: skip
    put(page, SCRIPT, lines)
