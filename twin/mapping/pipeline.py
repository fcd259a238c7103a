"""From a folder of photos to a published twin, in named stages that a rerun skips when they are done."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    InputError,
    MappingError,
    PlanFit,
    import_plan,
    read_control,
    read_tags,
)
from perception import Features, TextReader, make_extractor, make_matcher
from retrieval import Vocabulary, train_vocabulary
from twin.landmarks import Landmarks, landmarks_from
from twin.mapping import reconstruction as rec
from twin.mapping.capture import Capture, MapInputs, PoseKnowledge, read_capture
from twin.mapping.continuity import require_continuous
from twin.mapping.correspondence import (
    Recipe,
    extract_features,
    match_pairs,
)
from twin.mapping.finishing import PlacedMap, finish, workspace_for
from twin.mapping.look_alikes import require_no_look_alikes
from twin.mapping.options import MapOptions
from twin.mapping.pairing import EXHAUSTIVE_LIMIT, choose_pairs
from twin.mapping.plan_control import plan_by_control
from twin.mapping.shape import pose_covariances
from twin.mapping.site_tie import agreeing, elsewhere, register, require_unfolded
from twin.mapping.solving import reconstruct
from twin.mapping.tag_adjustment import adjust_with_tags
from twin.mapping.tag_fixes import correct_priors
from twin.mapping.tag_sightings import find_tags
from twin.mapping.walking import map_walk
from twin.mapping.workspace import Workspace
from twin.progress import Progress, silent
from twin.store import require_replaceable

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

VOCABULARY_WORDS = 64
VOCABULARY_SAMPLE = 100_000


def map_images(
    inputs: MapInputs, target: Path, options: MapOptions | None = None, on_progress: Progress = silent
) -> dict[str, Any]:
    """Map photos and publish the twin at ``target``; return what quality.json says.

    Killed at any instant, the old twin stays whole and a rerun resumes. Raises ``InputError`` for wrong files,
    ``MappingError`` where no map comes out, ``TwinError`` where ``target`` is something else, ``CancelledError`` when
    ``on_progress`` asks to stop.
    """
    options = options or MapOptions()
    target = target.resolve()
    require_replaceable(target)
    capture = read_capture(inputs.images, inputs.cameras, inputs.poses)
    earth = options.georeference
    plan = None if inputs.plan is None else import_plan(inputs.plan, layers=inputs.layers, georeference=earth)
    if (plan or earth) and not (inputs.poses or inputs.control or inputs.tags):
        raise InputError(
            f"nothing ties the map to the {'plan' if plan else 'georeference'}'s site",
            where=str(inputs.plan) if plan else None,
            remedy="Give --poses, --control with --marks, or --tags.",
        )
    fit: PlanFit | None = None
    if plan and inputs.plan_control:
        if inputs.control is None:
            raise InputError(
                "control points of the plan need those of the site",
                where=str(inputs.plan_control),
                remedy="Give --control.",
            )
        plan, fit = plan_by_control(plan, read_control(inputs.plan_control), read_control(inputs.control))
    if options.refine_lens:
        capture = replace(capture, given_cameras=frozenset())
    if "signs" in options.parts:
        TextReader()  # says at once, and not after an hour, if it can't be had
    with workspace_for(target, options) as workspace:
        placed = _placed(inputs, capture, options, workspace, on_progress)
        placed = replace(placed, plan=plan, plan_fit=fit, georeference=options.georeference)
        return finish(placed, target, options, workspace, on_progress)


def _placed(
    inputs: MapInputs, capture: Capture, options: MapOptions, workspace: Workspace, on_progress: Progress
) -> PlacedMap:
    """Return the map in site."""
    extractor, matcher = make_extractor(options.extractor), make_matcher(options.matcher)
    recipe = Recipe(extractor, matcher, key=f"{options.extractor} {options.matcher}")
    capture, features = extract_features(capture, recipe, workspace, on_progress)
    if len(features) < 2:
        raise MappingError("fewer than 2 images have features", where=str(inputs.images), remedy=str(capture.refused))
    rng = np.random.default_rng(options.seed)
    vocabulary = _train_vocabulary(features, rng)
    tags = None if inputs.tags is None else read_tags(inputs.tags)
    sightings = [] if tags is None else find_tags(capture, tags, workspace, on_progress)
    # Priors put right tell what can see the same; the tie to the site takes them as they were given.
    corrected = correct_priors(capture, sightings, tags)
    pairs = choose_pairs(features, vocabulary, corrected)
    matches = match_pairs(capture, features, pairs, recipe, workspace, on_progress)
    walked = None
    if capture.pose_knowledge is PoseKnowledge.NONE and len(features) > EXHAUSTIVE_LIMIT:
        walked = map_walk(capture, features, matches, recipe, workspace, on_progress)
    if walked is None:
        on_progress("reconstruction", 0, 1)
        model, left_out = reconstruct(corrected, features, matches, recipe.key, workspace, on_progress)
    else:
        capture, features, pairs = walked.capture, walked.features, walked.pairs
        model, left_out = walked.model, walked.left_out
        sightings = [] if tags is None else find_tags(capture, tags, workspace, on_progress)
    on_progress("reconstruction", 1, 1)
    torn, alike = [], 0
    if capture.pose_knowledge is PoseKnowledge.NONE:
        torn = require_continuous(model, force=options.force)
        alike = require_no_look_alikes(model, pairs, force=options.force)
    shape = (
        {}
        if capture.pose_knowledge is PoseKnowledge.KNOWN
        else pose_covariances(model, corrected if walked is None else capture)
    )
    frame, alignment, map_unit_m = register(inputs, capture, model, shape, tags, sightings, rng)
    folded = require_unfolded(alignment, force=options.force)
    to_site = np.repeat([1.0, map_unit_m], 3)
    shape = {name: np.outer(to_site, to_site) * covariance for name, covariance in shape.items()}
    if tags is not None:
        held = adjust_with_tags(model, capture, agreeing(capture, sightings, tags, alignment), tags)
        if held is not None:
            # The tags hold every photo by itself: what the frame as a whole was unsure of is in there.
            shape, frame = held, frame.model_copy(update={"covariance": np.zeros((7, 7)).tolist()})
    by_name = dict(zip(capture.names, features, strict=True))
    landmarks = landmarks_from(model, by_name, extractor.kind)
    if capture.pose_knowledge is not PoseKnowledge.KNOWN:
        landmarks = without_loose(model, landmarks, by_name)
    not_placed = capture.refused | {
        name: left_out.get(name, rec.NOT_ENOUGH_MATCHES) for name in capture.names if name not in landmarks.views
    }
    return PlacedMap(
        folder=capture.folder,
        model=model,
        landmarks=landmarks,
        features=by_name,
        vocabulary=vocabulary,
        frame=frame,
        covariances=shape,
        not_placed=not_placed,
        lenses={i: capture.lenses[i] for i in sorted(set(capture.camera_of))},
        poses=str(capture.pose_knowledge),
        extractor=options.extractor,
        matcher=options.matcher,
        tags=tags,
        report={
            "alignment": alignment,
            "folded": folded,
            "jumps": torn,
            "look_alikes": alike,
            "elsewhere": elsewhere(alignment),
        },
    )


def without_loose(model: pycolmap.Reconstruction, landmarks: Landmarks, features: dict[str, Features]) -> Landmarks:
    """Take the images that see too few landmarks out of a map, which nothing holds in their place; return the others'.

    They saw enough when they were placed; what they saw was adjusted away since.
    """
    while len(loose := np.flatnonzero(np.diff(landmarks.view_offsets) < rec.MIN_POINTS)):
        if len(loose) == len(landmarks.views):
            return landmarks
        for view in loose.tolist():
            model.deregister_frame(model.find_image_with_name(landmarks.views[view]).frame_id)
        landmarks = landmarks_from(model, features, landmarks.kind)
    return landmarks


def _train_vocabulary(features: list[Features], rng: np.random.Generator) -> Vocabulary:
    per_image = max(1, VOCABULARY_SAMPLE // len(features))
    sample = np.concatenate([f.descriptors[:per_image] for f in features])
    return train_vocabulary(sample, min(VOCABULARY_WORDS, len(sample)), rng)
