"""What is marked on a floor, read from its orthophoto: stripes, arrows and stalls, in site metres."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from perception import (
    ArrowOptions,
    StallOptions,
    StallProposals,
    StripeOptions,
    dominant_directions,
    find_arrows,
    find_stripes,
    propose_stalls,
    stripe_support,
)
from twin.layout.ortho import Ortho

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

CALM, CALM_DARK = 0.16, 12.0
"""A pixel shows the floor if its views differ by less than this share of its brightness, or so many grey levels."""
FREE_VIEWS = 3
"""Floor counts as free where at least so many views agree."""


@dataclass(frozen=True, kw_only=True)
class MarkOptions:
    """How marks are looked for."""

    stripes: StripeOptions = field(default_factory=StripeOptions)
    arrows: ArrowOptions = field(default_factory=ArrowOptions)
    stalls: StallOptions = field(default_factory=StallOptions)


@dataclass(frozen=True, kw_only=True, eq=False)
class FloorMarks:
    """The marks of one floor in site metres.

    stripes: (S, 2, 2) ends of straight stripes; arrows: (A, 2, 2) middles and unit directions; stalls: as proposed
    """

    stripes: Array
    arrows: Array
    stalls: StallProposals


def floor_mask(ortho: Ortho) -> Mask:
    """Tell (H, W) where the floor itself is seen: views that disagree show what stands on it."""
    spread = cv2.medianBlur(np.nan_to_num(ortho.spread, nan=255.0).astype(np.float32), 5)
    gray = cv2.medianBlur(gray_of(ortho), 5)
    return np.asarray((ortho.views > 0) & (spread <= np.maximum(CALM_DARK, CALM * gray)))


def gray_of(ortho: Ortho) -> NDArray[np.uint8]:
    """Return the brightness (H, W) uint8."""
    return np.asarray(cv2.cvtColor(ortho.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def free_floor(ortho: Ortho, mask: Mask, points: Array) -> Array:
    """Return 1.0 where points (N, 2) in site lie on floor that several views show alike, else 0.0."""
    cells = np.floor(ortho.pixels_from_site(points)).astype(int)
    inside = ((cells >= 0) & (cells < np.array(mask.shape[::-1]))).all(axis=1)
    free = np.zeros(len(points))
    column, row = cells[inside].T
    free[inside] = mask[row, column] & (ortho.views[row, column] >= FREE_VIEWS)
    return free


def read_marks(ortho: Ortho, options: MarkOptions | None = None) -> FloorMarks:
    """Read the marks of a floor from its orthophoto; see ``perception.floor_marks``, ``arrows`` and ``stalls``."""
    options = options or MarkOptions()
    gray, mask = gray_of(ortho), floor_mask(ortho)
    directions = dominant_directions(gray, mask, ortho.m_per_px, options.stripes)
    stripes = find_stripes(gray, mask, ortho.m_per_px, directions, options.stripes)
    arrows = find_arrows(gray, mask, ortho.m_per_px, options.arrows)
    ends = ortho.site_from_pixels(stripes.ends)

    def lines(segments: Array) -> tuple[Array, Array]:
        return stripe_support(gray, mask, ortho.m_per_px, ortho.pixels_from_site(segments), options.stripes)

    stalls = propose_stalls(ends, stripes.open, lines, lambda points: free_floor(ortho, mask, points), options.stalls)
    middles = ortho.site_from_pixels(arrows.positions)
    pointing = arrows.directions * (1, -1)
    return FloorMarks(stripes=ends, arrows=np.stack([middles, pointing], axis=1), stalls=stalls)
