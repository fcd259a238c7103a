"""Work ahead gives what a plain loop gives, in the same order, and begins little that nobody asks for."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.lookahead import look_ahead


@given(items=st.lists(st.integers(), max_size=20), threads=st.integers(1, 4), ahead=st.integers(0, 5))
def test_results_come_in_order(items: list[int], threads: int, ahead: int) -> None:
    with ThreadPoolExecutor(threads) as executor:
        assert list(look_ahead(lambda x: x * x, items, executor, ahead)) == [x * x for x in items]


def test_a_slow_first_result_is_waited_for() -> None:
    def work(x: int) -> int:
        time.sleep(0.05 if x == 0 else 0.0)
        return x

    with ThreadPoolExecutor(2) as executor:
        assert list(look_ahead(work, range(4), executor)) == [0, 1, 2, 3]


@pytest.mark.parametrize("ahead", [0, 1, 3])
def test_whoever_stops_leaves_little_begun(ahead: int) -> None:
    begun = []
    with ThreadPoolExecutor(1) as executor:
        for found in look_ahead(lambda x: (begun.append(x), x)[1], range(100), executor, ahead):
            if found == 2:
                break
    assert begun[:3] == [0, 1, 2]
    assert len(begun) <= 3 + ahead


def test_two_are_worked_on_at_once() -> None:
    both = threading.Barrier(2, timeout=10)
    with ThreadPoolExecutor(2) as executor:
        assert len(list(look_ahead(lambda _: both.wait(), range(4), executor))) == 4  # alone the barrier would break


def test_an_error_comes_where_its_result_would() -> None:
    def work(x: int) -> int:
        if x == 1:
            raise ValueError("the second")
        return x

    with ThreadPoolExecutor(2) as executor:
        results = look_ahead(work, range(3), executor)
        assert next(results) == 0
        with pytest.raises(ValueError, match="the second"):
            next(results)
