"""Turns the results into tables and plots, and puts them into a page between two marks."""

import math
from pathlib import Path
from statistics import mean, stdev

import plot
from common.page import put, table
from methods import ALL, AUTO, BUDGETS, CALIBRATION, CALIBRATIONS, FROM_START, GOAL_SEEDS, GOAL_TARGET, HIGH_RATE, JOINTLY, LONG, METHODS
from methods import LONGER_TASKS, ORDERS, RAMP, RATE, SEEDS, STUDY_TARGET, STUDY_TASKS, TARGETS, WHOLE_RATE
from tasks import TASKS

NAMES = {"accuracy": "accuracy, %", "nats": "nats per character (less is better)", "cosine": "cosine to the original's embedding"}
DIGITS = {"accuracy": 2, "nats": 4, "cosine": 4}
COLORS = {"hard": "#d55e00", "ramp": "#0072b2", "calibrated": "#009e73", "calibrated-ramp": "#cc79a7"}
AUTO_COLOR, AVERAGED_COLOR = "#000", "#777"
BY_ITSELF = f"With training data the command does *{AUTO}*."
DIFFERENCES = "A figure in points or nats is the swapped model's less its control's: in accuracy below 0 is worse, in nats above 0 is."
MAIN = {name: task for name, task in TASKS.items() if not task.only_study}
# Student's distribution, two-sided 95 %, by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
SHARE_GOAL = 97.0  # percent of the loss
GOALS = {("accuracy", "2 %"): 0.2, ("accuracy", "10 %"): 0.1, ("nats", "2 %"): 0.01, ("nats", "10 %"): 0.005}  # against the control


class Cells:
    """The results at one rate, by task, target, method and budget: each holds a row for each seed."""

    def __init__(self, rows: list, rate: float = RATE):
        self.rows, self.controls = {}, {}
        for row in rows:
            if row["rate"] != rate:
                continue
            self.rows.setdefault((row["task"], row["target"], row["method"], row["budget"]), {})[row["seed"]] = row
            if "control" in row:
                self.controls[row["task"], row["budget"], row["seed"]] = row["control"]

    def of(self, task: str, target: str, method: str, budget: str) -> dict:
        return self.rows.get((task, target, method, budget), {})

    def values(self, task: str, target: str, method: str, budget: str, key: str = "retargeted") -> list:
        return [row[key] for _, row in sorted(self.of(task, target, method, budget).items()) if key in row]

    def steps(self, task: str, budget: str) -> list:
        return sorted({row["steps"] for (name, _, _, at), rows in self.rows.items() if (name, at) == (task, budget) for row in rows.values()})

    def control(self, task: str, budget: str, row: dict) -> float | None:
        # Without training it is the original; so it is if the training learns the original's own outputs.
        return row["original"] if budget == "none" or TASKS[task].published else self.controls.get((task, budget, row["seed"]))

    def against_control(self, task: str, target: str, method: str, budget: str, key: str = "retargeted") -> list:
        rows = [row for _, row in sorted(self.of(task, target, method, budget).items())]
        pairs = [(row[key], self.control(task, budget, row)) for row in rows]
        return [value - control for value, control in pairs if control is not None]

    def against(self, task: str, target: str, budget: str, method: str, other: str) -> list:
        """The differences, paired over the seeds that both have."""
        ours, theirs = self.of(task, target, method, budget), self.of(task, target, other, budget)
        return [ours[seed]["retargeted"] - theirs[seed]["retargeted"] for seed in sorted(ours.keys() & theirs.keys())]


def half_interval(values: list) -> float:
    """The half-width of the mean's 95 % interval; infinite for a single value."""
    return STUDENT[len(values) - 1] * stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.inf


def is_zero_possible(values: list) -> bool:
    return len(values) > 1 and abs(mean(values)) <= half_interval(values)


def interval(values: list, digits: int) -> str:
    if not values:
        return "not run"
    return f"{mean(values):.{digits}f}" + (f" ± {half_interval(values):.{digits}f}" if len(values) > 1 else "")


def share(row: dict) -> float:
    return 100 * (row["calibrated"] - row["swap_alone"]) / (row["original"] - row["swap_alone"])


