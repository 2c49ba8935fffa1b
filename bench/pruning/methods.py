"""The ways to a smaller network that the benchmark compares."""

from dataclasses import dataclass, fields

SHARES = [0.3, 0.5, 0.7]  # to remove, of the multiplications of what can be pruned
BUDGETS = ["none", "2 %", "10 %"]  # of the original's steps
STEPS = {"none": 0.0, "2 %": 0.02, "10 %": 0.1, "all": 1.0}

UNPRUNED, PRUNED = "unpruned", "pruned"  # retargeted by the command, without --prune and with it
ROUNDED = "pruned to multiples of 16"  # by the command with --prune-round 16
FADED = "faded"  # by the command, with units that fade out over the ramp of a training
MAGNITUDE, TORCH_PRUNING = "magnitude", "Torch-Pruning"  # of the unpruned export, in PyTorch
FROM_START = "from the start"  # the pruned export's shape with new weights, trained as the original was
LATENCY = "latency"  # of a pruned export compared with the unpruned one
TIMED = {PRUNED: LATENCY, ROUNDED: f"{LATENCY}, multiples of 16"}
METHODS = [UNPRUNED, PRUNED, ROUNDED, FADED, MAGNITUDE, TORCH_PRUNING, FROM_START, *TIMED.values()]
PEERS = [MAGNITUDE, TORCH_PRUNING]


@dataclass(frozen=True)
class Cell:
    network: str
    seed: int
    method: str
    share: float
    budget: str

    @classmethod
    def of(cls, row: dict) -> "Cell":
        return cls(*(row[field.name] for field in fields(cls)))


def cells(network, seed: int, options) -> list:
    """The cells, in an order in which each finds the results that it needs."""
    found = []
    budgets = [budget for budget in options.budgets if budget == "none" or network.steps]
    for share in [0.0, *options.shares]:
        methods = [UNPRUNED] if share == 0.0 else [PRUNED, ROUNDED, FADED, *(PEERS if network.is_eager else [])]
        found += [Cell(network.name, seed, method, share, budget) for method in methods for budget in budgets if is_made(method, STEPS[budget])]
        if share and network.is_trained:
            found.append(Cell(network.name, seed, FROM_START, share, "all"))
        if share and seed == 0:
            found += [Cell(network.name, seed, method, share, "none") for method in TIMED.values()]
    return [cell for cell in found if cell.method in options.methods or cell.method == UNPRUNED and cell.budget == "none"]


def is_made(method: str, steps: float) -> bool:
    """Units fade while a training runs; multiples are for latency, which no training changes."""
    return bool(steps) if method == FADED else not steps if method == ROUNDED else True
