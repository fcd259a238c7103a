"""A picture without a display: the surface by Open3D's ray caster, points and lines drawn over it by depth.

It needs no GPU and no OpenGL. Points and lines are as many pixels wide as in the window.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from geometry import position_of
from scenes.colour import bytes_from_linear, linear_from_bytes
from scenes.rendering.raycasting import cast_rays, raycaster, subset
from scenes.rendering.rays import camera_rays, rays_in_site, sample_places
from twin.surface import Surface
from twin.surface.view import light_of
from twin.viewer.contents import Contents
from twin.viewer.layers import NO_LEVEL, Lines, Points, levels_of
from twin.viewer.viewpoint import Viewpoint

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]

BACKGROUND = (26, 26, 31)
POINT_PX, LINE_PX = 2, 1
NEAR_M = 0.05
SHOWN = ("surface", "landmarks", "walk", "cameras", "plan", "tracks", "photos")
TOUCHING = 1.002
"""What is nearer than this times the depth of what is drawn already is in front of it."""


def render(
    contents: Contents,
    viewpoint: Viewpoint,
    *,
    shown: tuple[str, ...] = SHOWN,
    level: int | None = None,
    mode: str = "photo",
    samples_per_axis: int = 2,
) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) of the layers ``shown``, of one level or of all, with landmarks coloured by ``mode``.

    A pixel of the surface is the mean of ``samples_per_axis`` squared rays.
    """
    picture, depth = _empty(viewpoint)
    if "surface" in shown and contents.surface is not None:
        picture, depth = draw_surface(contents.surface, viewpoint, contents.storeys, level, samples_per_axis)
    for name, layer in contents.layers.items():
        if name in shown:
            draw_lines(picture, depth, layer.on(level), viewpoint)
    if "landmarks" in shown:
        coloured = Points(
            name="landmarks",
            positions=contents.landmarks.positions,
            colours=contents.modes[mode],
            level=contents.landmarks.level,
        )
        draw_points(picture, depth, coloured.on(level), viewpoint)
    return picture


def draw_surface(
    surface: Surface,
    viewpoint: Viewpoint,
    storeys: tuple[float, ...],
    level: int | None,
    samples_per_axis: int = 2,
) -> tuple[NDArray[np.uint8], FloatArray]:
    """Return a picture (H, W, 3) and depth (H, W), inf beside it; backdrop and other levels are left out."""
    kept = surface.is_solid & of_level(surface, storeys, level)
    scene = raycaster(surface.mesh.vertices, surface.mesh.triangles[kept])
    numbers = np.flatnonzero(kept)
    camera = viewpoint.camera
    centre = position_of(viewpoint.cam_from_site).astype(np.float32)
    light = np.zeros((camera.height * camera.width, 3), dtype=np.float32)
    places = sample_places(samples_per_axis)
    empty = linear_from_bytes(np.array(BACKGROUND, dtype=np.uint8))
    for place in places:
        grid = camera_rays(camera, place)
        rays = rays_in_site(grid.rays, viewpoint.cam_from_site).reshape(-1, 3)
        hits = cast_rays(scene, centre, rays)
        rows = np.flatnonzero(np.isfinite(hits.distance))
        found = subset(hits, rows)
        found = replace(found, triangle=numbers[found.triangle])
        here = np.broadcast_to(empty, light.shape).copy()
        here[rows] = light_of(surface, found, rays[rows], grid.pitch.ravel()[rows] / np.float32(samples_per_axis))
        light += here
    grid = camera_rays(camera)
    rays = rays_in_site(grid.rays, viewpoint.cam_from_site).reshape(-1, 3)
    depth = cast_rays(scene, centre, rays).distance.reshape(camera.height, camera.width)
    picture = bytes_from_linear(light / np.float32(len(places))).reshape(camera.height, camera.width, 3)
    return picture, depth


def of_level(surface: Surface, storeys: tuple[float, ...], level: int | None) -> NDArray[np.bool_]:
    """Tell which triangles (T,) a level has, without its ceiling, so that it is seen from above; all for None."""
    if level is None:
        return np.ones(len(surface.mesh.triangles), dtype=bool)
    lowest = surface.mesh.vertices[:, 2][surface.mesh.triangles].min(axis=1)
    ceiling = np.array([chart.kind == "ceiling" for chart in surface.charts], dtype=bool)[surface.mesh.panel]
    found = levels_of(lowest, storeys)
    return ((found == level) | (found == NO_LEVEL)) & ~ceiling


def draw_points(picture: NDArray[np.uint8], depth: FloatArray, points: Points, viewpoint: Viewpoint) -> None:
    """Draw points as squares of ``POINT_PX`` into a picture and its depth, in place."""
    pixels, z = project(points.positions, viewpoint)
    _splat(picture, depth, pixels, z, points.colours, POINT_PX)