def without_training(cells: Cells) -> list:
    lines, left_out = [], {}
    for task, what in MAIN.items():
        for target in TARGETS:
            for method in CALIBRATIONS:
                rows = cells.of(task, target, method, "none")
                if not rows:
                    continue
                digits = DIGITS[what.metric]
                columns = [interval([row[key] for row in rows.values()], digits) for key in ("original", "swap_alone", "calibrated")]
                shares = [share(row) for row in rows.values()]
                fitted = " to ".join(str(count) for count in sorted({row["fitted"] for row in rows.values()}))
                lines.append([what.title, NAMES[what.metric], target, method, len(rows), *columns, interval(shares, 1), fitted,
                              f"{max(row['calibration_seconds'] for row in rows.values()):.0f}"])  # fmt: skip
                for row in rows.values():
                    left_out.update({(what.title, reason): None for reason in row["left_out"]})
    head = ["task", "metric", "to", "how", "seeds", "original", "swap alone", "calibrated", "share of the loss that comes back, %",
            "layers fitted", "seconds at most"]  # fmt: skip
    reasons = [f"- {title}: {reason}" for title, reason in left_out]
    return ["### Without training", "", *table(head, lines), "What was left out:", "", *(reasons or ["- nothing"]), ""]


def best_of(cells: Cells, task: str, target: str, budget: str) -> str | None:
    sign = -1 if TASKS[task].metric == "nats" else 1
    means = {method: sign * mean(values) for method in METHODS if (values := cells.values(task, target, method, budget))}
    return max(means, key=means.get) if means else None


def marked(cells: Cells, task: str, target: str, budget: str, method: str) -> str:
    text = interval(cells.values(task, target, method, budget), DIGITS[TASKS[task].metric])
    best = best_of(cells, task, target, budget)
    if text == "not run" or best is None:
        return text
    if method == best:
        return f"**{text}**"
    behind = cells.against(task, target, budget, method, best)
    return f"{text} ≈" if is_zero_possible(behind) else text


def with_training(cells: Cells, folder: str) -> list:
    if all(row["budget"] == "none" for rows in cells.rows.values() for row in rows.values()):
        return []
    lines = ["### With training", "", "**Bold** is the best mean; ≈ marks means that cannot be told from it (paired over the seeds, 95 %).", ""]
    for task, what in MAIN.items():
        budgets = [budget for budget in BUDGETS if budget != "none" and cells.steps(task, budget)]
        run = [target for target in TARGETS if any(cells.of(task, target, method, budget) for method in METHODS for budget in budgets)]
        if run:
            lines += [f"#### {what.title}", "", f"![{what.title}]({folder}/{task}.svg)", ""]
        for target in run:
            head, body = [f"to {target}: {NAMES[what.metric]}"], []
            for budget in budgets:
                head += [f"{budget}: {' or '.join(map(str, cells.steps(task, budget)))} steps", "against the control"]
            if what.metric == "accuracy":
                head.append(f"largest fall in a class, {budgets[-1]}")
            for method in METHODS:
                if not any(cells.of(task, target, method, budget) for budget in budgets):
                    continue
                columns = [method]
                for budget in budgets:
                    columns += [marked(cells, task, target, budget, method),
                                interval(cells.against_control(task, target, method, budget), DIGITS[what.metric])]  # fmt: skip
                if what.metric == "accuracy":
                    columns.append(interval(cells.values(task, target, method, budgets[-1], "largest_fall"), 1))
                body.append(columns)
            controls = [[value for (name, at, _), value in cells.controls.items() if (name, at) == (task, budget)] for budget in budgets]
            if not what.published:
                body.append(["control", *(part for values in controls for part in (interval(values, DIGITS[what.metric]), ""))])
                body[-1] += [""] * (len(head) - len(body[-1]))
            lines += table(head, body)
    return lines


def ramp_or_hard(cells: Cells, fast: Cells) -> list:
    lines = []
    for task, what in TASKS.items():
        sign = -1 if what.metric == "nats" else 1
        for target in TARGETS:
            for budget in [*BUDGETS, LONG]:
                for signal, of_rate, rate in [("labels", cells, RATE), ("distilled", cells, RATE), ("distilled", fast, HIGH_RATE)]:
                    gains = [sign * gain for gain in of_rate.against(task, target, budget, f"ramp, {signal}", f"hard, {signal}")]
                    if gains:
                        lines.append([what.title, target, budget, signal, rate, len(gains), interval(gains, DIGITS[what.metric]), verdict(gains)])
    if not lines:
        return []
    head = ["task", "to", "budget", "learnt from", "rate", "seeds", "gain of the ramp", "better"]
    return ["### Ramp or hard swap", "", "The gain of the ramp over the hard swap, paired over the seeds; positive is better, in nats as well. The rate is a "
            "share of the original's peak rate.", "", *table(head, lines), *orders(fast)]  # fmt: skip


