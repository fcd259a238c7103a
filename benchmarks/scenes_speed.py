"""What renders cost: seconds a picture, memory over many frames; and whether the same seed gives the same bytes."""

import hashlib
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.protocol import spread
from benchmarks.scenes_site import SECONDS, Site
from scenes import CaptureOptions, render_scene
from scenes.library import facility
from scenes.rendering import DRAFT, FULL, FixedView, render
from scenes.traffic import instances_at

MIN_MOVING, MAX_MOVING = 8, 14


def render_seconds(site: Site, *, pictures: int) -> dict[str, Any]:
    """Return seconds a 640 x 480 picture of the walk takes, in full and in draft quality; one each is warm-up."""
    views = [site.walk[i] for i in np.linspace(0, len(site.walk) - 1, pictures + 1).astype(int)]
    take = partial(render, site.world)
    takes = {
        name: [partial(take, view.camera, view.cam_from_site, options) for view in views]
        for name, options in (("full", FULL), ("draft", DRAFT))
    }
    return {name: _timed(calls) for name, calls in takes.items()}


def frame_seconds(site: Site, *, frames: int) -> dict[str, Any]:
    """Return seconds a frame of each fixed camera takes after the first, when about ten things move."""
    times = _busy_times(site)
    chosen = times[np.linspace(0, len(times) - 1, frames + 1).astype(int)]
    moving = [instances_at(site.episode, float(t), static=False) for t in chosen]
    by_camera = {}
    for fixed in site.cameras:
        view = FixedView(site.world, fixed.camera(), fixed.pose())
        by_camera[fixed.id] = _timed([partial(view.frame, things) for things in moving])
    walls, cpus = ([c[kind]["median"] for c in by_camera.values()] for kind in ("wall_s", "cpu_s"))
    return {
        "moving": spread([len(things) for things in moving]),
        "wall_s": spread(walls),
        "cpu_s": spread(cpus),
        "by_camera": by_camera,
    }


def memory_of_frames(site: Site, *, frames: int) -> dict[str, Any]:
    """Return the peak resident memory while a fixed camera makes a tenth of the frames, and then all; bytes.

    The kernel's peak is reset before, so that it is the frames' and not that of building the scene.
    """
    fixed = site.cameras[0]
    view = FixedView(site.world, fixed.camera(), fixed.pose())
    Path("/proc/self/clear_refs").write_text("5")
    peaks: dict[str, Any] = {}
    for done, time_s in enumerate(np.linspace(0, SECONDS - 0.5, frames), start=1):
        view.frame(instances_at(site.episode, float(time_s), static=False))
        if done in (frames // 10, frames):
            peaks[f"after {done}"] = _peak_bytes()
    return peaks


def same_bytes(folder: Path, *, quick: bool) -> dict[str, Any]:
    """Return whether two renders of the room with one seed are the same files with the same bytes."""
    options = CaptureOptions(
        queries=2, walk_frames=3, seconds=0.4, seed=3, quality="draft" if quick else "full", width=320, height=240
    )
    digests = []
    for name in ("first", "second"):
        render_scene(facility("room"), folder / name, options)
        digests.append(_digests(folder / name))
    return {"files": len(digests[0]), "differing": sorted(set(digests[0].items()) ^ set(digests[1].items()))}


def _timed(calls: Sequence[Callable[[], object]]) -> dict[str, Any]:
    """Return wall and CPU seconds of calls, all but the first."""
    walls, cpus = [], []
    for call in calls:
        wall, cpu = time.perf_counter(), time.process_time()
        call()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return {"wall_s": spread(walls[1:]), "cpu_s": spread(cpus[1:]), "pictures": len(walls) - 1}


def _busy_times(site: Site) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the times at which about ten things are about."""
    states = site.episode.states
    moving = (states.present & ~site.episode.is_static).sum(axis=1)
    return site.episode.times[(moving >= MIN_MOVING) & (moving <= MAX_MOVING)]


def _peak_bytes() -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return 1024 * int(line.split()[1])


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
