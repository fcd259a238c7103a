import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError
from perception.containers import Features
from perception.matching import MATCHERS, AdalamMatcher, MutualRatioMatcher, make_matcher

SIZE = (640, 480)


def _features(descriptors: np.ndarray, keypoints: np.ndarray | None = None, kind: str = "sift") -> Features:
    n = len(descriptors)
    unit = descriptors / np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-9)
    return Features(
        keypoints=(np.zeros((n, 2)) if keypoints is None else keypoints).astype(np.float32),
        scales=np.full(n, 2.0, dtype=np.float32),
        orientations=np.zeros(n, dtype=np.float32),
        scores=np.ones(n, dtype=np.float32),
        descriptors=unit.astype(np.float32),
        image_size=SIZE,
        kind=kind,
    )


def _oracle(a: Features, b: Features, ratio: float) -> list[tuple[int, int, float]]:
    """Brute force in float64, one feature at a time."""
    distances = np.linalg.norm(a.descriptors[:, None].astype(float) - b.descriptors[None], axis=2)

    def nearest(row: np.ndarray) -> tuple[int, float]:
        order = np.argsort(row, kind="stable")
        return int(order[0]), 0.0 if len(row) == 1 else float(row[order[0]] / row[order[1]])

    found = []
    for i in range(len(a)):
        j, forth = nearest(distances[i])
        back_i, back = nearest(distances[:, j])
        if back_i == i and max(forth, back) <= ratio:
            found.append((i, j, 1 - max(forth, back)))
    return found


def _moved_scene(
    wrong_share: float, descriptor_noise: float, seed: int, n: int = 400
) -> tuple[Features, Features, np.ndarray]:
    """Two views of n features under a similarity; a share of the second's positions is random. Row i matches row i."""
    rng = np.random.default_rng(seed)
    points = rng.uniform([0, 0], SIZE, (n, 2))
    angle = np.radians(8)
    turn = 1.1 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (points - 200) @ turn.T + 220
    wrong = rng.random(n) < wrong_share
    moved[wrong] = rng.uniform([0, 0], SIZE, (wrong.sum(), 2))
    descriptors = rng.normal(size=(n, 64))
    noisy = descriptors + descriptor_noise * rng.normal(size=descriptors.shape)
    return _features(descriptors, points), _features(noisy, moved), wrong


@given(st.integers(0, 2**31), st.integers(1, 40), st.integers(1, 40), st.floats(0.6, 1.0))
@settings(max_examples=60, deadline=None)
def test_mutual_ratio_agrees_with_brute_force(seed: int, n: int, m: int, ratio: float) -> None:
    rng = np.random.default_rng(seed)
    base = rng.normal(size=(max(n, m), 8))
    a, b = _features(base[:n] + 0.3 * rng.normal(size=(n, 8))), _features(base[:m] + 0.3 * rng.normal(size=(m, 8)))
    matches = MutualRatioMatcher(ratio=ratio).match(a, b)
    expected = {(i, j): score for i, j, score in _oracle(a, b, ratio)}
    found = {(int(i), int(j)): float(s) for (i, j), s in zip(matches.indices, matches.scores, strict=True)}
    for pair in expected.keys() ^ found.keys():  # only a tie within float32 may fall on either side
        assert abs(expected.get(pair, found.get(pair)) - (1 - ratio)) < 1e-3
    for pair in expected.keys() & found.keys():
        assert found[pair] == pytest.approx(expected[pair], abs=2e-3)


@pytest.mark.parametrize("name", sorted(MATCHERS))
def test_contract(name: str) -> None:
    a, b, _ = _moved_scene(0.3, 0.3, seed=1)
    for array in (a.descriptors, b.descriptors, a.keypoints, b.keypoints):
        array.flags.writeable = False
    matches = make_matcher(name).match(a, b)
    assert len(matches) > 50
    assert matches.indices.dtype == np.int32
    assert len(np.unique(matches.indices[:, 0])) == len(np.unique(matches.indices[:, 1])) == len(matches)
    assert (np.diff(matches.scores) <= 0).all()
    assert ((matches.scores >= 0) & (matches.scores <= 1)).all()
    again = make_matcher(name).match(a, b)
    np.testing.assert_array_equal(matches.indices, again.indices)


