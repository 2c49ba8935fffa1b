"""Turns the results into tables, and puts them into a page between two marks."""

from pathlib import Path
from statistics import median, quantiles

import projection
from common.page import put, table
from networks import NETWORKS

RANKS = (2, 4)
ONE, TWO_THREADS = "one process of 1 thread", "one process of 2 threads"
GIGABITS = 4  # a second, each way, of the slower network
SLOWER = f"2 ranks over {GIGABITS} Gbit/s"
BUSY = 0.5  # programs that run or wait for each core before the benchmark begins
AIM_TIME = 1.10  # of two ranks of one thread, as a ratio to one process with two threads
AIM_BYTES = 1.02  # as a ratio to the ring's minimum
AIM_HIDDEN = 60  # percent
NONE = ""


def ranks(count: int) -> str:
    return f"{count} ranks of 1 thread"


def seconds(row: dict, setting: str, phase: str = "steps") -> float:
    """The time of a step, on the slowest rank, for which the others wait."""
    return max(rank[phase]["median_seconds"] for rank in row["found"][setting])


def hidden(row: dict, setting: str) -> float:
    """The share of the sending that does not lengthen a step; below 0 if a step takes longer than computing and sending together."""
    step, alone, sums = (seconds(row, setting, phase) for phase in ("steps", "alone", "sums"))
    return 1 - (step - alone) / sums


def before_last(row: dict) -> float:
    """The share of the gradients in buckets before the last one, which is full only when backward ends."""
    buckets = row["found"][ranks(2)][0]["bucket_bytes"]
    return 1 - buckets[-1] / sum(buckets)


def minimum(row: dict, count: int, key: str = "gradient_bytes") -> float:
    """The least that all ranks together send in a step, in bytes: a ring sends each element 2 (n - 1) times."""
    return 2 * (count - 1) * row["found"][ranks(count)][0][key]


def sent(row: dict, count: int) -> float:
    """Bytes of a step on the device lo, less those of the same time while the ranks do nothing."""
    first = row["found"][ranks(count)][0]
    steps, idle = first["steps"], first["idle"]
    return (steps["bytes"] - idle["bytes"] * steps["seconds"] / idle["seconds"]) / steps["count"]


def interval(values: list, digits: int = 2) -> str:
    """The median, with quartiles."""
    if len(values) < 2:
        return f"{median(values):.{digits}f}"
    low, _, high = quantiles(values, method="inclusive")
    return f"{median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def one_line(row: dict) -> str:
    return ", ".join(f"{setting} {1000 * seconds(row, setting):.0f} ms" for setting in sorted(row["found"]))


def by_network(rows: list) -> list:
    """Networks that have results, with their rounds."""
    found = [(network, [row for row in rows if row["network"] == network.name]) for network in NETWORKS.values()]
    return [(network, own) for network, own in found if own]


def title(network, row: dict) -> str:
    return f"{network.title}, {row['found'][ONE][0]['parameters'] / 1e6:.1f}M"


def times(rows: list) -> list:
    lines = []
    for network, own in by_network(rows):
        for setting in (ONE, TWO_THREADS, *map(ranks, RANKS)):
            ratios = [NONE if setting == other else interval([seconds(row, setting) / seconds(row, other) for row in own]) for other in (ONE, TWO_THREADS)]
            aim = f"at most {AIM_TIME:.2f} of two threads" if setting == ranks(2) else NONE
            lines.append([title(network, own[0]), own[0]["batch"], setting, f"{1000 * median(seconds(row, setting) for row in own):.0f}", *ratios, aim])
    return ["### Time", "", *table(["network", "batch", "trained by", "a step, ms", "/ one thread", "/ two threads", "aim"], lines)]


def calibrations(rows: list) -> list:
    lines = []
    for network, own in by_network(rows):
        measured = [row["calibration"] for row in own if row["calibration"]]
        for setting in (ONE, TWO_THREADS, *map(ranks, RANKS)):
            ratios = [NONE if setting == other else interval([row[setting] / row[other] for row in measured]) for other in (ONE, TWO_THREADS)]
            lines.append([title(network, own[0]), setting, f"{median(row[setting] for row in measured):.1f}", *ratios])
    head = ["network", "calibrated by", "s", "/ one thread", "/ two threads"]
    return ["### Calibration", "", *table(head, lines)]


