"""Floors that were found, and the floor plan: each as the other's evidence, and a plan's levels out of a map alone."""

from dataclasses import dataclass, replace

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from geometry.errors import InputError
from geometry.floor_surfaces import Floors, LevelSurface, RampSurface
from geometry.floorplan import FloorPlan, Level, Ramp

Array = NDArray[np.float64]

PLAN_SIGMA_M = 0.03
"""Of a plan's elevations, where nothing better is known: floors are built to a few centimetres."""
SAME_LEVEL_M = 1.2
"""Half a storey: a level of the plan and one of the map that differ by more are not the same."""
DISAGREE = 3.0
"""Sigmas from which plan and map disagree; then neither is changed to suit the other."""
BEND_M = 0.3
"""A curved ramp becomes straight ones that leave its centre line by no more."""
DECIMALS = 4


@dataclass(frozen=True, kw_only=True)
class HeightCheck:
    """A level in plan and map. difference_m: map less plan, where the map saw the level; sigma_m: of it."""

    level: str
    difference_m: float
    sigma_m: float

    @property
    def agrees(self) -> bool:
        """Whether the difference is within its sigmas."""
        return abs(self.difference_m) <= DISAGREE * self.sigma_m


def match_levels(floors: Floors, plan: FloorPlan, plan_offset_z: float = 0.0) -> NDArray[np.int64]:
    """Return for each level found the index of the plan's level, -1 for none.

    By height, each at most once, with ``plan_offset_z`` added to the plan's elevations; nothing further apart than
    ``SAME_LEVEL_M`` goes together.
    """
    found = np.array([level.elevation for level in floors.levels])
    planned = np.array([level.elevation for level in plan.levels]) + plan_offset_z
    gap = np.abs(found[:, None] - planned)
    rows, columns = linear_sum_assignment(np.minimum(gap, SAME_LEVEL_M) ** 2)
    result = np.full(len(found), -1, dtype=np.int64)
    near = gap[rows, columns] < SAME_LEVEL_M
    result[rows[near]] = columns[near]
    return result


def with_plan(
    floors: Floors, plan: FloorPlan, sigma_m: float = PLAN_SIGMA_M, *, fuse: bool = True
) -> tuple[Floors, tuple[HeightCheck, ...]]:
    """Return the floors named as in a plan in the same frame, with its elevations as evidence, and the comparison.

    An elevation of the plan holds at the centre of what the map saw of the level, with ``sigma_m``; where it disagrees
    with the map, the map is left as it was, as everywhere without ``fuse``: heights of a plan that was fitted to these
    floors tell nothing new. A level that the plan lacks keeps its name, unless the plan has a level of that name.
    """
    if not sigma_m > 0:
        raise InputError(f"the sigma of a plan's elevations must be positive, not {sigma_m}")
    matched = match_levels(floors, plan)
    taken = {level.id for level in plan.levels}
    levels, checks = [], []
    for number, (level, index) in enumerate(zip(floors.levels, matched, strict=True)):
        if index < 0:
            names = (level.name, *(f"unplanned {n}" for n in range(number + 1, len(floors.levels) + len(taken) + 2)))
            name = next(each for each in names if each not in taken)
            taken.add(name)
            levels.append(replace(level, name=name))
            continue
        planned = plan.levels[index]
        sigma = float(np.sqrt(level.covariance[0, 0] + level.unevenness**2 + sigma_m**2))
        check = HeightCheck(level=planned.id, difference_m=level.elevation - planned.elevation, sigma_m=sigma)
        checks.append(check)
        named = replace(level, name=planned.id)
        levels.append(_fused(named, planned.elevation, sigma_m) if fuse and check.agrees else named)
    return replace(floors, levels=tuple(levels)), tuple(checks)


def height_disagreements(checks: tuple[HeightCheck, ...], floors: Floors, plan: FloorPlan) -> tuple[str, ...]:
    """Return in words where the heights of plan and map differ, and the levels that only one of them has."""
    found = [
        f"level {check.level}: the map's floor is {check.difference_m:+.2f} m from the plan's elevation "
        f"({abs(check.difference_m) / check.sigma_m:.0f} sigma)"
        for check in checks
        if not check.agrees
    ]
    seen = {check.level for check in checks}
    found += [
        f"level {level.name}: on the map at {level.elevation:.2f} m, not on the plan"
        for level in floors.levels
        if level.name not in seen
    ]
    found += [
        f"level {level.id}: on the plan at {level.elevation:.2f} m, not seen by the map"
        for level in plan.levels
        if level.id not in seen
    ]
    return tuple(found)


