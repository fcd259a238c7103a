"""How large objects are, by class, and how far they reach in a direction: convex solids that stand on the ground.

A solid is a few points (of a person: rings) of its convex hull in units of its (length, width, height), the ground
point under its middle at the origin, x ahead. The support h(n) = max_k n . R(heading) (size * q_k) tells how far it
reaches along n. For the point k that attains it, h is linear in the size; that is all that lifting and tracking need.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Family = Literal["person", "vehicle"]


@dataclass(frozen=True, kw_only=True)
class SizePrior:
    """What is known of an object's size from its class alone.

    family: objects of one family may be mistaken for each other by a detector, those of two never
    size, sigma: (length, width, height) in metres and their standard deviations; of a person, length is the diameter
    outline: rows of (x, y, z) in units of the size; none for a person, who is round: ``RINGS``
    """

    family: Family
    size: tuple[float, float, float]
    sigma: tuple[float, float, float]
    outline: tuple[tuple[float, float, float], ...] = ()


def _mirrored(*points: tuple[float, float, float]) -> tuple[tuple[float, float, float], ...]:
    """Mirror points to all four quarters; how cars differ front from back is less than how they differ."""
    return tuple((sx * x, sy * y, z) for x, y, z in points for sx in (1, -1) for sy in (1, -1))


CAR = _mirrored(
    (0.33, 0.46, 0.0), (0.5, 0.30, 0.2), (0.44, 0.5, 0.25), (0.5, 0.32, 0.45), (0.46, 0.48, 0.5), (0.2, 0.36, 1.0)
)
BOX = _mirrored((0.36, 0.47, 0.0), (0.5, 0.42, 0.15), (0.49, 0.5, 0.4), (0.5, 0.42, 0.5), (0.42, 0.44, 1.0))
BIKE = _mirrored((0.36, 0.04, 0.0), (0.5, 0.04, 0.3), (0.15, 0.5, 0.8), (0.2, 0.1, 1.0))

PERSON = SizePrior(family="person", size=(0.55, 0.55, 1.72), sigma=(0.12, 0.12, 0.11))
VEHICLE = SizePrior(family="vehicle", size=(4.4, 1.82, 1.58), sigma=(0.6, 0.15, 0.25), outline=CAR)
PRIORS: dict[str, SizePrior] = {
    "person": PERSON,
    "car": SizePrior(family="vehicle", size=(4.5, 1.82, 1.5), sigma=(0.35, 0.08, 0.12), outline=CAR),
    "hatchback": SizePrior(family="vehicle", size=(4.0, 1.77, 1.5), sigma=(0.25, 0.07, 0.07), outline=CAR),
    "suv": SizePrior(family="vehicle", size=(4.6, 1.87, 1.68), sigma=(0.25, 0.07, 0.08), outline=CAR),
    "estate": SizePrior(family="vehicle", size=(4.7, 1.83, 1.5), sigma=(0.2, 0.06, 0.07), outline=CAR),
    "pickup": SizePrior(family="vehicle", size=(5.3, 1.9, 1.8), sigma=(0.25, 0.08, 0.1), outline=CAR),
    "van": SizePrior(family="vehicle", size=(5.2, 1.97, 2.1), sigma=(0.5, 0.1, 0.3), outline=BOX),
    "truck": SizePrior(family="vehicle", size=(7.0, 2.3, 2.8), sigma=(1.5, 0.25, 0.6), outline=BOX),
    "bus": SizePrior(family="vehicle", size=(11.0, 2.5, 3.1), sigma=(1.5, 0.15, 0.3), outline=BOX),
    "motorcycle": SizePrior(family="vehicle", size=(2.1, 0.75, 1.25), sigma=(0.2, 0.12, 0.25), outline=BIKE),
    "bicycle": SizePrior(family="vehicle", size=(1.75, 0.6, 1.4), sigma=(0.15, 0.1, 0.3), outline=BIKE),
}
OUTLINE_POINTS = max(len(prior.outline) for prior in PRIORS.values())


def size_prior(kind: str) -> SizePrior:
    """Return what is known of the size of a class; one that is not listed may be any vehicle."""
    return PRIORS.get(kind, VEHICLE)


RINGS = np.array([(0.15, 0.0), (0.5, 0.5), (0.5, 0.75), (0.15, 1.0)])
"""A person, standing or walking in whatever direction: radius in units of the length, height in those of the height."""


class Support(NamedTuple):
    """How far solids reach along directions: (..., ) metres, and the derivatives by size (..., 3) and heading (...)."""

    reach: Array
    by_size: Array
    by_heading: Array


def outlines_of(kinds: tuple[str, ...]) -> tuple[Array, NDArray[np.bool_]]:
    """Return the outlines (K, OUTLINE_POINTS, 3) of classes, their last point repeated, and which are round (K,)."""
    outlines = np.zeros((len(kinds), OUTLINE_POINTS, 3))
    round_ones = np.zeros(len(kinds), dtype=np.bool_)
    for row, kind in enumerate(kinds):
        points = size_prior(kind).outline
        round_ones[row] = not points
        if points:
            outlines[row] = np.array([*points, *[points[-1]] * (OUTLINE_POINTS - len(points))])
    return outlines, round_ones


def support(normals: Array, heading: Array, size: Array, outline: Array, is_round: NDArray[np.bool_]) -> Support:
    """Return the support of solids along ``normals`` (N, M, 3) in site.

    heading: (N,) radians; size: (N, 3) metres; outline: (N, K, 3) and is_round (N,), both from ``outlines_of``.
    A person reaches max over rings of radius |n_xy| + height n_z, whatever the heading.
    """
    cos, sin = np.cos(heading)[:, None], np.sin(heading)[:, None]
    ahead = cos * normals[..., 0] + sin * normals[..., 1]
    left = cos * normals[..., 1] - sin * normals[..., 0]
    in_solid = np.stack([ahead, left, normals[..., 2]], axis=-1)
    scaled = in_solid * size[:, None]
    reach_of = scaled @ np.swapaxes(outline, 1, 2)
    best = reach_of.argmax(axis=-1)
    q = np.take_along_axis(outline, best[..., None], axis=1)
    by_size = in_solid * q
    by_heading = left * q[..., 0] * size[:, None, 0] - ahead * q[..., 1] * size[:, None, 1]
    if is_round.any():
        level = np.hypot(normals[..., 0], normals[..., 1])
        of_rings = np.stack([level[..., None] * RINGS[:, 0], normals[..., 2:] * RINGS[:, 1]], axis=-1)
        ring = (of_rings * size[:, None, None, ::2]).sum(axis=-1).argmax(axis=-1)
        by_length, by_height = np.moveaxis(
            np.take_along_axis(of_rings, ring[..., None, None], axis=-2)[..., 0, :], -1, 0
        )
        by_size_round = np.stack([by_length, np.zeros_like(level), by_height], axis=-1)
        by_size = np.where(is_round[:, None, None], by_size_round, by_size)
        by_heading = np.where(is_round[:, None], 0.0, by_heading)
    reach = (by_size * size[:, None]).sum(axis=-1)
    return Support(reach, by_size, by_heading)
