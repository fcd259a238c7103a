"""Who is parked in a recording, and which of its boxes show that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geometry.floorplan import FloorPlan
from geometry.parking_places import ParkingPlaces
from geometry.records import FixedCamera
from geometry.track_records import FrameRecord
from twin.parked.showing import note_boxes
from twin.parked.stays import Look, Stay, course_of, looks_of, stays_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Parked:
    """The stays of a recording.

    looks: what they tell second by second; looked: which stalls (S,) of the plan's ``ParkingPlaces`` they are about
    lookers: the cameras whose boxes say what moves and which look at stalls
    """

    stays: Sequence[Stay]
    looks: tuple[Look, ...]
    looked: NDArray[np.bool_]
    lookers: frozenset[str]


def find_parked(
    frames: Sequence[tuple[float, FrameRecord]], cameras: Mapping[str, FixedCamera], plan: FloorPlan
) -> tuple[list[FrameRecord], Parked]:
    """Return the frames, with their times by the common clock, without the boxes that show who is parked, and who is.

    Of the frames that are left those of cameras that look at stalls say so, and no others.
    """
    timed = sorted(frames, key=lambda each: each[0])
    places = ParkingPlaces.of(plan)
    course = course_of(timed, places)
    stays = stays_of(course)
    floors = np.array([level.elevation for level in plan.levels])
    lookers = _lookers([frame for _, frame in timed], set(places.stalls))
    left = note_boxes(stays, timed, tuple(cameras.values()), places, floors, lookers)
    left = [frame if frame.camera in lookers else frame.model_copy(update={"stalls": None}) for frame in left]
    return left, Parked(
        stays=stays, looks=looks_of(course, places), looked=np.asarray(course.seen.any(axis=0)), lookers=lookers
    )


def looks_at(frames: Sequence[FrameRecord], plan: FloorPlan | None) -> bool:
    """Tell whether some frame looks at a stall that the plan has."""
    known = set() if plan is None else set(ParkingPlaces.of(plan).stalls)
    return any(stall in known for frame in frames for stall in frame.stalls or ())


def without_looks(frame: FrameRecord) -> FrameRecord:
    """Return a frame as of a camera that looks at no stalls, and doesn't tell what moves."""
    boxes = tuple(each.model_copy(update={"changed": None}) for each in frame.detections)
    return frame.model_copy(update={"detections": boxes, "stalls": None})


def _lookers(frames: Sequence[FrameRecord], known: set[str]) -> frozenset[str]:
    """Return the cameras that look at stalls of the plan and say of boxes what changed."""
    looks = {frame.camera for frame in frames if known.intersection(frame.stalls or ())}
    tells = {frame.camera for frame in frames if any(each.changed is not None for each in frame.detections)}
    silent = {frame.camera for frame in frames if frame.detections} - tells
    return frozenset(looks - silent)
