"""Where a plan in site and a map disagree: walls seen through, structure nobody saw, structure not on the plan."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from geometry.errors import InputError
from geometry.floor_plans import match_levels
from geometry.floor_surfaces import Floors
from geometry.floorplan import FloorPlan
from geometry.plan_evidence import HIGH_M, LOW_M, TOP_M, plan_segments, structure_points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Kind = Literal["seen through", "not seen", "not planned"]

PIECE_M = 1.0
"""Walls are judged in pieces of about this length."""
CLEAR_M = 0.4
"""A ray passes a wall if it begins and ends so far from it, and crosses it this far from its top, foot and ends."""
MIN_PASSES, MIN_VIEWS = 8, 3
"""Rays through a piece, and cameras they come from, that show an opening."""
ON_M = 0.35
"""A landmark this near to a face is on it."""
VISIBLE_M = 9.0
MIN_UNSEEN_M, SUPPORTED = 3.0, 0.1
"""A wall is missing if of its visible length, at least so much, less than this share has landmarks."""
AWAY_M, JOIN_M, MIN_LANDMARKS = 0.6, 1.0, 15
"""Unplanned structure is so far from the plan's, and made of so many landmarks, each near another one."""
SIGN_M = 1.2
MAX_RAYS = 200_000


@dataclass(frozen=True, kw_only=True)
class PlanDisagreement:
    """A place where plan and map disagree. element: of the plan, "" for none; position: (x, y) in site; what: words."""

    kind: Kind
    level: str
    element: str
    position: tuple[float, float]
    what: str


