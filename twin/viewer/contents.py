"""The layers of a twin: landmarks, the walk's cameras, fixed cameras, the plan, tracks, and photos localized in it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import FixedCamera, FloorPlan, position_covariance, position_of
from geometry.track_records import TrackRow
from twin.export.glb import FRUSTUM_EDGES, frustum_corners
from twin.export.parts import fixed_cameras, landmark_points
from twin.localization import Localization
from twin.model import Twin
from twin.surface import Surface
from twin.viewer.colouring import MODES, by_age, by_level, by_use, of_tracks
from twin.viewer.layers import NO_LEVEL, Lines, Points, levels_of, lines, polyline

Array = NDArray[np.float64]

WALK_FRUSTUM_M, FIXED_FRUSTUM_M = 0.3, 1.0
SIGMAS_90 = 2.5003
"""Half axes of the ellipsoid that holds 90 % of a normal distribution in three dimensions, in sigmas."""
LEAST_ELLIPSOID_M = 0.02
"""A smaller one is drawn at this size, so that it can be seen."""
PLAN_LIFT_M = 0.03
"""Lines on a floor are drawn so far above it, so that it does not hide them."""
MOST_RAYS, CROSS_M = 60, 0.06
"""Of the rays to the landmarks that a photo was found by so many are drawn, and a cross at each landmark."""
GREEN, ORANGE, WHITE, BLUE, RED = (60, 200, 90), (255, 140, 0), (235, 235, 235), (70, 140, 255), (230, 60, 50)


@dataclass(frozen=True, kw_only=True)
class Localized:
    """A photo that was localized: the answer, its camera, and the landmarks (N, 3) in site that it was found by."""

    answer: Localization
    camera: pycolmap.Camera
    landmarks: Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Contents:
    """Everything to look at. ``modes`` are colours (L, 3) of the landmarks by their names in ``colouring.MODES``."""

    surface: Surface | None
    landmarks: Points
    modes: dict[str, NDArray[np.uint8]]
    layers: dict[str, Lines]
    storeys: tuple[float, ...]
    names: tuple[str, ...]
    cameras: tuple[FixedCamera, ...] = ()
    photos: tuple[Localized, ...] = ()

    @property
    def around(self) -> Array:
        """What an overview shows (N, 3) in site: the plan, else where the walk went, else the landmarks."""
        for name in ("plan", "walk"):
            if len(self.layers[name]):
                return self.layers[name].segments.reshape(-1, 3)
        return self.landmarks.positions


def contents_of(twin: Twin, *, tracks: Sequence[TrackRow] = (), photos: Sequence[Localized] = ()) -> Contents:
    """Return what a twin, tracks in its site and photos localized in it show."""
    storeys = twin.storeys
    names = [f"level {number}" for number in range(len(storeys))]
    if twin.plan is not None:
        names = [level.id for level in sorted(twin.plan.levels, key=lambda level: level.elevation)]
    positions, colours = landmark_points(twin)
    landmarks = Points(
        name="landmarks", positions=positions, colours=colours, level=levels_of(positions[:, 2], storeys)
    )
    modes = {"photo": colours, "level": by_level(landmarks.level)}
    if len(positions) == len(twin.landmarks):
        modes |= {"use": by_use(twin.landmarks), "age": by_age(twin.landmarks)}
    cameras = fixed_cameras(twin.folder)
    layers = {
        "walk": _walk(twin, storeys),
        "cameras": _fixed(cameras, storeys),
        "plan": lines("plan", []) if twin.plan is None else _plan(twin.plan, storeys),
        "tracks": _tracks(tracks, storeys),
        "photos": _photos(photos, storeys),
    }
    return Contents(
        surface=twin.surface,
        landmarks=landmarks,
        modes={mode: modes[mode] for mode in MODES if mode in modes},
        layers=layers,
        storeys=tuple(storeys),
        names=tuple(names),
        cameras=cameras,
        photos=tuple(photos),
    )


def tracks_until(rows: Iterable[TrackRow], time: float, storeys: Sequence[float]) -> Lines:
    """Return the paths of tracks up to a time."""
    return _tracks([row for row in rows if row.time <= time], storeys)


def ellipsoid(centre: Array, covariance: Array) -> Array:
    """Return three ellipses (N, 2, 3) of segments around the 90 % ellipsoid of a covariance (3, 3) in site."""
    values, axes = np.linalg.eigh(covariance)
    half = np.maximum(SIGMAS_90 * np.sqrt(np.maximum(values, 0.0)), LEAST_ELLIPSOID_M)
    turn = np.linspace(0.0, 2.0 * np.pi, 25)[:-1]
    rings = []
    for i, j in ((0, 1), (1, 2), (2, 0)):
        ring = np.outer(np.cos(turn), half[i] * axes[:, i]) + np.outer(np.sin(turn), half[j] * axes[:, j])
        rings.append(polyline(centre + ring, closed=True))
    return np.concatenate(rings)


def _walk(twin: Twin, storeys: Sequence[float]) -> Lines:
    poses = [twin.view_poses[name] for name in twin.landmarks.views]
    parts: list[tuple[Array, Any, int]] = []
    for pose in poses:
        level = int(levels_of(position_of(pose)[2:], storeys)[0])
        site_from_cam = pose.inverse().matrix()
        tip = np.array([[0, 0, 0], [-0.4, -0.3, 1], [0.4, -0.3, 1], [0.4, 0.3, 1], [-0.4, 0.3, 1.0]]) * WALK_FRUSTUM_M
        corners = tip @ site_from_cam[:, :3].T + site_from_cam[:, 3]
        parts.append((corners[FRUSTUM_EDGES], BLUE, level))
    return lines("walk", parts)


def _fixed(cameras: Sequence[FixedCamera], storeys: Sequence[float]) -> Lines:
    parts: list[tuple[Array, Any, int]] = []
    for camera in cameras:
        pose = camera.pose()
        level = int(levels_of(position_of(pose)[2:], storeys)[0])
        parts.append((frustum_corners(camera, FIXED_FRUSTUM_M)[FRUSTUM_EDGES], ORANGE, level))
        if camera.covariance is not None:
            spread = position_covariance(pose, np.array(camera.covariance))
            parts.append((ellipsoid(position_of(pose), spread), RED, level))
    return lines("cameras", parts)


def _plan(plan: FloorPlan, storeys: Sequence[float]) -> Lines:
    height = {level.id: level.elevation for level in plan.levels}
    lift = partial(_lifted, storeys=storeys)
    parts = [lift(stall.polygon.exterior.coords, height[stall.level], WHITE) for stall in plan.stalls]
    parts += [lift(level.outline.exterior.coords, level.elevation, GREEN) for level in plan.levels]
    parts += [lift(lane.line.coords, height[lane.level], (255, 220, 80)) for lane in plan.lanes]
    parts += [lift(zone.polygon.exterior.coords, height[zone.level], (190, 120, 255)) for zone in plan.zones]
    parts += [lift(gate.line.coords, height[gate.level], RED) for gate in plan.gates]
    return lines("plan", parts)


def _lifted(coords: Any, z: float, colour: Any, *, storeys: Sequence[float]) -> tuple[Array, Any, int]:
    flat = np.array(coords, dtype=np.float64)[:, :2]
    points = np.column_stack([flat, np.full(len(flat), z + PLAN_LIFT_M)])
    return polyline(points), colour, int(levels_of([z], storeys)[0])


def _tracks(rows: Iterable[TrackRow], storeys: Sequence[float]) -> Lines:
    known = sorted((row.track, row.time, *row.position) for row in rows)
    if len(known) < 2:
        return lines("tracks", [])
    table = np.array(known, dtype=np.float64)
    ids, positions = table[:, 0].astype(np.int64), table[:, 2:] + (0.0, 0.0, PLAN_LIFT_M)
    same = ids[1:] == ids[:-1]
    segments = np.stack([positions[:-1], positions[1:]], axis=1)[same]
    level = levels_of(segments[:, 0, 2], storeys) if len(storeys) else np.full(len(segments), NO_LEVEL)
    return Lines(name="tracks", segments=segments, colours=of_tracks(ids[1:][same]), level=level)


def _photos(photos: Iterable[Localized], storeys: Sequence[float]) -> Lines:
    parts: list[tuple[Array, Any, int]] = []
    for photo in photos:
        if photo.answer.status != "ok":
            continue
        pose = photo.answer.cam_from_site
        centre = position_of(pose)
        level = int(levels_of(centre[2:], storeys)[0])
        shown = FixedCamera.of("photo", photo.camera, pose, level="")
        parts.append((frustum_corners(shown, FIXED_FRUSTUM_M)[FRUSTUM_EDGES], GREEN, level))
        seen = photo.landmarks[:: max(1, len(photo.landmarks) // MOST_RAYS)]
        parts.append((np.stack([np.broadcast_to(centre, seen.shape), seen], axis=1), (90, 170, 110), level))
        arms = np.concatenate([photo.landmarks[:, None] + CROSS_M * np.array([-axis, axis]) for axis in np.eye(3)])
        parts.append((arms, GREEN, level))
        parts.append((ellipsoid(centre, np.array(photo.answer.position_covariance)), RED, level))
    return lines("photos", parts)
