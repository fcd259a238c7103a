"""AprilTags and ArUco markers: detection with sub-pixel corners, and the two poses a square can have."""

from dataclasses import dataclass

import cv2
import numpy as np
import pycolmap
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.transform import Rotation

from geometry.errors import DegenerateError, InputError, nearest_known
from geometry.frames import pixels_from_opencv, transform_points
from perception.containers import require_gray
from perception.quad_corners import refine_corners_px

Array = NDArray[np.float64]

TAG_FAMILIES: dict[str, int] = {
    "tag36h11": cv2.aruco.DICT_APRILTAG_36h11,
    "tag36h10": cv2.aruco.DICT_APRILTAG_36h10,
    "tag25h9": cv2.aruco.DICT_APRILTAG_25h9,
    "tag16h5": cv2.aruco.DICT_APRILTAG_16h5,
    "aruco_original": cv2.aruco.DICT_ARUCO_ORIGINAL,
    "aruco_mip_36h12": cv2.aruco.DICT_ARUCO_MIP_36h12,
    **{
        f"aruco_{bits}x{bits}_{count}": getattr(cv2.aruco, f"DICT_{bits}X{bits}_{count}")
        for bits in (4, 5, 6, 7)
        for count in (50, 100, 250, 1000)
    },
}
"""Names of the tag families, as tags.csv spells them."""

UPSCALED_BELOW_PX = 2_000_000
"""Images with fewer pixels are searched at double size, which finds tags down to about 14 px (on photos 800 px wide:
45 of 47 labelled tags instead of 36)."""

_MAX_BIT_ERRORS_RATE = 0.4  # of what the family's code could correct
_LARGEST_THRESHOLD_WINDOW_PX = 53
_SAMPLES_PER_CELL_PX = 8


@dataclass(frozen=True, kw_only=True)
class TagDetections:
    """Tags found in one image, by ascending id.

    family: a key of ``TAG_FAMILIES``
    ids: (N,) int64; an id occurs more than once where copies of a tag are in view
    corners: (N, 4, 2) float64 px, first pixel's centre at (0.5, 0.5): the corners of the black border in the order
        top-left, top-right, bottom-right, bottom-left of the tag as OpenCV draws it, clockwise on the tag's face. The
        AprilTag library's corners 0, 1, 2, 3 are these corners 1, 0, 3, 2.
    """

    family: str
    ids: NDArray[np.int64]
    corners: Array

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class TagPose:
    """One of the two poses a square seen by a camera can have; see ``tag_poses``."""

    cam_from_tag: pycolmap.Rigid3d
    reprojection_error_px: float


def detect_tags(gray: NDArray[np.uint8], family: str = "tag36h11") -> TagDetections:
    """Find the tags of one family in a gray image (H, W) uint8, corners refined to about 0.1 px.

    A family that's unknown raises ``InputError`` naming the known ones. No tag in view is an empty result.
    """
    require_gray(gray)
    if family not in TAG_FAMILIES:
        raise InputError(f"unknown tag family '{family}'", remedy=nearest_known(family, TAG_FAMILIES))
    if min(gray.shape) < 8:
        return TagDetections(family=family, ids=np.empty(0, dtype=np.int64), corners=np.empty((0, 4, 2)))
    scale = 2 if gray.size < UPSCALED_BELOW_PX else 1
    searched = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) if scale > 1 else gray
    found, found_ids, _ = _detector(family).detectMarkers(searched)
    ids = np.empty(0, dtype=np.int64) if found_ids is None else np.asarray(found_ids, dtype=np.int64).ravel()
    corners = pixels_from_opencv(np.reshape(found, (-1, 4, 2))) / scale
    order = np.lexsort((corners[:, 0, 0], ids))
    return TagDetections(family=family, ids=ids[order], corners=refine_corners_px(gray, corners[order]))


def tag_poses(camera: pycolmap.Camera, corners: ArrayLike, size_m: float) -> tuple[TagPose, TagPose]:
    """Return both poses of a tag, the better first (IPPE, Collins and Bartoli 2014, each refined by least squares).

    corners: (4, 2) px in the order of ``TagDetections``; size_m: side of the black border in metres. The tag's frame
    has its origin in the tag's centre, x right, y up, z towards the viewer. The second pose tilts the other way: where
    its error isn't clearly larger (small, far or frontal tags) trust neither tilt. Raises ``InputError`` for bad input
    and ``DegenerateError`` where the corners don't span a square in front of the camera.
    """
    observed = np.asarray(corners, dtype=np.float64)
    if observed.shape != (4, 2) or not np.isfinite(observed).all() or not (np.isfinite(size_m) and size_m > 0):
        raise InputError(f"a tag pose needs 4 finite corners and a positive size, got {observed.shape}, {size_m} m")
    rays = np.asarray(camera.cam_from_img(observed), dtype=np.float64)
    square = tag_corners(size_m)
    try:
        _, rotations, translations, _ = cv2.solvePnPGeneric(
            square, rays, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE_SQUARE
        )
    except cv2.error as error:
        raise DegenerateError("the corners don't span a square", remedy="Discard this detection.") from error
    poses = [
        _scored(camera, square, observed, *cv2.solvePnPRefineLM(square, rays, np.eye(3), None, rvec, tvec))
        for rvec, tvec in zip(rotations, translations, strict=True)
    ]
    if len(poses) != 2 or not all(np.isfinite(pose.reprojection_error_px) for pose in poses):
        raise DegenerateError("the corners don't span a square in view", remedy="Discard this detection.")
    better, other = sorted(poses, key=lambda pose: pose.reprojection_error_px)
    return better, other


def tag_corners(size_m: float) -> Array:
    """Return the tag's corners (4, 3) in its own frame (see ``tag_poses``), in the order of ``TagDetections``."""
    return np.array([[-1, 1, 0], [1, 1, 0], [1, -1, 0], [-1, -1, 0]], dtype=np.float64) * (size_m / 2)


def _detector(family: str) -> cv2.aruco.ArucoDetector:
    parameters = cv2.aruco.DetectorParameters()
    parameters.errorCorrectionRate = _MAX_BIT_ERRORS_RATE
    parameters.adaptiveThreshWinSizeMax = _LARGEST_THRESHOLD_WINDOW_PX
    parameters.perspectiveRemovePixelPerCell = _SAMPLES_PER_CELL_PX
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_CONTOUR
    return cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(TAG_FAMILIES[family]), parameters)


def _scored(camera: pycolmap.Camera, square: Array, observed: Array, rvec: Array, tvec: Array) -> TagPose:
    rotation = pycolmap.Rotation3d(Rotation.from_rotvec(rvec.ravel()).as_quat())
    cam_from_tag = pycolmap.Rigid3d(rotation, tvec.ravel())
    projected = np.asarray(camera.img_from_cam(transform_points(cam_from_tag, square)))
    error = np.sqrt(np.mean(np.sum((projected - observed) ** 2, axis=1)))
    return TagPose(cam_from_tag=cam_from_tag, reprojection_error_px=float(error))
