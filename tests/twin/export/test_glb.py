"""The glTF file is opened again by pygltflib, which shares no code with the library that wrote it."""

import io
import struct

import numpy as np
import pytest

from geometry import InputError, position_of
from twin.export.formats import ExportOptions
from twin.export.glb import YUP_FROM_SITE, frustum_corners, glb_of, write
from twin.export.parts import Parts

pytest.importorskip("trimesh", reason="the extra 'export' is not installed")
pygltflib = pytest.importorskip("pygltflib", reason="pygltflib, an independent reader, is not installed")
COMPONENTS = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4}


def accessor(gltf, number):
    about = gltf.accessors[number]
    view = gltf.bufferViews[about.bufferView]
    start = (view.byteOffset or 0) + (about.byteOffset or 0)
    width = WIDTHS[about.type]
    flat = np.frombuffer(gltf.binary_blob(), COMPONENTS[about.componentType], about.count * width, start)
    return flat.reshape(-1, width)


@pytest.fixture(scope="module")
def gltf(parts: Parts):
    return pygltflib.GLTF2.load_from_bytes(glb_of(parts))


def node(gltf, name):
    return next(each for each in gltf.nodes if each.name == name)


def test_surface_reads_back_in_site_below_a_node_that_turns_z_up_to_y_up(gltf, parts: Parts) -> None:
    primitive = gltf.meshes[node(gltf, "surface").mesh].primitives[0]
    vertices = accessor(gltf, primitive.attributes.POSITION)
    assert np.array_equal(vertices, parts.mesh.vertices)
    assert np.array_equal(accessor(gltf, primitive.indices).reshape(-1, 3), parts.mesh.triangles)
    turn = np.array(node(gltf, "site").matrix).reshape(4, 4).T
    assert np.allclose(turn, YUP_FROM_SITE)
    assert np.allclose(turn[:3, :3] @ [0, 0, 1], [0, 1, 0])  # what is up in site is up in glTF


def test_texture_coordinates_show_each_vertex_the_texel_it_had(gltf, parts: Parts) -> None:
    from PIL import Image

    primitive = gltf.meshes[node(gltf, "surface").mesh].primitives[0]
    uv = accessor(gltf, primitive.attributes.TEXCOORD_0)  # glTF counts v downwards
    assert np.allclose(uv, parts.mesh.uv * [1, -1] + [0, 1], atol=1e-6)
    view = gltf.bufferViews[gltf.images[0].bufferView]
    picture = gltf.binary_blob()[view.byteOffset : view.byteOffset + view.byteLength]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(picture)).convert("RGB")), parts.mesh.texture)


def test_landmarks_keep_place_and_colour(gltf, parts: Parts) -> None:
    primitive = gltf.meshes[node(gltf, "landmarks").mesh].primitives[0]
    assert np.allclose(accessor(gltf, primitive.attributes.POSITION), parts.points, atol=1e-6)
    colours = accessor(gltf, primitive.attributes.COLOR_0)[:, :3]
    assert np.array_equal(colours if colours.dtype == np.uint8 else np.rint(colours * 255), parts.colours)


@pytest.mark.parametrize("number", [0, 1])
def test_frustum_starts_at_the_camera_and_its_corners_project_to_the_images(parts: Parts, number: int) -> None:
    camera = parts.cameras[number]
    corners = frustum_corners(camera)
    assert np.allclose(corners[0], position_of(camera.pose()))
    pixels = camera.camera().img_from_cam(
        np.array([camera.pose() * corner for corner in corners[1:]]),
    )
    assert np.allclose(pixels, [[0, 0], [640, 0], [640, 360], [0, 360]], atol=1e-3)


def test_every_camera_is_a_node_with_lines(gltf, parts: Parts) -> None:
    for camera in parts.cameras:
        primitive = gltf.meshes[node(gltf, f"camera {camera.id}").mesh].primitives[0]
        assert primitive.mode in (1, 3)  # LINES, LINE_STRIP


def test_the_header_counts_the_bytes(parts: Parts) -> None:
    content = glb_of(parts)
    magic, version, length = struct.unpack("<4sII", content[:12])
    assert (magic, version, length) == (b"glTF", 2, len(content))


def test_a_file_of_another_name_is_refused(tmp_path) -> None:
    with pytest.raises(InputError, match=r"\*\.glb"):
        write(None, tmp_path / "twin.obj", ExportOptions())  # type: ignore[arg-type]  # refused before it is read
