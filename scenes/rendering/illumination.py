"""Light that arrives at points with normals: lamps, sun, and one bounce. All surfaces are matt here.

Light is given as the radiance (N, 3) that a white surface would send out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scenes.rendering.lighting import Emitters, Lighting, SunLight, sky_radiance
from scenes.rendering.raycasting import Hits, blocked, cast_rays, subset

FloatArray = NDArray[np.float32]

OFFSET_M = 3e-3
"""Rays start this far above their surface."""
LAMP_CASE_M = 0.2
"""Shadow rays end this far from a lamp's points, so that its own case or tube casts no shadow."""
NEAREST_M2 = 0.05
"""Least squared distance to a lamp that counts: closer, a point lamp would be brighter than a real one."""
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
OCCLUSION_REACH_M = 2.5
"""Surfaces nearer than this keep ambient light away, the more the nearer."""


@dataclass(frozen=True, kw_only=True, eq=False)
class LampShares:
    """The strongest lamps at N points: (N, K) int64 ``lamps`` and (N, K) float32 ``amounts``, per unit of radiance."""

    lamps: NDArray[np.int64]
    amounts: FloatArray


def strongest_lamps(points: FloatArray, normals: FloatArray, lamps: Emitters, count: int) -> LampShares:
    """Return the ``count`` lamps that would give each point (N, 3) the most light if nothing stood in between.

    Inverse square law with the cosines at the surface and at the lamp.
    """
    middles = np.ascontiguousarray(lamps.points.mean(axis=1))
    rough = _arriving(points[:, None], normals[:, None], middles[None], lamps.exponent)
    rough *= lamps.radiance.mean(axis=1)
    count = min(count, rough.shape[1])
    chosen = (
        np.sort(np.argpartition(-rough, max(count - 1, 0), axis=1)[:, :count], axis=1) if count else rough.astype(int)
    )
    exponent = lamps.exponent[chosen]
    parts = [
        _arriving(points[:, None], normals[:, None], lamps.points[chosen, s], exponent)
        for s in range(lamps.points.shape[1])
    ]
    return LampShares(lamps=chosen, amounts=np.mean(parts, axis=0, dtype=np.float32))


def _arriving(points: FloatArray, normals: FloatArray, lamps: FloatArray, exponent: FloatArray) -> FloatArray:
    ray = lamps - points
    distance2 = np.einsum("...k,...k->...", ray, ray)
    inverse = 1 / np.sqrt(np.maximum(distance2, np.float32(1e-8)))
    at_surface = np.clip(np.einsum("...k,...k->...", ray, normals) * inverse, 0, None)
    at_lamp = np.clip(ray[..., 2] * inverse, 0, None) ** exponent
    return at_surface * at_lamp / np.maximum(distance2, np.float32(NEAREST_M2))


def unshadowed(scene: Any, points: FloatArray, normals: FloatArray, lamps: Emitters, shares: LampShares) -> FloatArray:
    """Return the share (N, K) float32 of each of the lamps that ``scene`` lets through to the points."""
    rows, columns = np.nonzero(shares.amounts > 0)
    start = points[rows] + np.float32(OFFSET_M) * normals[rows]
    seen = np.zeros(shares.lamps.shape, dtype=np.float32)
    for sample in range(lamps.points.shape[1]):
        ray = lamps.points[shares.lamps[rows, columns], sample] - start
        length = np.sqrt(np.einsum("nk,nk->n", ray, ray))
        ray *= np.maximum(1 - LAMP_CASE_M / length, np.float32(1e-3))[:, None]
        seen[rows, columns] += ~blocked(scene, start, ray, 1.0)
    return seen / np.float32(lamps.points.shape[1])


def lamp_light(scene: Any, points: FloatArray, normals: FloatArray, lamps: Emitters, count: int) -> FloatArray:
    """Return the light (N, 3) of the ``count`` strongest lamps, with the shadows of ``scene``."""
    if not len(lamps.points):
        return np.zeros((len(points), 3), dtype=np.float32)
    shares = strongest_lamps(points, normals, lamps, count)
    seen = unshadowed(scene, points, normals, lamps, shares)
    return np.einsum("nk,nkc->nc", shares.amounts * seen, lamps.radiance[shares.lamps])


