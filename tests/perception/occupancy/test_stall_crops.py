"""Stalls cut out of pictures: their pixels look where their places say, by every lens and from everywhere."""

import cv2
import numpy as np
import pycolmap
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.cameras import project, unproject
from geometry.errors import InputError
from geometry.frames import pose_from_matrix, position_of, transform_points
from perception.occupancy.stall_crops import (
    CHANNELS,
    COARSEST,
    FAR,
    GREY,
    HEIGHT_PX,
    MIDDLE_M,
    ROOF_M,
    WIDTH_PX,
    StallCrops,
    network_input,
)
from perception.occupancy.stall_crops import mirrored as mirrored_input
from scenes.captures.views import look
from tests.perception.occupancy.sights import LENSES, PINHOLE, SIZE, Array, Pixels, lens, stall, views

View = tuple[pycolmap.Camera, pycolmap.Rigid3d, Array]
HEIGHTS = (0.0, ROOF_M)


def crops_of(view: View) -> StallCrops:
    camera, pose, corners = view
    return StallCrops.of(camera, pose, corners[None])


def place_of(point: Array, corners: Array) -> Array:
    """Return where points (N, 3) lie across and along a stall 2.5 m wide and 5 m long, as the network is told."""
    offset = point - corners.mean(axis=0)
    across, along = (corners[1] - corners[0]) / 2.5, (corners[2] - corners[1]) / 5.0
    return np.column_stack([offset @ across / 1.25, offset @ along / 2.5]) / FAR


def met(view: View, pixels: Array, height: float) -> Array:
    """Return where the rays of pixels (N, 2), by OpenCV's convention, meet a plane over the stall's floor; NaN where
    they don't."""
    camera, pose, corners = view
    rays = unproject(camera, pixels + 0.5) @ np.asarray(pose.rotation.matrix())
    eye = position_of(pose)
    with np.errstate(divide="ignore"):
        reach = (corners[0, 2] + height - eye[2]) / rays[:, 2]
    return np.where(((reach > 0) & (reach < 500))[:, None], eye + reach[:, None] * rays, np.nan)


@given(view=views(low=0.3))
@settings(max_examples=60)
def test_pixels_look_where_their_places_say(view: View) -> None:
    """The other way round: from the picture's pixel through the lens to the floor, and to the plane of roofs."""
    cut, corners = crops_of(view), view[2]
    pixels = cut.maps[0, ::7, ::7].reshape(-1, 2).astype(np.float64)
    inside = ((pixels > 0) & (pixels < np.array(SIZE) - 1)).all(axis=1)
    assert inside.sum() > 20
    for first, height in zip((0, 2), HEIGHTS, strict=True):
        told = cut.places[0, first : first + 2, ::7, ::7].reshape(2, -1).T
        true = place_of(met(view, pixels, height), corners)
        known = inside & np.isfinite(true).all(axis=1)
        np.testing.assert_allclose(told[known], np.clip(true[known], -1, 1), atol=1e-4)  # measured 8e-6: float32


@given(view=views(low=2.0), across=st.floats(-1.2, 1.2), along=st.floats(-2.4, 2.4), roof=st.booleans())
@settings(max_examples=60)
def test_a_point_shows_where_the_places_say(view: View, across: float, along: float, roof: bool) -> None:
    camera, pose, corners = view
    step = np.array([(corners[1] - corners[0]) / 2.5, (corners[2] - corners[1]) / 5.0])
    point = corners.mean(axis=0) + (across, along) @ step + (0.0, 0.0, HEIGHTS[int(roof)])
    pixel, known = project(camera, transform_points(pose, point[None]))
    assert known[0]
    cut = crops_of(view)
    apart = np.linalg.norm(cut.maps[0] - (pixel[0] - 0.5), axis=-1)
    row, column = np.unravel_index(apart.argmin(), apart.shape)
    if not (1 <= row < HEIGHT_PX - 1 and 1 <= column < WIDTH_PX - 1):
        return  # the ends of a long stall that is near may be cut off
    first = 2 * int(roof)
    around = cut.places[0, first : first + 2, row - 1 : row + 2, column - 1 : column + 2].reshape(2, -1)
    true = place_of(point[None], corners)[0]
    assert (around.min(axis=1) - 1e-4 <= true).all()
    assert (true <= around.max(axis=1) + 1e-4).all()


