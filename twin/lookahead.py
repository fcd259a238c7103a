"""Work done ahead on a few threads, and its results taken in order: as many as are wanted, the same as without."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


def look_ahead(work: Callable[[Given], Found], items: Iterable[Given], threads: int) -> Iterator[Found]:
    """Yield ``work(item)`` of each item in order, while up to ``threads`` - 1 more are worked on.

    Threads live as long as the iterator: nothing is left of them to share, to pickle, or to be missing after a fork.
    Whoever stops taking results waits for none that have begun, and what has not begun then never does. An exception
    of ``work`` is raised when its result is asked for.
    """
    if threads <= 1:
        yield from map(work, items)
        return
    waiting: deque[Future[Found]] = deque()
    executor = ThreadPoolExecutor(threads)
    try:
        for item in items:
            waiting.append(executor.submit(work, item))
            if len(waiting) == threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        executor.shutdown(wait=False, cancel_futures=True)
