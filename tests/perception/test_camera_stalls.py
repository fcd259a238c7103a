import cv2
import numpy as np
import pytest
import shapely

from geometry.errors import DegenerateError
from perception import CameraStallOptions, StallOptions, StallSize, stalls_in_view
from tests.perception.painted_floors import PaintedFloor

PARALLEL = StallOptions(sizes=(StallSize(kind="standard", width=(2.2, 3.7), depth=(4.0, 6.0)),))


def _picture(noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a picture (720, 1280) of a lot from a mast, and its twelve stalls (12, 4, 2) in pixels."""
    floor = PaintedFloor(24, 20, m_per_px=0.03)
    stalls = []
    for y, into in ((5.0, 5.0), (17.0, -5.0)):
        for i in range(7):
            floor.line((3 + 2.6 * i, y), (3 + 2.6 * i, y + into), 0.12)
            if i < 6:
                x = 3 + 2.6 * i
                stalls.append([(x, y), (x + 2.6, y), (x + 2.6, y + into), (x, y + into)])
        floor.line((3, y + into), (3 + 2.6 * 6, y + into), 0.12)
    rng = np.random.default_rng(5)
    ring = floor.pixels([(1, 1), (23, 1), (23, 19.5), (1, 19.5)]).astype(np.float32)
    homography = cv2.getPerspectiveTransform(ring, _as_seen(ring, floor))
    flat = floor.gray(rng, noise=1.0)
    picture = cv2.warpPerspective(flat, homography, (1280, 720), flags=cv2.INTER_AREA, borderValue=110)
    picture = np.clip(picture + rng.normal(0, noise, picture.shape), 0, 255).astype(np.uint8)
    corners = cv2.perspectiveTransform(floor.pixels(stalls).reshape(-1, 1, 2), homography).reshape(-1, 4, 2)
    return picture, corners


def _as_seen(ring: np.ndarray, floor: PaintedFloor) -> np.ndarray:
    """Project pixels of the floor by a camera 14 m up that looks down at 40 degrees and 25 degrees aside."""
    points = floor.points(ring)
    pitch, yaw = np.radians([40.0, 65.0])
    forward = np.array([np.cos(pitch) * np.cos(yaw), np.cos(pitch) * np.sin(yaw), -np.sin(pitch)])
    right = np.array([np.sin(yaw), -np.cos(yaw), 0.0])
    centre = np.array([4.0, -6.0, 14.0])
    offset = np.column_stack([points, np.zeros(len(points))]) - centre
    in_cam = offset @ np.stack([right, np.cross(forward, right), forward]).T
    return np.asarray(in_cam[:, :2] / in_cam[:, 2:] * 900 + (640, 360), np.float32)


@pytest.mark.parametrize("noise", [0.5, 4.0])
def test_stalls_of_a_drawn_lot(noise: float) -> None:
    picture, truth = _picture(noise)
    found = stalls_in_view(picture, CameraStallOptions(heights=(10.5, 14.0), stalls=PARALLEL))
    a, b = shapely.polygons(found.polygons), shapely.polygons(truth)
    shared = shapely.area(shapely.intersection(a[:, None], b))
    overlap = shared / (shapely.area(a)[:, None] + shapely.area(b) - shared)
    assert (overlap.max(axis=0) > 0.8).sum() >= 11  # measured 12, clean and noisy
    assert (overlap.max(axis=1) > 0.8).mean() >= 0.9  # measured 1.0
    assert found.view.focal_px == pytest.approx(900, rel=0.1)


def test_a_picture_without_lines_tells_no_ground() -> None:
    with pytest.raises(DegenerateError):
        stalls_in_view(np.full((200, 300), 128, np.uint8))
