"""What cameras see of the lanes, and from it which cameras a vehicle can't have avoided between two places."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import csgraph

from geometry.cameras import project
from geometry.floorplan import FloorPlan
from geometry.frames import position_of, transform_points
from geometry.lane_graph import Drive, lane_graph
from geometry.location import lane_path
from geometry.records import FixedCamera

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

SPACING_M = 2.0
REACH_M = 25.0
"""Further away a vehicle is too small, or too often hidden, to be surely seen."""
BODY_M = 0.7
"""Height over the floor of the middle of a vehicle."""
MARGIN = 0.05
"""Share of the picture at each side in which a vehicle may be seen or not."""
APPROACH_M = 4.0
"""How much further than the nearest lane point others are still where a vehicle may join the lanes."""
SIGHT_WALL_M = 1.6
"""Walls at least this high hide vehicles."""
STOREY_M = 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Coverage:
    """Lane points (P, 3) in each driving direction, and what is known of them.

    seen: (C, P) whether a camera sees a vehicle there
    times: (C + 1, P, P) float32 least seconds from point to point, avoiding what each camera sees; the last avoids none
    """

    cameras: tuple[str, ...]
    points: Array
    seen: Mask
    times: NDArray[np.float32]

    @classmethod
    def of(cls, plan: FloorPlan, cameras: Sequence[FixedCamera], *, speeding: float = 1.0) -> "Coverage":
        """Sample the lanes every ``SPACING_M`` metres and tabulate the ways; ``speeding`` as of ``TravelTimes``."""
        points, graph = _lane_points(plan, speeding)
        seen = np.array([_sees(plan, camera, points) for camera in cameras]).reshape(len(cameras), len(points))
        times = np.empty((len(cameras) + 1, len(points), len(points)), dtype=np.float32)
        for number in range(len(cameras) + 1):
            free = ~seen[number] if number < len(cameras) else np.ones(len(points), dtype=bool)
            kept = sparse.csr_array(graph * free[:, None] * free[None, :])
            kept.eliminate_zeros()
            times[number] = csgraph.dijkstra(kept)
        return cls(cameras=tuple(camera.id for camera in cameras), points=points, seen=seen, times=times)

    def unavoidable(self, start: Array, end: Array, seconds: Array) -> Mask:
        """Return which cameras (N, C) a vehicle passed on the way from (N, 3) to (N, 3), if it took ``seconds`` (N,).

        Those without which it had taken longer. A camera that may see either place counts as none to be passed.
        """
        starts, ends = self._near(start), self._near(end)
        found = np.zeros((len(seconds), len(self.cameras)), dtype=bool)
        for i, (a, b, time) in enumerate(zip(starts, ends, seconds, strict=True)):
            if not (len(a) and len(b)) or self.times[-1][np.ix_(a, b)].min() > time:
                continue
            quickest = self.times[:-1][np.ix_(np.arange(len(self.cameras)), a, b)].min(axis=(1, 2))
            at_ends = self.seen[:, a].any(axis=1) | self.seen[:, b].any(axis=1)
            found[i] = (quickest > time) & ~at_ends
        return found

    def _near(self, places: Array) -> list[NDArray[np.int64]]:
        """Return the lane points by which each place (N, 3) may be joined."""
        found = []
        for place in places:
            level = np.abs(self.points[:, 2] - place[2]) < STOREY_M
            distance = np.where(level, np.linalg.norm(self.points[:, :2] - place[:2], axis=1), np.inf)
            nearest = distance.min(initial=np.inf)
            found.append(np.flatnonzero(distance <= nearest + APPROACH_M) if np.isfinite(nearest) else np.empty(0, int))
        return found


def _lane_points(plan: FloorPlan, speeding: float) -> tuple[Array, Array]:
    """Return points (P, 3) and the seconds (P, P) from each to those that follow it, 0 for none."""
    drives = lane_graph(plan)
    speed = {lane.id: lane.speed_mps * speeding for lane in plan.lanes}
    paths = {lane.id: lane_path(plan, lane, SPACING_M) for lane in plan.lanes}
    numbers: dict[Drive, NDArray[np.int64]] = {}
    rows: list[Array] = []
    count = 0
    for drive in drives:
        path = paths[drive.lane] if drive.forward else paths[drive.lane][::-1]
        numbers[drive] = np.arange(count, count + len(path))
        rows.append(path)
        count += len(path)
    points = np.concatenate(rows) if rows else np.zeros((0, 3))
    graph = np.zeros((count, count))

    def join(a: int, b: int, lane: str) -> None:
        graph[a, b] = max(float(np.linalg.norm(points[b] - points[a])), 1e-3) / speed[lane]

    for drive, own in numbers.items():
        for a, b in zip(own[:-1].tolist(), own[1:].tolist(), strict=True):
            join(a, b, drive.lane)
    for a_drive, b_drive in drives.edges:
        join(int(numbers[a_drive][-1]), int(numbers[b_drive][0]), a_drive.lane)
    return points, graph


def _sees(plan: FloorPlan, camera: FixedCamera, points: Array) -> Mask:
    """Return at which points (P, 3) of its own level a camera surely sees a vehicle, walls and pillars considered."""
    lens, cam_from_site = camera.camera(), camera.pose()
    eye = position_of(cam_from_site)
    elevation = {level.id: level.elevation for level in plan.levels}.get(camera.level, eye[2])
    near = np.linalg.norm(points[:, :2] - eye[:2], axis=1) < REACH_M
    near &= np.abs(points[:, 2] - elevation) < STOREY_M
    bodies = points + np.array([0.0, 0.0, BODY_M])
    pixels, known = project(lens, transform_points(cam_from_site, bodies))
    size = np.array([camera.width, camera.height])
    inside = ((pixels > MARGIN * size) & (pixels < (1 - MARGIN) * size)).all(axis=1)
    candidates = np.flatnonzero(near & known & inside)
    obstacles = [wall.line for wall in plan.walls if wall.level == camera.level and wall.height >= SIGHT_WALL_M]
    obstacles += [pillar.polygon for pillar in plan.pillars if pillar.level == camera.level]
    sight = shapely.linestrings([[eye[:2], points[i, :2]] for i in candidates]) if len(candidates) else []
    hidden = shapely.intersects(shapely.union_all(obstacles), sight) if len(candidates) else []
    seen = np.zeros(len(points), dtype=bool)
    seen[candidates[~np.asarray(hidden, dtype=bool)]] = True
    return seen
