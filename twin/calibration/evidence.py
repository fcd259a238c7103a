"""What in a camera's picture is tied to the site: tags, landmarks of the map, patches of the twin's surface."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import TagSpecs, project, tag_corners, transform_points, unproject
from geometry.camera_fit import Seen, joined, seen_points
from perception import Features, detect_tags
from perception.images import Pixels
from perception.patch_shifts import patch_shifts, smoothed, spread_patches, structure
from twin.landmark_matching import match_by_projection
from twin.landmarks import Landmarks, keypoint_sigma_px
from twin.surface import Surface, render_view
from twin.visibility import Viewpoints

Array = NDArray[np.float64]

KINDS = ("tags", "landmarks", "surface", "points")
TAGS, LANDMARKS, SURFACE, POINTS = range(len(KINDS))

TAG_SIGMA_PX = 0.2
DEFAULT_TAG_SIGMA_M = 0.01
GUIDED_DISTANCE = 0.85
GUIDED_VIEWS = 25
MAX_LANDMARK_SIGMA_M = 0.5
PATCH_HALF = 7
MIN_SCORE = 0.75
"""Normalised correlation of a patch, rendered from the twin, with the picture."""
SURFACE_SIGMA_M = 0.005
"""Of a point on the surface along each axis, beside what the map as a whole is unsure of."""
MAX_DEPTH_M = 40.0
CELL_PX = 96
"""Evidence of one kind in one such square of the picture may share an error."""


Matched = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Indices (N,) of features and of the landmarks that they look like."""


@dataclass(frozen=True, kw_only=True, eq=False)
class SeenTag:
    """A tag of the site in a picture: its row in ``TagSpecs``, corners (4, 2) px, in how many frames it was found."""

    row: int
    corners: Array
    frames: int


def seen_tags(frames: Sequence[Pixels], tags: TagSpecs | None) -> list[SeenTag]:
    """Find posed tags in gray frames (H, W); corners are the mean over the frames that show them in one place."""
    if tags is None:
        return []
    posed = np.isfinite(tags.positions).all(axis=1)
    found: dict[int, list[Array]] = {}
    for family in sorted({tags.families[row] for row in np.flatnonzero(posed).tolist()}):
        row_of = {int(tags.ids[r]): r for r in np.flatnonzero(posed).tolist() if tags.families[r] == family}
        for frame in frames:
            detected = detect_tags(frame, family)
            for tag_id, corners in zip(detected.ids.tolist(), detected.corners, strict=True):
                if tag_id in row_of:
                    found.setdefault(row_of[tag_id], []).append(corners)
    result = []
    for row, several in sorted(found.items()):
        stack = np.array(several)
        middle = np.median(stack, axis=0)
        near = np.linalg.norm(stack - middle, axis=2).max(axis=1) < 2.0
        if near.any():
            result.append(SeenTag(row=row, corners=stack[near].mean(axis=0), frames=int(near.sum())))
    return result


def tag_evidence(tags: TagSpecs | None, found: Sequence[SeenTag]) -> Seen:
    """Return the corners of tags; the four of one tag share the survey's error."""
    if tags is None or not found:
        return joined([])
    rows = [tag.row for tag in found]
    points = tag_corners(tags.size_m[rows], tags.positions[rows], tags.quats_xyzw[rows])
    survey = np.where(np.isnan(tags.sigma_m[rows]), DEFAULT_TAG_SIGMA_M, tags.sigma_m[rows])
    seen = seen_points(
        np.concatenate([tag.corners for tag in found]),
        points.reshape(-1, 3),
        sigma_px=TAG_SIGMA_PX,
        sigma_m=np.repeat(survey, 4),
        kind=TAGS,
    )
    return replace(seen, cluster=np.repeat(np.arange(len(found), dtype=np.int64), 4))


def landmark_evidence(
    landmarks: Landmarks,
    viewpoints: Viewpoints,
    features: Features,
    cam_from_site: pycolmap.Rigid3d,
    camera: pycolmap.Camera,
    *,
    radius_px: float,
    matched: Matched | None = None,
) -> tuple[Seen, NDArray[np.int64]]:
    """Return landmarks found where a pose predicts them, and their indices.

    matched: features and landmarks that were matched by descriptor alone; those near enough count too
    """
    expected = viewpoints.expected(landmarks, cam_from_site, camera)
    view_of = landmarks.view_of_observation()
    counts = np.bincount(view_of[expected[landmarks.landmark]], minlength=len(landmarks.views))
    views = np.argsort(-counts, kind="stable")[:GUIDED_VIEWS]
    observations = landmarks.observations_of(views[counts[views] > 0])
    observations = observations[expected[landmarks.landmark[observations]]]
    feature, landmark = match_by_projection(
        features,
        landmarks,
        observations,
        cam_from_site,
        camera,
        radius_px=radius_px,
        max_distance=GUIDED_DISTANCE,
    )
    if matched is not None:
        feature, landmark = _with_matched(
            feature, landmark, matched, features, landmarks, cam_from_site, camera, radius_px
        )
    covariances = landmarks.covariances[landmark].astype(np.float64)
    sure = np.linalg.eigvalsh(covariances)[:, -1] < MAX_LANDMARK_SIGMA_M**2 if len(landmark) else np.zeros(0, bool)
    feature, landmark, covariances = feature[sure], landmark[sure], covariances[sure]
    pixels = features.keypoints[feature].astype(np.float64)
    seen = Seen(
        pixels=pixels,
        points=landmarks.points[landmark],
        pixel_covariances=np.eye(2) * (keypoint_sigma_px(features.scales[feature]) ** 2)[:, None, None],
        point_covariances=covariances,
        kind=np.full(len(feature), LANDMARKS, dtype=np.int64),
        cluster=cells_of(pixels, camera),
    )
    return seen, landmark


