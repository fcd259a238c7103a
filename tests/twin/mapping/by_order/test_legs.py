"""Where a walk is cut into legs."""

import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenes import look
from twin.mapping.by_order.legs import MAX_GAP, MIN_HELD, MIN_VIEWS, held_across, legs_of

ROWS = 14


@given(tracks=st.lists(st.sets(st.integers(0, ROWS - 1), min_size=1), max_size=30))
def test_points_carry_the_scale_where_two_photos_before_and_two_after_see_them(tracks: list[set[int]]) -> None:
    point = np.array([k for k, track in enumerate(tracks) for _ in track], dtype=np.int64)
    row = np.array([row for track in tracks for row in sorted(track)], dtype=np.int64)

    def holds(track: set[int], boundary: int) -> bool:
        # The visit of the track that reaches over the boundary, without gaps that are too long.
        visit = [sorted(track)[0]]
        for seen in sorted(track)[1:]:
            if seen - visit[-1] > MAX_GAP:
                if visit[0] <= boundary < visit[-1]:
                    break
                visit = []
            visit.append(seen)
        return sum(seen <= boundary for seen in visit) >= 2 and sum(seen > boundary for seen in visit) >= 2

    held = held_across(point, row, ROWS)
    assert held.tolist() == [sum(holds(track, boundary) for track in tracks) for boundary in range(ROWS - 1)]


def model_of(tracks: list[tuple[int, ...]], photos: int) -> pycolmap.Reconstruction:
    """Return a model of photos a step of 2.5 apart, whose points are seen by some of them, by rows."""
    model = pycolmap.Reconstruction()
    model.add_camera_with_trivial_rig(
        pycolmap.Camera(model="PINHOLE", width=640, height=480, params=[500.0, 500, 320, 240], camera_id=1)
    )
    seen = [[k for k, track in enumerate(tracks) if row in track] for row in range(photos)]
    for row in range(photos):
        image = pycolmap.Image(
            name=f"{row:04d}.jpg", image_id=row + 1, camera_id=1, keypoints=np.zeros((len(seen[row]) + 1, 2))
        )
        model.add_image_with_trivial_frame(image, look((2.5 * row, 0.0, 1.6), 0.0, 0.0, 0.0))
    for number, track in enumerate(tracks):
        elements = [pycolmap.TrackElement(row + 1, seen[row].index(number)) for row in track]
        model.add_point3D(np.array([30.0 + number, 1.0, 2.0]), pycolmap.Track(elements))
    return model


def test_a_walk_is_cut_where_too_few_points_go_on() -> None:
    steady: list[tuple[int, ...]] = [tuple(range(start, start + 6)) for start in (0, 1, 8, 9) for _ in range(MIN_HELD)]
    weak: list[tuple[int, ...]] = [(4, 5, 7, 8)] * (MIN_HELD - 1)
    legs = legs_of([model_of(steady + weak, 16)])
    assert [leg.rows.tolist() for leg in legs if leg.has_shape] == [[1, 2, 3, 4, 5], [9, 10, 11, 12, 13]]
    assert sorted(row for leg in legs for row in leg.rows.tolist()) == list(range(16))


def test_a_leg_has_steps_of_one_and_points_that_enough_of_its_photos_see() -> None:
    tracks = [tuple(range(8))] * (2 * MIN_HELD) + [tuple(range(MIN_VIEWS - 1))]
    (leg,) = (leg for leg in legs_of([model_of(tracks, 8)]) if leg.has_shape)
    assert np.median(np.linalg.norm(np.diff(leg.centres, axis=0), axis=1)) == pytest.approx(1.0)
    assert len(leg.points) == 2 * MIN_HELD
    first = leg.point_of[leg.rows.tolist().index(1)]
    assert (first >= 0).sum() == 2 * MIN_HELD
    assert first[-2:].tolist() == [-1, -1]  # the point that two photos see, and the keypoint that shows none


def test_a_photo_of_two_models_is_taken_from_the_first() -> None:
    tracks = [tuple(range(6))] * MIN_HELD
    legs = legs_of([model_of(tracks, 6), model_of(tracks, 9)])
    assert sorted(row for leg in legs for row in leg.rows.tolist()) == list(range(9))
