"""Drifting priors of new photos put right by those photos of the same walk that a map already has."""

import logging
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pycolmap

from geometry import PoseTable, correct_drift, is_drift, position_of, way_walked
from twin.mapping.capture import walks

logger = logging.getLogger(__name__)

KEPT_SIGMA_M = 0.05
"""Of positions in a map, an axis: little beside what a walk drifts."""


def correct_by_kept(priors: PoseTable, kept: Mapping[str, pycolmap.Rigid3d]) -> PoseTable:
    """Return the priors with the drift taken out that photos of the map, ``kept`` by name (cam_from_site), show.

    Sigmas are smaller along a walk that the map knows in part. A walk of new photos alone, and one whose sigmas don't
    grow, stays as it is.
    """
    positions, sigma_m = priors.positions.copy(), priors.sigma_m.copy()
    for rows in walks(priors):
        fixed = [k for k, row in enumerate(rows.tolist()) if priors.images[row] in kept]
        if not (fixed and is_drift(sigma_m[rows])):
            continue
        true = np.array([position_of(kept[priors.images[row]]) for row in rows[fixed].tolist()])
        variances = np.full(len(fixed), KEPT_SIGMA_M**2)
        path, claimed = positions[rows], sigma_m[rows]
        drift, variance, agreed = correct_drift(claimed, way_walked(path), fixed, path[fixed] - true, variances)
        for k in np.flatnonzero(~agreed).tolist():
            logger.warning(
                "%s: its place in the map contradicts the others along the walk", priors.images[rows[fixed[k]]]
            )
        positions[rows] -= drift
        sigma_m[rows] = np.sqrt(claimed[0] ** 2 + variance)
    return replace(priors, positions=positions, sigma_m=sigma_m)
