"""Maps of a walk whose parts were joined where they look alike."""

import logging

import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import MappingError, pose_from_position
from twin.mapping.continuity import MOST_JUMPS, jumps, require_continuous


def model_of(centres: np.ndarray) -> pycolmap.Reconstruction:
    model = pycolmap.Reconstruction()
    camera = pycolmap.Camera(model="PINHOLE", width=640, height=480, params=[500.0, 500, 320, 240], camera_id=1)
    model.add_camera_with_trivial_rig(camera)
    for i, centre in enumerate(centres):
        image = pycolmap.Image(name=f"{i:04d}.jpg", image_id=i + 1, camera_id=1)
        model.add_image_with_trivial_frame(image, pose_from_position(centre, (0.0, 0.0, 0.0, 1.0)))
    return model


def walked(count: int, recordings: int = 1, seed: int = 0) -> np.ndarray:
    """Return centres (N, 3) of a walk with steps about as long as each other, of recordings that begin elsewhere."""
    rng = np.random.default_rng(seed)
    heading = np.cumsum(0.3 * rng.standard_normal(count))
    steps = 1.5 * np.exp(0.4 * rng.standard_normal(count))
    path = np.cumsum(steps[:, None] * np.column_stack([np.cos(heading), np.sin(heading), 0 * heading]), axis=0)
    part = np.arange(count) * recordings // count
    return path + 80.0 * part[:, None] * np.array([0.3, 1.0, 0.0])


@given(count=st.integers(30, 120), recordings=st.integers(1, MOST_JUMPS + 1), seed=st.integers(0, 100))
def test_walks_do_not_jump_but_where_a_recording_begins(count: int, recordings: int, seed: int) -> None:
    model = model_of(walked(count, recordings, seed))
    assert len(jumps(model)) == recordings - 1
    assert require_continuous(model, force=False) == []


def test_parts_joined_where_they_look_alike_are_refused(caplog: pytest.LogCaptureFixture) -> None:
    centres = walked(120)
    for start in range(20, 120, 20):
        centres[start : start + 6] -= (40.0, 0.0, 3.0)  # a stretch that lies on another
    model = model_of(centres)
    with pytest.raises(MappingError, match="jumps 10 times in 119 steps") as refused:
        require_continuous(model, force=False)
    assert "0019.jpg" in str(refused.value)
    with caplog.at_level(logging.WARNING):
        assert len(require_continuous(model, force=True)) == 10
    assert "jumps 10 times" in caplog.text


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_photos_are_no_walk(count: int) -> None:
    assert require_continuous(model_of(np.zeros((count, 3))), force=False) == []
