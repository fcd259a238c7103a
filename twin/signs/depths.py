"""How far away a text is in each photo that shows it, by the landmarks of the map that the photo sees on it.

Rays of two readings may meet where nothing stands, as those to two faces of a pillar do. Letters are full of corners,
so that the map nearly always knows how far away they are.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twin.landmarks import Landmarks

Array = NDArray[np.float64]

ROOM = 1.15
"""By which a text's quad is widened: corners of letters lie on its edge."""
MIN_LANDMARKS = 3
MAX_SPREAD = 0.05
"""Median deviation of the landmarks' distances, relative: more is not of one surface."""


def text_depths(landmarks: Landmarks, views: Sequence[int], quads: Sequence[Array], eyes: Array) -> Array:
    """Return the distances (N,) of N texts from their cameras in metres, NaN where too few landmarks lie on them.

    views: of the landmarks, for each text, -1 for none; quads: (4, 2) px each; eyes: (N, 3) the cameras' centres
    """
    found = np.full(len(quads), np.nan)
    for k, (view, quad) in enumerate(zip(views, quads, strict=True)):
        if view < 0:
            continue
        seen = slice(int(landmarks.view_offsets[view]), int(landmarks.view_offsets[view + 1]))
        middle = quad.mean(axis=0)
        on_text = _inside(middle + ROOM * (quad - middle), np.asarray(landmarks.pixels[seen], dtype=np.float64))
        points = landmarks.points[np.asarray(landmarks.landmark[seen])[on_text]]
        if len(points) < MIN_LANDMARKS:
            continue
        distances = np.linalg.norm(points - eyes[k], axis=1)
        usual = float(np.median(distances))
        if np.median(np.abs(distances - usual)) < MAX_SPREAD * usual:
            found[k] = usual
    return found


def _inside(quad: Array, pixels: Array) -> NDArray[np.bool_]:
    """Tell (P,) which pixels (P, 2) lie in a convex quad (4, 2)."""
    edges, offsets = np.roll(quad, -1, axis=0) - quad, pixels[:, None] - quad
    sides = edges[:, 0] * offsets[..., 1] - edges[:, 1] * offsets[..., 0]
    return np.asarray((sides > 0).all(axis=1) | (sides < 0).all(axis=1))
