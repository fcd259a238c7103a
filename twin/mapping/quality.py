"""How good a map is: residuals, coverage, and localizing its own images with each left out in turn."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

from geometry import calibration, pose_difference, pose_error
from perception import Features
from retrieval import PlaceIndex, Vocabulary
from twin.landmarks import Landmarks, left_out
from twin.localizer import Localizer, LocalizerOptions
from twin.mapping.registration import Array
from twin.progress import Progress

MAX_LEFT_OUT = 40
PRIOR_SCALE, PRIOR_LEFT_OUT = 2.5, 8.0
"""What the covariance scale is believed to be before any check, and for how many left-out images that belief counts.

Errors of neighbouring keypoints are not independent, so that plain least squares promises too much on every map.
"""
MIN_SCALE, MAX_SCALE = 1.0, 25.0
EXPLAINED_OF_USUAL, MIN_EXPLAINED = 0.2, 0.01
MAX_EXPLAINED_PX = 4.0
"""A landmark counts as found where it should be if it is as near as nine in ten of the map's own observations are."""
WEAK_SIGMAS = 3.0
"""A view whose position sigma is so many times the median's is listed as weakly determined."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Localizing map images without their own observations: names, errors (N,) and xi (N, 6) with covariances.

    explained_shares: (N,) of the landmarks that the found pose should show, those found within ``explained_px``; of
        poses that should show many
    """

    images: tuple[str, ...]
    status: tuple[str, ...]
    errors_m: Array
    errors_deg: Array
    differences: Array
    covariances: Array
    explained_shares: Array
    explained_px: float

    def min_explained(self) -> float:
        """Return the share of what a pose should show that must be found, for it not to fit a mere look-alike.

        Fits to a look-alike find next to nothing around what it has in common with the place. How much a right pose
        finds depends on the map: on its sharpness, and on how much of it is hidden or changes its look. Hence a share
        of what left-out images find, never above what a sharp map has been found to need.
        """
        if len(self.explained_shares) == 0:
            return LocalizerOptions.min_explained
        usual = EXPLAINED_OF_USUAL * float(np.median(self.explained_shares))
        return float(np.clip(usual, MIN_EXPLAINED, LocalizerOptions.min_explained))

    def covariance_scale(self) -> float:
        """Return by how much to widen claimed covariances so that the left-out errors fit them.

        From the median squared Mahalanobis length of the position, shrunk towards ``PRIOR_SCALE`` as few images tell
        little; never below 1.
        """
        n = len(self.differences)
        if n == 0:
            return PRIOR_SCALE
        ratio = calibration(self.differences[:, 3:], self.covariances[:, 3:, 3:]).median_nees
        shrunk = np.exp((n * np.log(max(ratio, 1e-3)) + PRIOR_LEFT_OUT * np.log(PRIOR_SCALE)) / (n + PRIOR_LEFT_OUT))
        return float(np.clip(shrunk, MIN_SCALE, MAX_SCALE))


def leave_out(
    landmarks: Landmarks,
    vocabulary: Vocabulary,
    places: NDArray[np.float32],
    reconstruction: pycolmap.Reconstruction,
    features: dict[str, Features],
    on_progress: Progress,
) -> LeftOut:
    """Localize up to ``MAX_LEFT_OUT`` evenly chosen map images in the map without them.

    Landmarks are triangulated anew from the other images; where poses were adjusted together, those of the others
    still know of the image left out, so that this is a little kinder than a new photo.
    """
    images = [reconstruction.find_image_with_name(name) for name in landmarks.views]
    poses, cameras = [image.cam_from_world() for image in images], [image.camera for image in images]
    positions = np.array([image.projection_center() for image in images])
    residuals = np.linalg.norm(_residuals_px(landmarks, reconstruction), axis=1)
    explained_px = float(np.clip(np.percentile(residuals, 90), LocalizerOptions.explained_px, MAX_EXPLAINED_PX))
    options = LocalizerOptions(explained_px=explained_px, min_explained=0.0)
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), MAX_LEFT_OUT)).round().astype(int))
    names, status, errors, differences, covariances, shares = [], [], [], [], [], []
    for done, view in enumerate(chosen.tolist()):
        on_progress("left-out check", done, len(chosen))
        others = np.arange(len(images)) != view
        without = left_out(landmarks, view, poses, cameras)
        localizer = Localizer(without, vocabulary, PlaceIndex(places[others]), positions[others], options=options)
        name = images[view].name
        answer, support = localizer.localize_with_support(name, features[name], cameras[view])
        names.append(name)
        status.append(answer.reason or "ok")
        if answer.status == "ok":
            errors.append(pose_error(answer.cam_from_site, poses[view]))
            differences.append(pose_difference(poses[view], answer.cam_from_site))
            covariances.append(np.array(answer.covariance))
            if support and support.expected >= options.min_expected:
                shares.append(support.explained / support.expected)
    on_progress("left-out check", len(chosen), len(chosen))
    table = np.array(errors).reshape(-1, 2)
    return LeftOut(
        images=tuple(names),
        status=tuple(status),
        errors_m=table[:, 0],
        errors_deg=table[:, 1],
        differences=np.array(differences).reshape(-1, 6),
        covariances=np.array(covariances).reshape(-1, 6, 6),
        explained_shares=np.array(shares),
        explained_px=explained_px,
    )


