"""A CPU renderer: rays through every pixel of any pycolmap camera, textured matt surfaces, exact depth.

Rays are cast by Open3D's ``RaycastingScene`` (Embree). Supersampling is regular, so a picture depends on nothing
but the scene, the camera and the pose.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.errors import InputError
from geometry.frames import position_of
from scenes.colour import bytes_from_linear
from scenes.lighting import Lighting, lit_texture, sky_radiance
from scenes.meshes import Mesh, Surface, build_mesh
from scenes.mipmaps import Atlas, Texture, build_atlas, sample

FloatArray = NDArray[np.float32]

CHUNK_RAYS = 1 << 16
"""Rays shaded at a time by a thread: about 20 MB."""
NO_SURFACE = -1
MAX_REPROJECTION_PX = 0.1
GRAZING_SHARPNESS = 0.35
"""Share of a sample's longer footprint that is blurred away: 1 is safest against aliasing, less is sharper."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Scene:
    """Surfaces ready to render: the mesh, one lit texture per surface, and the ray caster."""

    mesh: Mesh
    surface_names: tuple[str, ...]
    normals: FloatArray
    atlas: Atlas
    lighting: Lighting
    raycaster: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Rendering:
    """A picture with truth.

    image: (H, W, 3) uint8 sRGB
    depth: (H, W) float32, metres along the camera's z of the point seen at the pixel's centre; inf for sky,
        NaN where the lens model has no ray
    surface_id: (H, W) int32, index of the surface seen at the pixel's centre, -1 for none
    """

    image: NDArray[np.uint8]
    depth: FloatArray
    surface_id: NDArray[np.int32]


def build_scene(surfaces: Sequence[Surface], textures: Sequence[Texture], lighting: Lighting | None = None) -> Scene:
    """Build the ray caster, compute the light on every surface and prefilter the lit textures.

    Raises ``InputError`` where a surface names a texture that is not there or reaches beyond it.
    """
    lighting = lighting or Lighting()
    for surface in surfaces:
        _check_texture(surface, textures)
    mesh = build_mesh([replace(s, texture=i, uv_corner=(0.0, 0.0)) for i, s in enumerate(surfaces)])
    raycaster = _raycaster(mesh)
    with ThreadPoolExecutor() as pool:
        atlas = build_atlas(pool.map(lambda s: lit_texture(s, textures[s.texture], raycaster, lighting), surfaces))
    return Scene(
        mesh=mesh,
        surface_names=tuple(surface.name for surface in surfaces),
        normals=np.stack([surface.normal for surface in surfaces]).astype(np.float32),
        atlas=atlas,
        lighting=lighting,
        raycaster=raycaster,
    )


