"""The window under a virtual display, in a process of its own, beside the picture that needs no display."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.twin.viewer.worlds import contents
from twin.viewer.picture import render
from twin.viewer.viewpoint import looking, pinhole, through

SIZE = (320, 240)
IN_A_WINDOW = """
import sys
import numpy as np
from tests.twin.viewer.test_window import outside
from tests.twin.viewer.worlds import contents
from twin.viewer.window import Window
from twin.viewer.viewpoint import through

window = Window(contents(), size=(320, 240), visible=False)
pictures = []
for step in (lambda: window.look(outside()), lambda: window.toggle("surface"), window.next_level, window.next_level,
             window.next_level, window.next_mode):
    step()
    pictures.append(window.picture())
window.toggle("surface")
window.next_mode()
window.next_camera()
pictures.append(window.picture())
window.most_points = 10
window.draw()
pictures.append(window.picture())
window.close()
np.save(sys.argv[1], np.array(pictures))
"""


def outside():
    return looking(np.array([4.0, -9.0, 6.0]), np.array([4.0, 3.0, 1.0]), pinhole(*SIZE, 240.0))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    if shutil.which("xvfb-run") is None:
        pytest.skip("xvfb-run is not installed: no display to open a window on")
    path = tmp_path_factory.mktemp("window") / "seen.npy"
    command = ["xvfb-run", "-a", sys.executable, "-W", "ignore", "-c", IN_A_WINDOW, str(path)]
    root = Path(__file__).parents[3]
    environment = os.environ | {"PYTHONPATH": str(root), "LIBGL_ALWAYS_SOFTWARE": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if not path.exists():
        pytest.fail(f"the window gave no pictures: {done.stderr[-800:]}")
    return np.load(path)


def difference(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How far two pictures are apart (H, W) where edges are smoothed alike."""
    smooth_a, smooth_b = (cv2.GaussianBlur(each.astype(np.float32), (0, 0), 1.5) for each in (a, b))
    return np.abs(smooth_a - smooth_b).max(axis=-1)


def test_window_and_picture_without_display_show_the_same(seen: np.ndarray) -> None:
    apart = difference(seen[0], render(contents(), outside()))
    assert apart.mean() < 3.0  # 1.1 measured
    assert (apart > 24).mean() < 0.02  # 0.003 measured


def test_a_key_hides_the_surface_as_the_picture_does(seen: np.ndarray) -> None:
    without = ("landmarks", "walk", "cameras", "plan", "tracks", "photos")
    apart = difference(seen[1], render(contents(), outside(), shown=without))
    assert (apart > 24).mean() < 0.02
    assert difference(seen[1], seen[0]).mean() > 10


def test_levels_come_one_by_one_and_then_all(seen: np.ndarray) -> None:
    without = ("landmarks", "walk", "cameras", "plan", "tracks", "photos")
    for number, level in ((2, 0), (3, 1), (4, None)):
        apart = difference(seen[number], render(contents(), outside(), shown=without, level=level))
        assert (apart > 24).mean() < 0.02


def test_colours_change_and_a_camera_is_looked_through(seen: np.ndarray) -> None:
    assert difference(seen[5], seen[4]).max() > 24
    own = through(contents().cameras[0])
    scaled = pinhole(*SIZE, own.camera.focal_length_y * SIZE[1] / own.camera.height)
    expected = render(contents(), type(own)(camera=scaled, cam_from_site=own.cam_from_site))
    assert (difference(seen[6], expected) > 24).mean() < 0.03


def test_fewer_landmarks_are_a_sample_of_all(seen: np.ndarray) -> None:
    changed = (difference(seen[7], seen[6]) > 24).mean()
    assert 0 < changed < 0.2
