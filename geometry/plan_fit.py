"""Registering a floor plan of its own frame to a map by walls, pillars and stall lines.

The unknown is ``site_from_plan``: a turn about z, a shift in the plane and one in height. Scale is not free: a plan
in other units than metres is refused with the factor that fits.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pycolmap
import shapely
from numpy.typing import ArrayLike, NDArray

from geometry.errors import DegenerateError, InputError
from geometry.floor_plans import PLAN_SIGMA_M, match_levels
from geometry.floor_surfaces import Floors
from geometry.floorplan import FloorPlan, Ramp
from geometry.plan_evidence import Evidence, line_evidence, plan_segments, structure_evidence
from geometry.plan_search import Channel, Placement, advantage, nearest, search
from geometry.plan_transform import rigid_from_plane, scaled_plan
from geometry.plan_uncertainty import placement_covariance
from geometry.plan_units import METRES

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

UNITS = ("ft", "in", "cm", "mm")
EXTENTS = (0.4, 6.0)
"""A plan of the right unit is this many times as large as what the map saw."""
MIN_EVIDENCE = 30.0
"""Weight of evidence, about as many pieces of wall."""
MIN_EXPLAINED = 0.25
"""Share of the evidence that a plan has to explain; cars alone leave a tenth on its lines by chance."""
SURE, MIN_ADVANTAGE = 2.5, 0.03
"""Sigmas, and share of what the best placement explains, by which it must be better than any other."""
SCALE_SURE, SCALE_MATTERS = 4.0, 0.005
INLIER_M = 0.15
RAMP_END_M = 5.0
"""A ramp of the plan ends this near to where the map's does."""
WALLS_OVER_RAMPS = 0.15
"""Share of what a placement explains by which it must be better than one whose ramps agree, to be preferred."""
NO_RAMP = "the map's ramps do not begin and end where the plan's do"


@dataclass(frozen=True, kw_only=True)
class PlanFit:
    """A plan tied to the site.

    site_from_plan: turn about z and shift; covariance: (4, 4) over (turn, x, y, z) about ``centroid`` (3,) in site
    levels: (found, planned) indices of the levels that belong together; height_residuals_m: found less planned, of each
    residuals_m: (N,) distances of the evidence (control points: (N, 3)), inliers: (N,) which of it was used
    explained: weight share of the evidence that lies on the plan, 1 for control points
    runner_up: the same for the best other placement; scale, scale_sigma: of map over plan where left free
    remarks: what does not agree, in words
    """

    site_from_plan: pycolmap.Rigid3d
    covariance: Array
    centroid: Array
    levels: tuple[tuple[int, int], ...]
    height_residuals_m: Array
    residuals_m: Array
    inliers: Mask
    explained: float
    runner_up: float
    scale: float
    scale_sigma: float
    remarks: tuple[str, ...] = field(default=())

    def point_covariances(self, points_in_site: ArrayLike) -> Array:
        """Return the covariance (N, 3, 3) that the fit gives to points (N, 3) of the plan, in site."""
        offset = np.asarray(points_in_site, dtype=np.float64) - self.centroid
        jacobian = np.zeros((len(offset), 3, 4))
        jacobian[:, 0, 0], jacobian[:, 1, 0] = -offset[:, 1], offset[:, 0]
        jacobian[:, :, 1:] = np.eye(3)
        return np.asarray(jacobian @ self.covariance @ np.swapaxes(jacobian, 1, 2))


def fit_plan(
    plan: FloorPlan,
    floors: Floors,
    landmarks: ArrayLike,
    covariances: ArrayLike | None = None,
    *,
    stall_lines: Mapping[int, ArrayLike] | None = None,
    level_names: Mapping[int, str] | None = None,
) -> PlanFit:
    """Fit a plan of any heading and place to landmarks (L, 3) with covariances (L, 3, 3) above floors found.

    ``stall_lines`` are painted lines (S, 2, 2) in site by index of the floor, which should be the stalls' edges;
    ``level_names`` says which of the plan's levels floors are, where signs tell it. Without it levels go together by
    their differences in height. Placements whose ramps begin and end where the map's do go before all others. Raises
    ``InputError`` for a plan in other units or one that fits nowhere, and ``DegenerateError`` where it has nothing to
    fit or fits in several ways.
    """
    evidence = structure_evidence(floors, landmarks, covariances) + line_evidence(stall_lines or {})
    total = sum(float(part.weights.sum()) for part in evidence)
    if total < MIN_EVIDENCE:
        raise DegenerateError(
            "the map shows next to no walls, pillars or stall lines",
            remedy="Tie the plan to the map by control points: names, positions in the plan, positions in the site.",
        )
    _require_structure(plan)
    found = _all_placements(plan, floors, evidence, level_names)
    _require_metres(plan, floors, evidence, level_names, found[0])
    with_ramps = _with_ramps(plan, floors, found)
    best = (with_ramps or found)[0]
    _require_unique(with_ramps or found)
    runner_up = max((other.placement.explained for other in found if other is not best), default=0.0)
    result = _result(plan, floors, best, runner_up)
    return result if with_ramps else replace(result, remarks=(*result.remarks, NO_RAMP))


