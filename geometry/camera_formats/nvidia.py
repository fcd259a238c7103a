"""NVIDIA Metropolis' calibration.json: sensors with intrinsicMatrix, extrinsicMatrix, cameraMatrix and homography.

extrinsicMatrix (3, 4) is cam_from_site, cameraMatrix = intrinsicMatrix extrinsicMatrix, and homography takes points of
the ground z = 0 to pixels. Lenses are linear there: pictures have to be rectified first. Sensors of older tools have
only a homography, from which no pose follows without the lens.
"""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geometry.camera_formats.entry import ImportOptions, entry
from geometry.cameras import camera_from_opencv, opencv_from_camera
from geometry.errors import InputError
from geometry.frames import position_of
from geometry.records import FixedCamera
from geometry.tables import read_bounded, write_atomic

Array = NDArray[np.float64]

MAX_SENSORS = 10_000


def read(path: Path, options: ImportOptions | None = None) -> tuple[FixedCamera, ...]:
    """Read all cameras of a calibration.json. Raises ``InputError`` naming the sensor and what it lacks."""
    options = options or ImportOptions()
    try:
        content = json.loads(read_bounded(path))
    except (UnicodeDecodeError, ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error})", where=str(path)) from error
    sensors = content.get("sensors") if isinstance(content, dict) else None
    if not isinstance(sensors, list) or len(sensors) > MAX_SENSORS or not all(isinstance(s, dict) for s in sensors):
        raise InputError("has no list 'sensors'", where=str(path), remedy="Give NVIDIA Metropolis' calibration.json.")
    cameras = tuple(_sensor(s, options, f"{path}, sensor {n}") for n, s in enumerate(sensors) if _is_camera(s))
    ids = [camera.id for camera in cameras]
    if len(set(ids)) != len(ids):
        raise InputError("two sensors have one id", where=str(path))
    return cameras


def _is_camera(sensor: dict[str, Any]) -> bool:
    return str(sensor.get("type", "camera")) == "camera"


def _sensor(sensor: dict[str, Any], options: ImportOptions, where: str) -> FixedCamera:
    id = sensor.get("id")
    if not isinstance(id, str) or not id:
        raise InputError("has no id", where=where)
    where = f"{where} '{id}'"
    if "intrinsicMatrix" not in sensor or "extrinsicMatrix" not in sensor:
        raise InputError(
            "has no intrinsicMatrix and extrinsicMatrix; a homography alone gives no pose",
            where=where,
            remedy="Calibrate it with 'tiepoint calibrate', which finds the lens too.",
        )
    k, extrinsic = _array(sensor, "intrinsicMatrix", (3, 3), where), _array(sensor, "extrinsicMatrix", (3, 4), where)
    size = options.size or _frame_size(sensor) or (round(2 * k[0, 2]), round(2 * k[1, 2]))
    try:
        camera = camera_from_opencv(k, [], size)
    except InputError as error:
        raise InputError(error.what, where=where, remedy=error.remedy) from error
    return entry(id, camera, extrinsic[:, :3], extrinsic[:, 3], options, where)


def _array(sensor: dict[str, Any], name: str, shape: tuple[int, int], where: str) -> Array:
    try:
        values = np.asarray(sensor[name], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} is not numbers", where=where) from error
    if values.size == 16 and shape == (3, 4):
        values = values.reshape(4, 4)[:3]
    if values.size != shape[0] * shape[1] or not np.isfinite(values).all():
        raise InputError(f"{name} is not {shape[0]} x {shape[1]} finite numbers", where=where)
    return values.reshape(shape)


def _frame_size(sensor: dict[str, Any]) -> tuple[int, int] | None:
    attributes = sensor.get("attributes")
    pairs = [a for a in attributes if isinstance(a, dict)] if isinstance(attributes, list) else []
    named = {a.get("name"): a.get("value") for a in pairs if isinstance(a.get("name"), str)}
    try:
        return int(str(named["frameWidth"])), int(str(named["frameHeight"]))
    except (KeyError, ValueError):
        return None


def write(path: Path, cameras: Iterable[FixedCamera]) -> None:
    """Write cameras as sensors. Raises ``InputError`` for a lens with distortion, which the format can't say."""
    sensors = [_sensor_of(camera) for camera in cameras]
    content = {"version": "1.0", "calibrationType": "cartesian", "sensors": sensors}
    write_atomic(path, json.dumps(content, indent=1).encode() + b"\n")


def _sensor_of(fixed: FixedCamera) -> dict[str, Any]:
    k, distortion, fisheye = opencv_from_camera(fixed.camera())
    if fisheye or distortion.any():
        raise InputError(
            f"camera '{fixed.id}' has distortion, and NVIDIA's calibration.json knows linear lenses only",
            remedy="Rectify its pictures and give the pinhole camera that they have then.",
        )
    pose = fixed.pose()
    extrinsic = np.column_stack([pose.rotation.matrix(), pose.translation])
    projection = k @ extrinsic
    x, y, z = position_of(pose).tolist()
    pixels, ground = _ground_points(projection, fixed.width, fixed.height)
    return {
        "type": "camera",
        "id": fixed.id,
        "origin": {"lng": 0.0, "lat": 0.0},
        "geoLocation": {"lng": 0.0, "lat": 0.0},
        "coordinates": {"x": x, "y": y, "z": z},
        "scaleFactor": 1.0,
        "translationToGlobalCoordinates": {"x": 0.0, "y": 0.0},
        "attributes": [
            {"name": "frameWidth", "value": str(fixed.width)},
            {"name": "frameHeight", "value": str(fixed.height)},
        ],
        "place": [{"name": "level", "value": fixed.level}],
        "imageCoordinates": [{"x": u, "y": v} for u, v in pixels.tolist()],
        "globalCoordinates": [{"x": a, "y": b, "z": 0.0} for a, b in ground.tolist()],
        "intrinsicMatrix": k.tolist(),
        "extrinsicMatrix": extrinsic.tolist(),
        "cameraMatrix": projection.tolist(),
        "homography": projection[:, [0, 1, 3]].tolist(),
        "rois": [],
        "tripwires": [],
    }


def _ground_points(projection: Array, width: int, height: int) -> tuple[Array, Array]:
    """Return pixels (N, 2) in the lower part of the picture and the points (N, 2) of z = 0 that they show."""
    homography = projection[:, [0, 1, 3]]
    u, v = np.meshgrid(np.linspace(0.1, 0.9, 3) * width, np.linspace(0.6, 0.95, 2) * height)
    pixels = np.column_stack([u.ravel(), v.ravel()])
    if abs(np.linalg.det(homography)) < 1e-12:
        return pixels[:0], pixels[:0]
    points = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(homography).T
    ahead = (homography @ (points / points[:, 2:]).T)[2] > 0
    return pixels[ahead], (points[:, :2] / points[:, 2:])[ahead]
