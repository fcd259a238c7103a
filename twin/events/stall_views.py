"""Which stalls each camera sees, past walls and pillars, and past what is parked before them right now."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray

from geometry.cameras import project
from geometry.floorplan import FloorPlan, Stall
from geometry.frames import position_of, transform_points
from geometry.records import FixedCamera
from perception.occupancy.network import StallSight

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BODY_M = 0.7
"""Height above the floor at which a parked vehicle shows."""
ACROSS = (-0.3, 0.0, 0.3)
ALONG = (-0.35, 0.0, 0.35)
POINTS = len(ACROSS) * len(ALONG)
"""Points of a stall, in shares of its width and depth from its middle."""
SMALLEST_PX = 14.0
"""A vehicle of 1.5 m that is less high in the picture can't be counted on to be found."""
VEHICLE_M = 1.5
ABOVE_WALLS_M = 0.3
"""A wall that ends this far below the line of sight does not block it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class StallViews:
    """Lines of sight from C cameras to points of S stalls.

    stalls: their ids; cameras: their ids; points: (S, K, 3) site metres; eyes: (C, 3)
    seen: (C, S, K) whether a camera sees a point of an otherwise empty facility
    """

    stalls: tuple[str, ...]
    cameras: tuple[str, ...]
    points: Array
    eyes: Array
    seen: Mask

    @classmethod
    def of(cls, plan: FloorPlan, cameras: Sequence[FixedCamera], *, height: float = BODY_M) -> Self:
        """Cast the lines of sight past the plan's walls and pillars; a camera only sees stalls of its own level.

        height: metres above the floor of the points that are looked at
        """
        elevations = {level.id: level.elevation for level in plan.levels}
        points = np.array([_points(stall, elevations[stall.level] + height) for stall in plan.stalls])
        points = points.reshape(-1, POINTS, 3)
        eyes = np.array([position_of(camera.pose()) for camera in cameras]).reshape(-1, 3)
        seen = np.zeros((len(cameras), *points.shape[:2]), dtype=np.bool_)
        for i, camera in enumerate(cameras):
            levels = {camera.level} if camera.level in elevations else set(elevations)
            own = np.array([stall.level in levels for stall in plan.stalls], dtype=np.bool_)
            rows = np.flatnonzero(own)
            flat = points[rows].reshape(-1, 3)
            visible = _in_picture(camera, flat)
            index = np.flatnonzero(visible)
            for level in levels:
                visible[index] &= ~_blocked(plan, level, elevations[level], eyes[i], flat[index])
            seen[i, rows] = visible.reshape(len(rows), POINTS)
        ids = tuple(stall.id for stall in plan.stalls)
        return cls(stalls=ids, cameras=tuple(c.id for c in cameras), points=points, eyes=eyes, seen=seen)

    def past(self, boxes: Array, inside: NDArray[np.int64]) -> Mask:
        """Tell which points (C, S, K) cameras see past vehicles.

        boxes: (V, 7) of vehicles: x, y, z of the ground under their middle, heading, length, width, height
        inside: (V,) the stall each stands in, which it does not hide, or -1
        """
        seen = self.seen.copy()
        camera, stall, point = np.nonzero(seen)
        hidden = np.zeros(len(camera), dtype=np.bool_)
        for box, own in zip(boxes, inside.tolist(), strict=True):
            # Only lines that end farther away than the vehicle can be cut by it.
            hidden |= (stall != own) & _cut(self.eyes[camera], self.points[stall, point], box)
        seen[camera, stall, point] = ~hidden
        return seen

    def shares(self, boxes: Array, inside: NDArray[np.int64]) -> Array:
        """Return the share (C, S) of each stall's points that cameras see past vehicles, as of ``past``."""
        return np.asarray(self.past(boxes, inside).mean(axis=2))


def seen_stalls(plan: FloorPlan, camera: FixedCamera) -> dict[str, Array]:
    """Return the corners (4, 3), site metres, of each stall with four of them that a camera sees past walls."""
    elevations = {level.id: level.elevation for level in plan.levels}
    seen = StallViews.of(plan, [camera]).seen[0].any(axis=1).tolist()
    found = {}
    for stall, is_seen in zip(plan.stalls, seen, strict=True):
        ring = shapely.get_coordinates(stall.polygon)
        if is_seen and len(ring) == 5:
            found[stall.id] = np.column_stack([ring[:4], np.full(4, elevations[stall.level])])
    return found