def draw_lines(picture: NDArray[np.uint8], depth: FloatArray, layer: Lines, viewpoint: Viewpoint) -> None:
    """Draw segments, a pixel wide, into a picture and its depth, in place."""
    if not len(layer):
        return
    rotation, shift = viewpoint.cam_from_site.rotation.matrix(), np.asarray(viewpoint.cam_from_site.translation)
    ends = clipped(layer.segments @ rotation.T + shift)
    kept = np.isfinite(ends).all(axis=(1, 2))
    ends, colours = ends[kept], layer.colours[kept]
    flat = _pixels(ends, viewpoint)
    high, wide = depth.shape
    outside = ((flat < -wide).all(axis=1) | (flat > 2 * wide).all(axis=1)).any(axis=1)
    ends, flat, colours = ends[~outside], flat[~outside], colours[~outside]
    length = np.clip(np.ceil(np.abs(flat[:, 1] - flat[:, 0]).max(axis=1)), 1, 4 * (high + wide)).astype(np.int64)
    owner = np.repeat(np.arange(len(ends)), length)
    step = (np.arange(len(owner)) - np.repeat(np.cumsum(length) - length, length) + 0.5) / length[owner]
    pixels = flat[owner, 0] + step[:, None] * (flat[owner, 1] - flat[owner, 0])
    inverse = 1 / ends[owner, 0, 2] + step * (1 / ends[owner, 1, 2] - 1 / ends[owner, 0, 2])
    _splat(picture, depth, pixels, 1 / inverse, colours[owner], LINE_PX)


def project(points: Array, viewpoint: Viewpoint) -> tuple[Array, Array]:
    """Return pixels (N, 2) of points (N, 3) in site and their depth (N,), NaN behind the camera."""
    rotation, shift = viewpoint.cam_from_site.rotation.matrix(), np.asarray(viewpoint.cam_from_site.translation)
    in_cam = points @ rotation.T + shift
    z = np.where(in_cam[:, 2] > NEAR_M, in_cam[:, 2], np.nan)
    return _pixels(np.column_stack([in_cam[:, :2], z]), viewpoint), z


def clipped(ends: Array) -> Array:
    """Return segments (N, 2, 3) in the camera's frame cut off at ``NEAR_M`` before it, NaN where nothing is left."""
    z = ends[..., 2]
    result = ends.copy()
    crossing = (z.min(axis=1) < NEAR_M) & (z.max(axis=1) > NEAR_M)
    share = np.zeros(len(ends))
    share[crossing] = (NEAR_M - z[crossing, 0]) / (z[crossing, 1] - z[crossing, 0])
    cut = ends[:, 0] + share[:, None] * (ends[:, 1] - ends[:, 0])
    for end in (0, 1):
        behind = crossing & (z[:, end] < NEAR_M)
        result[behind, end] = cut[behind]
    result[(z < NEAR_M).all(axis=1)] = np.nan
    return result


def _pixels(in_cam: Array, viewpoint: Viewpoint) -> Array:
    camera = viewpoint.camera
    focal = np.array([camera.focal_length_x, camera.focal_length_y])
    middle = np.array([camera.principal_point_x, camera.principal_point_y])
    pixels: Array = in_cam[..., :2] / in_cam[..., 2:] * focal + middle
    return pixels


def _splat(
    picture: NDArray[np.uint8], depth: FloatArray, pixels: Array, z: Array, colours: NDArray[np.uint8], size: int
) -> None:
    """Draw squares of ``size`` pixels around ``pixels`` (N, 2), the nearest last, where nothing is in front."""
    high, wide = depth.shape
    known = np.flatnonzero(np.isfinite(z) & np.isfinite(pixels).all(axis=1) & (np.abs(pixels) < 1e6).all(axis=1))
    order = known[np.argsort(-z[known], kind="stable")]
    first = np.floor(pixels[order] - (size - 1) / 2).astype(np.int64)
    for row in range(size):
        for column in range(size):
            x, y = first[:, 0] + column, first[:, 1] + row
            inside = (x >= 0) & (x < wide) & (y >= 0) & (y < high)
            x, y, mine = x[inside], y[inside], order[inside]
            front = z[mine] < depth[y, x] * TOUCHING
            x, y, mine = x[front], y[front], mine[front]
            picture[y, x] = colours[mine]  # of equal indices numpy keeps the last, which is the nearest
            depth[y, x] = np.minimum(depth[y, x], z[mine])


def _empty(viewpoint: Viewpoint) -> tuple[NDArray[np.uint8], FloatArray]:
    shape = viewpoint.camera.height, viewpoint.camera.width
    picture = np.broadcast_to(np.array(BACKGROUND, dtype=np.uint8), (*shape, 3)).copy()
    return picture, np.full(shape, np.inf, dtype=np.float32)
