"""KITTI: cars that are parked, seen by a camera that drives past: how far their places scatter."""

from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import camera_from_params, pose_from_matrix
from geometry.box_views import ROWS, SIDES, CameraModel, box_planes
from geometry.ground_surface import GroundSurface
from geometry.lifting import lift_boxes

Array = NDArray[np.float64]

SEQUENCES = ("0001",)
SIZE = (1242, 375)
EARTH_M = 6378137.0
IMU_OVER_GROUND_M = 0.93
BOX_PX, BOX_SHARE = 2.0, 0.02
PARKED_M = 0.3
"""A car whose labels lie within this of each other, root mean square, is parked."""
MIN_FRAMES = 5
MAX_TRUNCATED, MAX_OCCLUDED = 0.1, 1


def _matrix(values: list[float]) -> Array:
    return np.vstack([np.array(values).reshape(3, 4), [0, 0, 0, 1]])


def _calibration(path: Path) -> tuple[Array, Array]:
    """Return P2 (3, 4) and rect_from_imu (4, 4)."""
    rows = {words[0].rstrip(":"): [float(w) for w in words[1:]] for words in map(str.split, path.open()) if words}
    rect = np.eye(4)
    rect[:3, :3] = np.array(rows["R_rect"]).reshape(3, 3)
    return np.array(rows["P2"]).reshape(3, 4), rect @ _matrix(rows["Tr_velo_cam"]) @ _matrix(rows["Tr_imu_velo"])


def _world_from_imu(path: Path) -> Array:
    """Return poses (N, 4, 4) as the development kit makes them: Mercator, the first place at the origin."""
    oxts = np.loadtxt(path)[:, :6]
    scale = np.cos(np.radians(oxts[0, 0]))
    x = scale * EARTH_M * np.radians(oxts[:, 1])
    y = scale * EARTH_M * np.log(np.tan(np.pi * (90 + oxts[:, 0]) / 360))
    poses = np.tile(np.eye(4), (len(oxts), 1, 1))
    for pose, (roll, pitch, yaw) in zip(poses, oxts[:, 3:], strict=True):
        (cr, sr), (cp, sp), (cy, sy) = ((np.cos(a), np.sin(a)) for a in (roll, pitch, yaw))
        about_z = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
        about_y, about_x = (
            np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]]),
            np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]]),
        )
        pose[:3, :3] = about_z @ about_y @ about_x
    poses[:, :3, 3] = np.column_stack([x - x[0], y - y[0], oxts[:, 2] - oxts[0, 2]])
    return poses


def parked_cars(folder: Path, sequence: str) -> dict[int, list[tuple[Array, Array, Array, Array]]]:
    """Return by car, for each frame, its true place (2,), lifted place (2,) and covariance, and its box's foot (2,).

    The ground is the plane under the camera's car, as it stands in each frame.
    """
    projection, rect_from_imu = _calibration(folder / "calib" / f"{sequence}.txt")
    world_from_imu = _world_from_imu(folder / "oxts" / f"{sequence}.txt")
    focal, middle = projection[0, 0], projection[:2, 2]
    lens = camera_from_params("PINHOLE", *SIZE, [focal, focal, *(middle + 0.5)])
    shift = np.linalg.solve(projection[:, :3], projection[:, 3])
    labels: dict[int, list[list[str]]] = {}
    for line in (folder / "label" / f"{sequence}.txt").open():
        words = line.split()
        clear = words[2] == "Car" and float(words[3]) <= MAX_TRUNCATED and int(words[4]) <= MAX_OCCLUDED
        if clear:
            labels.setdefault(int(words[0]), []).append(words)
    found: dict[int, list[tuple[Array, Array, Array, Array]]] = {}
    for frame, rows in labels.items():
        rect_from_world = rect_from_imu @ np.linalg.inv(world_from_imu[frame])
        pose = pose_from_matrix(rect_from_world[:3, :3], rect_from_world[:3, 3] + shift)
        for id, *place in _lifted(lens, pose, rows, rect_from_world, float(world_from_imu[frame][2, 3])):
            found.setdefault(id, []).append((place[0], place[1], place[2], place[3]))
    return found


def _lifted(
    lens: pycolmap.Camera, pose: pycolmap.Rigid3d, rows: list[list[str]], rect_from_world: Array, imu_z: float
) -> list[tuple[int, Array, Array, Array, Array]]:
    model = CameraModel.at("", lens, pose)
    ground = GroundSurface.flat(imu_z - IMU_OVER_GROUND_M)
    boxes = np.array([[float(value) for value in words[6:10]] for words in rows])
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], (1, 3))
    sigma = np.where(np.arange(ROWS) < SIDES, np.hypot(BOX_PX, BOX_SHARE * sides), 1.0)
    lifted = lift_boxes(
        box_planes(model, boxes, np.full((len(rows), 2), np.nan), sigma), ["car"] * len(rows), ground, 0
    )
    feet, met = ground.intersect(
        0, model.centre, model.rays(np.column_stack([boxes[:, ::2].mean(axis=1), boxes[:, 3]]))
    )
    world_from_rect = np.linalg.inv(rect_from_world)
    kept = []
    for k, words in enumerate(rows):
        if lifted.placed[k] and met[k]:
            true = world_from_rect @ np.array([*(float(value) for value in words[13:16]), 1.0])
            kept.append((int(words[1]), true[:2], lifted.position[k, :2], lifted.covariance[k], feet[k, :2]))
    return kept


def kitti(folder: Path) -> dict[str, Any]:
    """Return scatter, each place weighted as it claims, and error of the weighted mean, of all parked cars."""
    scatter, feet_scatter, errors, inside, cars = [], [], [], [], 0
    for sequence in SEQUENCES:
        for rows in parked_cars(folder, sequence).values():
            true, places, covariances, feet = (np.array(part) for part in zip(*rows, strict=True))
            if len(rows) < MIN_FRAMES or np.sqrt(true.var(axis=0).sum()) > PARKED_M:
                continue
            cars += 1
            weight = 1.0 / np.trace(covariances, axis1=1, axis2=2)
            mean = (weight[:, None] * places).sum(axis=0) / weight.sum()
            scatter.append(float(np.sqrt((weight * ((places - mean) ** 2).sum(axis=1)).sum() / weight.sum())))
            feet_scatter.append(float(np.sqrt(feet.var(axis=0).sum())))
            errors.append(float(np.linalg.norm(mean - true.mean(axis=0))))
            offset = places - true
            squared = np.einsum("ni,ni->n", offset, np.linalg.solve(covariances, offset[..., None])[..., 0])
            inside += (squared <= 5.991).tolist()
    return {
        "cars": cars,
        "scatter_m": {"median": float(np.median(scatter)), "p90": float(np.percentile(scatter, 90))},
        "scatter_of_feet_m": {"median": float(np.median(feet_scatter)), "p90": float(np.percentile(feet_scatter, 90))},
        "error_of_mean_m": {"median": float(np.median(errors)), "p90": float(np.percentile(errors, 90))},
        "within_half_a_metre": float(np.mean(np.array(scatter) <= 0.5)),
        "coverage_95": float(np.mean(inside)),
    }
