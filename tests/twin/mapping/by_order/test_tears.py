"""Photos that a map tears from their neighbours in the walk."""

import numpy as np
import pycolmap
import pytest

from geometry import MappingError
from scenes import look
from twin.mapping.by_order.tears import MIN_STEADY, MIN_TORN, require_sure_pairs, torn_off

PHOTOS = 12
STEADY = {(row, row + 1): MIN_STEADY for row in range(PHOTOS - 1)}


def model_of(elsewhere: range, shared: dict[tuple[int, int], int]) -> pycolmap.Reconstruction:
    """Return photos a step apart, of which some are far away; ``shared``: points that two of them see."""
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(model="PINHOLE", width=640, height=480, params=[500.0, 500, 320, 240], camera_id=1)
    )
    pairs = [pair for pair, count in shared.items() for _ in range(count)]
    seen = [[k for k, pair in enumerate(pairs) if row in pair] for row in range(PHOTOS)]
    for row in range(PHOTOS):
        image = pycolmap.Image(
            name=f"{row:04d}.jpg", image_id=row + 1, camera_id=1, keypoints=np.zeros((len(seen[row]), 2))
        )
        at = (row + (40.0 if row in elsewhere else 0.0), 0.0, 1.6)
        model.add_image_with_trivial_frame(image, look(at, 0.0, 0.0, 0.0))
    for number, pair in enumerate(pairs):
        elements = [pycolmap.TrackElement(row + 1, seen[row].index(number)) for row in pair]
        model.add_point3D(np.zeros(3), pycolmap.Track(elements))
    return model


def rows(images: list[pycolmap.Image]) -> list[int]:
    return [image.image_id - 1 for image in images]


def test_a_walk_in_one_piece_is_not_torn() -> None:
    assert torn_off(model_of(range(0), {(0, 11): 5}), STEADY) == []


def test_of_two_sides_the_one_that_less_holds_is_torn_off() -> None:
    # Photos 4 and on hang on the first ones; 0 to 3 on a look-alike at best.
    matched = STEADY | {(8, 9): 0}
    assert rows(torn_off(model_of(range(4), {(5, 10): 50, (1, 11): 20}), matched)) == [0, 1, 2, 3]
    assert rows(torn_off(model_of(range(4), {(5, 10): 20, (1, 11): 50}), matched)) == [4, 5, 6, 7, 8]


@pytest.mark.parametrize(("count", "gone"), [(MIN_TORN, [0, 1, 2, 3]), (MIN_TORN - 1, [])])
def test_a_turn_that_few_matches_hold_tears_too_but_not_any(count: int, gone: list[int]) -> None:
    """Who turns on the spot shares little with the photo before, and is no further away for that."""
    torn = torn_off(model_of(range(4), {(5, 10): 50, (1, 11): 20}), STEADY | {(3, 4): count})
    assert rows(torn) == gone


def test_a_new_recording_begins_elsewhere() -> None:
    assert torn_off(model_of(range(4), {(5, 10): 50}), STEADY | {(3, 4): 0}) == []


def test_nothing_is_said_where_hardly_anything_matches() -> None:
    assert torn_off(model_of(range(4), {}), {}) == []
    assert torn_off(pycolmap.Reconstruction(), STEADY) == []


def test_where_nothing_else_tells_the_fewer_are_torn_off() -> None:
    assert rows(torn_off(model_of(range(9, PHOTOS), {}), STEADY)) == [9, 10, 11]
    assert rows(torn_off(model_of(range(3), {}), STEADY)) == [0, 1, 2]


def test_who_stands_and_goes_on_tears_nothing() -> None:
    model = model_of(range(0), {(0, 1): 30})
    for image in model.images.values():
        spot = (image.image_id - 1) // 4
        at = (0.05 * image.image_id + 1.2 * spot, 0.0, 0.0)
        image.frame.rig_from_world = look(at, 0.0, 0.0, 0.0)
    for point in model.points3D.values():
        point.xyz = np.array([8.0, 0.0, 0.0])
    assert torn_off(model, STEADY) == []


def test_photos_of_one_place_that_are_far_apart_refuse_the_map() -> None:
    model = model_of(range(6, PHOTOS), {(0, 1): 30})
    for point in model.points3D.values():
        point.xyz = np.array([8.0, 0.0, 1.6])
    look_alike = {(0, 9): MIN_STEADY - 1, (1, 10): 20}
    require_sure_pairs(model, STEADY | look_alike)
    # Photos ahead of each other match across half of what is seen.
    require_sure_pairs(model, STEADY | {(row, row + 4): MIN_STEADY for row in range(2)})
    one_place = {(row, row + 6): MIN_STEADY for row in range(6)}
    with pytest.raises(MappingError, match="far apart that show one place"):
        require_sure_pairs(model, STEADY | one_place)
