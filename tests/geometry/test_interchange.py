import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.cameras import camera_from_params
from geometry.errors import InputError
from geometry.interchange import (
    camera_for,
    read_cameras,
    read_cameras_json,
    read_control,
    read_marks,
    read_poses,
    read_tags,
    read_true_poses,
    write_cameras,
    write_cameras_json,
    write_control,
    write_marks,
    write_poses,
    write_tags,
)
from geometry.records import CameraRule, ControlPoints, FixedCamera, Marks, PoseTable, TagSpecs
from tests.support import assert_cameras_equal, assert_poses_close, points, poses, rigid

NAN = np.nan
POSE_HEADER = "image,x,y,z,qx,qy,qz,qw,sigma_m,sigma_deg\n"
PINHOLE = camera_from_params("PINHOLE", 640, 480, [500.1, 500.2, 320.0, 0.1 + 0.2])


def unit_rows(rng: np.random.Generator, n: int) -> np.ndarray:
    rows = rng.normal(size=(n, 4))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def assert_same_fields(actual: Any, expected: Any) -> None:
    for name, value in vars(expected).items():
        np.testing.assert_array_equal(getattr(actual, name), value, err_msg=name)


@given(positions=points(1e6), seed=st.integers(0, 2**32 - 1), with_time=st.booleans())
def test_poses_round_trip_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, positions: np.ndarray, seed: int, with_time: bool
) -> None:
    rng, n = np.random.default_rng(seed), len(positions)
    quats = np.where(rng.random((n, 1)) < 0.3, NAN, unit_rows(rng, n))
    table = PoseTable(
        images=tuple(f'walk/{i}, "ü" .jpg' for i in range(n)),
        positions=positions,
        quats_xyzw=quats,
        sigma_m=np.where(rng.random(n) < 0.3, NAN, rng.random(n)),
        sigma_deg=np.where(rng.random(n) < 0.3, NAN, 0.0),
        time=1.7e9 + rng.random(n) if with_time else None,
        sequence=tuple(str(i % 2) for i in range(n)) if with_time else None,
    )
    path = tmp_path_factory.mktemp("poses") / "poses.csv"
    write_poses(path, table)
    assert_same_fields(read_poses(path), table)


def test_quaternions_are_normalised_and_absent_ones_stay_absent(tmp_path: Path) -> None:
    path = tmp_path / "poses.csv"
    path.write_text(POSE_HEADER + "a.jpg,1,2,3,0,0,0,2,0.1,\nb/c.jpg,1,2,3,,,,,,5\n")
    table = read_poses(path)
    np.testing.assert_array_equal(table.quats_xyzw, [[0, 0, 0, 1], [NAN] * 4])
    np.testing.assert_array_equal(table.sigma_m, [0.1, NAN])
    assert table.time is None
    assert len(table) == 2


@pytest.mark.parametrize(
    ("more", "cells"), [("", ""), (",level,zone,stall,seen_fraction,level_evidence_px", ",P1,,,0.5,0")]
)
def test_true_poses_may_say_where_a_photo_is_and_how_hard(tmp_path: Path, more: str, cells: str) -> None:
    path = tmp_path / "queries.csv"
    path.write_text(f"{POSE_HEADER.strip()}{more}\na.jpg,1,2,3,0,0,0,1,,{cells}\n")
    poses = read_true_poses(path)
    assert poses.images == ("a.jpg",)
    np.testing.assert_array_equal(poses.positions, [[1, 2, 3]])


