"""A plan of its own frame, brought into site by control points that both have."""

from pathlib import Path

import numpy as np
import pytest
import shapely
from click.testing import CliRunner

from geometry import ControlPoints, DegenerateError, FloorPlan, InputError, transform_plan
from geometry.floorplan import Level
from geometry.plan_transform import rigid_from_plane
from twin.commands.map import command
from twin.mapping.plan_control import plan_by_control

PLAN = FloorPlan(levels=(Level(id="P1", elevation=0.0, ceiling=2.8, outline=shapely.box(0, 0, 40, 30)),))
SITE_FROM_PLAN = rigid_from_plane(0.7, np.array([12.0, -3.0]), 1.5)
IN_PLAN = np.array([[0.0, 0, 0], [40, 0, 0], [40, 30, 0], [0, 30, 0]])


def control(names: str, positions: np.ndarray, sigma_m: float = 0.01) -> ControlPoints:
    return ControlPoints(names=tuple(names), positions=positions, sigma_m=np.full(len(names), sigma_m))


def test_named_points_bring_a_plan_into_site() -> None:
    rng = np.random.default_rng(0)
    site = control("dcba", (SITE_FROM_PLAN * IN_PLAN)[::-1] + 0.005 * rng.standard_normal((4, 3)))
    plan, fit = plan_by_control(PLAN, control("abc", IN_PLAN[:3]), site)
    expected = transform_plan(PLAN, SITE_FROM_PLAN)
    off = shapely.hausdorff_distance(plan.levels[0].outline, expected.levels[0].outline)
    assert off < 0.02  # measured 0.009 m
    assert plan.levels[0].elevation == pytest.approx(1.5, abs=0.01)
    assert np.sqrt(fit.covariance[1, 1]) == pytest.approx(np.hypot(0.01, 0.01) / np.sqrt(3))


@pytest.mark.parametrize(
    ("names", "shift", "error", "says"),
    [
        ("abx", 0.0, InputError, "control point 'x' of the plan"),
        ("a", 0.0, DegenerateError, "heading open"),
        ("acb", 0.0, InputError, "a, c, b"),
        ("abc", 3.0, InputError, "a, b, c"),
    ],
)
def test_wrong_points_are_named(names: str, shift: float, error: type[Exception], says: str) -> None:
    site = control("abcd", SITE_FROM_PLAN * IN_PLAN)
    points = IN_PLAN[: len(names)].copy()
    points[0] += shift
    with pytest.raises(error, match=says):
        plan_by_control(PLAN, control(names, points), site)


def test_the_command_says_what_belongs_together(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("plan.json", "control.csv"):
        (tmp_path / name).write_text("x")
    given = [str(tmp_path / "photos"), "--out", str(tmp_path / "twin"), "--plan-control"]
    run = CliRunner().invoke(command, [*given, str(tmp_path / "control.csv")])
    assert run.exit_code == 2
    assert "need --plan" in run.output
    run = CliRunner().invoke(command, [*given, str(tmp_path / "control.csv"), "--plan", str(tmp_path / "plan.json")])
    assert run.exit_code == 2
    assert "needs --control" in run.output