def _with_matched(
    feature: NDArray[np.int64],
    landmark: NDArray[np.int64],
    matched: Matched,
    features: Features,
    landmarks: Landmarks,
    cam_from_site: pycolmap.Rigid3d,
    camera: pycolmap.Camera,
    radius_px: float,
) -> Matched:
    """Add matches that lie within the radius and whose feature and landmark are not taken yet."""
    more, those = (np.asarray(each, dtype=np.int64) for each in matched)
    predicted, valid = project(camera, transform_points(cam_from_site, landmarks.points[those]))
    near = valid & (np.linalg.norm(features.keypoints[more] - predicted, axis=1) < radius_px)
    near &= ~np.isin(more, feature) & ~np.isin(those, landmark)
    return np.concatenate([feature, more[near]]), np.concatenate([landmark, those[near]])


def surface_evidence(
    surface: Surface,
    gray: Pixels,
    cam_from_site: pycolmap.Rigid3d,
    camera: pycolmap.Camera,
    *,
    search_px: int,
    sigma_m: float = SURFACE_SIGMA_M,
) -> tuple[Seen, int]:
    """Return patches of the rendered surface found in a picture, and how many were looked for.

    The surface is rendered from the pose, so that the patches look alike whatever the photos' viewpoints were.
    """
    view = render_view(surface, camera, cam_from_site, samples_per_axis=1)
    luma = view.colour.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    rendered = smoothed(luma, 1.0)
    strong, _ = structure(rendered, PATCH_HALF)
    allowed = _plain(view.depth, view.seen) & (strong > _enough(strong, view.seen))
    centres = spread_patches(strong, allowed)
    found = patch_shifts(rendered, smoothed(gray, 1.0), centres, half=PATCH_HALF, search=search_px)
    good = found.scores > MIN_SCORE
    rows = np.floor(centres[good]).astype(np.int64)
    depth = view.depth[rows[:, 1], rows[:, 0]].astype(np.float64)
    rays = unproject(camera, centres[good])
    in_cam = rays * (depth / rays[:, 2])[:, None]
    pixels = centres[good] + found.shifts[good]
    seen = Seen(
        pixels=pixels,
        points=transform_points(cam_from_site.inverse(), in_cam),
        pixel_covariances=found.covariances[good] + np.eye(2) * 0.1**2,
        point_covariances=np.broadcast_to(np.eye(3) * sigma_m**2, (int(good.sum()), 3, 3)).copy(),
        kind=np.full(int(good.sum()), SURFACE, dtype=np.int64),
        cluster=cells_of(pixels, camera),
    )
    return seen, len(centres)


def _enough(strong: NDArray[np.float32], seen: NDArray[np.bool_]) -> float:
    return max(4.0, float(np.percentile(strong[seen], 50))) if seen.any() else np.inf


def _plain(depth: NDArray[np.float32], seen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell (H, W) where a patch shows one plane that photos of the map saw, not too far off.

    The inverse depth of a plane is linear over the picture; where it bends there is an edge of the surface.
    """
    import cv2

    near = np.isfinite(depth) & (depth < MAX_DEPTH_M) & (depth > 0.3)
    inverse = np.where(near, 1.0 / np.where(near, depth, 1.0), 0.0).astype(np.float32)
    bend = np.abs(cv2.Laplacian(inverse, cv2.CV_32F)) > 0.01 * np.maximum(inverse, 1e-4)
    bad = (bend | ~near | ~seen).astype(np.uint8)
    size = 2 * PATCH_HALF + 3
    return cv2.dilate(bad, np.ones((size, size), np.uint8)) == 0


def cells_of(pixels: Array, camera: pycolmap.Camera) -> NDArray[np.int64]:
    """Return the number (N,) of the square of the picture that pixels (N, 2) are in."""
    columns = camera.width // CELL_PX + 1
    cell = np.clip(np.floor(pixels / CELL_PX), 0, None).astype(np.int64)
    return cell[:, 1] * columns + cell[:, 0]


def consistent(seen: Seen, cam_from_site: pycolmap.Rigid3d, camera: pycolmap.Camera, within_px: float) -> Seen:
    """Return what lies within so many pixels of where a pose predicts it."""
    predicted, valid = project(camera, transform_points(cam_from_site, seen.points))
    return seen.subset(valid & (np.linalg.norm(seen.pixels - predicted, axis=1) < within_px))
