"""Does a camera that was moved get noticed, and does one that was not stay silent, over a day of other cars and light?

Cameras are watched from six frames, and judged by those that follow. A move is found if an event names it within three
frames; any event of an unmoved camera is a false alarm. Frames that are not rendered yet are left out and counted so.
"""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.calibration_cameras import twin_of
from benchmarks.calibration_days import (
    FRAMES_A_MOVE,
    REFERENCE,
    SCENES,
    TIMES,
    Move,
    frame_path,
    moves,
    render_days,
    true_cameras,
)
from benchmarks.protocol import spread
from geometry import FixedCamera
from perception import read_image
from twin import Twin
from twin.calibration.health import NEEDED, HealthMonitor
from twin.calibration.watch import Watch, watch
from twin.surface import depth_of

Pixels = NDArray[np.uint8]

FOUND_OF, FALSE_OF = 58 / 60, 1 / 1000


def measure_health(folder: Path, *, render: bool = True) -> dict[str, Any]:
    """Watch every camera through the day, with and without moves; ``render`` what is missing of its frames first."""
    days = folder / "days"
    if render:
        for _ in render_days(days, SCENES):
            pass
    silent, alarms, pushed, faults = 0, [], [], []
    unmoved_px: list[float] = []
    for scene in SCENES:
        twin = twin_of(folder, scene)
        for camera in true_cameras(scene):
            if not all(frame_path(days, scene, camera.id, t).exists() for t in range(REFERENCE)):
                continue
            state = _watch(days, scene, camera, twin)
            times = [t for t in range(REFERENCE, TIMES) if frame_path(days, scene, camera.id, t).exists()]
            frames = [read_image(frame_path(days, scene, camera.id, t)).pixels for t in times]
            monitor = HealthMonitor(state)
            for time, frame in zip(times, frames, strict=True):
                silent += 1
                alarms += [
                    {"scene": scene, "camera": camera.id, "time": time, "kind": e.kind, "what": e.what}
                    for e in monitor.see(frame, float(time))
                ]
                seen = monitor.frames[-1].motion
                unmoved_px += [] if seen is None else [seen.moved_px]
            for move in moves():
                if (move.scene, move.camera) == (scene, camera.id):
                    row = _moved(days, move, state, dict(zip(times, frames, strict=True)))
                    pushed += [] if row is None else [row]
            faults += _faults(state, frames[:4], scene, camera.id)
            print(scene, camera.id, silent, len(alarms), sum(r["found"] for r in pushed), len(pushed), flush=True)
    return _result(silent, alarms, pushed, faults, unmoved_px)


def _watch(days: Path, scene: str, camera: FixedCamera, twin: Twin) -> Watch:
    frames = [read_image(frame_path(days, scene, camera.id, t)).pixels for t in range(REFERENCE)]
    surface = twin.surface
    depth = None if surface is None else depth_of(surface, camera.camera(), camera.pose())[0]
    return watch(camera.camera(), camera.pose(), frames, depth)


def _moved(days: Path, move: Move, state: Watch, unmoved: dict[int, Pixels]) -> dict[str, Any] | None:
    """Feed two frames from before a move and up to three from after it; None where not even two are rendered."""
    paths = [frame_path(days, move.scene, move.camera, t, move.number) for t in move.times]
    paths = [path for path in paths if path.exists()]
    if len(paths) < NEEDED:
        return None
    monitor = HealthMonitor(state)
    for time in range(move.time - 2, move.time):
        if time in unmoved:
            monitor.see(unmoved[time], float(time))
    events = []
    for time, path in zip(move.times, paths, strict=False):
        events += [event for event in monitor.see(read_image(path).pixels, float(time)) if event.kind == "moved"]
    row: dict[str, Any] = {
        "scene": move.scene,
        "camera": move.camera,
        "turned_deg": float(np.degrees(np.linalg.norm(move.turn))),
        "shifted_m": float(np.linalg.norm(move.shift)),
        "found": bool(events),
        "frames": events[0].time - move.time + 1 if events else None,
    }
    if events and events[0].motion is not None:
        row |= {"said_deg": events[0].motion.turned_deg, "said_m": events[0].motion.shifted_m}
    return row


def _faults(state: Watch, frames: list[Pixels], scene: str, camera: str) -> list[dict[str, Any]]:
    """Spoil frames in known ways and tell whether the right name is among what is said, and no move."""
    if len(frames) < 3:
        return []
    rng = np.random.default_rng(0)
    height, width = frames[0].shape[:2]
    spoilt: dict[str, list[Pixels]] = {
        "defocused": [cv2.GaussianBlur(f, (0, 0), 4.0) + rng.integers(0, 5, f.shape, np.uint8) // 2 for f in frames],
        "covered": [rng.normal(50, 3, f.shape).clip(0, 255).astype(np.uint8) for f in frames],
        "frozen": [frames[0]] * len(frames),
        "dirty": [],
    }
    for frame in frames:
        part = frame.copy()
        part[height // 3 :, : width // 2] = cv2.GaussianBlur(frame, (0, 0), 10.0)[height // 3 :, : width // 2]
        spoilt["dirty"].append(part)
    rows = []
    for kind, pictures in spoilt.items():
        monitor, said = HealthMonitor(state), set()
        for time, picture in enumerate(pictures):
            said |= {event.kind for event in monitor.see(picture, float(time))}
        rows.append({"scene": scene, "camera": camera, "fault": kind, "named": kind in said, "said": sorted(said)})
    return rows


def _result(
    silent: int,
    alarms: list[dict[str, Any]],
    pushed: list[dict[str, Any]],
    faults: list[dict[str, Any]],
    unmoved_px: list[float],
) -> dict[str, Any]:
    found = sum(row["found"] for row in pushed)
    share = found / max(len(pushed), 1)
    table: list[tuple[object, ...]] = [
        (
            f"moves found within {FRAMES_A_MOVE} frames, of",
            f"{found} of {len(pushed)}",
            "58 of 60",
            _kept(share >= FOUND_OF),
        ),
        (
            "false alarms in unmoved frames",
            f"{len(alarms)} in {silent}",
            "1 in 1000",
            _kept(len(alarms) <= max(1.0, silent * FALSE_OF)) if silent >= 1000 else "fewer frames",
        ),
    ]
    for kind in ("defocused", "covered", "frozen", "dirty"):
        rows = [row for row in faults if row["fault"] == kind]
        table.append((f"{kind}: named, of", f"{sum(row['named'] for row in rows)} of {len(rows)}", "", ""))
    turned = [abs(r["said_deg"] - r["turned_deg"]) for r in pushed if r["found"]]
    shifted = [abs(r["said_m"] - r["shifted_m"]) for r in pushed if r["found"]]
    if turned:
        table.append(("size of a move, deg off, median", f"{np.median(turned):.3f}", "", ""))
        table.append(("size of a move, m off, median", f"{np.median(shifted):.4f}", "", ""))
    return {
        "table": table,
        "unmoved_frames": silent,
        "unmoved_px": spread(unmoved_px),
        "alarms": alarms,
        "moves": pushed,
        "faults": faults,
    }


def _kept(ok: bool) -> str:
    return "kept" if ok else "missed"
