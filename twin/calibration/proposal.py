"""A camera's frames examined from files: what is wrong, and, where it moved, a new calibration to agree to."""

from pathlib import Path
from typing import Any

import numpy as np

from geometry import FixedCamera, pose_error
from perception import read_image
from perception.images import Pixels
from twin.calibration.calibrate import Calibrator
from twin.calibration.health import HealthEvent, HealthMonitor
from twin.calibration.watch import Watch, watch
from twin.model import Twin
from twin.queries import name_images
from twin.surface import depth_of

MAX_PICTURES = 25
"""Of frames to learn, and to calibrate, from."""


def examine(fixed: FixedCamera, reference: Path, frames: Path, twin_folder: Path | None = None) -> dict[str, Any]:
    """Judge a folder of frames in the order of their names against frames from when the camera was well.

    Returns ``frames``, ``events`` and a ``proposal``, None unless the camera moved and a twin is given: the pose now,
    with how much evidence agrees with the old pose and with the new one. Nothing is changed.
    """
    twin = Twin.open(twin_folder) if twin_folder is not None else None
    state = watch_of(fixed, [path for _, path in name_images([reference])], twin)
    monitor, events = HealthMonitor(state), []
    files = [path for _, path in name_images([frames])]
    for number, path in enumerate(files):
        events += monitor.see(read_image(path).pixels, float(number))
    moved = next((event for event in events if event.kind == "moved"), None)
    proposal = None if moved is None or twin is None else propose(fixed, twin, files[int(moved.since) :], moved)
    return {
        "camera": fixed.id,
        "frames": len(files),
        "events": [{"kind": e.kind, "since": int(e.since), "what": e.what} for e in events],
        "proposal": proposal,
    }


def watch_of(fixed: FixedCamera, files: list[Path], twin: Twin | None) -> Watch:
    """Learn what a camera showed when it was well; with a twin, how far off that is."""
    pictures = _pictures(files)
    depth = None
    if twin is not None and twin.surface is not None:
        depth, _ = depth_of(twin.surface, fixed.camera(), fixed.pose())
    return watch(fixed.camera(), fixed.pose(), pictures, depth)


def propose(fixed: FixedCamera, twin: Twin, files: list[Path], moved: HealthEvent) -> dict[str, Any]:
    """Return a new calibration from the frames since a move, beside what speaks for the old one."""
    assert moved.motion is not None
    pictures = _pictures(files)
    calibrator = Calibrator(twin)
    before = calibrator.agreement(pictures, fixed.camera(), fixed.pose())
    answer = calibrator.calibrate(fixed.id, pictures, fixed.camera(), prior=moved.motion.cam_from_site)
    if answer.cam_from_site is None:
        return {"what": f"no new calibration: {answer.reason}", "calibration": answer.content(), "before": before}
    metres, degrees = pose_error(answer.cam_from_site, fixed.pose())
    after = calibrator.agreement(pictures, fixed.camera(), answer.cam_from_site)
    what = f"{degrees:.2f} deg and {metres * 100:.1f} cm from before; evidence that agrees: {before} then, {after} now"
    return {"what": what, "calibration": answer.content(), "before": before, "after": after}


def _pictures(files: list[Path]) -> list[Pixels]:
    """Read ``MAX_PICTURES`` of some frames, spread over all of them."""
    chosen = np.unique(np.linspace(0, len(files) - 1, min(len(files), MAX_PICTURES)).round().astype(int))
    return [read_image(files[index]).pixels for index in chosen.tolist()]
