"""pycolmap cameras: checked construction, EXIF, batched projection and its Jacobian.

The centre of the first pixel is (0.5, 0.5), as in COLMAP. The camera looks along +z, x right, y down.
OpenCV's models are converted in this module, and nowhere else.
"""

import copy
from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from PIL import ExifTags, Image

from geometry.errors import ImageError, InputError, nearest_known
from geometry.frames import pixels_from_opencv, pixels_to_opencv

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

MODEL_NAMES = tuple(sorted(set(pycolmap.CameraModelId.__members__) - {"INVALID"}))
MAX_IMAGE_SIDE_PX = 100_000

GUESSED_FOCAL_RATIO = 1.2
"""Without better knowledge the focal length is this times the longer side, as in COLMAP."""

FULL_FRAME_DIAGONAL_MM = float(np.hypot(36.0, 24.0))
MM_PER_RESOLUTION_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 1e-3}
ROTATED_ORIENTATIONS = (5, 6, 7, 8)

OPENCV_MODELS = ("SIMPLE_PINHOLE", "PINHOLE", "SIMPLE_RADIAL", "RADIAL", "OPENCV", "FULL_OPENCV")
OPENCV_FISHEYE_MODELS = (
    "SIMPLE_FISHEYE",
    "FISHEYE",
    "SIMPLE_RADIAL_FISHEYE",
    "RADIAL_FISHEYE",
    "OPENCV_FISHEYE",
)

MAX_FOLD_ANGLE = 1e-3
"""A projection whose own ray is further off (radians) lies where the distortion polynomial has folded back."""


def camera_from_params(model: str, width: int, height: int, params: Sequence[float]) -> pycolmap.Camera:
    """Build a camera of a COLMAP model, for instance ``("PINHOLE", 640, 480, [fx, fy, cx, cy])`` in pixels.

    Raises ``InputError`` for an unknown model (naming the nearest), a wrong number of parameters, a number that is
    not finite, a focal length that is not positive, or an impossible image size.
    """
    if model not in MODEL_NAMES:
        raise InputError(f"unknown camera model '{model}'", remedy=nearest_known(model, MODEL_NAMES))
    if not (0 < width <= MAX_IMAGE_SIDE_PX and 0 < height <= MAX_IMAGE_SIDE_PX):
        raise InputError(f"an image size of {width} x {height} px is impossible")
    camera = pycolmap.Camera.create_from_model_name(0, model, 1.0, width, height)
    values = np.asarray(params, dtype=np.float64)
    if values.shape != camera.params.shape:
        wanted = f"Give them in this order: {camera.params_info}."
        raise InputError(f"{model} has {len(camera.params)} parameters, got {values.size}", remedy=wanted)
    if not np.isfinite(values).all() or not (values[camera.focal_length_idxs()] > 0).all():
        raise InputError("camera parameters must be finite and focal lengths positive")
    camera.params = values
    return camera


def camera_from_exif(path: str | PathLike[str]) -> tuple[pycolmap.Camera, bool]:
    """Guess a SIMPLE_RADIAL camera from the header of an image, without decoding it.

    Returns the camera for the upright image (EXIF orientation applied) and whether its focal length was read from
    EXIF; if not, it is ``GUESSED_FOCAL_RATIO`` times the longer side. Raises ``ImageError`` for no image.
    """
    try:
        with Image.open(path) as image:
            width, height = image.size
            exif = image.getexif()
            orientation, tags = exif.get(ExifTags.Base.Orientation, 1), exif.get_ifd(ExifTags.IFD.Exif)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"not a readable image: {error}", where=str(path)) from error
    focal = _focal_from_exif(tags, width, height)
    has_prior_focal = 0.1 < focal / max(width, height) < 100
    if orientation in ROTATED_ORIENTATIONS:
        width, height = height, width
    focal = focal if has_prior_focal else GUESSED_FOCAL_RATIO * max(width, height)
    camera = camera_from_params("SIMPLE_RADIAL", width, height, [focal, width / 2, height / 2, 0.0])
    camera.has_prior_focal_length = has_prior_focal
    return camera, has_prior_focal


