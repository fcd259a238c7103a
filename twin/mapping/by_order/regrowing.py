"""Photos of a walk that its layout left out, registered one after the other onto the map that the others made.

Nothing but the structure of its neighbours places a photo here, whatever else looks alike. What is placed wrongly all
the same is torn from the map when that is adjusted again.
"""

import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of, quat_xyzw_of
from perception import Features
from twin.mapping.by_order.laying_out import with_priors
from twin.mapping.by_order.legs import MAX_GAP, MIN_VIEWS
from twin.mapping.capture import Capture
from twin.mapping.correspondence import PairMatches
from twin.mapping.reconstruction import empty_reconstruction, placed_images, write_database
from twin.mapping.workspace import Workspace, digest
from twin.progress import Progress

logger = logging.getLogger(__name__)


MAX_ERROR_PX = 6.0
"""Of what registers a photo: the map is right to a fraction of a pixel, and what looks alike is off by more."""
SAME = 1e-3
"""Share of the map's extent by which photos may move that should not."""


def regrow(
    capture: Capture,
    features: Sequence[Features],
    matches: PairMatches,
    model: pycolmap.Reconstruction,
    workspace: Workspace,
    on_progress: Progress,
) -> Capture | None:
    """Return the capture, with poses as priors, of the photos of a map and those that could be registered onto it.

    matches: putative, of the whole capture's rows; those of photos up to ``MAX_GAP`` apart in the walk are used
    model: of some of its photos, under their names; its lenses are taken
    None where no photo was added.
    """
    missing = len(capture.names) - model.num_reg_images()
    if missing == 0:
        return None
    capture = replace(capture, cameras=capture.cameras | dict(model.cameras.items()))
    near = {(a, b): found for (a, b), found in matches.items() if b - a <= MAX_GAP}
    placed = placed_images(model)
    parts: list[object] = [capture.names, capture.digests, capture.camera_of, [image.name for image in placed]]
    parts += [np.array([image.cam_from_world().matrix() for image in placed])]
    for _, camera in sorted(capture.cameras.items()):
        parts += [camera.model_name, camera.width, camera.height, camera.params]
    key = digest(*parts, *(part for pair in sorted(near.items()) for part in pair))

    def make() -> dict[str, NDArray]:
        folder = workspace.folder / "regrown"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return _grown(capture, list(features), near, model, folder, on_progress)

    laid = workspace.arrays("regrown-walks", key, make)
    added = len(laid["rows"]) - len(placed)
    logger.info("%d of %d photos that were left out are registered onto the map", added, missing)
    return with_priors(capture, laid) if added > 0 else None


def _grown(
    capture: Capture,
    features: list[Features],
    near: PairMatches,
    model: pycolmap.Reconstruction,
    folder: Path,
    on_progress: Progress,
) -> dict[str, NDArray]:
    """Return the rows (N,), positions (N, 3) and quats_xyzw (N, 4) of photos of a map, as they are, and around it."""
    placed, count = model.num_reg_images(), len(capture.names)
    on_progress("regrowing", placed, count)
    database, begun, out = folder / "near.db", folder / "begun", folder / "grown"
    begun.mkdir()
    out.mkdir()
    write_database(database, capture, features, near, verified=False)
    _of_all(capture, features, model).write(begun)
    options = pycolmap.IncrementalPipelineOptions()
    options.extract_colors = False
    options.load_all_images = True  # also those that stand in the map and match none of their neighbours
    options.multiple_models = False
    options.fix_existing_frames = True
    options.structure_less_registration_fallback = False
    options.constant_cameras = set(model.cameras)
    options.triangulation.ignore_two_view_tracks = False
    options.mapper.abs_pose_max_error = MAX_ERROR_PX
    options.random_seed = 0

    def placed_another() -> None:
        nonlocal placed
        placed = min(placed + 1, count)
        on_progress("regrowing", placed, count)

    models = pycolmap.incremental_mapping(
        database, capture.folder, out, options, input_path=begun, next_image_callback=placed_another
    )
    on_progress("regrowing", count, count)
    poses = {image.name: image.cam_from_world() for image in placed_images(model)}
    for grown in models.values():
        found = {image.name: image.cam_from_world() for image in placed_images(grown)}
        if _is_same(poses, found):
            poses = found | poses
    rows = [row for row, name in enumerate(capture.names) if name in poses]
    own = [poses[capture.names[row]] for row in rows]
    return {
        "rows": np.array(rows, dtype=np.int64),
        "positions": np.array([position_of(pose) for pose in own]).reshape(-1, 3),
        "quats_xyzw": np.array([quat_xyzw_of(pose) for pose in own]).reshape(-1, 4),
    }


def _is_same(known: Mapping[str, pycolmap.Rigid3d], found: Mapping[str, pycolmap.Rigid3d]) -> bool:
    """Tell whether all photos that were known are where they were."""
    if not known.keys() <= found.keys():
        return False
    was, now = (np.array([position_of(poses[name]) for name in known]) for poses in (known, found))
    return bool(np.linalg.norm(was - now, axis=1).max() <= SAME * np.ptp(was, axis=0).max())


def _of_all(capture: Capture, features: list[Features], model: pycolmap.Reconstruction) -> pycolmap.Reconstruction:
    """Return a map of some of a capture's photos as one of all, the others without a pose."""
    row_of = {name: row for row, name in enumerate(capture.names)}
    images = {image.image_id: image for image in placed_images(model)}
    whole = empty_reconstruction(
        capture, features, {row_of[image.name]: image.cam_from_world() for image in images.values()}
    )
    for number, camera in model.cameras.items():
        whole.cameras[number].params = camera.params
    for point in model.points3D.values():
        if point.track.length() < MIN_VIEWS:  # two photos agree on almost any point along a line
            continue
        track = pycolmap.Track()
        for element in point.track.elements:
            track.add_element(row_of[images[element.image_id].name] + 1, element.point2D_idx)
        whole.add_point3D(point.xyz, track, point.color)
    return whole