@given(view=views(low=2.0))
@settings(max_examples=40)
def test_the_middle_of_the_floor_has_the_place_zero(view: View) -> None:
    camera, pose, corners = view
    pixel, _ = project(camera, transform_points(pose, corners.mean(axis=0)[None]))
    cut = crops_of(view)
    apart = np.linalg.norm(cut.maps[0] - (pixel[0] - 0.5), axis=-1)
    row, column = np.unravel_index(apart.argmin(), apart.shape)
    own = cut.places[0, :2, row, column]
    step = np.abs(np.diff(cut.places[0, :2, row - 1 : row + 2, column - 1 : column + 2], axis=1)).max()
    step = max(step, np.abs(np.diff(cut.places[0, :2, row - 1 : row + 2, column - 1 : column + 2], axis=2)).max())
    assert np.abs(own).max() <= 1.01 * step
    assert np.abs(own).max() < 0.06  # measured 0.045 at most: half a pixel, low and far away


@given(view=views())
@settings(max_examples=30)
def test_the_middle_of_a_vehicle_is_the_middle_of_the_crop(view: View) -> None:
    camera, pose, corners = view
    target = corners.mean(axis=0) + np.array([0.0, 0.0, MIDDLE_M])
    pixel, known = project(camera, transform_points(pose, target[None]))
    row, column = HEIGHT_PX // 2, WIDTH_PX // 2
    around = crops_of(view).maps[0, row - 1 : row + 1, column - 1 : column + 1].reshape(4, 2).mean(axis=0)
    assert known[0]
    np.testing.assert_allclose(around, pixel[0] - 0.5, atol=0.01)  # measured 0.002 px


@given(view=views())
@settings(max_examples=30)
def test_named_from_its_other_end_a_stall_has_the_opposite_places(view: View) -> None:
    camera, pose, corners = view
    here, there = crops_of(view), crops_of((camera, pose, np.roll(corners, 2, axis=0)))
    np.testing.assert_allclose(there.places, -here.places, atol=1e-5)
    np.testing.assert_allclose(there.maps, here.maps, atol=1e-3)


def mirrored(view: View) -> View:
    """Return what a mirror at x = 0 shows; a camera whose lens is symmetrical takes the mirrored picture."""
    _, pose, corners = view
    flip = np.diag([-1.0, 1.0, 1.0])
    rotation = flip @ np.asarray(pose.rotation.matrix()) @ flip
    return view[0], pose_from_matrix(rotation, -rotation @ (flip @ position_of(pose))), corners @ flip


@given(view=views(), seed=st.integers(0, 100))
@settings(max_examples=20)
def test_a_mirror_mirrors_the_crop(view: View, seed: int) -> None:
    view = (lens(*PINHOLE), *view[1:])
    here, there = crops_of(view), crops_of(mirrored(view))
    flipped = here.maps[:, :, ::-1] * np.float32([-1, 1]) + np.float32([SIZE[0] - 1, 0])
    np.testing.assert_allclose(there.maps, flipped, atol=0.01)
    np.testing.assert_allclose(there.places, here.places[..., ::-1], atol=1e-4)
    picture = smooth(seed)
    apart = there.cut(np.ascontiguousarray(picture[:, ::-1])).astype(int) - here.cut(picture)[:, :, ::-1]
    assert np.abs(apart).mean() < 0.01  # grey levels; measured 5e-5 at most


def smooth(seed: int = 0, size: tuple[int, int] = SIZE) -> Pixels:
    coarse = np.random.default_rng(seed).uniform(0, 255, (8, 10, 3)).astype(np.float32)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC).clip(0, 255).astype(np.uint8)


def painted(view: View) -> Pixels:
    """Return the picture of a floor that is red across the stall, green along it, with the place as the brightness."""
    width, height = SIZE
    u, v = np.meshgrid(np.arange(width), np.arange(height))
    pixels = np.column_stack([u.ravel(), v.ravel()]).astype(np.float64)
    place = np.nan_to_num(place_of(met(view, pixels, 0.0), view[2]), nan=1.0).clip(-1, 1)
    colours = np.column_stack([127.5 + 127.5 * place, np.zeros(len(place))])
    return colours.round().astype(np.uint8).reshape(height, width, 3)