def sunlight(
    scene: Any, points: FloatArray, normals: FloatArray, sun: SunLight, place: tuple[float, float] = (0.5, 0.5)
) -> FloatArray:
    """Return the light (N, 3) of one point of the sun's disc, (0.5, 0.5) being its middle, with shadows."""
    towards = sun_direction(sun, place)
    amount = np.clip(normals @ towards, 0, None)
    rows = np.flatnonzero(amount > 0)
    start = points[rows] + np.float32(OFFSET_M) * normals[rows]
    amount[rows[blocked(scene, start, np.broadcast_to(towards, start.shape))]] = 0
    return amount[:, None] * np.array(sun.colour, dtype=np.float32)


def sun_direction(sun: SunLight, place: tuple[float, float]) -> FloatArray:
    """Return the unit vector (3,) towards a point of the sun's disc."""
    middle = np.array(sun.direction, dtype=np.float32) / np.float32(np.linalg.norm(sun.direction))
    offset = (np.array([*place, 0.5]) - 0.5) * 2 * np.tan(sun.spread)
    direction = around(middle[None], np.array([[offset[0], offset[1], 1.0]], dtype=np.float32))[0, 0]
    return direction / np.linalg.norm(direction)


@dataclass(frozen=True, kw_only=True, eq=False)
class Gathered:
    """What N points see around them.

    bounced: (N, 3) float32 light of surfaces and sky; open: (N,) float32, share of ambient light that arrives
    buried: (N,) float32, share of directions in which the back of a building's surface is seen: inside of a solid
    """

    bounced: FloatArray
    open: FloatArray
    buried: FloatArray


def gather(
    scene: Any,
    points: FloatArray,
    normals: FloatArray,
    lighting: Lighting,
    rays: int,
    sent_by: Callable[[Hits], FloatArray],
    solid: NDArray[np.bool_],
) -> Gathered:
    """Look around from points (N, 3) in ``rays`` cosine-weighted directions each: one real bounce.

    sent_by: gives the radiance (M, 3) that the surfaces hit send out. solid: (T,) bool, of the scene's triangles, True
    where seeing the back of one means to be inside a wall; such directions don't count.
    """
    directions = around(normals, cosine_hemisphere(rays))
    start = np.repeat(points + np.float32(OFFSET_M) * normals, rays, axis=0)
    ray = directions.reshape(-1, 3)
    hits = cast_rays(scene, start, ray)
    hit = np.isfinite(hits.distance)
    behind = hit & (np.einsum("nk,nk->n", hits.normal, ray) > 0)
    light = np.zeros((len(ray), 3), dtype=np.float32)
    light[~hit] = np.where(ray[~hit, 2:] > 0, sky_radiance(ray[~hit], lighting), 0)
    front = np.flatnonzero(hit & ~behind)
    light[front] = sent_by(subset(hits, front))
    walled = np.zeros(len(ray), dtype=bool)
    walled[behind] = solid[hits.triangle[behind]]
    valid = ~walled.reshape(-1, rays)
    count = np.maximum(valid.sum(axis=1), 1).astype(np.float32)
    far = np.minimum(hits.distance / np.float32(OCCLUSION_REACH_M), 1).reshape(-1, rays)
    return Gathered(
        bounced=light.reshape(-1, rays, 3).sum(axis=1) / count[:, None],
        open=(far * valid).sum(axis=1) / count,
        buried=1 - valid.mean(axis=1, dtype=np.float32),
    )


def cosine_hemisphere(count: int) -> FloatArray:
    """Return directions (count, 3) about +z with a density like the cosine.

    Malley's method on the points of a sunflower: Vogel, A better way to construct the sunflower head, 1979.
    """
    radius2 = (np.arange(count) + 0.5) / count
    radius, angle = np.sqrt(radius2), GOLDEN_ANGLE * np.arange(count)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle), np.sqrt(1 - radius2)]).astype(np.float32)


def around(axes: FloatArray, directions: FloatArray) -> FloatArray:
    """Rotate directions (K, 3) or (N, K, 3) about +z to lie about each of the unit vectors ``axes`` (N, 3): (N, K, 3).

    Duff et al., Building an orthonormal basis, revisited, JCGT 2017.
    """
    x, y, z = axes.T
    sign = np.where(z >= 0, np.float32(1), np.float32(-1))
    a = -1 / (sign + z)
    b = x * y * a
    basis = np.stack(
        [
            np.stack([1 + sign * x * x * a, sign * b, -sign * x], axis=-1),
            np.stack([b, sign + y * y * a, -y], axis=-1),
            axes,
        ],
        axis=1,
    )
    return (directions @ basis).astype(np.float32)
