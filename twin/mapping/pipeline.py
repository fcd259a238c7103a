"""From a folder of photos to a published twin, in named stages that a rerun skips when they are done."""

import json
import logging
import shutil
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import (
    FloorPlan,
    Georeference,
    InputError,
    MappingError,
    PlanFit,
    TagSpecs,
    import_plan,
    read_control,
    read_tags,
    write_atomic,
    write_tags,
)
from perception import Features, TextReader, make_extractor, make_matcher
from retrieval import PlaceIndex, Vocabulary, aggregate, train_vocabulary
from twin.gravity import down_in_map, is_tied
from twin.landmarks import Landmarks, landmarks_from
from twin.mapping import quality
from twin.mapping import reconstruction as rec
from twin.mapping.capture import Capture, MapInputs, PoseKnowledge, read_capture
from twin.mapping.correspondence import (
    PairMatches,
    Recipe,
    extract_features,
    match_pairs,
    verify_with_poses,
)
from twin.mapping.left_out import leave_out
from twin.mapping.meaning import Meaning, MeaningOptions, Part, find_meaning
from twin.mapping.meaning_files import write_meaning
from twin.mapping.pairing import choose_pairs
from twin.mapping.plan_control import plan_by_control
from twin.mapping.shape import pose_covariances
from twin.mapping.site_tie import agreeing, register, require_unfolded
from twin.mapping.tag_adjustment import adjust_with_tags
from twin.mapping.tag_fixes import correct_priors
from twin.mapping.tag_sightings import find_tags
from twin.mapping.workspace import Workspace, digest
from twin.model import TAGS_FILE, VIEW_COVARIANCES, VOCABULARY_FILE
from twin.photos import photos_of
from twin.progress import Progress, silent
from twin.store import Manifest, publish, require_replaceable

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

LEFT_OUT_FILE = "left_out.json"
VOCABULARY_WORDS = 64
VOCABULARY_SAMPLE = 100_000
MIN_LANDMARKS = 50
QUERY_FEATURES = 7000
"""Of a query; a map image has up to 8192, which serves accuracy and costs time only once."""


@dataclass(frozen=True, kw_only=True)
class MapOptions:
    """How a twin is made.

    refine_lens: adjust intrinsics that were given too (those from EXIF always are, unless all poses are known)
    extractor, matcher: names of perception's; force: publish a map that is folded, which says so
    parts: of "marks", "signs", "surface", what to look for beside floors; fit_plan: the plan has a frame of its own
    georeference: where on Earth the site is
    keep_workspace: leave intermediate results beside the twin
    """

    refine_lens: bool = False
    extractor: str = "sift"
    matcher: str = "mutual-ratio"
    force: bool = False
    parts: tuple[Part, ...] = ()
    fit_plan: bool = False
    georeference: Georeference | None = None
    seed: int = 0
    keep_workspace: bool = False


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
    target.parent.mkdir(parents=True, exist_ok=True)
    with Workspace.opened_for(target) as workspace:
        for leftover in target.parent.glob(f".{target.name}.*.new"):
            shutil.rmtree(leftover)
        result = _map(inputs, capture, plan, fit, target, options, workspace, on_progress)
        if not options.keep_workspace:
            workspace.remove()
    return result


def _map(
    inputs: MapInputs,
    capture: Capture,
    plan: FloorPlan | None,
    plan_fit: PlanFit | None,
    target: Path,
    options: MapOptions,
    workspace: Workspace,
    on_progress: Progress,
) -> dict[str, Any]:
    extractor, matcher = make_extractor(options.extractor), make_matcher(options.matcher)
    recipe = Recipe(extractor, matcher, key=f"{options.extractor} {options.matcher}")
    capture, features = extract_features(capture, recipe, workspace, on_progress)
    if len(features) < 2:
        raise MappingError("fewer than 2 images have features", where=str(inputs.images), remedy=str(capture.refused))
    rng = np.random.default_rng(options.seed)
    vocabulary = _train_vocabulary(features, rng)
    tags = None if inputs.tags is None else read_tags(inputs.tags)
    sightings = [] if tags is None else find_tags(capture, tags, workspace, on_progress)
    # Priors that the tags have put right tell what can see the same; the tie to the site takes them as they were given.
    corrected = capture if tags is None else replace(capture, priors=correct_priors(capture, sightings, tags))
    pairs = choose_pairs(features, vocabulary, corrected)
    matches = match_pairs(capture, features, pairs, recipe, workspace, on_progress)
    on_progress("reconstruction", 0, 1)
    model, left_out = _reconstruct(corrected, features, matches, recipe.key, workspace, on_progress)
    on_progress("reconstruction", 1, 1)
    shape = {} if capture.pose_knowledge is PoseKnowledge.KNOWN else pose_covariances(model, corrected)
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
    landmarks = _landmarks(model, by_name, extractor.kind)
    places = np.stack([aggregate(vocabulary, by_name[name].descriptors) for name in landmarks.views])
    poses = [model.find_image_with_name(name).cam_from_world() for name in landmarks.views]
    check = leave_out(landmarks, vocabulary, model, by_name, down_in_map(frame, poses), on_progress)
    not_placed = capture.refused | {
        name: left_out.get(name, rec.NOT_ENOUGH_MATCHES) for name in capture.names if name not in landmarks.views
    }
    view_covariances = np.array([shape[name] for name in landmarks.views]) if shape else None
    photos = {photo.name: photo for photo in photos_of(model, capture.folder)}
    meaning = find_meaning(
        landmarks,
        [photos[name] for name in landmarks.views],
        frame,
        plan,
        MeaningOptions(parts=options.parts, fit_plan=options.fit_plan, by_control=plan_fit),
        on_progress,
        workspace,
    )
    result = quality.report(landmarks, model, check, not_placed, view_covariances)
    result["alignment"] = alignment
    result["folded"] = folded
    result |= meaning.report
    earth = options.georeference
    if earth and not is_tied(frame):
        frame.undetermined.append("where on Earth: the georeference is left out, as it is the site's")
    manifest = Manifest(
        format=1,
        name=target.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tiepoint=version("tiepoint"),
        georeference=asdict(earth) if earth and is_tied(frame) else None,
        frame=frame,
        features={"extractor": options.extractor, "query_options": {"max_features": QUERY_FEATURES}},
        lenses={i: capture.lenses[i] for i in sorted(set(capture.camera_of))},
        mapping={
            "poses": str(capture.pose_knowledge),
            "matcher": options.matcher,
            "covariance_scale": check.covariance_scale(),
            **check.bounds(),
        },
    )
    on_progress("publish", 0, 1)
    publish(
        target,
        manifest,
        lambda folder: _write(folder, model, landmarks, vocabulary, places, view_covariances, tags, meaning, result),
    )
    on_progress("publish", 1, 1)
    return result


