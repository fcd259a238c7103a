"""COLMAP and GeoJSON read back, and what can't be written is refused with a remedy."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest
import shapely

from geometry import Georeference, InputError, TwinError, import_plan
from tests.twin.surface.rooms import noise_surface, room
from twin import Twin
from twin.commands.export import FORMAT_NAMES
from twin.export import FORMATS, ExportOptions, export_twin
from twin.export.parts import parts_of, textured_mesh


@pytest.fixture(scope="module")
def twin(small_twin: Path) -> Twin:
    return Twin.open(small_twin)


def test_the_command_offers_every_format() -> None:
    assert set(FORMAT_NAMES) == set(FORMATS)


@pytest.mark.parametrize("text", [False, True])
def test_colmap_reads_the_same_model(twin: Twin, tmp_path: Path, text: bool) -> None:
    export_twin(twin, "colmap", tmp_path / "model", ExportOptions(text=text))
    again = pycolmap.Reconstruction(tmp_path / "model")
    for id, image in twin.reconstruction.images.items():
        assert np.allclose(again.image(id).cam_from_world().matrix(), image.cam_from_world().matrix())
    assert again.num_points3D() == twin.reconstruction.num_points3D()


def test_a_folder_that_holds_something_is_left_alone(twin: Twin, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match="not an empty folder"):
        export_twin(twin, "colmap", tmp_path)
    assert (tmp_path / "mine.txt").read_text() == "kept"


def test_unknown_format_names_the_nearest(twin: Twin, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="glb"):
        export_twin(twin, "gltb", tmp_path / "x.glb")


def test_plan_on_the_earth_reads_back(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan, tie = room(), Georeference(49.0, 8.4, 110.0, 30.0)
    monkeypatch.setitem(twin.__dict__, "plan", plan)
    with pytest.raises(TwinError, match="not tied to the Earth"):
        export_twin(twin, "geojson", tmp_path / "plan.geojson")
    export_twin(twin, "geojson", tmp_path / "plan.geojson", ExportOptions(georeference=tie))
    again = import_plan(tmp_path / "plan.geojson", georeference=tie)
    assert shapely.hausdorff_distance(again.levels[0].outline, plan.levels[0].outline) < 1e-5


def test_without_a_plan_geojson_is_refused(twin: Twin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(twin.__dict__, "plan", None)
    with pytest.raises(TwinError, match="no floor plan"):
        export_twin(twin, "geojson", tmp_path / "plan.geojson")


def test_parts_hold_all_landmarks_with_colours(twin: Twin) -> None:
    parts = parts_of(twin)
    assert len(parts.points) == len(parts.colours) == len(twin.landmarks)
    assert parts.cameras == ()


def test_texture_of_a_mesh_is_that_of_the_surface() -> None:
    """A point on a triangle shows the texel that the surface's own chart has there."""
    surface = noise_surface(room())
    mesh = textured_mesh(surface)
    rows, columns = surface.seen.shape
    for number in range(0, len(mesh.triangles), 3):
        middle, uv = mesh.vertices[mesh.triangles[number]].mean(axis=0), mesh.uv[mesh.triangles[number]].mean(axis=0)
        chart = surface.charts[int(surface.mesh.panel[surface.is_solid][number])]
        own = chart.axes @ (middle - chart.origin) * chart.px_per_m
        column, row = uv[0] * columns, (1 - uv[1]) * rows
        assert (column, row) == pytest.approx(own + chart.corner, abs=1e-2)
