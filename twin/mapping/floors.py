"""The floors of a finished map: its landmarks and cameras as the arrays that ``geometry.floors`` wants."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from geometry import (
    FloorOptions,
    FloorPlan,
    Floors,
    InputError,
    PlanDisagreement,
    PlanFit,
    find_floors,
    fit_plan,
    plan_disagreements,
    transform_plan,
    with_datum,
)
from twin.landmarks import Landmarks
from twin.model import Twin

Array = NDArray[np.float64]


def floors_of(twin: Twin, options: FloorOptions | None = None) -> Floors:
    """Return levels and ramps of a twin in site, with the uncertainty of its tie to the site included.

    The map's own shape counts through the floors' unevenness. Raises ``InputError`` for a twin that is not in site,
    whose z need not be up: see ``geometry.up_from_cameras`` for these.
    """
    if not twin.is_in_site:
        raise InputError(
            "the map is not tied to the site, so that its z is not up",
            where=str(twin.folder),
            remedy="Map again with --poses, --control and --marks, or --tags.",
        )
    centres = twin.view_positions
    landmarks = twin.landmarks
    floors = find_floors(
        centres,
        landmarks.points,
        landmarks.covariances,
        options,
        seen_from=lowest_viewer(landmarks, centres[:, 2]),
    )
    frame = twin.manifest.frame
    if frame.covariance is None or frame.centroid is None:
        return floors
    return with_datum(floors, frame.covariance, frame.centroid)


def register_plan(
    twin: Twin,
    floors: Floors,
    plan: FloorPlan,
    *,
    stall_lines: Mapping[int, Array] | None = None,
    level_names: Mapping[int, str] | None = None,
) -> tuple[FloorPlan, PlanFit, tuple[PlanDisagreement, ...]]:
    """Return a plan of its own frame in the site of a twin, how it fitted, and where map and plan disagree.

    ``floors`` are those of ``floors_of``; what else there is and what it raises: ``geometry.fit_plan``.
    """
    landmarks = twin.landmarks
    fit = fit_plan(
        plan, floors, landmarks.points, landmarks.covariances, stall_lines=stall_lines, level_names=level_names
    )
    in_site = transform_plan(plan, fit.site_from_plan)
    return in_site, fit, disagreements_with(twin, floors, in_site)


def disagreements_with(twin: Twin, floors: Floors, plan: FloorPlan) -> tuple[PlanDisagreement, ...]:
    """Return where a twin's map and a plan in site disagree."""
    landmarks = twin.landmarks
    return plan_disagreements(
        plan,
        floors,
        landmarks.points,
        landmarks.covariances,
        twin.view_positions,
        landmarks.view_of_observation(),
        landmarks.landmark,
    )


def lowest_viewer(landmarks: Landmarks, heights: Array) -> Array:
    """Return (L,) the height of the lowest view that saw each landmark, from the views' heights (V,)."""
    lowest = np.full(len(landmarks), np.inf)
    np.minimum.at(lowest, landmarks.landmark, heights[landmarks.view_of_observation()])
    return lowest
