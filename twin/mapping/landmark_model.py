"""A COLMAP model of landmarks and the views that see them, and nothing else: what a twin stores and is updated from."""

from collections.abc import Mapping

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import position_of
from twin.landmarks import Landmarks

Array = NDArray[np.float64]
NOT_FOUND = -1


def landmark_model(
    landmarks: Landmarks,
    source: pycolmap.Reconstruction,
    keypoints: Mapping[str, NDArray[np.floating]] | None = None,
    rows: NDArray[np.integer] | None = None,
) -> pycolmap.Reconstruction:
    """Return the model of all landmarks, with cameras, poses and ids of the views as in ``source``.

    keypoints: by view, (N, 2) px, what becomes its 2D points; by default the pixels of its observations
    rows: (O,) which keypoint of its view each observation is, ``NOT_FOUND`` for none; by default in order

    A landmark keeps its id; one with fewer than two observations is left out.
    """
    model = pycolmap.Reconstruction()
    images = [source.find_image_with_name(name) for name in landmarks.views]
    for camera_id in sorted({image.camera_id for image in images}):
        model.add_camera_with_trivial_rig(source.cameras[camera_id])
    starts = landmarks.view_offsets
    for view, image in enumerate(images):
        own = landmarks.pixels[starts[view] : starts[view + 1]] if keypoints is None else keypoints[image.name]
        copied = pycolmap.Image(
            name=image.name, image_id=image.image_id, camera_id=image.camera_id, keypoints=own.astype(np.float64)
        )
        model.add_image_with_trivial_frame(copied, image.cam_from_world())
    if rows is None:
        rows = np.arange(len(landmarks.landmark)) - np.repeat(starts[:-1], np.diff(starts))
    landmark = np.asarray(landmarks.landmark)
    views = np.bincount(landmark[rows != NOT_FOUND], minlength=len(landmarks))
    for point_id, xyz in zip(landmarks.ids[views >= 2].tolist(), landmarks.points[views >= 2], strict=True):
        model.add_point3D_with_id(point_id, pycolmap.Point3D(xyz=xyz))
    used = np.flatnonzero((rows != NOT_FOUND) & (views[landmark] >= 2))
    image_ids = np.array([image.image_id for image in images])[landmarks.view_of_observation()[used]]
    for point_id, image_id, row in zip(
        landmarks.ids[landmark[used]].tolist(), image_ids.tolist(), rows[used].tolist(), strict=True
    ):
        model.add_observation(point_id, pycolmap.TrackElement(image_id, row))
    model.update_point_3d_errors()
    return model


def centres_of(model: pycolmap.Reconstruction, names: tuple[str, ...]) -> Array:
    """Return the camera centres (V, 3) of images by name."""
    return np.array([position_of(model.find_image_with_name(name).cam_from_world()) for name in names]).reshape(-1, 3)
