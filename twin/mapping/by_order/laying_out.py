"""Approximate poses of a walk from nothing but the order of its photos.

Neighbours in the walk share most of what they see, and are matched without mistakes; photos that look alike may be of
two bays or two storeys. So neighbours come first: the walk is built from them alone, falls into legs where it turns,
and what looks alike only joins legs where it agrees with the walk. Then photos are matched that see the same there.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import PoseTable, position_of, quat_xyzw_of
from perception import Features
from twin.mapping.by_order.joining import join, poses_of, successions
from twin.mapping.by_order.legs import Leg, legs_of
from twin.mapping.by_order.links import Photos, find_links
from twin.mapping.by_order.neighbours import inliers, moves_of, neighbours_alone, two_views
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches, Recipe, match_pairs
from twin.mapping.pairing import choose_pairs
from twin.mapping.workspace import Workspace, digest
from twin.progress import Progress

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MOST_GAPS = 0.2
"""Share of photos that may not match the next one in what is still a walk."""
TYPICAL_DISTANCE_M = 10.0
"""From a photo to what it shows: the scale that gates of pairs are made for, taken where nothing tells it."""
SIGMA_M, HEIGHT_SIGMA_M, SIGMA_DEG = 0.5, 0.15, 3.0
"""Of the layout."""
MOST_LEGS = 400
"""The layout takes memory with the square of their number, and time with its cube."""
MIN_JOINED = 0.5
"""Share of the photos that must hang together."""
MORE_ROUNDS = 2
"""Layouts after the first, which tells what more to match."""
STAGES = 3 + MORE_ROUNDS
"""Of laying out, between which it can be stopped."""
APART = "the part of the walk that it belongs to is not joined with the rest"


def lay_out_walk(
    capture: Capture,
    features: Sequence[Features],
    matches: PairMatches,
    recipe: Recipe,
    workspace: Workspace,
    on_progress: Progress,
) -> Capture | None:
    """Return the capture with approximate poses as priors, z up, of the photos that hang together; None if most don't.

    matches: putative, of look-alikes and neighbours. The scale is such that ``TYPICAL_DISTANCE_M`` holds.
    """
    parts: list[object] = [recipe.key, capture.digests, capture.camera_of, sorted(capture.given_cameras)]
    for _, camera in sorted(capture.cameras.items()):
        parts += [camera.model_name, camera.width, camera.height, camera.params]
    key = digest(*parts, *(part for pair in sorted(matches.items()) for part in pair))

    def make() -> dict[str, NDArray]:
        folder = workspace.folder / "walk"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return _laid_out(capture, features, matches, folder, recipe, workspace, on_progress)

    laid = workspace.arrays("layouts", key, make)
    joined = len(laid["rows"]) >= MIN_JOINED * len(features)
    return _with_priors(capture, laid) if joined else None


def _laid_out(
    capture: Capture,
    features: Sequence[Features],
    matches: PairMatches,
    folder: Path,
    recipe: Recipe,
    workspace: Workspace,
    on_progress: Progress,
) -> dict[str, NDArray]:
    """Return the rows (N,), positions (N, 3) and quats_xyzw (N, 4) of the photos that hang together."""
    photos = Photos(
        cameras=[capture.camera(row) for row in range(len(features))],
        keypoints=[each.keypoints.astype(np.float64) for each in features],
    )
    on_progress("laying out", 0, STAGES)
    views = two_views(folder / "alike.db", capture, features, matches)
    steps = [(row, row + 1) in views for row in range(len(features) - 1)]
    nothing = {"rows": np.zeros(0, np.int64), "positions": np.zeros((0, 3)), "quats_xyzw": np.zeros((0, 4))}
    if np.mean(steps) < 1.0 - MOST_GAPS:
        on_progress("laying out", STAGES, STAGES)
        return nothing
    on_progress("laying out", 1, STAGES)
    models = neighbours_alone(folder, capture, views)
    legs = legs_of(models)
    if not any(leg.has_shape for leg in legs) or len(legs) > MOST_LEGS:
        on_progress("laying out", STAGES, STAGES)
        return nothing
    # Lenses that are not given are known now.
    lenses = {number: lens for model in reversed(models) for number, lens in model.cameras.items()}
    photos = replace(photos, cameras=[lenses.get(number, capture.cameras[number]) for number in capture.camera_of])
    unit = TYPICAL_DISTANCE_M / np.median(np.concatenate([_distances(leg) for leg in legs if leg.has_shape]))
    moves = moves_of(photos, views)
    along = successions(legs, moves, {pair: len(each.inlier_matches) for pair, each in views.items()})
    asked = set(matches)
    on_progress("laying out", 2, STAGES)
    layout, taken = join(legs, along, find_links(legs, photos, inliers(views), moves))
    laid = _as_arrays(poses_of(legs, layout, taken), unit)
    for number in range(MORE_ROUNDS):
        rows = laid["rows"].tolist()
        pairs = choose_pairs([features[row] for row in rows], None, _with_priors(capture, laid))
        new = [pair for i, j in pairs if (pair := (rows[i], rows[j])) not in asked]
        asked |= set(new)
        seen = match_pairs(capture, list(features), new, recipe, workspace, on_progress)
        if not seen:
            break
        on_progress("laying out", 3 + number, STAGES)
        views |= two_views(folder / f"seen-{number}.db", capture, features, seen)
        layout, taken = join(legs, along, find_links(legs, photos, inliers(views), moves))
        laid = _as_arrays(poses_of(legs, layout, taken), unit)
    on_progress("laying out", STAGES, STAGES)
    logger.info(
        "%d legs, %d links; %d of %d photos hang together", len(legs), len(taken), len(laid["rows"]), len(steps) + 1
    )
    return laid


def _as_arrays(poses: Mapping[int, pycolmap.Rigid3d], unit: float) -> dict[str, NDArray]:
    rows = np.array(sorted(poses), dtype=np.int64)
    return {
        "rows": rows,
        "positions": unit * np.array([position_of(poses[row]) for row in rows.tolist()]).reshape(-1, 3),
        "quats_xyzw": np.array([quat_xyzw_of(poses[row]) for row in rows.tolist()]).reshape(-1, 4),
    }


def _with_priors(capture: Capture, laid: Mapping[str, NDArray]) -> Capture:
    """Return the capture of the photos that are laid out, with where they are."""
    rows = set(laid["rows"].tolist())
    kept = capture.without({name: APART for row, name in enumerate(capture.names) if row not in rows})
    count = len(kept.names)
    priors = PoseTable(
        images=kept.names,
        positions=laid["positions"],
        quats_xyzw=laid["quats_xyzw"],
        sigma_m=np.full(count, SIGMA_M),
        sigma_deg=np.full(count, SIGMA_DEG),
        time=None,
        sequence=None,
    )
    return replace(kept, priors=priors, height_sigmas=np.full(count, HEIGHT_SIGMA_M))


def _distances(leg: Leg) -> Array:
    """Return how far photos of a leg are from what they show, steps, the median of each."""
    seen = [np.unique(point[point >= 0]) for point in leg.point_of]
    return np.array([
        np.median(np.linalg.norm(leg.points[points] - centre, axis=1))
        for points, centre in zip(seen, leg.centres, strict=True)
        if len(points)
    ])  # fmt: skip
