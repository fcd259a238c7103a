"""Charts as SVG: errors against what was claimed, how honest the ellipsoids are, and a histogram."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from scipy import stats

from twin.report import svg, units
from twin.report.figures import Row, ellipsoids

Array = NDArray[np.float64]

WIDTH, HEIGHT = 460.0, 340.0
LEFT, RIGHT, TOP, BOTTOM = 72.0, 28.0, 18.0, 54.0


@dataclass(frozen=True, kw_only=True)
class Axes:
    """Maps data to the drawing: x and y run over ``x_range`` and ``y_range``, on logarithmic scales if ``log``."""

    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log: bool = False

    def place(self, x: Array | float, y: Array | float) -> Array:
        """Return drawing coordinates (..., 2)."""
        across = self._fraction(x, self.x_range) * (WIDTH - LEFT - RIGHT) + LEFT
        down = (1.0 - self._fraction(y, self.y_range)) * (HEIGHT - TOP - BOTTOM) + TOP
        return np.stack(np.broadcast_arrays(across, down), axis=-1)

    def _fraction(self, value: Array | float, bounds: tuple[float, float]) -> Array:
        v, (low, high) = np.asarray(value, dtype=np.float64), bounds
        if self.log:
            v, low, high = np.log(np.maximum(v, 1e-12)), np.log(low), np.log(high)
        return (v - low) / (high - low)

    def grid(
        self, x_ticks: Sequence[float], y_ticks: Sequence[float], names: tuple[str, str], show: Callable[[float], str]
    ) -> Markup:
        """Draw lines at the ticks, their values as ``show`` writes them, and the names of both axes."""
        parts = []
        for x in x_ticks:
            (px, bottom), top = self.place(x, self.y_range[0]), self.place(x, self.y_range[1])[1]
            parts += [svg.line(px, top, px, bottom), svg.text(px, bottom + 18, show(x), text_anchor="middle")]
        for y in y_ticks:
            (left, py), right = self.place(self.x_range[0], y), self.place(self.x_range[1], y)[0]
            parts += [svg.line(left, py, right, py), svg.text(left - 7, py + 4, show(y), text_anchor="end")]
        middle = TOP + (HEIGHT - TOP - BOTTOM) / 2
        parts.append(svg.text(LEFT + (WIDTH - LEFT - RIGHT) / 2, HEIGHT - 8, names[0], text_anchor="middle"))
        turned = f"translate(13 {middle:.0f}) rotate(-90)"
        parts.append(svg.element("text", names[1], transform=turned, text_anchor="middle"))
        return svg.element("g", *parts, class_="axes")


def draw_errors(rows: Sequence[Row]) -> Markup | None:
    """Draw each judged photo's position error against its claimed sigma, or return None where none is judged."""
    pairs = [(row.number, row.answer.position_sigma_m, row.error[0]) for row in rows if row.error]
    table = np.array([(n, sigma, error) for n, sigma, error in pairs if sigma and error > 0]).reshape(-1, 3)
    if len(table) == 0:
        return None
    x_range, y_range = _decades(table[:, 1]), _decades(table[:, 2])
    axes = Axes(x_range=x_range, y_range=y_range, log=True)
    parts = [
        axes.grid(_log_ticks(*x_range), _log_ticks(*y_range), ("claimed sigma", "position error"), units.round_length),
        _clip_to_axes("errors"),
        svg.element("g", *_sigma_lines(axes), clip_path="url(#errors)"),
    ]
    for (number, _, _), (x, y) in zip(table, axes.place(table[:, 1], table[:, 2]), strict=True):
        mark = svg.element("circle", svg.element("title", f"photo {number:.0f}"), cx=x, cy=y, r=4.5)
        parts.append(svg.element("a", mark, href=f"#photo-{number:.0f}", class_="mark"))
    label = f"Position error of {len(table)} photos against the sigma claimed for them"
    return svg.drawing(WIDTH, HEIGHT, *parts, label=label, class_="chart", role="group")