def _train_vocabulary(features: list[Features], rng: np.random.Generator) -> Vocabulary:
    per_image = max(1, VOCABULARY_SAMPLE // len(features))
    sample = np.concatenate([f.descriptors[:per_image] for f in features])
    return train_vocabulary(sample, min(VOCABULARY_WORDS, len(sample)), rng)


def _reconstruct(
    capture: Capture,
    features: list[Features],
    matches: PairMatches,
    key: str,
    workspace: Workspace,
    on_progress: Progress,
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    """Return the adjusted reconstruction, in site where poses are given, else in its own frame; and left-out images."""
    parts: list[object] = [
        key,
        capture.names,
        capture.digests,
        sorted(capture.given_cameras),
        capture.pose_knowledge is PoseKnowledge.KNOWN,
    ]
    parts += [camera.params for _, camera in sorted(capture.cameras.items())]
    parts += [part for pair in sorted(matches.items()) for part in pair]
    if capture.priors is not None and capture.prior_poses():
        # Positions alone serve only to align the result, so that SfM need not be done again for others.
        parts += [capture.priors.positions, capture.priors.quats_xyzw, capture.priors.sigma_m, capture.priors.sigma_deg]

    def make(folder: Path) -> None:
        model, left_out = _solve(capture, features, matches, folder, on_progress)
        model.write(folder)
        (folder / LEFT_OUT_FILE).write_text(json.dumps(left_out), "utf-8")

    folder = workspace.directory("models", digest(*parts), make)
    return pycolmap.Reconstruction(folder), json.loads((folder / LEFT_OUT_FILE).read_text("utf-8"))


def _solve(
    capture: Capture, features: list[Features], matches: PairMatches, folder: Path, on_progress: Progress
) -> tuple[pycolmap.Reconstruction, dict[str, str]]:
    database, output = folder / "database.db", folder / "stages"
    poses = capture.prior_poses()
    if capture.pose_knowledge is PoseKnowledge.KNOWN:
        cameras = [capture.camera(i) for i in range(len(features))]
        verified = verify_with_poses(matches, features, cameras, [poses.get(i) for i in range(len(features))])
        _require_matches(verified, capture)
        rec.write_database(database, capture, features, verified, verified=True)
        start = rec.empty_reconstruction(capture, features, poses)
        return rec.triangulate(start, database, capture.folder, output), {}
    _require_matches(matches, capture)
    rec.write_database(database, capture, features, matches, verified=False)
    if capture.pose_knowledge is PoseKnowledge.APPROXIMATE and len(poses) == len(capture.names):
        return rec.adjust_at_priors(capture, features, database, output)
    return rec.structure_from_motion(capture, database, output, on_progress), {}


def _require_matches(matches: PairMatches, capture: Capture) -> None:
    if not matches:
        raise MappingError(
            "no two images match",
            where=str(capture.folder),
            remedy="Take more photos with about 70 % overlap; with --poses, check that they belong to these images.",
        )


def _landmarks(model: pycolmap.Reconstruction, features: dict[str, Features], kind: str) -> Landmarks:
    landmarks = landmarks_from(model, features, kind)
    if len(landmarks) < MIN_LANDMARKS:
        raise MappingError(
            f"only {len(landmarks)} landmarks could be triangulated",
            remedy="Check poses and cameras, or take photos with more parallax.",
        )
    for point_id, xyz in zip(landmarks.ids.tolist(), landmarks.points, strict=True):
        model.points3D[point_id].xyz = xyz
    return landmarks


def _write(
    folder: Path,
    model: pycolmap.Reconstruction,
    landmarks: Landmarks,
    vocabulary: Vocabulary,
    places: np.ndarray,
    view_covariances: Array | None,
    tags: TagSpecs | None,
    meaning: Meaning,
    result: dict[str, Any],
) -> None:
    for name in ("map", "landmarks", "places"):
        (folder / name).mkdir()
    model.write(folder / "map")
    if view_covariances is not None:
        np.save(folder / VIEW_COVARIANCES, view_covariances, allow_pickle=False)
    if tags is not None:
        write_tags(folder / TAGS_FILE, tags)
    write_meaning(folder, meaning)
    landmarks.save(folder / "landmarks")
    np.save(folder / "places" / VOCABULARY_FILE, vocabulary.centers, allow_pickle=False)
    PlaceIndex(places).save(folder / "places")
    write_atomic(folder / "quality.json", json.dumps(result, indent=2).encode())
