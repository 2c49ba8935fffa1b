"""The picture of README.md: what a swap costs, what comes back, and the time that remains. Light or dark as the reader's page is."""

from dataclasses import dataclass
from html import escape

from methods import CALIBRATED, LATENCY, ORIGINAL, SWAP_ALONE, TRAINED

LINE, TOP, FOOT = 40, 52, 34
NAMES, RIGHT_NAMES, TRACK, GAP = 176, 148, 216, 88  # widths
WIDTH = NAMES + RIGHT_NAMES + 2 * TRACK + GAP + 116
MOST = 1.3  # of the original's time: the longest bar that fits
PERFECT = (0.0, 1.0, 100.0)  # the original's values of metrics that compare with the original
LIBTORCH, ONNX_RUNTIME = "LibTorch", "ONNX Runtime"
# Blue and orange differ in both schemes, and for readers who see few colours.
STYLE = """text{font:13px system-ui,sans-serif;fill:#24292f}.small{font-size:11px;fill:#57606a}.head{font-weight:600}.track{fill:#d8dee4}
.calibrated{fill:#0969da}.trained{fill:none;stroke:#bc4c00;stroke-width:3}.onnx{fill:#bc4c00}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}.small{fill:#9198a1}.track{fill:#30363d}.calibrated{fill:#4493f8}
.trained{stroke:#f0883e}.onnx{fill:#f0883e}}"""


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
    runtimes: dict  # by name: the original's ms, the export's, and the ratio of the two (the median of the rounds')


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
        if original not in PERFECT:
            values += f" of {case.shown(ORIGINAL, metric)}"
        name, activation = case.network.title.split(",")[0], case.case.title.removesuffix(" to ReLU")
        found.append(Recovery(name, activation, f"{metric.name}: {values}", share(CALIBRATED), share(TRAINED)))
    return found


def times(cases: list, rows: list) -> list:
    """The times on one thread: of the published networks that were timed, then of the networks of bench/payoff."""
    found = []
    for case in cases:
        entries = case.rows.get(LATENCY + CALIBRATED, {}).get("latency", [])
        known = {entry["runtime"]: figures(entry) for entry in entries if entry["threads"] == 1 and "error" not in entry}
        if known:
            found.append(Time(f"{case.network.title.split(',')[0]}, {case.case.title.removesuffix(' to ReLU')}", known))
    for row in rows:
        measured = {LIBTORCH: row["runtimes"]["plain"], ONNX_RUNTIME: row["runtimes"][ONNX_RUNTIME]}
        found.append(Time(row["network"], {name: figures(entry) for name, entry in measured.items() if "error" not in entry}))
    return found


def figures(entry: dict) -> tuple:
    return entry["original_ms"], entry["export_ms"], entry["ratio"]


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
    at = left + RIGHT_NAMES
    values = ", ".join(f"{name} {before:.3g} → {after:.3g} ms" for name, (before, after, _ratio) in entry.runtimes.items())
    name, _, activation = entry.name.partition(", ")
    parts = [f'<text x="{left}" y="{y + 6}">{escape(name)}</text>', f'<text class="small" x="{left}" y="{y + 20}">{escape(activation)}</text>',
             f'<text class="small" x="{at}" y="{y + 20}">{escape(values)}</text>',
             f'<rect class="track" x="{at}" y="{y - 5}" width="{TRACK}" height="12" rx="2"/>']  # fmt: skip
    for place, style, runtime in ((y - 5, "calibrated", LIBTORCH), (y + 1, "onnx", ONNX_RUNTIME)):
        if runtime in entry.runtimes:
            parts.append(f'<rect class="{style}" x="{at}" y="{place}" width="{TRACK * min(MOST, entry.runtimes[runtime][2]):.1f}" height="6"/>')
    return parts


def svg(recovered: list, timed: list) -> str:
    right, lines = NAMES + TRACK + GAP, max(len(recovered), len(timed))
    height = TOP + LINE * lines + FOOT
    title = "What a swap to ReLU costs, what comes back, and what time it saves"
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{title}">', f"<title>{title}</title>",
             f"<style>{STYLE}</style>", '<text class="head" x="0" y="18">What comes back after a swap to ReLU</text>',
             f'<text class="small" x="{NAMES}" y="36">swap alone</text>',
             f'<text class="small" x="{NAMES + TRACK}" y="36" text-anchor="end">original</text>',
             f'<text class="head" x="{right}" y="18">Time of a forward pass after the swap</text>',
             f'<text class="small" x="{right + RIGHT_NAMES}" y="36">0</text>',
             f'<text class="small" x="{right + RIGHT_NAMES + TRACK}" y="36" text-anchor="end">original</text>']  # fmt: skip
    for number, entry in enumerate(recovered):
        parts += recovery_line(entry, 0, TOP + LINE * number)
    for number, entry in enumerate(timed):
        parts += time_line(entry, right, TOP + LINE * number)
    parts += legend(height - 12, any(entry.trained is not None for entry in recovered), right)
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(y: int, has_training: bool, right: int) -> list:
    entries = [("calibrated", 0, "calibrated, no labels"), ("calibrated", right, "LibTorch"), ("onnx", right + 90, "ONNX Runtime, one thread")]
    parts = []
    for style, x, text in entries:
        parts.append(f'<rect class="{style}" x="{x}" y="{y - 8}" width="14" height="6"/><text class="small" x="{x + 20}" y="{y}">{text}</text>')
    if has_training:
        parts.append(f'<path class="trained" d="M160 {y - 11}v14"/><text class="small" x="170" y="{y}">then trained, no labels</text>')
    return parts
