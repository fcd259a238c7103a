"""What the heights of carried cameras tell: which were on a level, which on a ramp, and how many levels there are.

Cameras are carried at about the same height, so that their path is a copy of the floor, moved up. Its slope around
each camera comes from its neighbours; no order of the photos is needed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

MIN_RADIUS_M, MAX_RADIUS_M, SPACINGS = 3.0, 8.0, 3.0
"""Neighbours are as near as so many of the usual spacings of photos, within these bounds."""
CONE_SLOPE, CONE_M = 0.25, 0.3
"""Neighbours on one floor differ in height by no more than the steepest ramp and two hands; other floors do."""
HAND_M = 0.05
"""Standard deviation of a carried camera's height, before it is estimated."""
SLOPE_PRIOR = 0.15
"""Standard deviation of slopes: holds the slope across a straight path at 0."""
RAMP_SLOPE = 0.05
"""Steeper, and surely so, is a ramp; floors are sloped for drainage by 1 to 3 %."""
SURE = 3.0
MIN_RISE_M = 0.8
"""Half a storey is 1.2 m and more."""
LEVEL_GAP_M = 0.7
"""Heights of the cameras of two levels differ by more; of one level, sorted, by less from each to the next."""
MIN_CAMERAS, MIN_EXTENT_M = 3, 2.0
"""Of a level."""


@dataclass(frozen=True, kw_only=True)
class Carried:
    """Where cameras were carried.

    level: (M,) index of the level, from the lowest up, -1 for none; ramp: (M,) index of the ramp, -1 for none
    levels, ramps: how many
    """

    level: Indices
    ramp: Indices
    levels: int
    ramps: int


def sort_cameras(centres: Array) -> Carried:
    """Tell levels and ramps from camera centres (M, 3), z up, which must be finite."""
    pairs = _neighbours(centres)
    slope, sigma = _slopes(centres, pairs)
    steep = np.linalg.norm(slope, axis=1)
    ramp = _ramps(centres, pairs, (steep > RAMP_SLOPE) & (steep > SURE * sigma))
    level = _levels(centres, ramp < 0)
    return Carried(level=level, ramp=ramp, levels=int(level.max(initial=-1)) + 1, ramps=int(ramp.max(initial=-1)) + 1)


def _neighbours(centres: Array) -> Indices:
    """Return pairs (P, 2) of cameras that are near each other on one floor, each pair once."""
    if len(centres) < 2:
        return np.zeros((0, 2), dtype=np.int64)
    tree = cKDTree(centres[:, :2])
    spacing = float(np.median(cKDTree(centres).query(centres, k=2)[0][:, 1]))
    radius = float(np.clip(SPACINGS * spacing, MIN_RADIUS_M, MAX_RADIUS_M))
    pairs = tree.query_pairs(radius, output_type="ndarray").astype(np.int64).reshape(-1, 2)
    difference = centres[pairs[:, 1]] - centres[pairs[:, 0]]
    cone = CONE_M + CONE_SLOPE * np.linalg.norm(difference[:, :2], axis=1)
    return pairs[np.abs(difference[:, 2]) <= cone]


def _slopes(centres: Array, pairs: Indices) -> tuple[Array, Array]:
    """Return the slope (M, 2) of the path around each camera and its sigma (M,) along the steepest way.

    Weighted least squares of z = a + slope . (xy - xy_i) over the camera and its neighbours, all cameras at once.
    """
    count = len(centres)
    here, there = np.concatenate([pairs, pairs[:, ::-1], np.tile(np.arange(count)[:, None], (1, 2))]).T
    offset = centres[there] - centres[here]
    design = np.column_stack([np.ones(len(offset)), offset[:, :2]])
    rows = np.hstack([(design[:, :, None] * design[:, None, :]).reshape(-1, 9), design * offset[:, 2:]])
    gather = csr_array((np.full(len(here), HAND_M**-2), (here, np.arange(len(here)))), shape=(count, len(here)))
    sums = gather @ rows
    normal = sums[:, :9].reshape(-1, 3, 3) + np.diag([0.0, SLOPE_PRIOR**-2, SLOPE_PRIOR**-2])
    covariance = np.linalg.inv(normal)
    slope = np.einsum("mij,mj->mi", covariance, sums[:, 9:])[:, 1:]
    steep = np.linalg.norm(slope, axis=1, keepdims=True)
    way = np.divide(slope, steep, out=np.tile([1.0, 0.0], (count, 1)), where=steep > 0)
    return slope, np.sqrt(np.einsum("mi,mij,mj->m", way, covariance[:, 1:, 1:], way))


def _ramps(centres: Array, pairs: Indices, steep: NDArray[np.bool_]) -> Indices:
    """Return the ramp (M,) of each camera: connected steep ones that rise by ``MIN_RISE_M``, -1 for the others."""
    count = len(centres)
    joined = pairs[steep[pairs].all(axis=1)]
    graph = csr_array((np.ones(len(joined)), (joined[:, 0], joined[:, 1])), shape=(count, count))
    _, part = connected_components(graph, directed=False)
    lowest, highest = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(lowest, part[steep], centres[steep, 2])
    np.maximum.at(highest, part[steep], centres[steep, 2])
    ramp = np.full(count, -1, dtype=np.int64)
    rises = steep & (highest[part] - lowest[part] >= MIN_RISE_M)
    ramp[rises] = np.unique(part[rises], return_inverse=True)[1]
    return ramp


def _levels(centres: Array, flat: NDArray[np.bool_]) -> Indices:
    """Return the level (M,) of each flat camera: groups of heights with a gap between them, -1 for the others."""
    level = np.full(len(centres), -1, dtype=np.int64)
    rows = np.flatnonzero(flat)
    rows = rows[np.argsort(centres[rows, 2], kind="stable")]
    group = np.cumsum(np.diff(centres[rows, 2], prepend=centres[rows[:1], 2]) > LEVEL_GAP_M)
    found = 0
    for members in (rows[group == number] for number in np.unique(group)):
        extent = np.linalg.norm(np.ptp(centres[members, :2], axis=0))
        if len(members) >= MIN_CAMERAS and extent >= MIN_EXTENT_M:
            level[members] = found
            found += 1
    return level
