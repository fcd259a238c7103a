"""Vehicles that stand still stand in stalls: what a plan knows of a place that a loose box does not tell.

A stall is a hypothesis among its neighbours and "somewhere else" (Bayes' rule); where one is clearly the likeliest, its
middle, its direction and standing still are taken in like a measurement. They are at every instant, as boxes are whose
errors, of a vehicle that stands, repeat themselves as well: positions are better for it than their covariance is.
"""

import numpy as np
from numpy.typing import NDArray

from geometry.parking_places import ParkingPlaces

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

STILL_MPS = 1.0
"""A vehicle that is slower may stand."""
MIN_WIDTH_M = 1.3
"""Of what fills a stall: motorcycles share one."""
RIVALS = 4
WITHIN_M = 3.0
FOUND_SIGMA_M = 0.6
"""By how much boxes of half-hidden vehicles are off, however long they are looked at."""
ELSEWHERE_PER_M2 = 0.004
"""One in twenty vehicles that stand does so in no stall, anywhere on the floor of one stall."""
MIN_PROBABILITY = 0.7
ALONG_SIGMA_M, ACROSS_SIGMA_M = 0.4, 0.25
"""How vehicles stand in their stalls."""
TURNED_SIGMA = 0.1
STANDING_SIGMA_MPS = 0.3
PARTS = [0, 1, 2, 3, 4]
"""Of a state: position, velocity, heading."""


def parked(mean: Array, covariance: Array, level: Indices, places: ParkingPlaces) -> tuple[Array, Array, Indices]:
    """Return states (N, STATE) and covariances of vehicles after the knowledge that they may stand in a stall.

    With them the stall (N,) of each, -1 where none is likely enough: then its state is as it was.
    """
    stall = _stalls(mean, covariance, level, places)
    rows = np.flatnonzero(stall >= 0)
    if len(rows) == 0:
        return mean, covariance, stall
    directions = places.directions[stall[rows]]
    noise = np.zeros((len(rows), len(PARTS), len(PARTS)))
    noise[:, :2, :2] = _scatter(directions)
    # A velocity that nothing has shown yet is half as unsure after it, not known.
    unsure = covariance[rows][:, [2, 3], [2, 3]]
    noise[:, [2, 3], [2, 3]] = np.maximum(STANDING_SIGMA_MPS**2, unsure / 3.0)
    noise[:, 4, 4] = TURNED_SIGMA**2
    own = covariance[rows]
    off = np.zeros((len(rows), len(PARTS)))
    off[:, :2] = places.middles[stall[rows]] - mean[rows, :2]
    off[:, 2:4] = -mean[rows, 2:4]
    # Along the stall, forwards or backwards.
    off[:, 4] = 0.5 * np.angle(np.exp(2j * (np.arctan2(directions[:, 1], directions[:, 0]) - mean[rows, 4])))
    gain = np.swapaxes(np.linalg.solve(own[:, PARTS][:, :, PARTS] + noise, own[:, PARTS]), 1, 2)
    mean, covariance = mean.copy(), covariance.copy()
    mean[rows] += (gain @ off[..., None])[..., 0]
    after = own - gain @ own[:, PARTS]
    covariance[rows] = 0.5 * (after + np.swapaxes(after, 1, 2))
    return mean, covariance, stall


def _stalls(mean: Array, covariance: Array, level: Indices, places: ParkingPlaces) -> Indices:
    """Return the stall (N,) that each vehicle probably stands in, -1 for none."""
    stall = np.full(len(mean), -1)
    still = np.hypot(mean[:, 2], mean[:, 3]) < STILL_MPS
    slow = np.flatnonzero(still & (mean[:, 6] >= MIN_WIDTH_M))
    near = places.nearest(level[slow], mean[slow, :2], RIVALS, WITHIN_M)
    some = near[:, 0] >= 0
    slow, near = slow[some], near[some]
    if len(slow) == 0:
        return stall
    offset = places.middles[near] - mean[slow, None, :2]
    spread = covariance[slow, None, :2, :2] + _scatter(places.directions[near]) + FOUND_SIGMA_M**2 * np.eye(2)
    squared = np.einsum("nri,nri->nr", offset, np.linalg.solve(spread, offset[..., None])[..., 0])
    density = np.exp(-0.5 * squared) / (2 * np.pi * np.sqrt(np.linalg.det(spread)))
    density[near < 0] = 0.0
    best = density.argmax(axis=1)
    rows = np.arange(len(slow))
    sure = density[rows, best] >= MIN_PROBABILITY * (density.sum(axis=1) + ELSEWHERE_PER_M2)
    stall[slow[sure]] = near[rows, best][sure]
    return stall


def _scatter(directions: Array) -> Array:
    """Return the covariances (..., 2, 2) of how vehicles stand in stalls with directions (..., 2)."""
    along = directions[..., :, None] * directions[..., None, :]
    return ACROSS_SIGMA_M**2 * np.eye(2) + (ALONG_SIGMA_M**2 - ACROSS_SIGMA_M**2) * along


def doubles(stall: Indices, standing: Array) -> NDArray[np.bool_]:
    """Tell which vehicles (N,) are in a stall (N,) that one of more ``standing`` (N,) is in already."""
    order = np.lexsort((-standing, stall))
    again = np.zeros(len(stall), dtype=np.bool_)
    again[order[1:]] = stall[order[1:]] == stall[order[:-1]]
    return again & (stall >= 0)
