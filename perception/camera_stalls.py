"""Stalls in the picture of one fixed camera of unknown lens and height: laid flat, read, and drawn back into it."""

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from perception.floor_marks import StripeOptions, dominant_directions, find_stripes, stripe_support
from perception.rectify import GroundView, ground_view, line_segments
from perception.stall_options import StallOptions, StallSize
from perception.stalls import StallProposals, propose_stalls

Array = NDArray[np.float64]
Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class CameraStallOptions:
    """How stalls are found in a single view.

    heights: of the camera above the ground (metres) that are tried, as nothing in a picture tells its scale
    m_per_px: of the ground laid flat; max_footprint: ground is used where a pixel covers less than this (metres)
    calm: ground is free where its brightness varies by less than this share within half a metre
    stalls: as from above, but paint may cover only part of a stall's side
    """

    heights: tuple[float, ...] = (6.0, 8.0, 10.5, 14.0, 18.5, 24.5, 32.5)
    m_per_px: float = 0.04
    max_footprint: float = 0.25
    calm: float = 0.07
    stripes: StripeOptions = field(default_factory=lambda: StripeOptions(width=(0.08, 0.25)))
    stalls: StallOptions = field(
        default_factory=lambda: StallOptions(
            sizes=(StallSize(kind="standard", width=(2.2, 3.7), depth=(2.4, 6.0)),), echelon=True
        )
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraStalls:
    """Stalls in a picture.

    polygons: (N, 4, 2) in pixels, the lane-side edge first; stalls: the same in metres on the ground, if the camera
    hangs at ``height``; view: how the ground lies in the picture; stripes: (S, 2, 2) pixels
    """

    polygons: Array
    stalls: StallProposals
    height: float
    view: GroundView
    stripes: Array


def stalls_in_view(gray: Gray, options: CameraStallOptions | None = None) -> CameraStalls:
    """Return the stalls in a picture (H, W) uint8 without vehicles, such as ``aligned_median`` makes.

    The lens has to be free of distortion. Of the heights tried, the one that explains most stalls wins; stalls as wide
    as 2.2 to 3.7 m leave it uncertain by a quarter, which the polygons don't feel.
    Raises ``DegenerateError`` where the ground's attitude can't be told.
    """
    options = options or CameraStallOptions()
    view = ground_view(line_segments(gray), (gray.shape[1], gray.shape[0]))
    tried = [_at_height(gray, view, height, options) for height in options.heights]
    return max(tried, key=lambda found: float(found.stalls.probability.sum()))


def _at_height(gray: Gray, view: GroundView, height: float, options: CameraStallOptions) -> CameraStalls:
    flat, seen, top_left = flattened(gray, view, height, options)
    calm = _calm(flat, seen, options)
    directions = dominant_directions(flat, seen, options.m_per_px, options.stripes)
    stripes = find_stripes(flat, seen, options.m_per_px, directions, options.stripes)
    flip = np.array([options.m_per_px, -options.m_per_px])

    def lines(segments: Array) -> tuple[Array, Array]:
        return stripe_support(flat, seen, options.m_per_px, (segments - top_left) / flip, options.stripes)

    def free(points: Array) -> Array:
        cells = np.floor((points - top_left) / flip).astype(int)
        inside = ((cells >= 0) & (cells < np.array(calm.shape[::-1]))).all(axis=1)
        found = np.zeros(len(points))
        found[inside] = calm[cells[inside, 1], cells[inside, 0]]
        return found

    stalls = propose_stalls(top_left + stripes.ends * flip, stripes.open, lines, free, options.stalls)
    return CameraStalls(
        polygons=view.image_from(stalls.corners / height),
        stalls=stalls,
        height=height,
        view=view,
        stripes=view.image_from((top_left + stripes.ends * flip) / height),
    )


def flattened(gray: Gray, view: GroundView, height: float, options: CameraStallOptions) -> tuple[Gray, Mask, Array]:
    """Return the ground laid flat, where it is seen, and its top left corner.

    y points up; the corner (2,) is in metres, as if the camera hung at ``height``.
    """
    rows, columns = gray.shape
    u, v = np.meshgrid(np.linspace(0, columns, 65), np.linspace(0, rows, 65))
    pixels = np.column_stack([u.ravel(), v.ravel()])
    ground = view.ground_from_image(pixels) * height
    step = np.maximum(
        *(np.linalg.norm(view.ground_from_image(pixels + d) * height - ground, axis=1) for d in np.eye(2))
    )
    near = np.isfinite(step) & (step < options.max_footprint)
    if not near.any():
        return np.zeros((1, 1), np.uint8), np.zeros((1, 1), bool), np.zeros(2)
    low, high = ground[near].min(axis=0), ground[near].max(axis=0)
    scale = options.m_per_px
    size = np.ceil((high - low) / scale).astype(int)
    ground_from_flat = np.array([[scale, 0, low[0]], [0, -scale, high[1]], [0, 0, 1.0]])
    image_from_flat = view.image_from_ground @ np.diag([1 / height, 1 / height, 1.0]) @ ground_from_flat
    # OpenCV's pixels begin half a pixel later, at both ends of the homography.
    half = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    warp = np.linalg.inv(half) @ image_from_flat @ half
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(gray, warp, (int(size[0]), int(size[1])), flags=flags)
    seen = cv2.warpPerspective(np.full(gray.shape, 255, np.uint8), warp, (int(size[0]), int(size[1])), flags=flags)
    return np.asarray(flat, np.uint8), seen == 255, np.array([low[0], high[1]])


def _calm(flat: Gray, seen: Mask, options: CameraStallOptions) -> Array:
    """Return 1.0 (H, W) where the ground is plain, as asphalt is and planters, kerbs and paint are not."""
    size = max(3, round(0.5 / options.m_per_px) | 1)
    picture = flat.astype(np.float32)
    mean = cv2.blur(picture, (size, size))
    spread = np.sqrt(np.maximum(cv2.blur(picture**2, (size, size)) - mean**2, 0))
    return np.where(seen & (spread < options.calm * np.maximum(mean, 1)), 1.0, 0.0)
