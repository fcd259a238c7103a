"""Tiles cover the picture, and what an edge cuts gives way to the whole object."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geometry.errors import InputError
from perception.detection.tiles import TiledDetector, TileOptions, tiles
from perception.detections import Detections
from perception.whole_boxes import WholeBoxes


class Bright:
    """A detector that finds the box around all that is bright, as far as the picture goes."""

    name = "bright"

    def detect(self, picture: NDArray[np.uint8], *, camera: str = "", time: float = 0.0) -> Detections:
        y, x = np.nonzero(picture[:, :, 0] > 100)
        boxes = [[x.min(), y.min(), x.max() + 1, y.max() + 1]] if len(x) else []
        return Detections.of(camera, time, boxes, "car", [0.5 + 1e-6 * len(x)] if len(x) else [])


@settings(max_examples=80, deadline=None)
@given(
    size=st.tuples(st.integers(40, 500), st.integers(40, 500)),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    overlap=st.floats(0, 0.5),
)
def test_every_pixel_is_in_a_tile(size: tuple[int, int], grid: tuple[int, int], overlap: float) -> None:
    options = TileOptions(columns=grid[0], rows=grid[1], overlap=overlap, whole=False)
    seen = np.zeros(size[::-1], dtype=bool)
    for x1, y1, x2, y2 in tiles(size, options):
        assert 0 <= x1 < x2 <= size[0]
        assert 0 <= y1 < y2 <= size[1]
        seen[y1:y2, x1:x2] = True
    assert seen.all()
    assert len(tiles(size, options)) == grid[0] * grid[1]


@pytest.mark.parametrize("x", [20, 120, 150, 180, 260])
def test_an_object_is_found_once_and_whole(x: int) -> None:
    picture = np.zeros((100, 320, 3), dtype=np.uint8)
    picture[40:60, x : x + 30] = 200
    found = TiledDetector(Bright(), TileOptions(columns=2, rows=1)).detect(picture, camera="c", time=3.0)
    assert (found.camera, found.time, found.kinds) == ("c", 3.0, ("car",))
    assert found.boxes.tolist() == [[x, 40, x + 30, 60]]


def test_impossible_tiles_are_refused() -> None:
    with pytest.raises(InputError, match="out of range"):
        TileOptions(columns=0)


def test_a_whole_box_that_may_go_on_beyond_a_tile_is_not_told() -> None:
    """What is seen ends inside its tile; of the left one's object the hidden part goes on into the next tile."""

    class Guessing(Bright):
        def detect(self, picture: NDArray[np.uint8], *, camera: str = "", time: float = 0.0) -> Detections:
            found = super().detect(picture, camera=camera, time=time)
            boxes = np.clip(found.boxes + np.array([-5, -5, 80, 5]), 0, np.tile(picture.shape[1::-1], 2))
            return replace(found, whole=WholeBoxes(boxes=boxes, sigma=np.ones((len(found), 6))))

    told = []
    for x in (20, 110, 260):
        picture = np.zeros((100, 320, 3), dtype=np.uint8)
        picture[40:60, x : x + 20] = 200
        options = TileOptions(columns=2, rows=1, whole=False)
        found = TiledDetector(Guessing(), options).detect(picture)
        assert found.whole is not None
        told.append(found.whole.told.tolist())
        if found.whole.told[0]:
            np.testing.assert_array_equal(found.whole.boxes[0], [x - 5, 35, min(x + 100, 320), 65])
    assert told == [[True], [False], [True]]
