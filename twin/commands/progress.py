"""A progress bar a stage on a terminal, and nothing in a pipe."""

import sys
from typing import Any, TextIO

import click


class StageBars:
    """Draws one bar for each stage it hears of; give the instance as ``on_progress``."""

    def __init__(self) -> None:
        self._terminal: TextIO = sys.stderr
        self._stage: str | None = None
        self._bar: Any = None
        self._done = 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Move the bar of ``stage`` to ``done`` of ``total``."""
        if not self._terminal.isatty():
            return
        if stage != self._stage:
            self.close()
            self._stage, self._done = stage, 0
            self._bar = click.progressbar(length=max(total, 1), label=f"{stage:>18}", file=self._terminal)
            self._bar.__enter__()
        self._bar.length = max(total, 1)  # some stages learn on the way how much there is to do
        self._bar.update(done - self._done)
        self._done = done

    def close(self) -> None:
        """End the current bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
