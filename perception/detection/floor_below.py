"""How large what stands on a floor is, by a calibrated camera: what the pixels of a vehicle alone don't tell."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from geometry.box_views import CameraModel
from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera

Array = NDArray[np.float64]

LEAST_DOWN = 0.02
"""Sine below the horizon from which on a ray is taken to meet the floor, 50 camera heights away at most."""
LEAST_ABOVE_M = 0.5
MEASURES = 5


@dataclass(frozen=True)
class FloorBelow:
    """A calibrated camera and the height of the floor that it looks at, metres in site."""

    camera: FixedCamera
    elevation: float

    @cached_property
    def _view(self) -> CameraModel:
        return CameraModel.of(self.camera)

    def measured(self, boxes: Array, size: tuple[int, int]) -> Array:
        """Return (N, MEASURES) of boxes (N, 4) px of whole objects on the floor, in a picture of (width, height).

        Metres a pixel, metres wide and high at the distance at which the box's foot meets the floor; and how far below
        the camera the rays through foot and top go, as sines. A row is NaN, in part or all, where the lens has no rays,
        for a picture of another shape than those that the camera was calibrated by, and for a camera that is not
        ``LEAST_ABOVE_M`` above the floor, whose level can't be right.
        """
        above, factor = self._view.centre[2] - self.elevation, self.camera.width / size[0]
        if above < LEAST_ABOVE_M or abs(self.camera.height / factor - size[1]) > 1.0:
            return np.full((len(boxes), MEASURES), np.nan)
        middle, half = factor * (boxes[:, :2] + boxes[:, 2:]) / 2, factor * (boxes[:, 2:] - boxes[:, :2]) / 2
        foot, top = (self._view.rays(middle + half * [0.0, end]) for end in (1.0, -1.0))
        left, right = (self._view.rays(middle + half * [end, 0.0]) for end in (-1.0, 1.0))
        down = -foot[:, 2]
        distance = above / np.maximum(down, LEAST_DOWN)
        wide, high = distance * _angle(left, right), distance * _angle(foot, top)
        wide_px = np.maximum(2 * half[:, 0] / factor, 1.0)
        return np.column_stack([wide / wide_px, wide, high, down, -top[:, 2]])


def floors_below(plan: FloorPlan, cameras: Sequence[FixedCamera]) -> dict[str, FloorBelow]:
    """Return the floor below each camera, by its id, of those whose level the plan has; a plan of one level is all
    cameras'."""
    elevations = {level.id: level.elevation for level in plan.levels}
    only = plan.levels[0].elevation if len(plan.levels) == 1 else None
    found = {each.id: elevations.get(each.level, only) for each in cameras}
    return {each.id: FloorBelow(each, height) for each in cameras if (height := found[each.id]) is not None}


def _angle(first: Array, second: Array) -> Array:
    """Return the angles (N,) between unit rays (N, 3)."""
    return np.asarray(np.arccos(np.clip((first * second).sum(axis=1), -1.0, 1.0)))
