"""How deep the stalls of a row are: what the inner ends of its separators tell, and what rows have in common."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from perception.stall_options import StallOptions
from perception.stall_rows import SAME_M, Row

Array = NDArray[np.float64]

COMMON_WEIGHT = 2.5
"""Of the depth that rows have in common, against one separator of a row's own."""
TRUSTED = 2.0
"""Rows count for what is common if their separators weigh so much."""
IN_COMMON = 0.75
"""Rows have a depth in common if those that agree hold this share of all weight."""
CUT_WEIGHT = 0.4
"""Of the end of a separator that something hides, against one that ends openly."""


def stretch(row: Row, options: StallOptions) -> float:
    """Return how much longer a stall's side is than the stall is deep, which is measured square to the row's front."""
    return 1.0 if options.echelon else float(np.hypot(1.0, row.front[1]))


def depths_told(row: Row, stripes: Array, open_ends: NDArray[np.bool_], options: StallOptions) -> list[Array]:
    """Return for each kind (N, 2) what the inner ends of separators tell: depths and their weights.

    Where paint ends openly the stall does; where it is cut off, by a car or a wall, it may. Ends that cars cut lie
    anywhere, whereas walls and kerbs cut all alike. Long stripes separate two rows that stand back to back.
    """
    c = stripes @ row.right
    a = stripes @ row.inward
    far = a.argmax(axis=1)
    each = np.arange(len(stripes))
    parallel = np.abs(c[:, 1] - c[:, 0]) < np.sin(np.radians(options.rows.angle_deg)) * np.ptp(a, axis=1) + 0.02
    on_row = np.abs(c.mean(axis=1)[:, None] - row.c).min(axis=1) < SAME_M
    deep = (a[each, far] - row.front_at(c[each, far])) / stretch(row, options)
    weight = np.where(open_ends[each, far], 1.0, CUT_WEIGHT)
    known = np.column_stack([deep, weight])[parallel & on_row & (deep > 0)]
    depths = []
    for number, size in enumerate(options.sizes):
        low, high = size.depth
        halves = known[(known[:, 0] >= 2 * low) & (known[:, 0] <= 2 * high)] if number == 0 else known[:0]
        single = known[(known[:, 0] >= low) & (known[:, 0] <= high)]
        depths.append(np.concatenate([single, halves * (0.5, 1.0)]))
    return depths


def mode(values: Array, weights: Array | None = None, window: float = 0.07) -> tuple[float, float]:
    """Return the median of the values within ``window`` of where they weigh most, and their weight; NaN for none."""
    if not len(values):
        return np.nan, 0.0
    weights = np.ones(len(values)) if weights is None else weights
    near = np.abs(values[:, None] - values) <= window
    mass = near @ weights
    members = near[mass.argmax()]
    return float(np.median(values[members])), float(weights[members].sum())


def common_depth(depths: Sequence[Array]) -> float:
    """Return the depth that nearly all rows have in common, by the weight they give it; NaN where they differ."""
    told = np.array([mode(depth[:, 0], depth[:, 1]) for depth in depths]).reshape(-1, 2)
    told = told[told[:, 1] >= TRUSTED]
    depth, weight = mode(told[:, 0], told[:, 1], 0.12)
    return depth if len(told) > 1 and weight >= IN_COMMON * told[:, 1].sum() else np.nan
