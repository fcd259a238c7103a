"""Tiepoint's own networks (``training/detector.py``): a row a cell, distances, two scores, kinds of vehicles, feet."""

import numpy as np

from perception.detection.heads.candidates import (
    Candidates,
    Outputs,
    Shapes,
    Size,
    cell_corners,
    cell_count,
    sigmoid,
    softmax,
)
from perception.detection.preparing import Preparation

MOST_EXPONENT = 5.0
FAMILIES = 2
"""Scores: of a vehicle, of a person."""
FOOT = 2


class OwnHead:
    """(1, A, 4 + 2 + K + 2): log distances in strides from a cell's middle, left, top, right, bottom; scores; kinds;
    and, in strides from there, where the object's middle meets the ground.

    Only taken where the file says so, since the shape alone could be YOLOX's.
    """

    name = "tiepoint"
    preparation = Preparation(fit="corner")

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return the number of kinds K."""
        fits = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] == cell_count(size)
        return shapes[0][2] - 4 - FAMILIES - FOOT if fits and shapes[0][2] > 4 + FAMILIES + FOOT else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the rows; ``scores`` are those of the two families, ``kinds`` shares among vehicles."""
        rows = np.asarray(outputs[0][0], dtype=np.float64)
        corners, strides = cell_corners(size)
        centres = (corners + 0.5) * strides[:, None]
        reach = np.exp(np.minimum(rows[:, :4], MOST_EXPONENT)) * strides[:, None]
        boxes = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1)
        return Candidates(
            boxes=boxes,
            scores=sigmoid(rows[:, 4 : 4 + FAMILIES]),
            kinds=softmax(rows[:, 4 + FAMILIES : -FOOT]),
            feet=centres + rows[:, -FOOT:] * strides[:, None],
        )