def stall_sights(plan: FloorPlan, cameras: Sequence[FixedCamera]) -> dict[str, StallSight]:
    """Return how to cut the stalls that cameras see out of their pictures, of those that see any."""
    corners = {camera.id: seen_stalls(plan, camera) for camera in cameras}
    return {
        camera.id: StallSight.of(camera.camera(), camera.pose(), corners[camera.id])
        for camera in cameras
        if corners[camera.id]
    }


def _points(stall: Stall, z: float) -> Array:
    """Return points (K, 3) of a stall at a height in site."""
    corners = np.array(stall.polygon.exterior.coords)[:4]
    middle = corners.mean(axis=0)
    across, along = corners[1] - corners[0], (corners[2] + corners[3] - corners[0] - corners[1]) / 2
    xy = [middle + a * across + b * along for a in ACROSS for b in ALONG]
    return np.column_stack([np.array(xy), np.full(len(xy), z)])


def _in_picture(camera: FixedCamera, points: Array) -> Mask:
    """Tell which points (N, 3) are in a camera's picture, near enough for a vehicle there to be found."""
    lens, pose = camera.camera(), camera.pose()
    pixels, known = project(lens, transform_points(pose, points))
    inside = known & (pixels >= 0).all(axis=1) & (pixels < np.array([camera.width, camera.height])).all(axis=1)
    distance = np.linalg.norm(points - position_of(pose), axis=1)
    return np.asarray(inside & (_focal(lens) * VEHICLE_M / np.maximum(distance, 1e-3) >= SMALLEST_PX))


def _focal(lens: pycolmap.Camera) -> float:
    return float(np.mean([lens.params[i] for i in lens.focal_length_idxs()]))


def _blocked(plan: FloorPlan, level: str, elevation: float, eye: Array, points: Array) -> Mask:
    """Tell to which points (N, 3) the line of sight is cut by a level's pillars, or by walls higher than the line."""
    starts = np.broadcast_to(eye[:2], (len(points), 2))
    lines = shapely.linestrings(np.stack([starts, points[:, :2]], axis=1))
    pillars = [each.polygon for each in plan.pillars if each.level == level]
    blocked = np.zeros(len(points), dtype=np.bool_)
    if pillars:
        blocked |= np.isin(np.arange(len(points)), shapely.STRtree(pillars).query(lines, "intersects")[0])
    for wall in plan.walls:
        if wall.level != level:
            continue
        cut = np.flatnonzero(shapely.intersects(lines, wall.line) & ~blocked)
        where = shapely.get_coordinates(shapely.centroid(shapely.intersection(lines[cut], wall.line)))
        length = np.linalg.norm(points[cut, :2] - eye[:2], axis=1)
        share = np.linalg.norm(where - eye[:2], axis=1) / np.maximum(length, 1e-9)
        height = eye[2] + share * (points[cut, 2] - eye[2]) - elevation
        blocked[cut] |= height < wall.height + ABOVE_WALLS_M
    return blocked


def _cut(starts: Array, ends: Array, box: Array) -> Mask:
    """Tell which segments (N, 3) pass through an upright box (7,): slabs in the box's own frame."""
    cos, sin = np.cos(box[3]), np.sin(box[3])
    turn = np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    a, b = (starts - box[:3]) @ turn.T, (ends - box[:3]) @ turn.T
    low = np.array([-box[4] / 2, -box[5] / 2, 0.0])
    high = np.array([box[4] / 2, box[5] / 2, 0.85 * box[6]])
    step = np.where(np.abs(b - a) < 1e-9, 1e-9, b - a)
    first, second = (low - a) / step, (high - a) / step
    enter, leave = np.minimum(first, second).max(axis=1), np.maximum(first, second).min(axis=1)
    return np.asarray((enter < leave) & (leave > 0) & (enter < 1))
