"""The whole state of a live tracker as bytes and back, so that after a crash it goes on as if nothing had been.

A JSON text of plain values, with arrays as numbers beside it, compressed. Only the classes listed here are made when it
is read, and only their own fields are set: a file can't name code to run, as a pickle could.
"""

import base64
import hashlib
import json
import zlib
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from itertools import count
from typing import Any

import numpy as np
from pydantic import BaseModel

from geometry.errors import InputError
from geometry.track_records import Observation, TrackRow
from perception.clocks import ClockEstimate
from perception.detections import Detections
from perception.linking.links import Piece
from perception.occupancy.looks import StallLooks
from perception.tracking.tracker import GroundTracker
from perception.tracking.tracks import Seen, Tracklet, TrackTable
from twin.events.conduct import _Course
from twin.events.crossings import _Track
from twin.events.engine import EventEngine
from twin.events.occupancy import _Told
from twin.live_tracking import LiveTracker, _Known

FORMAT = 1
MAX_BYTES = 256 * 2**20
CLASSES: dict[str, Any] = {
    each.__name__: each
    for each in (
        ClockEstimate,
        Detections,
        Piece,
        Seen,
        Tracklet,
        TrackTable,
        _Known,
        _Course,
        _Track,
        _Told,
        StallLooks,
    )
}
MODELS: dict[str, type[BaseModel]] = {"Observation": Observation, "TrackRow": TrackRow}
FORGOTTEN = {"Seen": ("planes",)}
"""Fields for smoothing, which is not done live: None afterwards; they are most of the bytes."""
TRACKER = ("time", "table", "tracklets", "dropped", "_ended", "_ids", "_last_frame", "_interval")
LIVE = ("_waiting", "_order", "_identities", "_newest", "_done", "_ahead", "_known", "_lost", "_next_tick", "late")
WATCH = ("estimate", "_ended", "_due")
EVENTS = {
    "stalls": ("probability", "_told", "_time", "looks"),
    "_crossings": ("_tracks", "_start"),
    "_conduct": ("_courses", "_near"),
}


def fingerprint() -> str:
    """Return what a state depends on besides its tracker: the fields of the classes it is made of."""
    shape = {name: [field.name for field in fields(each)] for name, each in CLASSES.items()}
    return hashlib.sha256(json.dumps([FORMAT, shape, TRACKER, LIVE, WATCH, EVENTS]).encode()).hexdigest()[:16]


def saved(tracker: LiveTracker, events: EventEngine | None = None, extra: Any = None) -> bytes:
    """Return the state of a tracker and of what tells events, and ``extra`` plain values beside it."""
    writer = _Writer()
    watch = tracker._watch
    state = {
        "format": FORMAT,
        "live": writer.fields(tracker, LIVE),
        "tracker": writer.fields(tracker.tracker, TRACKER),
        "watch": None if watch is None else writer.fields(watch, WATCH),
        "watched": {}
        if watch is None
        else {camera: writer.fields(each, TRACKER) for camera, each in watch._trackers.items()},
        "events": None
        if events is None
        else {"time": events._time, **{n: writer.fields(getattr(events, n), names) for n, names in EVENTS.items()}},
        "extra": writer.plain(extra),
    }
    content = {"state": state, "shared": writer.shared}
    return zlib.compress(json.dumps(content, separators=(",", ":")).encode(), 1)


def restore(tracker: LiveTracker, content: bytes, events: EventEngine | None = None) -> Any:
    """Put a state into a fresh tracker and event engine of the same cameras, plan and options; return ``extra``.

    Raises ``InputError``, and both are of no use then, for content that is damaged or of other cameras.
    """
    try:
        inflate = zlib.decompressobj()
        text = inflate.decompress(content, MAX_BYTES)
        if inflate.unconsumed_tail:
            raise InputError(f"the engine's state is larger than {MAX_BYTES} bytes")
        whole = json.loads(text)
        state, reader = whole["state"], _Reader(whole["shared"])
        if state["format"] != FORMAT:
            raise InputError(f"the engine's state has format {state['format']}, not {FORMAT}")
        reader.set_fields(tracker, state["live"], LIVE)
        reader.set_fields(tracker.tracker, state["tracker"], TRACKER)
        if tracker.tracker.table.seen_by.shape[1] != len(tracker.cameras):
            raise InputError("the engine's state is of other cameras")
        watch = tracker._watch
        if (watch is None) != (state["watch"] is None) or (watch and set(watch._trackers) != set(state["watched"])):
            raise InputError("the engine's state is of other cameras or options")
        if watch is not None:
            reader.set_fields(watch, state["watch"], WATCH)
            for camera, each in state["watched"].items():
                reader.set_fields(watch._trackers[camera], each, TRACKER)
        if (events is None) != (state["events"] is None):
            raise InputError("the engine's state is of another plan")
        if events is not None:
            events._time = reader.value(state["events"].pop("time"))
            for name, names in EVENTS.items():
                reader.set_fields(getattr(events, name), state["events"][name], names)
            if events.stalls.looks.stalls != tuple(stall.id for stall in events.stalls.plan.stalls):
                raise InputError("the engine's state is of another plan")
            if len(events.stalls.probability) != len(events.stalls.plan.stalls):
                raise InputError("the engine's state is of another plan")
        return reader.value(state["extra"])
    except (KeyError, ValueError, TypeError, AttributeError, IndexError, zlib.error) as error:
        raise InputError(f"the engine's state is damaged ({type(error).__name__}: {error})") from error


