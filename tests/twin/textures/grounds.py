"""Floors with a grain that are drawn here, the textures cut from them, and photos of them, with a truth."""

import numpy as np
import pycolmap
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from geometry import pose_from_position, unproject
from geometry.cameras import camera_from_params
from twin.layout import Ortho, RectifiedSurface
from twin.textures import Textures, cut_textures

M_PER_PX = 0.04
SHAPE = (300, 400)
"""Pixels, 12 by 16 m: x from -8 to 8, y from -6 to 6."""
CAMERA = camera_from_params("SIMPLE_RADIAL", 640, 480, (520.0, 320.0, 240.0, -0.05))
HEIGHT = 1.6
UPRIGHT_FRAME = pycolmap.Rigid3d(
    pycolmap.Rotation3d(np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])), np.array([2.0, 5.0, 1.0])
)
"""site_from_surface that makes a wall of a ground: at y = 5 m, its middle at x = 2, z = 1 m, seen from smaller y."""

Grey = NDArray[np.float64]


def ground(seed: int = 0, contrast: float = 0.06) -> Grey:
    """Return grey levels (H, W) of concrete: spots of some centimetres on slower stains."""
    rng = np.random.default_rng(seed)
    spots = gaussian_filter(rng.normal(size=SHAPE), 2.0)
    stains = gaussian_filter(rng.normal(size=SHAPE), 8.0)
    return np.asarray(110.0 * np.exp(contrast * (spots / spots.std() + stains / stains.std())))


def surface_of(grey: Grey, height: float = 0.0, slope: float = 0.0, unseen: slice = slice(0, 0)) -> RectifiedSurface:
    """Return the rectified surface of a ground, of which some columns are not seen."""
    views = np.full(SHAPE, 8, np.uint8)
    views[:, unseen] = 0
    ortho = Ortho(
        pixels=np.repeat(np.clip(np.round(grey), 0, 255).astype(np.uint8)[..., None], 3, axis=2),
        views=views,
        spread=np.full(SHAPE, 2.0, np.float32),
        top_left=(-8.0, 6.0),
        m_per_px=M_PER_PX,
    )
    return RectifiedSurface(ortho=ortho, height=lambda xy: height + slope * xy[:, 0])


def textures_of(grey: Grey) -> Textures:
    """Return the textures of a ground at 0 m."""
    return cut_textures(surface_of(grey))


def looking_down(x: float = 0.0, y: float = -3.0, degrees: float = 30.0) -> pycolmap.Rigid3d:
    """Return a pose ``HEIGHT`` above the ground that looks along +y and so far down."""
    turn = pycolmap.Rotation3d(np.array([np.pi / 2 + np.radians(degrees), 0.0, 0.0]))
    return pose_from_position(np.array([x, y, HEIGHT]), turn.inverse().quat)


def photo_of(
    grey: Grey, pose: pycolmap.Rigid3d, noise: float = 0.0, camera: pycolmap.Camera = CAMERA, height: float = 0.0
) -> NDArray[np.uint8]:
    """Return what a camera shows of a ground at some height, or of a ceiling, in a light of its own."""
    v, u = np.mgrid[0 : camera.height, 0 : camera.width] + 0.5
    rays = unproject(camera, np.column_stack([u.ravel(), v.ravel()]))
    rotation = np.asarray(pose.rotation.matrix())
    centre = -rotation.T @ np.asarray(pose.translation)
    rays = rays @ rotation
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = centre + rays * ((height - centre[2]) / rays[:, 2])[:, None]
    column, row = (hit[:, 0] + 8.0) / M_PER_PX - 0.5, (6.0 - hit[:, 1]) / M_PER_PX - 0.5
    seen = map_coordinates(grey, [row, column], order=1, mode="constant", cval=60.0)
    towards = rays[:, 2] * np.sign(height - centre[2])
    seen = np.where(towards > 0.01, seen, 60.0) * np.exp(0.4 * (u.ravel() / camera.width - 0.5))
    picture = 0.7 * seen.reshape(v.shape) + noise * np.random.default_rng(1).normal(size=v.shape)
    return np.asarray(np.clip(np.round(picture), 0, 255), dtype=np.uint8)
