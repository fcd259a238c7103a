"""Landmarks: saved as plain arrays, refused when damaged, triangulated anew without a view."""

from pathlib import Path

import numpy as np
import pytest

from geometry import TwinDamagedError, squared_mahalanobis
from tests.twin.worlds import CAMERA, Mapped, mapped, room, walk
from twin.landmarks import Landmarks, left_out, refined


@pytest.fixture(scope="module")
def made() -> Mapped:
    rng = np.random.default_rng(0)
    return mapped(room(rng), walk(), rng)


def test_saved_landmarks_read_back_equal(made: Mapped, tmp_path: Path) -> None:
    made.landmarks.save(tmp_path)
    loaded = Landmarks.load(tmp_path)
    for name, value in vars(made.landmarks).items():
        assert np.array_equal(value, getattr(loaded, name)), name
    assert isinstance(loaded.descriptors, np.memmap)


@pytest.mark.parametrize("name", ["points.npy", "descriptors.npy", "index.json"])
def test_damaged_arrays_are_refused(made: Mapped, tmp_path: Path, name: str) -> None:
    made.landmarks.save(tmp_path)
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(TwinDamagedError):
        Landmarks.load(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(TwinDamagedError):
        Landmarks.load(tmp_path)


def test_indices_outside_the_arrays_are_refused(made: Mapped, tmp_path: Path) -> None:
    made.landmarks.save(tmp_path)
    np.save(tmp_path / "landmark.npy", np.asarray(made.landmarks.landmark) + len(made.landmarks))
    with pytest.raises(TwinDamagedError, match="outside"):
        Landmarks.load(tmp_path)


def test_claimed_covariance_holds_for_the_landmarks() -> None:
    rng = np.random.default_rng(8)
    world = room(rng)
    landmarks = mapped(world, walk(), rng).landmarks
    distance = np.linalg.norm(landmarks.points[:, None] - world.points[None], axis=2)
    errors = landmarks.points - world.points[distance.argmin(axis=1)]
    nees = np.median(squared_mahalanobis(errors, landmarks.covariances.astype(np.float64))) / 2.366
    assert 0.8 < nees < 1.25  # measured 1.0; the median of chi-square with 3 degrees of freedom is 2.366


def test_leaving_a_view_out_drops_its_observations_and_lone_landmarks(made: Mapped) -> None:
    view, cameras = 3, [CAMERA] * len(made.poses)
    less = left_out(made.landmarks, view, made.poses, cameras)
    assert made.landmarks.views[view] not in less.views
    assert len(less.views) == len(made.landmarks.views) - 1
    assert less.view_offsets[-1] == len(less.landmark)
    assert len(less) < len(made.landmarks)
    assert np.bincount(less.landmark, minlength=len(less)).min() >= 2
    kept = np.flatnonzero(np.isin(made.landmarks.ids, less.ids))
    seen = np.isin(
        less.ids, made.landmarks.ids[made.landmarks.landmark[made.landmarks.observations_of(np.array([view]))]]
    )
    moved = np.abs(less.points - made.landmarks.points[kept]).max(axis=1)
    assert (moved[seen] > 0).all()  # triangulated anew without the view
    assert (moved[~seen] == 0).all()


def test_refining_twice_changes_nothing(made: Mapped) -> None:
    again = refined(made.landmarks, made.poses, [CAMERA] * len(made.poses))
    assert len(made.landmarks) - 3 <= len(again) <= len(made.landmarks)  # one may sit on the bound of the angle
    kept = np.flatnonzero(np.isin(made.landmarks.ids, again.ids))
    moved = np.linalg.norm(again.points - made.landmarks.points[kept], axis=1)
    assert np.percentile(moved, 99) < 1e-4
