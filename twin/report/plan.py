"""The map from above as SVG: landmarks by height, the walk, and where each photo was taken, with its ellipse."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
from markupsafe import Markup
from numpy.typing import NDArray
from scipy import stats

from geometry import position_of
from twin.report import svg, units
from twin.report.figures import Row

Array = NDArray[np.float64]

WIDTH, MARGIN = 960.0, 54.0
MAX_DOTS = 4000
HEIGHT_BINS = 6
MAGNIFICATIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
ELLIPSE_SHARE = 0.022
"""An ellipse's longer half axis, as a share of the map's width, that is well visible."""
ELLIPSE_PROBABILITY = 0.9
MIN_SIZE, MIN_SIDES = 0.1, np.array([0.6, 0.25])
"""The least extent shown, in the site's unit, and the least sides (x, y) of the drawing as shares of the longer."""
JUMP = 3.0
"""The walk's line is broken where a step is this many times the usual one."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """The part of the site shown: ``low`` and ``high`` (2,) in site metres, drawn ``scale`` units a metre."""

    low: Array
    high: Array
    scale: float

    @property
    def height(self) -> float:
        """Height of the drawing in its units."""
        return float((self.high - self.low)[1] * self.scale + 2 * MARGIN)

    def place(self, points_in_site: Array) -> Array:
        """Return drawing coordinates (..., 2) of points (..., 2 or more) in site; site y is up on the page."""
        x = (points_in_site[..., 0] - self.low[0]) * self.scale + MARGIN
        y = (self.high[1] - points_in_site[..., 1]) * self.scale + MARGIN
        return np.stack([x, y], axis=-1)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The drawing and what its legend says.

    magnification: of ellipses and of the offsets of true positions; heights: (HEIGHT_BINS + 1,) metres, of the shades
    """

    drawing: Markup
    magnification: int
    heights: Array


def draw_plan(
    landmarks: Array, walk: Sequence[pycolmap.Rigid3d], half_view: Sequence[float], rows: Sequence[Row], unit: str
) -> Plan:
    """Draw landmarks (L, 3), the map cameras with half of their horizontal field of view (radians), and all answers.

    Positions are in site; ``unit`` is that of its numbers, "m" unless the frame is the map's own.
    """
    cameras = np.array([position_of(pose) for pose in walk]).reshape(-1, 3)
    found = [row for row in rows if row.localized]
    window = _window(landmarks, cameras, np.array([row.answer.position for row in found]).reshape(-1, 3))
    thinned = landmarks[np.linspace(0, len(landmarks) - 1, min(len(landmarks), MAX_DOTS)).astype(int)]
    heights = _height_edges(thinned)
    magnification = _magnification(found, window)
    children = [
        _clip(window),
        _axes(window, unit),
        svg.element("g", *_dots(thinned, heights, window), clip_path="url(#window)"),
        svg.element("path", d=_walk(window.place(cameras)), class_="walk"),
        svg.element("path", d=_wedges(walk, half_view, window, 15.0), class_="wedge"),
        svg.element("path", d=svg.dots(window.place(cameras)), class_="camera"),
        svg.element("g", *(_query(row, window, magnification) for row in found)),
        _scale_bar(window, unit),
    ]
    label = f"The map from above: {len(walk)} map images and {len(found)} localized photos"
    drawing = svg.drawing(WIDTH, window.height, *children, label=label, class_="plan", role="group")
    return Plan(drawing=drawing, magnification=magnification, heights=heights)


def _window(landmarks: Array, cameras: Array, photos: Array) -> Window:
    """Frame nearly all landmarks and all cameras; a photo claimed to be far from them doesn't shrink the rest."""
    core = np.vstack([np.percentile(landmarks[:, :2], [1, 99], axis=0), cameras[:, :2]])
    low, high = core.min(axis=0), core.max(axis=0)
    reach = 0.5 * (high - low).max()
    near = photos[((photos[:, :2] >= low - reach) & (photos[:, :2] <= high + reach)).all(axis=1), :2]
    low, high = np.vstack([low, near]).min(axis=0), np.vstack([high, near]).max(axis=0)
    size = max(float((high - low).max()), MIN_SIZE)
    half = np.maximum((high - low) / 2, MIN_SIDES * size / 2) + 0.04 * size
    middle = (low + high) / 2
    return Window(low=middle - half, high=middle + half, scale=(WIDTH - 2 * MARGIN) / float(2 * half[0]))


