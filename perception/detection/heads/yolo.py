"""YOLOv5, v7 (rows with an objectness) and YOLOv8, v9, v11 (columns without), decoded in the network."""

import numpy as np

from perception.detection.heads.candidates import Candidates, Outputs, Shapes, Size, cell_count, corners_of
from perception.detection.preparing import Preparation


class Yolov5Head:
    """(1, A, 5 + C), A = three anchors a cell of strides 8, 16, 32: x y w h px, objectness, classes."""

    name = "yolov5"
    preparation = Preparation()

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return C."""
        fits = len(shapes) >= 1 and len(shapes[0]) == 3 and shapes[0][1] == 3 * cell_count(size) and shapes[0][2] > 5
        return shapes[0][2] - 5 if fits else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the rows; the score is objectness times class."""
        rows = np.asarray(outputs[0][0], dtype=np.float64)
        return Candidates(corners_of(rows[:, :4]), rows[:, 4:5] * rows[:, 5:])


class Yolov8Head:
    """(1, 4 + C, A), A = cells of strides 8, 16, 32: x y w h px and the score of each class."""

    name = "yolov8"
    preparation = Preparation()

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return C."""
        fits = len(shapes) == 1 and len(shapes[0]) == 3 and shapes[0][2] == cell_count(size) and shapes[0][1] > 4
        return shapes[0][1] - 4 if fits else None

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the columns."""
        rows = np.asarray(outputs[0][0], dtype=np.float64).T
        return Candidates(corners_of(rows[:, :4]), rows[:, 4:])
