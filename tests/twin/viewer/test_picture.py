"""What is drawn, where, and what is in front: judged by projecting and by the simple exact rule."""

import numpy as np
import pytest
from hypothesis import given, settings

from tests.support import points, vectors
from tests.twin.viewer.worlds import contents
from twin.viewer.layers import Points, lines
from twin.viewer.picture import BACKGROUND, NEAR_M, clipped, draw_lines, draw_points, project, render
from twin.viewer.viewpoint import Viewpoint, looking, overview, pinhole, through

EYE, AT = np.array([4.0, -6.0, 4.0]), np.array([4.0, 3.0, 1.0])


def view(width: int = 160, height: int = 120) -> Viewpoint:
    return looking(EYE, AT, pinhole(width, height, 120.0))


def canvas(viewpoint: Viewpoint):
    shape = viewpoint.camera.height, viewpoint.camera.width
    return np.zeros((*shape, 3), dtype=np.uint8), np.full(shape, np.inf, dtype=np.float32)


def cloud(positions, colours) -> Points:
    rows = np.asarray(positions, dtype=np.float64)
    return Points(name="p", positions=rows, colours=np.asarray(colours, np.uint8), level=np.zeros(len(rows), np.int64))


@given(vectors(0.5))
def test_projection_is_that_of_the_camera_model(offset: np.ndarray) -> None:
    viewpoint = view()
    pixels, z = project(AT[None] + offset, viewpoint)
    in_cam = viewpoint.cam_from_site * (AT + offset)
    assert pixels[0] == pytest.approx(viewpoint.camera.img_from_cam(in_cam[None])[0], abs=1e-9)
    assert z[0] == pytest.approx(in_cam[2])


def test_of_two_points_on_one_ray_the_nearer_is_seen_in_any_order() -> None:
    viewpoint = view()
    near, far = EYE + 0.3 * (AT - EYE), EYE + 0.8 * (AT - EYE)
    for rows, colours in (([near, far], [(9, 0, 0), (0, 9, 0)]), ([far, near], [(0, 9, 0), (9, 0, 0)])):
        picture, depth = canvas(viewpoint)
        draw_points(picture, depth, cloud(rows, colours), viewpoint)
        assert picture.reshape(-1, 3).max(axis=0).tolist() == [9, 0, 0]


def test_a_point_behind_the_camera_or_the_surface_is_not_drawn() -> None:
    viewpoint = view()
    picture, depth = canvas(viewpoint)
    draw_points(picture, depth, cloud([EYE - (AT - EYE)], [(9, 9, 9)]), viewpoint)
    assert picture.max() == 0
    depth[:] = 1.0
    draw_points(picture, depth, cloud([AT], [(9, 9, 9)]), viewpoint)
    assert picture.max() == 0


@settings(max_examples=50)
@given(points(3.0, min_size=2, max_size=2))
def test_a_line_is_on_the_pixels_that_points_along_it_project_to(ends: np.ndarray) -> None:
    viewpoint = view()
    picture, depth = canvas(viewpoint)
    segment = ends + AT
    draw_lines(picture, depth, lines("l", [(segment[None], (255, 255, 255), 0)]), viewpoint)
    along = segment[0] + np.linspace(0.01, 0.99, 50)[:, None] * (segment[1] - segment[0])
    pixels, _ = project(along, viewpoint)
    inside = (pixels > 2).all(axis=1) & (pixels < np.array([158, 118])).all(axis=1)
    for x, y in np.floor(pixels[inside]).astype(int):
        assert picture[y - 1 : y + 2, x - 1 : x + 2].max() == 255


def test_segments_are_cut_where_they_pass_the_camera() -> None:
    ends = np.array([[[0.0, 0, -1], [0, 2, 1]], [[0, 0, -2], [0, 0, -1]], [[0, 0, 1], [1, 0, 2.0]]])
    cut = clipped(ends)
    assert cut[0, 0] == pytest.approx([0, 1 + NEAR_M, NEAR_M])
    assert np.isnan(cut[1]).all()
    assert np.array_equal(cut[2], ends[2])


def test_surface_hides_what_is_behind_it_and_levels_are_left_out() -> None:
    inside = through(contents().cameras[0])
    everything = render(contents(), inside, samples_per_axis=1)
    empty = render(contents(), inside, shown=(), samples_per_axis=1)
    upper = render(contents(), inside, level=1, shown=("surface",), samples_per_axis=1)
    assert (empty == BACKGROUND).all()
    assert (upper == BACKGROUND).all()  # the room is level 0
    assert (everything == BACKGROUND).all(axis=-1).mean() < 0.01  # a closed room
    outside = looking(np.array([4.0, -30.0, 1.5]), AT, pinhole(160, 120, 120.0))
    alone, with_points = (
        render(contents(), outside, shown=shown, level=0, samples_per_axis=1)
        for shown in (("surface",), ("surface", "landmarks"))
    )
    wall = (alone != BACKGROUND).any(axis=-1)  # before all landmarks of its level; a point is two pixels wide
    assert np.array_equal(with_points[wall], alone[wall])


def test_overview_shows_all_points() -> None:
    rows = contents().landmarks.positions
    pixels, z = project(rows, overview(rows, 320, 240))
    assert np.isfinite(z).all()
    assert ((pixels > 0) & (pixels < [320, 240])).all()
