"""A capture on disk: layout, exact truth, honest claims."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest
from PIL import Image
from scipy.spatial.transform import Rotation

from geometry.errors import InputError
from geometry.frames import pose_error, pose_from_position
from geometry.interchange import PoseTable, camera_for, read_cameras, read_poses
from scenes import DriftOptions, Place, claimed_poses, query_views, true_poses, walk_views, write_capture


def small_camera() -> pycolmap.Camera:
    return pycolmap.Camera(model="OPENCV", width=64, height=48, params=[50, 51, 32, 24, -0.05, 0.01, 0.001, 0])


def test_capture_reads_back(small_court: Place, tmp_path: Path) -> None:
    rng, camera = np.random.default_rng(0), small_camera()
    walk, queries = walk_views(small_court, camera, rng, 5), query_views(small_court, camera, rng, 3)
    progress: list[tuple[int, int]] = []
    write_capture(tmp_path / "out", small_court, walk, queries, rng, on_progress=lambda *p: progress.append(p))
    assert progress == [(i, 8) for i in range(1, 9)]
    rules = read_cameras(tmp_path / "out" / "cameras.csv")
    for kind, views in (("walk", walk), ("queries", queries)):
        truth = read_poses(tmp_path / "out" / "truth" / f"{kind}.csv")
        on_disk = {path.name for path in (tmp_path / "out" / kind).iterdir() if path.suffix == ".jpg"}
        assert set(truth.images) == on_disk
        for view, position, quat in zip(views, truth.positions, truth.quats_xyzw, strict=True):
            metres, degrees = pose_error(pose_from_position(position, quat), view.cam_from_site)
            assert metres < 1e-12
            assert degrees < 1e-5
            with Image.open(tmp_path / "out" / kind / view.image) as picture:
                assert picture.size == (64, 48)
            found = camera_for(view.image, rules)
            assert found is not None
            np.testing.assert_array_equal(found.params, camera.params)
    claimed = read_poses(tmp_path / "out" / "walk" / "poses.csv")
    assert claimed.images == tuple(view.image for view in walk)


def test_claimed_poses_err_as_much_as_they_say() -> None:
    count, options = 60, DriftOptions()
    angle = np.linspace(0, 2 * np.pi, count)
    truth = PoseTable(
        images=tuple(f"{i}.jpg" for i in range(count)),
        positions=np.column_stack([6 * np.cos(angle), 4 * np.sin(angle), np.full(count, 1.6)]),
        quats_xyzw=Rotation.from_euler("z", angle[:, None]).as_quat(),
        sigma_m=np.zeros(count),
        sigma_deg=np.zeros(count),
    )
    rng, z, turn = np.random.default_rng(0), [], []
    for _ in range(300):
        claimed = claimed_poses(truth, options, rng)
        z.append((claimed.positions - truth.positions) / claimed.sigma_m[:, None])
        error = Rotation.from_quat(claimed.quats_xyzw) * Rotation.from_quat(truth.quats_xyzw).inv()
        turn.append(np.degrees(error.as_rotvec()) / claimed.sigma_deg[:, None])
    assert np.std(z, axis=(0, 2)) == pytest.approx(np.ones(count), abs=0.12)  # each picture of the walk; measured 0.08
    assert np.std(np.array(turn)[..., 2]) == pytest.approx(1.0, abs=0.08)  # heading
    assert np.std(np.array(turn)[..., :2]) < 1.0  # tilt is better than claimed: gravity
    assert claimed.sigma_m[-1] > 5 * claimed.sigma_m[0]


def test_no_drift_no_noise_is_the_truth(small_court: Place) -> None:
    truth = true_poses(walk_views(small_court, small_camera(), np.random.default_rng(0), 4))
    none = DriftOptions(noise_m=0, noise_deg=0, drift_m_per_sqrt_m=0, drift_deg_per_sqrt_m=0)
    claimed = claimed_poses(truth, none, np.random.default_rng(0))
    np.testing.assert_allclose(claimed.positions, truth.positions)
    np.testing.assert_allclose(claimed.quats_xyzw, truth.quats_xyzw, atol=1e-12)


def test_no_views_have_an_empty_table() -> None:
    assert len(true_poses([])) == 0


def test_bad_targets_are_refused_before_anything_is_written(small_court: Place, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    walk = walk_views(small_court, small_camera(), rng, 2)
    other = walk_views(
        small_court, pycolmap.Camera(model="PINHOLE", width=64, height=48, params=[50, 50, 32, 24]), rng, 2
    )
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(InputError, match="not empty"):
        write_capture(tmp_path, small_court, walk, [], rng)
    for walked, asked in (([], walk), (walk, other)):
        with pytest.raises(InputError, match="one camera"):
            write_capture(tmp_path / "new", small_court, walked, asked, rng)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["mine.txt"]
