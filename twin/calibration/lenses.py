"""Lenses to try where nothing is known of a camera's, and what of a lens is adjusted."""

from collections.abc import Sequence

import pycolmap

from geometry import InputError, camera_from_params, nearest_known
from geometry.camera_fit import LensFreedom

FAMILIES: dict[str, tuple[str, tuple[float, ...]]] = {
    "pinhole": ("SIMPLE_PINHOLE", (0.5, 0.6, 0.72, 0.87, 1.05, 1.3, 1.7, 2.4, 3.4)),
    "radial": ("SIMPLE_RADIAL", (0.45, 0.54, 0.65, 0.78, 0.94, 1.15, 1.5, 2.1, 3.0)),
    "opencv": ("OPENCV", (0.45, 0.54, 0.65, 0.78, 0.94, 1.15, 1.5, 2.1, 3.0)),
    "fisheye": ("OPENCV_FISHEYE", (0.24, 0.29, 0.35, 0.42, 0.5)),
}
"""By name: COLMAP's model, and focal lengths as shares of the picture's longer side."""
UNKNOWN = ("radial", "fisheye")

FOCAL_SIGMA = 0.3
"""Of a focal length that is tried, as a share of it."""
PRINCIPAL_SIGMA = 0.005
"""Of the principal point, as a share of the picture's longer side: cheap lenses sit that well on their sensors."""
DISTORTION_SIGMA = 0.2
TANGENTIAL_SIGMA = 0.005
HIGHER_SIGMA = 0.05

_FREE = {
    "SIMPLE_PINHOLE": ((0,), (1,), (2,)),
    "PINHOLE": ((0, 1), (2,), (3,)),
    "SIMPLE_RADIAL": ((0,), (1,), (2,), (3,)),
    "RADIAL": ((0,), (1,), (2,), (3,), (4,)),
    "OPENCV": ((0, 1), (2,), (3,), (4,), (5,), (6,), (7,)),
    "SIMPLE_RADIAL_FISHEYE": ((0,), (1,), (2,), (3,)),
    "RADIAL_FISHEYE": ((0,), (1,), (2,), (3,), (4,)),
    "OPENCV_FISHEYE": ((0, 1), (2,), (3,), (4,), (5,)),
}


def lenses_to_try(families: Sequence[str], width: int, height: int) -> list[pycolmap.Camera]:
    """Return cameras of all focal lengths of some ``FAMILIES``, without distortion, for pictures of a size."""
    cameras = []
    for name in families:
        if name not in FAMILIES:
            raise InputError(f"unknown lens '{name}'", remedy=nearest_known(name, FAMILIES))
        model, ratios = FAMILIES[name]
        cameras += [lens(model, ratio * max(width, height), width, height) for ratio in ratios]
    return cameras


def lens(model: str, focal_px: float, width: int, height: int) -> pycolmap.Camera:
    """Return a camera of a model with a focal length, a centred principal point and no distortion."""
    camera = pycolmap.Camera.create_from_model_name(0, model, focal_px, width, height)
    return camera_from_params(model, width, height, camera.params.tolist())


def freedom(camera: pycolmap.Camera, *, principal_point: bool = True) -> LensFreedom:
    """Return what of a lens is adjusted: square pixels stay square; without ``principal_point`` that is not.

    Raises ``InputError`` for models whose parameters are not known here.
    """
    model = camera.model_name
    if model not in _FREE:
        remedy = f"Use one of {', '.join(_FREE)}."
        raise InputError(f"the lens of a {model} camera can't be adjusted", remedy=remedy)
    focal, principal = set(camera.focal_length_idxs()), set(camera.principal_point_idxs())
    side = max(camera.width, camera.height)
    extra = list(camera.extra_params_idxs())
    sigmas = []
    groups = tuple(group for group in _FREE[model] if principal_point or not set(group) <= principal)
    for group in groups:
        if set(group) <= focal:
            sigmas.append(FOCAL_SIGMA * float(camera.params[group[0]]))
        elif set(group) <= principal:
            sigmas.append(PRINCIPAL_SIGMA * side)
        else:
            sigmas.append(_extra_sigma(model, extra.index(group[0])))
    return LensFreedom(groups=groups, sigmas=tuple(sigmas))


def _extra_sigma(model: str, number: int) -> float:
    if model == "OPENCV":
        return (DISTORTION_SIGMA, HIGHER_SIGMA, TANGENTIAL_SIGMA, TANGENTIAL_SIGMA)[number]
    return (DISTORTION_SIGMA, HIGHER_SIGMA)[min(number, 1)]
