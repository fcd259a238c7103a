"""YOLOX (Ge et al. 2021): one row a cell, x y w h objectness classes; decoded in the network or not."""

import numpy as np

from perception.detection.heads.candidates import (
    Candidates,
    Outputs,
    Shapes,
    Size,
    cell_corners,
    cell_count,
    corners_of,
)
from perception.detection.preparing import Preparation

DECODED_WITHIN = 4.0
"""Cells between a decoded centre and its own cell, in the median; raw ones are near 0 wherever their cell is."""


class YoloxHead:
    """(1, A, 5 + C), A = cells of strides 8, 16, 32."""

    name = "yolox"
    preparation = Preparation(order="bgr", fit="corner", deviation=(1.0, 1.0, 1.0))

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return C."""
        fits = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] == cell_count(size) and shapes[0][2] > 5
        return shapes[0][2] - 5 if fits else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the rows; the score is objectness times class."""
        rows = np.asarray(outputs[0][0], dtype=np.float64)
        corners, strides = cell_corners(size)
        off = np.abs(rows[:, :2] / strides[:, None] - corners).max(axis=1)
        if np.median(off) < DECODED_WITHIN:
            boxes = rows[:, :4]
        else:
            centre = (rows[:, :2] + corners) * strides[:, None]
            boxes = np.concatenate([centre, np.exp(np.minimum(rows[:, 2:4], 20.0)) * strides[:, None]], axis=1)
        return Candidates(corners_of(boxes), rows[:, 4:5] * rows[:, 5:])
