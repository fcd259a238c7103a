"""Levels, floors and ramps of a synthetic garage: clean, noisy, and where little is known."""

import numpy as np
import pycolmap
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from geometry import (
    DegenerateError,
    FloorOptions,
    FloorPlan,
    Floors,
    InputError,
    find_floors,
    floor_height,
    level_probability,
    plan_levels,
    rename_levels,
    up_from_cameras,
    upright_from_map,
    with_datum,
    with_plan,
)
from geometry.floor_plans import height_disagreements
from geometry.floorplan import Level
from tests.geometry.garage_points import DEPTH, FOOT, HEAD, LENGTH, RAMP_Y, RISE, Garage, floor, garage, ramp

SURE = 0.01**2 * np.eye(3)


def found(place: Garage, **options: object) -> Floors:
    return find_floors(
        place.cameras,
        place.landmarks,
        place.covariances,
        FloorOptions(**options) if options else None,  # type: ignore[arg-type]
        seen_from=place.seen_from,
    )


def level_errors(floors: Floors, level: int) -> tuple[np.ndarray, np.ndarray]:
    xy = np.random.default_rng(1).uniform((1, 1), (LENGTH - 1, DEPTH - 1), (1000, 2))
    heights, sigmas = floors.levels[level].height(xy)
    return np.abs(heights - floor(xy, level)), sigmas


def ramp_errors(floors: Floors) -> tuple[np.ndarray, np.ndarray]:
    xy = np.random.default_rng(2).uniform((HEAD, RAMP_Y[0]), (FOOT, RAMP_Y[1]), (1000, 2))
    heights, sigmas = floors.ramps[0].height(xy)
    return np.abs(heights - ramp(xy)), sigmas


@pytest.fixture(scope="module")
def floors() -> Floors:
    return found(garage(np.random.default_rng(0)))


def test_clean_floors_are_exact() -> None:
    floors = found(garage(np.random.default_rng(0), noise_m=1e-4, hand_m=1e-3, cars=0))
    assert [level.name for level in floors.levels] == ["P1", "P2"]
    assert max(level_errors(floors, level)[0].max() for level in (0, 1)) < 1e-3  # measured 0.0004
    assert floors.levels[1].coefficients[1:] == pytest.approx((0.01, -0.005), abs=1e-4)
    assert floors.camera_height == pytest.approx(1.6, abs=2e-3)  # measured 1.5999
    assert len(floors.ramps) == 1
    assert (floors.ramps[0].lower, floors.ramps[0].upper) == (0, 1)
    # The ramp's own cross fall, which a profile has not: up to 1.5 cm at its upper edges.
    assert np.percentile(ramp_errors(floors)[0], 95) < 0.02  # measured 0.012


def test_noisy_floors_with_many_cars() -> None:
    floors = found(garage(np.random.default_rng(0), noise_m=0.03, hand_m=0.05, cars=20_000))
    assert len(floors.levels) == 2
    assert len(floors.ramps) == 1
    errors = np.concatenate([level_errors(floors, level)[0] for level in (0, 1)])
    sigmas = np.concatenate([level_errors(floors, level)[1] for level in (0, 1)])
    assert 1e-4 < np.median(errors) < 0.01
    assert np.percentile(errors, 95) < 0.03
    assert 0.1 < np.mean((errors / sigmas) ** 2) < 4  # measured 1
    errors, sigmas = ramp_errors(floors)
    assert np.percentile(errors, 95) < 0.05  # measured 0.014
    assert np.mean((errors / sigmas) ** 2) < 4  # measured 0.6
    assert floors.hand_sigma == pytest.approx(0.05, abs=0.015)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), angle=st.floats(-np.pi, np.pi), shift=st.floats(-100, 100))
def test_floors_do_not_depend_on_the_frame(seed: int, angle: float, shift: float) -> None:
    place = garage(np.random.default_rng(seed), floor_points=600, cars=1500)
    turn = Rotation.from_rotvec([0, 0, angle])
    moved = find_floors(
        turn.apply(place.cameras) + shift,
        turn.apply(place.landmarks) + shift,
        place.covariances,
        seen_from=place.seen_from + shift,
    )
    xy = np.random.default_rng(1).uniform((2, 2), (LENGTH - 2, DEPTH - 2), (200, 2))
    there = turn.apply(np.column_stack([xy, np.zeros(len(xy))]))[:, :2] + shift
    assert len(moved.levels) == 2
    assert len(moved.ramps) == 1
    for level in (0, 1):
        heights = moved.levels[level].height(there)[0] - shift
        assert np.abs(heights - floor(xy, level)).max() < 0.02  # measured 0.008


