"""Cameras over a row of stalls, to cut these out of their pictures."""

from collections.abc import Sequence

import numpy as np
import pycolmap
from hypothesis import strategies as st
from numpy.typing import NDArray

from geometry import camera_from_params
from scenes.captures.views import look

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]

SIZE = (640, 480)
PINHOLE = ("PINHOLE", [420.0, 430.0, 320.0, 240.0])
LENSES = (
    PINHOLE,
    ("OPENCV", [420.0, 430.0, 315.0, 244.0, -0.12, 0.03, 0.001, -0.0005]),
    ("OPENCV_FISHEYE", [260.0, 262.0, 322.0, 238.0, 0.03, -0.01, 0.002, -0.0004]),
)


def lens(model: str, params: Sequence[float]) -> pycolmap.Camera:
    return camera_from_params(model, *SIZE, list(params))


def stall(x: float = 0.0, y: float = 0.0, turn: float = 0.0, z: float = 0.0, width: float = 2.5) -> Array:
    """Return the corners (4, 3) of one of 5 m around a middle; the first edge is the open one."""
    half = np.array([(-width / 2, -2.5), (width / 2, -2.5), (width / 2, 2.5), (-width / 2, 2.5)])
    cos, sin = np.cos(turn), np.sin(turn)
    return np.column_stack([half @ np.array([[cos, sin], [-sin, cos]]) + (x, y), np.full(4, z)])


@st.composite
def views(draw: st.DrawFn, low: float = 1.0, high: float = 8.0) -> tuple[pycolmap.Camera, pycolmap.Rigid3d, Array]:
    """Draw a lens, the pose of a camera that looks about at a stall, and the stall's corners (4, 3)."""
    camera = lens(*draw(st.sampled_from(LENSES)))
    corners = stall(turn=draw(st.floats(-3.2, 3.2)), z=draw(st.floats(-5.0, 5.0)))
    height, apart = draw(st.floats(low, high)), draw(st.floats(3.0, 25.0))
    bearing = draw(st.floats(-3.2, 3.2))
    eye = corners.mean(axis=0) + np.array([apart * np.cos(bearing), apart * np.sin(bearing), height])
    pitch = -np.arctan2(height - 0.75, apart)
    aside, up, roll = (draw(st.floats(-0.15, 0.15)) for _ in range(3))
    return camera, look(eye, bearing + np.pi + aside, pitch + up, roll), corners
