"""Work ahead gives what a plain loop gives, in the same order, and begins little that nobody asks for."""

import os
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twin.lookahead import look_ahead


@given(items=st.lists(st.integers(), max_size=20), threads=st.integers(0, 5))
def test_results_come_in_order(items: list[int], threads: int) -> None:
    assert list(look_ahead(lambda x: x * x, items, threads)) == [x * x for x in items]


def test_a_slow_first_result_is_waited_for() -> None:
    def work(x: int) -> int:
        time.sleep(0.05 if x == 0 else 0.0)
        return x

    assert list(look_ahead(work, range(4), 2)) == [0, 1, 2, 3]


@pytest.mark.parametrize("threads", [1, 2, 4])
def test_whoever_stops_leaves_little_begun(threads: int) -> None:
    begun = []

    def work(x: int) -> int:
        begun.append(x)
        return x

    for found in look_ahead(work, range(100), threads):
        if found == 2:
            break
    assert set(begun) >= {0, 1, 2}
    assert len(begun) < 3 + threads


def test_what_has_not_begun_never_does() -> None:
    """Three wait behind two that don't end; whoever stops then is not kept waiting either."""
    begun, go_on = list[int](), threading.Event()

    def work(x: int) -> int:
        begun.append(x)
        if x > 0:
            assert go_on.wait(10)
        return x

    before, results = threading.active_count(), look_ahead(work, range(9), 2)
    assert next(results) == 0
    results.close()
    go_on.set()
    while threading.active_count() > before:
        time.sleep(0.01)
    assert len(begun) <= 3


def test_two_are_worked_on_at_once() -> None:
    both = threading.Barrier(2, timeout=10)
    assert len(list(look_ahead(lambda _: both.wait(), range(4), 2))) == 4  # alone the barrier would break


def test_one_thread_is_that_of_who_asks() -> None:
    assert set(look_ahead(lambda _: threading.get_ident(), range(3), 1)) == {threading.get_ident()}


def test_an_error_comes_where_its_result_would() -> None:
    def work(x: int) -> int:
        if x == 1:
            raise ValueError("the second")
        return x

    results = look_ahead(work, range(3), 2)
    assert next(results) == 0
    with pytest.raises(ValueError, match="the second"):
        next(results)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_a_fork_can_look_ahead_too() -> None:
    assert list(look_ahead(abs, [-1, -2], 2)) == [1, 2]
    child = os.fork()
    if child == 0:
        os._exit(0 if list(look_ahead(abs, [-3, -4], 2)) == [3, 4] else 1)
    assert os.waitpid(child, 0)[1] == 0
