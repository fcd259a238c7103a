"""A plan of its own frame fitted to synthetic walls, pillars, cars and stall lines; and where plan and map disagree."""

from typing import Any

import numpy as np
import pycolmap
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geometry import (
    DegenerateError,
    FloorPlan,
    Floors,
    InputError,
    LevelSurface,
    RampSurface,
    fit_plan,
    fit_plan_to_control,
    plan_disagreements,
    transform_plan,
)
from geometry.floorplan import Level, Pillar, Ramp, Sign, Stall, Wall
from geometry.plan_evidence import plan_segments, structure_evidence
from geometry.plan_search import Channel, Placement, nearest, refined, rotation
from geometry.plan_transform import rigid_from_plane, scaled_plan
from geometry.plan_uncertainty import placement_covariance

Array = NDArray[np.float64]

WIDTH, DEPTH = 32.0, 20.0
WALL_POINTS = 1500
OUTLINE = shapely.box(0, 0, WIDTH, DEPTH)


def plan_of(*, symmetric: bool = False, walls: bool = True, levels: int = 1) -> FloorPlan:
    """Return a deck with walls around, pillars and two rows of stalls; a stair core breaks the symmetry."""
    floors = [Level(id=f"L{k}", elevation=3.0 * k, ceiling=2.8, outline=OUTLINE) for k in range(levels)]
    around = [(0, 0), (WIDTH, 0), (WIDTH, DEPTH), (0, DEPTH), (0, 0)]
    core = [(WIDTH - 6, 0), (WIDTH - 6, 5), (WIDTH, 5)]
    lines = [around] if symmetric else [around, core, [(10, DEPTH), (10, DEPTH - 6), (13, DEPTH - 6)]]
    return FloorPlan(
        levels=tuple(floors),
        walls=tuple(
            [Wall(level=f.id, line=shapely.LineString(xy), height=2.8) for f in floors for xy in lines if walls]
        ),
        pillars=tuple(
            [
                Pillar(id=f"{f.id}-{x}-{y}", level=f.id, polygon=shapely.box(x - 0.2, y - 0.2, x + 0.2, y + 0.2))
                for f in floors
                for x in (8, 16, 24)
                for y in (6, DEPTH - 6)
                if walls
            ]
        ),
        stalls=tuple(
            [
                Stall(id=f"{f.id}-s{k}{side}", level=f.id, polygon=shapely.box(x, y, x + 2.5, y + 5))
                for f in floors
                for k, x in enumerate(np.arange(3.5, 25.0, 2.5).tolist())
                for side, y in (("a", 0.5), ("b", DEPTH - 5.5))
            ]
        ),
    )


def floors_of(plan: FloorPlan) -> Floors:
    """Return the plan's levels as a map would find them."""
    surfaces = tuple(
        LevelSurface(
            name=level.id,
            area=OUTLINE,
            centre=np.array([WIDTH / 2, DEPTH / 2]),
            coefficients=np.array([level.elevation, 0.0, 0.0]),
            covariance=np.diag([1e-6, 1e-8, 1e-8]),
            unevenness=0.005,
            support=500,
        )
        for level in plan.levels
    )
    return Floors(levels=surfaces, camera_height=1.6, camera_height_sigma=0.01, hand_sigma=0.03)


def seen(plan: FloorPlan, rng: np.random.Generator, *, noise_m: float = 0.02, cars: int = 1500) -> Array:
    """Return landmarks (L, 3) on the faces of walls and pillars, and on cars in the stalls."""
    parts = []
    for level in plan.levels:
        segments = plan_segments(plan, level.id, "high")
        if len(segments):
            length = np.linalg.norm(segments[:, 1] - segments[:, 0], axis=1)
            face = rng.choice(len(segments), WALL_POINTS, p=length / length.sum())
            xy = segments[face, 0] + rng.random((WALL_POINTS, 1)) * (segments[face, 1] - segments[face, 0])
            parts.append(np.column_stack([xy, level.elevation + rng.uniform(0.1, 2.6, WALL_POINTS)]))
        stalls = [stall.polygon for stall in plan.stalls if stall.level == level.id]
        if stalls and cars:
            middle = shapely.get_coordinates(shapely.centroid(stalls))[rng.integers(len(stalls), size=cars)]
            xy = middle + rng.uniform(-1, 1, (cars, 2)) * (0.9, 2.1)
            parts.append(np.column_stack([xy, level.elevation + rng.uniform(0.1, 1.5, cars)]))
    points = np.vstack(parts) if parts else np.zeros((0, 3))
    return np.asarray(points + noise_m * rng.standard_normal(points.shape))


def stall_lines(plan: FloorPlan) -> dict[int, Array]:
    """Return the long sides of all stalls by level."""
    rings = {k: [s.polygon.exterior.coords for s in plan.stalls if s.level == f.id] for k, f in enumerate(plan.levels)}
    return {k: np.array([[ring[i], ring[i + 1]] for ring in own for i in (0, 2)]) for k, own in rings.items()}


