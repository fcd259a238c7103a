"""Boxes around whole objects, what is hidden of them guessed, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import ROWS, SIDES
from geometry.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class WholeBoxes:
    """Of N detections of a detector that says how sure it is of each; NaN in a row where nothing is known.

    boxes: (N, 4) float64 px, x1 y1 x2 y2, what other things hide included, what the picture's border cuts off not
    sigma: (N, 6) float64 px, standard deviations of the four sides and of the foot's x and y
    """

    boxes: Array
    sigma: Array

    def __post_init__(self) -> None:
        n = len(self.boxes)
        for name, width in (("boxes", SIDES), ("sigma", ROWS)):
            value = getattr(self, name)
            if value.shape != (n, width) or value.dtype != np.float64:
                raise InputError(f"whole {name}: expected ({n}, {width}) float64, got {value.shape} {value.dtype}")
        told = np.isfinite(self.boxes).all(axis=1), np.isfinite(self.sigma).all(axis=1)
        if (told[0] != told[1]).any() or (self.sigma[told[0]] <= 0).any():
            raise InputError("whole sigma: standard deviations are positive, and known where the box is")

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def told(self) -> NDArray[np.bool_]:
        """Tell of which (N,) something is known."""
        return np.asarray(np.isfinite(self.boxes).all(axis=1))

    def take(self, index: NDArray[np.integer] | NDArray[np.bool_]) -> "WholeBoxes":
        """Return some of the rows."""
        return WholeBoxes(boxes=self.boxes[index], sigma=self.sigma[index])

    @classmethod
    def joined(cls, parts: Sequence["WholeBoxes"]) -> "WholeBoxes":
        """Return the rows of some, of one at least, one after the other."""
        boxes, sigma = (np.concatenate([getattr(part, name) for part in parts]) for name in ("boxes", "sigma"))
        return cls(boxes=boxes, sigma=sigma)

    @classmethod
    def of(cls, rows: Sequence[tuple[Sequence[float], Sequence[float]] | None]) -> "WholeBoxes | None":
        """Return boxes and standard deviations from lists, NaN for None; None where no row tells any."""
        if all(row is None for row in rows):
            return None
        nothing = (np.nan,) * SIDES, (np.nan,) * ROWS
        boxes, sigma = zip(*(row or nothing for row in rows), strict=True)
        return cls(boxes=np.array(boxes, dtype=np.float64), sigma=np.array(sigma, dtype=np.float64))

    def moved(self, by: Array) -> "WholeBoxes":
        """Return them in a picture whose corner lies ``by`` (2,) px before this one's."""
        return WholeBoxes(boxes=self.boxes + np.tile(by, 2), sigma=self.sigma)
