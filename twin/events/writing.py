"""Events and occupancy into files, while tracks come or of a whole recording."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from geometry.tables import write_atomic
from geometry.track_records import FrameRecord, TrackRow
from twin.events.engine import EventEngine, Happenings, events_of
from twin.events.moments import Moments
from twin.events.records import Event, Occupancy
from twin.parked.stays import Look


class EventWriter:
    """Writes events.jsonl and occupancy.jsonl, whichever has a path; does nothing where neither has.

    counts: how many events there were, for a summary
    """

    def __init__(
        self, plan: FloorPlan | None, cameras: Sequence[FixedCamera], events: Path | None, occupancy: Path | None
    ) -> None:
        """Touch no file yet; ``InputError`` where one is asked for and there is no plan, or no folder for it."""
        self._events, self._occupancy = events, occupancy
        self._plan, self._cameras = plan, cameras
        self._moments: Moments | None = None
        self.counts: dict[str, int] = {}
        if events is None and occupancy is None:
            return
        if plan is None:
            raise InputError("events need a plan", remedy="It tells which stalls, lanes and gates there are.")
        for path in (events, occupancy):
            if path is not None and (path.is_dir() or not path.parent.is_dir()):
                raise InputError("can't write: it is a folder, or there is none to hold it", where=str(path))
        self.counts = {"events": 0}

    def whole(self, rows: Iterable[TrackRow], looks: Sequence[Look] = (), unsure: Iterable[TrackRow] = ()) -> None:
        """Tell a whole recording, as ``events_of`` does; what a file held before stays until all is told."""
        if not self.counts or self._plan is None:
            return
        told = events_of(rows, self._plan, self._cameras, looks=looks, unsure=unsure)
        self.counts["events"] += len(told.events)
        for path, records in self._files(told):
            write_atomic(path, _lines(records))

    def begin(self) -> None:
        """Empty the files, for ``live`` to append to; ``InputError`` where one can't be written."""
        if not self.counts or self._plan is None:
            return
        self._moments = Moments(engine=EventEngine(self._plan, self._cameras))
        for path in (self._events, self._occupancy):
            if path is not None:
                write_atomic(path, b"")

    def look(self, frame: FrameRecord, time: float) -> None:
        """Remember that a camera looked, whatever it saw, and what it tells of stalls; ``time`` by the common clock."""
        if self._moments is not None:
            self._moments.look(frame, time)

    def live(self, now: float, rows: Sequence[TrackRow]) -> None:
        """Tell what rows that just came mean, or that time passed without any; ``now`` is the tracker's time."""
        if self._moments is not None:
            for happenings in self._moments.pass_to(now, rows):
                self._append(happenings)

    def end(self) -> None:
        """Tell what is left when no more rows come."""
        if self._moments is not None:
            self._append(self._moments.engine.finish())

    def _append(self, happenings: Happenings) -> None:
        self.counts["events"] += len(happenings.events)
        for path, records in self._files(happenings):
            if records:
                with path.open("ab") as file:
                    file.writelines(_lines(records))

    def _files(self, told: Happenings) -> Iterator[tuple[Path, Sequence[Event | Occupancy]]]:
        if self._events is not None:
            yield self._events, told.events
        if self._occupancy is not None:
            yield self._occupancy, told.occupancy


def _lines(records: Iterable[Event | Occupancy]) -> Iterator[bytes]:
    return (each.model_dump_json(exclude_defaults=True).encode() + b"\n" for each in records)