def test_a_ceiling_seen_from_below_is_no_floor() -> None:
    place = garage(np.random.default_rng(0), floor_points=0)
    floors = found(place)
    assert all(level.support == 0 for level in floors.levels)
    assert floors.camera_height_sigma > 0.3
    assert len(floors.warnings) == 2
    for level in (0, 1):
        errors, sigmas = level_errors(floors, level)
        assert np.all(errors < 3 * sigmas)  # 0.1 m off, and says 0.35 m
    known = found(place, camera_height=(1.6, 0.01))
    assert max(level_errors(known, level)[0].max() for level in (0, 1)) < 0.08  # measured 0.03
    assert known.levels[0].elevation == pytest.approx(0.0, abs=0.03)


def test_one_level_without_floor_points_gets_the_height_from_the_other() -> None:
    place = garage(np.random.default_rng(0))
    upper_floor = place.on_floor & (np.abs(place.landmarks[:, 2] - RISE) < 0.5)
    covariances = place.covariances.copy()
    covariances[upper_floor] = np.nan
    floors = find_floors(place.cameras, place.landmarks, covariances, seen_from=place.seen_from)
    assert floors.levels[1].support == 0
    assert floors.levels[0].support > 500
    error = floors.levels[1].elevation - float(floor(floors.levels[1].centre[None], 1)[0])
    assert abs(error) < 3 * floors.levels[1].elevation_sigma <= 0.1  # measured 0.002 and 0.09


def test_all_covariances_nan() -> None:
    place = garage(np.random.default_rng(0), floor_points=200, cars=0)
    floors = find_floors(place.cameras, place.landmarks, np.full_like(place.covariances, np.nan))
    assert len(floors.levels) == 2
    assert all(level.support == 0 for level in floors.levels)


def test_one_level_only_and_a_path_that_is_a_line() -> None:
    rng = np.random.default_rng(0)
    x = np.arange(0, 30, 1.0)
    cameras = np.column_stack([x, np.zeros_like(x), 1.5 + 0.02 * rng.standard_normal(len(x))])
    ground = np.column_stack([rng.uniform(0, 30, 400), rng.uniform(-3, 3, 400), np.zeros(400)])
    floors = find_floors(cameras, ground + 0.005 * rng.standard_normal(ground.shape), np.tile(SURE, (400, 1, 1)))
    assert len(floors.levels) == 1
    assert not floors.ramps
    assert floors.levels[0].elevation == pytest.approx(0.0, abs=0.005)
    # Far to the side nobody has been: the height's sigma says so.
    near, far = floors.levels[0].height([[15.0, 0.0], [15.0, 40.0]])[1]
    assert far > 0.2 > 20 * near


def test_a_bent_map_is_warned_of() -> None:
    place = garage(np.random.default_rng(0), floor_points=600, cars=0)

    def bent(points: np.ndarray) -> np.ndarray:
        """Lift what lies beyond x = 25 m on the lower level by up to 0.6 m."""
        lift = np.where(points[:, 2] < 2.5, 0.06 * np.clip(points[:, 0] - 25.0, 0.0, 10.0), 0.0)
        return np.asarray(points + np.column_stack([0 * lift, 0 * lift, lift]))

    landmarks = bent(place.landmarks)
    seen_from = place.seen_from + landmarks[:, 2] - place.landmarks[:, 2]
    floors = find_floors(bent(place.cameras), landmarks, place.covariances, seen_from=seen_from)
    assert any("P1" in warning and "bent" in warning for warning in floors.warnings)
    assert not any("P2" in warning for warning in floors.warnings)
    assert not found(place).warnings


@pytest.mark.parametrize("cameras", [np.zeros((0, 3)), np.zeros((1, 3)), np.zeros((9, 3)), np.full((9, 3), np.nan)])
def test_too_few_cameras_are_refused(cameras: np.ndarray) -> None:
    with pytest.raises(DegenerateError, match="do not show a level"):
        find_floors(cameras, np.zeros((0, 3)))


def test_malformed_input_is_refused() -> None:
    with pytest.raises(InputError, match="expected cameras"):
        find_floors(np.zeros((3, 2)), np.zeros((0, 3)))
    with pytest.raises(InputError, match="expected covariances"):
        find_floors(np.zeros((3, 3)), np.zeros((2, 3)), np.zeros((3, 3, 3)))
    with pytest.raises(InputError, match="3 names for 2 levels"):
        found(garage(np.random.default_rng(0), floor_points=100, cars=0), names=("a", "b", "c"))


