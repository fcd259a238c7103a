"""Which way is down in a map."""

from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError, up_from_cameras
from twin.store import SiteFrame

UPRIGHT = float(np.cos(np.radians(45.0)))


def is_tied(frame: SiteFrame) -> bool:
    """Tell whether a map's poses are where they are in the site: metric, and nothing of the frame is left open."""
    return frame.metric and not frame.undetermined


def down_in_map(frame: SiteFrame, cams_from_map: Sequence[pycolmap.Rigid3d]) -> NDArray[np.float64] | None:
    """Return the unit vector (3,) that is down: -z in site, else by how the cameras were held; None if unknown.

    Poses may be given in a frame whose z is not up, against what a site asks for: how the cameras were held shows it.
    """
    below = np.array([0.0, 0.0, -1.0])
    rotations = np.array([pose.rotation.matrix() for pose in cams_from_map]).reshape(-1, 3, 3)
    try:
        by_cameras = -up_from_cameras(rotations)[0]
    except DegenerateError:
        held_upright = len(rotations) == 0 or rotations[:, 1, :].mean(axis=0) @ below > UPRIGHT
        return below if is_tied(frame) and held_upright else None
    return below if is_tied(frame) and by_cameras @ below > UPRIGHT else by_cameras
