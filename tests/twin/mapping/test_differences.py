"""What changed in a synthetic place: a crate that moved, one that is gone, one that came, and stray misses."""

from dataclasses import replace

import numpy as np

from tests.twin.worlds import mapped, room, unit, walk
from twin.landmarks import Landmarks
from twin.mapping.differences import differences

LEVELS = (("P1", 0.0), ("P2", 3.0))
CRATE = 30


def place(rng: np.random.Generator) -> tuple[Landmarks, dict[str, np.ndarray]]:
    """Return landmarks, and which of them are of the wall, the moved crate before and after, the lost and the new."""
    world = mapped(room(rng), walk(), rng).landmarks
    parts = np.split(rng.permutation(len(world))[: 4 * CRATE], 4)
    points, mean = np.array(world.points), unit(rng.standard_normal((len(world), 32)))
    crate = rng.uniform(-0.3, 0.3, (CRATE, 3))
    moved, after, lost, new = parts
    centres = np.array([(1.0, 1.0, 0.5), (2.0, 1.5, 0.5), (-2.0, 1.0, 3.6), (-2.0, -2.0, 0.5)])
    points[np.concatenate(parts)] = (centres[:, None] + crate).reshape(-1, 3)
    mean[after] = mean[moved]
    seen = replace(world, points=points, descriptors=mean[world.landmark].astype(np.float16))
    return seen, {"moved": moved, "after": after, "lost": lost, "new": new}


def chosen(landmarks: Landmarks, *rows: np.ndarray) -> np.ndarray:
    mask = np.zeros(len(landmarks), dtype=bool)
    mask[np.concatenate(rows)] = True
    return mask


def test_moved_gone_and_new_are_told_apart() -> None:
    landmarks, parts = place(np.random.default_rng(2))
    found = differences(
        landmarks,
        chosen(landmarks, parts["moved"], parts["lost"]),
        chosen(landmarks, parts["after"], parts["new"]),
        LEVELS,
    )
    (move,), (lost,), (new,) = found.moved, found.vanished, found.appeared
    assert move["landmarks"] >= CRATE - 3
    assert abs(move["distance_m"] - np.hypot(1.0, 0.5)) < 0.02
    assert np.allclose(move["to"]["position"], (2.0, 1.5, 0.5), atol=0.15)
    assert (lost["level"], new["level"], move["from"]["level"]) == ("P2", "P1", "P1")
    assert np.allclose(lost["position"], (-2.0, 1.0, 3.6), atol=0.15)
    assert lost["landmarks"] == new["landmarks"] == CRATE


def test_misses_among_what_is_still_there_are_no_change() -> None:
    landmarks, _ = place(np.random.default_rng(2))
    stray = np.random.default_rng(1).random(len(landmarks)) < 0.2
    found = differences(landmarks, stray, np.zeros(len(landmarks), dtype=bool), LEVELS)
    assert (found.moved, found.appeared) == ([], [])
    assert sum(region["landmarks"] for region in found.vanished) < 0.1 * stray.sum()


def test_nothing_changed() -> None:
    landmarks, _ = place(np.random.default_rng(2))
    none = np.zeros(len(landmarks), dtype=bool)
    found = differences(landmarks, none, none, ())
    assert (found.moved, found.appeared, found.vanished) == ([], [], [])
