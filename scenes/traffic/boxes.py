"""Footprints: rectangles on the ground, and whether they overlap."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

STOREY_M = 1.6
"""Footprints whose heights differ by more are on different storeys and can't meet."""


def footprints(positions: ArrayLike, headings: ArrayLike, size: tuple[float, float]) -> Array:
    """Return the corners (N, 4, 2) of rectangles of ``size`` (length, width) at ``positions`` (N, 2 or 3)."""
    centres, angles = np.asarray(positions, dtype=np.float64)[:, None, :2], np.asarray(headings, dtype=np.float64)
    ahead = np.stack([np.cos(angles), np.sin(angles)], axis=1)[:, None]
    aside = np.stack([-np.sin(angles), np.cos(angles)], axis=1)[:, None]
    signs = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])[None] / 2
    return centres + signs[..., :1] * size[0] * ahead + signs[..., 1:] * size[1] * aside


def overlaps(some: Array, others: Array) -> NDArray[np.bool_]:
    """Return whether each of the rectangles (N, 4, 2) overlaps each of the others (M, 4, 2), as (N, M).

    By separating axes (Gottschalk et al., OBBTree, SIGGRAPH 1996): rectangles that only touch don't overlap.
    """
    apart = _separated(some, others) | _separated(others, some).T
    return ~apart


def _separated(some: Array, others: Array) -> NDArray[np.bool_]:
    """Return (N, M): whether an edge of one of ``some`` has all of the other rectangle on its far side."""
    edges = some[:, [1, 3]] - some[:, [0, 0]]
    own = edges @ some.transpose(0, 2, 1)
    theirs = np.tensordot(edges, others, axes=(2, 2)).transpose(0, 2, 1, 3)
    low, high = own.min(axis=2)[:, None], own.max(axis=2)[:, None]
    return np.asarray(((theirs.min(axis=3) >= high) | (theirs.max(axis=3) <= low)).any(axis=2))