def verdict(gains: list) -> str:
    if len(gains) < 2:
        return "one seed"
    return "not told apart" if is_zero_possible(gains) else "ramp" if mean(gains) > 0 else "hard swap"


def orders(fast: Cells) -> list:
    lines = []
    for task in STUDY_TASKS:
        for order in ORDERS:
            gains = fast.against(task, STUDY_TARGET, "10 %", order, RAMP)
            if gains:
                lines.append([TASKS[task].title, order, len(gains), interval(gains, 2), verdict(gains).replace("hard swap", "all at once")])
    if not lines:
        return []
    return [f"One site after another against all at once, to {STUDY_TARGET}, 10 %, at the rate {HIGH_RATE}:", "",
            *table(["task", "order", "seeds", "gain", "better"], lines)]  # fmt: skip


def recipe(cells: Cells) -> list:
    lines = []
    for task, what in MAIN.items():
        for target in TARGETS:
            for budget in BUDGETS:
                best = best_of(cells, task, target, budget)
                mine = cells.values(task, target, AUTO, budget)
                if budget == "none" or best is None or not mine:
                    continue
                behind = cells.against(task, target, budget, AUTO, best)
                found = "best" if best == AUTO or not any(behind) else "not told apart" if is_zero_possible(behind) else "no"
                lines.append([what.title, target, budget, interval(mine, DIGITS[what.metric]), best, interval(behind, DIGITS[what.metric]), found])
    if not lines:
        return []
    head = ["task", "to", "budget", "by itself", "best mean", "difference to it, paired", "best"]
    return ["### What the command does by itself", "", BY_ITSELF + " Without training data it only calibrates.", "", *table(head, lines)]


def shares_of_loss(cells: Cells, task: str) -> list:
    return [share(row) for _, row in sorted(cells.of(task, GOAL_TARGET, JOINTLY, "none").items())]


def goals(parts: list) -> list:
    """The goals for these parts of the seeds; the last part is all of them, and decides."""
    lines = []
    for task, what in MAIN.items():
        found = [shares_of_loss(cells, task) for cells in parts]
        if found[-1]:
            lines.append([what.title, "none", f"at least {SHARE_GOAL:.0f} % of the loss back", *(f"{mean(part):.1f} %" if part else "" for part in found),
                          "yes" if mean(found[-1]) >= SHARE_GOAL else "no"])  # fmt: skip
        for budget in BUDGETS:
            bound = GOALS.get((what.metric, budget))
            found = [cells.against_control(task, GOAL_TARGET, AUTO, budget) for cells in parts]
            if bound is None or not found[-1]:
                continue
            worse = mean(found[-1]) * (1 if what.metric == "nats" else -1)
            same = [", not told apart from it" if is_zero_possible(part) else "" for part in found]
            columns = [interval(part, DIGITS[what.metric]) + text if part else "" for part, text in zip(found, same, strict=True)]
            lines.append([what.title, budget, f"at most {bound} worse than the control", *columns, "yes" if worse <= bound else "no"])
    head = ["task", "budget", "goal", f"seeds 0 to {SEEDS - 1}", f"seeds {SEEDS} to {GOAL_SEEDS - 1}", "all of them", "met by all"]
    return ["### The goals", "", f"To {GOAL_TARGET}. {BY_ITSELF} {DIFFERENCES}", "", *table(head, lines)]


def how_much_longer(cells: Cells) -> list:
    """What more steps gain, for the seeds that have them."""
    lines = []
    for task in LONGER_TASKS:
        rows = {budget: cells.of(task, GOAL_TARGET, AUTO, budget) for budget in ("10 %", LONG)}
        for budget, control in (("10 %", "10 %"), (LONG, LONG), (LONG, "10 %")):
            pairs = [(row["retargeted"], cells.control(task, control, row)) for seed, row in sorted(rows[budget].items()) if seed in rows[LONG]]
            found = [value - other for value, other in pairs if other is not None]
            if found:
                lines.append([TASKS[task].title, GOAL_TARGET, len(found), budget, control, interval(found, DIGITS[TASKS[task].metric]),
                              "no" if is_zero_possible(found) else "yes"])  # fmt: skip
    if not lines:
        return []
    return ["### More steps", "", "The command's own recipe against controls with the same number of steps and with fewer, paired over the seeds.", "",
            *table(["task", "to", "seeds", "its budget", "the control's", "difference", "told apart"], lines)]  # fmt: skip


