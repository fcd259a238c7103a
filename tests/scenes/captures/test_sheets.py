"""Pictures for people: the plan and the contact sheet."""

import numpy as np
import pytest

from geometry.errors import InputError
from scenes.captures.contact_sheet import CAPTION_PX, GAP_PX, TILE_PX, contact_sheet, moved_sheet
from scenes.captures.mounting import mounted_cameras
from scenes.captures.options import CaptureOptions
from scenes.captures.plan_picture import CAMERA, INK, SIGN, plan_picture
from scenes.library import facility
from scenes.plan import floor_plan
from tests.scenes.captures.surveyed_room import COARSE, room


def test_a_plan_shows_every_level_with_walls_signs_and_cameras() -> None:
    garage = facility("garage")
    plan = floor_plan(garage)
    bare, full = plan_picture(plan, width_px=800), plan_picture(plan, mounted_cameras(garage).true, width_px=800)
    assert full.shape[1] == 800
    assert full.shape[0] > 2 * 800 * 36 / 62  # two levels of 60 x 36 m
    assert (full != bare).any(axis=2).mean() > 0.01
    for colour in (INK, SIGN, CAMERA):
        assert (full == colour).all(axis=2).sum() > 50


@pytest.mark.parametrize("width", [0, 100_000])
def test_an_impossible_size_is_refused(width: int) -> None:
    with pytest.raises(InputError, match="px wide"):
        plan_picture(floor_plan(room()), width_px=width)


def test_a_contact_sheet_has_nine_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(CaptureOptions, "light", property(lambda options: COARSE))
    small = CaptureOptions(quality="draft", width=96, height=72)
    counts: list[tuple[int, int]] = []
    sheet = contact_sheet(room(), 0, small, lambda done, total: counts.append((done, total)))
    height, width = TILE_PX[1] + CAPTION_PX, TILE_PX[0] + GAP_PX
    assert sheet.shape == (3 * height, 3 * width, 3)
    assert counts == [(i, 9) for i in range(1, 10)]
    middles = sheet[height // 2 :: height, width // 2 :: width]
    assert middles.shape[:2] == (3, 3)
    assert np.ptp(sheet.reshape(3, height, 3, width, 3), axis=(1, 3)).min() > 100


def test_a_sheet_of_moved_cameras_is_refused_where_none_has_moved() -> None:
    with pytest.raises(InputError, match="no camera has moved"):
        moved_sheet(room())