def plan_disagreements(
    plan: FloorPlan,
    floors: Floors,
    landmarks: ArrayLike,
    covariances: ArrayLike | None,
    camera_centres: ArrayLike,
    camera: ArrayLike,
    landmark: ArrayLike,
) -> tuple[PlanDisagreement, ...]:
    """Compare a plan in site with landmarks (L, 3) and who saw them: camera centres (M, 3), and (O,) pairs of indices.

    Only upright structure counts, as vehicles come and go. Blank walls have few landmarks, and glass is seen through:
    each disagreement is a question to whoever drew the plan.
    """
    points, centres = np.asarray(landmarks, dtype=np.float64), np.asarray(camera_centres, dtype=np.float64)
    views, seen = np.asarray(camera, dtype=np.int64), np.asarray(landmark, dtype=np.int64)
    if views.shape != seen.shape or views.ndim != 1:
        raise InputError(f"expected observations (O,) and (O,), got {views.shape} and {seen.shape}")
    found: list[PlanDisagreement] = []
    over = structure_points(floors, points, covariances)
    for index, planned in enumerate(match_levels(floors, plan)):
        if planned < 0:
            continue
        level = plan.levels[planned]
        rows, height = over[index]
        upright = rows[(height > LOW_M[0]) & (height < HIGH_M[1])]
        own = np.isin(seen, upright)
        step = max(1, int(own.sum()) // MAX_RAYS)
        pairs = views[own][::step], seen[own][::step]
        walls = _Walls(plan, level.id)
        found += _seen_through(walls, level.elevation, centres, points, *pairs)
        near = centres[np.abs(centres[:, 2] - level.elevation - floors.camera_height) < 1.0]
        found += _not_seen(plan, walls, near, points[upright, :2])
        found += _not_planned(plan, level.id, points[rows], height)
    return tuple(found)


class _Walls:
    """The walls of a level in pieces: segments (K, 2, 2) with the wall (K,) of each, its height and its thickness."""

    def __init__(self, plan: FloorPlan, level: str) -> None:
        numbers = [k for k, wall in enumerate(plan.walls) if wall.level == level and wall.height >= TOP_M]
        walls = [plan.walls[k] for k in numbers]
        self.level, self.names = level, [f"wall {number}" for number in numbers]
        lines = shapely.segmentize(np.array([wall.line for wall in walls], dtype=object), PIECE_M)
        coordinates, wall = shapely.get_coordinates(lines, return_index=True)
        same = np.flatnonzero(wall[:-1] == wall[1:])
        self.wall = np.asarray(wall[same], dtype=np.int64)
        self.segments = np.stack([coordinates[same], coordinates[same + 1]], axis=1).reshape(-1, 2, 2)
        self.lines = shapely.linestrings(self.segments)
        self.height, self.thickness = np.array([(w.height, w.thickness) for w in walls]).reshape(-1, 2)[self.wall].T

    @property
    def middles(self) -> Array:
        return np.asarray(self.segments.mean(axis=1))

    def places(self, pieces: NDArray[np.bool_]) -> list[tuple[str, float, tuple[float, float]]]:
        """Return name, length and middle of each run of neighbouring pieces of one wall."""
        rows = np.flatnonzero(pieces)
        cut = np.flatnonzero((np.diff(rows) > 1) | (np.diff(self.wall[rows]) > 0)) + 1
        runs = [run for run in np.split(rows, cut) if len(run)]
        lengths = shapely.length(self.lines)
        return [(self.names[self.wall[r[0]]], float(lengths[r].sum()), _xy(self.middles[r].mean(axis=0))) for r in runs]


def _seen_through(
    walls: _Walls, elevation: float, centres: Array, points: Array, view: Indices, landmark: Indices
) -> list[PlanDisagreement]:
    """Find pieces of wall that more rays to landmarks cross, well away from both ends, than landmarks lie on."""
    if len(walls.segments) == 0 or len(view) == 0:
        return []
    start, end = centres[view], points[landmark]
    rays = shapely.linestrings(np.stack([start[:, :2], end[:, :2]], axis=1))
    piece, ray = shapely.STRtree(rays).query(walls.lines, predicate="intersects")
    a, way = walls.segments[piece, 0], walls.segments[piece, 1] - walls.segments[piece, 0]
    length = np.linalg.norm(way, axis=1)
    across = np.column_stack([-way[:, 1], way[:, 0]]) / length[:, None]
    before = np.sum((start[ray, :2] - a) * across, axis=1)
    after = np.sum((end[ray, :2] - a) * across, axis=1)
    share = before / np.where(np.abs(before - after) > 1e-9, before - after, np.inf)
    z = start[ray, 2] + share * (end[ray, 2] - start[ray, 2]) - elevation
    clear = CLEAR_M + walls.thickness[piece] / 2
    passes = (np.abs(before) > clear) & (np.abs(after) > clear) & (z > CLEAR_M) & (z < walls.height[piece] - CLEAR_M)
    count = np.bincount(piece[passes], minlength=len(walls.segments))
    viewers = np.unique(np.column_stack([piece, view[ray]])[passes], axis=0)[:, 0]
    cameras = np.bincount(viewers, minlength=len(walls.segments))
    landed = np.unique(landmark)
    support = _count_near(walls.lines, points[landed, :2], ON_M)
    through = (count >= MIN_PASSES) & (cameras >= MIN_VIEWS) & (count > 2 * support)
    return [
        PlanDisagreement(
            kind="seen through",
            level=walls.level,
            element=name,
            position=position,
            what=f"cameras see through {length_m:.0f} m of it: an opening, glass, or no wall",
        )
        for name, length_m, position in walls.places(through)
    ]


def _not_seen(plan: FloorPlan, walls: _Walls, cameras: Array, upright: Array) -> list[PlanDisagreement]:
    """Find walls and pillars that cameras (M, 3) were near to, with nothing between, but that show no landmark."""
    found = []
    pillars = [pillar for pillar in plan.pillars if pillar.level == walls.level]
    shapes = np.array([pillar.polygon for pillar in pillars], dtype=object)
    if len(walls.segments):
        visible = _visible(walls.middles, cameras, walls)
        supported = _count_near(walls.lines, upright, ON_M) > 0
        lengths = shapely.length(walls.lines) * visible
        total = np.bincount(walls.wall, lengths)
        shown = np.bincount(walls.wall, lengths * supported)
        for wall in np.flatnonzero((total >= MIN_UNSEEN_M) & (shown < SUPPORTED * total)):
            own = (walls.wall == wall) & visible
            found.append(
                PlanDisagreement(
                    kind="not seen",
                    level=walls.level,
                    element=walls.names[wall],
                    position=_xy(walls.middles[own].mean(axis=0)),
                    what=f"no landmark on {total[wall]:.0f} m of it that cameras were near to: blank, or no wall",
                )
            )
    if len(pillars):
        middle = shapely.get_coordinates(shapely.centroid(shapes))
        missing = _visible(middle, cameras, walls) & (_count_near(shapes, upright, ON_M) == 0)
        found += [
            PlanDisagreement(
                kind="not seen",
                level=walls.level,
                element=pillars[k].id,
                position=_xy(middle[k]),
                what="no landmark on it, though cameras were near: blank, or no pillar",
            )
            for k in np.flatnonzero(missing)
        ]
    return found


def _not_planned(plan: FloorPlan, level: str, points: Array, height: Array) -> list[PlanDisagreement]:
    """Find heaps of landmarks (N, 3) from low to high above the floor that stand away from all the plan has."""
    segments = np.concatenate([plan_segments(plan, level, kind) for kind in ("high", "low")])
    solid = [pillar.polygon for pillar in plan.pillars if pillar.level == level]
    solid += [thing.polygon for thing in plan.exclusions if thing.level == level]
    signs = [sign.position for sign in plan.signs if sign.level == level]
    xy = shapely.points(points[:, :2])
    away = np.ones(len(points), dtype=bool)
    for shapes, margin in (
        (list(shapely.linestrings(segments)) if len(segments) else [], AWAY_M),
        (solid, AWAY_M),
        (signs, SIGN_M),
    ):
        if shapes:
            point, _ = shapely.STRtree(np.array(shapes, dtype=object)).query(xy, predicate="dwithin", distance=margin)
            away[point] = False
    inside = shapely.contains_properly(next(floor.outline for floor in plan.levels if floor.id == level), xy)
    rows = np.flatnonzero(away & inside & (height > LOW_M[0]) & (height < HIGH_M[1]))
    if len(rows) == 0:
        return []
    tall = rows[height[rows] > HIGH_M[0]]
    pairs = cKDTree(points[tall, :2]).query_pairs(JOIN_M, output_type="ndarray") if len(tall) else np.zeros((0, 2), int)
    graph = csr_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(tall), len(tall)))
    count, part = connected_components(graph, directed=False) if len(tall) else (0, np.zeros(0, int))
    found = []
    for heap in np.flatnonzero(np.bincount(part, minlength=count) >= MIN_LANDMARKS):
        own = points[tall[part == heap], :2]
        foot = cKDTree(own).query(points[rows, :2], distance_upper_bound=JOIN_M)[0] < JOIN_M
        if np.count_nonzero(height[rows[foot]] < LOW_M[1]) < MIN_LANDMARKS // 2:
            continue  # it hangs
        x, y = np.ptp(own, axis=0)
        found.append(
            PlanDisagreement(
                kind="not planned",
                level=level,
                element="",
                position=_xy(own.mean(axis=0)),
                what=f"{len(own)} landmarks above {HIGH_M[0]} m over {x:.1f} x {y:.1f} m, away from what is planned",
            )
        )
    return found