def report(
    landmarks: Landmarks,
    reconstruction: pycolmap.Reconstruction,
    check: LeftOut,
    not_placed: dict[str, str],
    view_covariances: Array | None,
) -> dict[str, Any]:
    """Return what quality.json says; ``view_covariances`` (V, 6, 6) are of the views' poses, None for exact ones."""
    residuals = _residuals_px(landmarks, reconstruction)
    lengths = np.bincount(landmarks.landmark, minlength=len(landmarks))
    sigma = np.sqrt(np.linalg.eigvalsh(landmarks.covariances.astype(np.float64))[:, -1])
    localized = [s == "ok" for s in check.status]
    return {
        "images": {
            "placed": len(landmarks.views),
            "not_placed": not_placed,
            **_view_sigmas(landmarks.views, view_covariances),
        },
        "landmarks": {
            "count": len(landmarks),
            "observations": len(landmarks.landmark),
            "track_length": {"mean": float(lengths.mean()), "histogram": np.bincount(lengths).tolist()},
            "sigma_m": percentiles(sigma),
        },
        "residuals_px": percentiles(np.linalg.norm(residuals, axis=1)),
        "coverage": _coverage(landmarks, reconstruction),
        "left_out": {
            "images": len(check.images),
            "localized": int(sum(localized)),
            "position_error_m": percentiles(check.errors_m),
            "rotation_error_deg": percentiles(check.errors_deg),
            "covariance_scale": check.covariance_scale(),
            "explained_share": percentiles(check.explained_shares),
            "refused": {n: s for n, s in zip(check.images, check.status, strict=True) if s != "ok"},
        },
    }


def _view_sigmas(views: tuple[str, ...], covariances: Array | None) -> dict[str, Any]:
    """Return how well the views' places in the map are determined, and those much less so than most."""
    if covariances is None:
        return {}
    sigma = np.sqrt(np.linalg.eigvalsh(covariances[:, 3:, 3:])[:, -1])
    weak = np.flatnonzero(sigma > WEAK_SIGMAS * np.median(sigma))
    return {"sigma_m": percentiles(sigma), "weakly_determined": {views[i]: float(sigma[i]) for i in weak}}


def percentiles(values: NDArray[np.floating]) -> dict[str, float] | None:
    """Return median, 90th percentile and maximum, or None for no values."""
    if len(values) == 0:
        return None
    return {
        "median": float(np.median(values)),
        "p90": float(np.percentile(values, 90)),
        "max": float(np.max(values)),
    }


def _residuals_px(landmarks: Landmarks, reconstruction: pycolmap.Reconstruction) -> Array:
    """Return observed minus predicted (O, 2) of every observation."""
    residuals = np.empty((len(landmarks.landmark), 2))
    for view, name in enumerate(landmarks.views):
        rows = slice(landmarks.view_offsets[view], landmarks.view_offsets[view + 1])
        image = reconstruction.find_image_with_name(name)
        in_cam = image.cam_from_world() * landmarks.points[landmarks.landmark[rows]]
        residuals[rows] = landmarks.pixels[rows] - image.camera.img_from_cam(in_cam)
    return residuals


def _coverage(landmarks: Landmarks, reconstruction: pycolmap.Reconstruction) -> dict[str, Any]:
    """Return what the map sees: its extent, the area its cameras enclose, and the images weakly tied to it."""
    low, high = np.percentile(landmarks.points, [1, 99], axis=0)
    centres = np.array([reconstruction.find_image_with_name(name).projection_center() for name in landmarks.views])
    per_view = dict(zip(landmarks.views, np.diff(landmarks.view_offsets).tolist(), strict=True))
    return {
        "extent_m": (high - low).tolist(),
        "camera_area_m2": _hull_area(centres[:, :2]),
        "landmarks_per_image": percentiles(np.array(list(per_view.values()))),
        "weak_images": {name: count for name, count in per_view.items() if count < 100},
    }


def _hull_area(points: Array) -> float:
    try:
        return float(ConvexHull(points).volume)
    except (QhullError, ValueError):
        return 0.0
