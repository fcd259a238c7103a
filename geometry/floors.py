"""Levels, floors and ramps from a map: landmarks and the cameras that were carried past them.

Method, formulas and limits: docs/floors.md.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry.carried_cameras import HAND_M, sort_cameras
from geometry.errors import DegenerateError, InputError
from geometry.floor_levels import MAX_BELOW_M, MIN_BELOW_M, carrying_height, fit_level
from geometry.floor_surfaces import Floors, LevelSurface
from geometry.ramp_surfaces import fit_ramp

Array = NDArray[np.float64]

STEEP = 0.025
"""Floors are sloped for drainage by 1 to 2 %."""
BENT_M, BENT_SIGMAS = 0.08, 3.0
"""Hands do not vary by more, a standard deviation."""


@dataclass(frozen=True, kw_only=True)
class FloorOptions:
    """How floors are found.

    camera_height: metres of the cameras above the floor where it is known, with its sigma; else the map tells
    names: of the levels, from the lowest up; else P1, P2, ...
    """

    camera_height: tuple[float, float] | None = None
    names: tuple[str, ...] | None = None


def find_floors(
    camera_centres: ArrayLike,
    landmarks: ArrayLike,
    covariances: ArrayLike | None = None,
    options: FloorOptions | None = None,
    *,
    seen_from: ArrayLike | None = None,
) -> Floors:
    """Find levels and ramps from camera centres (M, 3) and landmarks (L, 3) with covariances (L, 3, 3); z is up.

    The cameras must have been carried, all at about one height. ``seen_from`` (L,) is the height of the lowest camera
    that saw a landmark, and keeps the ceilings of lower levels out, which are as flat as floors. Landmarks that are
    not finite, or whose covariance is not, do not count; where none is left on a level's floor, its height is that of
    the cameras less the height at which they were carried elsewhere, and ``support`` 0 says so. Raises ``InputError``
    for wrong shapes or names, and ``DegenerateError`` where there is no level: too few cameras, or all in one place.
    """
    options = options or FloorOptions()
    centres, points, sigma_z = _checked(camera_centres, landmarks, covariances, seen_from)
    carried = sort_cameras(centres)
    if carried.levels == 0:
        raise DegenerateError(
            f"{len(centres)} cameras do not show a level: they are too few, all in one place, or all on ramps",
            remedy="Walk some metres along every level.",
        )
    names = _names(options.names, carried.levels)
    height = options.camera_height or carrying_height(centres, carried, points, sigma_z)
    hand_sigma = HAND_M
    levels: tuple[LevelSurface, ...] = ()
    for _ in range(2):
        levels = tuple(
            fit_level(centres[carried.level == index], points, sigma_z, height, hand_sigma, name)
            for index, name in enumerate(names)
        )
        if options.camera_height is None:
            height, hand_sigma = _carried_above(centres, carried.level, levels, height, hand_sigma)
    ramps = tuple(
        fit_ramp(centres, carried.ramp == index, points, sigma_z, levels, height, hand_sigma)
        for index in range(carried.ramps)
    )
    return Floors(
        levels=levels,
        ramps=ramps,
        camera_height=height[0],
        camera_height_sigma=height[1],
        hand_sigma=hand_sigma,
        warnings=_warnings(centres, carried.level, levels, hand_sigma),
    )


def rename_levels(floors: Floors, names: tuple[str, ...]) -> Floors:
    """Return the floors with other names of the levels, from the lowest up."""
    levels = zip(floors.levels, _names(names, len(floors.levels)), strict=True)
    return replace(floors, levels=tuple(replace(level, name=name) for level, name in levels))


def _checked(
    camera_centres: ArrayLike, landmarks: ArrayLike, covariances: ArrayLike | None, seen_from: ArrayLike | None
) -> tuple[Array, Array, Array]:
    """Return camera centres (M, 3), and landmarks (L, 3) that may lie on a floor with their height sigmas (L,)."""
    centres, points = np.asarray(camera_centres, dtype=np.float64), np.asarray(landmarks, dtype=np.float64)
    spread = np.zeros((len(points), 3, 3)) if covariances is None else np.asarray(covariances, dtype=np.float64)
    if centres.ndim != 2 or centres.shape[1] != 3 or points.ndim != 2 or points.shape[1] != 3:
        raise InputError(f"expected cameras (M, 3) and landmarks (L, 3), got {centres.shape} and {points.shape}")
    seen = np.full(len(points), np.inf) if seen_from is None else np.asarray(seen_from, dtype=np.float64)
    if spread.shape != (len(points), 3, 3) or seen.shape != (len(points),):
        raise InputError(
            f"expected covariances ({len(points)}, 3, 3) and heights ({len(points)},), got {spread.shape}, {seen.shape}"
        )
    finite = np.isfinite(centres).all(axis=1)
    variance = spread[:, 2, 2]
    good = np.isfinite(points).all(axis=1) & np.isfinite(variance) & (variance >= 0)
    good &= seen - points[:, 2] > MIN_BELOW_M
    return centres[finite], points[good], np.sqrt(variance[good])


def _names(names: tuple[str, ...] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"P{index + 1}" for index in range(count))
    if len(names) != count or len(set(names)) != count:
        raise InputError(
            f"{len(names)} names for {count} levels: {', '.join(names)}",
            remedy="Give each level found a name of its own, from the lowest up.",
        )
    return names


def _carried_above(
    centres: Array, level: NDArray[np.int64], levels: tuple[LevelSurface, ...], height: tuple[float, float], hand: float
) -> tuple[tuple[float, float], float]:
    """Return the cameras' height above the floors with its sigma, and how much it varies, from levels with support."""
    above, planes = [], []
    for index, surface in enumerate(levels):
        if surface.support:
            xyz = centres[level == index]
            above.append(xyz[:, 2] - surface.height(xyz[:, :2])[0])
            planes.append(surface.elevation_sigma)
    if not above:
        return height, hand
    everything = np.concatenate(above)
    middle = float(np.median(everything))
    hand_sigma = max(1.4826 * float(np.median(np.abs(everything - middle))), 0.005)
    sigma = float(np.hypot(1.2533 * hand_sigma / np.sqrt(len(everything)), np.max(planes)))
    return (float(np.clip(middle, 0.0, MAX_BELOW_M)), sigma), hand_sigma


def _warnings(
    centres: Array, level: NDArray[np.int64], levels: tuple[LevelSurface, ...], hand: float
) -> tuple[str, ...]:
    found = []
    for index, surface in enumerate(levels):
        if surface.support == 0:
            found.append(
                f"level {surface.name}: no landmark on its floor; its height is the cameras' less the height they were "
                f"carried at"
            )
        slope = float(np.linalg.norm(surface.coefficients[1:]))
        if slope > STEEP:
            found.append(
                f"level {surface.name}: it slopes by {slope:.1%}, more than floors are drained by: a sloped deck, or "
                f"the map is bent there"
            )
        xyz = centres[level == index]
        spread = float(np.std(xyz[:, 2] - surface.height(xyz[:, :2])[0]))
        if spread > max(BENT_M, BENT_SIGMAS * hand):
            found.append(
                f"level {surface.name}: the cameras' height above its plane varies by {spread:.2f} m: it is more than "
                f"one floor, or the map is bent there"
            )
    return tuple(found)
