"""Weights of landmarks in a synthetic room of which later photos show a part no more."""

import numpy as np
import pytest

from tests.twin.mapping.worlds import model_of, unseen
from tests.twin.worlds import Mapped, mapped, room, walk
from twin.mapping.presence import Sightings, dimming, presence, sightings

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
    return asked(before.of(known), after.of(known), landmarks.points[known]), known


def asked(own: Sightings, later: Sightings, points: np.ndarray, before: float = 1.0) -> np.ndarray:
    return presence(np.full(len(points), before), points, own, later, dimming(own, later))


def apart(count: int) -> np.ndarray:
    """Return points that are no neighbours."""
    return np.outer(np.arange(count), (10.0, 0.0, 0.0))


def test_what_later_photos_miss_loses_weight(world: Mapped) -> None:
    landmarks = world.landmarks
    gone = (landmarks.points[:, 0] > 3.0) & (landmarks.points[:, 2] > 1.0)
    later = landmarks.view_of_observation() % 2 == 1
    found, known = weights(world, gone[landmarks.landmark] & later)
    assert np.median(found[gone[known]]) < 0.3  # measured 0.26, as far as one update may go
    assert np.mean(found[~gone[known]] > 0.9) > 0.95
    assert (found > 0.0).all()


def test_photos_that_find_little_do_not_empty_the_map(world: Mapped) -> None:
    lost = np.random.default_rng(0).random(len(world.landmarks.landmark)) < 0.6
    found, _ = weights(world, lost)
    assert np.mean(found < 0.5) < 0.1  # two thirds of all sightings are missing, of no landmark in particular


def test_what_nobody_looked_at_keeps_its_weight() -> None:
    own = Sightings(expected=np.array([4.0, 4.0, 4.0]), found=np.array([4.0, 4.0, 4.0]))
    later = Sightings(expected=np.array([0.0, 3.0, 3.0]), found=np.array([0.0, 0.0, 3.0]))
    unlooked, missed, seen = asked(own, later, apart(3), before=0.4)
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
    found = asked(own, later, apart(55))[:5]
    assert (np.diff(found) < 0).all()


def test_a_thing_vanishes_as_a_whole_and_not_at_once() -> None:
    count = 40
    own = Sightings(expected=np.full(2 * count, 4.0), found=np.full(2 * count, 2.0))
    later = Sightings(expected=np.ones(2 * count), found=np.r_[np.zeros(count), np.ones(count)])
    together = np.r_[0.001 * apart(count), 100.0 + apart(count)]
    alone, beside = asked(own, later, apart(2 * count))[0], asked(own, later, together)[0]
    assert alone > 0.8  # one photo that misses one landmark says little
    assert 0.2 < beside < 0.5  # that it misses all of a thing says much, but no single day takes it out of the map
    later = Sightings(expected=later.expected, found=(np.arange(2 * count) % 4 > 0) + 0.0)
    assert asked(own, later, together)[0] > beside  # a part of it that is still there speaks for the rest


def test_nothing_is_no_trouble() -> None:
    none = Sightings(expected=np.zeros(0), found=np.zeros(0))
    assert asked(none, none, np.zeros((0, 3))).shape == (0,)