def traffic(rows: list) -> list:
    lines = []
    for network, own in by_network(rows):
        for count in RANKS:
            least = minimum(own[0], count)
            payload = least + minimum(own[0], count, "other_bytes")
            lines.append([title(network, own[0]), count, f"{own[0]['found'][ONE][0]['gradient_bytes'] / 1e6:.2f}", f"{least / 1e6:.2f}",
                          f"{payload / least:.4f}", f"{median(sent(row, count) for row in own) / 1e6:.2f}",
                          interval([sent(row, count) / least for row in own], 4), f"at most {AIM_BYTES:.2f}"])  # fmt: skip
    head = ["network", "ranks", "gradients, MB", "least, MB a step", "payload / least", "sent, MB a step", "sent / least", "aim"]
    return ["### Bytes", "", *table(head, lines)]


def hiding(rows: list) -> list:
    lines = []
    for network, own in by_network(rows):
        for setting in (*map(ranks, RANKS), SLOWER):
            measured = [row for row in own if setting in row["found"]]
            if not measured:
                continue
            parts = [f"{1000 * median(seconds(row, setting, phase) for row in measured):.0f}" for phase in ("steps", "alone", "sums")]
            lines.append([title(network, own[0]), setting, *parts, interval([100 * shown(hidden(row, setting)) for row in measured], 0),
                          f"{100 * before_last(own[0]):.0f}", f"at least {AIM_HIDDEN}"])  # fmt: skip
    head = ["network", "trained by", "a step, ms", "computing alone, ms", "sending alone, ms", "hidden, %", "in buckets before the last, %", "aim"]
    return ["### What backward hides", "", *table(head, lines)]


def shown(share: float) -> float:
    return min(1.0, max(0.0, share))


def projected(rows: list) -> list:
    setting = SLOWER if any(SLOWER in row["found"] for row in rows) else ranks(2)
    measured = shown(median(hidden(row, setting) for row in rows if setting in row["found"]))
    head, lines = ["ranks"], []
    for wire in projection.WIRES:
        head += [f"{wire.title}: sending, ms", *(f"efficiency at {compute:g} s, %" for compute in projection.COMPUTE)]
    for count in projection.RANKS:
        line = [count]
        for wire in projection.WIRES:
            line.append(f"{1000 * wire.seconds(count):.0f}")
            for compute in projection.COMPUTE:
                some, none = (100 * projection.efficiency(wire, count, compute, share) for share in (measured, 0.0))
                line.append(f"{some:.0f} ({none:.0f})")
        lines.append(line)
    computes = " s or ".join(f"{compute:g}" for compute in projection.COMPUTE)
    text = (f"Computed, not measured, for {projection.PARAMETERS / 1e6:.0f}M parameters in float32, {projection.BUCKETS} buckets, and a rank that computes "
            f"{computes} s a step, however many ranks there are. Backward hides {100 * measured:.0f} % of the sending, the median of {setting} "
            "above; in brackets it hides nothing.")  # fmt: skip
    return ["### On more machines", "", text, "", *table(head, lines)]


def made(rows: list) -> str:
    commits, processors = (sorted({str(row[key]) for row in rows}) for key in ("commit", "processors"))
    rounds = max(len(own) for _, own in by_network(rows))
    text = f"Made at {', '.join(commits)}, on {', '.join(processors)} cores, in {rounds} rounds."
    busy = max(row["load"] / row["processors"] for row in rows)
    if busy > BUSY:
        text += f" Other programs took part of the cores (up to {busy:.1f} ran or waited for each) and distorted the times."
    return text


def write(rows: list, page: Path) -> None:
    lines = [made(rows), "", *times(rows), *calibrations(rows), *traffic(rows), *hiding(rows), *projected(rows)] if rows else ["No results yet.", ""]
    page.parent.mkdir(parents=True, exist_ok=True)
    put(page, "bench/scale/run.py", lines)
