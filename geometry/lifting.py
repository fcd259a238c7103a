"""From boxes to the ground: position with covariance of objects, from one box or from several views of one instant.

A solid of its class's size (``geometry.solids``) is fitted to the planes of its boxes (``geometry.box_views``). What
is not
known, the size and of vehicles the heading, is marginalized, so that it widens the covariance where it matters: along
the ray. Sides that are cut off by the border, or that lie inside the box of something nearer, don't count, or less.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import ROWS, SIDES, UNKNOWN_PX, BoxPlanes
from geometry.ground_surface import GroundSurface
from geometry.solids import outlines_of, size_prior, support

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

HEADINGS = 6
"""Headings tried over half a turn, as a solid looks alike from front and back."""
FIT_STEPS = 3
STRAY_SIZES = 1.5
"""An object's middle is seen within so many of its half sizes of the middle of its box."""
MAX_SIGMA_M = 3.0
"""A position less sure than this is not placed."""
MAX_MISFIT = 30.0
"""Squared residual (chi squared of up to 6 rows) beyond which no object of the class stands there."""
PERSON_SHAPE_M, VEHICLE_SHAPE_M = 0.05, 0.1
"""Standard deviation between where a solid and a real object end: limbs, bags, mirrors, curved bonnets."""
HIDDEN_SIGMAS, HIDDEN_SPREAD = 3.0, 1.5
OCCLUDED_PX_SHARE = 0.6
"""Standard deviation of a side that something nearer may hide, as a share of the box's size."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Solids:
    """N solids on the ground: position (N, 2), heading (N,), size (N, 3) and shape, as ``outlines_of`` returns it."""

    position: Array
    heading: Array
    size: Array
    outline: Array
    is_round: Mask


class Residuals(NamedTuple):
    """How far planes are from touching solids, in pixels of their side: (N, ROWS), and derivatives (N, ROWS, 6).

    ``px_per_m`` (N, ROWS) is how many pixels a metre is there.
    The derivatives are by x, y, heading, length, width, height.
    """

    px: Array
    jacobian: Array
    px_per_m: Array


def residuals(solids: Solids, ground: GroundSurface, level: NDArray[np.int64], planes: BoxPlanes) -> Residuals:
    """Return how far each of N solids on levels (N,) is from touching the planes of the N boxes beside it."""
    z, slope = ground.height(level, solids.position)
    offset = np.column_stack([solids.position, z]) - planes.centre
    reach = support(planes.normals[:, :SIDES], solids.heading, solids.size, solids.outline, solids.is_round)
    distance = np.linalg.norm(offset + 0.5 * solids.size[:, 2:] * [0.0, 0.0, 1.0], axis=1)
    scale = 1.0 / (np.maximum(distance, 0.5)[:, None] * planes.rad_per_px)
    metres = np.einsum("nmi,ni->nm", planes.normals, offset)
    metres[:, :SIDES] += reach.reach
    jacobian = np.zeros((*metres.shape, 6))
    jacobian[..., :2] = planes.normals[..., :2] + planes.normals[..., 2:] * slope[:, None]
    jacobian[:, :SIDES, 2] = reach.by_heading
    jacobian[:, :SIDES, 3:] = reach.by_size
    return Residuals(np.minimum(metres * scale, planes.room_px), jacobian * scale[..., None], scale)


@dataclass(frozen=True, kw_only=True, eq=False)
class Lifted:
    """Objects on the ground.

    position: (N, 3) site metres, the ground under the object's middle; NaN where there is none
    covariance: (N, 2, 2) of site x and y; heading: (N,) the likeliest, radians, meaningless for a person
    placed: (N,) whether the position is good for anything; reason: why not, "" where placed
    """

    position: Array
    covariance: Array
    heading: Array
    heading_sigma: Array
    placed: Mask
    reason: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.placed)


def hidden_noise(px: Array, spread: Array) -> Array:
    """Return the variances (N, M) of sides that something must hide, given residuals (N, M) and their usual
    variances, else 0.

    A side that lies further inside the solid than ``HIDDEN_SIGMAS`` is taken to be as unsure as that shows; not one
    that lies further outside, so that a box beside the solid isn't taken for a hidden one.
    """
    inside = np.maximum(px, 0.0) * (np.arange(px.shape[1]) % ROWS < SIDES)
    return np.where(inside**2 > HIDDEN_SIGMAS**2 * spread, np.maximum((inside / HIDDEN_SPREAD) ** 2 - spread, 0.0), 0.0)


def shape_sigma(is_round: Mask) -> Array:
    """Return by how much outlines of objects (N,) differ from their solids in every row, (N, ROWS) metres."""
    by_family = np.where(is_round[:, None], PERSON_SHAPE_M, VEHICLE_SHAPE_M)
    return np.concatenate([np.repeat(by_family, SIDES, axis=1), np.zeros((len(is_round), ROWS - SIDES))], axis=1)


def lift_boxes(planes: BoxPlanes, kinds: Sequence[str], ground: GroundSurface, level: int) -> Lifted:
    """Place N boxes of one camera on a level of the ground, each by itself.

    Not placed are a box without a ray, one whose bottom is seen and meets no floor, one that no object of its class
    explains and one whose position would have a standard deviation above ``MAX_SIGMA_M``.
    """
    if len(kinds) == 0:
        return Lifted(position=np.zeros((0, 3)), covariance=np.zeros((0, 2, 2)), heading=np.zeros(0),
        heading_sigma=np.zeros(0), placed=np.zeros(0, dtype=np.bool_), reason=())  # fmt: skip
    bottom = _bottom_rays(planes)
    start, met = ground.intersect(level, planes.centre, bottom)
    start = np.where(met[:, None], start, planes.centre + 5.0 * planes.middle)
    cut_off = planes.sigma_px[:, SIDES - 1] >= UNKNOWN_PX
    lifted = _fit([planes], kinds, ground, np.full(len(kinds), level), start[:, :2], met | cut_off)
    return _without_strays(lifted, planes, kinds)


def fuse_views(
    views: Sequence[BoxPlanes], kinds: Sequence[str], ground: GroundSurface, level: NDArray[np.int64], start: Array
) -> Lifted:
    """Place N objects that several cameras see at one instant: the solid that fits all boxes, not the mean of feet.

    views: planes (N rows each) of each view, ``sigma_px`` being ``UNKNOWN_PX`` where a view does not show an object
    start: (N, 2) positions to start from, within some metres, such as those of ``lift_boxes``
    """
    return _fit(list(views), kinds, ground, level, start, np.ones(len(kinds), dtype=np.bool_))


def _without_strays(lifted: Lifted, planes: BoxPlanes, kinds: Sequence[str]) -> Lifted:
    """Refuse positions that the camera sees elsewhere than at the box: planes go on behind what they touch."""
    half = 0.5 * np.array([size_prior(kind).size for kind in kinds])
    offset = lifted.position + half[:, 2:] * [0.0, 0.0, 1.0] - planes.centre
    distance = np.maximum(np.linalg.norm(offset, axis=1), 0.5)
    away = np.arccos(np.clip(np.einsum("ni,ni->n", offset / distance[:, None], planes.middle), -1.0, 1.0))
    stray = away > STRAY_SIZES * np.arctan(np.linalg.norm(half, axis=1) / distance)
    reason = ["the box is too small a part" if far else why for why, far in zip(lifted.reason, stray, strict=True)]
    return replace(lifted, placed=lifted.placed & ~stray, reason=tuple(reason))


def hidden_sides(boxes: Array) -> Array:
    """Return the share (N, SIDES) of each side of boxes (N, 4) of one picture that lies inside a nearer box.

    Of two boxes the one whose bottom is lower is nearer, as both stand on the ground.
    """
    n = len(boxes)
    if n < 2:
        return np.zeros((n, SIDES))
    x1, y1, x2, y2 = boxes.T
    nearer = y2[None] > y2[:, None]
    wide = np.maximum(np.minimum(x2[:, None], x2) - np.maximum(x1[:, None], x1), 0) / np.maximum(x2 - x1, 1)[:, None]
    tall = np.maximum(np.minimum(y2[:, None], y2) - np.maximum(y1[:, None], y1), 0) / np.maximum(y2 - y1, 1)[:, None]

    def within(value: Array, low: Array, high: Array) -> Mask:
        return np.asarray((value[:, None] > low) & (value[:, None] < high))

    shares = [
        tall * within(x1, x1, x2),
        wide * within(y1, y1, y2),
        tall * within(x2, x1, x2),
        wide * within(y2, y1, y2),
    ]
    return np.stack([np.where(nearer, share, 0.0).max(axis=1) for share in shares], axis=-1)


def _bottom_rays(planes: BoxPlanes) -> Array:
    """Return unit rays (N, 3) through the middle of the boxes' bottoms: where bottom plane and vertical middle meet."""
    across = planes.normals[:, 0] - planes.normals[:, 2]
    rays = np.cross(across, planes.normals[:, 3])
    rays /= np.maximum(np.linalg.norm(rays, axis=1, keepdims=True), 1e-12)
    return np.asarray(rays * np.sign(np.einsum("ni,ni->n", rays, planes.middle))[:, None])


