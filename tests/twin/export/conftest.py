"""A twin's parts made of a box room, some landmarks and two fixed cameras."""

import numpy as np
import pycolmap
import pytest

from geometry import FixedCamera, camera_from_params, pose_from_matrix
from tests.twin.surface.rooms import noise_surface, room
from twin.export.parts import Parts, textured_mesh

LOOKING_ALONG_Y = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""cam_from_site: x to the right is x, y down is -z, forwards is +y."""


def fixed_camera(id: str, model: str, params: list[float]) -> FixedCamera:
    camera: pycolmap.Camera = camera_from_params(model, 640, 360, params)
    pose = pose_from_matrix(LOOKING_ALONG_Y, -LOOKING_ALONG_Y @ [4.0, 0.5, 2.5])
    return FixedCamera.of(id, camera, pose, level="A")


@pytest.fixture(scope="session")
def parts() -> Parts:
    rng = np.random.default_rng(3)
    return Parts(
        mesh=textured_mesh(noise_surface(room())),
        points=rng.uniform((0, 0, 0), (8, 6, 3), (50, 3)),
        colours=rng.integers(0, 255, (50, 3), dtype=np.uint8),
        cameras=(
            fixed_camera("north", "PINHOLE", [500.0, 510.0, 320.0, 180.0]),
            fixed_camera("wide äß 1", "OPENCV_FISHEYE", [260.0, 262.0, 318.0, 183.0, 0.02, -0.01, 0.0, 0.0]),
        ),
    )