@pytest.mark.parametrize(("column", "cell"), [("seen_fraction", "1.1"), ("level_evidence_px", "-1"), ("levle", "P1")])
def test_bad_columns_of_truth_are_refused(tmp_path: Path, column: str, cell: str) -> None:
    path = tmp_path / "queries.csv"
    path.write_text(f"{POSE_HEADER.strip()},{column}\na.jpg,1,2,3,0,0,0,1,,,{cell}\n")
    with pytest.raises(InputError, match=f"'{column}'"):
        read_true_poses(path)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("a.jpg,1,2,3,0,0,0,1,,", "'a.jpg' occurs twice"),
        ("/a.jpg,1,2,3,0,0,0,1,,", "'/a.jpg' is not a relative POSIX path"),
        ("../b.jpg,1,2,3,0,0,0,1,,", "not a relative POSIX path"),
        ("b/../../c.jpg,1,2,3,0,0,0,1,,", "not a relative POSIX path"),
        (r"b\c.jpg,1,2,3,0,0,0,1,,", "not a relative POSIX path"),
        (r"C:\c.jpg,1,2,3,0,0,0,1,,", "not a relative POSIX path"),
        ("b//c.jpg,1,2,3,0,0,0,1,,", "not a relative POSIX path"),
        ("./c.jpg,1,2,3,0,0,0,1,,", "not a relative POSIX path"),
        ("b.jpg,1,2,3,0,,0,1,,", "column 'qy': the quaternion is incomplete"),
        ("b.jpg,1,2,3,0,0,0,0,,", "the quaternion is zero"),
        ("b.jpg,1,2,3,0,0,0,1e300,,", "column 'qw': 1e+300 is outside"),
        ("b.jpg,1,2,3,0,0,0,1,-0.1,", "column 'sigma_m': -0.1 is outside"),
        ("b.jpg,1,2,3,0,0,0,1,,-1", "column 'sigma_deg': -1.0 is outside"),
        ("b.jpg,1,2,nan,0,0,0,1,,", "column 'z': 'nan' is not finite"),
        ("b.jpg,1e9,2,3,0,0,0,1,,", "column 'x'"),
        ("b.jpg,,2,3,0,0,0,1,,", "column 'x': the cell is empty"),
    ],
)
def test_bad_poses_are_refused_with_their_line(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "poses.csv"
    path.write_text(f"{POSE_HEADER}a.jpg,1,2,3,0,0,0,1,0.1,5\n{row}\n")
    with pytest.raises(InputError) as caught:
        read_poses(path)
    assert said in str(caught.value)
    assert f"{path}, line 3" in str(caught.value)


def pose_table(**changes: Any) -> PoseTable:
    fields: dict[str, Any] = {"images": ("a.jpg", "b.jpg"), "positions": np.zeros((2, 3))}
    fields |= {"quats_xyzw": np.tile([0.0, 0, 0, 1], (2, 1)), "sigma_m": np.ones(2), "sigma_deg": np.ones(2)}
    return PoseTable(**(fields | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"images": ("a.jpg", "a.jpg")},
        {"images": ("a.jpg", "../a.jpg")},
        {"positions": np.full((2, 3), NAN)},
        {"quats_xyzw": np.zeros((2, 4))},
        {"sigma_m": np.array([1.0, -1.0])},
        {"time": np.array([1.0, np.inf])},
    ],
)
def test_bad_poses_are_not_written(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        write_poses(tmp_path / "poses.csv", pose_table(**changes))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "changes", [{"positions": np.zeros((2, 2))}, {"sigma_m": np.ones(3)}, {"sequence": ("one",)}, {"time": np.ones(1)}]
)
def test_containers_check_their_shapes(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="expected"):
        pose_table(**changes)


def test_cameras_round_trip_and_the_first_matching_rule_wins(tmp_path: Path) -> None:
    fisheye = camera_from_params("OPENCV_FISHEYE", 100, 80, [90, 91, 50, 40, 0.1, -0.01, 1e-3, 1e-17])
    rules = (CameraRule("walk/*.jpg", PINHOLE), CameraRule("walk/a?.png", fisheye), CameraRule("*", fisheye))
    path = tmp_path / "cameras.csv"
    write_cameras(path, rules)
    back = read_cameras(path)
    assert [rule.pattern for rule in back] == [rule.pattern for rule in rules]
    for actual, expected in zip(back, rules, strict=True):
        assert_cameras_equal(actual.camera, expected.camera)
    assert camera_for("walk/deep/1.jpg", back) is back[0].camera
    assert camera_for("walk/ab.png", back) is back[1].camera
    assert camera_for("WALK/1.JPG", back) is back[2].camera
    assert camera_for("other.jpg", back[:2]) is None


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("*,PINHOL,640,480,1 1 1 1", "Did you mean 'PINHOLE'?"),
        ("*,PINHOLE,640,480,1 1 1", "PINHOLE has 4 parameters, got 3. Give them in this order: fx, fy, cx, cy"),
        ("*,PINHOLE,640,480,1 1 1 x", "is not a list of numbers"),
        ("*,PINHOLE,640,480,1 1 nan 1", "finite"),
        ("*,PINHOLE,640,480,0 1 1 1", "positive"),
        ("*,PINHOLE,0,480,1 1 1 1", "column 'width'"),
        ("*,PINHOLE,640,1000000,1 1 1 1", "column 'height'"),
        ("a,PINHOLE,640,480,1 1 1 1", "'a' occurs twice"),
    ],
)
def test_bad_cameras_are_refused_with_their_line(tmp_path: Path, row: str, said: str) -> None:
    path = tmp_path / "cameras.csv"
    path.write_text(f"pattern,model,width,height,params\na,PINHOLE,640,480,500 500 320 240\n{row}\n")
    with pytest.raises(InputError) as caught:
        read_cameras(path)
    assert said in str(caught.value)
    assert "line 3" in str(caught.value)