def _height_edges(landmarks: Array) -> Array:
    """Return the heights (HEIGHT_BINS + 1,) between shades; the lowest and highest 2 % of landmarks don't count."""
    low, high = np.percentile(landmarks[:, 2], [2, 98])
    return np.linspace(low, max(high, low + 1e-3), HEIGHT_BINS + 1)


def _dots(landmarks: Array, heights: Array, window: Window) -> list[Markup]:
    """Return a path of dots for each shade, the lowest first so that walls stand out from the floor."""
    shade = np.digitize(landmarks[:, 2], heights[1:-1])
    return [
        svg.element("path", d=svg.dots(window.place(landmarks[shade == k])), class_=f"dots height-{k}")
        for k in range(HEIGHT_BINS)
    ]


def _walk(spots: Array) -> str:
    """Return the path through cameras (N, 2) in the order of their names, broken at jumps."""
    if len(spots) < 2:
        return ""
    steps = np.linalg.norm(np.diff(spots, axis=0), axis=1)
    breaks = np.flatnonzero(steps > JUMP * np.median(steps)) + 1
    return "".join(svg.path(part) for part in np.split(spots, breaks))


def _wedges(poses: Sequence[pycolmap.Rigid3d], half_view: Sequence[float], window: Window, size: float) -> str:
    """Return the path of what cameras face, seen from above."""
    return "".join(svg.path(_wedge(p, h, window, size), closed=True) for p, h in zip(poses, half_view, strict=True))


def _wedge(pose: pycolmap.Rigid3d, half_view: float, window: Window, size: float) -> Array:
    """Return the corners (3, 2) of a wedge whose sides are ``size`` units long."""
    ahead = pose.rotation.matrix()[2]
    azimuth = np.arctan2(ahead[1], ahead[0]) + half_view * np.array([1.0, -1.0])
    apex = window.place(position_of(pose))
    return np.vstack([apex, apex + size * np.stack([np.cos(azimuth), -np.sin(azimuth)], axis=-1)])


def _magnification(found: Sequence[Row], window: Window) -> int:
    """Return the round factor that makes the median ellipse well visible."""
    sigmas = [row.answer.position_sigma_m for row in found if row.answer.position_sigma_m]
    if not sigmas:
        return 1
    axis = np.median(sigmas) * np.sqrt(stats.chi2.ppf(ELLIPSE_PROBABILITY, 2))
    wanted = ELLIPSE_SHARE * float((window.high - window.low)[0]) / axis
    return max((m for m in MAGNIFICATIONS if m <= wanted), default=1)


def _query(row: Row, window: Window, magnification: int) -> Markup:
    """Draw a localized photo: wedge, ellipse, number, and the truth where known; a link to its row of the table."""
    answer = row.answer
    spot = window.place(np.array(answer.position))
    parts = [svg.element("title", f"{row.number}. {answer.image}")]
    parts.append(svg.element("path", d=svg.path(_wedge(answer.cam_from_site, 0.45, window, 20.0), closed=True)))
    if answer.position_covariance is not None:
        parts.append(_ellipse(spot, np.array(answer.position_covariance)[:2, :2], window.scale * magnification))
    if row.offset is not None:
        factor = 1 if row.wrong else magnification
        parts.append(_truth(spot, spot + row.offset[:2] * (1, -1) * window.scale * factor))
    parts.append(svg.element("circle", cx=spot[0], cy=spot[1], r=2.4))
    parts.append(svg.text(spot[0] + 7, spot[1] - 7, str(row.number)))
    return svg.element(
        "a",
        *parts,
        href=f"#photo-{row.number}",
        id=f"mark-{row.number}",
        class_="photo wrong" if row.wrong else "photo",
    )


