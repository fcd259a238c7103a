"""What a picture tells of its camera by itself, where the twin gave no pose: focal length and tilt.

Vanishing points of two directions on the ground at right angles, as of stall lines, fix both; they say nothing of where
the camera hangs.
"""

import numpy as np
from numpy.typing import NDArray

from geometry import DegenerateError
from perception import GroundView, ground_view, line_segments


def tilt_deg(view: GroundView, image_size: tuple[int, int]) -> float:
    """Return by how many degrees a camera that sees a ground like this looks down, below 0 where it looks up.

    The horizon, seen through the focal length, is the ground's normal (Hartley and Zisserman 2003, 8.6).
    """
    horizon = np.linalg.inv(view.image_from_ground)[2]
    centre = np.array(image_size) / 2
    normal = np.array([view.focal_px * horizon[0], view.focal_px * horizon[1], horizon[:2] @ centre + horizon[2]])
    return float(np.degrees(np.arcsin(normal[2] / np.linalg.norm(normal))))


def seen_alone(gray: NDArray[np.uint8]) -> str | None:
    """Return what vanishing points say of a gray picture's camera (H, W), as a remark; None where there are none."""
    size = (gray.shape[1], gray.shape[0])
    try:
        view = ground_view(line_segments(gray), size)
    except DegenerateError:
        return None
    return (
        f"by vanishing points alone: focal length about {view.focal_px:.0f} px, looking {tilt_deg(view, size):.0f} deg "
        "down; give that lens with --cameras, and --near or clicked points for the place"
    )