def _focal_from_exif(tags: Mapping[int, object], width: int, height: int) -> float:
    """Return the focal length in pixels of the stored image, 0 if EXIF does not tell."""
    film_mm = _exif_number(tags, ExifTags.Base.FocalLengthIn35mmFilm)
    if film_mm:
        return film_mm / FULL_FRAME_DIAGONAL_MM * float(np.hypot(width, height))
    unit_mm = MM_PER_RESOLUTION_UNIT.get(int(_exif_number(tags, ExifTags.Base.FocalPlaneResolutionUnit)), 25.4)
    pixels_per_mm = _exif_number(tags, ExifTags.Base.FocalPlaneXResolution) / unit_mm
    original_width = _exif_number(tags, ExifTags.Base.ExifImageWidth) or width
    return _exif_number(tags, ExifTags.Base.FocalLength) * pixels_per_mm * width / original_width


def _exif_number(tags: Mapping[int, object], tag: int) -> float:
    """Return a positive finite number, 0 for anything else that cameras write into the tag."""
    try:
        value = float(tags.get(tag, 0.0))  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return value if np.isfinite(value) and value > 0 else 0.0


def camera_from_opencv(
    calibration: ArrayLike, distortion: ArrayLike, image_size: tuple[int, int], *, fisheye: bool = False
) -> pycolmap.Camera:
    """Convert an OpenCV camera: ``calibration`` K (3, 3), ``distortion`` in OpenCV's order, (width, height).

    The simplest COLMAP model that is exactly the same is taken: PINHOLE, OPENCV (k1 k2 p1 p2), FULL_OPENCV (with k3
    to k6) or OPENCV_FISHEYE. Raises ``InputError`` for skew, thin prism or tilt that is not zero.
    """
    k, d = np.asarray(calibration, dtype=np.float64), np.asarray(distortion, dtype=np.float64).ravel()
    if k.shape != (3, 3) or np.any(k[[0, 1, 2, 2, 2], [1, 0, 0, 1, 2]] != [0, 0, 0, 0, 1]):
        raise InputError("K must be (3, 3), upper triangular, without skew and with 1 in its corner")
    lengths = (0, 4) if fisheye else (0, 4, 5, 8, 12, 14)
    if len(d) not in lengths:
        raise InputError(f"OpenCV's distortion has {lengths} coefficients, got {len(d)}")
    if np.any(d[8:] != 0):
        raise InputError("thin prism and tilted sensor have no COLMAP model", remedy="Calibrate without them.")
    model = "OPENCV_FISHEYE" if fisheye else "FULL_OPENCV" if d[4:].any() else "OPENCV" if d.any() else "PINHOLE"
    n_coefficients = {"OPENCV_FISHEYE": 4, "FULL_OPENCV": 8, "OPENCV": 4, "PINHOLE": 0}[model]
    coefficients = np.pad(d, (0, 8))[:n_coefficients]
    params = [k[0, 0], k[1, 1], *pixels_from_opencv(k[:2, 2]), *coefficients]
    return camera_from_params(model, *image_size, params)


def opencv_from_camera(camera: pycolmap.Camera) -> tuple[Array, Array, bool]:
    """Return OpenCV's K (3, 3), distortion coefficients (4,) or (8,), and whether they are of ``cv2.fisheye``.

    Raises ``InputError`` for models that OpenCV does not have.
    """
    fisheye = camera.model_name in OPENCV_FISHEYE_MODELS
    if not fisheye and camera.model_name not in OPENCV_MODELS:
        remedy = f"Use one of {', '.join(OPENCV_MODELS + OPENCV_FISHEYE_MODELS)}."
        raise InputError(f"OpenCV has no camera model {camera.model_name}", remedy=remedy)
    k = np.array(camera.calibration_matrix())
    k[:2, 2] = pixels_to_opencv(k[:2, 2])
    coefficients = camera.params[camera.extra_params_idxs()]
    return k, np.pad(coefficients, (0, max(0, 4 - len(coefficients)))), fisheye


def project(camera: pycolmap.Camera, points_in_cam: ArrayLike) -> tuple[Array, Mask]:
    """Project points (N, 3), in any unit, to pixels (N, 2) and tell which are ``valid`` (N,).

    Not valid, with pixels NaN: behind the camera, not finite, or so far off the axis that the distortion polynomial
    folds the ray back into the picture. A valid pixel may lie outside of the picture.
    """
    points = np.asarray(points_in_cam, dtype=np.float64).reshape(-1, 3)
    pixels = np.asarray(camera.img_from_cam(points))
    valid = np.isfinite(pixels).all(axis=1) & np.isfinite(points).all(axis=1)
    if not camera.is_undistorted():
        valid[valid] = _returns_to(camera, pixels[valid], points[valid])
    return np.where(valid[:, None], pixels, np.nan), valid


