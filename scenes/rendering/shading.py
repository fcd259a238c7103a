"""What rays that hit a world send back: texture times light, what shines, and one mirrored ray."""

import numpy as np
from numpy.typing import NDArray

from scenes.rendering.atlas import sample
from scenes.rendering.illumination import OFFSET_M, sunlight
from scenes.rendering.lighting import sky_radiance
from scenes.rendering.lumels import light_at
from scenes.rendering.mesh import Mesh
from scenes.rendering.raycasting import Hits, cast_rays, interpolate, subset
from scenes.rendering.rays import slant
from scenes.rendering.world import World

FloatArray = NDArray[np.float32]

MAX_STRETCH = 10.0
"""A footprint on a surface seen at a grazing angle is taken to be at most so many times longer than wide."""
BRIGHTEST_MIRRORED = 2.5
"""Mirrors show nothing brighter than this: the glint of a lamp in one sample would stay a white dot in the picture."""
SUN_CENTRE = (0.5, 0.5)


def shade(
    world: World, start: FloatArray, rays: FloatArray, pitch: FloatArray, sun_place: tuple[float, float] = SUN_CENTRE
) -> FloatArray:
    """Return linear RGB (N, 3) along ``rays`` (N, 3) from ``start`` (3,) or (N, 3).

    pitch: (N,) angle in radians that a ray stands for. sun_place: point of the sun's disc, (0.5, 0.5) its middle
    """
    hits = cast_rays(world.raycaster, start, rays)
    rows = np.flatnonzero(np.isfinite(hits.distance))
    radiance = sky(world, rays)
    radiance[rows] = shade_hits(
        world, world, subset(hits, rows), rows_of(start, rows), rays[rows], pitch[rows], sun_place
    )
    return radiance


def sky(world: World, rays: FloatArray) -> FloatArray:
    """Return the radiance (N, 3) of the sky in directions (N, 3), which need not be unit vectors."""
    return sky_radiance(rays / np.linalg.norm(rays, axis=1, keepdims=True), world.lighting)


def rows_of(start: FloatArray, rows: NDArray[np.integer]) -> FloatArray:
    """Return some rows of starts (N, 3), or the only start (3,)."""
    return start if start.ndim == 1 else start[rows]


def shade_hits(
    world: World,
    surroundings: World,
    hits: Hits,
    start: FloatArray,
    rays: FloatArray,
    pitch: FloatArray,
    sun_place: tuple[float, float],
) -> FloatArray:
    """Return what surfaces of ``world`` send back along rays (N, 3) that all hit one.

    ``surroundings`` is mirrored in them and shades them from the sun, as does ``world``.
    """
    points = start + hits.distance[:, None] * rays
    length = hits.distance * np.sqrt(np.einsum("nk,nk->n", rays, rays))
    radiance = matt(world, surroundings, hits, points, rays, length * pitch, sun_place)
    mirrors = np.flatnonzero(world.mesh.mirror[hits.triangle] > 0)
    if len(mirrors):
        at = subset(hits, mirrors)
        share = _fresnel(world.mesh, at, rays[mirrors])[:, None]
        seen = _mirrored(world, surroundings, at, points[mirrors], rays[mirrors], length[mirrors], pitch[mirrors])
        radiance[mirrors] += share * (seen - radiance[mirrors])
    return radiance


def matt(
    world: World,
    surroundings: World,
    hits: Hits,
    points: FloatArray,
    rays: FloatArray,
    width: FloatArray,
    sun_place: tuple[float, float],
) -> FloatArray:
    """Return texture times light for hits at ``points`` (N, 3), seen with footprints ``width`` (N,) metres across."""
    light = light_at(world.light, hits) + world.mesh.emission[hits.triangle, None]
    if world.lighting.sun:
        light += _sun_on(world, surroundings, hits, points, sun_place)
    return albedo(world, hits, rays, width) * light