def whether_it_pays(cells: Cells, whole: Cells) -> list:
    """The comparison with the cheap activation from the start."""
    lines = []
    for task, what in MAIN.items():
        digits = DIGITS[what.metric]
        for target in TARGETS:
            rows = whole.of(task, target, FROM_START, ALL)
            if not rows:
                continue
            sign = -1 if what.metric == "nats" else 1
            columns = [interval([row[key] for row in rows.values()], digits) for key in ("retargeted", "original")]
            columns.append(interval([sign * (row["original"] - row["retargeted"]) for row in rows.values()], digits))
            for method, budget in ((JOINTLY, "none"), (AUTO, "2 %"), (AUTO, "10 %")):
                ours = cells.of(task, target, method, budget)
                gains = [sign * (ours[seed]["retargeted"] - rows[seed]["retargeted"]) for seed in sorted(ours.keys() & rows.keys())]
                columns.append(interval(gains, digits))
            lines.append([what.title, NAMES[what.metric].split(" (")[0], target, len(rows), *columns])
    if not lines:
        return []
    head = ["task", "metric", "with", "seeds", "from the start", "original", "the original gains", "retargeted without training", "2 %", "10 %"]
    return ["### The cheap function from the start", "", "The same network with the cheap function, trained like the original: from the same weights, "
            "in the same order, for as long. The last four columns show the gain over it, paired over the seeds; positive is better, in nats as well. "
            "2 % and 10 % are what the command does by itself, after all of the original's training.", "", *table(head, lines)]  # fmt: skip


def color_of(method: str) -> str:
    if method == AUTO:
        return AUTO_COLOR
    return AVERAGED_COLOR if method.endswith("averaged") else COLORS[METHODS[method].recipe]


def picture(cells: Cells, task: str) -> str:
    panels, shown = {}, []
    for target in TARGETS:
        panels[f"to {target}"] = []
        for method, how in METHODS.items():
            if method in CALIBRATIONS or not how.suits(TASKS[task]):
                continue
            points = []
            for budget in BUDGETS:
                # Before training: the calibrated model, or the swap alone.
                at, key = (how.calibration, "calibrated" if how.calibrated else "swap_alone") if budget == "none" else (method, "retargeted")
                values = cells.against_control(task, target, at, budget, key)
                point = (mean(values), half_interval(values) if len(values) > 1 else 0.0) if values else None
                points.append(point)
                if point and key != "swap_alone":
                    shown.append(point)
            if any(points[1:]):  # not a calibration alone
                panels[f"to {target}"].append(plot.Series(method, color_of(method), how.learns == "labels", points))
    low, high = min(mean - half for mean, half in shown), max(mean + half for mean, half in shown)
    low, high = min(low, 0), max(high, 0)
    margin = 0.06 * (high - low or 1)
    title = f"{NAMES[TASKS[task].metric].split(' (')[0]}, difference to the control"
    return plot.svg(title, panels, list(BUDGETS), (low - margin, high + margin))


def write(rows: list, page: Path) -> None:
    first, rest = [row for row in rows if row["seed"] < SEEDS], [row for row in rows if row["seed"] >= SEEDS]
    cells, fast = Cells(first), Cells(first, HIGH_RATE)
    folder = page.with_suffix("")
    folder.mkdir(parents=True, exist_ok=True)
    for task in dict.fromkeys(row["task"] for row in first if row["task"] in MAIN):
        (folder / f"{task}.svg").write_text(picture(cells, task))
    seeds = sorted({row["seed"] for row in first})
    intro = f"Seeds: {', '.join(map(str, seeds))}; for the goals also those named there. ± is the 95 % interval of the mean by Student's t over the seeds; a figure without it is of one seed."
    lines = [intro, "", *goals([cells, Cells(rest), Cells(rows)]), *without_training(cells), *with_training(cells, folder.name), *recipe(cells),
             *how_much_longer(Cells(rows)), *whether_it_pays(cells, Cells(first, WHOLE_RATE)), *ramp_or_hard(cells, fast)]  # fmt: skip
    put(page, "bench/recovery/run.py", lines)
