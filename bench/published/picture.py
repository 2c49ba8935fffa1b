"""The picture of README.md: what a swap costs, what comes back, and what is left of the time. Light and dark as the reader has it."""

from dataclasses import dataclass
from html import escape

from methods import CALIBRATED, LATENCY, ORIGINAL, SWAP_ALONE, TRAINED

LINE, TOP, FOOT = 40, 52, 34
NAMES, TRACK, GAP = 176, 216, 72  # widths
WIDTH = 2 * (NAMES + TRACK) + GAP
# Blue and orange can be told apart in both schemes, and by those who see few colours.
STYLE = """text{font:13px system-ui,sans-serif;fill:#24292f}.small{font-size:11px;fill:#57606a}.head{font-weight:600}.track{fill:#d8dee4}
.calibrated{fill:#0969da}.trained{fill:none;stroke:#bc4c00;stroke-width:3}.before{fill:#8c959f}.after{fill:#0969da}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.track{fill:#30363d}.calibrated,.after{fill:#4493f8}
.trained{stroke:#f0883e}.before{fill:#656c76}}"""


@dataclass(frozen=True)
class Recovery:
    name: str
    activation: str
    values: str  # of the original, the swap alone, the calibrated and the trained model
    calibrated: float  # 0: as good as the swap alone, 1: as the original
    trained: float | None


@dataclass(frozen=True)
class Time:
    name: str
    before: float  # ms
    after: float


def recoveries(cases: list) -> list:
    found = []
    for case in cases:
        metric = case.network.deciding(case.case)
        original, alone = (case.value(method, metric) for method in (ORIGINAL, SWAP_ALONE))

        def share(method: str) -> float | None:
            value = case.value(method, metric)
            return None if value is None else max(0.0, min(1.0, (value - alone) / (original - alone)))

        methods = [method for method in (SWAP_ALONE, CALIBRATED, TRAINED) if case.value(method, metric) is not None]
        values = " → ".join(case.shown(method, metric) for method in methods)
        values += f", original {case.shown(ORIGINAL, metric)}" if metric.less_is_better else f" of {case.shown(ORIGINAL, metric)}"
        name, activation = case.network.title.split(",")[0], case.case.title.removesuffix(" to ReLU")
        found.append(Recovery(name, activation, f"{metric.name}: {values}", share(CALIBRATED), share(TRAINED)))
    return found


def times(cases: list, rows: list) -> list:
    """Of the published networks where it was measured, then of the networks of bench/payoff: in LibTorch, on one thread."""
    found = []
    for case in cases:
        for entry in case.rows.get(LATENCY + CALIBRATED, {}).get("latency", []):
            if entry["runtime"] == "LibTorch" and entry["threads"] == 1 and "error" not in entry:
                found.append(Time(case.network.title.split(",")[0], entry["original_ms"], entry["export_ms"]))
    plain = [(row["network"], row["runtimes"]["plain"]) for row in rows]
    return found + [Time(name, entry["original_ms"], entry["original_ms"] * entry["ratio"]) for name, entry in plain]


def recovery_line(entry: Recovery, left: int, y: int) -> list:
    at = left + NAMES
    parts = [f'<text x="{left}" y="{y + 6}">{escape(entry.name)}</text>', f'<text class="small" x="{left}" y="{y + 20}">{escape(entry.activation)}</text>',
             f'<text class="small" x="{at}" y="{y + 20}">{escape(entry.values)}</text>',
             f'<rect class="track" x="{at}" y="{y - 4}" width="{TRACK}" height="10" rx="2"/>',
             f'<rect class="calibrated" x="{at}" y="{y - 4}" width="{TRACK * entry.calibrated:.1f}" height="10" rx="2"/>']  # fmt: skip
    if entry.trained is not None:
        parts.append(f'<path class="trained" d="M{at + TRACK * entry.trained:.1f} {y - 8}v18"/>')
    return parts


def time_line(entry: Time, left: int, y: int) -> list:
    at, share = left + NAMES, entry.after / entry.before
    name, _, activation = entry.name.partition(", ")
    return [f'<text x="{left}" y="{y + 6}">{escape(name)}</text>', f'<text class="small" x="{left}" y="{y + 20}">{escape(activation)}</text>',
            f'<text class="small" x="{at}" y="{y + 20}">{entry.before:.3g} ms → {entry.after:.3g} ms ({share:.2f})</text>',
            f'<rect class="before" x="{at}" y="{y - 5}" width="{TRACK * min(1.0, 1 / share):.1f}" height="5"/>',
            f'<rect class="after" x="{at}" y="{y + 1}" width="{TRACK * min(1.0, share):.1f}" height="5"/>']  # fmt: skip


def svg(recovered: list, timed: list) -> str:
    right, lines = NAMES + TRACK + GAP, max(len(recovered), len(timed))
    height = TOP + LINE * lines + FOOT
    title = "What a swap to ReLU costs, what comes back, and what time it saves"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">', f"<title>{title}</title>",
             f"<style>{STYLE}</style>", '<text class="head" x="0" y="18">What comes back after a swap to ReLU</text>',
             f'<text class="small" x="{NAMES}" y="36">swap alone</text>',
             f'<text class="small" x="{NAMES + TRACK}" y="36" text-anchor="end">original</text>',
             f'<text class="head" x="{right}" y="18">Time of a forward, before and after</text>',
             f'<text class="small" x="{right + NAMES}" y="36">LibTorch, one thread</text>']  # fmt: skip
    for number, entry in enumerate(recovered):
        parts += recovery_line(entry, 0, TOP + LINE * number)
    for number, entry in enumerate(timed):
        parts += time_line(entry, right, TOP + LINE * number)
    parts += legend(height - 12, any(entry.trained is not None for entry in recovered), right)
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(y: int, has_training: bool, right: int) -> list:
    parts = [f'<rect class="calibrated" x="0" y="{y - 9}" width="14" height="10" rx="2"/><text class="small" x="20" y="{y}">calibrated, no labels</text>',
             f'<rect class="before" x="{right}" y="{y - 9}" width="14" height="5"/><text class="small" x="{right + 20}" y="{y}">before</text>',
             f'<rect class="after" x="{right + 80}" y="{y - 5}" width="14" height="5"/><text class="small" x="{right + 100}" y="{y}">after</text>']  # fmt: skip
    if has_training:
        parts.append(f'<path class="trained" d="M160 {y - 11}v14"/><text class="small" x="170" y="{y}">then trained, no labels</text>')
    return parts
