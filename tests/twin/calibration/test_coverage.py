"""What cameras cover of a floor with a wall on it: areas, blind spots, overlaps; by the command too."""

import json
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import shapely
from click.testing import CliRunner

from geometry import FixedCamera, FloorPlan, InputError, camera_from_params, write_cameras_json, write_plan
from geometry.floorplan import Level, Stall, Wall
from twin.calibration.coverage import coverage
from twin.calibration.coverage_picture import save_coverage
from twin.cli import tiepoint

LENS = camera_from_params("PINHOLE", 640, 480, [320.0, 320.0, 320.0, 240.0])


def plan() -> FloorPlan:
    """A floor of 20 x 10 m with a wall across its middle, 3 m high, and a stall at each end."""
    stalls = [
        Stall(id=f"s{k}", level="P1", polygon=shapely.box(x, 4, x + 2.5, 9)) for k, x in enumerate((1.0, 16.0), start=1)
    ]
    return FloorPlan(
        levels=(Level(id="P1", elevation=0.0, ceiling=3.2, outline=shapely.box(0, 0, 20, 10)),),
        stalls=tuple(stalls),
        walls=(Wall(level="P1", line=shapely.LineString([(10, 0), (10, 10)]), height=3.0),),
    )


def camera(id: str, x: float, y: float, height: float = 3.0) -> FixedCamera:
    """A camera that looks straight down: 320 px of focal length over its height, 2 h wide and 1.5 h high."""
    rotation = np.diag([1.0, -1.0, -1.0])
    pose = pycolmap.Rigid3d(np.column_stack([rotation, -rotation @ [x, y, height]]))
    return FixedCamera.of(id, LENS, pose, level="P1")


def test_areas_are_those_of_the_picture_on_the_floor() -> None:
    found = coverage(plan(), [camera("a", 4.0, 5.0)], cell_m=0.1)
    row = found.rows()[0]
    assert row["area_m2"] == pytest.approx(6.0 * 4.5, rel=0.03)
    assert row["px_per_m"] == pytest.approx(320 / 3, rel=1e-3)
    assert row["overlaps_m2"] == {}
    assert found.levels()[0]["seen"] == pytest.approx(27 / 200, rel=0.04)
    assert found.levels()[0]["blind_stalls"] == ["s2"]


def test_walls_hide_and_neighbours_overlap() -> None:
    cameras = [camera("a", 9.0, 5.0), camera("b", 7.0, 5.0), camera("c", 15.0, 5.0)]
    found = coverage(plan(), cameras, cell_m=0.1)
    seen = found.points[found.seen[0]]
    assert seen[:, 0].max() < 10.0  # the other side of the wall is hidden
    assert seen[:, 0].min() == pytest.approx(6.05, abs=0.06)
    overlap = found.rows()[0]["overlaps_m2"]
    assert set(overlap) == {"b"}
    assert overlap["b"] == pytest.approx(4.0 * 4.5, rel=0.05)
    graph = found.graph()
    assert set(graph.nodes) == {"a", "b", "c"}
    assert set(graph.edges) == {("a", "b")}
    blind = found.blind_spots(0)
    assert sum(part.area for part in blind) == pytest.approx(200 * (1 - found.levels()[0]["seen"]), rel=0.02)


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="no cameras"):
        coverage(plan(), [])
    with pytest.raises(InputError, match="larger cell"):
        coverage(plan(), [camera("a", 4, 5)], cell_m=0.005)


def test_the_command_draws_and_tells(tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.json", plan())
    write_cameras_json(tmp_path / "layout.json", [camera("a <b>", 4.0, 5.0)])
    arguments = ["cameras", "coverage", str(tmp_path / "plan.json"), "--cameras", str(tmp_path / "layout.json")]
    done = CliRunner().invoke(tiepoint, [*arguments, "--json", "--picture", str(tmp_path / "out.svg")])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["cameras"][0]["camera"] == "a <b>"
    text = (tmp_path / "out.svg").read_text()
    assert text.startswith("<svg xmlns=")
    assert "a &lt;b&gt;" in text
    told = CliRunner().invoke(tiepoint, arguments)
    assert "stalls nobody sees: 1 (s2" in told.output


def test_pictures_of_any_plan(tmp_path: Path) -> None:
    save_coverage(tmp_path / "a.svg", coverage(plan(), [camera("a", 4.0, 5.0)]))
    assert (tmp_path / "a.svg").stat().st_size > 1000


def test_calibrations_are_imported_and_exported_by_command(tmp_path: Path) -> None:
    write_cameras_json(tmp_path / "cameras.json", [camera("a", 4.0, 5.0)])
    runner = CliRunner()
    out = str(tmp_path / "calibration.json")
    done = runner.invoke(
        tiepoint, ["cameras", "export", str(tmp_path / "cameras.json"), "--format", "nvidia", "--out", out]
    )
    assert "does not keep distortion" in done.output
    back = str(tmp_path / "back.json")
    done = runner.invoke(tiepoint, ["cameras", "import", out, "--format", "nvidia", "--out", back, "--level", "P1"])
    assert done.exit_code == 0, done.output
    assert json.loads(Path(back).read_text())["cameras"][0]["id"] == "a"
    wrong = runner.invoke(tiepoint, ["cameras", "import", out, "--format", "krtd", "--out", back, "--size", "x"])
    assert wrong.exit_code == 2
