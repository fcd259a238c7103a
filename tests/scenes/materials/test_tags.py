"""Tags are found by OpenCV with their number, their corners and their size."""

import cv2
import numpy as np
import pytest

from geometry.errors import InputError
from scenes.materials.tags import FAMILIES, board_size, tag_texture


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("number", [0, 7])
def test_a_tag_is_found_upright_with_its_margin(family: str, number: int) -> None:
    texture = tag_texture(family, number, 0.16)
    detector = cv2.aruco.ArucoDetector(cv2.aruco.getPredefinedDictionary(FAMILIES[family]))
    corners, ids, _ = detector.detectMarkers(
        cv2.cvtColor(np.pad(texture.image, ((20, 20), (20, 20), (0, 0)), constant_values=150), cv2.COLOR_RGB2GRAY)
    )
    assert ids.ravel().tolist() == [number]
    margin = (board_size(family, 0.16) - 0.16) / 2
    near, far = margin * texture.px_per_m, (margin + 0.16) * texture.px_per_m
    expected = np.array([[near, near], [far, near], [far, far], [near, far]]) + 20 - 0.5
    np.testing.assert_allclose(corners[0].reshape(4, 2), expected, atol=1.01)  # whole pixels without refinement


def test_unknown_tags_are_refused() -> None:
    with pytest.raises(InputError, match="tag36h11"):
        tag_texture("tag36h1", 0, 0.1)
    with pytest.raises(InputError, match="has no tag 587"):
        tag_texture("tag36h11", 587, 0.1)
