"""Real photos with laser-scan truth, through the public API: exact answers, and strangers refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from geometry import (
    CameraRule,
    PoseTable,
    camera_from_opencv,
    pose_error,
    pose_from_matrix,
    position_of,
    quat_xyzw_of,
    write_cameras,
    write_poses,
)
from tests.support import real_data
from twin import MapInputs, Twin, localize_images, map_images


def read_scene(folder: Path) -> tuple[list[Path], CameraRule, list]:
    """Return the photos, one rule for their camera, and the true poses."""
    content = json.loads((folder / "cameras.json").read_text("utf-8"))
    cameras = content["cameras"]
    camera = camera_from_opencv(np.array(cameras[0]["K"]), [], tuple(content["image_size"]))
    files = [folder / "images" / c["name"] for c in cameras]
    return files, CameraRule("*", camera), [pose_from_matrix(c["R"], c["t"]) for c in cameras]


@pytest.fixture(scope="module")
def fountain(tmp_path_factory: pytest.TempPathFactory) -> Twin:
    """The twin of fountain-P11's even-numbered photos at their true poses."""
    files, rule, poses = read_scene(real_data("strecha/fountain-P11"))
    folder = tmp_path_factory.mktemp("fountain")
    (folder / "images").mkdir()
    for file in files[::2]:
        (folder / "images" / file.name).write_bytes(file.read_bytes())
    n = len(files[::2])
    known = PoseTable(
        images=tuple(file.name for file in files[::2]),
        positions=np.array([position_of(pose) for pose in poses[::2]]),
        quats_xyzw=np.array([quat_xyzw_of(pose) for pose in poses[::2]]),
        sigma_m=np.zeros(n),
        sigma_deg=np.zeros(n),
    )
    write_poses(folder / "poses.csv", known)
    write_cameras(folder / "cameras.csv", [rule])
    inputs = MapInputs(images=folder / "images", cameras=folder / "cameras.csv", poses=folder / "poses.csv")
    map_images(inputs, folder / "twin")
    return Twin.open(folder / "twin", verify=True)


def test_the_photos_between_are_localized_to_millimetres(fountain: Twin) -> None:
    files, rule, poses = read_scene(real_data("strecha/fountain-P11"))
    answers = list(localize_images(fountain, [(file.name, file) for file in files[1::2]], [rule]))
    assert [answer.status for answer in answers] == ["ok"] * 5
    errors = [pose_error(answer.cam_from_site, truth) for answer, truth in zip(answers, poses[1::2], strict=True)]
    metres, degrees = np.median(errors, axis=0)
    assert metres < 0.00231  # measured 0.00218; hloc has 0.0021 on these photos, and 1.1 of that is the bound
    assert degrees < 0.02  # measured 0.0135


def test_photos_of_another_place_are_refused(fountain: Twin) -> None:
    files, rule, _ = read_scene(real_data("strecha/castle-P30"))
    answers = list(localize_images(fountain, [(file.name, file) for file in files[::10]], [rule]))
    assert [answer.status for answer in answers] == ["refused"] * 3
    assert all(answer.reason for answer in answers)