def plan_levels(floors: Floors, ceiling: float | None = None) -> tuple[tuple[Level, ...], tuple[Ramp, ...]]:
    """Return levels and ramps of a floor plan as far as the map shows them.

    A level's outline is the largest connected part of what was seen of it, without holes; its elevation that at the
    centre. Ramps that do not join two levels found are left out, as a plan has no place for them.
    """
    levels = tuple(
        Level(
            id=surface.name,
            elevation=round(surface.elevation, DECIMALS),
            ceiling=ceiling,
            outline=_outline(surface),
        )
        for surface in floors.levels
    )
    ramps = [
        piece
        for number, ramp in enumerate(floors.ramps, start=1)
        if ramp.lower >= 0 and ramp.upper >= 0
        for piece in _straight_pieces(
            ramp, f"ramp {number}", floors.levels[ramp.lower].name, floors.levels[ramp.upper].name
        )
    ]
    return levels, tuple(ramps)


def _fused(level: LevelSurface, elevation: float, sigma_m: float) -> LevelSurface:
    """Return the level with an elevation of sigma_m at its centre as evidence (a Kalman update)."""
    gain = level.covariance[:, 0] / (level.covariance[0, 0] + level.unevenness**2 + sigma_m**2)
    return replace(
        level,
        coefficients=level.coefficients + gain * (elevation - level.elevation),
        covariance=level.covariance - np.outer(gain, level.covariance[0]),
    )


def _outline(level: LevelSurface) -> shapely.Polygon:
    parts = shapely.get_parts(level.area)
    largest = parts[np.argmax(shapely.area(parts))]
    return shapely.Polygon(shapely.set_precision(shapely.Polygon(largest.exterior), 10.0**-DECIMALS).exterior)


def _straight_pieces(ramp: RampSurface, id: str, lower: str, upper: str) -> list[Ramp]:
    """Return quadrilaterals along a ramp's centre line, each with its part of the profile."""
    line = shapely.LineString(ramp.line)
    corners = shapely.get_coordinates(line.simplify(BEND_M))
    at = shapely.line_locate_point(line, shapely.points(corners))
    at[[0, -1]] = 0.0, ramp.s[-1]
    left, right = _edges(corners, ramp.width / 2)
    pieces = []
    for index in range(len(corners) - 1):
        polygon = shapely.Polygon([left[index], right[index], right[index + 1], left[index + 1]])
        if not polygon.is_valid:
            continue  # the inside of a bend tighter than the ramp is wide
        pieces.append(
            Ramp.model_validate(
                {
                    "id": id if len(corners) == 2 else f"{id}.{index + 1}",
                    "from": lower,
                    "to": upper,
                    "polygon": polygon,
                    "profile": _part_of_profile(ramp, at[index], at[index + 1]),
                }
            )
        )
    return pieces


def _edges(corners: Array, half_width: float) -> tuple[Array, Array]:
    """Return a line's (K, 2) left and right edge, mitred at its corners."""
    way = np.diff(corners, axis=0)
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    before, after = np.vstack([way[:1], way]), np.vstack([way, way[-1:]])
    middle = before + after
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    left = np.column_stack([-middle[:, 1], middle[:, 0]]) / np.sum(middle * after, axis=1, keepdims=True)
    return corners + half_width * left, corners - half_width * left


def _part_of_profile(ramp: RampSurface, start: float, stop: float) -> tuple[tuple[float, float], ...]:
    inner = ramp.s[(ramp.s > start + 0.05) & (ramp.s < stop - 0.05)]
    s = np.concatenate([[start], inner, [stop]])
    z = np.interp(s, ramp.s, ramp.z)
    return tuple(zip(np.round(s - start, DECIMALS).tolist(), np.round(z, DECIMALS).tolist(), strict=True))
