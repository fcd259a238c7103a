"""Distances of texts by the landmarks on them."""

import numpy as np

from twin.landmarks import Landmarks
from twin.signs.depths import text_depths

QUAD = np.array([[100.0, 100.0], [200.0, 110.0], [200.0, 160.0], [100.0, 150.0]])


def landmarks(points: np.ndarray, pixels: np.ndarray) -> Landmarks:
    """Return landmarks of a single view that observes all of them."""
    count = len(points)
    return Landmarks(
        ids=np.arange(count),
        points=points,
        covariances=np.tile(np.eye(3, dtype=np.float32), (count, 1, 1)),
        landmark=np.arange(count, dtype=np.int32),
        pixels=pixels.astype(np.float32),
        scales=np.ones(count, np.float32),
        orientations=np.zeros(count, np.float32),
        descriptors=np.zeros((count, 4), np.float16),
        view_offsets=np.array([0, count]),
        views=("0.jpg",),
        kind="none",
    )


def test_landmarks_on_a_text_tell_how_far_it_is() -> None:
    rng = np.random.default_rng(0)
    on_text = rng.uniform([110, 115], [190, 145], (12, 2))
    beside = rng.uniform([300, 300], [400, 400], (50, 2))
    points = np.vstack([np.tile([0.0, 8.0, 0.0], (12, 1)), np.tile([0.0, 20.0, 0.0], (50, 1))])
    points[3] = [0.0, 15.0, 0.0]  # one is wrong
    found = text_depths(landmarks(points, np.vstack([on_text, beside])), [0, -1], [QUAD, QUAD], np.zeros((2, 3)))
    assert found[0] == 8.0
    assert np.isnan(found[1])


def test_few_landmarks_or_those_of_several_surfaces_tell_nothing() -> None:
    on_text = np.array([[120.0, 125.0], [150.0, 130.0], [160.0, 140.0], [180.0, 130.0]])
    near_and_far = np.array([[0.0, 5.0, 0], [0, 5.5, 0], [0, 9.0, 0], [0, 9.5, 0]])
    assert np.isnan(text_depths(landmarks(near_and_far, on_text), [0], [QUAD], np.zeros((1, 3)))).all()
    few = landmarks(near_and_far[:2], on_text[:2])
    assert np.isnan(text_depths(few, [0], [QUAD], np.zeros((1, 3)))).all()
    nothing = landmarks(np.zeros((0, 3)), np.zeros((0, 2)))
    assert np.isnan(text_depths(nothing, [0], [QUAD], np.zeros((1, 3)))).all()


def test_a_quad_may_run_either_way() -> None:
    on_text = np.array([[120.0, 125.0], [150.0, 130.0], [160.0, 140.0]])
    found = text_depths(landmarks(np.tile([0.0, 5.0, 0.0], (3, 1)), on_text), [0], [QUAD[::-1]], np.zeros((1, 3)))
    assert found[0] == 5.0
