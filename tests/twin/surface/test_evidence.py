import numpy as np
import shapely
from numpy.typing import NDArray

from geometry.floorplan import Exclusion, Wall
from tests.twin.surface.rooms import DEPTH, HEIGHT, WIDTH, room
from twin.surface.clutter import clutter_of, exclusion_heights
from twin.surface.evidence import Evidence, Rays, cut_by_evidence
from twin.surface.extrusion import extrude

ACROSS = Wall(level="A", line=shapely.LineString([(4.0, 0.0), (4.0, DEPTH)]), height=HEIGHT)
SIGMA = 0.01


def cameras(count: int = 8) -> NDArray[np.float64]:
    return np.column_stack([np.full(count, 1.5), np.linspace(1.0, 5.0, count), np.full(count, 1.5)])


def rays(points: NDArray[np.float64], *, noise: float = 0.0, sigma: float = SIGMA) -> Rays:
    """Every camera sees every point."""
    points = points + np.random.default_rng(0).normal(0, 1, points.shape) * noise
    centres = cameras()
    landmark, view = (grid.ravel() for grid in np.mgrid[: len(points), : len(centres)])
    return Rays(
        centres=centres[view],
        points=points[landmark],
        sigmas=np.full(len(view), sigma),
        landmark=landmark,
        view=view,
    )


def on_far_wall(count: int, low: float = 0.3, high: float = DEPTH - 0.3) -> NDArray[np.float64]:
    rng = np.random.default_rng(1)
    return np.column_stack([np.full(count, WIDTH), rng.uniform(low, high, count), rng.uniform(0.3, 2.7, count)])


def on_wall_across(count: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(2)
    return np.column_stack([np.full(count, 3.9), rng.uniform(0.3, 5.7, count), rng.uniform(0.3, 2.7, count)])


def judged(evidence: list[Evidence]) -> dict[str, Evidence]:
    return {each.element: each for each in evidence}


def test_a_wall_that_the_map_looks_through_is_removed_by_name() -> None:
    panels = extrude(room(walls=(ACROSS,)))
    for noise in (0.0, 0.02):
        kept, evidence = cut_by_evidence(panels, rays(on_far_wall(400), noise=noise))
        found = judged(evidence)
        assert found["A/wall 1"].status == "removed"
        assert not any(panel.element == "A/wall 1" for panel in kept)
        assert found["A/wall 0"].status == "confirmed"
        assert found["A/wall 0"].support > 300
        assert found["A/ceiling"].status == "unseen"
        left = sum(p.area.area for p in kept if p.element == "A/wall 0")
        assert left == sum(p.area.area for p in panels if p.element == "A/wall 0")


def test_a_door_that_is_not_in_the_plan_becomes_an_opening() -> None:
    seen = np.vstack([on_far_wall(300, 2.5, 3.5), on_wall_across(400)])
    seen = seen[~((seen[:, 0] < 4) & (np.abs(seen[:, 1] - 3) < 0.8))]
    _, evidence = cut_by_evidence(extrude(room(walls=(ACROSS,))), rays(seen))
    wall = judged(evidence)["A/wall 1"]
    assert wall.status == "opened"
    assert wall.support > 100
    assert 2.0 < wall.removed_m2 < 12.0  # both faces together; measured 6.0


def test_a_wall_that_is_there_stays_despite_wrong_landmarks() -> None:
    seen = np.vstack([on_wall_across(300), on_far_wall(3)])
    kept, evidence = cut_by_evidence(extrude(room(walls=(ACROSS,))), rays(seen))
    wall = judged(evidence)["A/wall 1"]
    assert wall.status == "confirmed"
    assert wall.removed_m2 == 0
    assert wall.contradicted == 3
    assert len(kept) == len(extrude(room(walls=(ACROSS,))))


def test_what_a_floor_mirrors_does_not_open_it() -> None:
    mirrored = on_far_wall(300) * [0.5, 1.0, -1.0]
    panels = extrude(room())
    kept, evidence = cut_by_evidence(panels, rays(mirrored))
    floor = judged(evidence)["A/floor"]
    assert floor.contradicted > 100
    assert floor.removed_m2 == 0
    assert len(kept) == len(panels)


def test_uncertain_landmarks_contradict_nothing() -> None:
    _, evidence = cut_by_evidence(extrude(room(walls=(ACROSS,))), rays(on_far_wall(400), sigma=2.0))
    assert judged(evidence)["A/wall 1"].contradicted == 0


def test_without_rays_nothing_is_cut() -> None:
    panels = extrude(room(walls=(ACROSS,)))
    kept, evidence = cut_by_evidence(panels, rays(np.zeros((0, 3))))
    assert len(kept) == len(panels)
    assert {each.status for each in evidence} == {"unseen"}
    assert cut_by_evidence([], rays(np.zeros((0, 3)))) == ([], [])


def test_landmarks_in_the_air_are_clutter_and_those_on_floors_are_not() -> None:
    plan = room()
    rng = np.random.default_rng(3)
    floor = np.column_stack([rng.uniform(0.5, 7.5, 200), rng.uniform(0.5, 5.5, 200), rng.normal(0, 0.01, 200)])
    car = rng.uniform([3.0, 2.0, 0.3], [5.0, 3.5, 1.4], (60, 3))
    boxes = clutter_of(plan, np.vstack([floor, car]), np.concatenate([np.abs(floor[:, 2]), np.full(60, 0.5)]))
    assert (boxes.low[:, 0] > 2.5).all()
    assert (boxes.high[:, 0] < 5.5).all()
    assert (boxes.low[:, 2] == 0).all()
    covered = (boxes.high - boxes.low)[:, :2].prod(axis=1).sum()
    assert 0.7 * 3.0 < covered < 1.4 * 3.0  # of 2 x 1.5 m; measured 3.0
    vertices, triangles = boxes.mesh()
    assert vertices.shape == (8 * len(boxes.low), 3)
    assert triangles.max() < len(vertices)
    assert len(clutter_of(plan, np.zeros((0, 3)), np.zeros(0)).low) == 0


def test_exclusions_are_as_high_as_their_landmarks() -> None:
    plan = room(exclusions=(Exclusion(id="crate", level="A", polygon=shapely.box(3, 2, 5, 3)),))
    crate = np.random.default_rng(4).uniform([3, 2, 0], [5, 3, 0.9], (200, 3))
    assert 0.8 < exclusion_heights(plan, crate)["crate"] <= 0.9
    assert exclusion_heights(plan, crate[:3]) == {}
    assert exclusion_heights(plan, np.zeros((0, 3))) == {}
