"""The processes of the live engine: one a group of cameras, started, watched, woken and stopped from here."""

import logging
import multiprocessing
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from twin.live.database.connection import Database
from twin.live.database.schema import frames
from twin.live.journal import Journal
from twin.live.signals import Signals
from twin.live.task import GroupTask
from twin.live.watch_task import WatchTask
from twin.live.watching import watch
from twin.live.worker import run

logger = logging.getLogger(__name__)

CHECK_S = 0.5
FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
STOP_S = 20.0


@dataclass(kw_only=True, eq=False)
class _Running:
    task: GroupTask | WatchTask
    process: Any
    signals: Signals
    started: float
    wait_s: float = FIRST_WAIT_S
    restart_at: float = 0.0
    restarts: int = 0
    backlog: int = 0
    holder: str | None = None

    @property
    def held_by(self) -> str | None:
        """Who else tracks the group while this process stands by."""
        return (self.holder or "another service") if self.signals.waits else None

    @property
    def is_finished(self) -> bool:
        """Whether it came to the end of its videos, and need not be started again."""
        return isinstance(self.task, WatchTask) and self.process.exitcode == 0 and not self.signals.is_stopped

    def does(self, wanted: GroupTask | WatchTask | None) -> bool:
        """Whether it does what is wanted. Videos that came to their end are not looked at again in another way."""
        if isinstance(wanted, WatchTask) and isinstance(self.task, WatchTask) and self.is_finished:
            return self.task.videos == wanted.videos
        return self.task == wanted


