"""Localizing a map's own images with each left out in turn: what it says of new photos, and of claims to be made."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import calibration, pose_difference, pose_error
from perception import Features
from retrieval import PlaceIndex, Vocabulary
from twin.landmarks import Landmarks, left_out
from twin.localizer import Localizer, LocalizerOptions
from twin.progress import Progress

Array = NDArray[np.float64]

MAX_LEFT_OUT = 40
PRIOR_SCALE, PRIOR_LEFT_OUT = 2.5, 8.0
"""What the covariance scale is believed to be before any check, and for how many left-out images that belief counts.

Errors of neighbouring keypoints are not independent, so that plain least squares promises too much on every map.
"""
MIN_SCALE, MAX_SCALE = 1.0, 25.0
EXPLAINED_OF_USUAL, MIN_EXPLAINED = 0.2, 0.01
MAX_EXPLAINED_PX = 4.0
"""A landmark counts as found where it should be if it is as near as nine in ten of the map's own observations are."""
USUAL_NOISE = 2.5
"""A pose fits badly if its residuals are so many times larger than those of nine in ten left-out images."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Localizing map images without their own observations: names, errors (N,) and xi (N, 6) with covariances.

    explained_shares: (N,) of the landmarks that the found pose should show, those found within ``explained_px``; of
        poses that should show many
    noise_scales: (N,) of residuals, in the sigmas that keypoints and landmarks have
    """

    images: tuple[str, ...]
    status: tuple[str, ...]
    errors_m: Array
    errors_deg: Array
    differences: Array
    covariances: Array
    explained_shares: Array
    noise_scales: Array
    explained_px: float

    def bounds(self) -> dict[str, float]:
        """Return the fields of ``LocalizerOptions`` that this map sets."""
        found = {"explained_px": self.explained_px, "min_explained": self.min_explained()}
        if len(self.noise_scales):
            found["max_noise_scale"] = USUAL_NOISE * max(1.0, float(np.percentile(self.noise_scales, 90)))
        return found

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
    residuals = np.linalg.norm(residuals_px(landmarks, reconstruction), axis=1)
    explained_px = float(np.clip(np.percentile(residuals, 90), LocalizerOptions.explained_px, MAX_EXPLAINED_PX))
    options = LocalizerOptions(explained_px=explained_px, min_explained=0.0)
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), MAX_LEFT_OUT)).round().astype(int))
    names, status, errors, differences, covariances, shares, noise = [], [], [], [], [], [], []
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
            assert support is not None
            noise.append(support.estimate.noise_scale)
            if support.expected >= options.min_expected:
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
        noise_scales=np.array(noise),
        explained_px=explained_px,
    )


def residuals_px(landmarks: Landmarks, reconstruction: pycolmap.Reconstruction) -> Array:
    """Return observed minus predicted (O, 2) of every observation."""
    residuals = np.empty((len(landmarks.landmark), 2))
    for view, name in enumerate(landmarks.views):
        rows = slice(landmarks.view_offsets[view], landmarks.view_offsets[view + 1])
        image = reconstruction.find_image_with_name(name)
        in_cam = image.cam_from_world() * landmarks.points[landmarks.landmark[rows]]
        residuals[rows] = landmarks.pixels[rows] - image.camera.img_from_cam(in_cam)
    return residuals
