"""What a step would take on more machines: a formula, not a measurement.

    T(n) = 2 (n - 1) / n  bytes / bandwidth  +  buckets  2 (n - 1)  latency
    step = compute + (1 - hidden) T(n)

The ring sends each bucket in 2 (n - 1) messages, one after another. Each rank has the same share of a batch whatever n is.
"""

from dataclasses import dataclass

PARAMETERS = 25_000_000  # float32
BUCKETS = 25  # of 4 MiB, the first of 1
COMPUTE = (1.0, 0.25)  # seconds a step
RANKS = (8, 16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Wire:
    gigabits: float  # a second, each way, of each rank
    microseconds: float  # from one to the next

    @property
    def title(self) -> str:
        return f"{self.gigabits:g} Gbit/s and {self.microseconds:g} µs"

    def seconds(self, ranks: int) -> float:
        turns = 2 * (ranks - 1)
        return turns / ranks * 4 * PARAMETERS * 8 / (1e9 * self.gigabits) + BUCKETS * turns * 1e-6 * self.microseconds


WIRES = (Wire(10, 25), Wire(100, 5))


def efficiency(wire: Wire, ranks: int, compute: float, hidden: float) -> float:
    """The share of a step that is no waiting."""
    return compute / (compute + (1 - hidden) * wire.seconds(ranks))