@pytest.mark.parametrize("name", sorted(MATCHERS))
def test_swapping_the_images_swaps_the_columns_of_mutual_ratio(name: str) -> None:
    a, b, _ = _moved_scene(0.0, 0.4, seed=2)
    forth, back = make_matcher(name).match(a, b), make_matcher(name).match(b, a)
    shared = {tuple(pair) for pair in forth.indices.tolist()} & {(i, j) for j, i in back.indices.tolist()}
    assert len(shared) > 0.95 * max(len(forth), len(back))  # AdaLAM grows its areas in the first image: measured 0.99


@pytest.mark.parametrize(("noise", "floor"), [(0.0, 1.0), (0.5, 0.85)])
def test_adalam_drops_what_moves_unlike_its_surroundings(noise: float, floor: float) -> None:
    a, b, wrong = _moved_scene(0.4, noise, seed=3)
    matches = AdalamMatcher().match(a, b)
    is_right = (matches.indices[:, 0] == matches.indices[:, 1]) & ~wrong[matches.indices[:, 0]]
    assert is_right.mean() > 0.97  # measured 1.0 and 0.99; the share of right putative ones is 0.6
    assert is_right.sum() > floor * 0.9 * (~wrong).sum()


def test_adalam_keeps_repetitive_features_that_the_ratio_test_drops() -> None:
    """Every feature has a twin elsewhere with nearly the same descriptor."""
    rng = np.random.default_rng(4)
    descriptors = rng.normal(size=(200, 64))
    everything = np.concatenate([descriptors, descriptors + 0.15 * rng.normal(size=descriptors.shape)])
    points = rng.uniform([0, 0], SIZE, (400, 2))
    a = _features(everything, points)
    b = _features(everything + 0.16 * rng.normal(size=everything.shape), points + np.array([7.0, 3.0]))
    ratio, adalam = MutualRatioMatcher().match(a, b), AdalamMatcher().match(a, b)
    assert len(adalam) > 1.3 * len(ratio)  # measured 397 against 286 of 400
    assert np.mean(adalam.indices[:, 0] == adalam.indices[:, 1]) > 0.97


def test_adalam_finds_nothing_in_unrelated_images() -> None:
    rng = np.random.default_rng(5)
    a, b = (_features(rng.normal(size=(300, 64)), rng.uniform([0, 0], SIZE, (300, 2))) for _ in range(2))
    assert len(AdalamMatcher().match(a, b)) == 0


@pytest.mark.parametrize("name", sorted(MATCHERS))
@pytest.mark.parametrize(("n", "m"), [(0, 0), (0, 5), (5, 0), (1, 1), (1, 5), (5, 1), (3, 3)])
def test_few_features(name: str, n: int, m: int) -> None:
    rng = np.random.default_rng(6)
    a, b = _features(rng.normal(size=(n, 8))), _features(rng.normal(size=(m, 8)))
    matches = make_matcher(name).match(a, b)
    assert len(matches) <= min(n, m)
    assert matches.indices.shape == (len(matches), 2)


@pytest.mark.parametrize("name", sorted(MATCHERS))
def test_identical_descriptors_are_not_distinctive(name: str) -> None:
    same = _features(np.ones((20, 8)), np.random.default_rng(7).uniform(0, 400, (20, 2)))
    assert len(make_matcher(name).match(same, same)) == 0 or name == "mutual-ratio"
    assert len(MutualRatioMatcher(ratio=0.9).match(same, same)) == 0


@pytest.mark.parametrize("name", sorted(MATCHERS))
def test_different_kinds_are_refused(name: str) -> None:
    a, b = _features(np.eye(4)), _features(np.eye(4), kind="xfeat")
    with pytest.raises(InputError, match=r"'sift'.*'xfeat'"):
        make_matcher(name).match(a, b)
    with pytest.raises(InputError, match="can't be matched"):
        make_matcher(name).match(a, _features(np.eye(5)))


def test_unknown_matcher_and_ratio() -> None:
    with pytest.raises(InputError, match="'adalam'"):
        make_matcher("adlam")
    for ratio in (0.0, 1.5, float("nan")):
        with pytest.raises(InputError, match="ratio"):
            MutualRatioMatcher(ratio=ratio)