class Engine:
    """Runs a worker process for each task; one that ends unasked is started again, later and later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._context = multiprocessing.get_context("spawn")
        self._running: dict[tuple[str, str], _Running] = {}
        self._wanted: dict[tuple[str, str], GroupTask | WatchTask] = {}
        self._turn = threading.Condition()
        self._asked = self._settled = 0
        self._stopping = False
        self._watcher = threading.Thread(target=self._watch, name="engine", daemon=True)
        self._watcher.start()

    def set_tasks(self, tasks: Sequence[GroupTask | WatchTask]) -> None:
        """Run exactly these: what changed is stopped, saved and started anew. Returns when that is done."""
        with self._turn:
            self._wanted = {(task.twin, task.group): task for task in tasks}
            self._asked += 1
            number = self._asked
            self._turn.notify_all()
            self._turn.wait_for(lambda: self._settled >= number or self._stopping)

    def wake(self, twin: str, group: str, _: int = 0) -> None:
        """Tell a group's worker that there are frames."""
        running = self._running.get((twin, group))
        if running is not None:
            running.signals.wake()

    def backlog(self, twin: str, group: str) -> int:
        """Return how many stored frames were not tracked yet, as of a moment ago."""
        running = self._running.get((twin, group))
        return 0 if running is None else running.backlog

    def holder(self, twin: str, group: str) -> str | None:
        """Return who else tracks a group while this service stands by, as of a moment ago; None where it tracks it."""
        running = self._running.get((twin, group))
        return None if running is None else running.held_by

    def health(self) -> list[dict[str, Any]]:
        """Return for each group whether it runs, who else holds it, and how far it is."""
        return [
            {
                "twin": each.task.twin,
                "group": each.task.group,
                "alive": each.process.is_alive(),
                "finished": each.is_finished,
                "restarts": each.restarts,
                "backlog": each.backlog,
                "beat": each.signals.beat,
                "stands_by": each.signals.waits,
                "held_by": each.held_by,
            }
            for each in list(self._running.values())
        ]

    def stop(self) -> None:
        """Let all workers save and end."""
        with self._turn:
            self._stopping = True
            self._turn.notify_all()
        self._watcher.join()

    def _start(self, task: GroupTask | WatchTask) -> _Running:
        context, signals = self._context, Signals(self._context)
        target = watch if isinstance(task, WatchTask) else run
        # One that looks at videos has children of its own, which daemons may not.
        process = context.Process(
            target=target,
            args=(task, signals),
            name=f"{task.twin} {task.group}",
            daemon=not isinstance(task, WatchTask),
        )
        process.start()
        return _Running(task=task, process=process, signals=signals, started=time.monotonic())

    def _watch(self) -> None:
        """Start, watch and stop all processes from this one thread: Linux ends them when the thread that started
        them ends."""
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._stopping or self._asked > self._settled, CHECK_S)
                if self._stopping:
                    break
                wanted, number = self._wanted, self._asked
            try:
                self._settle(wanted)
            except Exception as error:  # no process or no memory to be had: tried again at the next turn
                logger.error("a worker could not be started: %s", error)
            with self._turn:
                self._settled = number
                self._turn.notify_all()
            for key, each in list(self._running.items()):
                if not each.process.is_alive() and not each.is_finished:
                    try:
                        self._revive(key, each)
                    except OSError as error:
                        logger.error("the worker of %s could not be started again: %s", key, error)
            try:
                self._count()
            except sa.exc.SQLAlchemyError as error:
                logger.warning("the backlog is not known: %s", error)
        _stop(list(self._running.values()))
        self._running.clear()

    def _settle(self, wanted: dict[tuple[str, str], GroupTask | WatchTask]) -> None:
        leaving = [k for k, each in self._running.items() if not each.does(wanted.get(k)) or self._stands_by(each.task)]
        if leaving:
            _stop([self._running[key] for key in leaving])
            self._running = {key: each for key, each in self._running.items() if key not in leaving}
        for key, task in sorted(wanted.items(), key=lambda each: isinstance(each[1], WatchTask)):
            if key not in self._running and self._is_due(task):
                self._running[key] = self._start(task)

    def _stands_by(self, task: GroupTask | WatchTask) -> bool:
        """Whether videos are of a group that another service tracks, which looks at them too."""
        tracked = self._tracked(task)
        return tracked is not None and tracked.signals.waits

    def _is_due(self, task: GroupTask | WatchTask) -> bool:
        """Whether a process may start: videos are looked at once it is known that their group is tracked here."""
        tracked = self._tracked(task)
        return tracked is None or (tracked.signals.beat is not None and not tracked.signals.waits)

    def _tracked(self, task: GroupTask | WatchTask) -> _Running | None:
        return self._running.get((task.twin, task.tracked)) if isinstance(task, WatchTask) else None

    def _revive(self, key: tuple[str, str], each: _Running) -> None:
        now = time.monotonic()
        if each.restart_at == 0.0:
            each.wait_s = FIRST_WAIT_S if now - each.started > LONGEST_WAIT_S else each.wait_s
            each.restart_at = now + each.wait_s
            logger.error(
                "the worker of %s ended with code %s; again in %.0f s", key, each.process.exitcode, each.wait_s
            )
        elif now >= each.restart_at:
            fresh = self._start(each.task)
            fresh.restarts, fresh.wait_s = each.restarts + 1, min(2 * each.wait_s, LONGEST_WAIT_S)
            self._running[key] = fresh

    def _count(self) -> None:
        for each in list(self._running.values()):
            if isinstance(each.task, WatchTask):
                continue
            waits = each.signals.waits
            each.holder = Journal(self._database, each.task.twin, each.task.group).standing()[1] if waits else None
            mine = (frames.c.twin == each.task.twin) & (frames.c.cameras == each.task.group)
            after = sa.select(frames.c.seq).where(mine, frames.c.seq > each.signals.done)
            query = sa.select(sa.func.count()).select_from(after.limit(2 * each.task.options.max_backlog).subquery())
            with self._database.read() as connection:
                count = int(connection.execute(query).scalar_one())
            each.backlog = count if each.signals.beat else 0  # where it begins is not known before its first step


def _stop(running: Sequence[_Running]) -> None:
    for each in running:
        each.signals.stop()
    deadline = time.monotonic() + STOP_S
    for each in running:
        each.process.join(max(0.0, deadline - time.monotonic()))
        if each.process.is_alive():
            logger.error("the worker of %s did not end; it is killed, its last state is as saved", each.task.twin)
            each.process.kill()
            each.process.join()
