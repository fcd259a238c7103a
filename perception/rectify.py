"""The ground seen by one camera that nobody calibrated, laid out flat: from the directions that lines on it share.

Lines that are parallel on the ground meet in a vanishing point of the picture. Two such points of directions at right
angles give the focal length of a camera with square pixels and a centred principal point, and the ground's
attitude (Caprile and Torre 1990). What remains unknown is the camera's height, the unit of the ground.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from geometry import pixels_from_opencv
from geometry.errors import DegenerateError, InputError

Array = NDArray[np.float64]
Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class GroundOptions:
    """How vanishing points are found.

    min_length: of a segment, as a share of the picture's longer side; angle_deg: between a segment and its vanishing
    point, seen from its middle; focal: least and most, as shares of the longer side; horizon_deg: the camera is held
    so upright, which tells the ground from the walls
    """

    min_length: float = 0.018
    angle_deg: float = 1.5
    focal: tuple[float, float] = (0.5, 3.0)
    horizon_deg: float = 35.0


@dataclass(frozen=True, kw_only=True, eq=False)
class GroundView:
    """A picture's ground plane, in units of the camera's height above it.

    image_from_ground: (3, 3) homography from (x, y, 1) on the ground to pixels; the ground's origin is below the
        camera, x and y lie along the two directions, and seen from above y is to the left of x
    focal_px: of the camera; support: metres-free total lengths in pixels of the segments behind both directions
    """

    image_from_ground: Array
    focal_px: float
    support: tuple[float, float]

    def ground_from_image(self, pixels: ArrayLike) -> Array:
        """Return the ground points (..., 2) of pixels (..., 2); NaN at and above the horizon."""
        points = _homogeneous(pixels) @ np.linalg.inv(self.image_from_ground).T
        depth = points[..., 2:]
        return np.where(depth > 1e-9, points[..., :2] / np.where(depth > 1e-9, depth, 1.0), np.nan)

    def image_from(self, ground: ArrayLike) -> Array:
        """Return the pixels (..., 2) of ground points (..., 2); NaN behind the camera."""
        points = _homogeneous(ground) @ self.image_from_ground.T
        depth = points[..., 2:]
        return np.where(depth > 1e-9, points[..., :2] / np.where(depth > 1e-9, depth, 1.0), np.nan)


def _homogeneous(points: ArrayLike) -> Array:
    array = np.asarray(points, dtype=np.float64)
    return np.concatenate([array, np.ones((*array.shape[:-1], 1))], axis=-1)


def line_segments(gray: Gray) -> Array:
    """Return the line segments (S, 2, 2) of a picture (H, W) uint8, in pixels (LSD, Grompone von Gioi et al. 2010)."""
    found = cv2.createLineSegmentDetector(cv2.LSD_REFINE_ADV).detect(np.ascontiguousarray(gray))[0]
    return pixels_from_opencv(np.empty((0, 2, 2)) if found is None else found.reshape(-1, 2, 2).astype(np.float64))


def ground_view(segments: ArrayLike, image_size: tuple[int, int], options: GroundOptions | None = None) -> GroundView:
    """Return the ground of a picture (width, height) from its line segments (S, 2, 2) in pixels.

    All pairs of long segments are tried as vanishing points; the pair of points that explains the longest total of
    segments, is at right angles for a possible focal length and has an upright horizon, wins.
    Raises ``DegenerateError`` where there is no such pair.
    """
    options = options or GroundOptions()
    ends = np.asarray(segments, dtype=np.float64).reshape(-1, 2, 2)
    if not np.isfinite(ends).all():
        raise InputError("line segments must be finite")
    side = max(image_size)
    centre = np.array(image_size) / 2
    local = (ends - centre) / side
    local = local[np.linalg.norm(local[:, 1] - local[:, 0], axis=1) >= options.min_length]
    candidates, support = _candidates(local, options)
    pair = _best_pair(candidates, support, local, options)
    if pair is None:
        raise DegenerateError(
            f"no two directions at right angles among {len(local)} line segments",
            remedy="Take a picture with markings or kerbs in two directions, or give the camera's calibration.",
        )
    first, second = (_refined(point, local, options) for point in pair)
    focal = _focal(first, second)
    if focal is None or not options.focal[0] <= focal <= options.focal[1]:
        first, second = pair
        focal = _focal(first, second) or 1.0
    lengths = np.linalg.norm(local[:, 1] - local[:, 0], axis=1) * side
    weights = [float(lengths @ _agrees(point, local, options.angle_deg)) for point in (first, second)]
    homography = _image_from_ground(first, second, focal)
    pixels = np.array([[side, 0, centre[0]], [0, side, centre[1]], [0, 0, 1.0]])
    return GroundView(image_from_ground=pixels @ homography, focal_px=focal * side, support=(weights[0], weights[1]))


def _agrees(point: Array, ends: Array, angle_deg: float) -> NDArray[np.bool_]:
    """Tell (..., S) which segments (S, 2, 2) aim at the homogeneous points (..., 3)."""
    middle, span = ends.mean(axis=1), ends[:, 1] - ends[:, 0]
    towards = point[..., None, :2] - point[..., None, 2:] * middle
    cross = np.abs(towards[..., 0] * span[:, 1] - towards[..., 1] * span[:, 0])
    norm = np.linalg.norm(towards, axis=-1) * np.linalg.norm(span, axis=1)
    return np.asarray(cross < np.sin(np.radians(angle_deg)) * np.maximum(norm, 1e-12))


def _candidates(ends: Array, options: GroundOptions, groups: int = 6, most: int = 80) -> tuple[Array, Array]:
    """Return vanishing points (N, 3) of pairs of segments that most others aim at, and their support (N, S).

    The ``most`` best are taken, then the best for what these leave unexplained, and so on, as all the best by
    themselves would be one point.
    """
    if len(ends) < 4:
        return np.empty((0, 3)), np.empty((0, len(ends)))
    length = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1)
    longest = np.argsort(-length, kind="stable")[:150]
    lines = np.cross(_homogeneous(ends[:, 0]), _homogeneous(ends[:, 1]))
    i, j = np.triu_indices(len(longest), 1)
    points = np.cross(lines[longest[i]], lines[longest[j]])
    points = points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-15)
    support = np.concatenate([_agrees(part, ends, options.angle_deg) for part in np.array_split(points, 20)]) * length
    left = np.ones(len(ends))
    chosen = []
    for _ in range(groups):
        order = np.argsort(-(support @ left), kind="stable")[:most]
        chosen.append(order)
        left = left * (support[order[0]] == 0)
    best = np.unique(np.concatenate(chosen))
    return points[best], support[best]


def _focal(first: Array, second: Array) -> float | None:
    """Return the focal length at which two vanishing points are at right angles, None if there is none."""
    squared = -float(first[:2] @ second[:2]) / float(first[2] * second[2]) if first[2] * second[2] != 0 else -1.0
    return float(np.sqrt(squared)) if squared > 0 else None


def _best_pair(points: Array, support: Array, ends: Array, options: GroundOptions) -> tuple[Array, Array] | None:
    if not len(points):
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        squared = -(points[:, :2] @ points[:, :2].T) / (points[:, 2] * points[:, 2:])
        focal = np.sqrt(squared)
    horizon = np.cross(points[:, None], points[None, :])
    tilt = np.degrees(np.arctan2(np.abs(horizon[..., 0]), np.abs(horizon[..., 1])))
    possible = (focal >= options.focal[0]) & (focal <= options.focal[1]) & (tilt <= options.horizon_deg)
    # What aims at both points counts once.
    total = np.array([np.maximum(row, support).sum(axis=1) for row in support])
    least = 3 * options.min_length
    alone = np.array([np.where(row > 0, 0, support).sum(axis=1) for row in support])
    possible &= (alone > least) & (least < alone.T)
    if not possible.any():
        return None
    i, j = np.unravel_index(int(np.where(possible, total, -1).argmax()), possible.shape)
    return points[i], points[j]


def _refined(point: Array, ends: Array, options: GroundOptions) -> Array:
    """Return the point that the agreeing segments' lines miss least, weighted by length and nearness (3 rounds)."""
    for _ in range(3):
        mine = ends[_agrees(point, ends, options.angle_deg)]
        if len(mine) < 3:
            return point
        middle, span = mine.mean(axis=1), mine[:, 1] - mine[:, 0]
        lines = np.cross(_homogeneous(mine[:, 0]), _homogeneous(mine[:, 1]))
        lines = lines / np.linalg.norm(lines[:, :2], axis=1, keepdims=True)
        reach = np.linalg.norm(point[:2] - point[2] * middle, axis=1)
        weight = np.linalg.norm(span, axis=1) / np.maximum(reach, 1e-3)
        _, _, axes = np.linalg.svd(lines * weight[:, None])
        point = axes[-1]
    return np.asarray(point)


