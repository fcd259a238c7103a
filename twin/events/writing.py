"""Events and occupancy into files, while tracks come or of a whole recording."""

from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

from geometry.errors import InputError
from geometry.floorplan import FloorPlan
from geometry.records import FixedCamera
from geometry.track_records import TrackRow
from twin.events.engine import EventEngine, Happenings, events_of


class EventWriter:
    """Appends to events.jsonl and occupancy.jsonl, whichever has a path; does nothing where neither has.

    counts: how many events there were, for a summary
    """

    def __init__(
        self, plan: FloorPlan | None, cameras: Sequence[FixedCamera], events: Path | None, occupancy: Path | None
    ) -> None:
        """Empty the files; ``InputError`` where one is asked for and there is no plan, or it can't be written."""
        self._events, self._occupancy = events, occupancy
        self._plan, self._cameras = plan, cameras
        self._engine: EventEngine | None = None
        self.counts: dict[str, int] = {}
        if events is None and occupancy is None:
            return
        if plan is None:
            raise InputError("events need a plan", remedy="It tells which stalls, lanes and gates there are.")
        self._engine, self.counts = EventEngine(plan, cameras), {"events": 0}
        for path in (events, occupancy):
            if path is not None:
                try:
                    path.write_text("", encoding="utf-8")
                except OSError as error:
                    raise InputError(f"can't write: {error.strerror}", where=str(path)) from error

    def whole(self, rows: Iterable[TrackRow]) -> None:
        """Tell a whole recording."""
        if self._engine is not None and self._plan is not None:
            self._write(events_of(rows, self._plan, self._cameras))

    def live(self, rows: Iterable[TrackRow]) -> None:
        """Tell what rows that just came mean, those of a moment together."""
        if self._engine is not None:
            for time, group in groupby(rows, key=lambda row: row.time):
                self._write(self._engine.update(time, list(group)))

    def end(self) -> None:
        """Tell what is left when no more rows come."""
        if self._engine is not None:
            self._write(self._engine.finish())

    def _write(self, happenings: Happenings) -> None:
        self.counts["events"] += len(happenings.events)
        for path, records in ((self._events, happenings.events), (self._occupancy, happenings.occupancy)):
            if path is not None and records:
                with path.open("a", encoding="utf-8") as file:
                    file.writelines(each.model_dump_json(exclude_defaults=True) + "\n" for each in records)
