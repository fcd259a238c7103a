"""What stands beyond the plan of a place under the open sky, as far as the map saw it: ground and fronts of houses.

A plan ends at its outline; views do not. Landmarks out there lie on upright planes and on ground that goes on. A plane
is taken where many landmarks lie on it, over the stretches that they cover, and is cut like a wall where the map looks
through it. What no landmark says stays open.
"""

from dataclasses import dataclass

import numpy as np
import shapely
import shapely.ops
from numpy.typing import NDArray

from geometry import FloorPlan
from twin.surface.panels import Panel, level_panel, upright_panels
from twin.weighted_median import weighted_median

Array = NDArray[np.float64]

FRONT, GROUND = "front", "ground"
KINDS = (FRONT, GROUND)
MAX_SCORED = 3000
ROUNDS = 4
"""Of fitting a line and taking the landmarks that then lie on it."""


@dataclass(frozen=True, kw_only=True)
class SurroundingsOptions:
    """What counts, in metres unless said otherwise.

    max_sigma: of landmarks; off_plan: fronts begin so far outside of the plan; standing: and so far above its floor
    near_plane: from a landmark to its front, besides two sigmas; gap: without landmarks ends a stretch of a front
    beside: landmarks so near to a front make no other; local: length within which a line is looked for
    min_length: of a stretch; min_landmarks: on it; min_height: of it
    cell: of the ground, taken where landmarks lie within ``near_ground`` of its height
    kerb, ground_reach: between these distances from the plan the ground's height is measured; ground_step: as far as
        this from the plan's
    hypotheses: pairs of landmarks that are tried for a front
    """

    max_sigma: float = 0.5
    off_plan: float = 2.0
    standing: float = 0.8
    near_plane: float = 0.15
    gap: float = 2.5
    beside: float = 1.0
    local: float = 15.0
    min_length: float = 3.0
    min_landmarks: int = 25
    min_height: float = 1.5
    cell: float = 3.0
    near_ground: float = 0.15
    kerb: float = 1.0
    ground_reach: float = 15.0
    ground_step: float = 0.4
    hypotheses: int = 1000
    max_fronts: int = 40


def surroundings(
    plan: FloorPlan,
    points: Array,
    sigmas: Array,
    rng: np.random.Generator,
    options: SurroundingsOptions | None = None,
) -> list[Panel]:
    """Return panels beyond the levels without a ceiling, from landmarks (N, 3) with their largest sigmas (N,)."""
    options = options or SurroundingsOptions()
    levels = [level for level in plan.levels if level.ceiling is None]
    if not levels:
        return []
    site = shapely.union_all([level.outline for level in levels])
    low = min(level.elevation for level in levels)
    sure = np.isfinite(points).all(axis=1) & (sigmas < options.max_sigma)
    points, sigmas = points[sure], sigmas[sure]
    beyond = np.asarray(shapely.distance(site, shapely.points(points[:, :2]))) if len(points) else np.zeros(0)
    stands = (beyond > options.off_plan) & (points[:, 2] > low + options.standing)
    middle = np.array(site.centroid.coords[0])
    panels: list[Panel] = []
    feet: list[shapely.LineString] = []
    for number, (start, end, top) in enumerate(_fronts(points[stands], sigmas[stands], rng, options), start=1):
        if top - low < options.min_height:
            continue
        towards = middle - start
        # Fronts of panels are to the right of the way along.
        if (end[0] - start[0]) * towards[1] - (end[1] - start[1]) * towards[0] > 0:
            start, end = end, start
        panels += upright_panels(f"{FRONT} {number}", FRONT, np.array([start, end]), low, top)
        feet.append(shapely.LineString([start, end]))
    height = _height(points[:, 2], sigmas, beyond, low, options)
    return [*panels, *_ground(site, feet, height, points[beyond > 0], options)]


def _fronts(
    points: Array, sigmas: Array, rng: np.random.Generator, options: SurroundingsOptions
) -> list[tuple[Array, Array, float]]:
    """Return (start (2,), end (2,), top) of upright planes, those with most landmarks first (sequential consensus)."""
    found: list[tuple[Array, Array, float]] = []
    left = np.arange(len(points))
    for _ in range(2 * options.max_fronts):
        if len(left) < options.min_landmarks or len(found) == options.max_fronts:
            break
        normal, offset, middle = _best_line(points[left, :2], sigmas[left], rng, options)
        front = _grown(points[left], sigmas[left], normal, offset, middle, options)
        if front is None:
            break
        start, end, top, count = front
        length = float(np.linalg.norm(end - start))
        if count >= options.min_landmarks and length >= options.min_length:
            found.append((start, end, top))
        # What lies just before and behind a front is of it, and would make another one beside it.
        along = (end - start) / max(length, 1e-9)
        normal = np.array([-along[1], along[0]])
        reach = (points[left, :2] - start) @ along
        aside = np.abs((points[left, :2] - start) @ normal)
        left = left[(aside > options.beside) | (reach < -options.beside) | (reach > length + options.beside)]
    return found


