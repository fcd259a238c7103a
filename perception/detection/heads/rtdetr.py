"""RT-DETR (Zhao et al. 2024) as three tools export it; a transformer's queries, so that nothing is to be suppressed."""

import numpy as np

from perception.detection.heads.candidates import Candidates, Outputs, Shapes, Size, cell_count, corners_of, sigmoid
from perception.detection.heads.end_to_end import MOST_ROWS, scores_of
from perception.detection.preparing import Preparation

STRETCHED = Preparation(fit="stretch")


def _in_pixels(boxes: np.ndarray, size: Size) -> np.ndarray:
    """Return boxes (N, 4) x1 y1 x2 y2 px of x y w h in shares of the input."""
    height, width = size
    return np.asarray(corners_of(boxes) * np.array([width, height, width, height]))


class RtDetrHead:
    """(1, N, 4 + C): x y w h in shares of the input, then the score of each class."""

    name = "rt-detr"
    preparation = STRETCHED

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return C."""
        fits = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][1] <= MOST_ROWS and shapes[0][2] > 4
        return shapes[0][2] - 4 if fits and shapes[0][1] != cell_count(size) else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the queries."""
        rows = np.asarray(outputs[0][0], dtype=np.float64)
        return Candidates(_in_pixels(rows[:, :4], size), rows[:, 4:])


class RtDetrLogitsHead:
    """Two outputs: logits (1, N, C), and x y w h (1, N, 4) in shares of the input; either comes first."""

    name = "rt-detr-logits"
    preparation = STRETCHED

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return C."""
        if len(shapes) < 2 or any(len(shape) != 3 for shape in shapes[:2]) or shapes[0][1] != shapes[1][1]:
            return None
        widths = sorted((shapes[0][2], shapes[1][2]), key=lambda width: width == 4)
        return widths[0] if widths[1] == 4 and shapes[0][1] <= MOST_ROWS else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the queries."""
        first, second = (np.asarray(output[0], dtype=np.float64) for output in outputs[:2])
        logits, boxes = (first, second) if second.shape[1] == 4 else (second, first)
        return Candidates(_in_pixels(boxes, size), sigmoid(logits))


class RtDetrSortedHead:
    """Three outputs: classes (1, N), boxes (1, N, 4) px of the size that the second input asks for, scores (1, N)."""

    name = "rt-detr-sorted"
    preparation = STRETCHED

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return 0: how many there are is not in the shapes."""
        if len(shapes) != 3:
            return None
        n = shapes[0][-1]
        return 0 if [*shapes] == [(1, n), (1, n, 4), (1, n)] and n <= MOST_ROWS else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the rows."""
        numbers, boxes, scores = (np.asarray(output[0], dtype=np.float64) for output in outputs)
        return Candidates(boxes, scores_of(scores, numbers, classes))