def test_a_curved_ramp() -> None:
    rng = np.random.default_rng(0)
    angle = np.linspace(0, np.pi, 30)
    bend = np.column_stack([20 + 9 * np.sin(angle), 9 - 9 * np.cos(angle), 3.0 * angle / np.pi])
    x = np.arange(-10.0, 20.0, 1.0)
    lower = np.column_stack([x, 0 * x, 0 * x])
    upper = np.column_stack([x[::-1], 0 * x + 18, 0 * x + 3.0])
    aside = rng.uniform(-2.0, 2.0, (1200, 1))
    at = rng.uniform(0, np.pi, 1200)
    surface = np.column_stack(
        [20 + (9 + aside[:, 0]) * np.sin(at), 9 - (9 + aside[:, 0]) * np.cos(at), 3.0 * at / np.pi]
    )
    flats = [
        np.column_stack([rng.uniform(-10, 20, 600), y + rng.uniform(-3, 3, 600), z + np.zeros(600)])
        for y, z in ((0, 0.0), (18, 3.0))
    ]
    cameras = np.vstack([lower, bend, upper]) + (0, 0, 1.6) + 0.02 * rng.standard_normal((90, 1)) * (0, 0, 1)
    points = np.vstack([surface, *flats]) + 0.01 * rng.standard_normal((2400, 3))
    floors = find_floors(cameras, points, np.tile(SURE, (2400, 1, 1)))
    assert len(floors.levels) == 2
    assert len(floors.ramps) == 1
    inner = (at > 0.3) & (at < np.pi - 0.3) & (np.abs(aside[:, 0]) < 1.5)
    heights, _ = floors.ramps[0].height(surface[inner, :2])
    assert np.percentile(np.abs(heights - surface[inner, 2]), 95) < 0.05  # measured 0.03
    _, ramps = plan_levels(floors)
    assert len(ramps) >= 3
    assert ramps[0].profile[0][0] == 0


def test_levels_and_ramps_of_a_plan_out_of_the_map(floors: Floors) -> None:
    levels, ramps = plan_levels(floors, ceiling=2.9)
    plan = FloorPlan(levels=levels, ramps=ramps)
    assert [level.id for level in plan.levels] == ["P1", "P2"]
    assert plan.levels[1].elevation == pytest.approx(floors.levels[1].elevation, abs=1e-4)
    assert plan.levels[0].outline.area > 0.7 * LENGTH * DEPTH
    xy = np.random.default_rng(2).uniform((HEAD + 1, RAMP_Y[0] + 1), (FOOT - 1, RAMP_Y[1] - 1), (200, 2))
    assert np.abs(floor_height(plan, xy, 0) - floors.height(xy, 0)[0]).max() < 0.01  # measured 0.001


def test_level_of_a_position_is_sure_on_floors_and_not_on_a_ramp(floors: Floors) -> None:
    positions = np.array(
        [[5.0, 7.0, 1.6], [5.0, 7.0, 1.6 + RISE], [20.0, 15.0, 1.6 + 1.6], [200.0, 7.0, 1.0], [np.nan] * 3]
    )
    sharp = level_probability(floors, positions, np.tile(SURE, (5, 1, 1)))
    assert sharp[0] == pytest.approx([1, 0])
    assert sharp[1] == pytest.approx([0, 1])
    assert sharp[3] == pytest.approx([0, 0])
    assert sharp[4] == pytest.approx([0, 0])
    # Half-way up a ramp the level changes: a metre of uncertainty makes it a coin's toss.
    wide = level_probability(floors, positions[2:3], np.diag([1.0, 1.0, 0.1])[None])[0]
    assert wide.sum() == pytest.approx(1.0, abs=0.02)
    assert 0.25 < wide[0] < 0.75
    # The same far up the ramp is the upper level.
    assert level_probability(floors, [[10.0, 15.0, 4.5]], np.diag([1.0, 1.0, 0.1])[None])[0, 1] > 0.95
    # Vertical uncertainty of a storey leaves the level open on a flat floor as well.
    assert level_probability(floors, [[5.0, 7.0, 1.6 + RISE / 2]], np.diag([0, 0, 9.0])[None])[0].max() < 0.8
    with pytest.raises(InputError, match="covariances"):
        level_probability(floors, positions, SURE)


