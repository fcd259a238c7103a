"""A bent map that surveyed tags straighten."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from geometry import (
    TagSpecs,
    camera_from_params,
    perturb,
    pose_difference,
    position_of,
    project,
    tag_corners,
    transform_points,
)
from scenes import look
from twin.mapping.capture import Capture
from twin.mapping.tag_adjustment import adjust_with_tags
from twin.mapping.tag_sightings import TagSighting

CAMERA = camera_from_params("PINHOLE", 640, 480, [500.0, 500.0, 320.0, 240.0])
CAMERA.camera_id = 1
COUNT = 24


def tags() -> TagSpecs:
    xs = [3.0, 10.0, 17.0, 24.0]
    return TagSpecs(
        families=("tag36h11",) * 4,
        ids=np.arange(4),
        size_m=np.full(4, 0.4),
        positions=np.array([[x, 4.0, 1.6] for x in xs]),
        quats_xyzw=np.tile([np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)], (4, 1)),  # faces -y
        sigma_m=np.full(4, 0.003),
    )


def true_poses() -> list[pycolmap.Rigid3d]:
    return [look((1.0 * i, 0.0, 1.6), np.pi / 2, 0.0, 0.0) for i in range(COUNT)]


def world(
    bend_m: float, noise_px: float, seed: int = 0
) -> tuple[pycolmap.Reconstruction, Capture, list[TagSighting], np.ndarray]:
    """Return a map along a wall whose far end is off by ``bend_m``, its capture, sightings of tags, true centres."""
    rng = np.random.default_rng(seed)
    true = true_poses()
    points = np.column_stack([rng.uniform(-3, COUNT + 3, 600), rng.uniform(3.5, 5.0, 600), rng.uniform(0.2, 3.0, 600)])
    names = tuple(f"{i:03d}.jpg" for i in range(COUNT))
    seen, pixels = [], []
    for pose in true:
        shown, valid = project(CAMERA, transform_points(pose, points))
        inside = valid & (shown > 0).all(axis=1) & (shown < (640, 480)).all(axis=1)
        seen.append(np.flatnonzero(inside))
        pixels.append(shown[inside] + noise_px * rng.standard_normal((int(inside.sum()), 2)))
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(CAMERA)

    def bent(x: float) -> float:
        return bend_m * (max(x, 0.0) / COUNT) ** 2

    for i, pose in enumerate(true):
        image = pycolmap.Image(name=names[i], image_id=i + 1, camera_id=1, keypoints=pixels[i])
        shift = np.array([0.0, 0.0, bent(float(i))])
        off = pycolmap.Rigid3d(pose.rotation, pose.translation - pose.rotation.matrix() @ shift)
        model.add_image_with_trivial_frame(image, perturb(off, 1e-3 * rng.standard_normal(6)))
    for k, point in enumerate(points):
        track = pycolmap.Track()
        for i, rows in enumerate(seen):
            at = np.flatnonzero(rows == k)
            if len(at):
                track.add_element(i + 1, int(at[0]))
        if track.length() >= 2:
            model.add_point3D(point + np.array([0.0, 0.0, bent(float(point[0]))]), track)
    specs = tags()
    corners = tag_corners(specs.size_m, specs.positions, specs.quats_xyzw)
    sightings = []
    for i, pose in enumerate(true):
        for tag in range(4):
            shown, valid = project(CAMERA, transform_points(pose, corners[tag]))
            if valid.all() and ((shown > 0) & (shown < (640, 480))).all():
                noisy = shown + noise_px * rng.standard_normal((4, 2))
                sightings.append(TagSighting(image=i, tag=tag, corners=noisy))
    capture = Capture(
        folder=Path("."), names=names, digests=names, camera_of=(1,) * COUNT, cameras={1: CAMERA},
        given_cameras=frozenset({1}), lenses={1: "x"},
    )  # fmt: skip
    return model, capture, sightings, np.array([position_of(pose) for pose in true])


def error_of(model: pycolmap.Reconstruction, centres: np.ndarray) -> float:
    found = np.array([model.images[i + 1].projection_center() for i in range(COUNT)])
    return float(np.linalg.norm(found - centres, axis=1).max())


# Measured: 2e-10 m and 28 mm, of 185 mm before.
@pytest.mark.parametrize(("noise_px", "bound_m"), [(0.0, 0.002), (0.3, 0.03)])
def test_tags_take_a_bend_out(noise_px: float, bound_m: float) -> None:
    model, capture, sightings, centres = world(0.2, noise_px)
    before = {i: image.num_points2D() for i, image in model.images.items()}
    assert error_of(model, centres) > 0.15
    covariances = adjust_with_tags(model, capture, sightings, tags())
    assert error_of(model, centres) < bound_m
    assert covariances is not None
    assert set(covariances) == set(capture.names)
    assert {i: image.num_points2D() for i, image in model.images.items()} == before
    assert len(model.points3D) > 500
    assert max(np.abs(point.xyz).max() for point in model.points3D.values()) < 40.0


def test_a_tag_that_one_photo_shows_holds_the_map_too() -> None:
    model, capture, sightings, centres = world(0.2, 0.3)
    last = [s for s in sightings if s.tag == 3]
    assert adjust_with_tags(model, capture, [s for s in sightings if s.tag != 3] + last[:1], tags()) is not None
    assert error_of(model, centres) < 0.04  # measured 0.030


def test_two_tags_leave_a_map_as_it_is() -> None:
    model, capture, sightings, centres = world(0.2, 0.0)
    before = error_of(model, centres)
    assert adjust_with_tags(model, capture, [s for s in sightings if s.tag < 2], tags()) is None
    assert adjust_with_tags(model, capture, [], tags()) is None
    assert error_of(model, centres) == before


def test_poses_are_as_unsure_as_they_err() -> None:
    nees = []
    for seed in range(3):
        model, capture, sightings, _ = world(0.2, 0.3, seed)
        covariances = adjust_with_tags(model, capture, sightings, tags())
        assert covariances is not None
        for i, true in enumerate(true_poses()):
            difference = pose_difference(true, model.images[i + 1].cam_from_world())
            nees.append(difference @ np.linalg.solve(covariances[capture.names[i]], difference) / 6)
    # Measured 0.14: the noise here is independent, and the claim allows for 2.5 times as much, as in real maps.
    assert 0.08 < np.mean(nees) < 0.25
