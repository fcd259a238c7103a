"""Silhouettes against the ids of a picture in which nothing stands in front."""

import numpy as np
import pycolmap
import pytest

from scenes.captures.views import look
from scenes.rendering import build_world, cast, silhouette
from scenes.rendering.silhouettes import Silhouette
from tests.scenes.rendering.worlds import DARK, camera, cart, standing

FISHEYE = pycolmap.Camera(model="OPENCV_FISHEYE", width=160, height=120, params=[60, 60, 80, 60, 0.02, 0, 0, 0])


@pytest.mark.parametrize("lens", [camera(), FISHEYE])
@pytest.mark.parametrize("distance", [0.4, 1.6, 4.0, 25.0])
def test_it_is_what_a_picture_of_the_object_alone_shows(lens: pycolmap.Camera, distance: float) -> None:
    thing = standing("thing", cart(), distance, 0.3, 0.5)
    pose = look((0, 0, 1.0), 0.1, -0.1)
    seen = cast(build_world([], [thing], DARK), lens, pose).instance_id == 0
    rows, columns = np.nonzero(seen)
    got = silhouette(thing, lens, pose)
    assert got.pixels == seen.sum() > 0
    assert got.bbox == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_what_is_behind_the_camera_has_none() -> None:
    thing = standing("thing", cart(), -5.0, 0.0)
    assert silhouette(thing, camera(), look((0, 0, 1.0), 0.0)) == Silhouette(pixels=0, bbox=None)
