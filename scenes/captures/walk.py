"""A surveyor's walk with a phone: along every walk path, both ways where so, looking ahead and to the sides."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from geometry.errors import InputError
from geometry.floorplan import FloorPlan, Lane
from geometry.location import lane_path, locate
from scenes.captures.views import View, look
from scenes.facility import Facility, WalkPath
from scenes.polylines import distances_along, even_distances, points_at

Array = NDArray[np.float64]

EPOCH_S = 1_748_858_400.0
"""When the walk begins: a morning in June 2025."""
PACE_MPS = 1.0
PAUSE_S = 20.0
"""Between two paths."""
FINE_M = 0.1
CORNER_M = 0.7
"""Corners are rounded by a Gaussian of this sigma along the path."""
TURN_M_PER_RAD = 2.3
"""Turning by a radian takes as long as walking this far, so that a turn has its pictures too."""
SWEEP, SWEEP_M = np.radians(38.0), 18.0
"""How far the gaze goes to either side, and how far one walks meanwhile."""
HEIGHT_M, HEIGHTS_M = 1.6, (1.5, 1.7)
SHAKE_M = 1.0
"""Hand shake is correlated over this way."""
SHAKE = {"yaw": 0.03, "pitch": 0.035, "roll": 0.025, "aside": 0.02, "height": 0.03}
"""Standard deviations of hand shake, radians and metres."""
PITCH = -0.06


@dataclass(frozen=True, kw_only=True, eq=False)
class _Way:
    """A path in steps of ``FINE_M``, walked or as long in turning: floor points (N, 3), headings (N,) unwrapped."""

    id: str
    floor: Array
    heading: Array

    @property
    def length(self) -> float:
        return FINE_M * (len(self.floor) - 1)


def walk_views(
    facility: Facility,
    plan: FloorPlan,
    camera: pycolmap.Camera,
    rng: np.random.Generator,
    *,
    step_m: float = 0.7,
    levels: Sequence[str] | None = None,
    limit: int | None = None,
) -> list[View]:
    """Return the pictures of a walk, one every ``step_m`` or, where that is more than ``limit``, evenly fewer.

    Each path is a sequence of its own. With ``levels``, only paths that stay on them are walked. Raises
    ``InputError`` where there is nothing to walk, or more paths than pictures.
    """
    ways = [way for path in facility.walks if _stays_on(way := _way(path, plan), plan, levels)]
    if not ways:
        raise InputError("there is no path to walk", where=facility.name, remedy="Give it walks, or other levels.")
    step = max(step_m, _step_for(ways, limit))
    views: list[View] = []
    start_s = EPOCH_S
    for way in ways:
        views += _views(way, plan, camera, rng, step, start_s, len(views))
        start_s += way.length / PACE_MPS + PAUSE_S
    return views


def _step_for(ways: Sequence[_Way], limit: int | None) -> float:
    if limit is None:
        return 0.0
    if limit <= len(ways):
        raise InputError(f"{limit} pictures are too few for {len(ways)} paths", remedy=f"At least {len(ways) + 1}.")
    return sum(way.length for way in ways) / (limit - len(ways))


def _way(path: WalkPath, plan: FloorPlan) -> _Way:
    lane = Lane(id=path.id, level=path.level, line=shapely.LineString(path.line))
    points = lane_path(plan, lane, FINE_M)
    along = distances_along(points[:, :2])
    floor = points_at(even_distances(along[-1], FINE_M), along, points)
    floor[:, :2] = gaussian_filter1d(floor[:, :2], CORNER_M / FINE_M, axis=0, mode="nearest")
    ahead = np.gradient(floor[:, :2], axis=0)
    heading = np.unwrap(np.arctan2(ahead[:, 1], ahead[:, 0]))
    if path.both_ways:
        about = heading[-1] + np.linspace(0.0, np.pi, 64)
        floor = np.vstack([floor, np.tile(floor[-1], (len(about), 1)), floor[::-1]])
        heading = np.concatenate([heading, about, heading[::-1] + np.pi])
    return _evenly(path.id, floor, heading)


def _evenly(id: str, floor: Array, heading: Array) -> _Way:
    """Return the way in even steps of what takes longer, walking or turning."""
    walked = np.linalg.norm(np.diff(floor, axis=0, prepend=floor[:1]), axis=1)
    turned = TURN_M_PER_RAD * np.abs(np.diff(heading, prepend=heading[:1]))
    taken = np.cumsum(np.maximum(walked, turned))
    even = np.arange(0.0, taken[-1], FINE_M)
    floor = points_at(even, taken, floor)
    return _Way(id=id, floor=floor, heading=np.interp(even, taken, heading))


def _stays_on(way: _Way, plan: FloorPlan, levels: Sequence[str] | None) -> bool:
    chosen = [index for index, level in enumerate(plan.levels) if levels is None or level.id in levels]
    return levels is None or bool(np.isin(locate(plan, way.floor + np.array([0, 0, HEIGHT_M])).level, chosen).all())


def _views(
    way: _Way,
    plan: FloorPlan,
    camera: pycolmap.Camera,
    rng: np.random.Generator,
    step: float,
    start_s: float,
    first: int,
) -> list[View]:
    at = np.round(np.arange(0.0, way.length + 1e-6, step) / FINE_M).astype(np.int64)
    shake = {name: sigma * _smooth_noise(rng, len(way.floor))[at] for name, sigma in SHAKE.items()}
    sweep = SWEEP * np.sin(2 * np.pi * (FINE_M * at / SWEEP_M + rng.random()))
    yaw = way.heading[at] + sweep + shake["yaw"]
    position = way.floor[at] + np.column_stack([shake["aside"] * -np.sin(yaw), shake["aside"] * np.cos(yaw), 0 * yaw])
    position[:, 2] += np.clip(HEIGHT_M + shake["height"], *HEIGHTS_M)
    levels = [plan.levels[index].id if index >= 0 else "" for index in locate(plan, position).level]
    return [
        View(
            image=f"{first + i:04d}.jpg",
            camera=camera,
            cam_from_site=look(position[i], yaw[i], PITCH + shake["pitch"][i], shake["roll"][i]),
            time=start_s + FINE_M * float(at[i]) / PACE_MPS,
            level=levels[i],
            sequence=way.id,
        )
        for i in range(len(at))
    ]


def _smooth_noise(rng: np.random.Generator, count: int) -> Array:
    """Return noise (count,) of unit variance whose correlation is a Gaussian of sigma ``SHAKE_M`` * sqrt(2)."""
    sigma = SHAKE_M / FINE_M
    return gaussian_filter1d(rng.standard_normal(count), sigma, mode="wrap") * np.sqrt(2 * sigma * np.sqrt(np.pi))
