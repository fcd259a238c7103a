"""Where a picture of a twin is taken from: an overview, or the place and lens of a camera."""

from dataclasses import dataclass

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import FixedCamera, pose_from_matrix

Array = NDArray[np.float64]

FIELD = np.radians(50.0)
"""Horizontal field of view of an overview."""
AZIMUTH, ELEVATION = np.radians(-60.0), np.radians(40.0)
SHARE, LEAST_M = 0.94, 2.0
"""Of the picture that an overview fills, and from how near at the least."""


@dataclass(frozen=True, kw_only=True)
class Viewpoint:
    """A pinhole camera, whose principal point is its middle, and its pose ``cam_from_site``."""

    camera: pycolmap.Camera
    cam_from_site: pycolmap.Rigid3d


def pinhole(width: int, height: int, focal_px: float) -> pycolmap.Camera:
    """Return a camera without distortion."""
    return pycolmap.Camera(
        model="PINHOLE", width=width, height=height, params=[focal_px, focal_px, width / 2, height / 2]
    )


def overview(points: Array, width: int = 1280, height: int = 960) -> Viewpoint:
    """Return a view from above onto all points (N, 3) in site."""
    rows = points if len(points) else np.zeros((1, 3))
    low, high = rows.min(axis=0), rows.max(axis=0)
    middle, focal = (low + high) / 2, width / 2 / np.tan(FIELD / 2)
    back = np.array([np.cos(ELEVATION) * np.cos(AZIMUTH), np.cos(ELEVATION) * np.sin(AZIMUTH), np.sin(ELEVATION)])
    lens = pinhole(width, height, focal)
    in_cam = (rows - middle) @ looking(middle + back, middle, lens).cam_from_site.rotation.matrix().T
    room = np.array([width, height]) / 2 * SHARE / focal
    distance = max(float((np.abs(in_cam[:, :2]) / room - in_cam[:, 2:]).max()), LEAST_M)
    return looking(middle + distance * back, middle, lens)


def looking(eye: Array, at: Array, camera: pycolmap.Camera) -> Viewpoint:
    """Return the view from ``eye`` (3,) towards ``at`` (3,) in site, upright; they must not be one above the other."""
    forward = (at - eye) / np.linalg.norm(at - eye)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    return Viewpoint(camera=camera, cam_from_site=pose_from_matrix(rotation, -rotation @ eye))


def through(camera: FixedCamera) -> Viewpoint:
    """Return what a camera without distortion sees that stands where a fixed camera does, with its focal length."""
    lens = camera.camera()
    return Viewpoint(camera=pinhole(lens.width, lens.height, lens.mean_focal_length()), cam_from_site=camera.pose())
