"""Maps of synthetic worlds as reconstructions, and such of which some photos saw less."""

from dataclasses import replace

import numpy as np
import pycolmap
from numpy.typing import NDArray

from tests.twin.worlds import CAMERA, Mapped
from twin.landmarks import Landmarks


def model_of(world: Mapped) -> pycolmap.Reconstruction:
    """Return a reconstruction with the poses of a map's views, and no points."""
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(pycolmap.Camera(CAMERA.todict() | {"camera_id": 1}))
    for number, (name, pose) in enumerate(zip(world.landmarks.views, world.poses, strict=True), start=1):
        model.add_image_with_trivial_frame(pycolmap.Image(name=name, image_id=number, camera_id=1), pose)
    return model


def unseen(landmarks: Landmarks, lost: NDArray[np.bool_]) -> Landmarks:
    """Return the landmarks without some observations (O,)."""
    view = landmarks.view_of_observation()[~lost]
    arrays = {name: getattr(landmarks, name)[~lost] for name in ("landmark", "pixels", "scales", "orientations")}
    counts = np.bincount(view, minlength=len(landmarks.views))
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return replace(landmarks, **arrays, descriptors=landmarks.descriptors[~lost], view_offsets=offsets)
