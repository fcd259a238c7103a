"""What an update keeps of a twin: the photos that are still in the folder, with their poses, lenses and landmarks.

The folder is what the map is to be made of: photos that the twin does not have enter, those that it has and the folder
has not leave. A photo that was replaced by another of the same name does both.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geometry import InputError
from perception import Features
from twin.landmarks import Landmarks, landmarks_from, of_views, with_weights_of
from twin.mapping.capture import Capture
from twin.mapping.landmark_model import NOT_FOUND, landmark_model
from twin.model import Twin

Array = NDArray[np.float64]

SAME_KEYPOINT = 0.05
"""Pixels of position and size, and radians, to which a keypoint is found again in its photo."""
SAME_SHARE = 0.9
"""A photo whose mapped keypoints are found again to a smaller share is another one."""
MAX_SIGMA_M = 0.25
"""A photo whose place in the map is less sure is not held there; it is placed again, as if it were new."""
MIN_KEPT = 2
REPLACED, REMOVED = "another photo has its name now", "no longer in the folder"


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The part of a twin that goes on.

    model: the photos that stay, each with all its features as 2D points, and the landmarks that two of them see
    landmarks: the same; ids are those of the twin; gone: photos that leave, with the reason
    new: photos to be placed, among them those of the twin that are to be placed again; again: these
    """

    model: pycolmap.Reconstruction
    landmarks: Landmarks
    gone: dict[str, str]
    new: tuple[str, ...]
    again: frozenset[str]


def keep(twin: Twin, capture: Capture, features: Mapping[str, Features]) -> Kept:
    """Return what stays of a twin; ``features`` are of the usable photos of the folder, by name.

    Raises ``InputError`` where fewer than ``MIN_KEPT`` of its photos are in the folder.
    """
    old = twin.landmarks
    gone: dict[str, str] = {}
    again = _unsure(twin)
    rows = np.full(len(old.landmark), NOT_FOUND, dtype=np.int64)
    for view, name in enumerate(old.views):
        own = slice(int(old.view_offsets[view]), int(old.view_offsets[view + 1]))
        if name not in features:
            gone[name] = capture.refused.get(name, REMOVED)
        if name in again or name in gone:
            continue
        if own.stop == own.start:  # nothing tells whether it is the same photo
            again.add(name)
            continue
        rows[own] = _found_again(features[name], old, own)
        if np.mean(rows[own] != NOT_FOUND) < SAME_SHARE:
            gone[name] = REPLACED
    stays = np.array([name not in gone and name not in again for name in old.views])
    if stays.sum() < MIN_KEPT:
        raise InputError(
            f"{stays.sum()} of the {len(stays)} photos of {twin.folder.name} are in the folder",
            where=str(capture.folder),
            remedy="The folder must hold the old photos that stay, unchanged, beside the new ones.",
        )
    rest = of_views(old, stays)
    keypoints = {name: features[name].keypoints for name in rest.views}
    model = landmark_model(rest, twin.reconstruction, keypoints, rows[stays[old.view_of_observation()]])
    landmarks = with_weights_of(landmarks_from(model, dict(features), old.kind), old)
    new = tuple(name for name in capture.names if name in features and name not in rest.views)
    return Kept(model=model, landmarks=landmarks, gone=gone, new=new, again=frozenset(again.intersection(new)))


def _unsure(twin: Twin) -> set[str]:
    """Return the photos of a twin whose position in it is not determined to ``MAX_SIGMA_M``."""
    if twin.view_covariances is None:
        return set()
    sigma = np.sqrt(np.linalg.eigvalsh(twin.view_covariances[:, 3:, 3:])[:, -1])
    return {name for name, unsure in zip(twin.landmarks.views, sigma > MAX_SIGMA_M, strict=True) if unsure}


def _found_again(features: Features, landmarks: Landmarks, own: slice) -> NDArray[np.int64]:
    """Return which keypoint of a photo each observation of a view is, ``NOT_FOUND`` for none."""
    if own.stop == own.start or len(features) == 0:
        return np.full(own.stop - own.start, NOT_FOUND, dtype=np.int64)
    there = _signature(features.keypoints, features.scales, features.orientations)
    mapped = _signature(landmarks.pixels[own], landmarks.scales[own], landmarks.orientations[own])
    distance, row = cKDTree(there).query(mapped, distance_upper_bound=SAME_KEYPOINT)
    return np.where(np.isfinite(distance), row, NOT_FOUND)


def _signature(pixels: NDArray[np.floating], scales: NDArray[np.floating], orientations: NDArray[np.floating]) -> Array:
    """Return (N, 5) of what tells keypoints of one photo apart: several may be at one pixel, turned differently."""
    turned = np.stack([np.cos(orientations), np.sin(orientations)], axis=1)
    return np.column_stack([pixels, scales, turned]).astype(np.float64)


def lens_of(model: pycolmap.Reconstruction, capture: Capture, taken: Collection[int] = ()) -> dict[int, int]:
    """Return the model's camera of each camera of the capture: that of its mapped photos, else a new id.

    taken: ids of lenses that the twin knows, also where none of their photos stay
    """
    mapped = {image.name: image.camera_id for image in model.images.values() if image.has_pose}
    used: dict[int, Counter[int]] = {camera: Counter() for camera in sorted(set(capture.camera_of))}
    for name, camera in zip(capture.names, capture.camera_of, strict=True):
        if name in mapped:
            used[camera][mapped[name]] += 1
    free = max([*model.cameras, *taken], default=0)
    found: dict[int, int] = {}
    for camera, counts in used.items():
        if counts:
            found[camera] = counts.most_common(1)[0][0]
        else:
            free += 1
            found[camera] = free
    return found
