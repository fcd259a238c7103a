from typing import Any

import numpy as np
import pytest
import shapely
from shapely import affinity

from geometry.floorplan import FloorPlan, Gate, Lane, Pillar, Ramp, Stall
from geometry.plan_checks import plan_warnings
from geometry.plan_units import METRES, implausible_size, looks_like, sides
from scenes import floor_plan
from scenes.library import facility
from tests.geometry.test_floorplan import UPPER, small_plan

OUT = Gate(id="out", level="P2", line=shapely.LineString([(37.5, 8), (37.5, 12)]), direction="out")


def sound_plan(**changes: Any) -> FloorPlan:
    """Return the small plan with its stalls moved to its lanes and a gate out, about which there are no doubts."""
    stalls = tuple(
        Stall(
            id=f"{level}-{i}", level=level, polygon=shapely.Polygon([(x, 7), (x, 2), (x + 2.5, 2), (x + 2.5, 7)][::-1])
        )
        for level, x0 in (("P1", 0.0), ("P2", 31.0))
        for i, x in enumerate([x0, x0 + 2.5, x0 + 5])
    )
    stalls = tuple(s.model_copy(update={"polygon": with_first_edge_on_top(s.polygon)}) for s in stalls)
    gates = (*small_plan().gates, OUT)
    return small_plan(**({"stalls": stalls, "gates": gates, "pillars": (), "exclusions": ()} | changes))


def with_first_edge_on_top(polygon: shapely.Polygon) -> shapely.Polygon:
    x0, y0, x1, y1 = polygon.bounds
    return shapely.Polygon([(x1, y1), (x0, y1), (x0, y0), (x1, y0)])


def lane(id: str, *points: tuple[float, float], level: str = "P1", **options: Any) -> Lane:
    return Lane(id=id, level=level, line=shapely.LineString(points), **options)


PLAN = sound_plan()
IN, UP, TOP = PLAN.lanes
IN_FORKED = IN.model_copy(update={"to": ("up", "end")})
APART = (lane("m", (0, 15), (9, 15), to=("n",)), lane("n", (9, 15), (9, 18)))


def test_there_are_no_doubts_about_sound_plans() -> None:
    assert plan_warnings(PLAN) == ()
    assert plan_warnings(floor_plan(facility("room"))) == ()
    assert plan_warnings(floor_plan(facility("lot"))) == ()
    assert plan_warnings(FloorPlan(levels=())) == ()


def test_a_corner_of_the_garage_has_no_lane() -> None:
    """On P2 nothing leads to the motorcycles: the one doubt about this plan, and it is right."""
    found = {warning.element for warning in plan_warnings(floor_plan(facility("garage")))}
    assert found == {f"stall 'P2-M1-{number:02d}'" for number in range(1, 6)}


def stall(id: str, x: float, y: float, width: float = 2.5, length: float = 5.0, **options: Any) -> Stall:
    return Stall(id=id, level="P1", polygon=with_first_edge_on_top(shapely.box(x, y, x + width, y + length)), **options)


def ramp(**changes: Any) -> dict[str, Any]:
    return {"ramps": (Ramp.model_validate(PLAN.ramps[0].model_dump() | changes),)}


