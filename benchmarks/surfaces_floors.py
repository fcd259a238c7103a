"""Floors of a map, and a plan fitted to it, against the truth of the scene: heights, ramps, levels, names, stalls.

The plan of the scene is the truth; for the fit it is turned by any angle and moved by metres.
"""

import time
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from geometry import (
    Floors,
    TiepointError,
    floor_height,
    level_probability,
    locate,
    read_plan,
    read_true_poses,
    transform_plan,
    with_plan,
)
from geometry.floorplan import FloorPlan, Ramp
from geometry.plan_transform import rigid_from_plane
from twin.mapping.floors import floors_of, register_plan
from twin.model import Twin

Array = NDArray[np.float64]
Figures = dict[str, Any]

STEP_M = 0.25
MOVED_M = 5.0
NAMES_M = 0.5
"""A level is the true one if its elevation is this near."""


def measure_floors(scene_folder: Path, twin: Twin) -> Figures:
    """Return how far the twin's floors are from the scene's plan, which is the truth.

    The driven area are the lanes, half their width to both sides; ramps count apart. Errors are in metres, ``nees``
    is their mean square over the claimed variance. Names: those by order, and those that the plan gives.
    """
    plan = read_plan(scene_folder / "plan.json")
    floors = floors_of(twin)
    result = against_plan(floors, plan)
    named, checks = with_plan(floors, plan)
    result["named_by_plan"] = [level.name for level in named.levels]
    result["plan_minus_map_m"] = {check.level: -check.difference_m for check in checks}
    result["cameras_on_their_level"] = _levels_of_cameras(named, scene_folder, plan)
    return result


def measure_plan_fit(scene_folder: Path, twin: Twin, rng: np.random.Generator, times: int = 3) -> list[Figures]:
    """Return how far stall corners are off after the true plan, turned by any angle and moved, is fitted to the map."""
    plan, floors = read_plan(scene_folder / "plan.json"), floors_of(twin)
    corners = shapely.get_coordinates([stall.polygon for stall in plan.stalls])
    found: list[Figures] = []
    for _ in range(times):
        yaw, shift = rng.uniform(-np.pi, np.pi), rng.normal(0.0, MOVED_M, 3)
        moved = transform_plan(plan, rigid_from_plane(yaw, shift[:2], shift[2]))
        start = time.perf_counter()
        try:
            in_site, fit, differences = register_plan(twin.landmarks, twin.view_positions, floors, moved)
        except TiepointError as error:
            found.append({"refused": str(error)})
            continue
        off = np.linalg.norm(shapely.get_coordinates([s.polygon for s in in_site.stalls]) - corners, axis=1)
        heights = [a.elevation - b.elevation for a, b in zip(in_site.levels, plan.levels, strict=True)]
        found.append(
            {
                "stall_corners_median_m": float(np.median(off)),
                "stall_corners_max_m": float(off.max()),
                "height_m": float(heights[0]),
                "explained": fit.explained,
                "runner_up": fit.runner_up,
                "sigmas": np.sqrt(np.diag(fit.covariance)).tolist(),
                "remarks": fit.remarks,
                "disagreements": [f"{d.kind}: {d.level} {d.element} {d.position}" for d in differences],
                "seconds": time.perf_counter() - start,
            }
        )
    return found


def against_plan(floors: Floors, plan: FloorPlan) -> Figures:
    """Return the errors of floors against a true plan in the same frame."""
    true = sorted(plan.levels, key=lambda level: level.elevation)
    found = [level.elevation for level in floors.levels]
    right = len(found) == len(true) and all(
        abs(z - level.elevation) < NAMES_M for z, level in zip(found, true, strict=True)
    )
    result: Figures = {
        "levels": len(found),
        "true_levels": len(true),
        "levels_right": bool(right),
        "names": [level.name for level in floors.levels],
        "true_names": [level.id for level in true],
        "elevations": found,
        "elevation_sigmas": [level.elevation_sigma for level in floors.levels],
        "support": [level.support for level in floors.levels],
        "camera_height": [floors.camera_height, floors.camera_height_sigma, floors.hand_sigma],
        "ramps": len(floors.ramps),
        "true_ramps": len(plan.ramps),
    }
    if not right:
        return result
    driven = [_level_errors(floors, plan, index, level.id) for index, level in enumerate(true)]
    result["driven"] = _summary(np.hstack(driven))
    result["driven_by_level"] = {level.id: _summary(e) for level, e in zip(true, driven, strict=True)}
    ramps = [_ramp_errors(floors, plan, ramp) for ramp in plan.ramps]
    result["ramp"] = _summary(np.hstack(ramps)) if ramps else None
    return result


