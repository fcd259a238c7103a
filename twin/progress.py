"""How long work reports what it does and is asked to stop; only the command line draws bars."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Called as (stage, done, total). It may raise ``CancelledError`` to stop the work at a safe point."""


def silent(stage: str, done: int, total: int) -> None:
    """Report nothing."""
