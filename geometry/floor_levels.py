"""The floors' planes from landmarks below carried cameras, robustly, and the height at which these were carried.

Most landmarks are parked cars, walls and ceilings. What lies on the floor is one carrying height below the cameras,
on every level alike: the lowest strong mode of how far landmarks are below the nearest camera, refined by a plane.
"""

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.spatial import cKDTree

from geometry.carried_cameras import Carried
from geometry.floor_surfaces import LevelSurface

Array = NDArray[np.float64]
Indices = NDArray[np.int64]

CAMERA_HEIGHT_M, CAMERA_HEIGHT_SIGMA_M = 1.5, 0.35
"""Before any landmark is looked at: a hand, a helmet or a car's mirror."""
MIN_BELOW_M, MAX_BELOW_M = 0.5, 3.2
REACH_M = 6.0
"""Landmarks this far from a camera's foot are compared with its height."""
BIN_M, BLUR_M = 0.02, 0.05
STRONG, CONTRAST, BESIDE_M = 0.1, 1.6, 0.2
"""A mode is strong if it has this share of the largest one's height and stands out from what lies this far above and
below it, as floors do and the broad heights of cars do not; the floor is the lowest strong one."""
MIN_MODE = 30
"""Landmarks within ``BLUR_M`` of a mode that make it one."""
START_M = 0.2
"""Landmarks this near to the mode start the plane."""
ROUGH_M = 0.005
"""Of a floor's surface, a standard deviation."""
MAX_SIGMA_M = 0.15
"""Landmarks less sure of their height do not count."""
DRAINAGE = 0.015
"""Standard deviation of a floor's slope."""
CELL_M = 4.0
"""Over so many metres a floor's unevenness and a map's errors count as one and the same."""
MIN_UNEVENNESS_M = 0.002
TUKEY = 4.685
"""In sigmas: 95 % efficient for Gaussian noise (Beaton and Tukey 1974)."""
WIDTH_M, ITERATIONS = 0.01, 15
"""The estimator's scale shrinks to this, so that the start does not decide; it is wider for less sure landmarks."""
MIN_POINTS = 20
CARRIED, MIN_CARRIED_SIGMA_M = 3.0, 0.03
"""A plane that is further from where the cameras' height puts the floor, in sigmas of at least this, is none;
people carry a camera so differently from one level to the next."""
SHAKE_FACTOR = 2.0
"""Neighbouring cameras are shaken alike, so that they tell less of a slope than if each was by itself."""
AREA_CELL_M, AREA_CLOSING_M, CAMERA_AREA_M = 1.0, 2.5, 2.0
MIN_HOLE_M2 = 60.0
"""Smaller holes in what was seen of a floor are closed: parked cars."""


def carrying_height(centres: Array, carried: Carried, landmarks: Array, sigma_z: Array) -> tuple[float, float]:
    """Return how high above the floor cameras were carried and its sigma, metres.

    From cameras (M, 3) on levels and landmarks (L, 3) with height sigmas (L,). Where no mode stands out the answer is
    ``CAMERA_HEIGHT_M`` with its wide sigma.
    """
    drops = [_below(centres[carried.level == level], landmarks, sigma_z)[1] for level in range(carried.levels)]
    below = np.concatenate(drops) if drops else np.zeros(0)
    edges = np.arange(MIN_BELOW_M, MAX_BELOW_M + BIN_M, BIN_M)
    counts = np.histogram(below, edges)[0].astype(np.float64)
    density = gaussian_filter1d(counts, BLUR_M / BIN_M, mode="constant")
    beside = round(BESIDE_M / BIN_M)
    padded = np.pad(density, beside)
    around = (padded[: -2 * beside] + padded[2 * beside :]) / 2
    summit = (density >= np.append(0.0, density[:-1])) & (density > np.append(density[1:], 0.0))
    peak = np.flatnonzero(summit & (density >= STRONG * density.max(initial=0.0)) & (density > CONTRAST * around))
    middle = (edges[:-1] + edges[1:]) / 2
    for lowest in peak[::-1]:
        near = np.abs(below - middle[lowest]) < 2 * BLUR_M
        if near.sum() >= MIN_MODE:
            return float(np.median(below[near])), BLUR_M
    return CAMERA_HEIGHT_M, CAMERA_HEIGHT_SIGMA_M


def fit_level(
    centres: Array, landmarks: Array, sigma_z: Array, height: tuple[float, float], hand_sigma: float, name: str
) -> LevelSurface:
    """Fit the plane of one level to what lies ``height`` (value, sigma) below its cameras (M, 3).

    Tukey's M-estimator over landmarks (L, 3) with height sigmas (L,), with the cameras' heights as evidence too.
    Landmarks of one cell of ``CELL_M`` share an error besides their own, the floor's unevenness and the map's, which
    is estimated from the cells; so the covariance is that of some hundred square metres, not of thousands of points.
    """
    centre, carried_z = centres[:, :2].mean(axis=0), float(centres[:, 2].mean())
    carried_sigma = max(float(np.hypot(height[1], hand_sigma / np.sqrt(len(centres)))), MIN_CARRIED_SIGMA_M)
    offset = centres - np.append(centre, carried_z)
    slopes = offset[:, :2].T @ offset / (SHAKE_FACTOR * hand_sigma) ** 2
    prior = np.zeros((3, 3))
    prior[0, 0], prior[1:, 1:] = carried_sigma**-2, slopes[:, :2] + DRAINAGE**-2 * np.eye(2)
    prior_mean = np.append(carried_z - height[0], np.linalg.solve(prior[1:, 1:], slopes[:, 2]))
    rows, below = _below(centres, landmarks, sigma_z)
    about = offset[:, 2] - offset[:, :2] @ prior_mean[1:]
    coefficients, unevenness, used = prior_mean, max(hand_sigma, float(np.std(about))), rows[:0]
    covariance = np.asarray(np.linalg.inv(prior), dtype=np.float64)
    start = rows[np.abs(below - height[0]) < max(START_M, 2 * height[1])]
    if len(start) >= MIN_POINTS and height[1] < CAMERA_HEIGHT_SIGMA_M:
        sigma = np.hypot(sigma_z[start], ROUGH_M)
        fitted = robust_plane(landmarks[start], sigma, centre, prior, prior_mean)
        as_carried = abs(fitted[0][0] - prior_mean[0]) < CARRIED * carried_sigma
        if as_carried and _stands_out(landmarks[rows], sigma, centre, fitted[0]):
            coefficients, covariance, unevenness, weight = fitted
            used = start[weight > 0.1]
    return LevelSurface(
        name=name,
        area=_area(np.vstack([centres[:, :2]]), landmarks[used, :2]),
        centre=centre,
        coefficients=coefficients,
        covariance=covariance,
        unevenness=unevenness,
        support=len(used),
    )


