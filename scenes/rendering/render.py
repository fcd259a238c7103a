"""Pictures of a world with exact truth, for every camera that pycolmap can unproject.

Rays are cast by Open3D's ``RaycastingScene`` (Embree). Supersampling is regular, so a picture depends on nothing but
the world, the camera and the pose.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.frames import position_of
from scenes.rendering.raycasting import cast_rays
from scenes.rendering.rays import CENTRE, RayGrid, camera_rays, rays_in_site, sample_places
from scenes.rendering.shading import shade
from scenes.rendering.tone import auto_exposure, develop
from scenes.rendering.world import World

FloatArray = NDArray[np.float32]

CHUNK_RAYS = 1 << 15
"""Rays shaded at a time by a thread: about 20 MB."""
NO_OBJECT = -1


@dataclass(frozen=True, kw_only=True)
class RenderOptions:
    """How a picture is taken.

    samples_per_axis: rays along each side of a pixel, 1 to 8; exposure: factor on the light, None for automatic;
    stops: doublings of the exposure on top of it
    """

    samples_per_axis: int = 2
    exposure: float | None = None
    stops: float = 0.0

    def __post_init__(self) -> None:
        if not 1 <= self.samples_per_axis <= 8:
            raise InputError(f"samples_per_axis is 1 to 8, got {self.samples_per_axis}")
        if self.exposure is not None and not 0 < self.exposure < np.inf:
            raise InputError(f"an exposure is a positive factor, got {self.exposure}")
        if not abs(self.stops) <= 16:
            raise InputError(f"stops are -16 to 16, got {self.stops}")

    def factor(self, radiance: FloatArray) -> float:
        """Return the factor on the light of a picture with this ``radiance`` (H, W, 3)."""
        return (self.exposure or auto_exposure(radiance)) * 2.0**self.stops


FULL = RenderOptions()
DRAFT = RenderOptions(samples_per_axis=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class Geometry:
    """What is seen at the centre of every pixel.

    objects: names by object id
    depth: (H, W) float32, metres along the camera's z; inf for sky, NaN where the lens model has no ray
    instance_id: (H, W) int32, the object seen, -1 for none
    normals: (H, W, 3) float32 in site, on the front of the triangle seen; 0 where none is
    points_in_site: (H, W, 3) float32; NaN where nothing is seen
    """

    objects: tuple[str, ...]
    depth: FloatArray
    instance_id: NDArray[np.int32]
    normals: FloatArray
    points_in_site: FloatArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Rendering(Geometry):
    """A picture with truth.

    radiance: (H, W, 3) float32, linear RGB averaged over the samples, before exposure; black without a ray
    image: (H, W, 3) uint8 sRGB; exposure: the factor on the radiance that made it
    """

    radiance: FloatArray
    image: NDArray[np.uint8]
    exposure: float


def render(
    world: World,
    camera: pycolmap.Camera,
    cam_from_site: pycolmap.Rigid3d,
    options: RenderOptions = FULL,
    blur: Sequence[pycolmap.Rigid3d] = (),
) -> Rendering:
    """Render what ``camera`` sees from ``cam_from_site``.

    blur: poses during the exposure, for motion blur: the samples of a pixel take turns, at no extra cost. The truth
    is of ``cam_from_site``. Raises ``InputError`` for a camera of fewer than 2 x 2 pixels.
    """
    radiance = radiance_of_samples(world, camera, blur or (cam_from_site,), options.samples_per_axis).mean(axis=0)
    exposure = options.factor(radiance)
    return Rendering(
        **vars(cast(world, camera, cam_from_site)),
        radiance=radiance,
        image=develop(radiance, exposure),
        exposure=exposure,
    )


def radiance_of_samples(
    world: World, camera: pycolmap.Camera, poses: Sequence[pycolmap.Rigid3d], samples_per_axis: int
) -> FloatArray:
    """Return the radiance (S, H, W, 3) of every sample of a pixel; the samples take turns with ``poses``."""
    places = sample_places(samples_per_axis)
    radiance = np.empty((len(places), camera.height, camera.width, 3), dtype=np.float32)
    for index, place in enumerate(places):
        grid = camera_rays(camera, place)
        radiance[index] = _radiance(world, grid, poses[index % len(poses)], samples_per_axis, place)
    return radiance


def cast(
    world: World, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, place: tuple[float, float] = CENTRE
) -> Geometry:
    """Return the truth of a ``Rendering`` without its picture; ``place`` is where in the pixels it is taken."""
    grid = camera_rays(camera, place)
    rays = rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
    centre = position_of(cam_from_site).astype(np.float32)
    hits = cast_rays(world.raycaster, centre, rays)
    known = grid.known.ravel()
    seen = np.isfinite(hits.distance) & known
    distance = np.where(known, hits.distance, np.float32(np.nan))
    ids = np.full(len(rays), NO_OBJECT, dtype=np.int32)
    ids[seen] = world.mesh.object_ids[hits.triangle[seen]]
    points = np.full((len(rays), 3), np.nan, dtype=np.float32)
    points[seen] = centre + distance[seen, None] * rays[seen]
    shape = grid.known.shape
    return Geometry(
        objects=world.objects,
        depth=distance.reshape(shape),
        instance_id=ids.reshape(shape),
        normals=np.where(seen[:, None], hits.normal, 0).astype(np.float32).reshape(*shape, 3),
        points_in_site=points.reshape(*shape, 3),
    )


def _radiance(
    world: World, grid: RayGrid, cam_from_site: pycolmap.Rigid3d, samples_per_axis: int, place: tuple[float, float]
) -> FloatArray:
    """Return the radiance (H, W, 3) along one ray of each pixel."""
    rays = rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
    centre = position_of(cam_from_site).astype(np.float32)
    pitch = grid.pitch.ravel() / np.float32(samples_per_axis)
    radiance = in_chunks(lambda part: shade(world, centre, rays[part], pitch[part], place), len(rays))
    radiance[~grid.known.ravel()] = 0
    return radiance.reshape(*grid.known.shape, 3)


def in_chunks(shade_part: Callable[[slice], FloatArray], count: int, chunk: int = CHUNK_RAYS) -> FloatArray:
    """Concatenate ``shade_part`` (chunk, 3) of consecutive slices of ``count`` rays, computed in threads."""
    parts = [slice(start, min(start + chunk, count)) for start in range(0, count, chunk)]
    with ThreadPoolExecutor() as pool:
        return np.concatenate([np.zeros((0, 3), dtype=np.float32), *pool.map(shade_part, parts)])
