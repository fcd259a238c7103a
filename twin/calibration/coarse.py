"""Where a camera may hang, roughly: by the localizer, by tags, by what was known before, by clicked points."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    DegenerateError,
    TagSpecs,
    pose_error,
    pose_from_position,
    pose_hypotheses,
    position_of,
    project,
    quat_xyzw_of,
    tag_corners,
    transform_points,
)
from geometry.camera_fit import Seen, fit_camera, seen_points
from perception import Features, Picture
from perception.tags import tag_poses
from twin.calibration.evidence import Matched, SeenTag
from twin.calibration.lenses import freedom
from twin.landmark_matching import ViewSearch
from twin.landmarks import Landmarks
from twin.localizer import Localizer

Array = NDArray[np.float64]

SAME_M, SAME_DEG = 1.0, 10.0
"""Cameras nearer than this hang in one place."""
ALIKE_M, ALIKE_DEG = 0.1, 1.0
"""Starts nearer than this lead to the same pose."""
MIN_INLIERS = 8
SEARCHED_FEATURES, MATCH_RATIO = 3000, 0.85
LENS_ERROR_PX = 10.0
LENS_RADII_PX, AGREE_PX = (40.0, 20.0, 10.0, 6.0), 3.0
MAX_ADJUSTED = 16
MIN_POINTS = 4
CLICKED, CLICK_ERROR_PX = "clicked points", 10.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Coarse:
    """A pose to start from with a lens, how it was found, and how many matches agree with it.

    matched: the matches that the localizer found it by
    """

    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d
    method: str
    support: int
    matched: Matched | None = None


def by_localizer(
    localizer: Localizer, features: Features, cameras: Sequence[pycolmap.Camera], picture: Picture | None = None
) -> list[Coarse]:
    """Return what the localizer finds for each lens, refused or not; it is judged here by more than it looks at."""
    found = []
    for camera in cameras:
        try:
            _, choice = localizer.localize_with_choice("", features, camera, picture if len(cameras) == 1 else None)
        except DegenerateError:
            continue
        for candidate in [] if choice is None else choice.candidates[:4]:
            if candidate.inliers >= MIN_INLIERS:
                pose = candidate.estimate.cam_from_site
                matched = candidate.feature, candidate.landmark
                found.append(
                    Coarse(
                        camera=camera,
                        cam_from_site=pose,
                        method="localizer",
                        support=candidate.inliers,
                        matched=matched,
                    )
                )
    return sorted(found, key=lambda each: -each.support)


def by_lenses(
    localizer: Localizer, landmarks: Landmarks, features: Features, cameras: Sequence[pycolmap.Camera]
) -> list[Coarse]:
    """Return the poses and lenses that most matches agree with, in the places that the picture resembles.

    Matches are found once a place, as they do not depend on the lens; a lens that is off bends the picture, so that
    matches agree within ``LENS_ERROR_PX`` at first. The best are adjusted, lens included, to all matches around: these
    were not chosen by where they lie, so that nothing holds a wrong lens in its place.
    """
    strongest = features.take(slice(SEARCHED_FEATURES))
    search = ViewSearch(strongest, landmarks)
    found: list[tuple[Coarse, Seen]] = []
    for views in localizer.places_of(features).groups:
        feature, landmark = search.matches(views, MATCH_RATIO)
        seen = seen_points(
            strongest.keypoints[feature].astype(np.float64), landmarks.points[landmark], sigma_px=1.0, sigma_m=0.02
        )
        for camera in cameras:
            found += [(each, seen) for each in _by_points(seen.pixels, seen.points, camera, "landmarks", LENS_ERROR_PX)]
    found = [each for each in found if each[0].support >= MIN_INLIERS]
    found.sort(key=lambda each: -each[0].support)
    adjusted = [with_lens(each, seen) for each, seen in found[:MAX_ADJUSTED]]
    return sorted((each for each in adjusted if each is not None), key=lambda each: -each.support)


def with_lens(start: Coarse, seen: Seen) -> Coarse | None:
    """Return a candidate whose lens is adjusted too, to what lies nearer and nearer; None where that isn't possible."""
    pose, camera = start.cam_from_site, start.camera
    try:
        for within in LENS_RADII_PX:
            near = _near(seen, pose, camera, within)
            if near.sum() < MIN_INLIERS:
                return None
            lens = freedom(camera, principal_point=False)
            fit = fit_camera(pose, camera, seen.subset(near), lens=lens)
            pose, camera = fit.cam_from_site, fit.camera
    except DegenerateError:
        return None
    support = int(_near(seen, pose, camera, AGREE_PX).sum())
    return Coarse(camera=camera, cam_from_site=pose, method=start.method, support=support)