STALLS = PLAN.stalls
POLYGON = PLAN.ramps[0].polygon


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stalls": (*STALLS, stall("new", 1, 3))}, "stall 'P1-0': it overlaps stall 'new'. Move one of them."),
        (
            {"pillars": (Pillar(id="p", level="P1", polygon=shapely.box(2, 4, 2.4, 4.4)),)},
            "stall 'P1-0': it overlaps pillar 'p'",
        ),
        ({"stalls": (*STALLS, stall("tiny", 7.6, 6, 1, 1))}, "stall 'tiny': it is 1.00 x 1.00 m"),
        ({"stalls": (*STALLS, stall("far", 30, 14))}, "stall 'far': the nearest lane is 20.4 m from it"),
        ({"stalls": (stall("a", 0, 11.5),)}, "stall 'a': its first edge, the open one, is turned away from the lane"),
        (ramp(profile=((0.0, 0.3), (20.0, UPPER))), "ramp 'ramp': its profile begins at 0.3 m, level 'P1' is at 0 m"),
        (ramp(profile=((0.0, 0.0), (20.0, 9.0))), "ramp 'ramp': its profile ends at 9 m, level 'P2' is at 3 m"),
        (ramp(profile=((0.0, 0.0), (12.0, UPPER))), "ramp 'ramp': its profile is 12 m long, its polygon 20 m"),
        (ramp(polygon=shapely.Polygon(np.roll(POLYGON.exterior.coords[:4], -1, axis=0))), "polygon 4 m. Begin"),
        ({"lanes": (IN, UP, TOP, lane("x", (0, 15), (9, 15), oneway=False))}, "lane 'x': no way leads to another lane"),
        ({"lanes": (IN.model_copy(update={"to": ()}), UP, TOP)}, "lane 'in': no way leads to another lane"),
        ({"lanes": (IN, UP, TOP, *APART)}, "lanes 'm', 'n': no way leads between them and the other lanes"),
        ({"lanes": (IN, UP, TOP.model_copy(update={"oneway": True})), "gates": ()}, "lane 'top': it ends in nothing"),
        ({"gates": (OUT,)}, "lane 'in': nothing leads to it"),
        ({"gates": (*PLAN.gates, Gate(id="g", level="P1", line=shapely.LineString([(0, 1), (0, 4)]), direction="out"))},
         "gate 'g': no lane of level 'P1' goes out there"),
        ({"lanes": (IN, UP, lane("top", (34, 10), (38, 10), level="P2"))}, "goes on to lane 'top', which begins 4.0 m"),
        ({"lanes": (IN, UP, TOP, lane("back", (5, 15), (5, 10), to=("up",)))}, "lane 'back': no gate in leads to it"),
        ({"lanes": (IN_FORKED, UP, TOP, lane("end", (10, 10), (10, 4)))}, "lane 'end': it leads to no gate out"),
        ({"lanes": ()}, "level 'P2': its 3 stalls have no lane"),
    ],
)  # fmt: skip
def test_doubts_name_the_element_and_the_remedy(changes: dict[str, Any], message: str) -> None:
    found = [str(warning) for warning in plan_warnings(sound_plan(**changes))]
    assert any(message in text for text in found), found


@pytest.mark.parametrize("unit", ["mm", "cm", "in", "ft"])
def test_a_plan_in_another_unit_is_noticed(unit: str) -> None:
    fields: dict[str, Any] = {}
    factor = 1 / METRES[unit]
    for kind, field in (("levels", "outline"), ("stalls", "polygon")):
        fields[kind] = tuple(
            each.model_copy(update={field: affinity.scale(getattr(each, field), factor, factor, origin=(0, 0))})
            for each in getattr(PLAN, kind)
        )
    found = plan_warnings(FloorPlan(**fields))
    assert f"looks like {unit}" in found[0].what
    assert found[0].remedy == f"Read it with units='{unit}'."
    assert len(found) == 3  # the plan, and two levels without lanes


def test_sizes_of_stalls() -> None:
    turned = affinity.rotate(shapely.box(0, 0, 5, 2.5), 33)
    np.testing.assert_allclose(sides([turned]), [[2.5, 5.0]])
    assert sides([]).shape == (0, 2)
    assert looks_like(np.array([]), "m") is None
    assert looks_like(np.array([2.4, 2.5, 9.0]), "m") is None
    assert looks_like(np.array([8.5]), "m") == "ft"
    assert looks_like(np.array([8.5]), "ft") is None
    assert looks_like(np.array([1e9]), "m") is None
    assert not implausible_size("Motorcycle", 0.9, 2.2)
    assert implausible_size("standard", 0.9, 2.2)
