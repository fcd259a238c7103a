"""How long errors last, of errors that are drawn here to last so long."""

import numpy as np
import pytest

from perception.detections import Detections
from scenes.captures.boxes import Box, FrameBoxes
from training.persistence import LONGEST_S, persistence

FPS, FRAMES, OBJECTS = 5.0, 400, 6


def recording(lasts_s: float, speed: float) -> tuple[list[Detections], list[FrameBoxes]]:
    """Return boxes whose sides are off by an autoregressive process of a time constant, of objects of a speed."""
    rng, rho = np.random.default_rng(0), float(np.exp(-1 / (FPS * lasts_s))) if lasts_s else 0.0
    error = 0.05 * rng.normal(size=(OBJECTS, 6))
    found, frames = [], []
    for k in range(FRAMES):
        error = rho * error + np.sqrt(1 - rho**2) * 0.05 * rng.normal(size=error.shape)
        corners = np.array([[20.0 + 100 * i, 100.0] for i in range(OBJECTS)])
        boxes = np.concatenate([corners, corners + np.array([60.0, 40.0])], axis=1)
        feet = corners + np.array([30.0, 36.0])
        shown = tuple(
            Box(
                camera="cam", time=k / FPS, object=f"o{i}", kind="car", bbox=tuple(box), bbox_visible=tuple(box),
                visible_fraction=1.0, contact=tuple(foot), position=(speed * k / FPS, 5.0 * i, 0.0), heading=0.0,
                size=(4.0, 1.8, 1.5),
            )
            for i, (box, foot) in enumerate(zip(boxes.tolist(), feet.tolist(), strict=True))
        )  # fmt: skip
        frames.append(FrameBoxes(camera="cam", time=k / FPS, utc=k / FPS, image_size=(640, 480), boxes=shown))
        size = np.array([60.0, 40.0])
        off = boxes + error[:, :4] * np.tile(size, 2)
        found.append(Detections.of("cam", k / FPS, off, "car", 0.9, feet + error[:, 4:] * size))
    return found, frames


@pytest.mark.parametrize("lasts_s", [0.0, 0.15, 0.3])
def test_what_was_drawn_is_measured(lasts_s: float) -> None:
    rho = float(np.exp(-1 / (FPS * lasts_s))) if lasts_s else 0.0
    told = persistence(*recording(lasts_s, speed=2.0))
    assert told == pytest.approx(rho / (1 - rho) / FPS, rel=0.2, abs=0.01)


def test_what_an_object_has_for_good_counts_for_no_longer_than_is_looked_at() -> None:
    assert persistence(*recording(1e4, speed=2.0)) == pytest.approx(LONGEST_S, rel=0.05)


def test_what_stands_says_nothing_of_it() -> None:
    """An error there lasts as long as the object stands, and is no property of the detector's."""
    assert persistence(*recording(0.8, speed=0.2)) == 0.0
    assert persistence([], []) == 0.0