def draw_honesty(rows: Sequence[Row]) -> Markup | None:
    """Draw which share of true positions lies inside the ellipsoid claimed for each probability; None for no truth.

    The band holds 90 % of the curves that honest claims give for so many photos, at each probability by itself.
    """
    inside = ellipsoids(rows)
    if len(inside) == 0:
        return None
    axes = Axes(x_range=(0.0, 1.0), y_range=(0.0, 1.0))
    ticks, p = [0.0, 0.25, 0.5, 0.75, 1.0], np.linspace(0, 1, 81)
    low, high = (stats.binom.ppf(q, len(inside), p) / len(inside) for q in (0.05, 0.95))
    band = np.vstack([axes.place(p, low), axes.place(p, high)[::-1]])
    steps = np.repeat(np.concatenate([[0.0], inside, [1.0]]), 2)[1:-1]
    shares = np.repeat(np.arange(len(inside) + 1) / len(inside), 2)
    names = ("claimed probability of the ellipsoid", "share of true positions inside")
    parts = [
        svg.element("path", d=svg.path(band, closed=True), class_="band"),
        axes.grid(ticks, ticks, names, units.share),
        svg.element("path", d=svg.path(axes.place(np.array([0.0, 1.0]), np.array([0.0, 1.0]))), class_="ideal"),
        svg.element("path", d=svg.path(axes.place(steps, shares)), class_="curve"),
    ]
    label = f"Share of {len(inside)} true positions inside the claimed ellipsoids, against their claimed probability"
    return svg.drawing(WIDTH, HEIGHT, *parts, label=label, class_="chart")


def draw_histogram(counts: Sequence[int], names: tuple[str, str]) -> Markup | None:
    """Draw ``counts`` of the values 0, 1, 2...; the last bar gathers the thin tail. None where all are 0."""
    table = np.asarray(counts, dtype=np.float64)
    shown = np.flatnonzero(table)
    if len(shown) == 0:
        return None
    first, last = int(shown[0]), int(np.searchsorted(np.cumsum(table), 0.99 * table.sum())) + 1
    bars = np.append(table[first:last], table[last:].sum())
    top = float(bars.max()) * 1.08
    axes = Axes(x_range=(first - 0.5, last + 0.5), y_range=(0.0, top))
    parts = []
    for value, height in zip(range(first, last + 1), bars, strict=True):
        (left, head), (right, foot) = axes.place(value - 0.38, height), axes.place(value + 0.38, 0.0)
        parts.append(svg.element("rect", x=left, y=head, width=right - left, height=foot - head, class_="bar"))
        name = f"{value}" if value < last else f"{value}+"
        parts.append(svg.text((left + right) / 2, foot + 18, name, text_anchor="middle", class_="tick"))
    ticks = [t for t in _round_ticks(top) if t <= top]
    grid = axes.grid([], ticks, names, lambda count: units.count(round(count)))
    return svg.drawing(WIDTH, HEIGHT, grid, *parts, label=f"{names[1]} by {names[0]}", class_="chart")


def _sigma_lines(axes: Axes) -> list[Markup]:
    """Draw the errors that 50 % and 90 % of photos stay below if their sigma is the same along all three axes."""
    parts, ends = [], np.array([1e-9, 1e9])
    for probability in (0.5, 0.9):
        factor = float(np.sqrt(stats.chi2.ppf(probability, 3)))
        parts.append(svg.element("path", d=svg.path(axes.place(ends, factor * ends)), class_="ideal"))
        x = min(axes.x_range[1], axes.y_range[1] / factor) / 1.12
        px, py = axes.place(x, factor * x)
        parts.append(svg.text(px - 6, py + 4, units.share(probability), text_anchor="end", class_="note"))
    return parts


def _clip_to_axes(name: str) -> Markup:
    frame = svg.element("rect", x=LEFT, y=TOP, width=WIDTH - LEFT - RIGHT, height=HEIGHT - TOP - BOTTOM)
    return svg.element("defs", svg.element("clipPath", frame, id=name))


def _decades(values: Array) -> tuple[float, float]:
    """Return bounds around positive values with a little air, at least a factor of ten apart."""
    low, high = float(values.min()) / 1.5, float(values.max()) * 1.5
    spread = max(1.0, 10.0 / (high / low)) ** 0.5
    return low / spread, high * spread


def _log_ticks(low: float, high: float) -> list[float]:
    """Return 1, 2 and 5 times powers of ten between the bounds, or only the powers where those are many."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    steps = (1, 2, 5) if high / low < 300 else (1,)
    return [float(m * p) for p in powers for m in steps if low <= m * p <= high]


def _round_ticks(top: float) -> list[float]:
    power = 10.0 ** np.floor(np.log10(top / 2))
    step = next(m * power for m in (1, 2, 5, 10) if top / (m * power) <= 5)
    return [float(step * k) for k in range(6)]
