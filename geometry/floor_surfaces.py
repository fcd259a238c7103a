"""The floors of a facility as surfaces with uncertainty: level planes, ramps, and which level a position is on.

All in a frame whose z is up: the site, or a map turned upright. A level is a plane

    z = height + slope . (xy - centre)          with a covariance (3, 3) of (height, slope x, slope y)

and a ramp is a monotone piecewise linear profile z(s) along a centre line that runs upwards.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from geometry.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

BEYOND_SLOPE = 0.01
"""What a floor may rise or fall by, a metre, where nobody has seen it."""
REACH_M = 10.0
"""A level may go on this far beyond what was seen of it."""
BELOW_FLOOR_M = 0.5
"""A position this far under a floor is on it, as in ``geometry.location``."""
SAMPLES = 256
"""Points of a position's Gaussian; a power of two, as Sobol points want it."""
CHUNK = 2048
"""So many positions are looked at together, which bounds the memory."""


@dataclass(frozen=True, kw_only=True)
class LevelSurface:
    """A floor.

    name: of the level; area: what the cameras saw of it, polygons in xy
    centre: (2,) of the plane; coefficients: (3,) height there and slopes; covariance: (3, 3) of them
    unevenness: sigma in metres of the floor about its plane, over areas of a few metres
    support: landmarks that the plane rests on, 0 where only the cameras' heights tell
    """

    name: str
    area: Any
    centre: Array
    coefficients: Array
    covariance: Array
    unevenness: float
    support: int

    @property
    def elevation(self) -> float:
        """Height in metres at the centre."""
        return float(self.coefficients[0])

    @property
    def elevation_sigma(self) -> float:
        """Standard deviation of ``elevation``."""
        return float(np.sqrt(self.covariance[0, 0]))

    def height(self, points: ArrayLike) -> tuple[Array, Array]:
        """Return height and sigma (N,) of the plane at points (N, 2); sigma grows where nobody has been."""
        xy = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        design = np.column_stack([np.ones(len(xy)), xy - self.centre])
        beyond = BEYOND_SLOPE * np.nan_to_num(shapely.distance(self.area, shapely.points(xy)))
        variance = np.einsum("ni,ij,nj->n", design, self.covariance, design) + self.unevenness**2 + beyond**2
        return design @ self.coefficients, np.sqrt(variance)


@dataclass(frozen=True, kw_only=True)
class RampSurface:
    """A slope between two levels.

    lower, upper: indices of the levels, -1 where that end leads out of what was seen
    line: (K, 2) centre line upwards; width in metres
    s, z, sigma: (J,) profile: metres along the line, height, its standard deviation
    support: landmarks that it rests on, 0 where only the cameras' heights tell
    """

    lower: int
    upper: int
    line: Array
    width: float
    s: Array
    z: Array
    sigma: Array
    support: int

    @property
    def area(self) -> Any:
        """The polygon in xy that the ramp covers."""
        return shapely.buffer(shapely.LineString(self.line), self.width / 2, cap_style="flat", join_style="mitre")

    def covers(self, points: ArrayLike) -> Mask:
        """Tell (N,) which points (N, 2) lie on the ramp."""
        area = self.area
        shapely.prepare(area)
        return np.asarray(shapely.intersects(area, shapely.points(np.asarray(points, dtype=np.float64))))

    def height(self, points: ArrayLike) -> tuple[Array, Array]:
        """Return height and sigma (N,) at points (N, 2), as at the nearest place of the centre line."""
        s = shapely.line_locate_point(shapely.LineString(self.line), shapely.points(np.asarray(points, np.float64)))
        return np.interp(s, self.s, self.z), np.interp(s, self.s, self.sigma)


@dataclass(frozen=True, kw_only=True)
class Floors:
    """All floors: levels from the lowest up, ramps, and how high cameras were carried.

    camera_height, camera_height_sigma: of the cameras above the floor, metres; hand_sigma: how much it varies
    """

    levels: tuple[LevelSurface, ...]
    ramps: tuple[RampSurface, ...] = ()
    camera_height: float
    camera_height_sigma: float
    hand_sigma: float
    warnings: tuple[str, ...] = field(default=())

    def height(self, points: ArrayLike, level: int) -> tuple[Array, Array]:
        """Return height and sigma (N,) in metres of the floor under points (N, 2) of a level, given by index.

        On a ramp that begins or ends there it is the ramp's, elsewhere the plane's; off what was seen the plane goes
        on, with a sigma that says so.
        """
        self._require(level)
        xy = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        heights, sigmas = self.levels[level].height(xy)
        for ramp in self.ramps:
            if level in (ramp.lower, ramp.upper):
                on = ramp.covers(xy)
                heights[on], sigmas[on] = ramp.height(xy[on])
        return heights, sigmas

    def _require(self, level: int) -> None:
        if not 0 <= level < len(self.levels):
            raise InputError(f"there is no level {level}", remedy=f"The floors have {len(self.levels)} levels.")


