"""A ramp's surface from the cameras carried over it and the landmarks on it: where it runs, and its profile z(s).

The profile is monotone and piecewise linear, with a smoothness that lets a slope turn by a few per cent a metre, as
the easings at a ramp's ends do. It begins and ends where it meets the planes of its levels.
"""

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline
from scipy.optimize import nnls

from geometry.floor_levels import ITERATIONS, MAX_SIGMA_M, ROUGH_M, SHAKE_FACTOR, TUKEY, WIDTH_M, shared_sigma
from geometry.floor_surfaces import LevelSurface, RampSurface

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

KNOT_M = 1.0
TURN = 0.03
"""Standard deviation of how much a slope changes in a metre."""
LEAD_M = 5.0
"""The profile is fitted so far beyond the cameras on the slope, to find where it ends."""
LINE_M = 0.5
"""Steps of the centre line."""
STRAIGHT_M = 1.0
"""A path whose rms distance from a straight line is less runs straight."""
BEND_RISE_M = 0.5
"""Centre lines that bend are smoothed from means over so much rise."""
CORRIDOR_M, WIDEST_M = 2.5, 6.0
"""Landmarks this far from the cameras' path tell the profile: kerbs and walls are further off, most of them. How wide
the ramp is, all tell that lie on its surface, up to the second distance."""
NEAR_M = 0.3
"""So near to the carried copy of the path, in height."""
END_RISE_M = 0.6
"""Cameras just beyond those on the slope differ by no more from the last of these."""
SURFACE_M = 0.03
"""So near to the profile is on the ramp's surface."""
MEETS_M = 0.02
"""A profile that is this near to a level's plane has reached it."""
MIN_WIDTH_M, WIDTH_PERCENT, MIN_FOR_WIDTH = 2.5, 2.0, 40
FAR_BELOW_M = 10.0
MAX_END_GAP_M = 1.0
"""A ramp leads to the level whose plane is this near to its cameras' end."""


@dataclass(frozen=True, kw_only=True)
class _Profile:
    s: Array
    z: Array
    sigma: Array
    on_surface: NDArray[np.bool_]


def fit_ramp(
    centres: Array,
    on_ramp: NDArray[np.bool_],
    landmarks: Array,
    sigma_z: Array,
    levels: tuple[LevelSurface, ...],
    height: tuple[float, float],
    hand_sigma: float,
) -> RampSurface:
    """Fit one ramp.

    centres: (M, 3) all cameras; on_ramp: (M,) those on this ramp
    landmarks: (L, 3) with height sigmas (L,); height: of the cameras above the floor, value and sigma
    """
    line, straight = _centre_line(centres[on_ramp])
    path = shapely.LineString(line)
    ends = np.array([centres[on_ramp, 2].min(), centres[on_ramp, 2].max()]) - height[0]
    lower, upper = _ends(levels, line, ends)
    camera_s, camera_aside = _along(path, centres[:, :2])
    foot = centres[:, 2] - height[0]
    own = _coarse(camera_s[on_ramp], foot[on_ramp])
    near = np.abs(foot - np.interp(camera_s, *own)) < END_RISE_M
    cameras = on_ramp | (near & (np.abs(camera_aside) < CORRIDOR_M) & (camera_s > 0) & (camera_s < path.length))
    coarse = _coarse(camera_s[cameras], foot[cameras])
    s, aside = _along(path, landmarks[:, :2])
    near = np.abs(landmarks[:, 2] - np.interp(s, *coarse)) < NEAR_M
    rows = near & (np.abs(aside) < CORRIDOR_M) & (s > 0) & (s < path.length) & (sigma_z < MAX_SIGMA_M)
    profile = _fit_profile(
        np.arange(0.0, path.length + KNOT_M, KNOT_M),
        (s[rows], landmarks[rows, 2], sigma_z[rows]),
        (camera_s[cameras], foot[cameras], SHAKE_FACTOR * hand_sigma, height[1]),
    )
    start, stop = _meets(profile, path, levels, lower, upper, camera_s[on_ramp])
    support = (s[rows] > start) & (s[rows] < stop) & profile.on_surface
    on = (np.abs(landmarks[:, 2] - np.interp(s, profile.s, profile.z)) < SURFACE_M) & (np.abs(aside) < WIDEST_M)
    offset, width = _width(aside[on & (s > start) & (s < stop)], camera_aside[on_ramp])
    inner = profile.s[(profile.s > start + 1e-6) & (profile.s < stop - 1e-6)]
    kept = np.concatenate([[start], inner, [stop]])
    at = np.array([start, stop]) if straight else np.linspace(start, stop, max(2, round((stop - start) / LINE_M)))
    ended = _beside(path, at, offset)
    return RampSurface(
        lower=lower,
        upper=upper,
        line=ended,
        width=width,
        s=(kept - start) * (shapely.LineString(ended).length / (stop - start)),
        z=np.interp(kept, profile.s, profile.z),
        sigma=np.interp(kept, profile.s, profile.sigma),
        support=int(support.sum()),
    )