def albedo(world: World, hits: Hits, rays: FloatArray, width: FloatArray) -> FloatArray:
    """Return the texture's linear RGB (N, 3), filtered over the footprint of rays ``width`` (N,) metres across."""
    mesh = world.mesh
    uv = interpolate(np.take(mesh.corner_uv, hits.triangle, axis=0), hits.barycentric)
    across, stretch = footprint(mesh, hits, rays, width)
    return sample(world.atlas, mesh.texture_ids[hits.triangle], uv, across, stretch)


def footprint(mesh: Mesh, hits: Hits, rays: FloatArray, width: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the footprint's shorter axis (N,) and its longer axis (N, 2) as a vector, metres on the texture."""
    tangent, facing = slant(rays, hits.normal, MAX_STRETCH)
    uv_from_site = np.take(mesh.uv_from_site, hits.triangle, axis=0)
    stretch = np.einsum("nuk,nk->nu", uv_from_site, tangent) * (width / facing)[:, None]
    side = np.einsum("nuk,nk->nu", uv_from_site, np.cross(hits.normal, tangent))
    scale = np.sqrt(np.einsum("nu,nu->n", side, side))
    return np.where(scale > 0, scale, 1) * width, stretch


def shading_normals(mesh: Mesh, hits: Hits) -> FloatArray:
    """Return unit normals (N, 3), interpolated between the triangles' vertices."""
    corners = np.take(mesh.triangles, hits.triangle, axis=0)
    normal = interpolate(mesh.normals[corners], hits.barycentric)
    return normal / np.maximum(np.sqrt(np.einsum("nk,nk->n", normal, normal)), np.float32(1e-6))[:, None]


def _sun_on(
    world: World, surroundings: World, hits: Hits, points: FloatArray, sun_place: tuple[float, float]
) -> FloatArray:
    assert world.lighting.sun is not None
    normals = shading_normals(world.mesh, hits)
    light = sunlight(world.raycaster, points, normals, world.lighting.sun, sun_place)
    if surroundings is not world:
        light = np.minimum(light, sunlight(surroundings.raycaster, points, normals, world.lighting.sun, sun_place))
    return light


def _fresnel(mesh: Mesh, hits: Hits, rays: FloatArray) -> FloatArray:
    """Return the mirrored share (N,) by Schlick's approximation (An inexpensive BRDF model, Eurographics 1994)."""
    facing = np.abs(np.einsum("nk,nk->n", rays, shading_normals(mesh, hits))) / np.linalg.norm(rays, axis=1)
    at_normal = mesh.mirror[hits.triangle]
    return at_normal + (1 - at_normal) * (1 - np.clip(facing, 0, 1)) ** 5


def _mirrored(
    world: World,
    surroundings: World,
    hits: Hits,
    points: FloatArray,
    rays: FloatArray,
    length: FloatArray,
    pitch: FloatArray,
) -> FloatArray:
    """Return what is seen (N, 3) in mirrors at ``points``, themselves matt, ``length`` (N,) metres from the eye."""
    normals = shading_normals(world.mesh, hits)
    normals *= np.where(np.einsum("nk,nk->n", normals, rays) > 0, np.float32(-1), np.float32(1))[:, None]
    reflected = rays - 2 * np.einsum("nk,nk->n", rays, normals)[:, None] * normals
    reflected /= np.linalg.norm(reflected, axis=1, keepdims=True)
    start = points + np.float32(OFFSET_M) * normals
    hits = cast_rays(surroundings.raycaster, start, reflected)
    radiance = sky(surroundings, reflected)
    rows = np.flatnonzero(np.isfinite(hits.distance))
    at, ray = subset(hits, rows), reflected[rows]
    width = (length[rows] + at.distance) * pitch[rows]
    radiance[rows] = matt(
        surroundings, surroundings, at, start[rows] + at.distance[:, None] * ray, ray, width, SUN_CENTRE
    )
    return np.minimum(radiance, np.float32(BRIGHTEST_MIRRORED))
