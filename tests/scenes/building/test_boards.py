"""Signs and tags: exact corners, and a tag that is found with them in a picture of it."""

import numpy as np
import pycolmap
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import geometry
from geometry.frames import pose_from_matrix
from perception.tags import detect_tags
from scenes.building import Building
from scenes.building.boards import sign_corners, tag_corners
from scenes.facility import Facility, Level, Sign, Tag
from scenes.rendering import Lighting, build_world, render

LEVEL = Level(id="P1", elevation=2.0, ceiling=2.6, outline=((0, 0), (9, 0), (9, 9)))


@settings(max_examples=40, deadline=None)
@given(facing=st.floats(-360, 360), width=st.floats(0.2, 3), high=st.floats(0.1, 2), depth=st.floats(0.01, 0.2))
def test_sign_corners(facing: float, width: float, high: float, depth: float) -> None:
    sign = Sign(id="s", level="P1", at=(3, 4), height=2.2, facing_deg=facing, size=(width, high), text="x", depth=depth)
    corners = sign_corners(sign, LEVEL)
    normal = np.array([np.cos(np.radians(facing)), np.sin(np.radians(facing)), 0])
    np.testing.assert_allclose(corners.mean(axis=0), np.array([3, 4, 4.2]) + depth / 2 * normal, atol=1e-9)
    right, down = corners[1] - corners[0], corners[3] - corners[0]
    np.testing.assert_allclose([np.linalg.norm(right), np.linalg.norm(down)], [width, high])
    np.testing.assert_allclose(np.cross(down, right) / (width * high), normal, atol=1e-9)
    assert down[2] < 0
    assert (corners @ normal > np.array([3, 4, 0]) @ normal).all()


def test_sign_shapes_have_the_corners_they_claim(building: Building, facility: Facility) -> None:
    for sign in facility.signs:
        shape = next(shape for shape in building.shapes if shape.name == f"{sign.level}/sign {sign.id}")
        np.testing.assert_allclose(shape.vertices[:4], building.sign_corners[sign.id], atol=1e-5)
        np.testing.assert_allclose(shape.uv[:4], [(0, 0), (sign.size[0], 0), sign.size, (0, sign.size[1])], atol=1e-6)
        assert (len(shape.triangles) == 4) == sign.double_sided


def test_tag_corners_are_those_of_its_pose() -> None:
    """tags.csv: x right, y up, z towards the viewer."""
    tag = Tag(id=1, level="P1", at=(3.0, 4.0), height=1.5, facing_deg=90.0, size_m=0.2)
    corners = tag_corners(tag, LEVEL)
    quat_xyzw = np.array([0, 1, 1, 0]) / np.sqrt(2)  # x to -x, y to z, z to y
    expected = geometry.tag_corners([0.2], [(3.0, 4.002, 3.5)], [quat_xyzw])[0]
    np.testing.assert_allclose(corners, expected, atol=1e-9)


@pytest.mark.parametrize("yaw_deg", [-90.0, -60.0])
def test_a_rendered_tag_is_found_with_its_corners_in_order(building: Building, yaw_deg: float) -> None:
    shapes = [shape for shape in building.shapes if shape.name in ("P1/tag 7", "P1/wall P1-south")]
    light = Lighting(ambient=(0.6, 0.6, 0.6))
    middle = building.tag_corners[7].mean(axis=0)
    yaw = np.radians(yaw_deg)
    forward, right = np.array([np.cos(yaw), np.sin(yaw), 0]), np.array([np.sin(yaw), -np.cos(yaw), 0])
    rotation = np.stack([right, [0, 0, -1], forward])
    cam_from_site = pose_from_matrix(rotation, -rotation @ (middle - 0.9 * forward + (0.05, 0, 0.03)))
    camera = pycolmap.Camera(model="PINHOLE", width=240, height=180, params=[260, 260, 120, 90])
    picture = render(build_world(shapes, lighting=light), camera, cam_from_site).image
    found = detect_tags(np.ascontiguousarray(picture[..., 1]))
    assert found.ids.tolist() == [7]
    true = camera.img_from_cam(building.tag_corners[7] @ rotation.T + cam_from_site.translation)
    np.testing.assert_allclose(found.corners[0], true, atol=0.45)  # measured 0.34: sRGB lets white bleed over black
    np.testing.assert_allclose(found.corners[0].mean(axis=0), true.mean(axis=0), atol=0.15)  # measured 0.06
