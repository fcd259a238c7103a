"""Which way is down in a map."""

from collections.abc import Sequence

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import DegenerateError, up_from_cameras
from twin.store import SiteFrame


def is_tied(frame: SiteFrame) -> bool:
    """Tell whether a map's poses are where they are in the site: metric, and nothing of the frame is left open."""
    return frame.metric and not frame.undetermined


def down_in_map(frame: SiteFrame, cams_from_map: Sequence[pycolmap.Rigid3d]) -> NDArray[np.float64] | None:
    """Return the unit vector (3,) that is down: -z in site, else by how the cameras were held; None if unknown."""
    if is_tied(frame):
        return np.array([0.0, 0.0, -1.0])
    try:
        return -up_from_cameras([pose.rotation.matrix() for pose in cams_from_map])[0]
    except DegenerateError:
        return None
