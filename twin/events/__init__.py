"""What happens, told from tracks: stalls taken and freed, gates and zones, and what should not happen."""

from twin.events.engine import EventEngine, EventOptions, Happenings, events_of
from twin.events.records import Event, Occupancy, Where, read_events, read_occupancy, write_events, write_occupancy

__all__ = [
    "Event",
    "EventEngine",
    "EventOptions",
    "Happenings",
    "Occupancy",
    "Where",
    "events_of",
    "read_events",
    "read_occupancy",
    "write_events",
    "write_occupancy",
]
