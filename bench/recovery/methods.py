"""How a model is retargeted: the methods, the budgets, and what the command is told for each."""

from dataclasses import dataclass
from pathlib import Path

from tasks import Task

TARGETS = ["relu", "hard_mish"]
BUDGETS = {"none": 0.0, "2 %": 0.02, "10 %": 0.1}  # share of the original's steps
RATE = 0.1  # of the original's peak learning rate


@dataclass(frozen=True)
class Method:
    recipe: str  # the command's; only with ramp does t not begin at 1
    labels: bool = False  # otherwise the original's outputs


# Without a budget there is but one: what it was calibrated from, the swap alone, is measured on the way.
CALIBRATION = "calibrated"
METHODS = {
    CALIBRATION: Method("calibrated"),
    "hard, labels": Method("hard", labels=True),
    "ramp, labels": Method("ramp", labels=True),
    "calibrated, labels": Method("calibrated", labels=True),
    "hard, distilled": Method("hard"),
    "ramp, distilled": Method("ramp"),
    "calibrated, distilled": Method("calibrated"),
}
# The control, the original trained on with labels, has no target: it is made once, beside this one.
WITH_CONTROL = ("hard, labels", "relu")


@dataclass(frozen=True)
class Cell:
    task: str
    seed: int
    target: str
    method: str
    budget: str


def cells(tasks: dict, seed: int) -> list:
    found = []
    for name, task in tasks.items():
        for budget in BUDGETS:
            for target in TARGETS:
                for method, what in METHODS.items():
                    if (method == CALIBRATION) == (budget == "none") and not (what.labels and task.published):
                        found.append(Cell(name, seed, target, method, budget))
    return found


def steps(task: Task, budget: str) -> int:
    return round(BUDGETS[budget] * task.steps)


def arguments(cell: Cell, task: Task, folder: Path, examples: int) -> list:
    """Of `actswap convert`, without the output. examples: in the training data."""
    method = METHODS[cell.method]
    found = [folder / f"original_{cell.seed}.pt", "--to", cell.target, "--seed", cell.seed, "--val", folder / "val.pt", *task.options]
    found += ["--recipe", method.recipe]
    if method.recipe == "calibrated":
        found += ["--calibrate", folder / "train.pt", "--calibrate-inputs", task.calibration]
    if cell.budget == "none":
        return [*found, "--epochs", 0]
    budget = steps(task, cell.budget)
    if method.labels:
        loss = "cross-entropy"
    else:
        loss = "distil-mse" if task.published else "distil"
    found += ["--train", folder / "train.pt", "--loss", loss, "--batch", task.batch, "--lr", RATE * task.rate]
    found += ["--epochs", budget / (examples // task.batch)]
    if (cell.method, cell.target) == WITH_CONTROL:
        found.append("--control")
    return found