def _centre_line(centres: Array) -> tuple[Array, bool]:
    """Return the line (K, 2) that cameras (M, 3) on a slope follow upwards, longer by ``LEAD_M`` at each end.

    Straight where they hardly leave a straight line; else a smoothing spline of xy over height, which on a ramp tells
    how far along one is, whichever way and however often it was walked.
    """
    xy, z = centres[:, :2], centres[:, 2]
    middle = xy.mean(axis=0)
    _, _, axes = np.linalg.svd(xy - middle, full_matrices=False)
    along, aside = (xy - middle) @ axes[:2].T[:, 0], (xy - middle) @ axes[:2].T[:, 1]
    if np.sqrt(np.mean(aside**2)) < STRAIGHT_M or len(xy) < 12:
        way = axes[0] * (1.0 if np.polyfit(along, z, 1)[0] > 0 else -1.0)
        reach = np.sort(np.array([along.min(), along.max()]) * (way @ axes[0])) + np.array([-LEAD_M, LEAD_M])
        return middle + reach[:, None] * way, True
    step = np.floor((z - z.min()) / BEND_RISE_M).astype(np.int64)
    count = np.bincount(step)
    some = count > 0
    means = np.column_stack([np.bincount(step, v)[some] / count[some] for v in (z, xy[:, 0], xy[:, 1])])
    fine = np.linspace(z.min(), z.max(), max(int((z.max() - z.min()) / 0.05), 10))
    if len(means) >= 5:
        line = np.column_stack([make_smoothing_spline(means[:, 0], means[:, k], lam=0.01)(fine) for k in (1, 2)])
    else:
        line = np.column_stack([np.interp(fine, means[:, 0], means[:, k]) for k in (1, 2)])
    first, last = line[0] - line[3], line[-1] - line[-4]
    ends = [line[0] + LEAD_M * first / np.linalg.norm(first), line[-1] + LEAD_M * last / np.linalg.norm(last)]
    return np.vstack([ends[0], line, ends[1]]), False


def _along(path: shapely.LineString, xy: Array) -> tuple[Array, Array]:
    """Return how far along a path points (N, 2) are, and how far to its left, both in metres."""
    s = shapely.line_locate_point(path, shapely.points(xy))
    way = _ahead(path, s)
    offset = xy - shapely.get_coordinates(shapely.line_interpolate_point(path, s))
    return s, np.sign(way[:, 0] * offset[:, 1] - way[:, 1] * offset[:, 0]) * np.linalg.norm(offset, axis=1)


def _ahead(path: shapely.LineString, s: Array) -> Array:
    """Return the unit direction (N, 2) of a path at s (N,)."""
    step = LINE_M / 2
    ahead = shapely.get_coordinates(shapely.line_interpolate_point(path, np.minimum(s + step, path.length)))
    behind = shapely.get_coordinates(shapely.line_interpolate_point(path, np.maximum(s - step, 0.0)))
    return np.asarray((ahead - behind) / np.linalg.norm(ahead - behind, axis=1, keepdims=True))


def _beside(path: shapely.LineString, s: Array, offset: float) -> Array:
    """Return the points (N, 2) of a path at s (N,), moved to its left."""
    way = _ahead(path, s)
    on = shapely.get_coordinates(shapely.line_interpolate_point(path, s))
    return np.asarray(on + offset * np.column_stack([-way[:, 1], way[:, 0]]))


def _ends(levels: tuple[LevelSurface, ...], line: Array, heights: Array) -> tuple[int, int]:
    """Return the levels at the ends of the line, -1 where none is near the cameras' heights above floor (2,) there."""
    found = []
    for point, height in zip((line[:1], line[-1:]), heights, strict=True):
        gaps = [abs(float(level.height(point)[0][0]) - height) for level in levels]
        nearest = int(np.argmin(gaps)) if gaps else -1
        found.append(nearest if gaps and gaps[nearest] < MAX_END_GAP_M else -1)
    return found[0], found[1] if found[1] != found[0] else -1


def _coarse(s: Array, z: Array) -> tuple[Array, Array]:
    """Return a rising function through the cameras' feet, as points in the order of s."""
    order = np.argsort(s, kind="stable")
    return s[order], np.maximum.accumulate((z[order] + np.minimum.accumulate(z[order][::-1])[::-1]) / 2)


