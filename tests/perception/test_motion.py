"""What changes in a still camera's pictures: what moves in a box, and neither noise nor light."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from perception.motion import BEFORE_S, MotionWatch

Pixels = NDArray[np.uint8]

SIZE = (480, 640)
HERE, THERE = [100.0, 200.0, 180.0, 260.0], [400.0, 200.0, 480.0, 260.0]


def floor(seed: int = 0) -> Pixels:
    """Return a floor with stains, as large as the things that move over it."""
    coarse = np.random.default_rng(seed).uniform(60, 150, (SIZE[0] // 20, SIZE[1] // 20, 3)).astype(np.float32)
    return cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def with_box(pixels: Pixels, x: float) -> Pixels:
    """Return a picture with a dark thing of 80 x 60 px at x."""
    shown = pixels.copy()
    shown[200:260, round(x) : round(x) + 80] = (20, 25, 60)
    return shown


def noisy(pixels: Pixels, sigma: float, rng: np.random.Generator) -> Pixels:
    return np.clip(pixels + rng.normal(0, sigma, pixels.shape), 0, 255).astype(np.uint8)


def compressed(pixels: Pixels, quality: int = 80) -> Pixels:
    return cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


def after_a_second(first: Pixels, second: Pixels, boxes: list[list[float]]) -> NDArray[np.float64]:
    watch = MotionWatch()
    assert np.isnan(watch.changed(first, boxes, 10.0)).all()
    return watch.changed(second, boxes, 11.0)


def test_what_moved_changed_and_what_stands_did_not() -> None:
    picture = with_box(floor(), 100)
    moved = after_a_second(picture, with_box(with_box(floor(), 440), 100), [HERE, THERE])
    assert moved[0] == 0
    assert 0.45 < moved[1] < 0.6  # measured 0.52: half of its box, and the blurred edge
    gone = after_a_second(picture, floor(), [HERE, THERE])
    assert gone[0] > 0.95  # measured 1
    assert gone[1] == 0


def test_it_is_found_in_noise_and_noise_alone_changes_nothing() -> None:
    rng = np.random.default_rng(3)
    boxes = [HERE, THERE, [0.0, 0.0, 640.0, 480.0]]
    still, moving = [], []
    for _ in range(10):
        first, same = (compressed(noisy(with_box(floor(), 100), 6.0, rng)) for _ in range(2))
        still.append(after_a_second(first, same, boxes))
        moving.append(after_a_second(first, compressed(noisy(floor(), 6.0, rng)), boxes)[0])
    assert np.max(still) < 0.02  # measured 0.0002 at most
    assert np.min(moving) > 0.95  # measured 1


@pytest.mark.parametrize(("gain", "offset"), [(1.0, 30.0), (1.0, -15.0), (1.15, 0.0), (0.85, 0.0)])
def test_lamps_that_go_on_or_off_change_nothing(gain: float, offset: float) -> None:
    picture = with_box(floor(), 100)
    lit = np.clip(picture * gain + offset, 0, 255).astype(np.uint8)
    found = after_a_second(picture, lit, [HERE, THERE, [0.0, 0.0, 640.0, 480.0]])
    assert found.max() < 0.01  # measured 0; by 30 % brighter, a dark thing on a light floor would change, 0.89


def test_the_picture_of_a_moment_ago_is_compared_with() -> None:
    """At 5 frames a second, something that goes 10 px a frame changed where it was 0.8 s ago, and where it is."""
    watch = MotionWatch()
    told = []
    for number in range(12):
        x = 100 + 10 * number
        told.append(watch.changed(with_box(floor(), x), [[x, 200, x + 80, 260], THERE], number / 5))
    early = int(np.ceil(BEFORE_S * 5))
    assert np.isnan(told[:early]).all()
    later = np.array(told[early:])
    assert ((later[:, 0] > 0.4) & (later[:, 0] < 0.65)).all()  # measured 0.54 to 0.55; 40 of 80 px would be 0.5
    np.testing.assert_array_equal(later[:, 1], 0)


def test_of_slow_cameras_the_last_picture_counts() -> None:
    watch = MotionWatch()
    watch.changed(floor(), [HERE], 0.0)
    assert watch.changed(with_box(floor(), 100), [HERE], 5.0)[0] > 0.9
    assert watch.changed(with_box(floor(), 100), [HERE], 10.0)[0] == 0


def test_without_a_picture_to_compare_with_nothing_is_known() -> None:
    watch = MotionWatch()
    assert np.isnan(watch.changed(floor(), [HERE, THERE], 0.0)).all()
    assert np.isnan(watch.changed(floor(), [HERE], 0.1)).all(), "too soon"
    assert np.isnan(watch.changed(floor()[:400], [HERE], 1.0)).all(), "of another size"
    assert np.isnan(watch.changed(floor()[:400], [HERE], 1.1)).all()
    assert watch.changed(floor()[:400], [HERE], 2.0)[0] == 0
    assert watch.changed(floor()[:400], np.zeros((0, 4)), 3.0).shape == (0,)


def test_boxes_may_lie_outside_and_be_empty() -> None:
    outside = [[-50.0, 100, -10, 200], [700, 100, 800, 200], [600, 400, 900, 900], [50, 50, 50, 50], [-9, -9, -9, -9]]
    found = after_a_second(floor(), with_box(floor(), 300), [*outside, [290.0, 190, 390, 270]])
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[:-1], 0)
    assert 0.5 < found[-1] <= 1
    everywhere = after_a_second(floor(), floor(1), [*outside, [0.0, 0, 640, 480]])
    assert ((everywhere >= 0) & (everywhere <= 1)).all()


def test_large_pictures_are_compared_small() -> None:
    first, second = with_box(floor(), 100), floor()
    larger = [cv2.resize(each, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR) for each in (first, second)]
    found = after_a_second(*larger, (4 * np.array([HERE, THERE])).tolist())
    np.testing.assert_allclose(found, after_a_second(first, second, [HERE, THERE]), atol=0.05)


@pytest.mark.parametrize(
    "fps",
    [30, 60],
)
def test_at_many_frames_a_second_a_picture_is_kept_for_long_enough(fps: int) -> None:
    watch = MotionWatch()
    told = [watch.changed(floor() if k < fps else with_box(floor(), 100), [HERE], k / fps) for k in range(fps + 2)]
    assert told[-1][0] > 0.9
