"""Many vectors of one object as one: what is seen well counts more, and each view of it counts alike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FULL_PX = 80.0
"""Crops of this height, and larger, count fully; smaller ones in proportion to their area."""
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
    rows, sides = np.array(vectors, dtype=np.float64), np.array(boxes, dtype=np.float64)
    extent = np.maximum(sides[:, 2:] - sides[:, :2], 1.0)
    quality = np.minimum(extent.prod(axis=1) / FULL_PX**2, 1.0)
    shape = np.digitize(extent[:, 0] / extent[:, 1], VIEWS).tolist()
    views = list(zip(cameras, shape, strict=True))
    total = np.zeros(rows.shape[1])
    for view in dict.fromkeys(views):
        own = np.array([each == view for each in views])
        mean = (quality[own, None] * rows[own]).sum(axis=0)
        # A view seen once counts less than one seen ten times, and not less than one seen a thousand times.
        total += mean / max(float(quality[own].sum()), 1e-9) * min(1.0, float(quality[own].sum()) / 3.0)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length) if length > 1e-12 else None
