"""OpenGL's axes and nerfstudio's words for lenses, judged by projecting with nothing but the file."""

import json
from pathlib import Path

import numpy as np
import pycolmap
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import TwinError, camera_from_params, transform_points
from tests.support import poses, vectors
from twin import Twin
from twin.export import ExportOptions, export_twin
from twin.export.nerfstudio import intrinsics, opengl_pose, point_cloud

LENSES = [
    ("SIMPLE_PINHOLE", [500.0, 320.0, 240.0]),
    ("PINHOLE", [500.0, 510.0, 320.0, 240.0]),
    ("RADIAL", [500.0, 320.0, 240.0, -0.1, 0.02]),
    ("OPENCV", [500.0, 510.0, 320.0, 240.0, -0.1, 0.02, 0.001, -0.002]),
    ("OPENCV_FISHEYE", [300.0, 301.0, 320.0, 240.0, 0.01, -0.003, 0.001, 0.0]),
]


def seen_by_file(frame: dict, points: np.ndarray) -> np.ndarray:
    """Project as nerfstudio does: the pose is turned to OpenCV's axes, then the OpenCV lens model."""
    cam_from_world = np.linalg.inv(np.array(frame["transform_matrix"]) @ np.diag([1, -1, -1, 1]))
    names = ("k1", "k2", "p1", "p2") if frame["camera_model"] == "OPENCV" else ("k1", "k2", "k3", "k4")
    params = [frame[key] for key in ("fl_x", "fl_y", "cx", "cy")] + [frame.get(name, 0.0) for name in names]
    camera = pycolmap.Camera(model=frame["camera_model"], width=frame["w"], height=frame["h"], params=params)
    return camera.img_from_cam(points @ cam_from_world[:3, :3].T + cam_from_world[:3, 3])


@settings(max_examples=30)
@given(pose=poses(20.0), lens=st.sampled_from(LENSES), offset=vectors(0.5))
def test_a_point_is_seen_where_it_was(pose: pycolmap.Rigid3d, lens, offset) -> None:
    camera = camera_from_params(lens[0], 640, 480, lens[1])
    point = transform_points(pose.inverse(), np.array([[0.2, -0.1, 3.0]]) + offset)
    expected = camera.img_from_cam(transform_points(pose, point))
    frame = intrinsics(camera) | {"transform_matrix": opengl_pose(pose).tolist()}
    assert np.allclose(seen_by_file(frame, point), expected, atol=1e-6)


def test_a_lens_that_nerfstudio_lacks_is_refused() -> None:
    camera = pycolmap.Camera(model="FOV", width=640, height=480, params=[500, 500, 320, 240, 0.3])
    with pytest.raises(TwinError, match="FOV"):
        intrinsics(camera)


def test_point_cloud_is_a_ply_that_others_read(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    points, colours = rng.normal(size=(20, 3)), rng.integers(0, 255, (20, 3), dtype=np.uint8)
    (tmp_path / "points.ply").write_bytes(point_cloud(points, colours))
    cloud = trimesh.load(tmp_path / "points.ply")
    assert np.allclose(cloud.vertices, points, atol=1e-6)
    assert np.array_equal(cloud.colors[:, :3], colours)


def test_folder_of_a_twin_names_photos_that_are_there(small_twin: Path, rendered, tmp_path: Path) -> None:
    out = tmp_path / "nerf"
    export_twin(Twin.open(small_twin), "nerfstudio", out, ExportOptions(images=rendered.walk))
    frames = json.loads((out / "transforms.json").read_text())["frames"]
    assert frames
    assert all((out / frame["file_path"]).is_file() for frame in frames)