def _near(seen: Seen, pose: pycolmap.Rigid3d, camera: pycolmap.Camera, within_px: float) -> NDArray[np.bool_]:
    predicted, valid = project(camera, transform_points(pose, seen.points))
    return np.asarray(valid & (np.linalg.norm(seen.pixels - predicted, axis=1) < within_px))


def by_tags(tags: TagSpecs | None, found: Sequence[SeenTag], cameras: Sequence[pycolmap.Camera]) -> list[Coarse]:
    """Return poses from all tags together, or both of a single one."""
    result = []
    for camera in cameras if tags is not None else []:
        assert tags is not None
        rows = [tag.row for tag in found]
        if len(rows) > 1:
            points = tag_corners(tags.size_m[rows], tags.positions[rows], tags.quats_xyzw[rows]).reshape(-1, 3)
            pixels = np.concatenate([tag.corners for tag in found])
            result += _by_points(pixels, points, camera, "tags", 3.0)
        for tag in found if len(rows) == 1 else []:
            try:
                poses = tag_poses(camera, tag.corners, float(tags.size_m[tag.row]))
            except DegenerateError:
                continue
            site_from_tag = pycolmap.Rigid3d(pycolmap.Rotation3d(tags.quats_xyzw[tag.row]), tags.positions[tag.row])
            result += [
                Coarse(camera=camera, cam_from_site=p.cam_from_tag * site_from_tag.inverse(), method="a tag", support=4)
                for p in poses
            ]
    return sorted(result, key=lambda each: -each.support)


def by_clicks(
    points: Seen | None, cameras: Sequence[pycolmap.Camera], *, max_error_px: float = CLICK_ERROR_PX
) -> list[Coarse]:
    """Return the pose of each camera by clicked points, best supported first; four are needed.

    max_error_px: of points that agree; the rest is taken to be wrong
    """
    found: list[Coarse] = []
    for camera in cameras if points is not None and len(points) >= MIN_POINTS else []:
        assert points is not None
        found += _by_points(points.pixels, points.points, camera, CLICKED, max_error_px)
    return sorted(found, key=lambda each: -each.support)


def _by_points(pixels: Array, points: Array, camera: pycolmap.Camera, method: str, max_error_px: float) -> list[Coarse]:
    hypotheses = pose_hypotheses(pixels, points, camera, max_error_px=max_error_px, seed=0, limit=1)
    return [
        Coarse(camera=camera, cam_from_site=pose, method=method, support=int(inliers.sum()))
        for pose, inliers in hypotheses
    ]


def on_other_storeys(candidates: Sequence[Coarse], storeys: Sequence[float], limit: int) -> list[Coarse]:
    """Return the best candidates as they would hang above each other floor: storeys look alike."""
    found = []
    floors = np.asarray(storeys, dtype=np.float64)
    for candidate in candidates[:limit]:
        pose = candidate.cam_from_site
        position = position_of(pose)
        below = np.flatnonzero(floors < position[2])
        for rise in np.delete(floors, below[-1]) - floors[below[-1]] if len(below) else []:
            moved = pose_from_position(position + np.array([0.0, 0.0, rise]), quat_xyzw_of(pose))
            found.append(replace(candidate, cam_from_site=moved, method=f"{candidate.method}, another storey"))
    return found


def distinct(candidates: Sequence[Coarse], limit: int, *, by_lens: bool) -> Iterator[Coarse]:
    """Yield up to ``limit`` candidates, in order, of which no two are alike; ``by_lens``, other lenses are others."""
    kept: list[Coarse] = []
    for candidate in candidates:
        if all(not _alike(candidate, other, by_lens) for other in kept):
            kept.append(candidate)
            yield candidate
        if len(kept) == limit:
            return


def _alike(a: Coarse, b: Coarse, by_lens: bool) -> bool:
    metres, degrees = pose_error(a.cam_from_site, b.cam_from_site)
    same = metres < ALIKE_M and degrees < ALIKE_DEG
    return same and (not by_lens or a.camera.model_name == b.camera.model_name)
