"""Features of every map image and matches between them, each cached in the workspace."""

import logging
from dataclasses import dataclass
from functools import partial

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import ImageError, check_size, skew
from perception import Extractor, Features, Matcher, read_image
from twin.mapping.capture import Capture
from twin.mapping.pairing import Pair
from twin.mapping.workspace import Workspace, digest
from twin.progress import Progress

logger = logging.getLogger(__name__)

PairMatches = dict[Pair, NDArray[np.uint32]]

MIN_PAIR_MATCHES = 15
MIN_FEATURES = 20
EPIPOLAR_ERROR_PX = 2.0


@dataclass(frozen=True)
class Recipe:
    """What features are and how they are matched; names the cached results."""

    extractor: Extractor
    matcher: Matcher
    key: str


def extract_features(
    capture: Capture, recipe: Recipe, workspace: Workspace, on_progress: Progress
) -> tuple[Capture, list[Features]]:
    """Return the features of every usable image, and the capture without the images that turned out not to be."""
    found, refused = [], {}
    for index, name in enumerate(capture.names):
        on_progress("features", index, len(capture.names))
        try:
            features = _cached_features(capture, index, recipe, workspace)
        except ImageError as error:
            refused[name] = error.what
            logger.warning("%s is left out: %s", name, error)
            continue
        if len(features) < MIN_FEATURES:
            refused[name] = f"only {len(features)} features: flat, dark or blurred"
            continue
        found.append(features)
    on_progress("features", len(capture.names), len(capture.names))
    return capture.without(refused), found


def _cached_features(capture: Capture, index: int, recipe: Recipe, workspace: Workspace) -> Features:
    camera = capture.camera(index)

    def make() -> dict[str, NDArray]:
        picture = read_image(capture.path(index), name=capture.names[index])
        check_size(camera, picture.size, where=capture.names[index])
        features = recipe.extractor.extract(picture.gray)
        return {
            "keypoints": features.keypoints,
            "scales": features.scales,
            "orientations": features.orientations,
            "scores": features.scores,
            "descriptors": features.descriptors,
        }

    arrays = workspace.arrays("features", digest(recipe.key, capture.digests[index]), make)
    return Features(**arrays, image_size=(camera.width, camera.height), kind=recipe.extractor.kind)


def match_pairs(
    capture: Capture,
    features: list[Features],
    pairs: list[Pair],
    recipe: Recipe,
    workspace: Workspace,
    on_progress: Progress,
) -> PairMatches:
    """Return the putative matches (M, 2) uint32 of each pair, cached."""
    matches: PairMatches = {}
    for done, (a, b) in enumerate(pairs):
        on_progress("matches", done, len(pairs))
        key = digest(recipe.key, capture.digests[a], capture.digests[b])
        stored = workspace.arrays("matches", key, partial(_matched, recipe.matcher, features[a], features[b]))
        if len(stored["indices"]) >= MIN_PAIR_MATCHES:
            matches[a, b] = stored["indices"].astype(np.uint32)
    on_progress("matches", len(pairs), len(pairs))
    return matches


def _matched(matcher: Matcher, a: Features, b: Features) -> dict[str, NDArray]:
    return {"indices": matcher.match(a, b).indices}


def verify_with_poses(
    matches: PairMatches,
    features: list[Features],
    cameras: list[pycolmap.Camera],
    cams_from_site: list[pycolmap.Rigid3d | None],
    max_error_px: float = EPIPOLAR_ERROR_PX,
) -> PairMatches:
    """Keep the matches within ``max_error_px`` (Sampson) of the epipolar geometry of known poses."""
    normalized = [c.cam_from_img(f.keypoints.astype(np.float64)) for c, f in zip(cameras, features, strict=True)]
    verified: PairMatches = {}
    for (a, b), indices in matches.items():
        pose_a, pose_b = cams_from_site[a], cams_from_site[b]
        if pose_a is None or pose_b is None:
            continue
        b_from_a = pose_b * pose_a.inverse()
        essential = skew(b_from_a.translation) @ b_from_a.rotation.matrix()
        squared = pycolmap.compute_squared_sampson_error(
            normalized[a][indices[:, 0]], normalized[b][indices[:, 1]], essential
        )
        focal_px = 0.5 * (cameras[a].mean_focal_length() + cameras[b].mean_focal_length())
        good = np.asarray(squared) < (max_error_px / focal_px) ** 2
        if good.sum() >= MIN_PAIR_MATCHES:
            verified[a, b] = indices[good]
    return verified
