"""OpenUSD by usd-core: z up, metres, surface with a preview material, landmarks as points, fixed cameras as cameras.

A USD camera looks along its -z with y up. Its image plane has no distortion: ``tiepoint:model`` and
``tiepoint:params`` keep the lens as COLMAP writes it.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from geometry import FixedCamera, InputError, MissingExtraError, write_atomic
from twin.export.formats import ExportOptions
from twin.export.nerfstudio import opengl_pose
from twin.export.parts import Parts, TexturedMesh, parts_of
from twin.model import Twin

SUFFIXES = (".usdz", ".usda", ".usdc")
TEXTURE = "surface.jpg"
JPEG_QUALITY = 93
POINT_WIDTH_M = 0.02
APERTURE_MM = 36.0
"""Width of the image plane that focal lengths are stated for; only their ratio matters."""


def write(twin: Twin, out: Path, options: ExportOptions) -> None:
    """Write one .usdz package, or a .usda/.usdc file with its texture beside it.

    Raises ``InputError`` for another suffix, ``MissingExtraError`` without usd-core.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"a USD file is named *{', *'.join(SUFFIXES)}", where=str(out), remedy="Choose another --out.")
    parts = parts_of(twin)
    with tempfile.TemporaryDirectory(prefix="tiepoint-usd-") as temporary:
        folder = Path(temporary)
        packed = out.suffix.lower() == ".usdz"
        texture = folder / (TEXTURE if packed else f"{out.stem}.{TEXTURE}")
        layer = folder / ("scene.usdc" if packed else out.name)
        if parts.mesh is not None:
            Image.fromarray(parts.mesh.texture).save(texture, quality=JPEG_QUALITY, subsampling=0)
        write_stage(layer, parts, texture.name)
        if packed:
            layer = _packed(layer, folder / out.name)
        elif parts.mesh is not None:
            write_atomic(out.parent / texture.name, texture.read_bytes())
        write_atomic(out, layer.read_bytes())


def write_stage(path: Path, parts: Parts, texture: str) -> None:
    """Write a stage of a twin's parts; ``texture`` is the picture's name beside it."""
    try:
        from pxr import Usd, UsdGeom
    except ImportError as error:
        raise MissingExtraError("usd-core", "pip install 'tiepoint[export]'") from error
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, "/site").GetPrim())
    if parts.mesh is not None:
        _add_mesh(stage, parts.mesh, texture)
    if len(parts.points):
        _add_points(stage, parts)
    if parts.cameras:
        UsdGeom.Scope.Define(stage, "/site/cameras")
    for number, camera in enumerate(parts.cameras):
        _add_camera(stage, camera, number)
    stage.GetRootLayer().Save()


def _add_mesh(stage: Any, mesh: TexturedMesh, texture: str) -> None:
    from pxr import Sdf, UsdGeom, UsdShade, Vt

    shape = UsdGeom.Mesh.Define(stage, "/site/surface")
    shape.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(mesh.vertices))
    shape.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.triangles), 3, dtype=np.int32)))
    shape.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(mesh.triangles.astype(np.int32).ravel()))
    shape.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    shape.CreateDoubleSidedAttr(True)
    shape.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(_extent(mesh.vertices)))
    st = UsdGeom.PrimvarsAPI(shape).CreatePrimvar("st", Sdf.ValueTypeNames.TexCoord2fArray, UsdGeom.Tokens.vertex)
    st.Set(Vt.Vec2fArray.FromNumpy(mesh.uv))

    material = UsdShade.Material.Define(stage, "/site/materials/surface")
    shader = UsdShade.Shader.Define(stage, "/site/materials/surface/preview")
    shader.CreateIdAttr("UsdPreviewSurface")
    shader.CreateInput("roughness", Sdf.ValueTypeNames.Float).Set(1.0)
    reader = UsdShade.Shader.Define(stage, "/site/materials/surface/coordinates")
    reader.CreateIdAttr("UsdPrimvarReader_float2")
    reader.CreateInput("varname", Sdf.ValueTypeNames.String).Set("st")
    reader.CreateOutput("result", Sdf.ValueTypeNames.Float2)
    picture = UsdShade.Shader.Define(stage, "/site/materials/surface/texture")
    picture.CreateIdAttr("UsdUVTexture")
    picture.CreateInput("file", Sdf.ValueTypeNames.Asset).Set(f"./{texture}")
    picture.CreateInput("sourceColorSpace", Sdf.ValueTypeNames.Token).Set("sRGB")
    picture.CreateInput("st", Sdf.ValueTypeNames.Float2).ConnectToSource(reader.ConnectableAPI(), "result")
    picture.CreateOutput("rgb", Sdf.ValueTypeNames.Float3)
    shader.CreateInput("diffuseColor", Sdf.ValueTypeNames.Color3f).ConnectToSource(picture.ConnectableAPI(), "rgb")
    shader.CreateOutput("surface", Sdf.ValueTypeNames.Token)
    material.CreateSurfaceOutput().ConnectToSource(shader.ConnectableAPI(), "surface")
    UsdShade.MaterialBindingAPI.Apply(shape.GetPrim()).Bind(material)