def corner_errors(plan: FloorPlan, moved: FloorPlan) -> Array:
    a, b = (shapely.get_coordinates([stall.polygon for stall in p.stalls]) for p in (plan, moved))
    return np.asarray(np.linalg.norm(a - b, axis=1))


def moved_away(plan: FloorPlan, yaw: float = 2.2, shift: tuple[float, float, float] = (4.0, -7.0, 1.5)) -> FloorPlan:
    return transform_plan(plan, rigid_from_plane(yaw, shift[:2], shift[2]))


@settings(max_examples=3, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    yaw=st.floats(-np.pi, np.pi),
    shift=st.tuples(*[st.floats(-20, 20)] * 3),
)
def test_a_plan_is_found_from_anywhere(seed: int, yaw: float, shift: tuple[float, float, float]) -> None:
    plan = plan_of()
    fit = fit_plan(moved_away(plan, yaw, shift), floors_of(plan), seen(plan, np.random.default_rng(seed)))
    back = transform_plan(moved_away(plan, yaw, shift), fit.site_from_plan)
    assert np.median(corner_errors(plan, back)) < 0.03  # measured 0.003
    assert back.levels[0].elevation == pytest.approx(0.0, abs=1e-6)
    assert fit.levels == ((0, 0),)
    assert fit.scale == pytest.approx(1.0, abs=max(5 * fit.scale_sigma, 1e-3))
    assert fit.runner_up < fit.explained
    assert not fit.remarks


def test_a_clean_plan_is_exact() -> None:
    plan = plan_of()
    fit = fit_plan(moved_away(plan), floors_of(plan), seen(plan, np.random.default_rng(0), noise_m=1e-4, cars=0))
    assert corner_errors(plan, transform_plan(moved_away(plan), fit.site_from_plan)).max() < 1e-3  # measured 2e-4
    assert fit.explained > 0.95  # measured 0.98: points just above what low structure shows


def test_the_claimed_covariance_is_honest() -> None:
    plan = plan_of()
    squared = []
    for seed in range(12):
        landmarks = seen(plan, np.random.default_rng(seed), noise_m=0.03)
        channels = [
            Channel(points=part.points, weights=part.weights, segments=plan_segments(plan, "L0", part.kind))
            for part in structure_evidence(floors_of(plan), landmarks)
        ]
        found = refined(channels, 0.0, np.zeros(2), (0.3, 0.15, 0.15))
        covariance, centre, scale, scale_sigma = placement_covariance(channels, found)
        error = np.append(found.yaw, rotation(found.yaw) @ centre + found.shift - centre)
        squared.append(error @ np.linalg.solve(covariance, error) / 3)
        assert abs(scale - 1.0) < 5 * scale_sigma
    assert 0.2 < np.mean(squared) < 4.0  # measured 1.3, over the expectation 1


def test_two_levels_go_together_by_their_heights() -> None:
    plan = plan_of(levels=2)
    fit = fit_plan(moved_away(plan), floors_of(plan), seen(plan, np.random.default_rng(0)))
    assert fit.levels == ((0, 0), (1, 1))
    assert np.abs(fit.height_residuals_m).max() < 1e-9
    raised = list(moved_away(plan).levels)
    raised[1] = raised[1].model_copy(update={"elevation": raised[1].elevation + 0.6})
    other = fit_plan(
        moved_away(plan).model_copy(update={"levels": tuple(raised)}),
        floors_of(plan),
        seen(plan, np.random.default_rng(0)),
    )
    assert any("L1" in remark and "elevation" in remark for remark in other.remarks)


def test_one_of_two_equal_levels_is_refused_unless_named() -> None:
    plan = plan_of(levels=2)
    landmarks = seen(plan, np.random.default_rng(0))
    lower = landmarks[landmarks[:, 2] < 2.7]
    one = Floors(levels=floors_of(plan).levels[:1], camera_height=1.6, camera_height_sigma=0.01, hand_sigma=0.03)
    with pytest.raises(DegenerateError, match=r"more than one way.*other levels"):
        fit_plan(moved_away(plan), one, lower)
    fit = fit_plan(moved_away(plan), one, lower, level_names={0: "L1"})
    assert fit.levels == ((0, 1),)
    with pytest.raises(InputError, match="no level 'X'"):
        fit_plan(plan, one, lower, level_names={0: "X"})


def test_a_symmetric_plan_is_refused() -> None:
    plan = plan_of(symmetric=True)
    with pytest.raises(DegenerateError, match=r"more than one way: .* -?180 deg"):
        fit_plan(moved_away(plan), floors_of(plan), seen(plan, np.random.default_rng(0)))


