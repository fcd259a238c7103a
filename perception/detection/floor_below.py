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
MEASURES = 5


@dataclass(frozen=True)
class FloorBelow:
    """A calibrated camera and the height of the floor that it looks at, metres in site."""

    camera: FixedCamera
    elevation: float

    @property
    def size(self) -> tuple[int, int]:
        """Width and height px of the pictures it was calibrated at."""
        return self.camera.width, self.camera.height

    @cached_property
    def _view(self) -> CameraModel:
        return CameraModel.of(self.camera)

    def measured(self, boxes: Array) -> Array:
        """Return (N, MEASURES) of boxes (N, 4) px of whole objects on the floor, NaN where the lens has no rays.

        Metres a pixel, metres wide and high at the distance at which the box's foot meets the floor; and how far below
        the camera the rays through foot and top go, as sines.
        """
        middle, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
        foot, top = (self._rays(middle + half * [0.0, end]) for end in (1.0, -1.0))
        left, right = (self._rays(middle + half * [end, 0.0]) for end in (-1.0, 1.0))
        down = -foot[:, 2]
        distance = (self._view.centre[2] - self.elevation) / np.maximum(down, LEAST_DOWN)
        wide, high = distance * _angle(left, right), distance * _angle(foot, top)
        return np.column_stack([wide / np.maximum(2 * half[:, 0], 1.0), wide, high, down, -top[:, 2]])

    def _rays(self, pixels: Array) -> Array:
        rays = self._view.rays(pixels)
        return np.asarray(rays / np.linalg.norm(rays, axis=1, keepdims=True))


def floors_below(plan: FloorPlan, cameras: Sequence[FixedCamera]) -> dict[str, FloorBelow]:
    """Return the floor below each camera, by its id, of those whose level the plan has."""
    elevations = {level.id: level.elevation for level in plan.levels}
    return {each.id: FloorBelow(each, elevations[each.level]) for each in cameras if each.level in elevations}


def _angle(first: Array, second: Array) -> Array:
    """Return the angles (N,) between unit rays (N, 3)."""
    return np.asarray(np.arccos(np.clip((first * second).sum(axis=1), -1.0, 1.0)))
