"""Floors and signs of a twin on disk, and the plan drawn over a floor."""

import json
from pathlib import Path

import numpy as np
import pytest
import shapely

from geometry import FloorPlan, Floors, LevelSurface, RampSurface, TwinDamagedError
from geometry.floorplan import Lane, Level, Stall, Wall
from twin.floors_file import read_floors, write_floors
from twin.layout import Ortho, draw_plan
from twin.layout.overlay import COLOURS
from twin.signs import SignLandmark, read_signs, write_signs


def floors() -> Floors:
    def level(name: str, height: float) -> LevelSurface:
        return LevelSurface(
            name=name,
            area=shapely.box(0, 0, 20, 10),
            centre=np.array([10.0, 5.0]),
            coefficients=np.array([height, 0.001, -0.002]),
            covariance=np.diag([1e-4, 1e-6, 1e-6]),
            unevenness=0.01,
            support=120,
        )

    ramp = RampSurface(
        lower=0,
        upper=1,
        line=np.array([[2.0, 2.0], [18.0, 2.0]]),
        width=3.5,
        s=np.array([0.0, 8.0, 16.0]),
        z=np.array([0.0, 1.5, 3.0]),
        sigma=np.array([0.01, 0.02, 0.01]),
        support=40,
    )
    return Floors(
        levels=(level("P1", 0.0), level("P2", 3.0)), ramps=(ramp,), camera_height=1.6, camera_height_sigma=0.01,
        hand_sigma=0.03, warnings=("level P2: a remark",),
    )  # fmt: skip


def test_floors_read_back_equal(tmp_path: Path) -> None:
    made, path = floors(), tmp_path / "floors.json"
    write_floors(path, made)
    found = read_floors(path)
    points = np.random.default_rng(0).uniform((0, 0), (20, 10), (50, 2))
    for level in (0, 1):
        np.testing.assert_array_equal(found.height(points, level), made.height(points, level))
    assert found.warnings == made.warnings
    assert [ramp.support for ramp in found.ramps] == [40]
    write_floors(tmp_path / "again.json", found)
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.pop("levels"),
        lambda content: content.update(format=2),
        lambda content: content["levels"][0].update(coefficients=[0.0, 1.0]),
        lambda content: content["levels"][0].update(coefficients=[float("nan"), 0.0, 0.0]),
        lambda content: content["levels"][0].update(area={"type": "Nonsense"}),
        lambda content: content["ramps"][0].update(z=[1.0]),
        lambda content: content.update(levels=3),
    ],
)
def test_spoilt_floors_are_refused(tmp_path: Path, spoil) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "floors.json"
    write_floors(path, floors())
    content = json.loads(path.read_text("utf-8"))
    spoil(content)
    path.write_text(json.dumps(content), "utf-8")
    with pytest.raises(TwinDamagedError, match=r"floors\.json"):
        read_floors(path)


def sign(text: str = "EXIT <P2>") -> SignLandmark:
    return SignLandmark(
        id="sign 1",
        level="P1",
        position=(1.0, 2.0, 2.4),
        normal=(0.0, 1.0, 0.0),
        text=text,
        width=1.2,
        height=0.4,
        letter_height=0.2,
        probability=0.97,
        alternatives=(("EX1T", 0.02),),
        covariance=((1e-4, 0.0, 0.0), (0.0, 1e-4, 0.0), (0.0, 0.0, 1e-4)),
        views=4,
        kind="board",
    )


@pytest.mark.parametrize("count", [0, 1, 3])
def test_signs_read_back_equal(tmp_path: Path, count: int) -> None:
    made = tuple(sign(f"P{i}") for i in range(count))
    write_signs(tmp_path / "signs.json", made)
    assert read_signs(tmp_path / "signs.json") == made


@pytest.mark.parametrize("content", ["", "[]", '{"format": 2, "signs": []}', '{"format": 1, "signs": [{"id": "a"}]}'])
def test_spoilt_signs_are_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "signs.json"
    path.write_text(content, "utf-8")
    with pytest.raises(TwinDamagedError, match=r"signs\.json"):
        read_signs(path)


def test_a_plan_is_drawn_where_it_is() -> None:
    ortho = Ortho(
        pixels=np.full((200, 400, 3), 90, np.uint8),
        views=np.ones((200, 400), np.uint8),
        spread=np.zeros((200, 400), np.float32),
        top_left=(0.0, 10.0),
        m_per_px=0.05,
    )
    outline = shapely.box(0, 0, 20, 10)
    plan = FloorPlan(
        levels=(Level(id="P1", elevation=0.0, outline=outline), Level(id="P2", elevation=3.0, outline=outline)),
        stalls=(
            Stall(id="a", level="P1", polygon=shapely.box(2, 1, 4.5, 6)),
            Stall(id="b", level="P2", polygon=shapely.box(12, 1, 14.5, 6)),
        ),
        lanes=(Lane(id="l", level="P1", line=shapely.LineString([(1, 8), (19, 8)])),),
        walls=(Wall(level="P1", line=shapely.LineString([(0.5, 9.5), (19.5, 9.5)]), height=3.0),),
    )
    picture = draw_plan(ortho, plan, "P1")

    def coloured(kind: str, at: tuple[float, float]) -> bool:
        x, y = np.round(ortho.pixels_from_site([at])[0]).astype(int)
        near = picture[max(y - 2, 0) : y + 3, max(x - 2, 0) : x + 3]
        return bool((np.abs(near.astype(int) - COLOURS[kind]).sum(axis=-1) < 60).any())

    assert coloured("stalls", (2.0, 3.0))
    assert coloured("lanes", (10.0, 8.0))
    assert coloured("walls", (10.0, 9.5))
    assert not coloured("stalls", (12.0, 3.0))  # of the other level
    assert (picture[:20, :20] == 90).any()
    assert draw_plan(ortho, plan, "P1", max_side_px=100).shape == (50, 100, 3)
