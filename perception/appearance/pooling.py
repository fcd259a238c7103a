"""What many boxes say of one object, as one: what is seen well counts more, and each view of it counts alike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FULL_PX = 80.0
"""Crops of this height, and larger, count fully; smaller ones in proportion to their area."""
LEAST_SHARE = 0.005
"""What is told to be less likely is taken to be so likely."""
VIEWS = (0.75, 1.4)
"""Width over height of a vehicle's box, between which it is seen at an angle: less is an end, more a side."""


def pool(
    vectors: Sequence[NDArray[np.float32]], boxes: Sequence[Sequence[float]], cameras: Sequence[str]
) -> Array | None:
    """Return one vector (D,) of unit length for N vectors (D,) of one object, None for none.

    boxes: (x1, y1, x2, y2) px of each; the larger, the better what is seen. Vectors of one view, by camera and by the
    box's shape, are averaged first, so that minutes of one side don't hide a second of the other.
    """
    if not len(vectors):
        return None
    total = _by_views(np.array(vectors, dtype=np.float64), boxes, cameras)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length) if length > 1e-12 else None


def pool_shares(values: Array, boxes: Sequence[Sequence[float]], cameras: Sequence[str]) -> Array:
    """Return the probabilities (K,) of one object's names by those (N, K) that N boxes of it tell, as in ``pool``.

    Views are taken to be independent, boxes of one view to say the same: log-odds of these are averaged, of those
    added up.
    """
    total = _by_views(np.log(np.maximum(values, LEAST_SHARE)), boxes, cameras)
    shares = np.exp(total - total.max())
    return np.asarray(shares / shares.sum())


def _by_views(rows: Array, boxes: Sequence[Sequence[float]], cameras: Sequence[str]) -> Array:
    """Return the sum (D,) over views of the means of rows (N, D)."""
    sides = np.array(boxes, dtype=np.float64)
    extent = np.maximum(sides[:, 2:] - sides[:, :2], 1.0)
    quality = np.minimum(extent.prod(axis=1) / FULL_PX**2, 1.0)
    shape = np.digitize(extent[:, 0] / extent[:, 1], VIEWS)
    _, views = np.unique(
        np.column_stack([np.unique(cameras, return_inverse=True)[1], shape]), axis=0, return_inverse=True
    )
    weight = np.bincount(views, quality)
    total = np.zeros((len(weight), rows.shape[1]))
    np.add.at(total, views, quality[:, None] * rows)
    # A view seen once counts less than one seen ten times, and not less than one seen a thousand times.
    return np.asarray((total / np.maximum(weight, 1e-9)[:, None] * np.minimum(1.0, weight / 3.0)[:, None]).sum(axis=0))
