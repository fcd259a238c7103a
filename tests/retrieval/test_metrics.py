import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from retrieval.metrics import mean_average_precision, recall_at

IDS = np.array([[3, 1, 2], [0, 5, -1], [7, 8, 9]])
RELEVANT = [[1, 2], [5], [4]]


def test_known_values() -> None:
    assert recall_at(IDS, RELEVANT, 1) == 0
    assert recall_at(IDS, RELEVANT, 2) == pytest.approx(2 / 3)
    assert recall_at(IDS, RELEVANT, 99) == pytest.approx(2 / 3)
    # (1/2 + 2/3) / 2, (1/2) / 1, 0
    assert mean_average_precision(IDS, RELEVANT) == pytest.approx((7 / 12 + 1 / 2) / 3)


def test_queries_without_relevant_ids_are_left_out() -> None:
    assert recall_at(IDS, [[3], [], []], 1) == 1
    with pytest.raises(InputError, match="no query"):
        recall_at(IDS, [[], [], []], 1)


def test_repeated_results_count_once_and_missing_never() -> None:
    assert mean_average_precision([[1, 1, 1]], [[1, 2, 3]]) == pytest.approx(1 / 3)
    assert mean_average_precision([[-1, -1, 1]], [[1]]) == pytest.approx(1 / 3)


@given(st.permutations(range(8)), st.sets(st.integers(0, 7), min_size=1))
def test_perfect_order_is_one_and_nothing_beats_it(order: list[int], relevant: set[int]) -> None:
    perfect = sorted(range(8), key=lambda i: i not in relevant)
    assert mean_average_precision([perfect], [sorted(relevant)]) == pytest.approx(1)
    assert 0 < mean_average_precision([order], [sorted(relevant)]) <= 1 + 1e-12
    recalls = [recall_at([order], [sorted(relevant)], k) for k in range(1, 9)]
    assert recalls == sorted(recalls)
    assert recalls[-1] == 1


def test_arguments_are_not_changed() -> None:
    ids, relevant = IDS.copy(), [np.array([2, 1]), np.array([5]), np.array([4])]
    for array in (ids, *relevant):
        array.flags.writeable = False
    mean_average_precision(ids, relevant)
    recall_at(ids, relevant, 2)


@pytest.mark.parametrize(
    ("ids", "relevant"), [(IDS[0], [[1]]), (IDS, [[1]]), (np.empty((1, 0), dtype=int), [[1]]), (IDS, [[1], [-1], [2]])]
)
def test_bad_shapes_are_refused(ids: np.ndarray, relevant: list[list[int]]) -> None:
    with pytest.raises(InputError):
        mean_average_precision(ids, relevant)
    with pytest.raises(InputError):
        recall_at(ids, relevant, 1)
