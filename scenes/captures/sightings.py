"""Stored views of objects to search for, and which of them show the same: truth/sightings.jsonl and truth/qrels.csv."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from typing import Any

import numpy as np

from geometry.floorplan import FloorPlan
from geometry.location import locate
from geometry.tables import Column, write_table
from scenes.captures.boxes import Box, FrameBoxes
from scenes.captures.recording import Recording
from scenes.captures.tracks import place_names

GAP_S = 3.0
"""An object that a camera does not see for longer has left it; what is hidden for less is still there."""
MIN_SIDE_PX = 16.0
"""A view narrower or lower than this shows nothing to search for."""
QREL_COLUMNS = (Column("query", str), Column("id", str), Column("relevance", int, minimum=0))


@dataclass(frozen=True, kw_only=True)
class Sighting:
    """An object's stay in one camera, without a longer gap: its largest visible box.

    id: camera, object and the number of the stay, as in "cam3-v007-0"
    frame: index of the best frame among the camera's; box: there; utc: of that frame
    first, last: when the stay begins and ends, UTC
    """

    id: str
    frame: int
    box: Box
    utc: float
    first: float
    last: float


def sightings_of_camera(frames: Iterable[FrameBoxes]) -> Iterator[Sighting]:
    """Yield the sightings of one camera, whose frames come in the order of time, as each of them ends."""
    stays: dict[str, Sighting] = {}
    numbers: Counter[str] = Counter()
    for index, frame in enumerate(frames):
        for box in frame.boxes:
            if not _is_useful(box):
                continue
            stay = stays.get(box.object)
            if stay is None or frame.utc - stay.last > GAP_S:
                if stay is not None:
                    yield stay
                id = f"{box.camera}-{box.object}-{numbers[box.object]}"
                numbers[box.object] += 1
                stay = Sighting(id=id, frame=index, box=box, utc=frame.utc, first=frame.utc, last=frame.utc)
            elif _area(box) > _area(stay.box):
                stay = replace(stay, frame=index, box=box, utc=frame.utc)
            stays[box.object] = replace(stay, last=frame.utc)
    yield from stays.values()


def sighting_row(
    sighting: Sighting, image: str, recording: Recording, plan: FloorPlan, facility: str
) -> dict[str, Any]:
    """Return the line of sightings.jsonl; ``image`` is the whole frame, ``meta.bbox`` what of it shows the object."""
    box = sighting.box
    places = place_names(plan, locate(plan, np.array([box.position])), 0)
    return {
        "id": sighting.id,
        "time": sighting.utc,
        "facility": facility,
        "level": places["level"],
        "zone": places["zone"],
        "camera": box.camera,
        "track": recording.tracks[box.object],
        "class": box.kind,
        "position": box.position,
        "image": image,
        "meta": {"bbox": box.bbox_visible, "first": sighting.first, "last": sighting.last, "object": box.object},
    }


def write_qrels(path: str | PathLike[str], sightings: Iterable[tuple[str, str]]) -> None:
    """Write qrels.csv from (id, object) pairs: with each sighting as the query, all others of its object.

    The query itself is left out, and is all that shows its own stay in its own camera.
    """
    members: dict[str, list[str]] = {}
    for id, thing in sightings:
        members.setdefault(thing, []).append(id)
    pairs = [(a, b) for ids in members.values() for a in ids for b in ids if a != b]
    columns: dict[str, Sequence[Any]] = {
        "query": [a for a, _ in pairs],
        "id": [b for _, b in pairs],
        "relevance": [1] * len(pairs),
    }
    write_table(path, QREL_COLUMNS, columns)


def _is_useful(box: Box) -> bool:
    if box.bbox_visible is None:
        return False
    left, top, right, bottom = box.bbox_visible
    return min(right - left, bottom - top) >= MIN_SIDE_PX


def _area(box: Box) -> float:
    left, top, right, bottom = box.bbox_visible or (0.0, 0.0, 0.0, 0.0)
    return (right - left) * (bottom - top)
