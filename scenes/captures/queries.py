"""Photos to localize: from anywhere, in any direction, turned, too close, with people in them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.location import locate
from scenes.captures.day import Day, random_point
from scenes.captures.views import View, look
from scenes.rendering.raycasting import cast_rays
from scenes.rendering.rays import camera_rays, rays_in_site

Array = NDArray[np.float64]

EPOCH_S = 1_749_150_000.0
"""When the first photo is taken, some days after the walk."""
BETWEEN_S = 60.0
MAX_DRAWS = 400
KINDS = {"roaming": 0.6, "turned": 0.15, "person": 0.15, "close-up": 0.1}
"""Shares of the kinds of photos."""
HEIGHTS_M = (1.2, 1.9)
THUMBNAIL_PX = 40
MIN_SEEN, MIN_DEPTH_M, MAX_TOO_NEAR = 0.5, 0.6, 0.15
"""A photo sees surfaces in so much of its picture, and little of it nearer than this."""
CLOSE_UP_M = (0.45, 1.5)
PERSON_M = (1.8, 6.0)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Scenery:
    """What photos are drawn from; ``levels`` are indices with their shares of the room."""

    plan: FloorPlan
    day: Day
    raycaster: Any
    camera: pycolmap.Camera
    levels: NDArray[np.int64]
    shares: Array
    accept: Callable[[pycolmap.Rigid3d], bool]


def query_views(
    plan: FloorPlan,
    day: Day,
    raycaster: Any,
    camera: pycolmap.Camera,
    *,
    seed: Sequence[int],
    count: int,
    levels: Sequence[str] | None = None,
    accept: Callable[[pycolmap.Rigid3d], bool] = lambda cam_from_site: True,
) -> list[View]:
    """Return ``count`` photos taken on ``day``; photo i depends on ``seed`` and i, not on ``count``.

    raycaster: of what stands there that day; accept: tells whether a photo from a pose will do. Raises ``InputError``
    where no spot or no view of a kind is found.
    """
    chosen = [i for i, level in enumerate(plan.levels) if levels is None or level.id in levels]
    areas = np.array([day.room[plan.levels[i].id].area for i in chosen])
    if not areas.sum() > 0:
        raise InputError("there is no room to stand with a camera", remedy="Choose other levels, or clear some ground.")
    scenery = _Scenery(
        plan=plan, day=day, raycaster=raycaster, camera=camera, levels=np.array(chosen), shares=areas / areas.sum(),
        accept=accept,
    )  # fmt: skip
    poses = [_draw(scenery, np.random.default_rng([*seed, index]), index) for index in range(count)]
    positions = np.array([pose.inverse().translation for pose in poses]).reshape(-1, 3)
    on = [plan.levels[i].id if i >= 0 else "" for i in locate(plan, positions).level]
    return [
        View(image=f"{i:04d}.jpg", camera=camera, cam_from_site=poses[i], time=EPOCH_S + BETWEEN_S * i, level=on[i])
        for i in range(count)
    ]


def _draw(scenery: _Scenery, rng: np.random.Generator, index: int) -> pycolmap.Rigid3d:
    for _ in range(MAX_DRAWS):
        kind = str(rng.choice(list(KINDS), p=list(KINDS.values())))
        if kind == "person" and not len(scenery.day.people):
            kind = "roaming"
        pose = _draw_kind(scenery, rng, index, kind)
        if scenery.accept(pose):
            return pose
    raise InputError(f"found no photo {index} that will do", remedy="Ask for less, or let the walk see more.")


def _draw_kind(scenery: _Scenery, rng: np.random.Generator, index: int, kind: str) -> pycolmap.Rigid3d:
    for _ in range(MAX_DRAWS):
        pose = _person_pose(scenery, rng) if kind == "person" else _any_pose(scenery, rng, kind)
        if pose is not None and _is_worth_it(scenery, pose, kind):
            return pose
    raise InputError(f"found no {kind} view for photo {index}", remedy="Choose other levels, or clear some ground.")


def _any_pose(scenery: _Scenery, rng: np.random.Generator, kind: str) -> pycolmap.Rigid3d | None:
    level = scenery.plan.levels[int(rng.choice(scenery.levels, p=scenery.shares))]
    point = random_point(scenery.day.room[level.id], rng)
    yaw, height = rng.uniform(-np.pi, np.pi), rng.uniform(*HEIGHTS_M)
    pitch, roll = rng.normal(0, np.radians([8.0, 4.0]))
    if kind == "turned":
        roll += float(rng.choice([-np.pi / 2, np.pi / 2, np.pi])) + rng.normal(0, np.radians(8.0))
    if kind == "close-up":
        pitch += float(rng.choice([0.0, 0.0, np.radians(-50.0)]))
    return None if point is None else look((*point, level.elevation + height), yaw, pitch, roll)


def _person_pose(scenery: _Scenery, rng: np.random.Generator) -> pycolmap.Rigid3d | None:
    """Look at somebody, from a spot where a camera can be."""
    day = scenery.day
    number = int(rng.integers(len(day.people)))
    person, level = day.people[number], day.people_levels[number]
    turn, distance = rng.uniform(-np.pi, np.pi), rng.uniform(*PERSON_M)
    point = person[:2] - distance * np.array([np.cos(turn), np.sin(turn)])
    allowed = level in [scenery.plan.levels[i].id for i in scenery.levels]
    height, yaw = rng.uniform(*HEIGHTS_M), turn + rng.normal(0, 0.25)
    pitch, roll = rng.normal(0, np.radians([6.0, 4.0]))
    if not (allowed and shapely.contains_xy(day.room[level], *point)):
        return None
    return look((*point, person[2] + height), yaw, pitch, roll)


def _is_worth_it(scenery: _Scenery, cam_from_site: pycolmap.Rigid3d, kind: str) -> bool:
    """Tell whether the view shows surfaces, and whether they are as near as its kind says."""
    camera = scenery.camera
    thumbnail = pycolmap.Camera(camera.todict())
    thumbnail.rescale(THUMBNAIL_PX, max(2, round(THUMBNAIL_PX * camera.height / camera.width)))
    rays = rays_in_site(camera_rays(thumbnail).rays, cam_from_site).reshape(-1, 3)
    start = cam_from_site.inverse().translation.astype(np.float32)
    depth = cast_rays(scenery.raycaster, start, rays).distance
    if kind == "close-up":
        return bool(CLOSE_UP_M[0] < np.median(depth) < CLOSE_UP_M[1])
    return bool(np.isfinite(depth).mean() >= MIN_SEEN and (depth < MIN_DEPTH_M).mean() < MAX_TOO_NEAR)
