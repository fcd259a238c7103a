"""The floors of a map in site, and a plan beside them: landmarks and cameras as the arrays that ``geometry`` wants."""

from collections.abc import Mapping, Sequence

import numpy as np
import pycolmap
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
    position_of,
    transform_plan,
    transform_points,
    up_from_cameras,
    upright_from_map,
    with_datum,
)
from twin.landmarks import Landmarks
from twin.model import Twin
from twin.store import SiteFrame

Array = NDArray[np.float64]


def floors_of(twin: Twin, options: FloorOptions | None = None) -> Floors:
    """Return levels and ramps of a twin in site, see ``floors_of_map``.

    Raises ``InputError`` for a twin that is not in site, whose z need not be up: see ``upright_floors``.
    """
    if not twin.is_in_site:
        raise InputError(
            "the map is not tied to the site, so that its z is not up",
            where=str(twin.folder),
            remedy="Map again with --poses, --control and --marks, or --tags.",
        )
    return floors_of_map(twin.landmarks, twin.view_positions, twin.manifest.frame, options)


def upright_floors(twin: Twin, options: FloorOptions | None = None) -> tuple[Floors, pycolmap.Rigid3d]:
    """Return levels and ramps of a metric twin that nothing ties to the site, and ``upright_from_map``.

    Up is told by how the cameras were held; the floors are in the map turned so that up is z, and what is not known of
    up counts in their uncertainty. Raises ``InputError`` where metres are unknown too, and ``DegenerateError`` where
    all cameras look the same way.
    """
    if not twin.manifest.frame.metric:
        raise InputError(
            "the map has no scale, so that levels can't be told from steps",
            where=str(twin.folder),
            remedy="Map again with --tags of known sizes, --poses, or --control and --marks.",
        )
    poses = list(twin.view_poses.values())
    up, sigma = up_from_cameras([pose.rotation.matrix() for pose in poses])
    upright = upright_from_map(up)
    landmarks, centres = twin.landmarks, transform_points(upright, view_centres(poses))
    turn = upright.rotation.matrix()
    floors = find_floors(
        centres,
        transform_points(upright, landmarks.points),
        turn @ landmarks.covariances @ turn.T,
        options,
        seen_from=lowest_viewer(landmarks, centres[:, 2]),
    )
    tilt = np.zeros((7, 7))
    tilt[1, 1] = tilt[2, 2] = sigma**2
    return with_datum(floors, tilt, centres.mean(axis=0)), upright


def floors_of_map(
    landmarks: Landmarks, centres: Array, frame: SiteFrame, options: FloorOptions | None = None
) -> Floors:
    """Return levels and ramps from landmarks and the centres (V, 3) of their views, both in site.

    The uncertainty of the tie to the site is included; the map's own shape counts through the floors' unevenness.
    """
    floors = find_floors(
        centres,
        landmarks.points,
        landmarks.covariances,
        options,
        seen_from=lowest_viewer(landmarks, centres[:, 2]),
    )
    if frame.covariance is None or frame.centroid is None:
        return floors
    return with_datum(floors, frame.covariance, frame.centroid)


def register_plan(
    landmarks: Landmarks,
    centres: Array,
    floors: Floors,
    plan: FloorPlan,
    *,
    stall_lines: Mapping[int, Array] | None = None,
    level_names: Mapping[int, str] | None = None,
) -> tuple[FloorPlan, PlanFit, tuple[PlanDisagreement, ...]]:
    """Return a plan of its own frame in site, how it fitted, and where map and plan disagree.

    ``floors`` are those of ``floors_of_map``; what else there is and what it raises: ``geometry.fit_plan``.
    """
    fit = fit_plan(
        plan, floors, landmarks.points, landmarks.covariances, stall_lines=stall_lines, level_names=level_names
    )
    in_site = transform_plan(plan, fit.site_from_plan)
    return in_site, fit, disagreements_with(landmarks, centres, floors, in_site)


def disagreements_with(
    landmarks: Landmarks, centres: Array, floors: Floors, plan: FloorPlan
) -> tuple[PlanDisagreement, ...]:
    """Return where a map and a plan in site disagree."""
    return plan_disagreements(
        plan,
        floors,
        landmarks.points,
        landmarks.covariances,
        centres,
        landmarks.view_of_observation(),
        landmarks.landmark,
    )


def view_centres(cams_from_site: Sequence[pycolmap.Rigid3d]) -> Array:
    """Return the camera centres (V, 3) of poses."""
    return np.array([position_of(pose) for pose in cams_from_site]).reshape(-1, 3)


def lowest_viewer(landmarks: Landmarks, heights: Array) -> Array:
    """Return (L,) the height of the lowest view that saw each landmark, from the views' heights (V,)."""
    lowest = np.full(len(landmarks), np.inf)
    np.minimum.at(lowest, landmarks.landmark, heights[landmarks.view_of_observation()])
    return lowest
