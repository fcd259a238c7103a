"""A map that is to fit into so many bytes: the landmarks that are of most use, for all photos and all parts of them.

Useful is what covers (weighted k-cover: Li et al. 2010, Camposeco et al. 2019): each part of each map photo is to keep
landmarks, the first of which counts for more than the tenth. A landmark counts by how surely it is there and how well
its place is known; it costs what it takes to store it and its observations.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from geometry import InputError
from twin.landmarks import Landmarks, only

Array = NDArray[np.float64]

CELLS = (4, 3)
"""Across and down: the parts of a photo that are to keep landmarks each."""
ROUNDS = 24
"""In each of which the best of the landmarks left are taken, in one go."""
SURE_SHARE = 0.02
"""A landmark's sigma, as a share of its distance, at which it counts half."""
MIN_PER_VIEW = 40
"""Landmarks a photo on average, below which a map is of no use."""
IN_MODEL, IN_ARRAYS = (51.0, 32.0), (68.0, 20.0)
"""Bytes of a landmark and of an observation, descriptor aside: in map/points3D.bin and images.bin, in landmarks/."""
WEIGHT_BYTES = 4.0
OF_VIEW = 8 + 64 + 88 + 288 + 64
"""Bytes of a photo: its offset, its name twice at some length, images.bin, its covariance, frames.bin."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Bytes that a map takes: for each landmark, for each observation, and whatever landmarks there are."""

    landmark: float
    observation: float
    fixed: float

    def of(self, landmarks: Landmarks) -> float:
        """Return the bytes of a map of these landmarks."""
        return self.fixed + self.landmark * len(landmarks) + self.observation * len(landmarks.landmark)


def cost_of(landmarks: Landmarks, place_bytes: int) -> Cost:
    """Return what the landmarks of a map cost in map/ and landmarks/; ``place_bytes`` is the size of places/."""
    descriptor = landmarks.descriptors.shape[1] * landmarks.descriptors.dtype.itemsize
    return Cost(
        landmark=IN_MODEL[0] + IN_ARRAYS[0] + (0.0 if landmarks.weights is None else WEIGHT_BYTES),
        observation=IN_MODEL[1] + IN_ARRAYS[1] + descriptor,
        fixed=place_bytes + OF_VIEW * len(landmarks.views) + 4096.0,
    )


def thinned(landmarks: Landmarks, budget: float, cost: Cost, sizes: Array, view_positions: Array) -> Landmarks:
    """Return the most useful landmarks that take at most ``budget`` bytes; all of them where these do.

    sizes: (V, 2) width and height of the views, pixels; view_positions: (V, 3) in site

    The greedy rule for covering at a cost, which is near the best there is (Krause and Golovin 2014), in ``ROUNDS``
    rounds. Raises ``InputError`` where the budget leaves fewer than ``MIN_PER_VIEW`` landmarks a photo.
    """
    if cost.of(landmarks) <= budget:
        return landmarks
    lengths = np.bincount(landmarks.landmark, minlength=len(landmarks))
    price = cost.landmark + cost.observation * lengths
    cells = _cells(landmarks, sizes)
    use = _usefulness(landmarks, view_positions)
    part = csr_array((use[landmarks.landmark], (landmarks.landmark, cells)))
    taken = np.zeros(len(landmarks), dtype=bool)
    left = budget - cost.fixed
    share = max(left, 0.0) / ROUNDS
    for round_number in range(ROUNDS):
        covered = part.T @ taken.astype(np.float64)
        # Of log(1 + covered), which is what is to be large in every part: the gain of one landmark more.
        gain = part @ (1.0 / (1.0 + covered)) / price
        order = np.argsort(-np.where(taken, -1.0, gain), kind="stable")[: int((~taken).sum())]
        spent = np.cumsum(price[order])
        allowed = share if round_number < ROUNDS - 1 else left
        chosen = order[spent <= allowed]
        taken[chosen] = True
        left -= float(price[chosen].sum())
        share = left / max(ROUNDS - 1 - round_number, 1)
    kept = float(lengths[taken].sum()) / max(len(landmarks.views), 1)
    if kept < MIN_PER_VIEW:
        usual = float(price.sum() / max(lengths.sum(), 1))
        least = cost.fixed + MIN_PER_VIEW * len(landmarks.views) * usual
        raise InputError(
            f"a budget of {budget / 1e6:.2f} MB leaves {kept:.0f} landmarks a photo, too few to localize by",
            remedy=f"Give --budget-mb {np.ceil(least / 1e5) / 10:.1f} or more, or map fewer photos.",
        )
    return only(landmarks, taken)


def _cells(landmarks: Landmarks, sizes: Array) -> NDArray[np.int64]:
    """Return which part of which photo (O,) each observation is in, numbered through."""
    view = landmarks.view_of_observation()
    across, down = CELLS
    at = np.floor(np.asarray(landmarks.pixels) / np.asarray(sizes)[view] * CELLS).astype(np.int64)
    at = np.clip(at, 0, np.array(CELLS) - 1)
    return np.asarray((view * down + at[:, 1]) * across + at[:, 0])


def _usefulness(landmarks: Landmarks, view_positions: Array) -> Array:
    """Return (L,) up to 1: how surely a landmark is there, and how well its place is known for its distance."""
    index, view = np.asarray(landmarks.landmark), landmarks.view_of_observation()
    distances = np.linalg.norm(landmarks.points[index] - view_positions[view], axis=1)
    nearest = np.full(len(landmarks), np.inf)
    np.minimum.at(nearest, index, distances)
    variance = np.linalg.eigvalsh(np.asarray(landmarks.covariances, dtype=np.float64))[:, -1]
    known = 1.0 / (1.0 + np.maximum(variance, 0.0) / np.maximum(SURE_SHARE * nearest, 1e-9) ** 2)
    return np.asarray(landmarks.presence * np.maximum(known, 1e-6))