def _level_errors(floors: Floors, plan: FloorPlan, index: int, name: str) -> Array:
    """Return errors and sigmas (2, N) of the floor over the driven area of a level, without its ramps."""
    number = [level.id for level in plan.levels].index(name)
    lanes = [lane.line.buffer(lane.width / 2, cap_style="flat") for lane in plan.lanes if lane.level == name]
    ramps = [ramp.polygon for ramp in plan.ramps if name in (ramp.from_level, ramp.to_level)]
    area = shapely.difference(shapely.union_all(lanes), shapely.union_all(ramps))
    points = _grid(shapely.intersection(area, plan.levels[number].outline))
    heights, sigmas = floors.levels[index].height(points)
    return np.array([heights - floor_height(plan, points, number), sigmas])


def _ramp_errors(floors: Floors, plan: FloorPlan, ramp: Ramp) -> Array:
    """Return errors and sigmas (2, N) over a true ramp's surface, of the ramp that was found or else the floors."""
    names = [level.id for level in plan.levels]
    points = _grid(ramp.polygon.buffer(-STEP_M))
    true = floor_height(plan, points, names.index(ramp.from_level))
    lower = int(np.argmin([abs(level.elevation - true.min()) for level in floors.levels]))
    heights, sigmas = floors.height(points, lower)
    for surface in floors.ramps:
        if shapely.area(shapely.intersection(surface.area, ramp.polygon)) > 0.3 * ramp.polygon.area:
            heights, sigmas = surface.height(points)  # also beside its edges, which are not what is measured here
    return np.array([heights - true, sigmas])


def _levels_of_cameras(floors: Floors, scene_folder: Path, plan: FloorPlan) -> Figures:
    """Return how the true level of the walk's cameras fares, with true positions of 5 cm."""
    positions = read_true_poses(scene_folder / "truth" / "walk.csv").positions
    probability = level_probability(floors, positions, np.tile(0.05**2 * np.eye(3), (len(positions), 1, 1)))
    located = locate(plan, positions)
    number = {level.name: index for index, level in enumerate(floors.levels)}
    true = np.array([number.get(plan.levels[level].id, -1) if level >= 0 else -1 for level in located.level])
    known = true >= 0
    own = probability[np.flatnonzero(known), true[known]]
    flat = located.ramp[known] < 0
    return {
        "cameras": int(known.sum()),
        "most_probable_is_true": float((probability[known].argmax(axis=1) == true[known]).mean()),
        "mean_probability_off_ramps": float(own[flat].mean()),
        "least_probability_off_ramps": float(own[flat].min()),
    }


def _grid(area: shapely.Geometry) -> Array:
    """Return points (N, 2) of a grid of ``STEP_M`` inside an area."""
    x0, y0, x1, y1 = area.bounds
    x, y = np.meshgrid(np.arange(x0 + STEP_M / 2, x1, STEP_M), np.arange(y0 + STEP_M / 2, y1, STEP_M))
    shapely.prepare(area)
    inside = shapely.contains_xy(area, x.ravel(), y.ravel())
    return np.column_stack([x.ravel(), y.ravel()])[inside]


def _summary(errors: Array) -> Figures:
    size = np.abs(errors[0])
    return {
        "points": len(size),
        "mean_m": float(errors[0].mean()),
        "median_m": float(np.median(size)),
        "p95_m": float(np.percentile(size, 95)),
        "nees": float(np.mean((errors[0] / errors[1]) ** 2)),
    }