def _visible(targets: Array, cameras: Array, walls: _Walls) -> NDArray[np.bool_]:
    """Tell (N,) which targets (N, 2) at least ``MIN_VIEWS`` cameras (M, 3) were near to, with no wall between."""
    if len(cameras) == 0:
        return np.zeros(len(targets), dtype=bool)
    near = cKDTree(targets).sparse_distance_matrix(cKDTree(cameras[:, :2]), VISIBLE_M, output_type="ndarray")
    target, camera, distance = near["i"], near["j"], near["v"]
    share = np.maximum(distance - CLEAR_M, 0.0) / np.maximum(distance, 1e-9)
    eye = cameras[camera, :2]
    sights = shapely.linestrings(np.stack([eye, eye + share[:, None] * (targets[target] - eye)], axis=1))
    free = np.ones(len(sights), dtype=bool)
    if len(walls.lines):
        free[shapely.STRtree(walls.lines).query(sights, predicate="intersects")[0]] = False
    return np.bincount(target[free], minlength=len(targets)) >= MIN_VIEWS


def _count_near(shapes: Any, points: Array, distance: float) -> Indices:
    """Return how many points (N, 2) are near each of the shapes (K,)."""
    if len(points) == 0 or len(shapes) == 0:
        return np.zeros(len(shapes), dtype=np.int64)
    shape, _ = shapely.STRtree(shapely.points(points)).query(shapes, predicate="dwithin", distance=distance)
    return np.bincount(shape, minlength=len(shapes))


def _xy(point: Array) -> tuple[float, float]:
    return round(float(point[0]), 2), round(float(point[1]), 2)