def robust_plane(
    points: Array, sigma: Array, centre: Array, prior: Array, prior_mean: Array
) -> tuple[Array, Array, float, Array]:
    """Return coefficients (3,), covariance (3, 3), unevenness in metres and weights (N,) of a plane through (N, 3).

    ``sigma`` (N,) are the points' own; ``prior`` (3, 3) is the information and ``prior_mean`` (3,) the mean of what
    was known of the coefficients before.
    """
    design = np.column_stack([np.ones(len(points)), points[:, :2] - centre])
    cell = np.unique(np.floor(points[:, :2] / CELL_M), axis=0, return_inverse=True)[1].ravel()
    weight, unevenness = np.ones(len(points)), MIN_UNEVENNESS_M
    coefficients, normal = prior_mean, prior
    for scale in np.geomspace(START_M / 2, WIDTH_M, ITERATIONS):
        shared = 1.0 / (1.0 + unevenness**2 * np.bincount(cell, weight / sigma**2)[cell])
        row = design * (weight * shared / sigma**2)[:, None]
        normal = row.T @ design + prior
        coefficients = np.asarray(np.linalg.solve(normal, row.T @ points[:, 2] + prior @ prior_mean), dtype=np.float64)
        residual = points[:, 2] - design @ coefficients
        ratio = residual / (TUKEY * np.maximum(scale, sigma))
        weight = np.where(np.abs(ratio) < 1, (1 - ratio**2) ** 2, 0.0)
        if not weight.any():
            break
        unevenness = shared_sigma(residual, weight / sigma**2, cell)
    covariance = np.asarray(np.linalg.inv(normal), dtype=np.float64)
    return coefficients, covariance, unevenness, weight


def _stands_out(points: Array, sigma: Array, centre: Array, coefficients: Array) -> bool:
    """Tell whether a plane holds more points (N, 3) than the slabs above and below it, as the feet of cars do not.

    sigma: (K,) of the points that may lie on it.
    """
    residual = np.abs(points[:, 2] - coefficients[0] - (points[:, :2] - centre) @ coefficients[1:])
    width = max(BLUR_M, 2.0 * float(np.median(sigma)))
    inside = np.count_nonzero(residual < width)
    beside = np.count_nonzero((residual >= width) & (residual < 2 * width))
    return bool(inside >= MIN_POINTS and inside > CONTRAST * beside)


def shared_sigma(residual: Array, information: Array, cell: Indices) -> float:
    """Return the sigma of what residuals (N,) of one cell share, beyond what their own information (N,) explains."""
    total = np.bincount(cell, information)
    some = total > 0
    mean = np.bincount(cell, information * residual)[some] / total[some]
    excess = np.median(mean**2) / 0.4549 - np.median(1.0 / total[some])
    return float(np.sqrt(max(excess, MIN_UNEVENNESS_M**2)))


def _below(centres: Array, landmarks: Array, sigma_z: Array) -> tuple[Indices, Array]:
    """Return landmarks that may lie on the floor under cameras (M, 3), and how far they are below the nearest one."""
    if len(centres) == 0 or len(landmarks) == 0:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    distance, nearest = cKDTree(centres[:, :2]).query(landmarks[:, :2], k=1, distance_upper_bound=REACH_M)
    rows = np.flatnonzero(np.isfinite(distance) & (sigma_z < MAX_SIGMA_M))
    below = centres[nearest[rows], 2] - landmarks[rows, 2]
    fits = (below > MIN_BELOW_M) & (below < MAX_BELOW_M)
    return rows[fits].astype(np.int64), below[fits]


def _area(cameras: Array, floor: Array) -> shapely.Geometry:
    """Return what was seen of a floor: around cameras (M, 2) and landmarks (N, 2) on it, gaps between them closed."""
    corner = np.unique(np.floor(floor / AREA_CELL_M), axis=0) * AREA_CELL_M
    squares = shapely.box(corner[:, 0], corner[:, 1], corner[:, 0] + AREA_CELL_M, corner[:, 1] + AREA_CELL_M)
    around = shapely.buffer(shapely.points(cameras), CAMERA_AREA_M)
    closed = shapely.union_all(np.concatenate([squares, around])).buffer(AREA_CLOSING_M).buffer(-AREA_CLOSING_M)
    kept = [
        shapely.Polygon(part.exterior, [ring for ring in part.interiors if shapely.Polygon(ring).area > MIN_HOLE_M2])
        for part in shapely.get_parts(closed)
    ]
    return shapely.union_all(kept).simplify(0.3)
