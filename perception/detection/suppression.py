"""Overlap of boxes, and keeping the best of those that show one object."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

AT_ONCE = 256
"""Boxes whose mutual overlaps are held at a time, which bounds the memory whatever a network returns."""


def overlaps(first: Array, second: Array) -> Array:
    """Return the intersection over union (N, M) of boxes (N, 4) and (M, 4), x1 y1 x2 y2; 0 where a union has no area.

    >>> overlaps(np.array([[0.0, 0, 2, 2]]), np.array([[1.0, 0, 3, 2], [5, 5, 6, 6]])).round(3).tolist()
    [[0.333, 0.0]]
    """
    corner = np.maximum(first[:, None, :2], second[None, :, :2])
    extent = np.minimum(first[:, None, 2:], second[None, :, 2:]) - corner
    common = np.clip(extent, 0, None).prod(axis=2)
    areas = [np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(axis=1) for boxes in (first, second)]
    union = areas[0][:, None] + areas[1] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def suppress(boxes: Array, scores: Array, groups: Sequence[object], iou: float, most: int = 300) -> Indices:
    """Return which boxes (N, 4) to keep, best first, at most ``most``: no kept one overlaps a better one of its group
    by more than ``iou``. Of equal scores the first is better."""
    order = np.argsort(-scores, kind="stable")
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group = np.array([numbers[each] for each in groups], dtype=np.int64)[order]
    kept: list[int] = []
    for start in range(0, len(order), AT_ONCE):
        part = np.arange(start, min(start + AT_ONCE, len(order)))
        before = np.array(kept, dtype=np.int64)
        clash = overlaps(boxes[order[part]], boxes[order[before]]) > iou
        free = ~(clash & (group[part, None] == group[before])).any(axis=1)
        within = (overlaps(boxes[order[part]], boxes[order[part]]) > iou) & (group[part, None] == group[part])
        for i in range(len(part)):
            if free[i]:
                kept.append(int(part[i]))
                free[i + 1 :] &= ~within[i, i + 1 :]
                if len(kept) == most:
                    return np.asarray(order[kept])
    return np.asarray(order[np.array(kept, dtype=np.int64)])
