import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely

from geometry.floorplan import FloorPlan, Level, Pillar, Stall
from perception.reading import TextReader
from tests.perception.reading.pictures import board_picture, on_wall, skip_without_reader
from tests.twin.signs.sites import CAMERA, corners_of, sighted, walk_past
from twin.photos import MapPhoto
from twin.signs import SignLandmark, SignOptions, find_signs, place_signs

CENTRE, NORMAL = np.array([10.0, 10.0, 2.4]), np.array([0.0, -1.0, 0.0])
ASIDE, UP = np.array([0.3, 0.0, 0.0]), np.array([0.0, 0.0, 0.3])
PLAN = FloorPlan(
    levels=(Level(id="P1", elevation=0.0, ceiling=3.0, outline=shapely.box(0, 0, 20, 10)),),
    stalls=(Stall(id="A", level="P1", polygon=shapely.box(2, 4, 4.5, 9)),),
)


def place(noise_px: float, plan: FloorPlan | None = PLAN) -> tuple[SignLandmark, ...]:
    photos = walk_past(CENTRE, NORMAL, count=6)
    text = corners_of(CENTRE + ASIDE, NORMAL, 0.6, 0.25)
    board = corners_of(CENTRE, NORMAL, 1.8, 0.4)
    return tuple(place_signs(photos, sighted(photos, text, "P2", noise_px=noise_px, board=board), plan))


@pytest.mark.parametrize(("noise_px", "bound"), [(0.0, 1e-3), (1.0, 0.05)])
def test_a_board_is_placed_by_its_outline(noise_px: float, bound: float) -> None:
    (sign,) = place(noise_px)
    assert np.linalg.norm(np.array(sign.position) - CENTRE) < bound  # measured 1e-6 and 0.004 m
    assert sign.text == "P2"
    assert sign.probability > 0.95
    assert sign.kind == "board"
    assert sign.level == "P1"
    assert sign.views == 6
    np.testing.assert_allclose([sign.width, sign.height], [1.8, 0.4], rtol=0.05)
    assert np.array(sign.normal) @ NORMAL > np.cos(np.radians(5))


def test_records_go_through_json_and_into_a_plan() -> None:
    (sign,) = place(0.5)
    assert SignLandmark(**json.loads(json.dumps(sign.to_dict()))) == sign
    plan = PLAN.model_copy(update={"signs": (sign.to_sign(),)})
    assert FloorPlan.model_validate_json(plan.model_dump_json(by_alias=True)).signs[0].text == "P2"


def test_one_outline_is_taken_on_the_texts_plane() -> None:
    photos = walk_past(CENTRE, NORMAL, count=5)
    text = corners_of(CENTRE + ASIDE, NORMAL, 0.6, 0.25)
    readings = sighted(photos, text, "P2", board=corners_of(CENTRE, NORMAL, 1.8, 0.4))
    one = [readings[0], *sighted(photos, text, "P2")[1:]]
    (sign,) = place_signs(photos, one, PLAN)
    assert sign.kind == "board"
    np.testing.assert_allclose(sign.position, CENTRE, atol=0.02)


def test_an_outline_that_leaks_is_left_out() -> None:
    photos = walk_past(CENTRE, NORMAL, count=6)
    text, board = corners_of(CENTRE, NORMAL, 0.6, 0.25), corners_of(CENTRE, NORMAL, 1.8, 0.4)
    leaking = corners_of(CENTRE + UP, NORMAL, 1.8, 1.0)
    readings = [*sighted(photos, text, "P2", board=board)[:3], *sighted(photos, text, "P2", board=leaking)[3:]]
    (sign,) = place_signs(photos, readings, PLAN)
    np.testing.assert_allclose(sign.position, CENTRE, atol=0.01)


def test_fragments_of_a_text_are_not_signs_of_their_own() -> None:
    photos = walk_past(CENTRE, NORMAL, count=6)
    whole = sighted(photos, corners_of(CENTRE, NORMAL, 1.2, 0.25), "STAIRSP1")
    part = sighted(photos[:3], corners_of(CENTRE - ASIDE, NORMAL, 0.7, 0.25), "STAIRS", noise_px=0.5)
    found = place_signs(photos, [*whole, *part], PLAN)
    assert [sign.text for sign in found] == ["STAIRSP1"]


