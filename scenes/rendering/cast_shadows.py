"""Shadows that moving things cast on a static picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry.frames import position_of
from scenes.rendering.illumination import (
    GOLDEN_ANGLE,
    OFFSET_M,
    LampShares,
    around,
    cosine_hemisphere,
    strongest_lamps,
    sun_direction,
    sunlight,
    unshadowed,
)
from scenes.rendering.lighting import Emitters, emitters
from scenes.rendering.lumels import light_at
from scenes.rendering.raycasting import blocked, cast_rays, subset
from scenes.rendering.rays import RayGrid, rays_in_site
from scenes.rendering.render import in_chunks
from scenes.rendering.shading import SUN_CENTRE, albedo, shading_normals
from scenes.rendering.shapes import Instance
from scenes.rendering.world import World

FloatArray = NDArray[np.float32]

STRONGEST = 3
"""Lamps of which moving things cast shadows, for each pixel."""
LAMP_REACH_M = 1.5
"""Shadows of lamps are drawn this far from a thing's box; further off little is left of them."""
CONTACT_REACH_M = 0.9
CONTACT_RAYS = 8
CHUNK_POINTS = 1 << 13
PLANE_M = 0.02
BLUR_PX = 5
"""Shadows are averaged over so many pixels, which turns the few rays of each pixel into a soft edge."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Receiver:
    """Static surfaces seen by N pixels, and the light that moving things can keep from them.

    pixels: (N,) int64, flat indices; points, normals, albedo: (N, 3) float32
    lamps: (N, K) the strongest and their amounts, static shadows included; sun, indirect: (N, 3) float32
    size: (rows, columns) of the picture
    leaders: (N,) int64, the row of which the shadow is taken: of a block of 2 x 2 pixels of one plane, the first
    """

    pixels: NDArray[np.int64]
    points: FloatArray
    normals: FloatArray
    albedo: FloatArray
    lamps: LampShares
    sun: FloatArray
    indirect: FloatArray
    leaders: NDArray[np.int64]
    size: tuple[int, int]


def receiver(world: World, grid: RayGrid, cam_from_site: pycolmap.Rigid3d) -> Receiver:
    """Split the light on everything that is seen by rays of a camera into what can be shadowed."""
    rays = rays_in_site(grid.rays, cam_from_site).reshape(-1, 3)
    centre = position_of(cam_from_site).astype(np.float32)
    hits = cast_rays(world.raycaster, centre, rays)
    pixels = np.flatnonzero(np.isfinite(hits.distance) & grid.known.ravel())
    hits, rays = subset(hits, pixels), rays[pixels]
    points = centre + hits.distance[:, None] * rays
    normals = shading_normals(world.mesh, hits)
    width = hits.distance * np.linalg.norm(rays, axis=1) * grid.pitch.ravel()[pixels]
    lamps = _lamps_with_static_shadows(world, points, normals)
    by_lamps = light_of(lamps, emitters(world.lighting.lamps))
    sun = world.lighting.sun
    return Receiver(
        pixels=pixels,
        points=points,
        normals=normals,
        albedo=albedo(world, hits, rays, width),
        lamps=lamps,
        sun=sunlight(world.raycaster, points, normals, sun, SUN_CENTRE) if sun else np.zeros_like(points),
        indirect=np.maximum(light_at(world.light, hits) - by_lamps, 0),
        leaders=_leaders(pixels, points, normals, (grid.known.shape[0], grid.known.shape[1])),
        size=(grid.known.shape[0], grid.known.shape[1]),
    )


def _leaders(
    pixels: NDArray[np.int64], points: FloatArray, normals: FloatArray, shape: tuple[int, int]
) -> NDArray[np.int64]:
    row_of = np.full(shape[0] * shape[1], -1)
    row_of[pixels] = own = np.arange(len(pixels))
    row, column = np.divmod(pixels, shape[1])
    first = row_of[row // 2 * 2 * shape[1] + column // 2 * 2]
    step = np.abs(np.einsum("nk,nk->n", points - points[first], normals))
    alike = (first >= 0) & (step < PLANE_M) & (np.einsum("nk,nk->n", normals, normals[first]) > 0.95)
    return np.where(alike, first, own)


def _lamps_with_static_shadows(world: World, points: FloatArray, normals: FloatArray) -> LampShares:
    lamps = emitters(world.lighting.lamps)
    parts = []
    for start in range(0, len(points), CHUNK_POINTS):
        part = slice(start, start + CHUNK_POINTS)
        shares = strongest_lamps(points[part], normals[part], lamps, STRONGEST)
        seen = unshadowed(world.raycaster, points[part], normals[part], lamps, shares)
        parts.append(LampShares(lamps=shares.lamps, amounts=shares.amounts * seen))
    return LampShares(
        lamps=np.concatenate(
            [np.zeros((0, min(STRONGEST, len(lamps.points))), dtype=np.int64), *(p.lamps for p in parts)]
        ),
        amounts=np.concatenate([part.amounts for part in parts]) if parts else np.zeros((0, 0), dtype=np.float32),
    )


def light_of(shares: LampShares, lamps: Emitters) -> FloatArray:
    """Return the light (N, 3) of lamps by their shares."""
    return np.einsum("nk,nkc->nc", shares.amounts, lamps.radiance[shares.lamps])


def shadow_loss(
    world: World, static: Receiver, rows: NDArray[np.int64], instances: Sequence[Instance], moving: Any
) -> FloatArray:
    """Return the radiance (R, 3) that some ``rows`` of the receiver lose to the shadows of moving things.

    moving: ray caster that holds the ``instances``
    """
    lamps = emitters(world.lighting.lamps)
    wanted = np.zeros(len(static.pixels), dtype=bool)
    wanted[static.leaders[rows]] = True
    leaders = np.flatnonzero(wanted)

    def of_chunk(part: slice) -> FloatArray:
        some = leaders[part]
        lost = _lost_lamps(some, static, instances, lamps, moving) + _lost_indirect(some, static, instances, moving)
        if world.lighting.sun:
            lost += _lost_sun(some, static, sun_direction(world.lighting.sun, SUN_CENTRE), moving)
        return lost

    lost = in_chunks(of_chunk, len(leaders), CHUNK_POINTS)
    lost = lost[(np.cumsum(wanted) - 1)[static.leaders[rows]]]
    return _smoothed(lost, static.pixels[rows], static.size) * static.albedo[rows]


def _smoothed(values: FloatArray, pixels: NDArray[np.int64], size: tuple[int, int]) -> FloatArray:
    """Average values (R, 3) at flat ``pixels`` of a picture of ``size`` over their neighbours among these."""
    picture = np.zeros((size[0] * size[1], 4), dtype=np.float32)
    picture[pixels, :3], picture[pixels, 3] = values, 1
    blurred = cv2.blur(picture.reshape(*size, 4), (BLUR_PX, BLUR_PX)).reshape(-1, 4)[pixels]
    return blurred[:, :3] / blurred[:, 3:]


def _near(points: FloatArray, instances: Sequence[Instance], reach: float) -> NDArray[np.int64]:
    """Return the points (N, 3) that lie in one of the boxes of the instances, ``reach`` metres larger on all sides."""
    near = np.zeros(len(points), dtype=bool)
    for instance in instances:
        model_from_site = instance.site_from_model.inverse().matrix().astype(np.float32)
        half = np.array(instance.model.size, dtype=np.float32) / 2
        middle = np.array([0, 0, half[2]], dtype=np.float32)
        inside = np.abs(points @ model_from_site[:, :3].T + (model_from_site[:, 3] - middle)) < half + np.float32(reach)
        near |= inside.all(axis=1)
    return np.flatnonzero(near)


def _lost_lamps(
    rows: NDArray[np.int64], static: Receiver, instances: Sequence[Instance], lamps: Emitters, moving: Any
) -> FloatArray:
    near = _near(static.points[rows], instances, LAMP_REACH_M)
    at = rows[near]
    shares = LampShares(lamps=static.lamps.lamps[at], amounts=static.lamps.amounts[at])
    seen = unshadowed(moving, static.points[at], static.normals[at], lamps, shares)
    lost = np.zeros((len(rows), 3), dtype=np.float32)
    lost[near] = light_of(LampShares(lamps=shares.lamps, amounts=shares.amounts * (1 - seen)), lamps)
    return lost


def _lost_indirect(rows: NDArray[np.int64], static: Receiver, instances: Sequence[Instance], moving: Any) -> FloatArray:
    """Keep the bounced light away from where a thing stands: a contact shadow."""
    near = _near(static.points[rows], instances, CONTACT_REACH_M)
    at = rows[near]
    turns = at * GOLDEN_ANGLE
    cosine, sine = np.cos(turns)[:, None], np.sin(turns)[:, None]
    x, y, z = cosine_hemisphere(CONTACT_RAYS).T
    turned = np.stack([cosine * x - sine * y, sine * x + cosine * y, np.broadcast_to(z, (len(at), len(z)))], axis=-1)
    directions = around(static.normals[at], turned.astype(np.float32)).reshape(-1, 3)
    start = np.repeat(static.points[at] + np.float32(OFFSET_M) * static.normals[at], CONTACT_RAYS, axis=0)
    hidden = blocked(moving, start, directions, CONTACT_REACH_M).reshape(-1, CONTACT_RAYS)
    lost = np.zeros((len(rows), 3), dtype=np.float32)
    lost[near] = hidden.mean(axis=1, dtype=np.float32)[:, None] * static.indirect[at]
    return lost


def _lost_sun(rows: NDArray[np.int64], static: Receiver, towards: FloatArray, moving: Any) -> FloatArray:
    start = static.points[rows] + np.float32(OFFSET_M) * static.normals[rows]
    hidden = blocked(moving, start, np.broadcast_to(towards, start.shape))
    return hidden[:, None] * static.sun[rows]
