"""Localizing a map's own images with each left out in turn: what it says of new photos, and of claims to be made."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import calibration, pose_difference, pose_error
from perception import Features
from retrieval import Vocabulary
from twin.choice import plausibility
from twin.landmarks import Landmarks, left_out
from twin.localization import Localization
from twin.localizer import Choice, Localizer
from twin.localizer_options import LocalizerOptions
from twin.progress import Progress

Array = NDArray[np.float64]

MAX_LEFT_OUT = 40
PRIOR_SCALE, PRIOR_LEFT_OUT = 2.5, 8.0
"""What the covariance scale is believed to be before any check, and for how many left-out images that belief counts.

Errors of neighbouring keypoints are not independent, so that plain least squares promises too much on every map.
"""
MIN_SCALE, MAX_SCALE = 1.0, 25.0
MAX_EXPLAINED_PX = 4.0
"""A landmark counts as found where it should be if it is as near as nine in ten of the map's own observations are."""
RIGHT_DEPTHS, RIGHT_DEG, MIN_RIGHT = 0.05, 2.0, 5
"""An answer is right within this share of the distance to what it sees and this angle; so many tell what is usual."""
USUAL_NOISE = 2.5
"""A pose fits badly if its residuals are so many times larger than those of nine in ten left-out images."""


@dataclass(frozen=True, kw_only=True)
class LeftOutImage:
    """A map image localized without its own observations.

    reason: of the refusal, None for an answer; what follows is None or zero without one
    error_m, error_deg: from its pose in the map; difference: the same as xi (6,), with the claimed covariance (6, 6)
    right: whether that is near, in view of how far away things are
    noise_scale: of residuals, in the sigmas that keypoints and landmarks have
    alike: other poses that the photo fits as a photo of the place would
    """

    name: str
    reason: str | None
    error_m: float = 0.0
    error_deg: float = 0.0
    difference: Array | None = None
    covariance: Array | None = None
    right: bool = False
    noise_scale: float = 0.0
    alike: int = 0


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """The left-out check: its images, and within which distance landmarks counted as found."""

    images: tuple[LeftOutImage, ...]
    explained_px: float

    def bounds(self) -> dict[str, float]:
        """Return the fields of ``LocalizerOptions`` that this map sets: what is usual among its right answers.

        usual_noise, max_noise_scale: a right pose fits about as well as the map's own photos.
        alike: how many other places photos of this map fit, on average; among refused ones too, as these are the most.
        """
        right = [image for image in self.images if image.reason is None and image.right]
        found = {"explained_px": self.explained_px}
        if self.images:
            found["alike"] = float(np.mean([image.alike for image in self.images]))
        if len(right) >= MIN_RIGHT:
            usual = max(1.0, float(np.percentile([image.noise_scale for image in right], 90)))
            found["usual_noise"] = usual
            found["max_noise_scale"] = min(USUAL_NOISE * usual, LocalizerOptions.max_noise_scale)
        return found

    def refused(self) -> dict[str, str]:
        """Return the reasons, by name, of the images that a localizer with these ``bounds`` refuses."""
        bounds = self.bounds()
        noisiest = bounds.get("max_noise_scale", LocalizerOptions.max_noise_scale)
        reasons: dict[str, str] = {}
        for image in self.images:
            if image.reason is not None:
                reasons[image.name] = image.reason
            elif image.noise_scale > noisiest:
                reasons[image.name] = "fits badly"
        return reasons

    def answered(self) -> list[LeftOutImage]:
        """Return the images that such a localizer answers."""
        refused = self.refused()
        return [image for image in self.images if image.name not in refused]

    def covariance_scale(self) -> float:
        """Return by how much to widen claimed covariances so that the left-out errors fit them.

        From the median squared Mahalanobis length of the position, shrunk towards ``PRIOR_SCALE`` as few images tell
        little; never below 1.
        """
        answered = self.answered()
        n = len(answered)
        if n == 0:
            return PRIOR_SCALE
        differences = np.array([image.difference for image in answered], dtype=np.float64)
        covariances = np.array([image.covariance for image in answered], dtype=np.float64)
        ratio = calibration(differences[:, 3:], covariances[:, 3:, 3:]).median_nees
        shrunk = np.exp((n * np.log(max(ratio, 1e-3)) + PRIOR_LEFT_OUT * np.log(PRIOR_SCALE)) / (n + PRIOR_LEFT_OUT))
        return float(np.clip(shrunk, MIN_SCALE, MAX_SCALE))


def leave_out(
    landmarks: Landmarks,
    vocabulary: Vocabulary,
    reconstruction: pycolmap.Reconstruction,
    features: dict[str, Features],
    down: Array | None,
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
    # The bounds that the map sets are what this check is to find, so that it begins without them.
    options = LocalizerOptions(explained_px=explained_px, another_day=1.0)
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), MAX_LEFT_OUT)).round().astype(int))
    checked = []
    for done, view in enumerate(chosen.tolist()):
        on_progress("left-out check", done, len(chosen))
        others = np.arange(len(images)) != view
        without = left_out(landmarks, view, poses, cameras)
        remaining = [pose for pose, other in zip(poses, others, strict=True) if other]
        localizer = Localizer(without, vocabulary, remaining, down=down, options=options)
        name = images[view].name
        answer, choice = localizer.localize_with_choice(name, features[name], cameras[view])
        seen = landmarks.points[landmarks.landmark[landmarks.observations_of(np.array([view]))]]
        depth = float(np.median(np.linalg.norm(seen - positions[view], axis=1)))
        checked.append(_judged(answer, choice, poses[view], depth))
    on_progress("left-out check", len(chosen), len(chosen))
    return LeftOut(images=tuple(checked), explained_px=explained_px)


def _judged(answer: Localization, choice: Choice | None, pose: pycolmap.Rigid3d, depth: float) -> LeftOutImage:
    if choice is None:
        return LeftOutImage(name=answer.image, reason=answer.reason)
    alike = int((plausibility(choice.candidates[1:], LocalizerOptions.usual_noise) > 0.0).sum())
    if answer.status == "refused":
        return LeftOutImage(name=answer.image, reason=answer.reason, alike=alike)
    metres, degrees = pose_error(answer.cam_from_site, pose)
    return LeftOutImage(
        name=answer.image,
        reason=None,
        error_m=metres,
        error_deg=degrees,
        difference=pose_difference(pose, answer.cam_from_site),
        covariance=np.array(answer.covariance),
        right=metres <= RIGHT_DEPTHS * depth and degrees <= RIGHT_DEG,
        noise_scale=choice.best.estimate.noise_scale,
        alike=alike,
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