def _fit(
    views: list[BoxPlanes],
    kinds: Sequence[str],
    ground: GroundSurface,
    level: NDArray[np.int64],
    start: Array,
    met: Mask,
) -> Lifted:
    """Fit by Gauss-Newton for each heading, and mix the headings by how well they explain the boxes."""
    n = len(kinds)
    priors = [size_prior(kind) for kind in kinds]
    size, sigma = np.array([p.size for p in priors]), np.array([p.sigma for p in priors])
    outline, is_round = outlines_of(tuple(kinds))
    tried = 1 if is_round.all() else HEADINGS
    rows = np.repeat(np.arange(n), tried)
    headings = np.tile(np.arange(tried) * np.pi / tried, n)
    spread = 0.0 if tried == 1 else np.pi / tried / np.sqrt(12)
    unknown = np.column_stack([np.where(is_round, 0.0, spread), sigma])[rows] ** 2
    xy = np.array(start, dtype=np.float64)[rows]
    chosen = [view.take(rows) for view in views]
    for _ in range(FIT_STEPS):
        solids = Solids(position=xy, heading=headings, size=size[rows], outline=outline[rows], is_round=is_round[rows])
        px, jacobian, noise = _stacked(solids, ground, level[rows], chosen, unknown)
        whitened = np.linalg.solve(noise, np.concatenate([jacobian[..., :2], px[..., None]], axis=-1))
        information = np.swapaxes(jacobian[..., :2], 1, 2) @ whitened[..., :2] + 1e-4 * np.eye(2)
        step = np.linalg.solve(information, (np.swapaxes(jacobian[..., :2], 1, 2) @ whitened[..., 2:]))[..., 0]
        xy = xy - np.clip(step, -5.0, 5.0)
    px = px - np.einsum("nmi,ni->nm", jacobian[..., :2], step)
    misfit = np.einsum("nm,nm->n", px, np.linalg.solve(noise, px[..., None])[..., 0])
    covariance = np.linalg.inv(information)
    evidence = -0.5 * (misfit + np.linalg.slogdet(noise)[1] + np.linalg.slogdet(information)[1])
    return _mixed(
        xy, np.asarray(covariance, dtype=np.float64), headings, evidence, misfit, (n, tried), ground, level, met
    )


