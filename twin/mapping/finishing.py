"""From a map in site to a published twin: checked, thinned to a budget, read for meaning, and written in one step."""

import json
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import FloorPlan, Georeference, MappingError, PlanFit, TagSpecs, write_atomic, write_tags
from perception import Features
from retrieval import PlaceIndex, Vocabulary, aggregate
from twin.gravity import down_in_map, is_tied
from twin.landmarks import Landmarks
from twin.map_uncertainty import MapUncertainty
from twin.mapping import quality
from twin.mapping.landmark_model import centres_of, landmark_model
from twin.mapping.left_out import LeftOut, leave_out
from twin.mapping.meaning import Meaning, MeaningOptions, find_meaning
from twin.mapping.meaning_files import write_meaning
from twin.mapping.options import MapOptions
from twin.mapping.thinning import cost_of, thinned
from twin.mapping.workspace import Workspace
from twin.model import TAGS_FILE, UPDATE_FILE, VIEW_COVARIANCES, VOCABULARY_FILE
from twin.photos import photos_of
from twin.progress import Progress
from twin.store import Manifest, SiteFrame, publish

logger = logging.getLogger(__name__)

Array = NDArray[np.float64]

MIN_LANDMARKS = 50
QUERY_FEATURES = 7000
"""Of a query; a map image has up to 8192, which serves accuracy and costs time only once."""


@dataclass(frozen=True, kw_only=True)
class PlacedMap:
    """A map in site, and what goes into its twin beside it.

    folder: of the photos; model, landmarks: of the placed ones; features: by name
    covariances: (6, 6) of the poses by name, none where they are exact; not_placed: photos with the reason
    lenses, poses, matcher: as the manifest says; report: sections of quality.json; update: what update.json says
    """

    folder: Path
    model: pycolmap.Reconstruction
    landmarks: Landmarks
    features: Mapping[str, Features]
    vocabulary: Vocabulary
    frame: SiteFrame
    covariances: Mapping[str, Array]
    not_placed: Mapping[str, str]
    lenses: dict[int, str]
    poses: str
    extractor: str
    matcher: str
    tags: TagSpecs | None = None
    plan: FloorPlan | None = None
    plan_fit: PlanFit | None = None
    georeference: Georeference | None = None
    version: int = 1
    report: dict[str, Any] = field(default_factory=dict)
    update: dict[str, Any] | None = None


