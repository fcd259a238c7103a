"""Colours of landmarks: as photographed, by level, by how many photos see them, and by when they were first seen."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twin.landmarks import Landmarks
from twin.viewer.layers import NO_LEVEL

Colours = NDArray[np.uint8]

MODES = ("photo", "level", "use", "age")
MANY_VIEWS = 12
"""A landmark seen by so many photos has the brightest colour."""
OF_NO_LEVEL = (128, 128, 128)


def by_level(level: NDArray[np.int64]) -> Colours:
    """Return colours (N, 3) that tell neighbouring levels apart; grey for those of none."""
    colours = (_map("tab10")(np.maximum(level, 0) % 10)[:, :3] * 255).astype(np.uint8)
    colours[level == NO_LEVEL] = OF_NO_LEVEL
    return colours


def by_use(landmarks: Landmarks) -> Colours:
    """Return colours (L, 3) from dark, seen by two photos, to bright, by ``MANY_VIEWS`` and more."""
    seen = np.bincount(landmarks.landmark, minlength=len(landmarks))
    return _scaled(np.clip((seen - 2) / (MANY_VIEWS - 2), 0.0, 1.0))


def by_age(landmarks: Landmarks) -> Colours:
    """Return colours (L, 3) from dark, seen by the walk's first photos, to bright, first seen by its last."""
    first = np.full(len(landmarks), len(landmarks.views), dtype=np.int64)
    np.minimum.at(first, landmarks.landmark, landmarks.view_of_observation())
    return _scaled(np.clip(first / max(len(landmarks.views) - 1, 1), 0.0, 1.0))


def of_tracks(ids: NDArray[np.int64]) -> Colours:
    """Return a colour (N, 3) an id; ids twenty apart share one."""
    colours: Colours = (_map("tab20")(ids % 20)[:, :3] * 255).astype(np.uint8)
    return colours


def _scaled(share: NDArray[np.float64]) -> Colours:
    colours: Colours = (_map("viridis")(share)[:, :3] * 255).astype(np.uint8)
    return colours


def _map(name: str) -> Callable[[Any], NDArray[np.float64]]:
    from matplotlib import colormaps

    chosen: Callable[[Any], NDArray[np.float64]] = colormaps[name]
    return chosen
