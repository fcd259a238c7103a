import numpy as np
import pycolmap
import pytest

from geometry.errors import InputError
from geometry.records import FixedCamera
from scenes.captures.views import look
from scenes.captures.visibility import CameraView, building_raycaster
from scenes.objects import draw_person_spec, draw_vehicle_spec
from scenes.rendering import DRAFT, DRAFT_LIGHT, FixedView, Instance, build_world
from scenes.traffic import TrafficObject, site_from_model
from tests.scenes.rendering.worlds import camera, room

RNG = np.random.default_rng(0)
CAR = TrafficObject(id="car", spec=draw_vehicle_spec(RNG, "hatchback"))
VAN = TrafficObject(id="van", spec=draw_vehicle_spec(RNG, "van"))
PERSON = TrafficObject(id="person", spec=draw_person_spec(RNG))
OBJECTS = {thing.id: thing for thing in (CAR, VAN, PERSON)}
WALLS = room(12.0)
POSE = look((-5.0, 0.0, 2.4), 0.0, -0.35)


def mounted(width=160, height=120):
    return FixedCamera.of("cam1", camera(width, height), POSE, level="G")


def put(thing, x, y, turn=0.0):
    return Instance(object=thing.id, model=thing.model(-1.0), site_from_model=site_from_model([x, y, 0.0], turn, 0.0))


def view(*parked, reduction=1):
    return CameraView(mounted(), building_raycaster(WALLS), parked, OBJECTS, reduction)


def by_id(boxes):
    return {box.object: box for box in boxes}


def test_boxes_are_those_of_the_picture():
    parked, moving = put(VAN, 2.5, 1.0, 0.4), [put(CAR, 0.0, 0.3, 1.2), put(PERSON, -1.6, -0.6)]
    boxes = by_id(view(parked).boxes(0.0, moving))
    world = build_world(WALLS, [parked], options=DRAFT_LIGHT)
    picture = FixedView(world, mounted().camera(), POSE, DRAFT).frame(moving)
    assert set(boxes) == {"van", "car", "person"}
    for name, box in boxes.items():
        rows, columns = np.nonzero(picture.instance_id == picture.objects.index(name))
        seen = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
        assert np.abs(np.subtract(box.bbox_visible, seen)).max() <= 1  # measured 0; a ray may graze an edge
        left, top, right, bottom = box.bbox
        assert (right - left) * (bottom - top) * box.visible_fraction <= 1.001 * (right - left) * (bottom - top)
    assert boxes["person"].visible_fraction == 1
    assert boxes["car"].visible_fraction < 1
    assert boxes["van"].visible_fraction < 0.8


def test_a_parked_object_gets_the_same_box_as_a_moving_one():
    car, van = put(CAR, 0.0, 0.3, 1.2), put(VAN, 2.5, 1.0, 0.4)
    parked, moving = (by_id(v.boxes(1.0, m)) for v, m in ((view(car, van), ()), (view(), (car, van))))
    assert parked == moving


def test_one_hidden_by_another_object_has_a_box_and_nothing_visible():
    behind = by_id(view(put(PERSON, 1.2, 0.0)).boxes(0.0, [put(VAN, -0.5, 0.0, np.pi / 2)]))["person"]
    assert (behind.bbox_visible, behind.visible_fraction) == (None, 0.0)
    assert behind.bbox[3] > behind.bbox[1]
    assert behind.contact is not None


def test_nothing_behind_a_wall_or_out_of_the_picture_has_a_box():
    outside, behind_the_camera = put(CAR, 9.0, 0.0), put(PERSON, -5.8, 3.0)
    assert view(outside).boxes(0.0, [behind_the_camera]) == ()


def test_the_contact_is_the_image_of_the_ground_point():
    box = by_id(view().boxes(7.5, [put(CAR, 1.0, -0.4, 2.0)]))["car"]
    expected = mounted().camera().img_from_cam(POSE * np.array([[1.0, -0.4, 0.0]]))[0]
    np.testing.assert_allclose(box.contact, expected, atol=0.01)
    left, top, right, bottom = box.bbox
    assert left < box.contact[0] < right
    assert top < box.contact[1] < bottom
    assert (box.time, box.camera, box.kind, box.position) == (7.5, "cam1", "hatchback", (1.0, -0.4, 0.0))
    assert box.heading == pytest.approx(2.0, abs=1e-5)


def test_looking_at_fewer_pixels_gives_nearly_the_same():
    scene = [put(CAR, 0.0, 0.3, 1.2), put(PERSON, -1.6, -0.6)]
    fine, coarse = (by_id(view(reduction=r).boxes(0.0, scene)) for r in (1, 2))
    for name, box in fine.items():
        np.testing.assert_allclose(coarse[name].bbox, box.bbox, atol=2.0)
        assert coarse[name].visible_fraction == pytest.approx(box.visible_fraction, abs=0.05)


@pytest.mark.parametrize("reduction", [0, 3, 7, 16])
def test_a_reduction_that_does_not_fit_is_refused(reduction):
    with pytest.raises(InputError, match=r"cam1.*can't look at every"):
        view(reduction=reduction)


def test_an_object_around_the_camera_is_no_error():
    lens = pycolmap.Camera(model="PINHOLE", width=32, height=24, params=[20.0, 20.0, 16.0, 12.0])
    inside = FixedCamera.of("cam1", lens, look((0.0, 0.0, 0.9), 0.0), level="G")
    boxes = CameraView(inside, building_raycaster(WALLS), (), OBJECTS).boxes(0.0, [put(CAR, 0.0, 0.0)])
    assert [box.bbox for box in boxes] == [(0.0, 0.0, 32.0, 24.0)]
