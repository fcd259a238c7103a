"""Tags in a photo against where poses expect them, and places where signs are read."""

from importlib.util import find_spec
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import shapely

from geometry import TagSpecs, camera_from_params, pose_from_position, position_of, quat_xyzw_of
from geometry.floorplan import FloorPlan, Level, Sign
from perception import Picture
from scenes import look
from twin.model import Twin
from twin.signs import SignLandmark
from twin.signs.lines import _line_of
from twin.written_evidence import TAG_LOG_ODDS, WrittenEvidence, _distinct

CAMERA = camera_from_params("PINHOLE", 640, 480, [500.0, 500.0, 320.0, 240.0])
POSE = look((0.0, 0.0, 1.6), np.pi / 2, 0.0, 0.0)  # looks along +y
TAG_M, AWAY_M = 0.4, 4.0
# Its weights are read without importing it, as what it imports is not installed.
needs_signs = pytest.mark.skipif(find_spec("rapidocr_onnxruntime") is None, reason="needs the extra 'signs'")


def tags(height: float = 1.6) -> TagSpecs:
    return TagSpecs(
        families=("tag36h11",),
        ids=np.array([7]),
        size_m=np.array([TAG_M]),
        positions=np.array([[0.0, AWAY_M, height]]),
        quats_xyzw=np.array([[np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)]]),  # faces -y
        sigma_m=np.array([0.003]),
    )


def photo_of_tag() -> Picture:
    """Return what ``POSE`` sees of the tag: a square of 50 px about the picture's middle."""
    side = round(TAG_M / AWAY_M * 500.0)
    marker = cv2.aruco.generateImageMarker(cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_APRILTAG_36h11), 7, side)
    pixels = np.full((480, 640, 3), 230, np.uint8)
    top, left = 240 - side // 2, 320 - side // 2
    pixels[top : top + side, left : left + side] = marker[:, :, None]
    return Picture(name="tag", pixels=pixels)


def raised(metres: float) -> object:
    return pose_from_position(position_of(POSE) + np.array([0.0, 0.0, metres]), quat_xyzw_of(POSE))


def test_a_tag_speaks_for_the_pose_that_expects_it_there() -> None:
    evidence = WrittenEvidence((), tags())
    odds = evidence.log_odds(photo_of_tag(), CAMERA, [POSE, raised(3.5)]).log_odds
    np.testing.assert_allclose(odds, [TAG_LOG_ODDS, -TAG_LOG_ODDS])


def test_nothing_to_read_says_nothing() -> None:
    blank = Picture(name="blank", pixels=np.full((480, 640, 3), 128, np.uint8))
    for evidence in (WrittenEvidence((), tags()), WrittenEvidence((), None)):
        np.testing.assert_array_equal(evidence.log_odds(blank, CAMERA, [POSE, raised(3.5)]).log_odds, [0.0, 0.0])
    assert WrittenEvidence((), None).log_odds(photo_of_tag(), CAMERA, []).log_odds.shape == (0,)


def sign(text: str, height: float) -> SignLandmark:
    return SignLandmark(
        id=text, position=(0.0, AWAY_M, height), normal=(0.0, -1.0, 0.0), text=text, width=1.2, height=0.6,
        letter_height=0.4, probability=1.0, covariance=((1e-4, 0, 0), (0, 1e-4, 0), (0, 0, 1e-4)),
        views=5, kind="board",
    )  # fmt: skip


def test_a_line_of_text_is_read_from_the_left() -> None:
    corners = _line_of(sign("P2", 2.0))
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    assert right[0] > 0.0  # who looks along +y has +x at the right
    assert down[2] < 0.0
    assert abs(right @ down) < 1e-12


def test_places_that_coincide_are_read_once() -> None:
    quad = np.array([[0.0, 0.0], [20.0, 0.0], [20.0, 10.0], [0.0, 10.0]])
    places, owner = _distinct([quad, quad + 100.0, quad + 3.0])
    assert owner == [0, 1, 0]
    assert len(places) == 2
    assert _distinct([])[0].shape == (0, 4, 2)


@needs_signs
def test_a_sign_tells_the_storey() -> None:
    pixels = np.full((480, 640, 3), 225, np.uint8)
    # Letters of 0.4 m at 4 m are 50 px high; the sign hangs 0.4 m above the eye.
    cv2.putText(pixels, "P2", (280, 215), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (20, 20, 20), 8, cv2.LINE_AA)
    evidence = WrittenEvidence([sign("P1", 2.0), sign("P2", 5.5), sign("P3", 9.0)], None)
    odds = evidence.log_odds(Picture(name="sign", pixels=pixels), CAMERA, [POSE, raised(3.5), raised(7.0)]).log_odds
    assert odds.argmax() == 1
    assert odds[1] - np.delete(odds, 1).max() > 2.0  # measured 5.3


@needs_signs
def test_what_names_a_level_is_not_shared_by_look_alikes() -> None:
    pixels = np.full((480, 640, 3), 225, np.uint8)
    cv2.putText(pixels, "P2", (280, 215), cv2.FONT_HERSHEY_SIMPLEX, 2.2, (20, 20, 20), 8, cv2.LINE_AA)
    picture, poses = Picture(name="sign", pixels=pixels), [POSE, raised(3.5), raised(7.0)]
    outline = shapely.box(-10.0, -10.0, 10.0, 10.0)
    levels = [Level(id=f"P{k + 1}", elevation=3.5 * k, outline=outline) for k in range(3)]
    evidence = WrittenEvidence([sign("P1", 2.0), sign("P2", 5.5), sign("P3", 9.0)], None, levels)
    read = evidence.log_odds(picture, CAMERA, poses)
    np.testing.assert_array_equal(read.shared, np.zeros(3))
    np.testing.assert_array_equal(read.naming, read.log_odds)
    assert read.log_odds.argmax() == 1
    told = evidence.level_log_odds(picture, CAMERA, poses)
    assert told is not None
    assert told.argmax() == 1
    assert np.delete(told, 1).max() < -2.0  # measured -3.6


@needs_signs
@pytest.mark.parametrize("levels", [1, 2])
def test_a_twin_of_several_levels_expects_signs_that_only_its_plan_lists(levels: int) -> None:
    outline = shapely.box(0, 0, 40, 20)
    plan = FloorPlan(
        levels=tuple(Level(id=f"P{k}", name=f"P{k}", elevation=3.5 * k, outline=outline) for k in range(levels)),
        signs=(
            Sign(
                id="s", level="P0", position=shapely.Point(5.0, 5.0, 2.0), normal=(0.0, 1.0, 0.0),
                text="STAIRS P0", width=1.2, height=0.4,
            ),
        ),
    )  # fmt: skip
    parts = SimpleNamespace(is_in_site=True, plan=plan, signs=(), tags=None)
    written = Twin.written.func(parts)  # type: ignore[attr-defined]
    assert [sign.text for sign in written._signs] == ["STAIRS P0"] * (levels > 1)
