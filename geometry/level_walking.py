"""How far a phone's path climbed that was walked on level floors: drift, which nobody walks.

Odometry drifts in height by a metre or two over a long walk, half a storey, and where storeys look alike its end is
then as near to another one as to its own. But floors slope by 2 % at most, and ramps by more than 5 %: a gentle climb
is drift.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.drift import is_drift, way_walked
from geometry.errors import InputError

Array = NDArray[np.float64]

WINDOW_M = 20.0
"""Along the path, over which its slope is taken: what a walk of such a length climbs by chance is small."""
LEAST_SLOPE, LEAST_RISE_M = 0.045, 0.8
"""Of a ramp or of stairs; what is gentler, or rises less in all, is a floor."""
MOST_SIGMAS = 2.0
"""No more is taken for drift than the phone says it may be."""
FLOOR_SIGMA_M = 0.15
"""By how much a level floor and a hand that holds a phone rise and fall: 0.06 to 0.3 m on 13 rendered walks."""


def climbed_by_drift(positions: ArrayLike, sigma_m: ArrayLike) -> tuple[Array, Array]:
    """Return the drift in height (N,) of positions (N, 3) in the order of a walk, and the sigma (N,) of what is left.

    Metres, z up; the drift is 0 at the start. sigma_m: (N,) as claimed, growing along the walk. What is left drifted on
    ramps, where nothing shows it: that share of the claim, the noise that the first position has, and the floors'.
    Sigmas that do not grow are those of independent fixes, which know their height: no drift, and sigmas as claimed.
    Raises ``InputError`` for other shapes.
    """
    path, sigma = np.asarray(positions, dtype=np.float64), np.asarray(sigma_m, dtype=np.float64)
    if path.ndim != 2 or path.shape[1] != 3 or sigma.shape != (len(path),):
        raise InputError(f"expected positions (N, 3) and sigmas (N,), got {path.shape} and {sigma.shape}")
    if not is_drift(sigma):
        return np.zeros(len(path)), sigma
    along = way_walked(path[:, :2])
    slope = _slopes(along, path[:, 2])
    ramp = _ramps(along, slope)
    slope[ramp] = 0.0
    steps = 0.5 * (slope[1:] + slope[:-1]) * np.diff(along)
    drift = np.concatenate([[0.0], np.cumsum(steps)])
    claimed = np.sqrt(np.maximum(sigma**2 - sigma[0] ** 2, 0.0))
    most = MOST_SIGMAS * claimed
    climbed = np.concatenate([[0.0], np.cumsum((ramp[1:] | ramp[:-1]) * np.diff(along))])
    on_ramps = np.maximum.accumulate(claimed * climbed / np.maximum(along, 1e-9))
    left = np.sqrt(sigma[0] ** 2 + FLOOR_SIGMA_M**2 + on_ramps**2)
    return np.asarray(np.clip(drift, -most, most)), np.minimum(left, np.maximum(sigma, left[0]))


def _slopes(along: Array, height: Array) -> Array:
    """Return the slope (N,) of heights over the way (N,), by least squares in a window around each."""
    first = np.searchsorted(along, along - WINDOW_M / 2)
    beyond = np.searchsorted(along, along + WINDOW_M / 2, side="right")
    sums = [np.concatenate([[0.0], np.cumsum(each)]) for each in (along, height, along**2, along * height)]
    s, z, ss, sz = (total[beyond] - total[first] for total in sums)
    count = beyond - first
    spread = ss - s**2 / count
    return np.where(spread > 1e-6, (sz - s * z / count) / np.maximum(spread, 1e-6), 0.0)


def _ramps(along: Array, slope: Array) -> NDArray[np.bool_]:
    """Tell which positions (N,) are on a ramp: steep all along, in one direction, for some rise."""
    ramp = np.zeros(len(slope), dtype=np.bool_)
    for sign in (1.0, -1.0):
        edges = np.flatnonzero(np.diff(np.concatenate([[False], sign * slope > LEAST_SLOPE, [False]])))
        for start, stop in edges.reshape(-1, 2).tolist():
            rise = abs(float(np.trapezoid(slope[start:stop], along[start:stop])))
            ramp[start:stop] |= rise >= LEAST_RISE_M
    return ramp