def _spread_of_half_turns(headings: Array, weight: Array) -> Array:
    """Return the circular standard deviation (N,) of headings (N, K) that are only known up to half a turn."""
    length = np.abs((weight * np.exp(2j * headings)).sum(axis=1))
    return np.asarray(0.5 * np.sqrt(-2 * np.log(np.clip(length, 1e-3, 1.0))))


def _stacked(
    solids: Solids, ground: GroundSurface, level: NDArray[np.int64], views: list[BoxPlanes], unknown: Array
) -> tuple[Array, Array, Array]:
    """Return residuals (N, V * ROWS) of all views, their Jacobian by position, and their covariance."""
    parts = [residuals(solids, ground, level, view) for view in views]
    px = np.concatenate([part.px for part in parts], axis=1)
    jacobian = np.concatenate([part.jacobian for part in parts], axis=1)
    shape = [part.px_per_m * shape_sigma(solids.is_round) for part in parts]
    sigma = np.concatenate([np.hypot(view.sigma_px, px) for view, px in zip(views, shape, strict=True)], axis=1)
    by_unknown = jacobian[..., 2:]
    noise = (by_unknown * unknown[:, None]) @ np.swapaxes(by_unknown, 1, 2)
    diagonal = np.arange(noise.shape[1])
    own = noise[:, diagonal, diagonal]
    noise[:, diagonal, diagonal] += np.maximum(sigma**2, hidden_noise(px, own + sigma**2))
    return px, jacobian, noise


def _mixed(
    xy: Array,
    covariance: Array,
    headings: Array,
    evidence: Array,
    misfit: Array,
    shape: tuple[int, int],
    ground: GroundSurface,
    level: NDArray[np.int64],
    met: Mask,
) -> Lifted:
    """Match the moments of the mixture over headings."""
    evidence = evidence.reshape(shape)
    weight = np.exp(evidence - evidence.max(axis=1, keepdims=True))
    weight /= weight.sum(axis=1, keepdims=True)
    points = xy.reshape(*shape, 2)
    mean = np.einsum("nk,nki->ni", weight, points)
    apart = points - mean[:, None]
    mixed = np.einsum("nk,nkij->nij", weight, covariance.reshape(*shape, 2, 2))
    mixed += np.einsum("nk,nki,nkj->nij", weight, apart, apart)
    best = evidence.argmax(axis=1)
    least = misfit.reshape(shape)[np.arange(shape[0]), best]
    vague = ~(np.linalg.eigvalsh(mixed)[:, 1] <= MAX_SIGMA_M**2)
    outside = ~ground.contains(level, mean)
    z, _ = ground.height(level, mean)
    problems = {
        "its ray meets no floor": ~met,
        "the position is too unsure": vague,
        "it is off the level": outside,
        "no object of its class fits the box": ~(least <= MAX_MISFIT),
    }
    reason = np.full(shape[0], "", dtype=object)
    for words, where in problems.items():
        reason[where & (reason == "")] = words
    return Lifted(
        position=np.column_stack([mean, z]),
        covariance=mixed,
        heading=headings.reshape(shape)[np.arange(shape[0]), best],
        heading_sigma=_spread_of_half_turns(headings.reshape(shape), weight),
        placed=reason == "",
        reason=tuple(reason.tolist()),
    )
