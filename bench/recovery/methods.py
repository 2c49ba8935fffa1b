"""How the benchmark retargets a model: the methods, the budgets, and the command's arguments for each."""

import math
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from tasks import Task

# The seeds of everything, and of the cells that the goals compare on accuracy. Nothing was chosen on the last five.
SEEDS, GOAL_SEEDS = 5, 10
GOAL_TARGET = "relu"
TARGETS = ["relu", "hard_mish"]
BUDGETS = {"none": 0.0, "2 %": 0.02, "10 %": 0.1}  # share of the original's steps
RATE = 0.1  # of the original's peak learning rate


# Without a budget there are only these; on the way the command also measures the swap alone.
CALIBRATION, JOINTLY = "calibrated", "jointly calibrated"
CALIBRATIONS = [CALIBRATION, JOINTLY]
AUTO = f"{JOINTLY}, layers, averaged"  # what the command does by default if it has training data


@dataclass(frozen=True)
class Method:
    recipe: str  # the command's
    # "outputs": those of the original; "labels"; "both": their sum, weighted as the command does by default; "layers": the outputs of the
    # original's layers as well, and labels if there are any, with the command's default weights and rate.
    learns: str = "outputs"
    options: tuple = ("--average", 0)  # the command's, for its training
    jointly: bool = False  # the calibration ends with a fit of all layers together, and batch norms keep their statistics
    draw: str = "once"  # which inputs the passes of that fit see: the command's --calibrate-draw

    @property
    def calibrated(self) -> bool:
        return self.recipe.startswith("calibrated")

    @property
    def calibration(self) -> str:
        """The method without a budget that begins like this one."""
        return JOINTLY if self.jointly else CALIBRATION

    def suits(self, task: Task) -> bool:
        return not task.published or self.learns in ("outputs", "layers")


METHODS = {
    CALIBRATION: Method("calibrated"),
    "hard, labels": Method("hard", learns="labels"),
    "ramp, labels": Method("ramp", learns="labels"),
    "calibrated, labels": Method("calibrated", learns="labels"),
    "calibrated ramp, labels": Method("calibrated-ramp", learns="labels"),
    "hard, distilled": Method("hard"),
    "ramp, distilled": Method("ramp"),
    "calibrated, distilled": Method("calibrated"),
    "calibrated ramp, distilled": Method("calibrated-ramp"),
    "calibrated, distilled, averaged": Method("calibrated", options=("--average", 0.95)),
    "calibrated, both, averaged": Method("calibrated", learns="both", options=("--average", 0.95)),
    JOINTLY: Method("calibrated", jointly=True),
    f"{JOINTLY}, both, averaged": Method("calibrated", learns="both", options=("--average", 0.95), jointly=True),
    AUTO: Method("calibrated", learns="layers", options=("--average", 0.95), jointly=True, draw="auto"),
}
# The control, the original trained further with labels, has no target: it is made once, beside this method.
WITH_CONTROL = ("hard, labels", GOAL_TARGET)

# Where does a ramp pay? With longer budgets, higher rates, a deeper net without normalisation, another order of the sites?
LONG = "30 %"
HIGH_RATE = 0.4
ORDERS = {
    "ramp forward, distilled": Method("ramp", options=("--average", 0, "--order", "forward")),
    "ramp backward, distilled": Method("ramp", options=("--average", 0, "--order", "backward")),
}
STUDY_TASKS = ["residual", "deep"]
STUDY_TARGET = "relu"
LONGER_TASKS = ["efficientnet"]
HARD, RAMP = "hard, distilled", "ramp, distilled"

# Was the expensive activation worth it? The same network with the cheap one, trained like the original: all its steps, at its rate.
FROM_START = "from the start"
ALL = "all"
WHOLE_RATE = 1.0


@dataclass(frozen=True)
class Cell:
    task: str
    seed: int
    target: str
    method: str
    budget: str
    rate: float = RATE

    @classmethod
    def of(cls, row: dict) -> "Cell":
        return cls(*(row[field.name] for field in fields(cls)))

    def __str__(self) -> str:
        task, seed, target, method, budget, rate = astuple(self)
        return f"{task}, seed {seed}, {target}, {method}, budget {budget}, rate {rate}"


def find_method(name: str) -> Method:
    return METHODS.get(name) or ORDERS[name]


def cells(tasks: dict, seed: int) -> list:
    found = []
    for name, task in tasks.items():
        if task.only_study:
            continue
        for target in TARGETS:
            for budget in BUDGETS:
                for method, what in METHODS.items():
                    if (method in CALIBRATIONS) == (budget == "none") and what.suits(task):
                        found.append(Cell(name, seed, target, method, budget))
    return found


def goal_cells(tasks: dict, seed: int) -> list:
    compared = {JOINTLY, AUTO, WITH_CONTROL[0]}
    accurate = {name: task for name, task in tasks.items() if task.metric == "accuracy"}
    return [cell for cell in cells(accurate, seed) if cell.target == GOAL_TARGET and cell.method in compared]


def longer(tasks: dict, seed: int) -> list:
    """Does the network that misses its goal reach it with more steps?"""
    return [Cell(name, seed, GOAL_TARGET, method, LONG) for name in LONGER_TASKS if name in tasks for method in (WITH_CONTROL[0], AUTO)]


def from_start(tasks: dict, seed: int) -> list:
    return [Cell(name, seed, STUDY_TARGET, FROM_START, ALL, WHOLE_RATE) for name, task in tasks.items() if not task.published and not task.only_study]


def study(tasks: dict, seed: int) -> list:
    """The cells on where a ramp pays that the main table does not have."""
    found = []
    for name in STUDY_TASKS:
        if name in tasks:
            for budget in ("10 %", LONG):
                for rate in (RATE, HIGH_RATE):
                    methods = [HARD, RAMP, *(ORDERS if (budget, rate) == ("10 %", HIGH_RATE) else ())]
                    found += [Cell(name, seed, STUDY_TARGET, method, budget, rate) for method in methods]
    known = set(cells(tasks, seed))
    return [cell for cell in found if cell not in known]


def steps(task: Task, budget: str) -> int:
    return round({**BUDGETS, LONG: 0.3, ALL: 1.0}[budget] * task.steps)


def arguments(cell: Cell, task: Task, folder: Path, examples: int) -> list:
    """The arguments of `actswap convert`, without the output. examples: how many the training data have."""
    method = find_method(cell.method)
    found = [folder / f"original_{cell.seed}.pt", "--to", cell.target, "--seed", cell.seed, "--val", folder / "val.pt", *task.options]
    found += ["--recipe", method.recipe]
    if method.calibrated:
        found += ["--calibrate", folder / "train.pt", "--calibrate-inputs", task.calibration]
        found += ["--calibrate-draw", method.draw] if method.jointly else ["--calibrate-passes", 0]
    if cell.budget == "none":
        return [*found, "--epochs", 0]
    if not method.jointly:
        found += ["--batch-norm", "batch"]
    budget = steps(task, cell.budget)
    found += ["--train", folder / "train.pt", "--batch", task.batch, "--epochs", budget / (examples // task.batch), *method.options]
    if method.learns != "layers":
        distil = "distil-mse" if task.published else "distil"
        # As the command weighs labels.
        both = f"distil+{min(1.0, math.ceil(budget / 4) / 100)}*cross-entropy"
        found += ["--loss", {"outputs": distil, "labels": "cross-entropy", "both": both}[method.learns], "--lr", cell.rate * task.rate]
    if (cell.method, cell.target) == WITH_CONTROL:
        found.append("--control")
    return found