def test_vehicles_are_told_and_what_is_off_the_plan_is_left_out() -> None:
    target = np.array([3.0, 6.0, 0.9])
    photos = walk_past(target, NORMAL, count=5, distance=3.0)
    readings = sighted(photos, corners_of(target, NORMAL, 0.5, 0.11), "MUTD2013")
    (plate,) = place_signs(photos, readings, PLAN)
    assert plate.kind == "vehicle"
    assert not plate.permanent
    elsewhere = PLAN.model_copy(
        update={"levels": (Level(id="P1", elevation=0.0, outline=shapely.box(50, 50, 60, 60)),), "stalls": ()}
    )
    assert place_signs(photos, readings, elsewhere) == []
    assert len(place_signs(photos, readings)) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_one_view_places_nothing(count: int) -> None:
    photos = walk_past(CENTRE, NORMAL, count=count)
    assert place_signs(photos, sighted(photos, corners_of(CENTRE, NORMAL, 0.6, 0.3), "P2"), PLAN) == []


def test_views_from_one_place_place_nothing() -> None:
    photos = walk_past(CENTRE, NORMAL, count=4, step=1e-4)
    readings = sighted(photos, corners_of(CENTRE, NORMAL, 0.6, 0.3), "P2", noise_px=0.5)
    assert place_signs(photos, readings, PLAN) == []


def test_unsure_texts_are_not_reported() -> None:
    photos = walk_past(CENTRE, NORMAL, count=6)
    readings = sighted(photos, corners_of(CENTRE, NORMAL, 0.6, 0.3), "P2")
    assert place_signs(photos, readings, PLAN, SignOptions(min_probability=1.0)) == []


def test_photos_are_read_and_a_sign_is_found(tmp_path: Path) -> None:
    skip_without_reader()
    photos = []
    board = corners_of(CENTRE, NORMAL, 1.2, 0.4)
    for number, photo in enumerate(walk_past(CENTRE, NORMAL, count=4, distance=5.0)):
        in_cam = board @ photo.cam_from_site.rotation.matrix().T + photo.cam_from_site.translation
        picture = on_wall(board_picture("P2"), np.asarray(CAMERA.img_from_cam(in_cam)))
        path = tmp_path / f"{number}.png"
        cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        photos.append(MapPhoto(name=path.name, path=path, camera=CAMERA, cam_from_site=photo.cam_from_site))
    done: list[int] = []
    (sign,) = find_signs(photos, TextReader(), PLAN, on_progress=lambda _, count, __: done.append(count))
    assert done == [1, 2, 3, 4]
    assert sign.text == "P2"
    assert sign.probability > 0.9
    assert np.linalg.norm(np.array(sign.position) - CENTRE) < 0.08  # measured 0.02 m
    np.testing.assert_allclose([sign.width, sign.height], [1.2, 0.4], atol=0.12)


def test_a_text_said_twice_is_one_where_a_pillar_stands_and_unsure_where_none_is_known() -> None:
    photos = walk_past(CENTRE, NORMAL, count=6)
    text = corners_of(CENTRE, NORMAL, 0.6, 0.25)
    pillar = Pillar(id="p", level="P1", polygon=shapely.box(9.75, 10.0, 10.25, 10.5))
    planned = PLAN.model_copy(
        update={
            "pillars": (pillar,),
            "levels": (PLAN.levels[0].model_copy(update={"outline": shapely.box(0, 0, 20, 20)}),),
        }
    )
    readings = sighted(photos, text, "A3A3")
    (sign,) = place_signs(photos, readings, planned)
    assert (sign.text, sign.probability > 0.9) == ("A3", True)
    (unsure,) = place_signs(photos, readings, PLAN)
    assert unsure.text == "A3A3"
    assert unsure.probability <= 0.5
    assert unsure.alternatives[0] == ("A3", unsure.probability)