@contextmanager
def workspace_for(target: Path, options: MapOptions) -> Iterator[Workspace]:
    """Open the workspace of a twin to be; it goes when the work is done, and stays when it fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with Workspace.opened_for(target) as workspace:
        for leftover in target.parent.glob(f".{target.name}.*.new"):
            shutil.rmtree(leftover)
        yield workspace
        if not options.keep_workspace:
            workspace.remove()


def finish(
    placed: PlacedMap, target: Path, options: MapOptions, workspace: Workspace, on_progress: Progress
) -> dict[str, Any]:
    """Publish the twin of a map at ``target``; return what quality.json says.

    Raises ``MappingError`` for too few landmarks, ``InputError`` for a budget that is too small.
    """
    landmarks = placed.landmarks
    if len(landmarks) < MIN_LANDMARKS:
        raise MappingError(
            f"only {len(landmarks)} landmarks could be triangulated",
            remedy="Check poses and cameras, or take photos with more parallax.",
        )
    places = np.stack([aggregate(placed.vocabulary, placed.features[name].descriptors) for name in landmarks.views])
    model, check = _checked(placed, landmarks, on_progress)
    thinning: dict[str, Any] = {}
    if options.budget_mb is not None:
        place_bytes = places.nbytes + placed.vocabulary.centers.nbytes
        landmarks = _within(options.budget_mb, landmarks, model, place_bytes)
        if len(landmarks) < len(placed.landmarks):
            before = check
            model, check = _checked(placed, landmarks, on_progress)
            thinning = {"thinned": quality.loss(placed.landmarks, landmarks, before, check, options.budget_mb)}
    found = {photo.name: photo for photo in photos_of(model, placed.folder)}
    photos = [found[name] for name in landmarks.views]
    covariances = np.array([placed.covariances[name] for name in landmarks.views]) if placed.covariances else None
    poses = [photo.cam_from_site for photo in photos]
    meaning = find_meaning(
        placed.landmarks,
        photos,
        placed.frame,
        placed.plan,
        MeaningOptions(
            parts=options.parts,
            fit_plan=options.fit_plan,
            by_control=placed.plan_fit,
            alike=check.bounds().get("alike", 0.0),
        ),
        on_progress,
        workspace,
        MapUncertainty.of(poses, covariances, placed.frame.covariance, placed.frame.centroid),
    )
    result = quality.report(landmarks, model, check, dict(placed.not_placed), covariances)
    result |= thinning | placed.report | meaning.report
    manifest = _manifest(placed, target, check)

    def write(folder: Path) -> None:
        _write_map(folder, model, landmarks, covariances)
        np.save(folder / "places" / VOCABULARY_FILE, placed.vocabulary.centers, allow_pickle=False)
        PlaceIndex(places).save(folder / "places")
        _write_rest(folder, placed, meaning)
        result["size"] = quality.size(folder, result)
        write_atomic(folder / "quality.json", json.dumps(result, indent=2).encode())

    on_progress("publish", 0, 1)
    publish(target, manifest, write)
    on_progress("publish", 1, 1)
    return result


def _checked(placed: PlacedMap, landmarks: Landmarks, on_progress: Progress) -> tuple[pycolmap.Reconstruction, LeftOut]:
    """Return the model of some landmarks, and the left-out check of them."""
    model = landmark_model(landmarks, placed.model)
    poses = [model.find_image_with_name(name).cam_from_world() for name in landmarks.views]
    down = down_in_map(placed.frame, poses)
    return model, leave_out(landmarks, placed.vocabulary, model, dict(placed.features), down, on_progress)


def _within(budget_mb: float, landmarks: Landmarks, model: pycolmap.Reconstruction, place_bytes: int) -> Landmarks:
    cameras = [model.find_image_with_name(name).camera for name in landmarks.views]
    sizes = np.array([(camera.width, camera.height) for camera in cameras], dtype=np.float64)
    return thinned(
        landmarks, 1e6 * budget_mb, cost_of(landmarks, place_bytes), sizes, centres_of(model, landmarks.views)
    )


def _manifest(placed: PlacedMap, target: Path, check: LeftOut) -> Manifest:
    frame, earth = placed.frame, placed.georeference
    if earth and not is_tied(frame):
        open_ones = [*frame.undetermined, "where on Earth: the georeference is left out, as it is the site's"]
        frame = frame.model_copy(update={"undetermined": open_ones})
    return Manifest(
        format=1,
        name=target.name,
        version=placed.version,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tiepoint=version("tiepoint"),
        georeference=asdict(earth) if earth and is_tied(placed.frame) else None,
        frame=frame,
        features={"extractor": placed.extractor, "query_options": {"max_features": QUERY_FEATURES}},
        lenses=placed.lenses,
        mapping={
            "poses": placed.poses,
            "matcher": placed.matcher,
            "covariance_scale": check.covariance_scale(),
            **check.bounds(),
        },
    )


def _write_map(folder: Path, model: pycolmap.Reconstruction, landmarks: Landmarks, covariances: Array | None) -> None:
    for name in ("map", "landmarks", "places"):
        (folder / name).mkdir()
    model.write(folder / "map")
    if covariances is not None:
        np.save(folder / VIEW_COVARIANCES, covariances, allow_pickle=False)
    landmarks.save(folder / "landmarks")


def _write_rest(folder: Path, placed: PlacedMap, meaning: Meaning) -> None:
    if placed.tags is not None:
        write_tags(folder / TAGS_FILE, placed.tags)
    write_meaning(folder, meaning)
    if placed.update is not None:
        write_atomic(folder / UPDATE_FILE, json.dumps(placed.update, indent=2).encode())
