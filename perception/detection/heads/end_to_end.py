"""Exports that hold their own suppression, as YOLOv10 and later: a short list of boxes, scores and classes."""

import numpy as np

from perception.detection.heads.candidates import Candidates, Outputs, Shapes, Size, cell_count
from perception.detection.preparing import Preparation

MOST_ROWS = 1000


class EndToEndHead:
    """(1, N, 6): x1 y1 x2 y2 px, score, class; N at most 1000 and not the number of cells."""

    name = "end-to-end"
    preparation = Preparation()

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return 0: how many there are is not in the shape."""
        fits = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][2] == 6 and shapes[0][1] <= MOST_ROWS
        return 0 if fits and shapes[0][1] != cell_count(size) else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the rows; one of a class that is not there counts for nothing."""
        rows = np.asarray(outputs[0][0], dtype=np.float64)
        return Candidates(rows[:, :4], scores_of(rows[:, 4], rows[:, 5], classes))


def scores_of(scores: np.ndarray, numbers: np.ndarray, classes: int) -> np.ndarray:
    """Return scores (N, C) of rows that have one class each."""
    table = np.zeros((len(scores), classes))
    known = (numbers >= 0) & (numbers < classes) & np.isfinite(numbers)
    index = np.flatnonzero(known)
    table[index, numbers[index].astype(np.int64)] = scores[index]
    return table