def _ellipse(spot: Array, covariance: Array, scale: float) -> Markup:
    """Draw the horizontal ellipse that claims to hold the position with ``ELLIPSE_PROBABILITY``."""
    variances, axes = np.linalg.eigh(covariance)
    radii = scale * np.sqrt(np.maximum(variances, 0.0) * stats.chi2.ppf(ELLIPSE_PROBABILITY, 2))
    turn = np.degrees(np.arctan2(-axes[1, 1], axes[0, 1]))
    transform = f"translate({spot[0]:.1f} {spot[1]:.1f}) rotate({turn:.1f})"
    return svg.element("ellipse", rx=max(radii[1], 1.5), ry=max(radii[0], 1.5), transform=transform)


def _truth(spot: Array, true_spot: Array) -> Markup:
    x, y = true_spot
    arms = svg.path([[x - 4, y], [x + 4, y]]) + svg.path([[x, y - 4], [x, y + 4]])
    return svg.element("path", d=svg.path([spot, true_spot]) + arms, class_="truth")


def _clip(window: Window) -> Markup:
    frame = svg.element("rect", **_frame(window))
    return svg.element("defs", svg.element("clipPath", frame, id="window"))


def _frame(window: Window) -> dict[str, float]:
    return {"x": MARGIN, "y": MARGIN, "width": WIDTH - 2 * MARGIN, "height": window.height - 2 * MARGIN}


def _axes(window: Window, unit: str) -> Markup:
    """Draw a light grid with site coordinates along its edges."""
    step = _round_step(float((window.high - window.low).max()) / 8)
    bottom, parts = window.height - MARGIN, [svg.element("rect", **_frame(window), class_="frame")]
    for value in _ticks(window.low[0], window.high[0], step):
        x = float(window.place(np.array([value, 0.0]))[0])
        parts.append(svg.line(x, MARGIN, x, bottom))
        parts.append(svg.text(x, bottom + 21, f"{value:g}", text_anchor="middle"))
    for value in _ticks(window.low[1], window.high[1], step):
        y = float(window.place(np.array([0.0, value]))[1])
        parts.append(svg.line(MARGIN, y, WIDTH - MARGIN, y))
        parts.append(svg.text(MARGIN - 8, y + 4, f"{value:g}", text_anchor="end"))
    parts.append(
        svg.text(WIDTH - MARGIN, bottom + 47, f"x of the site, {unit} \N{RIGHTWARDS ARROW}", text_anchor="end")
    )
    parts.append(svg.text(8, MARGIN - 16, f"\N{UPWARDS ARROW} y of the site, {unit}"))
    return svg.element("g", *parts, class_="axes")


def _scale_bar(window: Window, unit: str) -> Markup:
    metres = _round_step(float((window.high - window.low)[0]) / 6)
    x, y, size = MARGIN + 14, window.height - MARGIN - 14, metres * window.scale
    ends = svg.path([[x, y - 5], [x, y], [x + size, y], [x + size, y - 5]])
    words = svg.text(x + size / 2, y - 8, f"{metres:g}{units.NO_BREAK}{unit}", text_anchor="middle")
    return svg.element("g", svg.element("path", d=ends), words, class_="scale")


def _ticks(low: float, high: float, step: float) -> Array:
    return np.arange(np.ceil(low / step), np.floor(high / step) + 1) * step + 0.0  # no -0


def _round_step(rough: float) -> float:
    """Return 1, 2 or 5 times a power of ten, the nearest above ``rough``."""
    power = 10.0 ** np.floor(np.log10(rough))
    return float(power * next(m for m in (1, 2, 5, 10) if m * power >= rough * 0.999))


def half_view_of(camera: pycolmap.Camera) -> float:
    """Return half of a camera's horizontal field of view in radians, as of a pinhole."""
    return float(np.arctan2(camera.width / 2, camera.mean_focal_length()))
