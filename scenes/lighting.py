"""Light of a scene, computed once per surface: sun with soft shadows, sky dome with ambient occlusion, lamps.

Every surface is matt (Lambert), so the light it sends out does not depend on the viewer and can be multiplied into
its texture: rendering then costs one texture look-up.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from scenes.meshes import Surface
from scenes.mipmaps import Texture

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
Colour = tuple[float, float, float]

SURFACE_OFFSET_M = 2e-3
"""Shadow rays start this far above their surface."""


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A lamp at ``position`` (site metres) that gives a white surface facing it at 1 m the radiance ``colour``."""

    position: tuple[float, float, float]
    colour: Colour
    radius_m: float = 0.15


@dataclass(frozen=True, kw_only=True)
class Lighting:
    """Light sources; colours are linear RGB, 1 is the white of the image.

    sun_direction: towards the sun, site; sun_colour: radiance of a white surface facing it
    sun_spread: half-angle of the light's cone in radians, wider than the real sun's for soft shadows
    zenith_colour, horizon_colour: radiance of the sky; bounce_colour: of whatever else a surface sees
    lumels_per_m: resolution of the computed light; rays: how many sample the sky and each light
    """

    sun_direction: tuple[float, float, float] = (0.35, -0.55, 0.76)
    sun_colour: Colour = (1.45, 1.31, 1.10)
    sun_spread: float = 0.02
    zenith_colour: Colour = (0.34, 0.54, 0.88)
    horizon_colour: Colour = (0.88, 0.95, 1.0)
    bounce_colour: Colour = (0.30, 0.27, 0.24)
    lamps: tuple[Lamp, ...] = ()
    lumels_per_m: float = 12.0
    rays: int = 48


def sky_radiance(directions: NDArray[Any], lighting: Lighting) -> FloatArray:
    """Return the sky's linear RGB (..., 3) in unit directions (..., 3): horizon to zenith, hazy low down."""
    height = np.clip(directions[..., 2:], 0.0, 1.0).astype(np.float32) ** np.float32(0.55)
    horizon, zenith = (np.array(c, dtype=np.float32) for c in (lighting.horizon_colour, lighting.zenith_colour))
    return horizon + height * (zenith - horizon)


def lit_texture(surface: Surface, texture: Texture, raycaster: Any, lighting: Lighting) -> Texture:
    """Return the surface's own piece of the texture times the light that falls on it."""
    shape = _shape(surface.size, texture.px_per_m)
    column, row = (round(c * texture.px_per_m) for c in surface.uv_corner)
    piece = texture.image[row : row + shape[0], column : column + shape[1]]
    light = cv2.resize(irradiance(surface, raycaster, lighting), piece.shape[1::-1], interpolation=cv2.INTER_LINEAR)
    return Texture(image=piece * light, px_per_m=texture.px_per_m)


def irradiance(surface: Surface, raycaster: Any, lighting: Lighting) -> FloatArray:
    """Return the light (h, w, 3) a white surface would send out, on a grid of lumels over the surface."""
    height, width = _shape(surface.size, lighting.lumels_per_m)
    u, v = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
    uv = np.stack(np.meshgrid(u, v), axis=-1) * surface.size
    points = (surface.points_in_site(uv) + SURFACE_OFFSET_M * surface.normal).reshape(-1, 3)
    total = _sky_light(points, surface.normal, raycaster, lighting) + _sunlight(
        points, surface.normal, raycaster, lighting
    )
    for lamp in lighting.lamps:
        total += _lamplight(points, surface.normal, raycaster, lamp)
    return total.reshape(height, width, 3).astype(np.float32)


def _sky_light(points: Array, normal: Array, raycaster: Any, lighting: Lighting) -> Array:
    """Cosine-weighted hemisphere samples: sky where it is open, bounced light elsewhere (ambient occlusion)."""
    directions = _around(normal, _cosine_hemisphere(lighting.rays))
    sky = np.where(directions[:, 2:] > 0, sky_radiance(directions, lighting), lighting.bounce_colour)
    open_ = _visible(raycaster, points, np.broadcast_to(directions, (len(points), *directions.shape)), np.inf)
    bounce = np.array(lighting.bounce_colour)
    return bounce + (open_[..., None] * (sky - bounce)).mean(axis=1)


def _sunlight(points: Array, normal: Array, raycaster: Any, lighting: Lighting) -> Array:
    sun = np.array(lighting.sun_direction) / np.linalg.norm(lighting.sun_direction)
    cosine = float(sun @ normal)
    if cosine <= 0:
        return np.zeros((len(points), 3))
    disc = _cosine_hemisphere(16)[:, :2] * np.tan(lighting.sun_spread)
    directions = _around(sun, np.column_stack([disc, np.ones(len(disc))]))
    lit = _visible(raycaster, points, np.broadcast_to(directions, (len(points), *directions.shape)), np.inf)
    return lit.mean(axis=1)[:, None] * cosine * np.array(lighting.sun_colour)


def _lamplight(points: Array, normal: Array, raycaster: Any, lamp: Lamp) -> Array:
    globe = lamp.radius_m * _around(np.array([0.0, 0.0, -1.0]), _cosine_hemisphere(8))
    rays = np.array(lamp.position) + globe - points[:, None]
    distance = np.linalg.norm(rays, axis=-1)
    cosine = np.clip(rays @ normal / distance, 0.0, None)
    lit = _visible(raycaster, points, rays, 1.0) * cosine / np.maximum(distance, 0.3) ** 2
    return lit.mean(axis=1)[:, None] * np.array(lamp.colour)


def _visible(raycaster: Any, points: Array, rays: Array, reach: float) -> NDArray[np.bool_]:
    """Tell (N, K) which rays (N, K, 3) from points (N, 3) meet nothing within ``reach`` times their length."""
    import open3d as o3d

    starts = np.broadcast_to(points[:, None], rays.shape)
    packed = np.concatenate([starts, rays], axis=-1).astype(np.float32)
    return ~raycaster.test_occlusions(o3d.core.Tensor.from_numpy(packed), tfar=reach).numpy()


def _cosine_hemisphere(count: int) -> Array:
    """Return directions (count, 3) about +z with a density like the cosine (Malley's method on Halton points)."""
    radius2, turn = qmc.Halton(2, scramble=False).random(count + 1)[1:].T
    radius, angle = np.sqrt(radius2), 2 * np.pi * turn
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius2)])


def _around(axis: Array, directions: Array) -> Array:
    """Rotate directions (K, 3) about +z to lie about the unit vector ``axis``."""
    side = np.array([0.0, 0.0, 1.0]) if abs(axis[2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    x = np.cross(side, axis)
    x /= np.linalg.norm(x)
    return directions @ np.stack([x, np.cross(axis, x), axis])


def _shape(size: Sequence[float], per_m: float) -> tuple[int, int]:
    """Return (rows, columns) of a grid over (width, height) metres, at least 1 x 1."""
    return max(1, round(size[1] * per_m)), max(1, round(size[0] * per_m))