@pytest.mark.parametrize("kind", LENSES, ids=[each[0] for each in LENSES])
def test_a_picture_is_cut_as_the_maps_say(kind: tuple[str, list[float]]) -> None:
    """The floor is painted with its places; the crop shows the same as the places that go with it."""
    view = lens(*kind), look((6.0, -9.0, 5.0), np.radians(120), -0.42), stall(turn=0.2)
    cut = crops_of(view)
    crop = cut.cut(painted(view))[0, ..., :2].astype(np.float64).transpose(2, 0, 1) / 127.5 - 1
    maps = cut.maps[0]
    seen = ((maps > 2) & (maps < np.array(SIZE) - 3)).all(axis=-1) & (np.abs(cut.places[0, :2]) < 0.9).all(axis=0)
    assert seen.mean() > 0.2
    error = np.abs(crop - cut.places[0, :2])[:, seen]
    assert np.median(error) < 0.005  # measured 0.0022: eight bits
    assert error.max() < 0.03  # measured 0.010


def test_a_near_stall_is_cut_out_of_a_halved_picture() -> None:
    """Stripes of one pixel would make patterns; halved, they are grey."""
    camera = lens("PINHOLE", [4000.0, 4000.0, 320.0, 240.0])
    cut = StallCrops.of(camera, look((0.0, -9.0, 4.0), np.pi / 2, -0.35), stall()[None])
    assert cut.coarse[0] == COARSEST  # a pixel of the crop is 37 of the picture
    stripes = np.zeros((SIZE[1], SIZE[0], 3), dtype=np.uint8)
    stripes[:, ::2] = 255
    crop = cut.cut(stripes)[0]
    shown = ((cut.maps[0] > 40) & (cut.maps[0] < np.array(SIZE) - 40)).all(axis=-1)
    assert shown.sum() > 100
    assert np.ptp(crop[shown].astype(int)) <= 2


def test_grey_is_what_the_picture_does_not_show() -> None:
    camera, pose = lens(*PINHOLE), look((0.0, -9.0, 4.0), np.pi / 2, -0.35)
    corners = np.array([stall(), stall(y=-30.0), stall(x=60.0), stall(x=8.5)])
    cut = StallCrops.of(camera, pose, corners)
    crops = cut.cut(np.full((SIZE[1], SIZE[0], 3), 200, dtype=np.uint8))
    assert (crops[0] == 200).all()
    for hidden in (1, 2):  # behind the camera, and far beside what it shows
        assert (crops[hidden] == GREY).all()
    half = (crops[3] == 200).all(axis=-1)
    assert 0.1 < half.mean() < 0.9
    assert half[:, 0].all()
    assert (crops[3][:, -1] == GREY).all()
    assert np.isfinite(cut.maps).all()
    assert (np.abs(cut.places) <= 1).all()


@pytest.mark.parametrize("height", [0.2, 1.0, 1.49, 1.51])
def test_from_below_the_roofs_rays_that_go_up_meet_their_plane(height: float) -> None:
    view = lens(*PINHOLE), look((0.0, -9.0, height), np.pi / 2, 0.0), stall()
    cut = crops_of(view)
    assert np.isfinite(cut.places).all()
    assert (np.abs(cut.places) <= 1).all()
    rays = unproject(view[0], cut.maps[0].reshape(-1, 2) + 0.5) @ np.asarray(view[1].rotation.matrix())
    up = rays[:, 2].reshape(HEIGHT_PX, WIDTH_PX)
    along = cut.places[0, [1, 3]]
    assert (along[0][up > 1e-3] == 1).all(), "a ray that goes up never meets the floor"
    away = up < -1e-3 if height < ROOF_M else up > 1e-3
    assert (along[1][away] == 1).all(), "and one that goes away from the roofs never meets these"