def render(
    scene: Scene, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d, *, samples_per_axis: int = 2
) -> Rendering:
    """Render what ``camera`` sees from ``cam_from_site``, averaging samples_per_axis squared rays a pixel.

    Works for every camera model pycolmap can unproject; a pixel the lens model doesn't reach is black. Raises
    ``InputError`` for a sample count outside 1 to 8 or an image of fewer than 2 x 2 pixels.
    """
    if not 1 <= samples_per_axis <= 8:
        raise InputError(f"samples_per_axis is 1 to 8, got {samples_per_axis}")
    if min(camera.width, camera.height) < 2:
        raise InputError(f"an image of {camera.width} x {camera.height} pixels is too small to render")
    grid = camera_rays(camera, samples_per_axis)
    rows = max(1, CHUNK_RAYS // (camera.width * samples_per_axis**2)) * samples_per_axis
    image = np.empty((camera.height, camera.width, 3), dtype=np.uint8)

    def shade_rows(start: int) -> None:
        colour = _shade(scene, grid.rows(start, start + rows), cam_from_site)
        shape = (-1, samples_per_axis, camera.width, samples_per_axis, 3)
        pixels = bytes_from_linear(colour.reshape(shape).mean(axis=(1, 3)))
        image[start // samples_per_axis : start // samples_per_axis + len(pixels)] = pixels

    with ThreadPoolExecutor() as pool:
        list(pool.map(shade_rows, range(0, len(grid.rays), rows)))
    depth, surface_id = cast_depth(scene, camera, cam_from_site)
    return Rendering(image=image, depth=depth, surface_id=surface_id)


def cast_depth(
    scene: Scene, camera: pycolmap.Camera, cam_from_site: pycolmap.Rigid3d
) -> tuple[FloatArray, NDArray[np.int32]]:
    """Return the depth and surface ids (H, W) of a ``Rendering`` without its picture."""
    grid = camera_rays(camera, 1)
    distance, triangle, _ = _cast(scene, _rays_in_site(grid.rays, cam_from_site).reshape(-1, 3), cam_from_site)
    seen = np.isfinite(distance) & grid.known.ravel()
    surface_id = np.full(len(distance), NO_SURFACE, dtype=np.int32)
    surface_id[seen] = scene.mesh.surface_ids[triangle[seen]]
    distance[~grid.known.ravel()] = np.nan
    return distance.reshape(grid.known.shape), surface_id.reshape(grid.known.shape)


@dataclass(frozen=True, kw_only=True, eq=False)
class RayGrid:
    """Rays of a camera on a regular grid of R x C samples.

    rays: (R, C, 3) float32 in the camera frame with z = 1, so that the length along a ray, in units of it, is depth
    pitch: (R, C) float32, angle to the neighbouring samples in radians, the larger of the two image axes
    known: (R, C) bool, False where projecting the ray does not give the pixel back; the ray is then the optical axis
    """

    rays: FloatArray
    pitch: FloatArray
    known: NDArray[np.bool_]

    def rows(self, start: int, stop: int) -> "RayGrid":
        """Return some rows of the grid."""
        return RayGrid(rays=self.rays[start:stop], pitch=self.pitch[start:stop], known=self.known[start:stop])


def camera_rays(camera: pycolmap.Camera, samples_per_axis: int) -> RayGrid:
    """Return samples_per_axis squared rays for each pixel; the first pixel's centre is (0.5, 0.5)."""
    return _camera_rays(camera.model_name, camera.width, camera.height, tuple(camera.params), samples_per_axis)


@lru_cache(maxsize=4)
def _camera_rays(model: str, width: int, height: int, params: tuple[float, ...], samples: int) -> RayGrid:
    camera = pycolmap.Camera(model=model, width=width, height=height, params=params)
    u, v = ((np.arange(n * samples) + 0.5) / samples for n in (width, height))
    pixels = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    rays = np.column_stack([camera.cam_from_img(pixels), np.ones(len(pixels))])
    reprojected = np.asarray(camera.img_from_cam(rays))
    known = np.abs(reprojected - pixels).max(axis=1) < MAX_REPROJECTION_PX
    rays[~known] = (0.0, 0.0, 1.0)
    grid = rays.reshape(len(v), len(u), 3)
    bearings = grid / np.linalg.norm(grid, axis=-1, keepdims=True)
    pitch = np.maximum(*(np.linalg.norm(np.gradient(bearings, axis=axis), axis=-1) for axis in (0, 1)))
    return RayGrid(rays=grid.astype(np.float32), pitch=pitch.astype(np.float32), known=known.reshape(len(v), len(u)))


def _shade(scene: Scene, grid: RayGrid, cam_from_site: pycolmap.Rigid3d) -> FloatArray:
    """Return linear RGB (N, 3) along all rays of the grid."""
    rays = _rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
    distance, triangle, barycentric = _cast(scene, rays, cam_from_site)
    lengths = np.sqrt(np.einsum("nk,nk->n", rays, rays))
    colour = np.zeros_like(rays)
    hit = np.isfinite(distance)
    sky = ~hit & grid.known.ravel()
    colour[sky] = sky_radiance(rays[sky] / lengths[sky, None], scene.lighting)
    hit = np.flatnonzero(hit & grid.known.ravel())
    triangle = triangle[hit]
    surface = scene.mesh.surface_ids[triangle]
    facing = np.abs(np.einsum("nk,nk->n", scene.normals[surface], rays[hit])) / lengths[hit]
    across = distance[hit] * lengths[hit] * grid.pitch.ravel()[hit]
    footprint = across * np.maximum(1.0, GRAZING_SHARPNESS / np.maximum(facing, 1e-3))
    colour[hit] = sample(scene.atlas, surface, _interpolate(scene.mesh.uv[triangle], barycentric[hit]), footprint)
    return colour


def _interpolate(corners: FloatArray, barycentric: FloatArray) -> FloatArray:
    """Interpolate texture coordinates of triangle corners (N, 3, 2) at Embree's barycentric (N, 2)."""
    b, c = barycentric[:, :1], barycentric[:, 1:]
    return corners[:, 0] + b * (corners[:, 1] - corners[:, 0]) + c * (corners[:, 2] - corners[:, 0])


def _rays_in_site(rays: FloatArray, cam_from_site: pycolmap.Rigid3d) -> FloatArray:
    """Rotate rays (..., 3) from the camera frame to site."""
    site_from_cam = cam_from_site.rotation.matrix().T.astype(np.float32)
    return np.einsum("...k,jk->...j", rays, site_from_cam)


def _cast(
    scene: Scene, rays_in_site: FloatArray, cam_from_site: pycolmap.Rigid3d
) -> tuple[FloatArray, NDArray[np.int64], FloatArray]:
    """Return (depth, triangle, barycentric) of the first hit along each ray; depth inf where there is none."""
    import open3d as o3d

    packed = np.empty((len(rays_in_site), 6), dtype=np.float32)
    packed[:, :3], packed[:, 3:] = position_of(cam_from_site), rays_in_site
    hits = scene.raycaster.cast_rays(o3d.core.Tensor.from_numpy(packed))
    return hits["t_hit"].numpy(), hits["primitive_ids"].numpy().astype(np.int64), hits["primitive_uvs"].numpy()


def _raycaster(mesh: Mesh) -> Any:
    import open3d as o3d

    raycaster = o3d.t.geometry.RaycastingScene()
    raycaster.add_triangles(o3d.core.Tensor.from_numpy(mesh.vertices), o3d.core.Tensor.from_numpy(mesh.triangles))
    return raycaster


def _check_texture(surface: Surface, textures: Sequence[Texture]) -> None:
    if not 0 <= surface.texture < len(textures):
        raise InputError(f"there is no texture {surface.texture}", where=surface.name)
    texture = textures[surface.texture]
    reach = np.add(surface.uv_corner, surface.size) * texture.px_per_m
    if min(surface.uv_corner) < 0 or (reach > np.array(texture.image.shape[1::-1]) + 1.0).any():
        raise InputError("the surface reaches beyond its texture", where=surface.name)