def _image_from_ground(first: Array, second: Array, focal: float) -> Array:
    """Return the homography for a camera with its principal point at the origin, a height of 1 above the ground."""
    rays = np.array([point / (focal, focal, 1.0) for point in (first, second)])
    x, y = rays / np.linalg.norm(rays, axis=1, keepdims=True)
    x = x * (1 if x[2] >= 0 else -1)
    down = np.cross(x, y)
    y, down = (y, down) if down[1] > 0 else (-y, -down)
    # In the camera's frame (y down) x, -y and down turn right-handed; seen from above, y is then left of x.
    return np.diag([focal, focal, 1.0]) @ np.column_stack([x, -y, down])


def aligned_median(frames: Sequence[Gray]) -> tuple[Gray, Array]:
    """Return the median (H, W) of frames of one camera, and how far each had moved (F, 2) in pixels from the first.

    Shifts, as of a camera in the wind, are found by phase correlation and taken back; brightness is balanced by its
    mean. What stands in less than half of the frames is gone.
    """
    if not frames or any(frame.shape != frames[0].shape for frame in frames):
        raise InputError("frames must be of one size, and there must be some")
    size = frames[0].shape[::-1]
    window = cv2.createHanningWindow(size, cv2.CV_32F)
    grays = (
        [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) if f.ndim == 3 else f for f in frames]
        if frames[0].ndim == 3
        else list(frames)
    )
    reference = grays[0].astype(np.float32)
    shifts = np.zeros((len(frames), 2))
    level = float(reference.mean())
    moved = []
    for index, gray in enumerate(grays):
        picture = gray.astype(np.float32)
        shifts[index] = cv2.phaseCorrelate(reference - level, picture - float(picture.mean()), window)[0]
        motion = np.array([[1, 0, -shifts[index, 0]], [0, 1, -shifts[index, 1]]])
        balanced = picture * (level / max(float(picture.mean()), 1.0))
        moved.append(cv2.warpAffine(balanced, motion, size, borderMode=cv2.BORDER_REPLICATE))
    median = np.median(np.stack(moved), axis=0)
    return np.clip(np.round(median), 0, 255).astype(np.uint8), shifts