def test_a_ramp_tells_the_halves_of_a_symmetric_plan_apart() -> None:
    plan = plan_of(symmetric=True, levels=2)
    values: dict[str, Any] = {"id": "r", "from": "L0", "to": "L1", "profile": ((0.0, 0.0), (16.0, 3.0))}
    values["polygon"] = shapely.Polygon([(24, 8), (24, 12), (8, 12), (8, 8)])
    plan = plan.model_copy(update={"ramps": (Ramp.model_validate(values),)})
    ramp = RampSurface(
        lower=0,
        upper=1,
        line=np.array([[24.0, 10.0], [8.0, 10.0]]),
        width=4.0,
        s=np.array([0.0, 16.0]),
        z=np.array([0.0, 3.0]),
        sigma=np.full(2, 0.01),
        support=9,
    )
    floors = floors_of(plan)
    with_ramp = Floors(
        levels=floors.levels, ramps=(ramp,), camera_height=1.6, camera_height_sigma=0.01, hand_sigma=0.03
    )
    landmarks = seen(plan, np.random.default_rng(0))
    with pytest.raises(DegenerateError, match="more than one way"):
        fit_plan(moved_away(plan), floors, landmarks)
    fit = fit_plan(moved_away(plan), with_ramp, landmarks)
    assert np.median(corner_errors(plan, transform_plan(moved_away(plan), fit.site_from_plan))) < 0.03


def test_a_plan_in_feet_is_refused_with_the_factor() -> None:
    plan = plan_of()
    with pytest.raises(InputError, match=r"in ft.*0\.3048"):
        fit_plan(scaled_plan(plan, 1 / 0.3048), floors_of(plan), seen(plan, np.random.default_rng(0)))


def test_another_sites_plan_is_refused() -> None:
    rng = np.random.default_rng(0)
    other = np.column_stack([rng.uniform(0, (WIDTH, DEPTH), (3000, 2)), rng.uniform(0, 2.6, 3000)])
    with pytest.raises((InputError, DegenerateError), match=r"no fit|more than one way"):
        fit_plan(plan_of(), floors_of(plan_of()), other)


def test_nothing_to_fit() -> None:
    plan = plan_of()
    with pytest.raises(DegenerateError, match="next to no walls"):
        fit_plan(plan, floors_of(plan), np.zeros((0, 3)))
    landmarks = seen(plan, np.random.default_rng(0))
    with pytest.raises(DegenerateError, match="next to no walls"):
        fit_plan(plan, floors_of(plan), landmarks, np.full((len(landmarks), 3, 3), np.nan))
    bare = FloorPlan(levels=plan.levels)
    with pytest.raises(DegenerateError, match="neither walls nor pillars"):
        fit_plan(bare, floors_of(plan), landmarks)
    with pytest.raises(InputError, match="stall lines"):
        fit_plan(plan, floors_of(plan), landmarks, stall_lines={0: np.zeros((3, 4))})


def test_stall_lines_alone_place_a_plan_without_walls() -> None:
    plan = plan_of(walls=False)
    bays = [3.5, 6.0, 8.5, 12.0, 14.5, 18.2, 20.7, 23.2, 25.7]  # pillars between them break the even spacing
    boxes = [shapely.box(x, y, x + 2.5, y + 5) for y in (0.5, 14.5) for x in bays if x > 0.6 * y]
    kept = plan.model_copy(
        update={"stalls": tuple(Stall(id=f"{k}", level="L0", polygon=box) for k, box in enumerate(boxes))}
    )
    lines = stall_lines(kept)
    lines[0] = lines[0] + 0.02 * np.random.default_rng(0).standard_normal(lines[0].shape)
    fit = fit_plan(moved_away(kept), floors_of(kept), np.zeros((0, 3)), stall_lines=lines)
    assert np.median(corner_errors(kept, transform_plan(moved_away(kept), fit.site_from_plan))) < 0.03  # measured 0.004


def test_the_jacobian_of_the_distance() -> None:
    plan, rng = plan_of(), np.random.default_rng(0)
    points = seen(plan, rng, noise_m=0.2)[:200, :2]
    channel = Channel(points=points, weights=np.ones(200), segments=plan_segments(plan, "L0", "high"))
    here = Placement(yaw=0.1, shift=np.array([0.3, -0.2]), explained=0.0)
    distance, outward = nearest(channel, here)
    step = 1e-6 * rotation(0.1).T @ np.array([1.0, 0.0])
    moved = Channel(points=points + np.array([1e-6, 0.0]), weights=np.ones(200), segments=channel.segments)
    difference = (nearest(moved, here)[0] - distance) / 1e-6
    close = (distance > 1e-3) & (distance < 1.0)
    wrong = np.abs(difference - outward @ step / 1e-6)[close] > 1e-3
    assert wrong.mean() < 0.05  # those at the border of two segments


