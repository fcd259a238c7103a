import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array

from geometry import InputError
from retrieval import LandmarkVotes, Vocabulary, angle_between
from retrieval.landmark_votes import NEIGHBOURS

VIEWS, SEEN, DIMENSION = 20, 30, 32


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def site(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, csr_array, Vocabulary]:
    """Return descriptors, orientations and views of landmarks, of which each view sees ``SEEN`` of its own."""
    descriptors = unit(rng.standard_normal((VIEWS * SEEN, DIMENSION)))
    seen_by = csr_array(np.kron(np.eye(VIEWS, dtype=np.int32), np.ones((SEEN, 1), np.int32)))
    vocabulary = Vocabulary(centers=unit(rng.standard_normal((12, DIMENSION))))
    return descriptors, rng.uniform(-np.pi, np.pi, VIEWS * SEEN), seen_by, vocabulary


def photo_of(view: int, site: tuple, noise: float, roll: float, rng: np.random.Generator) -> tuple:
    """Return noisy descriptors and orientations of what a view sees, as a camera rolled by ``roll`` shows them."""
    rows = slice(view * SEEN, (view + 1) * SEEN)
    described = unit(site[0][rows] + noise * rng.standard_normal((SEEN, DIMENSION)))
    return described, site[1][rows] + roll + 0.1 * rng.standard_normal(SEEN)


@settings(deadline=None, max_examples=25)
@given(view=st.integers(0, VIEWS - 1), roll=st.floats(-3.1, 3.1), seed=st.integers(0, 1000))
@pytest.mark.parametrize("noise", [0.01, 0.12])
def test_a_photo_votes_for_its_own_view_and_knows_its_roll(noise: float, view: int, roll: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    place = site(rng)
    votes = LandmarkVotes(*place).vote(*photo_of(view, place, noise, roll, rng))
    scores = votes.of_views()
    assert scores.argmax() == view
    assert votes.roll is not None
    assert abs(angle_between(votes.roll, roll)) < np.radians(6.0)  # measured 3.4 degrees at most


def test_a_feature_counts_once_a_view_and_once_a_group() -> None:
    rng = np.random.default_rng(0)
    descriptor = unit(rng.standard_normal(DIMENSION))
    others = unit(rng.standard_normal((40, DIMENSION)))
    descriptors = np.vstack([np.tile(descriptor, (3, 1)), others])
    seen_by = np.zeros((43, 3), np.int32)
    seen_by[:2, 0] = seen_by[2, 1] = 1  # view 0 sees the same look twice, view 1 once
    seen_by[3:, 2] = 1
    vocabulary = Vocabulary(centers=unit(rng.standard_normal((4, DIMENSION))))
    votes = LandmarkVotes(descriptors, np.zeros(43), csr_array(seen_by), vocabulary).vote(descriptor[None], np.zeros(1))
    scores = votes.of_views()
    assert scores[0] == pytest.approx(scores[1])
    assert scores[0] > 0.0
    assert votes.of_groups(np.array([[0, 1], [2, 2]]))[0] == pytest.approx(scores[0])


def test_group_scores_are_those_of_the_best_votes() -> None:
    rng = np.random.default_rng(1)
    place = site(rng)
    votes = LandmarkVotes(*place).vote(*photo_of(3, place, 0.3, 0.0, rng))
    groups = rng.integers(0, VIEWS, (7, 4))
    dense = votes.weights.toarray()
    expected = [dense[:, members].max(axis=1).sum() for members in groups]
    np.testing.assert_allclose(votes.of_groups(groups), expected)


def test_what_is_common_to_all_views_counts_for_none() -> None:
    rng = np.random.default_rng(2)
    descriptors = unit(rng.standard_normal((NEIGHBOURS + 4, DIMENSION)))
    seen_by = csr_array(np.ones((NEIGHBOURS + 4, 5), np.int32))
    vocabulary = Vocabulary(centers=unit(rng.standard_normal((4, DIMENSION))))
    votes = LandmarkVotes(descriptors, np.zeros(NEIGHBOURS + 4), seen_by, vocabulary)
    assert not votes.vote(descriptors, np.zeros(NEIGHBOURS + 4)).of_views().any()


def test_orientations_without_agreement_are_not_asked() -> None:
    rng = np.random.default_rng(3)
    place = site(rng)
    described, _ = photo_of(5, place, 0.01, 0.0, rng)
    turned = place[1][5 * SEEN : 6 * SEEN] + np.linspace(-np.pi, np.pi, SEEN, endpoint=False)
    votes = LandmarkVotes(*place).vote(described, turned)
    assert votes.roll is None
    assert votes.of_views().argmax() == 5


def test_nothing_gives_no_votes() -> None:
    place = site(np.random.default_rng(4))
    votes = LandmarkVotes(*place).vote(np.zeros((0, DIMENSION), np.float32), np.zeros(0))
    assert votes.weights.shape == (0, VIEWS)
    assert votes.roll is None


def test_shapes_that_do_not_fit_are_refused() -> None:
    descriptors, orientations, seen_by, vocabulary = site(np.random.default_rng(5))
    with pytest.raises(InputError, match="landmarks"):
        LandmarkVotes(descriptors, orientations[:-1], seen_by, vocabulary)
    with pytest.raises(InputError, match="expected"):
        LandmarkVotes(descriptors[:, :8], orientations, seen_by, vocabulary)


def test_many_landmarks_are_coded_and_votes_hardly_change() -> None:
    rng = np.random.default_rng(0)
    views, seen = 400, 30
    descriptors = unit(rng.standard_normal((views * seen, DIMENSION)))
    seen_by = csr_array(np.kron(np.eye(views, dtype=np.int32), np.ones((seen, 1), np.int32)))
    place = (descriptors, rng.uniform(-np.pi, np.pi, views * seen), seen_by, Vocabulary(centers=descriptors[::400]))
    coded = LandmarkVotes(*place)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("retrieval.landmark_votes.MANY_LANDMARKS", len(descriptors) + 1)
        exact = LandmarkVotes(*place)
    assert type(coded._index) is not type(exact._index)
    alike = []
    for view in range(0, views, 8):
        photo = photo_of(view, place, 0.12, 0.5, rng)
        ours, theirs = coded.vote(*photo).of_views(), exact.vote(*photo).of_views()
        assert ours.argmax() == theirs.argmax() == view
        alike.append(float(np.corrcoef(ours, theirs)[0, 1]))
    assert min(alike) > 0.95  # measured 0.98
