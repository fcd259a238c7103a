"""What stays of an old twin."""

from types import SimpleNamespace
from typing import Any

import pycolmap
import pytest

from geometry import camera_from_params
from twin.mapping.kept import lens_of


def capture(*cameras: int) -> Any:
    return SimpleNamespace(names=[f"{k}.jpg" for k in range(len(cameras))], camera_of=list(cameras))


@pytest.mark.parametrize(("taken", "expected"), [((), 4), ((1, 7), 8)])
def test_a_new_lens_takes_no_id_of_one_whose_photos_left(taken: tuple[int, ...], expected: int) -> None:
    model = pycolmap.Reconstruction()
    camera = camera_from_params("PINHOLE", 64, 48, [50.0, 50.0, 32.0, 24.0])
    camera.camera_id = 3
    model.add_camera_with_trivial_rig(camera)
    assert lens_of(model, capture(5, 5), taken) == {5: expected}
