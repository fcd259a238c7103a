from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.errors import InputError, TwinDamagedError
from retrieval.places import PlaceIndex, exact_search


def _unit(n: int, dimension: int = 24, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dimension)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@given(st.integers(0, 2**31), st.integers(0, 80), st.integers(0, 9), st.integers(1, 100))
@settings(max_examples=60, deadline=None)
def test_agrees_with_exact_search(seed: int, n: int, q: int, k: int) -> None:
    vectors, queries = _unit(n, seed=seed), _unit(q, seed=seed + 1)
    for array in (vectors, queries):
        array.flags.writeable = False
    ids, scores = PlaceIndex(vectors).search(queries, k)
    expected_ids, expected_scores = exact_search(vectors, queries, k)
    assert ids.shape == scores.shape == (q, k)
    assert (ids.dtype, scores.dtype) == (np.int64, np.float32)
    np.testing.assert_array_equal(ids, expected_ids)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-6)


@pytest.mark.parametrize("search", ["index", "exact"])
def test_ties_come_by_lower_id_and_missing_ones_last(search: str) -> None:
    vectors = np.eye(3, dtype=np.float32)[[2, 0, 1, 0, 0]]
    query = np.eye(3, dtype=np.float32)[:1]
    ids, scores = PlaceIndex(vectors).search(query, 7) if search == "index" else exact_search(vectors, query, 7)
    assert ids.tolist() == [[1, 3, 4, 0, 2, -1, -1]]
    assert scores.tolist() == [[1, 1, 1, 0, 0, -np.inf, -np.inf]]
    ids, _ = PlaceIndex(vectors).search(query, 2) if search == "index" else exact_search(vectors, query, 2)
    assert ids.tolist() == [[1, 3]]


def test_graph_finds_nearly_everything() -> None:
    vectors, queries = _unit(3000, dimension=32), _unit(200, dimension=32, seed=1)
    index = PlaceIndex(vectors, exact_up_to=100)
    assert not index.exact
    ids, scores = index.search(queries, 5)
    expected, _ = exact_search(vectors, queries, 5)
    share = np.mean([np.isin(a, b).mean() for a, b in zip(ids, expected, strict=True)])
    assert share > 0.95  # measured 0.995
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("n", [0, 1, 17])
def test_saves_and_loads(tmp_path: Path, n: int) -> None:
    index = PlaceIndex(_unit(n))
    index.save(tmp_path / "places")
    index.save(tmp_path / "places")
    assert [file.name for file in (tmp_path / "places").iterdir()] == ["vectors.npy"]
    loaded = PlaceIndex.load(tmp_path / "places", expected=n)
    np.testing.assert_array_equal(loaded.vectors, index.vectors)
    np.testing.assert_array_equal(loaded.search(_unit(3), 4)[0], index.search(_unit(3), 4)[0])


@pytest.mark.parametrize("case", ["missing", "empty", "truncated", "text", "pickle", "float64", "nan", "flat", "huge"])
def test_damaged_files_are_refused(tmp_path: Path, case: str) -> None:
    file = tmp_path / "vectors.npy"
    contents = {
        "truncated": _unit(9),
        "pickle": np.array([{"a": 1}], dtype=object),
        "float64": np.eye(3),
        "nan": np.full((2, 3), np.nan, dtype=np.float32),
        "flat": np.zeros(4, dtype=np.float32),
        "huge": _unit(9),
    }
    if case in contents:
        np.save(file, contents[case], allow_pickle=case == "pickle")
    if case == "truncated":
        file.write_bytes(file.read_bytes()[:-8])
    if case == "huge":
        file.write_bytes(file.read_bytes().replace(b"(9, 24)", b"(999999999999, 24)", 1))
    if case in ("empty", "text"):
        file.write_bytes(b"" if case == "empty" else b"not an array")
    with pytest.raises(TwinDamagedError, match=r"vectors\.npy"):
        PlaceIndex.load(tmp_path)


def test_wrong_count_is_refused(tmp_path: Path) -> None:
    PlaceIndex(_unit(4)).save(tmp_path)
    with pytest.raises(TwinDamagedError, match="4 vectors, not 5"):
        PlaceIndex.load(tmp_path, expected=5)


def test_bad_input_is_refused() -> None:
    index = PlaceIndex(_unit(4))
    with pytest.raises(InputError, match="24"):
        index.search(_unit(1, dimension=23), 1)
    with pytest.raises(InputError, match="finite"):
        index.search(np.full((1, 24), np.nan, dtype=np.float32), 1)
    with pytest.raises(InputError, match="k must"):
        index.search(_unit(1), 0)
    with pytest.raises(InputError, match="D > 0"):
        PlaceIndex(np.zeros((3, 0), dtype=np.float32))
