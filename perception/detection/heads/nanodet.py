"""NanoDet and NanoDet-Plus: a row a cell, scores of classes, then each side's distance as a distribution (Li 2020)."""

import numpy as np

from perception.detection.heads.candidates import (
    STRIDES,
    Candidates,
    Outputs,
    Shapes,
    Size,
    cell_corners,
    cell_count,
    softmax,
)
from perception.detection.preparing import Preparation

BINS = 8
PLUS_STRIDES = (*STRIDES, 64)


class NanodetHead:
    """(1, A, C + 32), A = cells of strides 8, 16, 32 (NanoDet) or 8, 16, 32, 64 (Plus).

    Distances are from the middle of a cell in NanoDet, from its corner in Plus.
    """

    name = "nanodet"
    preparation = Preparation(
        order="bgr", fit="stretch", mean=(103.53, 116.28, 123.675), deviation=(57.375, 57.12, 58.395)
    )

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return C."""
        fits = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][2] > 4 * BINS
        known = fits and shapes[0][1] in (cell_count(size), cell_count(size, PLUS_STRIDES))
        return shapes[0][2] - 4 * BINS if known else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the rows."""
        rows = np.asarray(outputs[0][0], dtype=np.float64)
        is_plus = len(rows) == cell_count(size, PLUS_STRIDES)
        corners, strides = cell_corners(size, PLUS_STRIDES if is_plus else STRIDES)
        centres = (corners if is_plus else corners + 0.5) * strides[:, None]
        shares = softmax(rows[:, classes:].reshape(-1, 4, BINS))
        reach = shares @ np.arange(BINS) * strides[:, None]
        boxes = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1)
        return Candidates(boxes, rows[:, :classes])
