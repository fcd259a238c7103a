"""A fixed camera's frames against full renders of worlds in which the moving things stand still."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from geometry.errors import InputError
from scenes.captures.views import look
from scenes.rendering import (
    DRAFT,
    FixedView,
    Lamp,
    Lighting,
    RenderOptions,
    SunLight,
    build_world,
    render,
    silhouette,
)
from tests.scenes.rendering.worlds import DARK, camera, cart, checks, floor, room, standing

POSE = look((-3.6, -3.4, 2.5), np.radians(42), -0.45)
INDOORS = replace(DARK, lamps=tuple(Lamp(id=str(x), position=(x, 0.5 * x, 2.6), flux=4.0) for x in (-2.0, 2.0)))
OUTDOORS = Lighting(sun=SunLight(direction=(1.0, -0.6, 1.2)))
CART = cart()
PARKED = standing("parked", CART, -1.0, 2.5, 0.3)
MOVING = [standing("one", CART, 0.5, -0.5, 0.2), standing("two", CART, 2.4, 1.4, 1.5)]


@pytest.fixture(scope="module")
def indoors() -> FixedView:
    return FixedView(build_world(room(texture=checks((8, 8), 0.4)), [PARKED], INDOORS), camera(320, 240), POSE)


def test_without_moving_things_a_frame_is_the_static_render(indoors: FixedView) -> None:
    full = render(indoors.world, indoors.camera, POSE)
    for field, value in vars(indoors.frame([])).items():
        np.testing.assert_array_equal(value, getattr(full, field))


def test_truth_equals_that_of_a_full_render(indoors: FixedView) -> None:
    frame = indoors.frame(MOVING)
    world = build_world(room(texture=checks((8, 8), 0.4)), [PARKED, *MOVING], INDOORS)
    full = render(world, indoors.camera, POSE, RenderOptions(exposure=frame.exposure))
    for field in ("objects", "depth", "instance_id", "normals", "points_in_site"):
        np.testing.assert_array_equal(getattr(frame, field), getattr(full, field))
    difference = np.abs(frame.image.astype(int) - full.image)
    assert difference.mean() < 3.0  # measured 2.5 levels of 255
    assert (difference.max(axis=2) > 30).mean() < 0.02  # measured 0.006


def test_outdoors_the_shadows_of_the_sun_are_those_of_a_full_render() -> None:
    shapes = [floor(20.0, checks((20, 20), 0.5))]
    view = FixedView(build_world(shapes, lighting=OUTDOORS), camera(320, 240), POSE)
    frame = view.frame(MOVING)
    full = render(build_world(shapes, MOVING, OUTDOORS), view.camera, POSE, RenderOptions(exposure=frame.exposure))
    np.testing.assert_array_equal(frame.instance_id, full.instance_id)
    difference = np.abs(frame.image.astype(int) - full.image)
    assert difference.mean() < 3.0  # measured 0.9
    assert (difference.max(axis=2) > 40).mean() < 0.02  # measured 0.003
    darker = view.static.image.astype(int) - frame.image > 40
    assert darker[frame.instance_id == 0].any(axis=1).sum() > 300  # there is a shadow


def test_the_same_bytes_twice_and_in_any_order_of_frames(indoors: FixedView) -> None:
    first = indoors.frame(MOVING)
    indoors.frame([standing("else", CART, 1.0, 1.0)])
    again = indoors.frame(MOVING)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.radiance.tobytes() == again.radiance.tobytes()


def test_what_is_far_from_moving_things_stays_as_it_is(indoors: FixedView) -> None:
    frame = indoors.frame(MOVING[:1])
    far = np.linalg.norm(indoors.static.points_in_site - [0.5, -0.5, 0.5], axis=2) > 3.5
    moving = cv2.dilate((frame.instance_id != indoors.static.instance_id).astype(np.uint8), np.ones((3, 3))) > 0
    far &= ~moving
    assert far.mean() > 0.3
    np.testing.assert_array_equal(frame.image[far], indoors.static.image[far])


def test_a_hidden_thing_leaves_no_pixel_but_has_a_silhouette(indoors: FixedView) -> None:
    behind = standing("behind", CART, 6.0, 6.0)  # beyond the room's walls
    frame = indoors.frame([behind])
    assert frame.objects[-1] == "behind"
    assert not (frame.instance_id == len(frame.objects) - 1).any()
    assert silhouette(behind, indoors.camera, POSE).pixels > 100


def test_a_name_used_twice_is_refused(indoors: FixedView) -> None:
    with pytest.raises(InputError, match="parked"):
        indoors.frame([standing("parked", CART, 0, 0)])


def test_one_sample_a_pixel() -> None:
    view = FixedView(build_world(room(), lighting=INDOORS), camera(), POSE, DRAFT)
    frame = view.frame(MOVING)
    assert {"one", "two"} <= {frame.objects[i] for i in np.unique(frame.instance_id)}
