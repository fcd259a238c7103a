"""How a walker turned on the spot: the rotation between two photos that show no parallax.

Two-view geometry calls such photos planar, where two motions fit, or finds an essential matrix in a strip at the border
that both show, which says little. A rotation has three unknowns, and is sure where it explains what matches.
"""

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

PARALLAX = np.radians(3.0)
"""Of a step aside that is still a turn: half a metre at ten."""
MIN_EXPLAINED, MIN_TURNED = 0.8, 12
"""Share and number of matches within ``PARALLAX`` of a rotation."""
MIN_SPREAD = np.radians(3.0)
"""Of their directions about the middle one: a narrower bundle tells no turn about itself, whatever else matches."""
ITERATIONS = 20


def turn_on_the_spot(first: Array, second: Array) -> pycolmap.Rotation3d | None:
    """Return second_from_first of directions (M, 3) of matches in two cameras, 1 long; None if parallax speaks against.

    By iteratively reweighted least squares (Geman-McClure); a few matches may be wrong. Those that a lens gives no
    direction count as such, and directions that all but coincide tell no turn about themselves.
    """
    matched = len(first)
    seen = np.isfinite(first).all(axis=1) & np.isfinite(second).all(axis=1)
    first, second = first[seen], second[seen]
    if len(first) < MIN_TURNED or _spread(first) < MIN_SPREAD:
        return None
    weights = np.ones(len(first))
    for _ in range(ITERATIONS):
        turn = Rotation.align_vectors(second, first, weights=weights)[0]
        off = np.linalg.norm(turn.apply(first) - second, axis=1)
        weights = 1.0 / (1.0 + (off / PARALLAX) ** 2) ** 2
    explained = off < PARALLAX
    if explained.sum() < max(MIN_TURNED, MIN_EXPLAINED * matched) or _spread(first[explained]) < MIN_SPREAD:
        return None
    return pycolmap.Rotation3d(turn.as_matrix())


def _spread(directions: Array) -> float:
    """Return how far from their middle, radians, three quarters of directions (M, 3) are: a few may be wrong."""
    return float(np.percentile(np.linalg.norm(directions - np.median(directions, axis=0), axis=1), 75.0))