def _returns_to(camera: pycolmap.Camera, pixels: Array, points_in_cam: Array) -> Mask:
    directions = points_in_cam / np.linalg.norm(points_in_cam, axis=1, keepdims=True)
    return np.linalg.norm(unproject(camera, pixels) - directions, axis=1) < MAX_FOLD_ANGLE


def unproject(camera: pycolmap.Camera, pixels: ArrayLike) -> Array:
    """Return the unit rays (N, 3) in the camera frame that image to ``pixels`` (N, 2); NaN where there is none."""
    return np.asarray(camera.cam_ray_from_img(np.asarray(pixels, dtype=np.float64).reshape(-1, 2)))


def projection_jacobian(camera: pycolmap.Camera, points_in_cam: ArrayLike) -> tuple[Array, Array, Mask]:
    """Return ``project``'s pixels (N, 2), their Jacobian (N, 2, 3) by the point in the camera frame, and valid (N,).

    The Jacobian is exact for pinhole models and a central difference (relative error about 1e-9) for the others;
    NaN where the point is not valid.
    """
    points = np.asarray(points_in_cam, dtype=np.float64).reshape(-1, 3)
    pixels, valid = project(camera, points)
    pinhole = camera.model_name in ("SIMPLE_PINHOLE", "PINHOLE")
    jacobian = np.full((len(points), 2, 3), np.nan)
    jacobian[valid] = (_pinhole_jacobian if pinhole else _difference_jacobian)(camera, points[valid])
    return pixels, jacobian, valid


def _pinhole_jacobian(camera: pycolmap.Camera, points: Array) -> Array:
    """d(fx x/z, fy y/z)/d(x, y, z)."""
    focal = np.array([camera.focal_length_x, camera.focal_length_y])
    inverse_depth = 1.0 / points[:, 2:]
    jacobian = np.zeros((len(points), 2, 3))
    jacobian[:, [0, 1], [0, 1]] = focal * inverse_depth
    jacobian[:, :, 2] = -focal * points[:, :2] * inverse_depth**2
    return jacobian


def _difference_jacobian(camera: pycolmap.Camera, points: Array) -> Array:
    """Central differences along the three axes, all points in one call."""
    step = np.cbrt(np.finfo(np.float64).eps) * np.linalg.norm(points, axis=1)[:, None, None, None]
    offsets = np.array([1.0, -1.0])[:, None, None] * np.eye(3)
    moved = points[:, None, None] + step * offsets
    pixels = np.asarray(camera.img_from_cam(moved.reshape(-1, 3), False)).reshape(-1, 2, 3, 2)
    return np.swapaxes((pixels[:, 0] - pixels[:, 1]) / (2.0 * step[:, 0]), 1, 2)


def scaled(camera: pycolmap.Camera, width: int, height: int) -> pycolmap.Camera:
    """Return the camera of the same picture resized to ``width`` x ``height`` pixels.

    Raises ``InputError`` where the picture would be cropped or stretched by more than rounding.
    """
    if not (0 < width <= MAX_IMAGE_SIDE_PX and 0 < height <= MAX_IMAGE_SIDE_PX):
        raise InputError(f"an image size of {width} x {height} px is impossible")
    stretch_px2 = abs(width * camera.height - height * camera.width)
    if stretch_px2 > max(camera.width, camera.height):
        raise InputError(
            f"{width} x {height} px is no resizing of {camera.width} x {camera.height} px",
            remedy="Give the camera of the cropped picture.",
        )
    resized = copy.deepcopy(camera)
    resized.rescale(width, height)
    return resized


def check_size(camera: pycolmap.Camera, image_size: tuple[int, int], *, where: str | None = None) -> None:
    """Raise ``InputError`` unless the image (width, height) has the size the camera was calibrated for."""
    if (camera.width, camera.height) != tuple(image_size):
        raise InputError(
            f"the image is {image_size[0]} x {image_size[1]} px, its camera {camera.width} x {camera.height} px",
            where=where,
            remedy="Give the size of the images in the camera's description, or scale the camera to it.",
        )
