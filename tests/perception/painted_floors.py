"""Floors drawn for tests, as orthophotos show them: paint of exact place on mottled concrete, worn and hidden."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

M_PER_PX = 0.02
LINE_M = 0.10
SHIFT = 6


class PaintedFloor:
    """A floor of ``width`` x ``height`` metres with its origin at the lower left corner and y up."""

    def __init__(self, width: float, height: float, m_per_px: float = M_PER_PX) -> None:
        self.m_per_px, self.height = m_per_px, height
        shape = round(height / m_per_px), round(width / m_per_px)
        self.paint = np.zeros(shape, np.uint8)
        self.hidden = np.zeros(shape, np.uint8)

    def pixels(self, points: object) -> Array:
        """Return the pixels (..., 2) of points (..., 2)."""
        xy = np.asarray(points, dtype=np.float64)
        return np.stack([xy[..., 0], self.height - xy[..., 1]], axis=-1) / self.m_per_px

    def points(self, pixels: object) -> Array:
        """Return the points (..., 2) of pixels (..., 2)."""
        uv = np.asarray(pixels, dtype=np.float64) * self.m_per_px
        return np.stack([uv[..., 0], self.height - uv[..., 1]], axis=-1)

    def fill(self, ring: object, *, hide: bool = False) -> None:
        """Paint a polygon (N, 2), or hide it."""
        corners = np.round((self.pixels(ring) - 0.5) * 2**SHIFT).astype(np.int32)
        cv2.fillPoly(self.hidden if hide else self.paint, [corners], 255, cv2.LINE_AA, SHIFT)

    def line(self, start: Sequence[float], end: Sequence[float], width: float = LINE_M) -> None:
        """Paint a line."""
        a, b = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
        along = (b - a) / np.linalg.norm(b - a)
        side = 0.5 * width * np.array([-along[1], along[0]])
        self.fill([a - side, b - side, b + side, a + side])

    def arrow(self, middle: Sequence[float], direction_deg: float, length: float = 2.2, width: float = 0.75) -> None:
        """Paint an arrow: a shaft a quarter as wide as its head."""
        angle = np.radians(direction_deg)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        shape = [(-0.5, 0.12), (0.1, 0.12), (0.1, 0.5), (0.5, 0), (0.1, -0.5), (0.1, -0.12), (-0.5, -0.12)]
        self.fill(np.array(shape) * (length, width) @ turn.T + np.asarray(middle))

    def gray(self, rng: np.random.Generator, *, noise: float = 2.0, worn: float = 0.0) -> NDArray[np.uint8]:
        """Return the brightness: mottled concrete, uneven light, and paint, the share ``worn`` of it gone."""
        shape = self.paint.shape
        mottled = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 8) * 60
        patches = cv2.GaussianBlur(rng.normal(size=shape).astype(np.float32), (0, 0), 5)
        gone = patches < np.quantile(patches, worn)
        cover = np.where(gone, 0.0, self.paint / 255.0)
        light = np.linspace(0.8, 1.1, shape[1])
        floor = (120 + mottled) * light
        value = floor + cover * 60 * light + rng.normal(0, noise, shape)
        value = np.where(self.hidden > 0, 30 + 20 * rng.random(shape), value)
        return np.clip(cv2.GaussianBlur(value, (0, 0), 0.7), 0, 255).astype(np.uint8)

    @property
    def seen(self) -> Mask:
        """Where nothing hides the floor."""
        return self.hidden == 0
