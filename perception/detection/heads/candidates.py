"""What every head turns a network's numbers into, and the grids that many of them count by."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from perception.detection.preparing import Preparation

Array = NDArray[np.float64]
Outputs = Sequence[NDArray[np.generic]]
Shapes = Sequence[tuple[int, ...]]
Size = tuple[int, int]

STRIDES = (8, 16, 32)


class Candidates(NamedTuple):
    """What every cell says.

    boxes: (A, 4) x1 y1 x2 y2 in the input's pixels; scores: (A, C) in [0, 1]
    kinds: (A, K) and feet: (A, 2) in the input's pixels, of networks that tell them
    """

    boxes: Array
    scores: Array
    kinds: Array | None = None
    feet: Array | None = None


class Head(Protocol):
    """How a family of exports lays out what it found."""

    name: str
    preparation: Preparation

    def classes(self, shapes: Shapes, size: Size) -> int | None:
        """Return how many classes outputs of these shapes hold for an input (height, width), None if not laid out so.

        0 where any number fits.
        """

    def decode(self, outputs: Outputs, size: Size, classes: int) -> Candidates:
        """Read the outputs for one picture."""


def cells(size: Size, strides: Sequence[int] = STRIDES) -> list[tuple[int, int]]:
    """Return (rows, columns) of the grid of each stride over an input (height, width)."""
    return [(-(-size[0] // stride), -(-size[1] // stride)) for stride in strides]


def cell_count(size: Size, strides: Sequence[int] = STRIDES) -> int:
    """Return the number of cells of all grids."""
    return sum(rows * columns for rows, columns in cells(size, strides))


def cell_corners(size: Size, strides: Sequence[int] = STRIDES) -> tuple[Array, Array]:
    """Return the cells' upper left corners (A, 2) in cells and their strides (A,), row by row, grid by grid."""
    corners, steps = [], []
    for (rows, columns), stride in zip(cells(size, strides), strides, strict=True):
        y, x = np.divmod(np.arange(rows * columns), columns)
        corners.append(np.column_stack([x, y]))
        steps.append(np.full(rows * columns, stride))
    return np.concatenate(corners).astype(np.float64), np.concatenate(steps).astype(np.float64)


def corners_of(centre_and_extent: Array) -> Array:
    """Return boxes (A, 4) x1 y1 x2 y2 of x, y, width, height."""
    half = centre_and_extent[:, 2:] / 2
    return np.concatenate([centre_and_extent[:, :2] - half, centre_and_extent[:, :2] + half], axis=1)


def sigmoid(values: Array) -> Array:
    """Return 1 / (1 + exp(-x)) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * values)))


def softmax(values: Array) -> Array:
    """Return shares along the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))
