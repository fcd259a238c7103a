"""What a service and one of its processes tell each other while both run.

Nothing here is a lock that a process could hold: one that is killed at any instant leaves nobody waiting for it.
"""

import time
from multiprocessing.context import BaseContext
from multiprocessing.sharedctypes import RawValue


class Signals:
    """Shared with a process that is started with it; either side may ask or tell at any time."""

    def __init__(self, context: BaseContext) -> None:
        self._woken = context.Semaphore(0)
        self._stop, self._waits = RawValue("b", 0), RawValue("b", 0)
        self._done, self._beat = RawValue("q", 0), RawValue("d", 0.0)

    def wake(self) -> None:
        """Tell the process that there is something to do."""
        self._woken.release()

    def stop(self) -> None:
        """Tell the process to end."""
        self._stop.value = 1
        self.wake()

    @property
    def is_stopped(self) -> bool:
        """Whether the process has to end."""
        return bool(self._stop.value)

    def wait(self, seconds: float) -> None:
        """Wait until woken, or for so long; all calls until then count as one."""
        if self._woken.acquire(timeout=seconds):
            while self._woken.acquire(block=False):
                pass

    def note(self, done: int, *, waits: bool = False) -> None:
        """Say that the process lives, how far it is, and whether it waits for another one that has its work."""
        self._done.value, self._waits.value, self._beat.value = done, waits, time.time()

    @property
    def done(self) -> int:
        """How far the process is."""
        return int(self._done.value)

    @property
    def waits(self) -> bool:
        """Whether another process has the work."""
        return bool(self._waits.value)

    @property
    def beat(self) -> float | None:
        """When the process last said that it lives, None before the first time."""
        return float(self._beat.value) or None