def _best_line(
    points: Array, sigmas: Array, rng: np.random.Generator, options: SurroundingsOptions
) -> tuple[Array, float, float]:
    """Return normal (2,), offset and a place along, of the line through two near points (N, 2) that most lie on."""
    pairs = rng.integers(len(points), size=(options.hypotheses, 2))
    apart = points[pairs[:, 1]] - points[pairs[:, 0]]
    length = np.linalg.norm(apart, axis=1)
    near = (length > 1.0) & (length < options.local)
    if not near.any():
        return np.array([1.0, 0.0]), float(points[0, 0]), float(points[0, 1])
    first, along = points[pairs[near, 0]], apart[near] / length[near, None]
    normals = np.column_stack([-along[:, 1], along[:, 0]])
    offsets = np.einsum("hk,hk->h", normals, first)
    middles = np.einsum("hk,hk->h", along, first) + length[near] / 2
    scored = rng.permutation(len(points))[:MAX_SCORED]
    on = np.abs(normals @ points[scored].T - offsets[:, None]) < _width(sigmas[scored], options)
    on &= np.abs(along @ points[scored].T - middles[:, None]) < options.local / 2
    best = int(np.argmax(on.sum(axis=1)))
    return normals[best], float(offsets[best]), float(middles[best])


def _grown(
    points: Array, sigmas: Array, normal: Array, offset: float, middle: float, options: SurroundingsOptions
) -> tuple[Array, Array, float, int] | None:
    """Return start, end, top and landmarks of the stretch of a line around a place, fitted to its own landmarks."""
    rows = np.zeros(0, dtype=np.int64)
    for _ in range(ROUNDS):
        along = np.array([normal[1], -normal[0]])
        places = points[:, :2] @ along
        on = np.flatnonzero(np.abs(points[:, :2] @ normal - offset) < _width(sigmas, options))
        stretches = [on[run] for run in _stretches(places[on], options.gap)] if len(on) else []
        around = [
            run for run in stretches if places[run].min() - options.gap < middle < places[run].max() + options.gap
        ]
        rows = max(around, key=len, default=rows[:0])
        if len(rows) < 3:
            return None
        normal, offset = _line_of(points[rows, :2], 1.0 / (sigmas[rows] ** 2 + (options.near_plane / 2) ** 2))
        along = np.array([normal[1], -normal[0]])
        middle = float(np.median(points[rows, :2] @ along))
    ends = np.percentile(points[rows, :2] @ along, [0.5, 99.5])
    start, end = (offset * normal + reach * along for reach in ends)
    return start, end, float(np.percentile(points[rows, 2], 99.0)), len(rows)


def _width(sigmas: Array, options: SurroundingsOptions) -> Array:
    return np.asarray(np.maximum(options.near_plane, 2.0 * sigmas))


def _line_of(points: Array, weights: Array) -> tuple[Array, float]:
    """Return unit normal (2,) and offset of the line nearest to points (N, 2), by weighted total least squares."""
    middle = np.average(points, axis=0, weights=weights)
    centred = points - middle
    _, axes = np.linalg.eigh((centred * weights[:, None]).T @ centred)
    normal = np.asarray(axes[:, 0])
    return normal, float(normal @ middle)


def _stretches(along: Array, gap: float) -> list[NDArray[np.int64]]:
    """Return the rows of each run of places (N,) without a gap."""
    order = np.argsort(along, kind="stable")
    return [np.asarray(rows) for rows in np.split(order, np.flatnonzero(np.diff(along[order]) > gap) + 1)]


def _ground(
    site: shapely.Geometry, feet: list[shapely.LineString], height: float, points: Array, options: SurroundingsOptions
) -> list[Panel]:
    """Return the ground outside: where landmarks lie on it, between these, and to the fronts."""
    on = np.abs(points[:, 2] - height) < options.near_ground
    cells, count = np.unique(np.floor(points[on, :2] / options.cell), axis=0, return_counts=True)
    cells = cells[count >= 2] * options.cell
    if not len(cells):
        return []
    squares = shapely.box(cells[:, 0], cells[:, 1], cells[:, 0] + options.cell, cells[:, 1] + options.cell)
    reach = 2 * options.cell
    whole = shapely.union_all([site, *squares, *(_before(foot, site) for foot in feet)])
    whole = whole.buffer(reach).buffer(-reach, join_style="mitre")
    joined = [part for part in shapely.get_parts(whole) if part.intersects(site)]
    return level_panel(GROUND, GROUND, shapely.difference(shapely.union_all(joined), site), height, up=True)


def _height(heights: Array, sigmas: Array, beyond: Array, low: float, options: SurroundingsOptions) -> float:
    """Return the height of the ground outside, which may be a kerb above that of the plan, ``low``.

    It is the weighted median of landmarks (N,) that are outside, but neither on a kerb nor where the map hardly sees.
    """
    near = (beyond > options.kerb) & (beyond < options.ground_reach) & (np.abs(heights - low) < options.ground_step)
    if np.count_nonzero(near) < options.min_landmarks:
        return low
    weights = 1.0 / (sigmas[near] ** 2 + options.near_plane**2)
    return float(weighted_median(heights[near].astype(np.float32), weights.astype(np.float32)))


def _before(foot: shapely.LineString, site: shapely.Geometry) -> shapely.Polygon:
    """Return what lies between a front's foot and the site, straight towards it."""
    corners = shapely.get_coordinates(foot)
    nearest = [shapely.ops.nearest_points(site, shapely.Point(corner))[0] for corner in corners]
    return shapely.convex_hull(shapely.union_all([foot, *nearest]))
