"""The ways to a smaller network that are compared."""

from dataclasses import dataclass, fields

SHARES = [0.3, 0.5, 0.7]  # of the multiplications of what can be pruned, that go
BUDGETS = ["none", "2 %", "10 %"]  # of the original's steps
STEPS = {"none": 0.0, "2 %": 0.02, "10 %": 0.1, "all": 1.0}

UNPRUNED, PRUNED = "unpruned", "pruned"  # retargeted by the command, without --prune and with it
FADED = "faded"  # by the command, with units that fade out over the ramp of a training
MAGNITUDE, TORCH_PRUNING = "magnitude", "Torch-Pruning"  # of the unpruned export, in PyTorch
FROM_START = "from the start"  # the pruned export's shape with new weights, trained as the original was
LATENCY = "latency"  # of the pruned export against the unpruned one
METHODS = [UNPRUNED, PRUNED, FADED, MAGNITUDE, TORCH_PRUNING, FROM_START, LATENCY]
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
    """In an order in which each finds what it needs."""
    found = []
    budgets = [budget for budget in options.budgets if budget == "none" or network.steps]
    for share in [0.0, *options.shares]:
        methods = [UNPRUNED] if share == 0.0 else [PRUNED, FADED, *(PEERS if network.is_eager else [])]
        found += [Cell(network.name, seed, method, share, budget) for method in methods for budget in budgets if method != FADED or STEPS[budget]]
        if share and network.is_trained:
            found.append(Cell(network.name, seed, FROM_START, share, "all"))
        if share and seed == 0:
            found.append(Cell(network.name, seed, LATENCY, share, "none"))
    return [cell for cell in found if cell.method in options.methods or cell.method == UNPRUNED and cell.budget == "none"]