@dataclass(frozen=True, kw_only=True)
class _Hypothesis:
    """A placement under an assignment of levels: ``planned`` (F,) by floor found, -1 for none."""

    placement: Placement
    planned: NDArray[np.int64]
    channels: Sequence[Channel]


def _require_structure(plan: FloorPlan) -> None:
    if not (plan.walls or plan.pillars or plan.exclusions or plan.stalls):
        raise DegenerateError(
            "the plan has neither walls nor pillars nor stalls to fit",
            remedy="Draw some, or tie the plan to the map by control points.",
        )


def _all_placements(
    plan: FloorPlan, floors: Floors, evidence: Sequence[Evidence], level_names: Mapping[int, str] | None
) -> list[_Hypothesis]:
    """Return placements under every assignment of levels, best first."""
    found = []
    for planned in _assignments(plan, floors, level_names):
        channels = _channels(plan, evidence, planned)
        if not any(len(channel.segments) for channel in channels):
            continue
        found += [_Hypothesis(placement=p, planned=planned, channels=channels) for p in search(channels)]
    if not found:
        raise DegenerateError(
            "none of the plan's levels with walls, pillars or stalls is one that the map saw",
            remedy="Check the elevations of the plan's levels; they should differ as the floors do.",
        )
    return sorted(found, key=lambda hypothesis: -hypothesis.placement.explained)


def _assignments(plan: FloorPlan, floors: Floors, level_names: Mapping[int, str] | None) -> list[NDArray[np.int64]]:
    """Return the ways in which floors are levels of the plan: those that put most of them together by height."""
    if level_names is not None:
        index = {level.id: number for number, level in enumerate(plan.levels)}
        unknown = sorted(set(level_names.values()) - set(index))
        if unknown:
            raise InputError(f"the plan has no level '{unknown[0]}'", remedy=f"It has: {', '.join(index)}.")
        planned = [index[level_names[k]] if k in level_names else -1 for k in range(len(floors.levels))]
        return [np.array(planned, dtype=np.int64)]
    offsets = [found.elevation - level.elevation for found in floors.levels for level in plan.levels]
    ways = {tuple(match_levels(floors, plan, offset).tolist()) for offset in offsets}
    most = max(sum(index >= 0 for index in way) for way in ways)
    return [np.array(way, dtype=np.int64) for way in sorted(ways) if sum(index >= 0 for index in way) == most]


def _channels(plan: FloorPlan, evidence: Sequence[Evidence], planned: NDArray[np.int64]) -> list[Channel]:
    """Return the evidence with the segments of the levels it is on; evidence of an unplanned level has none."""
    return [
        Channel(
            points=part.points,
            weights=part.weights,
            segments=plan_segments(plan, plan.levels[planned[part.level]].id, part.kind)
            if planned[part.level] >= 0
            else np.zeros((0, 2, 2)),
        )
        for part in evidence
    ]


def _require_metres(
    plan: FloorPlan,
    floors: Floors,
    evidence: Sequence[Evidence],
    level_names: Mapping[int, str] | None,
    best: _Hypothesis,
) -> None:
    """Raise where the plan fits better in another unit, or does not fit in any."""
    points = np.vstack([part.points for part in evidence])
    map_extent = shapely.minimum_bounding_radius(shapely.multipoints(points))
    for unit in UNITS:
        smaller = scaled_plan(plan, METRES[unit])
        extent = shapely.minimum_bounding_radius(shapely.union_all([level.outline for level in smaller.levels]))
        if not EXTENTS[0] < extent / map_extent < EXTENTS[1]:
            continue
        try:
            other = _all_placements(smaller, floors, evidence, level_names)[0]
        except DegenerateError:
            continue
        share, sigmas = advantage(other.channels, other.placement, best.channels, best.placement)
        if sigmas > SURE and share > MIN_ADVANTAGE and other.placement.explained > MIN_EXPLAINED:
            raise InputError(
                f"the plan seems to be in {unit}: so it explains {other.placement.explained:.0%} of the walls, pillars "
                f"and lines that the map shows, in metres {best.placement.explained:.0%}",
                where="plan",
                remedy=f"Multiply its coordinates by {METRES[unit]}.",
            )
    if best.placement.explained < MIN_EXPLAINED:
        raise InputError(
            f"the plan explains {best.placement.explained:.0%} of the walls, pillars and lines that the map shows, "
            f"which is no fit",
            where="plan",
            remedy="Check that it is of this site, not mirrored, and in metres; or give control points.",
        )


