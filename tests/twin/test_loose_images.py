"""Images that were placed and that the map hardly holds in the end."""

import numpy as np
import pycolmap

from perception import Features
from twin.landmarks import landmarks_from
from twin.mapping.pipeline import without_loose
from twin.mapping.reconstruction import MIN_POINTS


def a_map(kept: int) -> tuple[pycolmap.Reconstruction, dict[str, Features]]:
    """Return a map of five images, the third of which sees only so many of its points, with features."""
    pycolmap.set_random_seed(0)
    options = pycolmap.SyntheticDatasetOptions(num_rigs=5, num_cameras_per_rig=1, num_frames_per_rig=1, num_points3D=60)
    model = pycolmap.synthesize_dataset(options)
    third = model.images[3]
    seen = [k for k, point in enumerate(third.points2D) if point.has_point3D()]
    for k in seen[kept:]:
        model.delete_observation(3, k)
    rng, features = np.random.default_rng(1), {}
    for image in model.images.values():
        pixels = np.array([point.xy for point in image.points2D], dtype=np.float32)
        described = rng.normal(size=(len(pixels), 128)).astype(np.float32)
        features[image.name] = Features(
            keypoints=pixels,
            scales=np.ones(len(pixels), np.float32),
            orientations=np.zeros(len(pixels), np.float32),
            scores=np.ones(len(pixels), np.float32),
            descriptors=described / np.linalg.norm(described, axis=1, keepdims=True),
            image_size=(image.camera.width, image.camera.height),
            kind="sift",
        )
    return model, features


def test_an_image_with_too_few_landmarks_is_not_part_of_the_map() -> None:
    model, features = a_map(MIN_POINTS - 1)
    name = model.images[3].name
    before = landmarks_from(model, features, "sift")
    assert name in before.views
    after = without_loose(model, before, features)
    assert set(before.views) - set(after.views) == {name}
    assert not model.images[3].has_pose
    assert np.diff(after.view_offsets).min() >= MIN_POINTS


def test_others_stay() -> None:
    model, features = a_map(60)
    before = landmarks_from(model, features, "sift")
    assert without_loose(model, before, features) is before
    assert model.num_reg_images() == 5
