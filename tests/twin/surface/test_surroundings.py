"""What is around a place under the open sky: fronts and ground where landmarks are, and nothing elsewhere."""

import numpy as np
import pytest
import shapely

from geometry import FloorPlan
from geometry.floorplan import Level
from twin.surface.backdrop import backdrop_panels
from twin.surface.panels import Panel
from twin.surface.surroundings import FRONT, GROUND, surroundings

PLAN = FloorPlan(levels=(Level(id="L", elevation=1.0, outline=shapely.box(0, 0, 40, 30)),))
SIGMA_M = 0.1


def house(
    rng: np.random.Generator, start: tuple[float, float], end: tuple[float, float], top: float, count: int
) -> np.ndarray:
    """Return landmarks (count, 3) on an upright front."""
    along = rng.uniform(0, 1, (count, 1))
    xy = np.array(start) + along * (np.array(end) - start)
    return np.column_stack([xy, rng.uniform(1.0, top, count)])


def scene(rng: np.random.Generator, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Return landmarks and sigmas: two houses in the north, set back differently, one in the east, lawn, and strays."""
    points = np.vstack([
        house(rng, (0, 50), (15, 50), 11.0, 300),
        house(rng, (17, 51), (35, 51), 9.0, 300),
        house(rng, (60, 5), (60, 25), 13.0, 300),
        np.column_stack([rng.uniform(-5, 45, 400), rng.uniform(31, 48, 400), np.full(400, 1.1)]),
        np.column_stack([rng.uniform(1, 39, 400), rng.uniform(1, 29, 400), rng.uniform(1, 3, 400)]),
    ])  # fmt: skip
    points += noise * SIGMA_M * rng.standard_normal(points.shape)
    strays = rng.uniform((-80, -80, 1), (120, 120, 20), (60, 3))
    return np.vstack([points, strays]), np.full(len(points) + len(strays), SIGMA_M)


def ends(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Return the two ends (2,) of an upright panel on the ground."""
    return panel.origin[:2], (panel.origin + panel.size[0] * panel.axes[0])[:2]


@pytest.mark.parametrize(("noise", "off_m"), [(0.0, 0.001), (1.0, 0.05)])
def test_fronts_are_where_landmarks_are(noise: float, off_m: float) -> None:
    rng = np.random.default_rng(0)
    found = surroundings(PLAN, *scene(rng, noise), rng)
    fronts = [panel for panel in found if panel.kind == FRONT]
    assert len(fronts) == 3
    north = sorted((p for p in fronts if abs(p.normal[1]) > 0.9), key=lambda p: p.origin[0])
    east = next(p for p in fronts if abs(p.normal[0]) > 0.9)
    for panel, y, top in ((north[0], 50.0, 11.0), (north[1], 51.0, 9.0)):
        assert max(abs(end[1] - y) for end in ends(panel)) < off_m  # measured with noise: 0.026 m
        assert panel.normal[1] < -0.99  # towards the site
        assert panel.origin[2] == pytest.approx(top, abs=0.5)
    assert max(abs(end[0] - 60.0) for end in ends(east)) < off_m
    assert east.normal[0] < -0.99


def test_ground_goes_on_to_what_stands_on_it() -> None:
    rng = np.random.default_rng(0)
    ground = [panel for panel in surroundings(PLAN, *scene(rng, 0.3), rng) if panel.kind == GROUND]
    assert len(ground) == 1
    assert ground[0].origin[2] == pytest.approx(1.1, abs=0.02)
    east = shapely.Point(50.0 - ground[0].origin[0], ground[0].origin[1] - 15.0)  # before the eastern house
    far = shapely.Point(-40.0 - ground[0].origin[0], ground[0].origin[1] + 40.0)
    inside = shapely.Point(20.0 - ground[0].origin[0], ground[0].origin[1] - 15.0)  # the plan's own
    assert ground[0].area.contains(east)
    assert not ground[0].area.contains(far)
    assert not ground[0].area.contains(inside)


def test_under_a_roof_and_without_landmarks_nothing_is_around() -> None:
    rng = np.random.default_rng(0)
    covered = FloorPlan(levels=(PLAN.levels[0].model_copy(update={"ceiling": 2.6}),))
    assert surroundings(covered, *scene(rng, 0.0), rng) == []
    assert surroundings(PLAN, np.zeros((0, 3)), np.zeros(0), rng) == []
    one_place = np.tile([50.0, 50.0, 5.0], (200, 1))
    assert surroundings(PLAN, one_place, np.full(200, 0.1), rng) == []
    unknown = np.full((50, 3), np.nan)
    assert surroundings(PLAN, unknown, np.full(50, 0.1), rng) == []


def test_scattered_landmarks_are_no_front() -> None:
    rng = np.random.default_rng(1)
    strays = rng.uniform((-80, 40, 1), (120, 120, 20), (400, 3))
    assert [p for p in surroundings(PLAN, strays, np.full(400, 0.1), rng) if p.kind == FRONT] == []


def test_the_backdrop_is_behind_what_is_known() -> None:
    rng = np.random.default_rng(0)
    points, sigmas = scene(rng, 0.3)
    around = surroundings(PLAN, points, sigmas, rng)
    box = [panel for panel in backdrop_panels(PLAN, points, around) if abs(panel.normal[2]) < 0.5]
    for front in (panel for panel in around if panel.kind == FRONT):
        for corner in ends(front):
            assert min((corner - panel.origin[:2]) @ panel.normal[:2] for panel in box) > 0.5
    floor = next(panel for panel in backdrop_panels(PLAN, points, around) if panel.normal[2] > 0.5)
    alone = next(panel for panel in backdrop_panels(PLAN, points) if panel.normal[2] > 0.5)
    assert not floor.area.contains(shapely.Point(50.0 - floor.origin[0], floor.origin[1] - 15.0))
    assert alone.area.contains(shapely.Point(50.0 - alone.origin[0], alone.origin[1] - 15.0))
