"""How long a step would take on more machines: a formula, not a measurement.

    T(n) = 2 (n - 1) / n  bytes / bandwidth  +  buckets  2 (n - 1)  latency
    step = compute + (1 - hidden) T(n)

The ring sends each bucket in 2 (n - 1) messages, one after another. Each rank's share of a batch does not depend on n.
"""

from dataclasses import dataclass

PARAMETERS = 25_000_000  # float32
BUCKETS = 25  # of 4 MiB, the first of 1
COMPUTE = (1.0, 0.25)  # seconds per step
RANKS = (8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Wire:
    gigabits: float  # per second, each way, for each rank
    microseconds: float  # from one rank to the next

    @property
    def title(self) -> str:
        return f"{self.gigabits:g} Gbit/s and {self.microseconds:g} µs"

    def seconds(self, ranks: int) -> float:
        turns = 2 * (ranks - 1)
        return turns / ranks * 4 * PARAMETERS * 8 / (1e9 * self.gigabits) + BUCKETS * turns * 1e-6 * self.microseconds


WIRES = (Wire(10, 25), Wire(100, 5))


def efficiency(wire: Wire, ranks: int, compute: float, hidden: float) -> float:
    """The share of a step that is not waiting."""
    return compute / (compute + (1 - hidden) * wire.seconds(ranks))