def _fit_profile(
    knots: Array, surface: tuple[Array, Array, Array], cameras: tuple[Array, Array, float, float]
) -> _Profile:
    """Fit z at knots (K,) to landmarks (s, z, sigma) robustly and to cameras' feet (s, z, hand sigma, shared sigma).

    Rising is a bound on z's steps (Lawson and Hanson 1974, on the Cholesky factor of the normal equations); the
    covariance is that without it. Landmarks within a knot's reach share an error, estimated as for levels' planes.
    """
    s, z, sigma = surface
    sigma = np.hypot(sigma, ROUGH_M)
    by_landmark, by_camera = _hats(knots, s), _hats(knots, cameras[0])
    bend = np.diff(np.eye(len(knots)), 2, axis=0) / (TURN * KNOT_M**2)
    hand = np.full(len(cameras[0]), cameras[2])
    # The cameras' common height is one error for all of them: eliminated, it takes their mean's weight away.
    weighed = by_camera.T / hand**2
    total = cameras[3] ** -2 + np.sum(hand**-2)
    of_cameras = weighed @ by_camera - np.outer(weighed.sum(axis=1), weighed.sum(axis=1)) / total
    at_cameras = weighed @ cameras[1] - weighed.sum(axis=1) * np.sum(cameras[1] / hand**2) / total
    cell = np.floor(s / KNOT_M).astype(np.int64)
    heights = np.linalg.lstsq(np.vstack([by_camera / 0.1, bend]), np.append(cameras[1] / 0.1, 0 * bend[:, 0]))[0]
    weight, shared = np.ones(len(s)), ROUGH_M
    weight[np.abs(z - by_landmark @ heights) > NEAR_M] = 0.0
    normal = of_cameras + bend.T @ bend
    for scale in np.geomspace(NEAR_M / 2, WIDTH_M, ITERATIONS):
        correlated = 1.0 / (1.0 + shared**2 * np.bincount(cell, weight / sigma**2)[cell]) if len(s) else weight
        row = by_landmark.T * (weight * correlated / sigma**2)
        normal = row @ by_landmark + of_cameras + bend.T @ bend + 1e-9 * np.eye(len(knots))
        heights = _rising(normal, row @ z + at_cameras)
        if not weight.any():
            break
        residual = z - by_landmark @ heights
        ratio = residual / (TUKEY * np.maximum(scale, sigma))
        weight = np.where(np.abs(ratio) < 1, (1 - ratio**2) ** 2, 0.0)
        shared = max(shared_sigma(residual, weight / sigma**2, cell), ROUGH_M) if weight.any() else shared
    spread_of_knots = np.sqrt(np.diag(np.linalg.inv(normal)) + shared**2)
    return _Profile(s=knots, z=heights, sigma=spread_of_knots, on_surface=weight > 0.1)


def _rising(normal: Array, right: Array) -> Array:
    """Return the z that minimizes z' N z / 2 - r' z with no step downwards: non-negative least squares of its steps."""
    root = np.linalg.cholesky(normal).T
    target = np.linalg.solve(root.T, right)
    lowest = np.linalg.solve(root, target).min() - FAR_BELOW_M  # the first step starts from there, and so is positive
    steps = np.tril(np.ones(normal.shape))
    return np.asarray(lowest + steps @ nnls(root @ steps, target - root.sum(axis=1) * lowest)[0])


def _hats(knots: Array, s: Array) -> Array:
    """Return the weights (N, K) of knots in a piecewise linear function at s (N,)."""
    position = np.clip((s - knots[0]) / KNOT_M, 0, len(knots) - 1 - 1e-9)
    left = position.astype(np.int64)
    hats = np.zeros((len(s), len(knots)))
    hats[np.arange(len(s)), left] = 1 - (position - left)
    hats[np.arange(len(s)), left + 1] = position - left
    return hats


def _meets(
    profile: _Profile, path: shapely.LineString, levels: tuple[LevelSurface, ...], lower: int, upper: int, on: Array
) -> tuple[float, float]:
    """Return where along the path the ramp begins and ends: at its levels' planes, else at the last camera on it."""
    fine = np.arange(0.0, path.length, 0.05)
    z = np.interp(fine, profile.s, profile.z)
    xy = shapely.get_coordinates(shapely.line_interpolate_point(path, fine))
    start, stop, middle = float(on.min()), float(on.max()), float(np.median(on))
    if lower >= 0:
        below = fine[(fine < middle) & (z - levels[lower].height(xy)[0] < MEETS_M)]
        start = float(below.max(initial=0.0))
    if upper >= 0:
        above = fine[(fine > middle) & (levels[upper].height(xy)[0] - z < MEETS_M)]
        stop = float(above.min(initial=path.length))
    return start, stop


def _width(on_surface: Array, cameras: Array) -> tuple[float, float]:
    """Return how far to the left of the cameras' path the ramp's middle is, and its width, metres."""
    sides = np.array([cameras.min() - MIN_WIDTH_M / 2, cameras.max() + MIN_WIDTH_M / 2])
    if len(on_surface) >= MIN_FOR_WIDTH:
        seen = np.percentile(on_surface, [WIDTH_PERCENT, 100 - WIDTH_PERCENT])
        sides = np.array([min(sides[0], seen[0]), max(sides[1], seen[1])])
    return float(sides.mean()), float(np.ptp(sides))