def with_datum(floors: Floors, covariance: ArrayLike, centroid: ArrayLike) -> Floors:
    """Return the floors with the uncertainty of their frame added, which is common to all of them.

    ``covariance`` (7, 7) over (log scale, rotation vector, translation) about ``centroid`` (3,), as in
    ``geometry.similarity``: a point moves by dz = s (z - cz) + wx (y - cy) - wy (x - cx) + tz.
    """
    frame, middle = np.asarray(covariance, dtype=np.float64), np.asarray(centroid, dtype=np.float64)
    levels = []
    for level in floors.levels:
        x, y = level.centre - middle[:2]
        jacobian = np.zeros((3, 7))
        jacobian[0, [0, 1, 2, 6]] = level.elevation - middle[2], y, -x, 1.0
        jacobian[1, 2], jacobian[2, 1] = -1.0, 1.0
        levels.append(replace(level, covariance=level.covariance + jacobian @ frame @ jacobian.T))
    ramps = []
    for ramp in floors.ramps:
        line = shapely.LineString(ramp.line)
        x, y = (shapely.get_coordinates(shapely.line_interpolate_point(line, ramp.s)) - middle[:2]).T
        rows = np.column_stack([ramp.z - middle[2], y, -x, np.zeros((len(x), 2)), np.zeros(len(x)), np.ones(len(x))])
        added = np.einsum("ni,ij,nj->n", rows, frame, rows)
        ramps.append(replace(ramp, sigma=np.sqrt(ramp.sigma**2 + added)))
    return replace(floors, levels=tuple(levels), ramps=tuple(ramps))


def level_probability(floors: Floors, positions: ArrayLike, covariances: ArrayLike) -> Array:
    """Return (N, levels), the probability that positions (N, 3) with covariances (N, 3, 3) are on each level.

    A position is on the highest floor that is at or under it (``BELOW_FLOOR_M`` of tolerance), on a ramp on the level
    of the nearer end, and on none where it lies under all floors or further than ``REACH_M`` from all that was seen;
    hence rows sum to 1 or less. The position's Gaussian is sampled by ``SAMPLES`` fixed Sobol points, each with the
    floor's own sigma in height, so that near ramps and between floors the answer is as unsure as the inputs make it.
    A NaN gives a row of zeros.
    """
    mean = np.asarray(positions, dtype=np.float64).reshape(-1, 3)
    spread = np.asarray(covariances, dtype=np.float64)
    if spread.shape != (len(mean), 3, 3):
        raise InputError(f"expected positions (N, 3) and covariances (N, 3, 3), got {mean.shape} and {spread.shape}")
    result = np.zeros((len(mean), len(floors.levels)))
    known = np.flatnonzero(np.isfinite(mean).all(axis=1) & np.isfinite(spread).all(axis=(1, 2)))
    normal = _normal_points()
    for rows in np.array_split(known, len(known) // CHUNK + 1):
        values, axes = np.linalg.eigh(spread[rows])
        root = axes * np.sqrt(np.maximum(values, 0.0))[:, None, :]
        samples = mean[rows][:, None, :] + normal[:, :3] @ np.swapaxes(root, 1, 2)
        level = _level_of(floors, samples.reshape(-1, 3), np.tile(normal[:, 3], len(rows)))
        level = level.reshape(len(rows), SAMPLES)
        result[rows] = (level[:, :, None] == np.arange(len(floors.levels))).mean(axis=1)
    return result


def _level_of(floors: Floors, points: Array, deviate: Array) -> NDArray[np.int64]:
    """Return the level (N,) that points (N, 3) are on, -1 for none; floors are ``deviate`` (N,) sigmas higher."""
    found = np.full(len(points), -1, dtype=np.int64)
    best = np.full(len(points), -np.inf)
    xy = shapely.points(points[:, :2])
    on_ramps = [ramp.covers(points[:, :2]) for ramp in floors.ramps]

    def offer(rows: Mask, height: Array, level: Sequence[int] | NDArray[np.int64]) -> None:
        better = rows & (height <= points[:, 2] + BELOW_FLOOR_M) & (height > best)
        best[better], found[better] = height[better], np.broadcast_to(level, len(points))[better]

    for index, surface in enumerate(floors.levels):
        height, sigma = surface.height(points[:, :2])
        here = shapely.distance(surface.area, xy) <= REACH_M
        for ramp, on in zip(floors.ramps, on_ramps, strict=True):
            if ramp.upper == index:  # its slab is open there
                here = here & ~on
        offer(here, height + deviate * sigma, [index])
    for ramp, on in zip(floors.ramps, on_ramps, strict=True):
        height, sigma = ramp.height(points[:, :2])
        ends = [end for end in (ramp.lower, ramp.upper) if end >= 0]
        if ends:
            low, high = ends[0], ends[-1]
            top = height + deviate * sigma
            offer(on, top, np.where(2 * top > ramp.z[0] + ramp.z[-1], high, low))
    return found


def _normal_points() -> Array:
    """Return (SAMPLES, 4) points of a standard Gaussian, each in the middle of its Sobol cell."""
    cells = stats.qmc.Sobol(4, scramble=False).random(SAMPLES)
    return np.asarray(stats.norm.ppf(cells + 0.5 / SAMPLES))
