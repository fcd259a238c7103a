"""Work done ahead on a few threads, and its results taken in order: as many as are wanted, the same as without."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

Given = TypeVar("Given")
Found = TypeVar("Found")


def look_ahead(
    work: Callable[[Given], Found], items: Iterable[Given], executor: Executor, ahead: int = 1
) -> Iterator[Found]:
    """Yield ``work(item)`` of each item in order, while up to ``ahead`` more are worked on.

    Whoever stops taking results leaves at most ``ahead`` begun for nothing; what has not begun then never does. An
    exception of ``work`` is raised when its result is asked for.
    """
    waiting: deque[Future[Found]] = deque()
    left = iter(items)
    try:
        for item in left:
            waiting.append(executor.submit(work, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()
