"""Drifting positions put right by fixes along the path: a tag seen, a surveyed point, a place known otherwise.

The error of position i of a walk is d_i + n_i: a drift that its neighbours share, and noise of its own. What is known
of the drift is its growing variance (``geometry.drift``), which makes it a Gaussian process along the path; fixes of
some positions condition it (Rasmussen and Williams, Gaussian Processes for Machine Learning, eq. 2.25 and 2.26).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.drift import drift_process, is_drift
from geometry.errors import InputError

Array = NDArray[np.float64]

GATE_SIGMAS = 5.0
"""A fix further from what the others say is a mistake: another tag's number, a tag that was moved."""


def correct_drift(
    sigma_m: ArrayLike, way: ArrayLike, rows: ArrayLike, errors: ArrayLike, variances: ArrayLike
) -> tuple[Array, Array, NDArray[np.bool_]]:
    """Return the drift (N, D) of a walk, its variance (N,) a coordinate, and which fixes (F,) agreed with the others.

    sigma_m, way: (N,) of the claimed positions in the order of the walk, and how far along it each is, metres
    rows: (F,) the positions that were fixed
    errors: (F, D) claimed less fixed position in D coordinates
    variances: (F,) of the fixes a coordinate, without the claim's own noise

    Without fixes the drift is 0 with its variance as claimed. Sigmas that do not grow along the walk are those of
    independent errors: there is no drift to correct. Raises ``InputError`` for wrong shapes.
    """
    sigma = np.asarray(sigma_m, dtype=np.float64)
    index, offset = np.asarray(rows, dtype=np.int64), np.asarray(errors, dtype=np.float64)
    noise = np.asarray(variances, dtype=np.float64)
    if offset.ndim != 2 or len(offset) != len(index) or noise.shape != (len(index),):
        raise InputError(f"expected errors ({len(index)}, D) and variances ({len(index)},), got {offset.shape}")
    agreed = np.ones(len(index), dtype=bool)
    if not is_drift(sigma):
        return np.zeros((len(sigma), offset.shape[1])), np.zeros(len(sigma)), agreed
    process, own = drift_process(sigma, way)
    while agreed.any():
        used = np.flatnonzero(agreed)
        among = process[np.ix_(index[used], index[used])] + np.diag(noise[used] + own)
        # Of a Gaussian process the error of leaving out one fix is (K^-1 y)_i / (K^-1)_ii, with variance 1 / (K^-1)_ii.
        inverse = np.linalg.inv(among)
        left_out = (inverse @ offset[used]) / np.sqrt(np.diag(inverse))[:, None]
        distance = np.linalg.norm(left_out, axis=1)
        worst = int(np.argmax(distance))
        if distance[worst] <= GATE_SIGMAS:
            break
        agreed[used[worst]] = False
    used = np.flatnonzero(agreed)
    with_fixes = process[:, index[used]]
    gain = np.linalg.solve(with_fixes[index[used]] + np.diag(noise[used] + own), with_fixes.T).T
    variance = np.diag(process) - np.einsum("nf,nf->n", gain, with_fixes)
    return gain @ offset[used], np.maximum(variance, 0.0), agreed