def _with_ramps(plan: FloorPlan, floors: Floors, found: Sequence[_Hypothesis]) -> list[_Hypothesis]:
    """Return the placements whose ramps agree; none where the walls clearly speak for another one."""
    agreeing = [hypothesis for hypothesis in found if _ramps_agree(plan, floors, hypothesis)]
    if agreeing and agreeing[0] is not found[0]:
        best, first = found[0], agreeing[0]
        share, sigmas = advantage(best.channels, best.placement, first.channels, first.placement)
        if sigmas > SURE and share > WALLS_OVER_RAMPS:
            return []
    return agreeing


def _ramps_agree(plan: FloorPlan, floors: Floors, hypothesis: _Hypothesis) -> bool:
    """Tell whether every ramp found begins and ends where one of the plan does; true where the plan has none there."""
    for ramp in floors.ramps:
        lower, upper = (int(hypothesis.planned[end]) if end >= 0 else -1 for end in (ramp.lower, ramp.upper))
        if lower < 0 or upper < 0:
            continue
        joined = {plan.levels[lower].id, plan.levels[upper].id}
        ends = np.array([_foot_and_head(r) for r in plan.ramps if {r.from_level, r.to_level} == joined])
        if len(ends) == 0:
            continue
        own = hypothesis.placement.to_plan(ramp.line[[0, -1]])
        if np.linalg.norm(ends - own, axis=2).min(axis=0).max() > RAMP_END_M:
            return False
    return True


def _foot_and_head(ramp: Ramp) -> Array:
    """Return the middles (2, 2) of a ramp's lower and upper edge."""
    corners = np.array(ramp.polygon.exterior.coords)[:4]
    edges = np.array([corners[:2].mean(axis=0), corners[2:].mean(axis=0)])
    return edges if ramp.profile[0][1] <= ramp.profile[-1][1] else edges[::-1]


def _require_unique(found: Sequence[_Hypothesis]) -> None:
    """Raise where another placement explains the map about as well."""
    best = found[0]
    for other in found[1:]:
        share, sigmas = advantage(best.channels, best.placement, other.channels, other.placement)
        if sigmas < SURE or share < MIN_ADVANTAGE:
            turn = np.degrees(np.angle(np.exp(1j * (other.placement.yaw - best.placement.yaw))))
            centre = np.vstack([channel.points for channel in best.channels]).mean(axis=0)
            move = np.linalg.norm(best.placement.to_plan(centre) - other.placement.to_plan(centre))
            levels = " with other levels" if not np.array_equal(best.planned, other.planned) else ""
            raise DegenerateError(
                f"the plan fits in more than one way: {best.placement.explained:.0%} of the map's walls, pillars and "
                f"lines agree with one placement, {other.placement.explained:.0%} with another, turned by "
                f"{turn:.0f} deg and {move:.1f} m away{levels} ({sigmas:.1f} sigma between them)",
                where="plan",
                remedy="Give two or more control points, or say which level is which.",
            )


def _result(plan: FloorPlan, floors: Floors, best: _Hypothesis, runner_up: float) -> PlanFit:
    placement = best.placement
    covariance, centre, scale, scale_sigma = placement_covariance(best.channels, placement)
    pairs = tuple((k, int(index)) for k, index in enumerate(best.planned) if index >= 0)
    gaps = np.array([floors.levels[k].elevation - plan.levels[index].elevation for k, index in pairs])
    variances = np.array(
        [floors.levels[k].covariance[0, 0] + floors.levels[k].unevenness ** 2 + PLAN_SIGMA_M**2 for k, _ in pairs]
    )
    z = float(np.average(gaps, weights=1.0 / variances))
    distance = np.concatenate([nearest(channel, placement)[0] for channel in best.channels])
    full = np.zeros((4, 4))
    full[:3, :3] = covariance
    full[3, 3] = 1.0 / np.sum(1.0 / variances)
    remarks = [
        f"level {plan.levels[index].id}: the map's floor is {gap - z:+.2f} m from the plan's elevation"
        for (_, index), gap, variance in zip(pairs, gaps, variances, strict=True)
        if abs(gap - z) > 3 * np.sqrt(variance)
    ]
    if abs(scale - 1.0) > max(SCALE_SURE * scale_sigma, SCALE_MATTERS):
        remarks.append(f"lengths on the map are {scale:.4f} times those of the plan (sigma {scale_sigma:.4f})")
    return PlanFit(
        site_from_plan=rigid_from_plane(placement.yaw, placement.shift, z),
        covariance=full,
        centroid=np.append(centre, z),
        levels=pairs,
        height_residuals_m=gaps - z,
        residuals_m=distance,
        inliers=distance < INLIER_M,
        explained=placement.explained,
        runner_up=runner_up,
        scale=scale,
        scale_sigma=scale_sigma,
        remarks=tuple(remarks),
    )