def test_control_marks_and_tags_round_trip(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    control = ControlPoints(names=("C1", "C2"), positions=rng.normal(size=(2, 3)), sigma_m=np.array([0.0, 0.01]))
    marks = Marks(names=("C1", "C1", "C2"), images=("a.jpg", "b.jpg", "a.jpg"), pixels=rng.normal(size=(3, 2)))
    tags = TagSpecs(
        families=("tag36h11", "tag36h11", "tag25h9"),
        ids=np.array([0, 1, 0]),
        size_m=np.array([0.16, 0.16, 0.2]),
        positions=np.array([[1.0, 2, 3], [NAN] * 3, [4, 5, 6]]),
        quats_xyzw=np.array([unit_rows(rng, 1)[0], [NAN] * 4, [0, 0, 0, 1]]),
        sigma_m=np.array([0.01, NAN, NAN]),
    )
    trips: list[tuple[Any, Callable, Callable]] = [
        (control, write_control, read_control),
        (marks, write_marks, read_marks),
        (tags, write_tags, read_tags),
    ]
    for record, write, read in trips:
        write(tmp_path / "file.csv", record)
        assert_same_fields(read(tmp_path / "file.csv"), record)


def test_tags_may_come_with_sizes_only(tmp_path: Path) -> None:
    path = tmp_path / "tags.csv"
    path.write_text("family,id,size_m\ntag36h11,7,0.16\n")
    tags = read_tags(path)
    assert tags.ids.tolist() == [7]
    assert np.isnan(tags.positions).all()
    assert np.isnan(tags.quats_xyzw).all()


@pytest.mark.parametrize(
    ("read", "content", "said"),
    [
        (read_control, "name,x,y,z,sigma_m\nA,0,0,0,1\nA,0,0,0,1\n", "'A' occurs twice"),
        (read_control, "name,x,y,z,sigma_m\nA,0,0,0,-1\n", "sigma_m"),
        (read_control, "name,x,y,z\nA,0,0,0\n", "column 'sigma_m' is missing"),
        (read_marks, "name,image,u,v\nA,a.jpg,0,0\nA,a.jpg,1,1\n", "occurs twice"),
        (read_marks, "name,image,u,v\nA,/a.jpg,0,0\n", "POSIX"),
        (read_tags, "family,id,size_m\nt,1,0\n", "size_m"),
        (read_tags, "family,id,size_m\nt,1,1\nt,1,1\n", "occurs twice"),
        (read_tags, "family,id,size_m,x,y,z\nt,1,1,1,2,3\n", "the tag's pose is incomplete"),
        (read_tags, "family,id,size_m,x,y,z,qx,qy,qz,qw\nt,1,1,1,2,3,0,0,0,0\n", "the quaternion is zero"),
    ],
)
def test_bad_rows_are_refused(tmp_path: Path, read: Callable, content: str, said: str) -> None:
    path = tmp_path / "file.csv"
    path.write_text(content)
    with pytest.raises(InputError) as caught:
        read(path)
    assert said in str(caught.value)


def fixed_camera(**fields: Any) -> FixedCamera:
    return FixedCamera.of("cam1", PINHOLE, rigid([0.1, 2, -1], [1, 2, 3]), level="P1", **fields)


@given(cam_from_site=poses())
def test_fixed_cameras_round_trip(tmp_path_factory: pytest.TempPathFactory, cam_from_site: pycolmap.Rigid3d) -> None:
    path = tmp_path_factory.mktemp("cameras") / "cameras.json"
    full = {"covariance": 0.1 * np.eye(6), "clock_drift_ppm": 3.5, "clock_epoch": 1.7e9, "history": ({"rms_px": 1},)}
    cameras = (
        FixedCamera.of("a", PINHOLE, cam_from_site, level="P1", meta={"owner": None}),
        FixedCamera.of("b", PINHOLE, cam_from_site, level="P2", clock_offset_s=-0.25, **full),
    )
    write_cameras_json(path, cameras)
    back = read_cameras_json(path)
    assert back == cameras
    assert_poses_close(back[0].pose(), cam_from_site)
    assert_cameras_equal(back[0].camera(), PINHOLE)


def edited(**changes: Any) -> bytes:
    entry = json.loads(fixed_camera().model_dump_json(exclude_defaults=True)) | changes
    return json.dumps({"cameras": [{key: value for key, value in entry.items() if value is not None}]}).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Invalid JSON"),
        (b"[", "Invalid JSON"),
        (b"[" * 10_000, "Invalid JSON"),
        (b'{"cameras":[],"camera":[]}', ".camera: unknown key. Did you mean 'cameras'?"),
        (edited(levle="P1", level=None), ".cameras[0].levle: unknown key. Did you mean 'level'?"),
        (edited(cam_from_site={"quat": [0, 0, 0, 1], "translation": [0, 0, 0]}), "Did you mean 'quat_xyzw'?"),
        (edited(level=None), ".cameras[0].level: Field required"),
        (edited(model="PINHOL"), "Did you mean 'PINHOLE'?"),
        (edited(params=[1.0, 2.0]), "PINHOLE has 4 parameters, got 2"),
        (edited(params=[float("nan")] * 4), "finite"),
        (edited(width="640"), ".cameras[0].width"),
        (edited(id="../cam"), ".cameras[0].id"),
        (edited(cam_from_site={"quat_xyzw": [0, 0, 0, 0], "translation": [0, 0, 0]}), "not a rotation"),
        (edited(covariance=[[1.0] * 6] * 5), ".cameras[0].covariance"),
        (edited(covariance=(-np.eye(6)).tolist()), "not symmetric and positive"),
        (edited().replace(b"}]}", b"}, %s]}" % edited()[13:-2]), "camera 'cam1' occurs twice"),
    ],
)
def test_bad_cameras_json_is_refused_with_the_place(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "cameras.json"
    path.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_cameras_json(path)
    assert said in str(caught.value)
    assert "cameras.json" in str(caught.value)
