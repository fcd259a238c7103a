"""What many boxes say of one object, as one: what is seen well counts more, and each view of it counts alike."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

FULL_PX = 80.0
"""Crops of this height, and larger, count fully; smaller ones in proportion to their area."""
LEAST_SHARE = 0.005
"""What is told to be less likely is taken to be so likely."""
NEW = 0.5
"""Cameras see one light and one vehicle: V of them count as V to this power of independent ones."""
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
    extent = _extent(boxes)
    shape = np.digitize(extent[:, 0] / extent[:, 1], VIEWS)
    means, weight = _means(np.array(vectors, dtype=np.float64), extent, _numbered(cameras) * (len(VIEWS) + 1) + shape)
    # A view seen once counts less than one seen ten times, and not less than one seen a thousand times.
    total = (means * np.minimum(1.0, weight / 3.0)[:, None]).sum(axis=0)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length) if length > 1e-12 else None


def pool_shares(values: Array, boxes: Sequence[Sequence[float]], cameras: Sequence[str]) -> Array:
    """Return the probabilities (K,) of one object's names by those (N, K) that N boxes (x1, y1, x2, y2) px of it tell.

    The boxes of one camera say the same again, so that their log-odds are averaged, large boxes more; those of V
    cameras are partly new, and count as V to the power of ``NEW`` that are independent.
    """
    means, _ = _means(np.log(np.maximum(values, LEAST_SHARE)), _extent(boxes), _numbered(cameras))
    total = means.mean(axis=0) * len(means) ** NEW
    shares = np.exp(total - total.max())
    return np.asarray(shares / shares.sum())


def _extent(boxes: Sequence[Sequence[float]]) -> Array:
    sides = np.array(boxes, dtype=np.float64)
    return np.asarray(np.maximum(sides[:, 2:] - sides[:, :2], 1.0))


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    return np.asarray(np.unique(np.array(names, dtype=np.object_), return_inverse=True)[1], dtype=np.int64)


def _means(rows: Array, extent: Array, groups: NDArray[np.int64]) -> tuple[Array, Array]:
    """Return the means (G, D) of rows (N, D) over groups (N,), by how well each is seen, and how much that is (G,)."""
    quality = np.minimum(extent.prod(axis=1) / FULL_PX**2, 1.0)
    _, group = np.unique(groups, return_inverse=True)
    weight = np.asarray(np.bincount(group, quality), dtype=np.float64)
    total = np.zeros((len(weight), rows.shape[1]))
    np.add.at(total, group, quality[:, None] * rows)
    return total / np.maximum(weight, 1e-9)[:, None], weight
