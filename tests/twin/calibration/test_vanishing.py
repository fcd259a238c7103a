"""Focal length and tilt from vanishing points."""

import cv2
import numpy as np
import pytest

from geometry import camera_from_params, project, transform_points
from perception import ground_view, line_segments
from scenes import look
from twin.calibration.vanishing import seen_alone, tilt_deg

SIZE = (960, 720)


def stall_lines(focal: float, tilt: float) -> np.ndarray:
    """Return a picture of painted lines in two directions, from 3 m above them."""
    camera = camera_from_params("PINHOLE", *SIZE, [focal, focal, SIZE[0] / 2, SIZE[1] / 2])
    pose = look((0.0, 0.0, 3.0), np.radians(35.0), np.radians(-tilt), 0.0)
    picture = np.full(SIZE[::-1], 70, np.uint8)
    steps = np.linspace(-12.0, 12.0, 49)
    ends = [((x, y, 0.0), (x, y + 2.0, 0.0)) for x in steps[::5] for y in steps[::6]]
    ends += [((x, y, 0.0), (x + 2.0, y, 0.0)) for x in steps[::5] for y in steps[::6]]
    pixels, valid = project(camera, transform_points(pose, np.array(ends).reshape(-1, 3)))
    for (a, b), seen in zip(pixels.reshape(-1, 2, 2), valid.reshape(-1, 2), strict=True):
        if seen.all() and np.abs([a, b]).max() < 5000:
            cv2.line(picture, a.round().astype(int), b.round().astype(int), 230, 3, cv2.LINE_AA)
    return picture


@pytest.mark.parametrize(("focal", "tilt"), [(700.0, 30.0), (900.0, 20.0), (1000.0, 40.0)])
def test_painted_lines_tell_lens_and_tilt(focal: float, tilt: float) -> None:
    picture = stall_lines(focal, tilt)
    view = ground_view(line_segments(picture), SIZE)
    assert view.focal_px == pytest.approx(focal, rel=0.05)
    assert tilt_deg(view, SIZE) == pytest.approx(tilt, abs=1.5)
    assert "focal length about" in (seen_alone(picture) or "")


def test_a_bare_floor_tells_nothing() -> None:
    assert seen_alone(np.full(SIZE[::-1], 70, np.uint8)) is None