def _add_points(stage: Any, parts: Parts) -> None:
    from pxr import UsdGeom, Vt

    points = parts.points.astype(np.float32)
    cloud = UsdGeom.Points.Define(stage, "/site/landmarks")
    cloud.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    cloud.CreateWidthsAttr(Vt.FloatArray.FromNumpy(np.full(len(points), POINT_WIDTH_M, dtype=np.float32)))
    cloud.CreateDisplayColorPrimvar(UsdGeom.Tokens.vertex).Set(
        Vt.Vec3fArray.FromNumpy((parts.colours / np.float32(255)).astype(np.float32))
    )
    cloud.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(_extent(points) + POINT_WIDTH_M / 2 * np.array([[-1.0], [1.0]])))


def _add_camera(stage: Any, camera: FixedCamera, number: int) -> None:
    from pxr import Gf, Sdf, UsdGeom

    lens = camera.camera()
    mm_per_px = APERTURE_MM / lens.width
    prim = UsdGeom.Camera.Define(stage, f"/site/cameras/camera_{number}")
    prim.CreateHorizontalApertureAttr(APERTURE_MM)
    prim.CreateVerticalApertureAttr(lens.height * mm_per_px * lens.focal_length_x / lens.focal_length_y)
    prim.CreateFocalLengthAttr(lens.focal_length_x * mm_per_px)
    prim.CreateHorizontalApertureOffsetAttr((lens.width / 2 - lens.principal_point_x) * mm_per_px)
    prim.CreateVerticalApertureOffsetAttr((lens.principal_point_y - lens.height / 2) * mm_per_px)
    prim.CreateClippingRangeAttr(Gf.Vec2f(0.05, 1000.0))
    prim.AddTransformOp().Set(Gf.Matrix4d(opengl_pose(camera.pose()).T.tolist()))
    about = prim.GetPrim()
    about.SetDisplayName(camera.id)
    about.CreateAttribute("tiepoint:id", Sdf.ValueTypeNames.String).Set(camera.id)
    about.CreateAttribute("tiepoint:model", Sdf.ValueTypeNames.String).Set(lens.model_name)
    about.CreateAttribute("tiepoint:params", Sdf.ValueTypeNames.DoubleArray).Set(lens.params.tolist())
    about.CreateAttribute("tiepoint:size", Sdf.ValueTypeNames.Int2).Set(Gf.Vec2i(lens.width, lens.height))


def _extent(points: Any) -> Any:
    return np.array([points.min(axis=0), points.max(axis=0)], dtype=np.float32)


def _packed(layer: Path, package: Path) -> Path:
    from pxr import Sdf, UsdUtils

    if not UsdUtils.CreateNewUsdzPackage(Sdf.AssetPath(str(layer)), str(package)):
        raise InputError("could not be packed", where=package.name)
    return package
