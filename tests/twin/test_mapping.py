"""Mapping a rendered room: three kinds of pose knowledge, cancelling, and being killed at every stage."""

import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from geometry import (
    CancelledError,
    MappingError,
    PoseTable,
    TwinError,
    pose_error,
    pose_from_position,
    position_of,
    read_poses,
    write_poses,
)
from tests.conftest import WALK, Rendered
from twin import MapInputs, Twin, map_images
from twin.store import problems

STAGES = ("features", "matches", "reconstruction", "left-out check", "publish")

KILLED_AT = """
import os, signal, sys
from pathlib import Path
from twin import MapInputs, map_images

images, cameras, poses, out, stage = sys.argv[1:]

def kill(name, done, total):
    if name == stage and (done > 0 or total == 1):
        os.kill(os.getpid(), signal.SIGKILL)

map_images(MapInputs(images=Path(images), cameras=Path(cameras), poses=Path(poses)), Path(out), on_progress=kill)
"""


def true_poses(rendered: Rendered) -> dict:
    table = read_poses(rendered.folder / "truth" / "walk.csv")
    return {n: pose_from_position(table.positions[i], table.quats_xyzw[i]) for i, n in enumerate(table.images)}


def errors(twin: Path, rendered: Rendered) -> np.ndarray:
    truth = true_poses(rendered)
    return np.array([pose_error(pose, truth[name]) for name, pose in Twin.open(twin).view_poses.items()])


def test_known_poses_are_kept(small_twin: Path, rendered: Rendered) -> None:
    assert errors(small_twin, rendered).max() < 1e-6
    quality = json.loads((small_twin / "quality.json").read_text())
    assert quality["images"]["not_placed"] == {}
    assert quality["residuals_px"]["median"] < 0.5  # measured 0.13
    assert quality["left_out"]["localized"] >= WALK - 3
    assert problems(small_twin) == []


def test_approximate_poses_are_adjusted(rendered: Rendered, tmp_path: Path) -> None:
    claimed = read_poses(rendered.folder / "walk" / "poses.csv")
    before = np.linalg.norm(claimed.positions - read_poses(rendered.folder / "truth" / "walk.csv").positions, axis=1)
    map_images(rendered.inputs("walk/poses.csv"), tmp_path / "twin")
    after = errors(tmp_path / "twin", rendered)
    assert len(after) >= WALK - 2  # measured 27: the matches of one contradict its claim
    assert np.median(after[:, 0]) < 2 * np.median(before)  # the frame drifts as the priors do
    assert np.median(after[:, 1]) < 1.5  # measured 0.77
    assert shape_error(tmp_path / "twin", rendered) < 0.02  # but the shape is that of the photos


def shape_error(folder: Path, rendered: Rendered) -> float:
    """Return the median distance of camera centres from the truth after the best similarity."""
    truth, twin = true_poses(rendered), Twin.open(folder)
    ours = np.array([position_of(pose) for pose in twin.view_poses.values()])
    true = np.array([position_of(truth[name]) for name in twin.view_poses])
    return float(np.median(np.linalg.norm(pycolmap.estimate_sim3d(ours, true) * ours - true, axis=1)))


def test_without_poses_the_shape_comes_from_the_photos_alone(rendered: Rendered, tmp_path: Path) -> None:
    quality = map_images(rendered.inputs(None), tmp_path / "twin")
    twin = Twin.open(tmp_path / "twin")
    assert not twin.manifest.frame.metric
    assert quality["images"]["placed"] >= WALK - 6
    assert shape_error(tmp_path / "twin", rendered) < 0.02


def test_position_priors_tie_the_map_to_site(rendered: Rendered, tmp_path: Path) -> None:
    truth = read_poses(rendered.folder / "truth" / "walk.csv")
    n = len(truth)
    noisy = truth.positions + 0.03 * np.random.default_rng(0).standard_normal((n, 3))
    blank = np.full((n, 4), np.nan)
    priors = PoseTable(
        images=truth.images, positions=noisy, quats_xyzw=blank, sigma_m=np.full(n, 0.03), sigma_deg=np.full(n, np.nan)
    )
    write_poses(tmp_path / "priors.csv", priors)
    quality = map_images(replace(rendered.inputs(), poses=tmp_path / "priors.csv"), tmp_path / "twin")
    frame = Twin.open(tmp_path / "twin").manifest.frame
    assert frame.aligned_by == ["position priors"]
    assert frame.metric
    assert 0.4 < quality["alignment"]["chi2_per_dof"] < 1.8
    assert np.median(errors(tmp_path / "twin", rendered)[:, 0]) < 0.04  # 0.03 / sqrt(28) a coordinate, and rotation


def test_cancelling_keeps_finished_stages(rendered: Rendered, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "matches":
            raise CancelledError("enough")

    with pytest.raises(CancelledError):
        map_images(rendered.inputs(), tmp_path / "twin", on_progress=stop)
    assert not (tmp_path / "twin").exists()
    assert len(list((tmp_path / ".twin.work" / "features").iterdir())) == WALK


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_any_stage_the_old_twin_opens_and_a_rerun_resumes(
    stage: str, rendered: Rendered, small_twin: Path, tmp_path: Path
) -> None:
    out = tmp_path / "twin"
    subprocess.run(["cp", "-r", small_twin, out], check=True)
    inputs = rendered.inputs("walk/poses.csv")
    arguments = [str(p) for p in (inputs.images, inputs.cameras, inputs.poses, out)]
    killed = subprocess.run([sys.executable, "-c", KILLED_AT, *arguments, stage], capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert problems(out) == []
    assert Twin.open(out, verify=True).manifest.frame.aligned_by == ["poses"]
    finished = {p: p.stat().st_mtime_ns for p in (tmp_path / ".twin.work").glob("*/*.npz")}
    assert finished
    seen: dict[Path, int] = {}

    def watch(name: str, done: int, total: int) -> None:
        if name == "publish" and done == 0:
            seen.update({p: p.stat().st_mtime_ns for p in finished})

    map_images(inputs, out, on_progress=watch)
    assert seen == finished  # nothing that was done is done again
    assert Twin.open(out, verify=True).manifest.frame.aligned_by == ["position priors"]
    assert [p.name for p in tmp_path.iterdir()] == ["twin"]


def test_folder_of_photos_is_not_overwritten(rendered: Rendered) -> None:
    with pytest.raises(TwinError, match="not a twin"):
        map_images(rendered.inputs(), rendered.walk)
    assert (rendered.walk / "poses.csv").exists()


def test_photos_of_different_places_do_not_make_a_map(tmp_path: Path) -> None:
    import cv2

    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for i in range(3):
        noise = cv2.resize(rng.integers(0, 255, (60, 80), dtype=np.uint8), (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "photos" / f"{i}.png"), noise)
    with pytest.raises(MappingError, match=r"match|structure"):
        map_images(MapInputs(images=tmp_path / "photos"), tmp_path / "twin")
    assert not (tmp_path / "twin").exists()
