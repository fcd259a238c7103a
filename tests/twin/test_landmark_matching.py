"""A photo's features against what views of a map saw, beside comparing each with each."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geometry import InputError
from perception import Features
from twin.landmark_matching import Uprightness, ViewSearch
from twin.landmarks import Landmarks

Indices = NDArray[np.int64]

OBSERVED = ("landmark", "pixels", "scales", "orientations", "descriptors")


def unit(rng: np.random.Generator, count: int, dimensions: int = 128) -> NDArray[np.float32]:
    rows = rng.normal(size=(count, dimensions))
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def a_map(rng: np.random.Generator, landmarks: int, views: int, noise: float) -> tuple[Landmarks, NDArray[np.float32]]:
    """Return a map of which each view sees some landmarks once, a little differently, and how these really look."""
    looks = unit(rng, landmarks)
    seen = [np.flatnonzero(rng.random(landmarks) < 0.4) for _ in range(views)]
    landmark = np.concatenate(seen)
    described = looks[landmark] + noise * unit(rng, len(landmark))
    described /= np.linalg.norm(described, axis=1, keepdims=True)
    made = Landmarks(
        points=rng.normal(size=(landmarks, 3)),
        covariances=np.tile(np.eye(3, dtype=np.float32), (landmarks, 1, 1)),
        ids=np.arange(landmarks),
        landmark=landmark.astype(np.int32),
        pixels=np.zeros((len(landmark), 2), np.float32),
        scales=np.ones(len(landmark), np.float32),
        orientations=np.zeros(len(landmark), np.float32),
        descriptors=np.round(described / (2.0 / 255.0)).astype(np.int8),
        descriptor_step=2.0 / 255.0,
        view_offsets=np.concatenate([[0], np.cumsum([len(each) for each in seen])]),
        views=tuple(f"{view}.jpg" for view in range(views)),
        kind="sift",
    )
    return made, looks


def photo(descriptors: NDArray[np.float32], orientations: NDArray[np.float64] | None = None) -> Features:
    count = len(descriptors)
    turned = np.zeros(count) if orientations is None else orientations
    return Features(
        keypoints=np.zeros((count, 2), np.float32),
        scales=np.ones(count, np.float32),
        orientations=turned.astype(np.float32),
        scores=np.ones(count, np.float32),
        descriptors=descriptors,
        image_size=(640, 480),
        kind="sift",
    )


def each_with_each(features: Features, landmarks: Landmarks, views: Indices, ratio: float) -> tuple[Indices, Indices]:
    """The matches as they are defined."""
    observations = landmarks.observations_of(views)
    described = landmarks.described(observations).astype(np.float64)
    pairs: dict[int, tuple[float, int]] = {}
    for feature, own in enumerate(features.descriptors.astype(np.float64)):
        squared = ((described - own) ** 2).sum(axis=1)
        landmark = np.asarray(landmarks.landmark)[observations]
        best = int(squared.argmin())
        rival = squared[landmark != landmark[best]].min(initial=np.inf)
        if squared[best] < ratio**2 * rival and squared[best] < pairs.get(int(landmark[best]), (np.inf, 0))[0]:
            pairs[int(landmark[best])] = float(squared[best]), feature
    found = sorted(pairs)
    return np.array([pairs[landmark][1] for landmark in found], np.int64), np.array(found, np.int64)


@given(seed=st.integers(0, 10_000), views=st.integers(1, 6), noise=st.sampled_from([0.0, 0.3, 0.8]))
def test_matches_are_those_of_each_with_each(seed: int, views: int, noise: float) -> None:
    rng = np.random.default_rng(seed)
    landmarks, looks = a_map(rng, 30, 8, noise)
    features = photo(np.concatenate([looks[:20], unit(rng, 5)]))
    asked = rng.permutation(8)[:views]
    search = ViewSearch(features, landmarks)
    for order in (asked, asked[::-1]):  # once from scratch, once from what is known
        feature, landmark = search.matches(order, 0.85)
        wanted = each_with_each(features, landmarks, order, 0.85)
        np.testing.assert_array_equal(landmark, wanted[1])
        np.testing.assert_array_equal(feature, wanted[0])


def test_what_is_turned_otherwise_is_no_match_and_no_rival() -> None:
    rng = np.random.default_rng(3)
    landmarks, looks = a_map(rng, 30, 4, 0.1)
    seen = np.unique(np.asarray(landmarks.landmark))
    features = photo(looks[seen], np.where(np.arange(len(seen)) % 2, 0.0, 2.0))
    upright = Uprightness(roll=0.0, orientations=np.zeros(len(landmarks.landmark)))
    feature, landmark = ViewSearch(features, landmarks, upright).matches(np.arange(4), 0.85)
    np.testing.assert_array_equal(feature, np.arange(1, len(seen), 2))
    np.testing.assert_array_equal(landmark, seen[1::2])


@pytest.mark.parametrize("roll", [0.0, 3.0, -3.1, 2 * np.pi, -12.0])
def test_turns_are_compared_around_the_circle(roll: float) -> None:
    """A feature is turned from its observation by 29 or by 31 degrees, wherever on the circle both are."""
    rng = np.random.default_rng(3)
    landmarks, looks = a_map(rng, 30, 4, 0.1)
    seen = np.unique(np.asarray(landmarks.landmark))
    own = rng.uniform(-np.pi, np.pi)
    off = np.radians(np.where(np.arange(len(seen)) % 2, 29.0, 31.0)) * rng.choice([-1, 1], len(seen))
    features = photo(looks[seen], own + roll + off)
    upright = Uprightness(roll=roll, orientations=np.full(len(landmarks.landmark), own))
    _, landmark = ViewSearch(features, landmarks, upright).matches(np.arange(4), 0.85)
    np.testing.assert_array_equal(landmark, seen[1::2])


def test_features_of_nothing_match_nothing_however_few_are_upright() -> None:
    rng = np.random.default_rng(7)
    landmarks, _ = a_map(rng, 300, 5, 0.3)
    turned = np.where(rng.random(len(landmarks.landmark)) < 0.3, 0.0, 2.0)
    search = ViewSearch(photo(unit(rng, 400)), landmarks, Uprightness(roll=0.0, orientations=turned))
    for views in (1, 3, 5):
        assert len(search.matches(np.arange(views), 0.85)[0]) <= 2  # measured 0


def test_a_landmark_that_a_view_sees_twice_is_no_rival_to_itself_and_hides_none() -> None:
    landmarks, looks = a_map(np.random.default_rng(8), 12, 1, 0.0)
    order = np.concatenate([[0, 0], np.arange(1, len(landmarks.landmark))])
    twice = replace(
        landmarks,
        **{name: getattr(landmarks, name)[order] for name in OBSERVED},
        view_offsets=np.array([0, len(order)]),
    )
    first = int(landmarks.landmark[0])
    near = looks[first] + 0.9 * (looks[int(landmarks.landmark[1])] - looks[first]) * 0.55
    asked = photo(np.stack([looks[first], near / np.linalg.norm(near)]).astype(np.float32))
    feature, landmark = ViewSearch(asked, twice).matches(np.zeros(1, np.int64), 0.85)
    wanted = each_with_each(asked, twice, np.zeros(1, np.int64), 0.85)
    np.testing.assert_array_equal(feature, wanted[0])
    np.testing.assert_array_equal(landmark, wanted[1])
    assert feature.tolist() == [0]


def test_without_another_landmark_nothing_is_matched() -> None:
    landmarks, looks = a_map(np.random.default_rng(9), 1, 40, 0.0)
    assert len(ViewSearch(photo(looks), landmarks).matches(np.arange(40), 0.85)[0]) == 0


def test_no_view_is_looked_at_beyond_the_budget() -> None:
    landmarks, looks = a_map(np.random.default_rng(4), 30, 6, 0.0)
    search, first = ViewSearch(photo(looks), landmarks), np.array([2, 5])
    few = int(np.diff(landmarks.view_offsets)[first].sum())
    wanted = search.matches(first, 0.85)
    for found in (search.matches(np.array([2, 5, 1, 0]), 0.85, few), search.matches(first, 0.85, 10 * few)):
        np.testing.assert_array_equal(found[1], wanted[1])


def test_nothing_matches_nothing() -> None:
    landmarks, looks = a_map(np.random.default_rng(5), 10, 3, 0.0)
    for features, views in ((photo(looks[:0]), np.arange(3)), (photo(looks), np.zeros(0, np.int64))):
        feature, landmark = ViewSearch(features, landmarks).matches(views, 0.85)
        assert len(feature) == len(landmark) == 0


def test_features_of_another_kind_are_refused() -> None:
    landmarks, _ = a_map(np.random.default_rng(6), 10, 3, 0.0)
    other = Features.empty(kind="xfeat", dimension=64, image_size=(640, 480))
    with pytest.raises(InputError, match="xfeat"):
        ViewSearch(other, landmarks)
