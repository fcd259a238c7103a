"""Weights of landmarks in a synthetic room of which later photos show a part no more."""

import numpy as np
import pytest

from tests.twin.mapping.worlds import model_of, unseen
from tests.twin.worlds import Mapped, mapped, room, walk
from twin.mapping.presence import Sightings, presence, sightings

VIEWS = 48


@pytest.fixture(scope="module")
def world() -> Mapped:
    rng = np.random.default_rng(3)
    return mapped(room(rng), walk(VIEWS), rng)


def weights(world: Mapped, lost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of landmarks that earlier photos saw, every second one, and which these are."""
    landmarks, model = unseen(world.landmarks, lost), model_of(world)
    later = np.arange(VIEWS) % 2 == 1
    before, after = sightings(landmarks, model, ~later), sightings(landmarks, model, later)
    known = before.found > 0
    return presence(np.ones(known.sum()), before.of(known), after.of(known)), known


def test_what_later_photos_miss_loses_weight(world: Mapped) -> None:
    landmarks = world.landmarks
    gone = (landmarks.points[:, 0] > 3.0) & (landmarks.points[:, 2] > 1.0)
    later = landmarks.view_of_observation() % 2 == 1
    found, known = weights(world, gone[landmarks.landmark] & later)
    assert np.median(found[gone[known]]) < 0.1  # measured 0.03
    assert np.mean(found[~gone[known]] > 0.9) > 0.95
    assert (found > 0.0).all()


def test_photos_that_find_little_do_not_empty_the_map(world: Mapped) -> None:
    lost = np.random.default_rng(0).random(len(world.landmarks.landmark)) < 0.6
    found, _ = weights(world, lost)
    assert np.mean(found < 0.5) < 0.1  # two thirds of all sightings are missing, of no landmark in particular


def test_what_nobody_looked_at_keeps_its_weight() -> None:
    own = Sightings(expected=np.array([4.0, 4.0, 4.0]), found=np.array([4.0, 4.0, 4.0]))
    later = Sightings(expected=np.array([0.0, 3.0, 3.0]), found=np.array([0.0, 0.0, 3.0]))
    unlooked, missed, seen = presence(np.array([0.4, 0.4, 0.4]), own, later)
    assert unlooked == 0.4
    assert missed < 0.2
    assert seen == 1.0


def test_more_misses_weigh_more() -> None:
    own = Sightings(expected=np.full(5, 6.0), found=np.full(5, 4.0))
    later = Sightings(expected=np.arange(5.0), found=np.zeros(5))
    # As of many others that were seen, so that the misses are not for want of light.
    own = Sightings(expected=np.append(own.expected, np.full(50, 6.0)), found=np.append(own.found, np.full(50, 4.0)))
    later = Sightings(
        expected=np.append(later.expected, np.full(50, 6.0)), found=np.append(later.found, np.full(50, 4.0))
    )
    found = presence(np.ones(55), own, later)[:5]
    assert (np.diff(found) < 0).all()


def test_nothing_is_no_trouble() -> None:
    none = Sightings(expected=np.zeros(0), found=np.zeros(0))
    assert presence(np.zeros(0), none, none).shape == (0,)