class _Writer:
    """Turns values into JSON; what several others point to is written once."""

    def __init__(self) -> None:
        self.shared: list[Any] = []
        self._number: dict[int, int] = {}
        self._alive: list[Any] = []

    def fields(self, owner: GroundTracker | LiveTracker | Any, names: tuple[str, ...]) -> dict[str, Any]:
        return {name: self.plain(getattr(owner, name)) for name in names}

    def plain(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if np.isfinite(value) else {"float": repr(value)}
        if isinstance(value, list):
            return self._stacked(value) if len(value) > 1 and _is_alike(value) else [self.plain(each) for each in value]
        if isinstance(value, np.generic):
            return self.plain(value.item())
        return self._tagged(value)

    def _stacked(self, arrays: list[Any]) -> dict[str, Any]:
        """Write arrays of one shape as one, which is quicker."""
        return {"arrays": self._tagged(np.stack(arrays))["array"]}

    def _tagged(self, value: Any) -> dict[str, Any]:
        if isinstance(value, np.ndarray):
            data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
            return {"array": [value.dtype.str, list(value.shape), data]}
        if isinstance(value, tuple):
            return {"tuple": [self.plain(each) for each in value]}
        if isinstance(value, set | frozenset):
            return {type(value).__name__: [self.plain(each) for each in sorted(value)]}
        if isinstance(value, dict):
            return {"dict": [[self.plain(key), self.plain(each)] for key, each in value.items()]}
        if isinstance(value, count):
            return {"count": int(value.__reduce__()[1][0])}
        if isinstance(value, BaseModel) and type(value).__name__ in MODELS:
            return {"model": [type(value).__name__, value.model_dump_json(by_alias=True)]}
        if is_dataclass(value) and type(value).__name__ in CLASSES:
            return {"shared": self._place(value)}
        raise TypeError(f"a {type(value).__name__} can't be kept")

    def _place(self, value: Any) -> int:
        if id(value) not in self._number:
            names = [field.name for field in fields(value) if field.name not in FORGOTTEN.get(type(value).__name__, ())]
            content = {name: self.plain(getattr(value, name)) for name in names}
            self._number[id(value)] = len(self.shared)
            self._alive.append(value)
            self.shared.append([type(value).__name__, content])
        return self._number[id(value)]


def _is_alike(values: list[Any]) -> bool:
    first = values[0]
    return isinstance(first, np.ndarray) and all(
        isinstance(each, np.ndarray) and each.shape == first.shape and each.dtype == first.dtype for each in values
    )


class _Reader:
    """Turns JSON into values."""

    def __init__(self, shared: list[Any]) -> None:
        self._shared: list[Any] = []
        for name, content in shared:  # each points only to those before it
            made = object.__new__(CLASSES[name])
            forgotten = FORGOTTEN.get(name, ())
            if set(content) | set(forgotten) != {field.name for field in fields(CLASSES[name])}:
                raise ValueError(f"a {name} has other fields")
            for field in forgotten:
                object.__setattr__(made, field, None)
            for field, value in content.items():
                object.__setattr__(made, field, self.value(value))
            self._shared.append(made)

    def set_fields(self, owner: Any, content: dict[str, Any], names: tuple[str, ...]) -> None:
        if set(content) != set(names):
            raise ValueError("it has other fields")
        for name in names:
            setattr(owner, name, self.value(content[name]))

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(each) for each in value]
        if not isinstance(value, dict):
            return value
        ((tag, content),) = value.items()
        return _READERS[tag](self, content)

    def array(self, content: Any) -> Any:
        dtype = np.dtype(content[0])
        if dtype.hasobject:
            raise ValueError("an array of objects")
        return np.frombuffer(base64.b64decode(content[2]), dtype).reshape(content[1]).copy()


_READERS: dict[str, Callable[[_Reader, Any], Any]] = {
    "float": lambda reader, content: float(content),
    "array": _Reader.array,
    "arrays": lambda reader, content: list(reader.array(content)),
    "tuple": lambda reader, content: tuple(reader.value(each) for each in content),
    "frozenset": lambda reader, content: frozenset(reader.value(each) for each in content),
    "set": lambda reader, content: {reader.value(each) for each in content},
    "dict": lambda reader, content: {reader.value(key): reader.value(each) for key, each in content},
    "count": lambda reader, content: count(content),
    "model": lambda reader, content: MODELS[content[0]].model_validate_json(content[1]),
    "shared": lambda reader, content: reader._shared[content],
}
