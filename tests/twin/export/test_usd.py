"""The stage is read by USD's own API and judged by its validators; poses by projecting with what the camera says."""

import zipfile

import numpy as np
import pytest

from geometry import InputError
from twin.export.formats import ExportOptions
from twin.export.parts import Parts
from twin.export.usd import APERTURE_MM, write, write_stage

pxr = pytest.importorskip("pxr", reason="the extra 'export' is not installed")
from pxr import Usd, UsdGeom, UsdValidation  # noqa: E402


@pytest.fixture(scope="module")
def stage(parts: Parts, tmp_path_factory: pytest.TempPathFactory):
    from PIL import Image

    path = tmp_path_factory.mktemp("usd") / "room.usda"
    Image.fromarray(parts.mesh.texture).save(path.with_name("room.jpg"))
    write_stage(path, parts, "room.jpg")
    return Usd.Stage.Open(str(path))


def test_validators_of_usd_find_nothing(stage) -> None:
    registry = UsdValidation.ValidationRegistry()
    found = UsdValidation.ValidationContext(registry.GetOrLoadAllValidators()).Validate(stage)
    assert [(error.GetName(), error.GetMessage()) for error in found] == []


def test_metres_with_z_up_and_the_same_mesh(stage, parts: Parts) -> None:
    assert UsdGeom.GetStageUpAxis(stage) == "Z"
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    mesh = UsdGeom.Mesh(stage.GetPrimAtPath("/site/surface"))
    assert np.array_equal(np.array(mesh.GetPointsAttr().Get()), parts.mesh.vertices)
    assert np.array_equal(np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3), parts.mesh.triangles)
    uv = UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").Get()
    assert np.array_equal(np.array(uv), parts.mesh.uv)


def test_landmarks_keep_place_and_colour(stage, parts: Parts) -> None:
    cloud = UsdGeom.Points(stage.GetPrimAtPath("/site/landmarks"))
    assert np.allclose(np.array(cloud.GetPointsAttr().Get()), parts.points, atol=1e-5)
    assert np.allclose(np.array(cloud.GetDisplayColorAttr().Get()) * 255, parts.colours, atol=0.01)


def test_a_camera_projects_points_where_the_lens_without_distortion_does(stage, parts: Parts) -> None:
    """By USD's own frustum, which knows nothing of pixels or of COLMAP's axes."""
    fixed = parts.cameras[0]
    view = UsdGeom.Camera(stage.GetPrimAtPath("/site/cameras/camera_0")).GetCamera().frustum
    to_clip = view.ComputeViewMatrix() * view.ComputeProjectionMatrix()
    points = np.array([[3.0, 4.0, 1.0], [5.5, 5.0, 2.0], [4.0, 3.0, 2.5]])
    clip = np.column_stack([points, np.ones(3)]) @ np.array(to_clip)
    ndc = clip[:, :2] / clip[:, 3:]
    pixels = (ndc * [1, -1] + 1) / 2 * [640, 360]
    expected = fixed.camera().img_from_cam(np.array([fixed.pose() * point for point in points]))
    assert np.allclose(pixels, expected, atol=0.01)


def test_lens_is_kept_beside_what_usd_can_say(stage, parts: Parts) -> None:
    prim = stage.GetPrimAtPath("/site/cameras/camera_1")
    assert prim.GetAttribute("tiepoint:id").Get() == parts.cameras[1].id
    assert np.allclose(prim.GetAttribute("tiepoint:params").Get(), parts.cameras[1].params)
    assert UsdGeom.Camera(prim).GetHorizontalApertureAttr().Get() == pytest.approx(APERTURE_MM)


def test_package_holds_the_stage_and_its_texture(parts: Parts, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("twin.export.usd.parts_of", lambda twin: parts)
    write(None, tmp_path / "room.usdz", ExportOptions())  # type: ignore[arg-type]  # parts_of is replaced
    with zipfile.ZipFile(tmp_path / "room.usdz") as package:
        assert package.namelist() == ["scene.usdc", "surface.jpg"]
    assert Usd.Stage.Open(str(tmp_path / "room.usdz")).GetPrimAtPath("/site/surface")
    assert [path.name for path in tmp_path.iterdir()] == ["room.usdz"]


def test_another_suffix_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match="usdz"):
        write(None, tmp_path / "room.obj", ExportOptions())  # type: ignore[arg-type]  # refused before it is read