def test_control_points() -> None:
    rng = np.random.default_rng(0)
    truth = rigid_from_plane(-2.0, (30.0, -5.0), 4.0)
    in_plan = np.column_stack([rng.uniform(0, 30, (5, 2)), np.zeros(5)])
    in_site = truth * in_plan
    fit = fit_plan_to_control(in_plan, in_site, 0.02)
    assert np.abs(fit.site_from_plan * in_plan - in_site).max() < 1e-9
    noisy = [fit_plan_to_control(in_plan, in_site + 0.02 * rng.standard_normal((5, 3)), 0.02) for _ in range(100)]
    corner = np.array([[15.0, 15.0, 0.0]])
    errors = np.vstack([found.site_from_plan * corner - truth * corner for found in noisy])
    claimed = np.mean([found.point_covariances(truth * corner)[0] for found in noisy], axis=0)
    assert np.diag(np.cov(errors.T)) == pytest.approx(np.diag(claimed), rel=0.5)
    with pytest.raises(InputError, match="in ft"):
        fit_plan_to_control(in_plan / 0.3048, in_site, 0.02)
    with pytest.raises(InputError, match=r"off by|times those"):
        fit_plan_to_control(in_plan * (-1, 1, 1), in_site, 0.02)
    with pytest.raises(DegenerateError, match="one place"):
        fit_plan_to_control(in_plan[:1], in_site[:1], 0.02)
    with pytest.raises(InputError, match="positive"):
        fit_plan_to_control(in_plan, in_site, np.nan)


def test_a_plan_moves_with_all_its_parts_and_back() -> None:
    sign = Sign(
        id="s", level="L0", position=shapely.Point(1, 2, 2.5), normal=(1.0, 0.0, 0.0), text="A", width=1, height=1
    )
    plan = plan_of(levels=2).model_copy(update={"signs": (sign,)})
    there = rigid_from_plane(np.pi / 2, (10.0, 0.0), 1.0)
    moved = transform_plan(plan, there)
    assert moved.signs[0].normal == pytest.approx((0.0, 1.0, 0.0))
    assert shapely.get_coordinates(moved.signs[0].position, include_z=True)[0] == pytest.approx((8.0, 1.0, 3.5))
    assert [level.elevation for level in moved.levels] == [1.0, 4.0]
    back = transform_plan(moved, there.inverse())
    assert corner_errors(plan, back).max() < 1e-9
    tilted = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([np.sin(0.1), 0, 0, np.cos(0.1)])), np.zeros(3))
    with pytest.raises(InputError, match="tilted"):
        transform_plan(plan, tilted)


def test_disagreements_of_plan_and_map() -> None:
    true = plan_of()
    rng = np.random.default_rng(0)
    landmarks = seen(true, rng, cars=500)
    x = np.tile(np.arange(3.0, 30.0, 1.5), 2)
    cameras = np.column_stack([x, np.repeat([8.0, 12.0], len(x) // 2), np.full(len(x), 1.6)])
    camera, landmark = np.meshgrid(np.arange(len(cameras)), np.arange(len(landmarks)), indexing="ij")
    gap = np.linalg.norm(cameras[camera.ravel(), :2] - landmarks[landmark.ravel(), :2], axis=1)
    sights = shapely.linestrings(np.stack([cameras[camera.ravel(), :2], landmarks[landmark.ravel(), :2]], axis=1))
    blocked = np.zeros(len(sights), dtype=bool)
    solid = shapely.union_all([wall.line.buffer(0.05) for wall in true.walls])
    blocked[gap >= 12] = True
    blocked[~blocked] = shapely.intersects(solid, shapely.line_interpolate_point(sights[~blocked], 0)) | (
        shapely.length(shapely.intersection(sights[~blocked], solid)) > 0.02
    )
    views, points = camera.ravel()[~blocked], landmark.ravel()[~blocked]

    def doubts(plan: FloorPlan) -> list[tuple[str, str]]:
        found = plan_disagreements(plan, floors_of(plan), landmarks, None, cameras, views, points)
        return [(doubt.kind, doubt.element) for doubt in found]

    assert doubts(true) == []
    wrong = true.model_copy(
        update={
            "walls": (*true.walls[:2], Wall(level="L0", line=shapely.LineString([(14, 10), (20, 10)]), height=2.5)),
            "pillars": (*true.pillars, Pillar(id="ghost", level="L0", polygon=shapely.box(12, 9.8, 12.4, 10.2))),
        }
    )
    found = doubts(wrong)
    assert ("seen through", "wall 2") in found
    assert ("not seen", "wall 2") in found
    assert ("not seen", "ghost") in found
    assert ("not planned", "") in found  # the wall at x = 10 that this plan lacks
    with pytest.raises(InputError, match="observations"):
        plan_disagreements(true, floors_of(true), landmarks, None, cameras, views, points[:-1])
