"""Who is where in the site, and which stalls are taken: truth/tracks.jsonl and truth/occupancy.jsonl."""

from collections.abc import Iterable, Iterator
from heapq import merge
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan
from geometry.location import Located, locate
from scenes.captures.boxes import Box, FrameBoxes
from scenes.captures.recording import Recording
from scenes.traffic import Episode, States, states_at

Array = NDArray[np.float64]


def track_rows(
    recording: Recording, plan: FloorPlan, cameras: Iterable[Iterable[FrameBoxes]] = ()
) -> Iterator[dict[str, Any]]:
    """Yield the lines of tracks.jsonl: every object on the site, every 1 / fps seconds of UTC, seen or not.

    cameras: frames with boxes of each camera in the order of time; the ones in which an object is seen within half of
    an interval are its observations. ``meta.object`` is the object's name in boxes.jsonl.
    """
    options = recording.options
    ticks = np.arange(int(options.seconds * options.fps + 1e-9)) / options.fps
    observed = _by_tick(recording, cameras)
    number, frames = next(observed, (-1, []))
    for tick, since_start in enumerate(ticks.tolist()):
        seen: list[FrameBoxes] = []
        while 0 <= number <= tick:
            seen = frames if number == tick else []
            number, frames = next(observed, (-1, []))
        yield from _rows_at(recording, plan, since_start, seen)


def _by_tick(recording: Recording, cameras: Iterable[Iterable[FrameBoxes]]) -> Iterator[tuple[int, list[FrameBoxes]]]:
    """Group all cameras' frames by the tick of UTC they are nearest to."""
    start, fps = recording.options.start_utc, recording.options.fps
    frames = merge(*cameras, key=lambda frame: frame.utc)
    for tick, members in groupby(frames, key=lambda frame: round((frame.utc - start) * fps)):
        yield tick, list(members)


def _rows_at(
    recording: Recording, plan: FloorPlan, since_start: float, seen: list[FrameBoxes]
) -> Iterator[dict[str, Any]]:
    states, objects = states_at(recording.episode, since_start), recording.episode.objects
    present = np.flatnonzero(states.present)
    located = locate(plan, states.position[present])
    velocity = velocities(states)
    observations: dict[str, list[Box]] = {}
    for box in (box for frame in seen for box in frame.boxes if box.bbox_visible is not None):
        observations.setdefault(box.object, []).append(box)
    for row, i in enumerate(present.tolist()):
        yield {
            "time": recording.options.start_utc + since_start,
            "track": i + 1,
            "class": objects[i].kind,
            **place_names(plan, located, row),
            "position": states.position[i].round(4).tolist(),
            "velocity": velocity[i].round(4).tolist(),
            "heading": round(float(states.heading[i]), 5),
            "size": [round(side, 3) for side in objects[i].size],
            "observations": [
                {"camera": box.camera, "time": box.time, "bbox": box.bbox_visible}
                for box in observations.get(objects[i].id, [])
            ],
            "meta": {"object": objects[i].id},
        }


def velocities(states: States) -> Array:
    """Return the velocities (N, 3) in site, m/s, of objects that go where they point to, or back."""
    level = np.cos(states.pitch)
    ahead = [np.cos(states.heading) * level, np.sin(states.heading) * level, np.sin(states.pitch)]
    return np.asarray(states.speed[:, None] * np.stack(ahead, axis=1))


def place_names(plan: FloorPlan, located: Located, row: int) -> dict[str, str | None]:
    """Return the ids of the level, zone and stall of one located position, None for none."""
    found = {
        "level": (plan.levels, located.level),
        "zone": (plan.zones, located.zone),
        "stall": (plan.stalls, located.stall),
    }
    return {kind: elements[index[row]].id if index[row] >= 0 else None for kind, (elements, index) in found.items()}


def occupancy_rows(recording: Recording) -> Iterator[dict[str, Any]]:
    """Yield the lines of occupancy.jsonl: every stall at the start, then each change of who is parked in it."""
    episode, start = recording.episode, recording.options.start_utc
    before = np.full(len(episode.stall_ids), -1)
    for step, since_start in enumerate(episode.times.tolist()):
        if since_start > recording.options.seconds:
            return
        parked = _parked(episode, step)
        changed = np.arange(len(parked)) if step == 0 else np.flatnonzero(parked != before)
        for stall in changed.tolist():
            track = int(parked[stall]) + 1
            yield {
                "time": start + since_start,
                "stall": episode.stall_ids[stall],
                "p_occupied": 1.0 if track else 0.0,
                "track": track or None,
            }
        before = parked


def _parked(episode: Episode, step: int) -> NDArray[np.int64]:
    """Return for each stall the index of the object parked in it at a step, -1 for none."""
    inside = np.flatnonzero(episode.states.present[step] & (episode.states.stall[step] >= 0))
    parked = np.full(len(episode.stall_ids), -1)
    parked[episode.states.stall[step, inside]] = inside
    return parked
