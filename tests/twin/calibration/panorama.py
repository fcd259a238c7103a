"""A camera before a picture on a wall: what it shows from any pose near by, exactly, with noise, light and visitors."""

import cv2
import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import camera_from_params

CAMERA = camera_from_params("PINHOLE", 320, 240, [210.0, 210.0, 160.0, 120.0])
WALL_M = 6.0
"""The wall is the plane z = 6 m of the camera as calibrated, which is the site's frame here."""
PX_PER_M = 45.0
Pixels = NDArray[np.uint8]


def wall(seed: int = 0) -> NDArray[np.float32]:
    """A wall with texture of all sizes, 16 x 12 m."""
    rng = np.random.default_rng(seed)
    shape = (int(12 * PX_PER_M), int(16 * PX_PER_M))
    noise = sum(
        size * cv2.GaussianBlur(rng.normal(0, 1, shape).astype(np.float32), (0, 0), size) for size in (1.5, 4.0, 10.0)
    )
    return np.asarray(120 + 38 * noise / noise.std(), np.float32)


def picture(
    texture: NDArray[np.float32],
    pose: pycolmap.Rigid3d,
    rng: np.random.Generator,
    *,
    gain: float = 1.0,
    visitors: int = 0,
) -> Pixels:
    """What the camera shows from ``pose`` (cam_from_site), with sensor noise, and gray boxes that hide parts of it."""
    height, width = texture.shape
    site_from_texture = np.array(
        [[1 / PX_PER_M, 0, -width / 2 / PX_PER_M], [0, 1 / PX_PER_M, -height / 2 / PX_PER_M], [0, 0, WALL_M]]
    )
    # (u, v, 1) of the texture -> (x, y, 6) in site -> pixels; the third column of the map carries the constant 6.
    matrix = pose.matrix()
    cam_from_texture = matrix[:, :3] @ site_from_texture + np.column_stack([np.zeros((3, 2)), matrix[:, 3]])
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    warp = np.linalg.inv(half) @ CAMERA.calibration_matrix() @ cam_from_texture @ half
    seen = cv2.warpPerspective(texture, warp, (CAMERA.width, CAMERA.height), flags=cv2.INTER_AREA)
    seen = seen * gain
    for _ in range(visitors):
        u, v = int(rng.integers(0, 280)), int(rng.integers(60, 200))
        seen[v : v + 50, u : u + 45] = rng.uniform(30, 200) + rng.normal(0, 12, (1, 1))
    noisy = seen + rng.normal(0, 2.0, seen.shape)
    return np.repeat(np.clip(np.round(noisy), 0, 255).astype(np.uint8)[..., None], 3, axis=2)
