"""The gates of the busy garage, each with a camera of its own: are all counted that come and go?

Only cameras of the gates' level are there: its four of the eight, and one for each gate. What happens in the last
seconds of a recording is judged apart, as who comes in is told once it has come in.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.pixels_rendered import recorded, watched
from benchmarks.tracking_garage import busy_garage
from geometry.track_records import read_tracks
from scenes.facility import Facility, FixedCamera
from twin.evaluate_events import judge_gates
from twin.events import Event, events_of

LEVEL, LIKE = "P1", "cam2"
"""Of the gates, and the camera whose lens the new ones have."""
GATES = {"gate-in": ((12.0, 25.8), (0.6, 28.0)), "gate-out": ((12.0, 10.2), (0.6, 8.0))}
"""Where a camera hangs, beside the lane, and the middle of the gate that it looks at, metres."""
HEIGHT_M, PITCH_DEG = 2.8, -12.0
CLOCK_OFFSET_S, CLOCK_DRIFT_PPM = 0.3, 5.0
TAIL_S = 5.0


def gates(work: Path, seeds: Sequence[int], seconds: float, fps: float) -> dict[str, Any]:
    """Return counts at gates, told and true, by seed, and in how many runs all of them are exact."""
    figures: dict[str, Any] = {}
    for seed in seeds:
        facility = with_gate_cameras(busy_garage(seed))
        folder = recorded(work, f"gates-{fps:g}fps", facility, seed, seconds, fps)
        figures[str(seed)] = judged(folder, seconds)
    counted = ("whole", "but_for_the_end")
    exact = {f"exact_{span}": sum(each[span]["exact"] for each in figures.values()) for span in counted}
    return {"runs": len(seeds), **exact, "seeds": figures}


def with_gate_cameras(facility: Facility) -> Facility:
    """Return the garage with the cameras of the gates' level, and one more at each gate."""
    like = next(camera for camera in facility.cameras if camera.id == LIKE)
    level = [camera for camera in facility.cameras if camera.level == LEVEL]
    added = [_looking(like, name, *ends) for name, ends in GATES.items()]
    return facility.model_copy(update={"cameras": (*level, *added)})


def _looking(like: FixedCamera, name: str, at: tuple[float, float], to: tuple[float, float]) -> FixedCamera:
    yaw = math.degrees(math.atan2(to[1] - at[1], to[0] - at[0]))
    clock = {"clock_offset_s": CLOCK_OFFSET_S, "clock_drift_ppm": CLOCK_DRIFT_PPM}
    where = {"id": name, "level": LEVEL, "at": at, "height": HEIGHT_M, "yaw_deg": yaw, "pitch_deg": PITCH_DEG}
    return like.model_copy(update=where | clock)


def judged(folder: Path, seconds: float) -> dict[str, Any]:
    """Compare what is told at gates with the truth: of the whole recording, and but for its last seconds."""
    seen = watched(folder, with_appearance=True)
    plan, told = seen.plan, seen.told
    truth = read_tracks(folder / "truth" / "tracks.jsonl")
    happened = [event for event in events_of(truth, plan).events if "seen" not in event.meta]
    start = truth[0].time
    end = start + seconds - TAIL_S

    def until(events: Sequence[Event]) -> list[Event]:
        return [event for event in events if event.time < end]

    return {
        "whole": judge_gates(told.events, happened),
        "but_for_the_end": judge_gates(until(told.events), until(happened)),
        "times": {name: _times(events, start) for name, events in (("told", told.events), ("true", happened))},
    }


def _times(events: Sequence[Event], start: float) -> list[list[Any]]:
    return [
        [round(event.time - start, 1), event.kind, event.where.gate]
        for event in events
        if event.kind in ("gate_in", "gate_out")
    ]
