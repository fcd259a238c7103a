"""Exposure and white balance of photos made equal, from what they show of the same floor."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import lsqr

Array = NDArray[np.float64]

MIN_SEEN = 0.3
"""A patch is compared where the photo shows at least this share of it."""
HUBER = 0.05
"""Logarithm of brightness: patches that disagree by more show something else than the floor."""
ROUNDS = 5
PRIOR = 0.1
"""Weight of the belief that a photo needs no correction, against one patch."""
DARK = 1.0


def photo_gains(patches: NDArray[np.uint8], photo: NDArray[np.int64], tile: NDArray[np.int64]) -> Array:
    """Return factors (photos, 3) for the colours of each photo, 1 on average, from patches (V, S, S, 4) of tiles.

    Robust least squares over log(patch) + log(gain of photo) = log(brightness of tile), each channel by itself.
    """
    keep = np.array([np.count_nonzero(patch[..., 3]) >= MIN_SEEN * patch[..., 3].size for patch in patches])
    levels = np.array([np.median(patches[v][patches[v, ..., 3] > 0], axis=0)[:3] for v in np.flatnonzero(keep)])
    levels = levels.reshape(-1, 3)
    logs = np.log(np.maximum(levels, DARK))
    photos, tiles = int(photo.max()) + 1, int(tile.max()) + 1
    gains = np.column_stack([_solve(logs[:, c], photo[keep], tile[keep], photos, tiles) for c in range(3)])
    return np.asarray(np.exp(gains))


def _solve(logs: Array, photo: NDArray[np.int64], tile: NDArray[np.int64], photos: int, tiles: int) -> Array:
    row = np.arange(len(logs))
    ones = np.ones(len(logs))
    shape = (len(logs), photos + tiles)
    system = sparse.csr_matrix(
        (np.concatenate([ones, -ones]), (np.tile(row, 2), np.concatenate([photo, photos + tile]))), shape=shape
    )
    prior = sparse.csr_matrix((np.full(photos, PRIOR), (np.arange(photos), np.arange(photos))), (photos, shape[1]))
    weights = ones
    solution = np.zeros(shape[1])
    for _ in range(ROUNDS):
        weighted = sparse.vstack([sparse.diags(weights) @ system, prior]).tocsr()
        solution = lsqr(weighted, np.concatenate([-weights * logs, np.zeros(photos)]), x0=solution)[0]
        residual = np.abs(system @ solution + logs)
        weights = np.sqrt(np.minimum(1.0, HUBER / np.maximum(residual, 1e-9)))
    return np.asarray(solution[:photos] - solution[np.unique(photo)].mean()) if len(photo) else np.zeros(photos)