def test_level_probability_is_calibrated(floors: Floors) -> None:
    rng = np.random.default_rng(5)
    true = np.column_stack([rng.uniform(HEAD, FOOT, 400), rng.uniform(13, 17, 400)])
    z = ramp(true) + rng.uniform(0.3, 2.0, 400)
    on_upper = ramp(true) > RISE / 2
    covariance = np.diag([1.5, 1.5, 0.2]) ** 2
    seen = np.column_stack([true, z]) + rng.multivariate_normal(np.zeros(3), covariance, 400)
    upper = level_probability(floors, seen, np.tile(covariance, (400, 1, 1)))[:, 1]
    brier = np.mean((upper - on_upper) ** 2)
    assert brier < 0.09  # measured 0.05; 0.25 is ignorance
    unsure = (upper > 0.2) & (upper < 0.8)
    assert on_upper[unsure].mean() == pytest.approx(upper[unsure].mean(), abs=0.2)


def test_a_plan_names_levels_and_its_heights_are_evidence(floors: Floors) -> None:
    outline = shapely.box(0, 0, LENGTH, DEPTH)
    true = float(floor(floors.levels[1].centre[None], 1)[0])
    plan = FloorPlan(
        levels=(
            Level(id="UG", elevation=0.0, outline=outline),
            Level(id="EG", elevation=true + 0.5, outline=outline),
            Level(id="OG", elevation=7.0, outline=outline),
        )
    )
    named, checks = with_plan(floors, plan, 0.02)
    assert [level.name for level in named.levels] == ["UG", "EG"]
    assert [check.agrees for check in checks] == [True, False]
    assert named.levels[0].elevation_sigma <= floors.levels[0].elevation_sigma
    assert abs(named.levels[0].elevation) <= abs(floors.levels[0].elevation)
    assert named.levels[1].elevation == floors.levels[1].elevation  # a plan that disagrees changes nothing
    words = height_disagreements(checks, named, plan)
    assert len(words) == 2
    assert "EG" in words[0]
    assert "OG" in words[1]
    assert "not seen" in words[1]
    with pytest.raises(InputError, match="positive"):
        with_plan(floors, plan, 0.0)


def test_names_can_be_given(floors: Floors) -> None:
    assert [level.name for level in rename_levels(floors, ("B", "A")).levels] == ["B", "A"]
    with pytest.raises(InputError, match="names"):
        rename_levels(floors, ("A", "A"))
    with pytest.raises(InputError, match="no level 2"):
        floors.height([[0.0, 0.0]], 2)


def test_the_frames_uncertainty_is_common_to_all_floors(floors: Floors) -> None:
    covariance = np.diag([0.0, 0.01**2, 0.01**2, 0.0, 0.0, 0.0, 0.05**2])
    with_frame = with_datum(floors, covariance, [20.0, 15.0, 0.0])
    xy = np.array([[20.0, 15.0], [20.0, 25.0]])
    before, after = floors.levels[0].height(xy)[1], with_frame.levels[0].height(xy)[1]
    assert after**2 - before**2 == pytest.approx([0.05**2, 0.05**2 + 0.1**2], rel=1e-3)
    assert (with_frame.ramps[0].sigma > 0.05).all()


def test_up_from_how_people_hold_cameras() -> None:
    rng = np.random.default_rng(3)
    map_from_site = Rotation.random(random_state=4)
    yaw, pitch, roll = rng.uniform(0, 2 * np.pi, 80), rng.normal(-0.1, 0.1, 80), rng.normal(0, 0.02, 80)
    roll[:4] = np.pi / 2  # some portrait pictures
    level = Rotation.from_matrix([[1, 0, 0], [0, 0, -1], [0, 1, 0]])  # looks along +y, upright
    cam_from_site = (
        Rotation.from_euler("zxy", np.column_stack([roll, pitch, 0 * yaw]))
        * level
        * Rotation.from_euler("z", yaw[:, None])
    )
    cam_from_map = (cam_from_site * map_from_site.inv()).as_matrix()
    up, sigma = up_from_cameras(cam_from_map)
    error = np.arccos(np.clip(up @ map_from_site.apply([0, 0, 1.0]), -1, 1))
    assert error < 4 * sigma
    assert sigma < 0.01
    rotated = upright_from_map(up) * pycolmap.Rigid3d(pycolmap.Rotation3d(), np.zeros(3))
    assert rotated.matrix()[:3, :3] @ up == pytest.approx([0, 0, 1])


def test_up_is_open_where_all_cameras_look_the_same_way() -> None:
    with pytest.raises(DegenerateError, match="same way"):
        up_from_cameras(np.tile(np.eye(3), (5, 1, 1)))
    with pytest.raises(DegenerateError):
        up_from_cameras(np.zeros((0, 3, 3)))
    with pytest.raises(InputError):
        up_from_cameras(np.full((5, 3, 3), np.nan))
