"""A small site seen by cameras, and the boxes of objects in it, to track with known truth."""

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import FixedCamera, camera_from_params, pose_from_matrix
from geometry.box_views import CameraModel
from geometry.ground_surface import GroundSurface
from geometry.solids import outlines_of, size_prior
from geometry.track_records import FrameRecord

Array = NDArray[np.float64]

SIZE = (1280, 720)
GROUND = GroundSurface.flat()


def looking(at: tuple[float, float, float], towards: tuple[float, float, float]) -> pycolmap.Rigid3d:
    """Return ``cam_from_site`` of an upright camera."""
    forward = np.subtract(towards, at) / np.linalg.norm(np.subtract(towards, at))
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return pose_from_matrix(rotation, -rotation @ np.array(at))


def cameras() -> list[FixedCamera]:
    """Return three cameras around the origin; their views overlap there."""
    lens = camera_from_params("PINHOLE", *SIZE, [900.0, 900.0, 640.0, 360.0])
    places = {"west": (-14.0, 0.0, 4.0), "south": (0.0, -14.0, 4.0), "east": (14.0, 2.0, 4.0)}
    return [FixedCamera.of(id, lens, looking(at, (0.0, 0.0, 0.5)), level="") for id, at in places.items()]


def camera_over(width: int, height: int) -> FixedCamera:
    """Return a camera 6 m over the floor that looks at the origin from 12 m away, with pictures of a size."""
    lens = camera_from_params("PINHOLE", width, height, [width, width, width / 2, height / 2])
    return FixedCamera.of("over", lens, looking((0.0, -12.0, 6.0), (0.0, 0.0, 0.0)), level="P1")


def box_of(camera: FixedCamera, kind: str, position: Array, heading: float, size: Array | None = None) -> Array | None:
    """Return the box (4,) px of an object whose solid is exact, None where the picture does not show it whole."""
    model = CameraModel.of(camera)
    size = np.array(size_prior(kind).size) if size is None else size
    outline, is_round = outlines_of((kind,))
    if is_round[0]:
        turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        ring = np.column_stack([np.cos(turn), np.sin(turn), np.ones(64)])
        radius = size[0] * np.array([0.15, 0.5, 0.5, 0.15])
        height = size[2] * np.array([0.0, 0.5, 0.75, 1.0])
        points = np.concatenate([ring * [r, r, h] for r, h in zip(radius, height, strict=True)])
    else:
        points = outline[0] * size
    cos, sin = np.cos(heading), np.sin(heading)
    turned = points @ np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])
    in_cam = (turned + np.array([*position, 0.0]) - model.centre) @ model.site_from_cam
    pixels = in_cam[:, :2] / in_cam[:, 2:] * 900.0 + [640.0, 360.0]
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    if in_cam[:, 2].min() < 0.5 or (low < 5).any() or (high > np.array(SIZE) - 5).any():
        return None
    return np.concatenate([low, high])


def walk(
    paths: dict[int, tuple[str, Array, Array]],
    seconds: float,
    fps: float = 5.0,
    *,
    noise_px: float = 0.0,
    rng: np.random.Generator | None = None,
    offsets: dict[str, float] | None = None,
) -> list[FrameRecord]:
    """Return frames of objects that go straight, by id (kind, start (2,), velocity (2,)); cameras expose in turn.

    ``offsets`` are those of the cameras' clocks.
    """
    rng = rng or np.random.default_rng(0)
    frames = []
    for number, camera in enumerate(cameras()):
        for k in range(int(seconds * fps)):
            utc = (k + number / 3) / fps
            found = []
            for kind, start, velocity in paths.values():
                heading = float(np.arctan2(velocity[1], velocity[0])) if np.any(velocity) else 0.3
                box = box_of(camera, kind, start + velocity * utc, heading)
                if box is not None:
                    box = box + noise_px * rng.standard_normal(4)
                    found.append({"bbox": box.tolist(), "score": 0.9, "class": kind})
            time = utc + (offsets or {}).get(camera.id, 0.0)
            frames.append({"camera": camera.id, "time": time, "detections": found})
    frames.sort(key=lambda frame: frame["time"])
    return [FrameRecord.model_validate(frame, strict=False) for frame in frames]
