"""Where objects come and go, learned from the tracks of a recording: at doors, at the edges of view, hardly elsewhere.

Entry and exit zones after Makris and Ellis (Automatic learning of an activity-based semantic scene model, 2003), as
kernel densities instead of a mixture of Gaussians. What a track itself did is left out where it is weighed, so that no
break explains itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import KDTree

from perception.linking.paths import Points

Array = NDArray[np.float64]
Indices = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ThresholdOptions:
    """How events are spread over the ground.

    kernel_m: standard deviation of a kernel
    anywhere: share of objects that come at no particular place, but evenly where tracks are
    ends: share of objects that end in an instant where nothing is known, worth ``prior_points`` observations
    """

    kernel_m: float = 1.0
    anywhere: float = 0.03
    ends: float = 0.01
    prior_points: float = 10.0


def log_rates(points: Points, following: Indices, options: ThresholdOptions) -> tuple[Array, Array]:
    """Return log-rates (N,) of new objects at each point, a square metre and instant, and of ends, an instant.

    following: (N,) the next point of the track, -1 for none. The first and the last instant of the recording don't
    count: nothing comes or goes there, the recording does.
    """
    new, ends = np.zeros(len(points)), np.zeros(len(points))
    begins = np.ones(len(points), dtype=np.bool_)
    begins[following[following >= 0]] = False
    stops = following < 0
    for walks in (True, False):
        for level in np.unique(points.level[points.walks == walks]).tolist():
            own = np.flatnonzero((points.walks == walks) & (points.level == level))
            new[own], ends[own] = _of_one_kind(points.time, points.position, own, begins, stops, options)
    return np.log(new), np.log(ends)


def _of_one_kind(
    time: Array, position: Array, own: Indices, begins: Mask, stops: Mask, options: ThresholdOptions
) -> tuple[Array, Array]:
    instants = max(len(np.unique(time)) - 1, 1)
    came = own[begins[own] & (time[own] > time.min())]
    went = own[stops[own] & (time[own] < time.max())]
    at, here = position[own], np.arange(len(own))
    coming = _kernel_sum(at, position[came], options.kernel_m) - _own(np.isin(own, came), options)
    going = _kernel_sum(at, position[went], options.kernel_m) - _own(np.isin(own, went), options)
    passing = _kernel_sum(at, at, options.kernel_m) - _own(np.ones(len(here), dtype=np.bool_), options)
    area = len(np.unique(np.floor(at / options.kernel_m), axis=0)) * options.kernel_m**2
    evenly = (len(came) + 1) / area
    new = ((1 - options.anywhere) * coming + options.anywhere * evenly) / instants
    unit = options.prior_points / (2 * np.pi * options.kernel_m**2)
    return np.maximum(new, 1e-12), (np.maximum(going, 0.0) + options.ends * unit) / (np.maximum(passing, 0.0) + unit)


def _own(mask: Mask, options: ThresholdOptions) -> Array:
    return mask / (2 * np.pi * options.kernel_m**2)


def _kernel_sum(at: Array, events: Array, sigma: float) -> Array:
    """Return the sum of normal kernels around ``events`` (M, 2) at points (N, 2), a square metre."""
    if len(events) == 0:
        return np.zeros(len(at))
    near = KDTree(at).sparse_distance_matrix(KDTree(events), 4 * sigma, output_type="coo_matrix")
    kernel = np.exp(-0.5 * (near.data / sigma) ** 2) / (2 * np.pi * sigma**2)
    found = np.bincount(near.row, weights=kernel, minlength=len(at))
    return np.asarray(found, dtype=np.float64)
