"""Exposure of photos and the fall-off of their lenses, from places that several of them show: one surface, one floor.

The log of the light that photo j of lens c shows of texel i is L_i - g_j - a_c r^2 for a texel of log light L_i: g_j
takes a photo's exposure out, a_c the first term of vignetting (Goldman, Vignette and exposure calibration and
compensation, PAMI 2010). All are solved at once by iterated, robustly weighted least squares; the L_i are eliminated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]
FloatArray = NDArray[np.float32]
Indices = NDArray[np.int64]

SIGMA = 0.1
"""Of a photo's log light at a texel; what is off by more, cars and people for instance, loses its weight (Cauchy)."""
PRIOR_SIGMA_GAIN, PRIOR_SIGMA_FALLOFF = 1.0, 0.5
ROUNDS = 8
MIN_SEEN = 0.3
"""A floor's patch is compared where the photo shows at least this share of it."""
DARK = 1.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Exposure:
    """How to make photos comparable: multiply their linear light by exp(log_gains + falloffs r^2).

    log_gains: (N,) by photo, mean 0; falloffs: (N,) by photo, of its lens; residual: robust spread of log light left
    """

    log_gains: Array
    falloffs: Array
    residual: float

    def correction(self, photos: Indices, radius2: FloatArray) -> FloatArray:
        """Return the log factors (K, T) for photos (K,) at squared radii (K, T)."""
        return (self.log_gains[photos, None] + self.falloffs[photos, None] * radius2).astype(np.float32)


def solve_exposure(texel: Indices, photo: Indices, log_light: Array, radius2: Array, lenses: Indices) -> Exposure:
    """Solve for gains and fall-offs from M measurements.

    texel, photo: (M,) indices; log_light: (M,); radius2: (M,); lenses: (N,) the lens of every photo
    """
    photos, kinds = len(lenses), int(lenses.max(initial=0)) + 1
    unknowns = photos + kinds
    rows = np.arange(len(texel))
    _, texel = np.unique(texel, return_inverse=True)
    columns = np.concatenate([photo, photos + lenses[photo]])
    values = np.concatenate([np.ones(len(texel)), radius2])
    design = sparse.csr_matrix((values, (np.tile(rows, 2), columns)), shape=(len(texel), unknowns))
    prior = np.concatenate([np.full(photos, PRIOR_SIGMA_GAIN**-2), np.full(kinds, PRIOR_SIGMA_FALLOFF**-2)])
    weights, solution, residuals = np.ones(len(texel)), np.zeros(unknowns), np.zeros(len(texel))
    for _ in range(ROUNDS):
        scaled = weights / SIGMA**2
        total = np.bincount(texel, scaled)
        weighted = sparse.diags(scaled) @ design
        mix = sparse.csr_matrix((np.ones(len(texel)), (texel, rows)), shape=(len(total), len(texel))) @ weighted
        inverse = 1.0 / total
        normal = (design.T @ weighted - mix.T @ sparse.diags(inverse) @ mix).toarray() + np.diag(prior)
        # design x + log_light = L: with L eliminated, minimise over x.
        mean = np.bincount(texel, scaled * log_light)
        right = -(weighted.T @ log_light - mix.T @ (inverse * mean))
        solution = np.linalg.solve(normal, right)
        corrected = log_light + design @ solution
        residuals = corrected - (np.bincount(texel, scaled * corrected) * inverse)[texel]
        weights = 1.0 / (1.0 + (residuals / (2.0 * SIGMA)) ** 2)
    gains = solution[:photos] - solution[:photos].mean()
    spread = 1.4826 * float(np.median(np.abs(residuals))) if len(residuals) else 0.0
    return Exposure(log_gains=gains, falloffs=solution[photos:][lenses], residual=spread)


def photo_gains(patches: NDArray[np.uint8], photo: Indices, tile: Indices) -> Array:
    """Return factors (photos, 3) for the colours of each photo, 1 on average, from patches (V, S, S, 4) of tiles.

    The fourth channel tells what the photo shows. Each colour is solved by itself, which balances white as well.
    """
    keep = np.array([np.count_nonzero(patch[..., 3]) >= MIN_SEEN * patch[..., 3].size for patch in patches])
    levels = [np.median(patches[v][patches[v, ..., 3] > 0], axis=0)[:3] for v in np.flatnonzero(keep)]
    logs = np.log(np.maximum(np.reshape(levels, (-1, 3)), DARK))
    lenses, centred = np.zeros(int(photo.max()) + 1, dtype=np.int64), np.zeros(len(logs))
    found = [solve_exposure(tile[keep], photo[keep], logs[:, c], centred, lenses).log_gains for c in range(3)]
    gains = np.column_stack(found)
    return np.asarray(np.exp(gains - gains[np.unique(photo)].mean(axis=0)))
