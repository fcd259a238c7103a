"""What other tools read: written and read back it is the same camera; what is malformed is refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import InputError, camera_from_params, pose_from_position
from geometry.camera_formats import FORMATS, ImportOptions
from geometry.frames import pose_error, transform_points
from geometry.records import FixedCamera

PINHOLE = camera_from_params("PINHOLE", 640, 480, [430.0, 431.5, 321.0, 239.0])
OPENCV = camera_from_params("OPENCV", 640, 480, [430.0, 431.5, 321.0, 239.0, -0.1, 0.02, 1e-3, -5e-17])
FISHEYE = camera_from_params("OPENCV_FISHEYE", 640, 480, [225.0, 225.0, 320.0, 240.0, 0.02, -0.01, 0.0, 1e-6])
ALL = [("nvidia", PINHOLE), ("opencv", PINHOLE), ("opencv", OPENCV), ("opencv", FISHEYE), ("krtd", PINHOLE)]
ALL += [("krtd", OPENCV), ("colmap", PINHOLE), ("colmap", OPENCV), ("colmap", FISHEYE)]


def target(format: str, folder: Path) -> Path:
    return folder / ("cameras" if FORMATS[format].is_folder else "calibration.json")


def cameras(lens: object, rng: np.random.Generator) -> list[FixedCamera]:
    poses = [pose_from_position(rng.uniform(-50, 50, 3), rng.normal(0, 1, 4)) for _ in range(3)]
    return [FixedCamera.of(f"cam {i}", lens, pose, level="P1") for i, pose in enumerate(poses)]  # type: ignore[arg-type]


@pytest.mark.parametrize(("format", "lens"), ALL)
def test_what_is_written_reads_back(format: str, lens: object, tmp_path: Path) -> None:
    before = cameras(lens, np.random.default_rng(0))
    path = target(format, tmp_path)
    FORMATS[format].write(path, before)
    after = FORMATS[format].read(path, ImportOptions(level="P1", size=(640, 480) if format == "krtd" else None))
    assert [c.id for c in after] == [c.id for c in before]
    for a, b in zip(after, before, strict=True):
        metres, degrees = pose_error(a.pose(), b.pose())
        assert metres < 1e-9
        assert degrees < 1e-6
        assert (a.width, a.height, a.level) == (b.width, b.height, "P1")
        points = np.random.default_rng(1).uniform([-2, -2, 2], [2, 2, 9], (20, 3))
        np.testing.assert_allclose(a.camera().img_from_cam(points), b.camera().img_from_cam(points), atol=1e-9)


@given(st.integers(0, 2**32 - 1))
def test_the_nvidia_matrices_agree_with_each_other(seed: int) -> None:
    from geometry.camera_formats.nvidia import _sensor_of

    fixed = cameras(PINHOLE, np.random.default_rng(seed))[0]
    sensor = _sensor_of(fixed)
    points = np.random.default_rng(seed).uniform(-20, 20, (5, 3))
    homogeneous = np.column_stack([points, np.ones(5)]) @ np.array(sensor["cameraMatrix"]).T
    expected = transform_points(fixed.pose(), points) @ np.array(sensor["intrinsicMatrix"]).T
    np.testing.assert_allclose(homogeneous, expected, atol=1e-8)
    for pixel, ground in zip(sensor["imageCoordinates"], sensor["globalCoordinates"], strict=True):
        u, v, w = np.array(sensor["homography"]) @ [ground["x"], ground["y"], 1.0]
        np.testing.assert_allclose([u / w, v / w], [pixel["x"], pixel["y"]], atol=1e-6)


@pytest.mark.parametrize(("format", "lens"), [("nvidia", OPENCV), ("nvidia", FISHEYE), ("krtd", FISHEYE)])
def test_what_a_format_can_not_say_is_refused_and_nothing_written(format: str, lens: object, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"distortion|fisheye"):
        FORMATS[format].write(target(format, tmp_path), cameras(lens, np.random.default_rng(0)))
    assert not target(format, tmp_path).exists()


SENSOR = {"id": "a", "intrinsicMatrix": np.eye(3).tolist(), "extrinsicMatrix": np.eye(4)[:3].tolist()}
MIRROR = {**SENSOR, "intrinsicMatrix": [[9, 0, 4], [0, 9, 4], [0, 0, 1]]}
MALFORMED = [
    ("nvidia", "{", "not JSON"),
    ("nvidia", "[]", "no list 'sensors'"),
    ("nvidia", json.dumps({"sensors": [{"id": "a", "homography": []}]}), "a homography alone gives no pose"),
    ("nvidia", json.dumps({"sensors": [MIRROR | {"extrinsicMatrix": [[1, 0], [2]]}]}), "extrinsicMatrix"),
    ("nvidia", json.dumps({"sensors": [MIRROR | {"extrinsicMatrix": np.diag([1, -1, 1, 1]).tolist()}]}), "left-handed"),
    ("nvidia", json.dumps({"sensors": [MIRROR | {"extrinsicMatrix": np.diag([2, 1, 1, 1]).tolist()}]}), "orthonormal"),
    ("nvidia", json.dumps({"sensors": [MIRROR, MIRROR]}), "two sensors have one id"),
    ("opencv", "%YAML:1.0\n---\na: [1", "not OpenCV's YAML"),
    ("opencv", "x", "not OpenCV's YAML"),
    ("opencv", "!!python/object/apply:os.system ['true']", "not OpenCV's YAML"),
    ("opencv", "camera_matrix: [1, 2]", "2 values, not 9"),
    ("opencv", "camera_matrix: [9,0,4,0,9,4,0,0,1]\nimage_width: 8\nimage_height: 8", "no rotation_matrix"),
    ("opencv", "camera_matrix: [9,0,4,0,9,4,0,0,1]", "no image_width"),
    ("krtd", "1 2 3", "21 numbers"),
    ("krtd", "a b", "not numbers"),
    ("krtd", " ".join(["nan"] * 21), "21 numbers"),
    ("colmap", "", "no COLMAP model"),
]


@pytest.mark.parametrize(("format", "text", "what"), MALFORMED)
def test_malformed_files_are_refused(format: str, text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / {"nvidia": "c.json", "opencv": "c.yaml", "krtd": "c.krtd", "colmap": "c.txt"}[format]
    path.write_text(text)
    with pytest.raises(InputError, match=what):
        FORMATS[format].read(path, ImportOptions())


@pytest.mark.parametrize("format", FORMATS)
def test_missing_files_are_refused(format: str, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        FORMATS[format].read(tmp_path / "none", ImportOptions())


def test_a_model_takes_the_place_of_another_one_in_one_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write, read = FORMATS["colmap"].write, FORMATS["colmap"].read
    three = cameras(PINHOLE, np.random.default_rng(0))
    write(tmp_path / "model", three[:1])
    with monkeypatch.context() as patched:
        patched.setattr("pycolmap.Reconstruction.write_binary", _half_a_model)
        with pytest.raises(InputError, match="can't write"):
            write(tmp_path / "model", three)
    assert [camera.id for camera in read(tmp_path / "model")] == ["cam 0"]
    write(tmp_path / "model", three)
    assert len(read(tmp_path / "model")) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def _half_a_model(_: object, folder: Path) -> None:
    (Path(folder) / "cameras.bin").write_bytes(b"half")
    raise OSError("No space left on device")


def test_a_folder_that_holds_more_than_a_model_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(InputError, match=r"mine\.txt"):
        FORMATS["colmap"].write(tmp_path, cameras(PINHOLE, np.random.default_rng(0)))
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
