from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twin.signs.association import AssociationOptions, Sightings, associate, nearest_point


def sightings(
    points: np.ndarray,
    texts: list[str],
    eyes: np.ndarray,
    *,
    letters: float = 0.3,
    noise: float = 0.0,
    seed: int = 0,
    depths: bool = False,
) -> tuple[Sightings, np.ndarray]:
    """Return what each of ``eyes`` (P, 3) sees of all points (S, 3), and of which point each reading is."""
    rng = np.random.default_rng(seed)
    photo, point = (index.ravel() for index in np.meshgrid(np.arange(len(eyes)), np.arange(len(points)), indexing="ij"))
    offset = points[point] - eyes[photo]
    distance = np.linalg.norm(offset, axis=1)
    rays = offset / distance[:, None] + rng.normal(0, noise, offset.shape)
    found = Sightings(
        photos=photo,
        origins=eyes[photo],
        directions=rays / np.linalg.norm(rays, axis=1, keepdims=True),
        angles=letters / distance,
        texts=[texts[i] for i in point.tolist()],
        depths=distance if depths else np.full(len(distance), np.nan),
    )
    return found, point


EYES = np.array([[x, -6.0, 1.6] for x in np.arange(0.0, 8.0, 1.0)])


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_signs_apart_are_told_apart(seed: int) -> None:
    points = np.array([[1.0, 0.0, 2.4], [4.0, 0.0, 2.4], [7.0, 0.3, 1.5]])
    found, point = sightings(points, ["P1", "P1", "P2"], EYES, noise=0.001, seed=seed)
    groups = associate(found)
    assert sorted(np.unique(point[group]).tolist() for group in groups) == [[0], [1], [2]]
    assert all(len(group) == len(EYES) for group in groups)


def test_a_reading_is_in_one_group_and_a_photo_once_in_each() -> None:
    rng = np.random.default_rng(3)
    points = rng.uniform([0, 0, 1], [8, 3, 3], (12, 3))
    found, _ = sightings(points, ["A1"] * 12, EYES, noise=0.003)
    groups = associate(found)
    members = np.concatenate(groups)
    assert len(np.unique(members)) == len(members)
    for group in groups:
        assert len(np.unique(found.photos[group])) == len(group)


def test_rays_that_meet_by_chance_are_no_text_where_landmarks_tell_how_far_it_is() -> None:
    """Two pillars that say the same, each seen by one photo: their rays meet before them."""
    points, eyes = np.array([[1.0, 4.0, 1.6], [5.0, 4.0, 1.6]]), np.array([[0.0, 0.0, 1.6], [6.0, 0.0, 1.6]])
    crossed = np.array([1, 2])  # of the photo at the left the pillar at the right, and the other way round
    for depths, expected in ((False, 1), (True, 0)):
        both, _ = sightings(points, ["A7", "A7"], eyes, depths=depths)
        found = Sightings(
            photos=both.photos[crossed],
            origins=both.origins[crossed],
            directions=both.directions[crossed],
            angles=both.angles[crossed],
            texts=["A7", "A7"],
            depths=both.depths[crossed],
        )
        assert len(associate(found)) == expected


def test_unlike_texts_do_not_meet() -> None:
    point = np.array([[2.0, 0.0, 2.0]])
    found, _ = sightings(point, ["EXIT"], EYES[:2])
    other = Sightings(
        photos=found.photos,
        origins=found.origins,
        directions=found.directions,
        angles=found.angles,
        depths=found.depths,
        texts=["EXIT", "B7"],
    )
    assert len(associate(found)) == 1
    assert associate(other) == []


def test_letters_must_have_one_size() -> None:
    found, _ = sightings(np.array([[2.0, 0.0, 2.0]]), ["P1"], EYES[:2])
    grown = found.angles * np.array([1.0, 2.0])
    other = replace(found, angles=grown)
    assert associate(other) == []


def test_both_faces_of_a_hanging_sign_are_two() -> None:
    points = np.array([[3.0, 0.0, 2.4]])
    eyes = np.vstack([EYES[:5], EYES[:5] * [1, -1, 1]])
    found, _ = sightings(points, ["EXIT"], eyes)
    groups = associate(found)
    assert len(groups) == 2
    assert all(len(np.unique(np.sign(found.origins[group][:, 1]))) == 1 for group in groups)


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_views_make_no_group(count: int) -> None:
    found, _ = sightings(np.array([[2.0, 0.0, 2.0]]), ["P1"], EYES[:count])
    assert associate(found) == []


def test_views_from_one_place_make_no_group() -> None:
    found, _ = sightings(np.array([[2.0, 0.0, 2.0]]), ["P1"], np.repeat(EYES[:1], 4, axis=0))
    assert associate(found) == []


def test_more_views_can_be_asked_for() -> None:
    found, _ = sightings(np.array([[2.0, 0.0, 2.0]]), ["P1"], EYES[:2])
    assert associate(found, AssociationOptions(min_views=3)) == []


def test_nearest_point_of_rays_that_meet() -> None:
    point = np.array([2.0, 1.0, 3.0])
    directions = (point - EYES) / np.linalg.norm(point - EYES, axis=1, keepdims=True)
    np.testing.assert_allclose(nearest_point(EYES, directions, np.ones(len(EYES))), point, atol=1e-9)
