"""New photos placed in a map: asked of it like any query, in rounds, as those that are placed help to place others.

A photo that the map refuses is refused here, with the reason: look-alikes are told apart as strictly as for queries.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pycolmap

from geometry import PoseTable, pose_error, pose_from_position
from twin.hints import Hint, hints_of_poses
from twin.landmarks import landmarks_from, with_weights_of
from twin.mapping.capture import take_rows
from twin.mapping.growing import Freedom, Material, grow
from twin.mapping.kept import Kept, lens_of
from twin.mapping.kept_fixes import correct_by_kept
from twin.mapping.locating import Found, locate_photos
from twin.mapping.reconstruction import MIN_POINTS, NOT_ENOUGH_MATCHES
from twin.model import Twin

MAX_ROUNDS = 6
MAX_SHIFT_M, MAX_SHIFT_DEG = 0.5, 3.0
"""By how much the adjustment may move a photo from where it was localized."""
CONTRADICTS = "its matches contradict the pose that it was localized at"


@dataclass(kw_only=True)
class Placed:
    """New photos that are in the model now, and those that are not.

    names: in the model; exact: those whose pose was given; refused: the others, with the reason; lenses: new ones, by
    camera id, that were not given and are adjusted
    """

    names: list[str] = field(default_factory=list)
    exact: set[str] = field(default_factory=set)
    refused: dict[str, str] = field(default_factory=dict)
    lenses: set[int] = field(default_factory=set)

    def freedom(self, names: Sequence[str], held: Collection[int] = ()) -> Freedom:
        """Return what of new photos may be adjusted: new lenses too, but for those ``held`` by photos placed before."""
        return Freedom(photos=[name for name in names if name not in self.exact], lenses=self.lenses - set(held))


def place(twin: Twin, kept: Kept, material: Material) -> Placed:
    """Add the new photos to ``kept.model``, which is changed, and return which they are.

    Those that poses.csv gives exactly (both sigmas 0) are put there; the others are localized. Poses in it that are not
    exact serve as hints, and their steps to weigh photos of one sequence by each other, as queries' do.
    """
    model, placed = kept.model, Placed()
    lenses = _add_lenses(model, material, placed, twin.manifest.lenses)
    landmarks, waiting = kept.landmarks, list(kept.new)
    exact = _exact(material.capture.priors, waiting)
    found, placed.exact = exact, set(exact)
    hints = _hints(material.capture.priors, {name: model.find_image_with_name(name) for name in kept.landmarks.views})
    for _ in range(MAX_ROUNDS):
        unknown = [name for name in waiting if name not in exact]
        if not found and unknown:
            found, refused = locate_photos(twin, model, landmarks, unknown, lenses, material, hints)
            placed.refused |= refused
        if not found:
            break
        _add_photos(model, found, lenses, material)
        held = {model.find_image_with_name(name).camera_id for name in placed.names}
        grow(model, sorted(found), placed.freedom(sorted(found), held), material)
        astray = _astray(model, found)
        for name in astray:
            model.deregister_frame(model.find_image_with_name(name).frame_id)
        joined = found.keys() - astray.keys()
        placed.names += sorted(joined)
        placed.refused |= astray
        # What is given exactly may see enough once others have joined.
        again = {name for name, reason in astray.items() if name in exact and reason == NOT_ENOUGH_MATCHES}
        waiting = [name for name in waiting if name not in found or name in again]
        landmarks = with_weights_of(landmarks_from(model, dict(material.features), landmarks.kind), kept.landmarks)
        found = {name: exact[name] for name in waiting if name in exact} if joined else {}
    placed.refused = {name: reason for name, reason in placed.refused.items() if name not in placed.names}
    return placed


def _add_lenses(
    model: pycolmap.Reconstruction, material: Material, placed: Placed, taken: Collection[int]
) -> dict[int, int]:
    """Add the lenses that the model lacks; return its camera of each camera of the capture."""
    capture = material.capture
    lenses = lens_of(model, capture, taken)
    for camera_id, lens in lenses.items():
        if not model.exists_camera(lens):
            model.add_camera_with_trivial_rig(
                pycolmap.Camera(capture.cameras[camera_id].todict() | {"camera_id": lens})
            )
            if camera_id not in capture.given_cameras:
                placed.lenses.add(lens)
    return lenses


def _hints(priors: PoseTable | None, kept: Mapping[str, pycolmap.Image]) -> dict[str, Hint]:
    """Return about where poses.csv says that photos are, put right by photos of the same walk that the map has."""
    if priors is None:
        return {}
    righted = correct_by_kept(priors, {name: image.cam_from_world() for name, image in kept.items()})
    return hints_of_poses(take_rows(righted, np.flatnonzero(np.isfinite(righted.positions).all(axis=1)).tolist()))


def _exact(priors: PoseTable | None, names: Sequence[str]) -> dict[str, Found]:
    """Return where poses.csv says exactly that photos are, of the named ones."""
    if priors is None:
        return {}
    known = np.isfinite(np.hstack([priors.positions, priors.quats_xyzw])).all(axis=1)
    known &= (priors.sigma_m == 0) & (priors.sigma_deg == 0)
    nothing = np.zeros(0, dtype=np.int64)
    return {
        priors.images[row]: Found(
            cam_from_site=pose_from_position(priors.positions[row], priors.quats_xyzw[row]),
            features=nothing,
            points=nothing,
        )
        for row in np.flatnonzero(known).tolist()
        if priors.images[row] in names
    }


def _add_photos(
    model: pycolmap.Reconstruction, found: Mapping[str, Found], lenses: Mapping[int, int], material: Material
) -> None:
    """Add photos at their poses, with all their features as 2D points, and what they were localized by as seen."""
    camera_of = dict(zip(material.capture.names, material.capture.camera_of, strict=True))
    first = max(model.images, default=0) + 1
    for image_id, name in enumerate(sorted(found), start=first):
        keypoints = material.features[name].keypoints.astype(np.float64)
        image = pycolmap.Image(name=name, image_id=image_id, camera_id=lenses[camera_of[name]], keypoints=keypoints)
        model.add_image_with_trivial_frame(image, found[name].cam_from_site)
        for row, point in zip(found[name].features.tolist(), found[name].points.tolist(), strict=True):
            if model.exists_point3D(point):
                model.add_observation(point, pycolmap.TrackElement(image_id, row))


def _astray(model: pycolmap.Reconstruction, found: Mapping[str, Found]) -> dict[str, str]:
    """Return which photos, after they were adjusted, can't stay where they were found, with the reason."""
    astray = {}
    for name, place in found.items():
        image = model.find_image_with_name(name)
        metres, degrees = pose_error(image.cam_from_world(), place.cam_from_site)
        if image.num_points3D < MIN_POINTS:
            astray[name] = NOT_ENOUGH_MATCHES
        elif metres > MAX_SHIFT_M or degrees > MAX_SHIFT_DEG:
            astray[name] = CONTRADICTS
    return astray
