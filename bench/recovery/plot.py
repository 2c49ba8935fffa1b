"""A plot as SVG: panels side by side; each has a line with intervals for each series, over the same steps."""

from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP, GAP, LEGEND = 300, 220, 60, 30, 50, 56
STYLE = ("text{font:12px sans-serif;fill:#222}.tick{font-size:11px;fill:#555}.frame{fill:none;stroke:#999}"
         ".line{fill:none;stroke-width:1.8}.zero{stroke:#bbb}")  # fmt: skip


@dataclass(frozen=True)
class Series:
    name: str
    color: str
    dashed: bool
    points: list  # for each step (mean, half of the interval), or None


def nice_ticks(low: float, high: float) -> list:
    raw = (high - low) / 4
    power = 10.0**-12
    while power * 10 <= raw:
        power *= 10
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw)
    first = -int(-low // step) if low >= 0 else int(low / step)
    return [tick * step for tick in range(first, int(high / step + 1e-9) + 1) if low <= tick * step <= high]


def panel(title: str, steps: list, series: list, bounds: tuple, left: int) -> list:
    low, high = bounds

    def x(i: float) -> float:
        return left + WIDTH * (i + 0.5) / len(steps)

    def y(value: float) -> float:
        return TOP + HEIGHT * (high - value) / (high - low)

    parts = [f'<text x="{left + WIDTH / 2}" y="{TOP - 10}" text-anchor="middle">{escape(title)}</text>',
             f'<clipPath id="clip{left}"><rect x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/></clipPath>']  # fmt: skip
    for tick in nice_ticks(low, high):
        zero = abs(tick) < 1e-12
        parts.append(f'<text class="tick" x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{0 if zero else tick:.6g}</text>')
        if zero:
            parts.append(f'<path class="zero" d="M{left} {y(0):.1f}h{WIDTH}"/>')
    parts += [f'<text class="tick" x="{x(i):.1f}" y="{TOP + HEIGHT + 16}" text-anchor="middle">{escape(step)}</text>' for i, step in enumerate(steps)]
    parts.append(f'<g clip-path="url(#clip{left})">')
    for number, line in enumerate(series):
        # Side by side, so that the intervals do not overlap.
        places = [(x(i + 0.05 * (number - (len(series) - 1) / 2)), *point) for i, point in enumerate(line.points) if point]
        dash = ' stroke-dasharray="5 3"' if line.dashed else ""
        parts.append(f'<polyline class="line" stroke="{line.color}"{dash} points="{" ".join(f"{at:.1f},{y(mean):.1f}" for at, mean, _ in places)}"/>')
        for at, mean, half in places:
            parts.append(f'<path class="line" stroke="{line.color}" d="M{at:.1f} {y(mean - half):.1f}V{y(mean + half):.1f}"/>'
                         f'<circle cx="{at:.1f}" cy="{y(mean):.1f}" r="3" fill="{line.color}"/>')  # fmt: skip
    parts += ["</g>", f'<rect class="frame" x="{left}" y="{TOP}" width="{WIDTH}" height="{HEIGHT}"/>']
    return parts


def svg(title: str, panels: dict, steps: list, bounds: tuple) -> str:
    """panels: each panel's series, by its title; the first panel's series go into the legend."""
    width, height = LEFT + len(panels) * (WIDTH + GAP), TOP + HEIGHT + 30 + LEGEND
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">', f"<title>{escape(title)}</title>",
             f"<style>{STYLE}</style>", f'<rect width="{width}" height="{height}" fill="#fff"/>',
             f'<text class="tick" transform="translate(14 {TOP + HEIGHT / 2}) rotate(-90)" text-anchor="middle">{escape(title)}</text>']  # fmt: skip
    for number, (name, series) in enumerate(panels.items()):
        parts += panel(name, steps, series, bounds, LEFT + number * (WIDTH + GAP))
    for number, line in enumerate(next(iter(panels.values()))):
        at, row = LEFT + number % 3 * 230, TOP + HEIGHT + 36 + number // 3 * 18
        dash = ' stroke-dasharray="5 3"' if line.dashed else ""
        parts.append(f'<path class="line" stroke="{line.color}"{dash} d="M{at} {row - 4}h24"/>'
                     f'<text x="{at + 30}" y="{row}">{escape(line.name)}</text>')  # fmt: skip
    return "\n".join([*parts, "</svg>"]) + "\n"
