"""Captures of a place: a walk for the map, query photos from anywhere, and their pictures with truth."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pycolmap
import shapely
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from geometry.errors import InputError
from geometry.frames import pose_from_position
from scenes.authoring import Place
from scenes.noise import NoiseOptions, add_noise
from scenes.renderer import Scene, cast_depth, render

Array = NDArray[np.float64]

CLEARANCE_M = 1.0
"""Cameras stay this far from walls and obstacles."""
SWEEP = np.radians(28.0)
"""How far the walker looks to either side."""
MIN_SEEN, MIN_DEPTH_M = 0.6, 0.8
"""A query must see surfaces in this share of its picture, and most of them at least this far away."""
MAX_DRAWS_PER_QUERY = 200


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A picture to take: ``image`` is its POSIX path relative to the folder of its kind, ``time`` epoch seconds."""

    image: str
    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d
    time: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Shot:
    """A view with its picture.

    image: (H, W, 3) uint8 sRGB as the camera saw it, noise included; depth: (H, W) float32 metres along z, exact
    """

    view: View
    image: NDArray[np.uint8]
    depth: NDArray[np.float32]


def look(position: Sequence[float] | Array, yaw: float, pitch: float = 0.0, roll: float = 0.0) -> pycolmap.Rigid3d:
    """Return ``cam_from_site`` of a camera at ``position`` (3,) in site metres.

    yaw: of the optical axis, counter-clockwise from site +x; pitch: upwards; roll: clockwise as the photographer
    sees it; all in radians. With no roll the picture's x axis is level.
    """
    level = np.array([[np.sin(yaw), 0.0, np.cos(yaw)], [-np.cos(yaw), 0.0, np.sin(yaw)], [0.0, -1.0, 0.0]])
    site_from_cam = Rotation.from_matrix(level) * Rotation.from_euler("XZ", [pitch, roll])
    return pose_from_position(position, site_from_cam.as_quat())


def walk_views(place: Place, camera: pycolmap.Camera, rng: np.random.Generator, count: int = 40) -> list[View]:
    """Return a surveyor's walk: half of the pictures on an outer loop looking across, half on an inner looking out.

    The gaze sweeps to and fro, heights are 1.5 to 1.7 m, hands shake a little. Raises ``InputError`` for fewer than
    two pictures or where there is no room to walk.
    """
    if count < 2:
        raise InputError(f"a walk needs at least two pictures, got {count}")
    outer, inner = count // 2, count - count // 2
    ground = np.vstack([_loop(place, 0.2, outer), _loop(place, 0.36, inner)])
    middle = np.array(place.free_space.envelope.centroid.coords[0])
    outward = np.arctan2(*(ground - middle).T[::-1])
    phase = np.concatenate([np.arange(outer) * 6 * np.pi / outer, np.arange(inner) * 6 * np.pi / inner])
    yaw = outward + np.repeat([np.pi, 0.0], [outer, inner]) + SWEEP * np.sin(phase) + rng.normal(0, 0.03, count)
    heights = rng.uniform(1.5, 1.7, count)
    pitch, roll = rng.normal([[-0.03], [0.0]], [[0.04], [0.015]], (2, count))
    poses = [look((*g, h), *angles) for g, h, *angles in zip(ground, heights, yaw, pitch, roll, strict=True)]
    return [View(image=f"{i:04d}.jpg", camera=camera, cam_from_site=pose, time=1.5 * i) for i, pose in enumerate(poses)]


def query_views(place: Place, camera: pycolmap.Camera, rng: np.random.Generator, count: int = 60) -> list[View]:
    """Return photos from random spots in random directions, 1.2 to 2 m high, a metre clear of walls and obstacles.

    Views that see too little, or something too close, are drawn again; ``InputError`` where that never ends.
    """
    room = place.free_space.buffer(-CLEARANCE_M)
    if room.is_empty:
        raise InputError(f"no spot in '{place.name}' is {CLEARANCE_M} m clear of everything")
    poses: list[pycolmap.Rigid3d] = []
    for _ in range(MAX_DRAWS_PER_QUERY * count):
        if len(poses) == count:
            break
        pose = _random_pose(room, rng)
        if sees_enough(place.scene, camera, pose):
            poses.append(pose)
    if len(poses) < count:
        raise InputError(f"only {len(poses)} of {count} queries see enough of '{place.name}'")
    return [
        View(image=f"{i:04d}.jpg", camera=camera, cam_from_site=pose, time=1e4 + 60.0 * i)
        for i, pose in enumerate(poses)
    ]


def sees_enough(scene: Scene, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d) -> bool:
    """Tell whether a view is worth a photo: mostly surfaces rather than sky, and not blocked by one nearby."""
    thumbnail = pycolmap.Camera(camera.todict())
    thumbnail.rescale(48, max(2, round(48 * camera.height / camera.width)))
    depth, _ = cast_depth(scene, thumbnail, cam_from_site)
    seen = np.isfinite(depth)
    return bool(seen.mean() >= MIN_SEEN and (depth[seen] < MIN_DEPTH_M).mean() < 0.1)


def render_capture(
    place: Place,
    views: Sequence[View],
    rng: np.random.Generator,
    *,
    noise: NoiseOptions | None = None,
    samples_per_axis: int = 2,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[Shot]:
    """Render views one after the other, with camera noise if ``noise`` is given."""
    for done, view in enumerate(views, start=1):
        rendering = render(place.scene, view.camera, view.cam_from_site, samples_per_axis=samples_per_axis)
        image = rendering.image if noise is None else add_noise(rendering.image, noise, rng)
        yield Shot(view=view, image=image, depth=rendering.depth)
        if on_progress:
            on_progress(done, len(views))


def _loop(place: Place, inset: float, count: int) -> Array:
    """Return spots (count, 2) evenly along a rounded loop around the free space, moved off obstacles.

    inset: of the loop from the outline, as a share of the shorter side.
    """
    outline = place.free_space.envelope
    min_x, min_y, max_x, max_y = outline.bounds
    distance = inset * min(max_x - min_x, max_y - min_y)
    ring = outline.buffer(-distance).buffer(-distance / 3).buffer(distance / 3).exterior
    room = place.free_space.buffer(-CLEARANCE_M)
    if room.is_empty:
        raise InputError(f"there is no room to walk in '{place.name}'")
    along = shapely.line_interpolate_point(ring, np.arange(count) / count, normalized=True)
    return shapely.get_coordinates(shapely.get_point(shapely.shortest_line(room, along), 0))


def _random_pose(room: shapely.Geometry, rng: np.random.Generator) -> pycolmap.Rigid3d:
    min_x, min_y, max_x, max_y = room.bounds
    while True:
        spot = rng.uniform((min_x, min_y), (max_x, max_y))
        if room.contains(shapely.Point(spot)):
            break
    yaw, pitch, roll = rng.uniform(-np.pi, np.pi), *rng.normal(0, np.radians([6.0, 3.0]))
    return look((*spot, rng.uniform(1.2, 2.0)), yaw, pitch, roll)
