"""The calibrations of a camera over time, as cameras.json keeps them, and what was lifted under a wrong pose."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray

from geometry import FixedCamera, InputError, project, transform_points, unproject
from geometry.cameras import camera_from_params
from geometry.frames import position_of
from twin.calibration.answer import CameraCalibration

Array = NDArray[np.float64]

KEPT = 200
"""Calibrations remembered of a camera; older ones are dropped."""


class Calibrated(NamedTuple):
    """A lens and a pose that held from ``since`` (epoch seconds) on."""

    since: float
    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d


def with_calibration(
    before: FixedCamera | None, answer: CameraCalibration, *, since: float, calibrated: float, level: str | None = None
) -> FixedCamera:
    """Return a camera with a new calibration that holds from ``since``; what it replaces goes to ``history``.

    before: the camera as it was, whose clock is kept; calibrated: when this was found out, epoch seconds
    Raises ``InputError`` for a refused calibration.
    """
    if answer.status != "ok" or answer.camera is None or answer.cam_from_site is None:
        raise InputError(f"camera '{answer.id}' was not calibrated: {answer.reason}")
    entry = {
        "since": since,
        "calibrated": calibrated,
        "model": answer.camera.model_name,
        "params": answer.camera.params.tolist(),
        "quat_xyzw": answer.cam_from_site.rotation.quat.tolist(),
        "translation": answer.cam_from_site.translation.tolist(),
        "method": answer.method,
        "residual_px": answer.residual_px,
        "coverage": answer.coverage,
        "evidence": {kind: [count.found, count.agree] for kind, count in answer.evidence.items()},
        "limits": list(answer.limits),
    }
    past = () if before is None else before.history or (_as_installed(before),)
    kept: dict[str, Any] = {} if before is None else {"meta": before.meta}
    if before is not None:
        kept |= {"clock_drift_ppm": before.clock_drift_ppm, "clock_epoch": before.clock_epoch}
    return FixedCamera.of(
        answer.id,
        answer.camera,
        answer.cam_from_site,
        level=level or answer.level or (before.level if before is not None else ""),
        clock_offset_s=before.clock_offset_s if before is not None else 0.0,
        covariance=answer.covariance,
        history=(*past, entry)[-KEPT:],
        **kept,
    )


def _as_installed(camera: FixedCamera) -> dict[str, Any]:
    return {
        "since": 0.0,
        "model": camera.model,
        "params": list(camera.params),
        "quat_xyzw": list(camera.cam_from_site.quat_xyzw),
        "translation": list(camera.cam_from_site.translation),
        "method": "as installed",
    }


def calibrations(camera: FixedCamera) -> list[Calibrated]:
    """Return all calibrations of a camera, oldest first. Raises ``InputError`` for a history that is not one."""
    if not camera.history:
        return [Calibrated(0.0, camera.camera(), camera.pose())]
    found = []
    for number, entry in enumerate(camera.history):
        try:
            lens = camera_from_params(entry["model"], camera.width, camera.height, entry["params"])
            quat = np.asarray(entry["quat_xyzw"], dtype=np.float64)
            pose = pycolmap.Rigid3d(
                pycolmap.Rotation3d(quat / np.linalg.norm(quat)), np.asarray(entry["translation"], dtype=np.float64)
            )
            found.append(Calibrated(float(entry["since"]), lens, pose))
        except (KeyError, TypeError, ValueError) as error:
            where = f"camera '{camera.id}', history[{number}]"
            raise InputError(f"no calibration ({error})", where=where, remedy="Drop the entry.") from error
    return sorted(found, key=lambda each: each.since)


def at_time(camera: FixedCamera, time: float) -> Calibrated:
    """Return the calibration that held at a time; the first one before that."""
    held = [each for each in calibrations(camera) if each.since <= time]
    return held[-1] if held else calibrations(camera)[0]


def relifted(ground_points: ArrayLike, wrong: Calibrated, right: Calibrated, *, floor_z: float) -> Array:
    """Return where (N, 3) points of the floor really are that were lifted under a wrong calibration.

    Each goes back to the pixel that it was lifted from, and down to the floor along the right ray. NaN for what a
    camera does not show, or sees above its horizon.
    """
    points = np.asarray(ground_points, dtype=np.float64).reshape(-1, 3)
    pixels, valid = project(wrong.camera, transform_points(wrong.cam_from_site, points))
    rays = np.full((len(points), 3), np.nan)
    rays[valid] = unproject(right.camera, pixels[valid]) @ right.cam_from_site.rotation.matrix()
    start = position_of(right.cam_from_site)
    with np.errstate(divide="ignore", invalid="ignore"):
        reach = (floor_z - start[2]) / rays[:, 2]
    reach = np.where(reach > 0, reach, np.nan)
    return np.asarray(start + rays * reach[:, None])


def merged(cameras: Sequence[FixedCamera], changed: Iterable[FixedCamera]) -> tuple[FixedCamera, ...]:
    """Return cameras with some replaced by id and new ones appended."""
    new = {camera.id: camera for camera in changed}
    kept = [new.pop(camera.id, camera) for camera in cameras]
    return (*kept, *new.values())


def read_if_there(path: Path) -> tuple[FixedCamera, ...]:
    """Return the cameras of a file, none where it does not exist."""
    from geometry import read_cameras_json

    return read_cameras_json(path) if path.exists() else ()