def test_a_camera_straight_over_a_stall_one_in_its_middle_and_one_in_a_plane_are_no_trouble() -> None:
    for eye in ((0.0, 0.0, 5.0), (0.0, 0.0, MIDDLE_M), (0.0, 0.0, -3.0), (0.0, -9.0, ROOF_M), (0.0, -9.0, 0.0)):
        cut = StallCrops.of(lens(*PINHOLE), look(eye, 0.0, -np.pi / 2), stall()[None])
        assert np.isfinite(cut.maps).all()
        assert np.isfinite(cut.places).all()
        assert cut.cut(smooth()).shape == (1, HEIGHT_PX, WIDTH_PX, 3)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 230])
def test_many_at_once_are_cut_as_one_at_a_time(count: int) -> None:
    rng = np.random.default_rng(count)
    camera, pose, picture = lens(*PINHOLE), look((0.0, -6.0, 5.0), np.pi / 2, -0.4), smooth(3)
    corners = np.array([stall(*at, turn) for *at, turn in rng.uniform([-15, -3, -3], [15, 40, 3], (count, 3)).tolist()])
    cut = StallCrops.of(camera, pose, corners)
    assert len(cut) == count
    together = cut.cut(picture)
    for k in np.unique(np.linspace(0, count - 1, 25).astype(int)).tolist():
        alone = StallCrops.of(camera, pose, corners[k : k + 1])
        np.testing.assert_array_equal(together[k], alone.cut(picture)[0])
        np.testing.assert_array_equal(cut.places[k], alone.places[0])


def test_no_stalls_are_no_crops() -> None:
    cut = StallCrops.of(lens(*PINHOLE), look((0.0, -9.0, 4.0), np.pi / 2), np.zeros((0, 4, 3)))
    assert len(cut) == 0
    crops = cut.cut(smooth())
    assert crops.shape == (0, HEIGHT_PX, WIDTH_PX, 3)
    assert network_input(crops, cut.places).shape == (0, CHANNELS, HEIGHT_PX, WIDTH_PX)


def test_the_picture_is_not_changed_by_cutting() -> None:
    picture = smooth()
    picture.flags.writeable = False
    corners = np.array([stall(), stall(3.0)])
    corners.flags.writeable = False
    StallCrops.of(lens(*PINHOLE), look((0.0, -9.0, 4.0), np.pi / 2, -0.35), corners).cut(picture)


@pytest.mark.parametrize("shape", [(4, 3), (2, 4, 2), (2, 5, 3), (0,), (1, 1, 4, 3)])
def test_corners_of_another_shape_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match="corners of stalls"):
        StallCrops.of(lens(*PINHOLE), look((0.0, -9.0, 4.0), np.pi / 2), np.zeros(shape))


@pytest.mark.parametrize("shape", [(640, 480, 3), (480, 640), (480, 640, 4), (240, 320, 3)])
def test_a_picture_of_another_size_is_refused(shape: tuple[int, ...]) -> None:
    cut = StallCrops.of(lens(*PINHOLE), look((0.0, -9.0, 4.0), np.pi / 2), stall()[None])
    with pytest.raises(InputError, match="the picture has the shape"):
        cut.cut(np.zeros(shape, dtype=np.uint8))


def test_the_network_takes_colours_and_places() -> None:
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 256, (3, HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    places = rng.uniform(-1, 1, (3, 4, HEIGHT_PX, WIDTH_PX)).astype(np.float32)
    taken = network_input(crops, places)
    assert taken.dtype == np.float32
    assert taken.shape == (3, CHANNELS, HEIGHT_PX, WIDTH_PX)
    np.testing.assert_allclose(taken[1, 2, 5, 7], crops[1, 5, 7, 2] / 255, rtol=1e-6)
    np.testing.assert_array_equal(taken[:, 3:], places)


def test_twice_mirrored_is_what_it_was_and_once_lies_to_the_other_side() -> None:
    given = np.random.default_rng(0).normal(size=(3, 7, 4, 6)).astype(np.float32)
    once = mirrored_input(given)
    np.testing.assert_array_equal(mirrored_input(once), given)
    np.testing.assert_array_equal(once[:, :3], given[:, :3, :, ::-1])
    across, along = (3, 5), (4, 6)
    np.testing.assert_array_equal(once[:, across], -given[:, across][..., ::-1])
    np.testing.assert_array_equal(once[:, along], given[:, along][..., ::-1])
