"""Maps with a storey on top of another that looks alike."""

import logging
from itertools import combinations

import numpy as np
import pycolmap
import pytest

from geometry import MappingError, pose_from_position, position_of, quat_xyzw_of
from tests.twin.mapping.by_order.worlds import CAMERA, POINTS, RING, STOREY_M, Walk, two_storeys
from twin.mapping.look_alikes import MIN_PAIRS, MIN_SHARED, require_no_look_alikes, shared_by_twins


@pytest.fixture(scope="module")
def walk() -> Walk:
    return two_storeys(alike=0.12, corners=RING[:-1])


def model_of(walk: Walk, *, folded: bool) -> pycolmap.Reconstruction:
    """Return the true map of a walk, or the one where the storey above lies on the first and look-alikes are one."""
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(pycolmap.Camera(CAMERA.todict()))
    tracks: dict[int, list[pycolmap.TrackElement]] = {}
    for row, (pose, features) in enumerate(zip(walk.poses, walk.features, strict=True)):
        eye, above = position_of(pose), position_of(pose)[2] > STOREY_M
        looks = features.descriptors[:, 0].astype(int)
        shown = looks if folded else looks + POINTS * (above & (looks < POINTS))
        image = pycolmap.Image(
            name=f"{row:04d}.jpg", image_id=row + 1, camera_id=1, keypoints=features.keypoints.astype(np.float64)
        )
        down = STOREY_M if folded and above else 0.0
        there = pose_from_position(eye - [0, 0, down], quat_xyzw_of(pose))
        model.add_image_with_trivial_frame(image, there)
        for keypoint, point in enumerate(shown.tolist()):
            tracks.setdefault(point, []).append(pycolmap.TrackElement(row + 1, keypoint))
    for point, elements in tracks.items():
        down = STOREY_M if folded and point >= POINTS else 0.0
        model.add_point3D(walk.places[point] - [0, 0, down], pycolmap.Track(elements))
    return model


def asked(walk: Walk) -> list[tuple[int, int]]:
    return list(combinations(range(len(walk.poses)), 2))


def test_a_storey_on_top_of_another_is_refused(walk: Walk, caplog: pytest.LogCaptureFixture) -> None:
    model = model_of(walk, folded=True)
    shares = shared_by_twins(model, asked(walk))
    assert len(shares) >= MIN_PAIRS
    assert np.median(shares) < 0.4 < MIN_SHARED  # measured 0.13
    with pytest.raises(MappingError, match="look alike lie on each other"):
        require_no_look_alikes(model, asked(walk), force=False)
    with caplog.at_level(logging.WARNING):
        assert require_no_look_alikes(model, asked(walk), force=True) == len(shares)
    assert "look alike" in caplog.text


def test_storeys_above_each_other_are_not(walk: Walk) -> None:
    assert require_no_look_alikes(model_of(walk, folded=False), asked(walk), force=False) == 0


def test_what_is_walked_twice_is_one_place() -> None:
    twice = two_storeys(alike=0.12)
    shares = shared_by_twins(model_of(twice, folded=False), asked(twice))
    assert len(shares) >= MIN_PAIRS
    assert np.median(shares) > MIN_SHARED  # measured 0.93
    assert require_no_look_alikes(model_of(twice, folded=False), asked(twice), force=False) == 0


def test_pairs_that_were_not_matched_tell_nothing(walk: Walk) -> None:
    assert len(shared_by_twins(model_of(walk, folded=True), [])) == 0
    assert require_no_look_alikes(pycolmap.Reconstruction(), [(0, 1)], force=False) == 0
