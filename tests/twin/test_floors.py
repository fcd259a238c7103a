"""A twin's floors: what goes from its landmarks, views and tie to the site into ``geometry.find_floors``."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from geometry import Floors, InputError, pose_from_matrix, transform_points
from scenes import look
from tests.geometry.garage_points import Garage, floor, garage
from twin.landmarks import Landmarks
from twin.mapping.floors import floors_of, lowest_viewer, upright_floors
from twin.model import Twin


def landmarks_of(place: Garage, cameras: np.ndarray) -> Landmarks:
    """Return the landmarks as seen by two views each: one at the height they were seen from, and any higher one."""
    count = len(place.landmarks)
    first = np.abs(cameras[:, 2][None] - place.seen_from[:, None]).argmin(axis=1)
    highest = np.full(count, cameras[:, 2].argmax())
    view = np.concatenate([first, highest])
    order = np.argsort(view, kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(view, minlength=len(cameras)))])
    return Landmarks(
        ids=np.arange(count),
        points=place.landmarks,
        covariances=place.covariances.astype(np.float32),
        landmark=np.tile(np.arange(count, dtype=np.int32), 2)[order],
        pixels=np.zeros((2 * count, 2), np.float32),
        scales=np.ones(2 * count, np.float32),
        orientations=np.zeros(2 * count, np.float32),
        descriptors=np.zeros((2 * count, 4), np.float16),
        view_offsets=offsets.astype(np.int64),
        views=tuple(f"{k}.jpg" for k in range(len(cameras))),
        kind="synthetic",
    )


def twin_of(place: Garage, covariance: np.ndarray | None = None, *, in_site: bool = True) -> Twin:
    """Return what of a twin the floors are made of."""
    frame = SimpleNamespace(covariance=covariance, centroid=None if covariance is None else [20.0, 15.0, 0.0])
    parts = SimpleNamespace(
        folder=Path("garage"),
        is_in_site=in_site,
        landmarks=landmarks_of(place, place.cameras),
        view_positions=place.cameras,
        manifest=SimpleNamespace(frame=frame),
    )
    return cast(Twin, parts)


def errors(floors: Floors, level: int) -> np.ndarray:
    xy = np.random.default_rng(1).uniform((2, 2), (38, 28), (500, 2))
    return np.abs(floors.levels[level].height(xy)[0] - floor(xy, level))


def test_floors_of_a_twin() -> None:
    place = garage(np.random.default_rng(0))
    floors = floors_of(twin_of(place))
    assert [level.name for level in floors.levels] == ["P1", "P2"]
    assert max(errors(floors, level).max() for level in (0, 1)) < 0.01  # measured 0.002
    assert len(floors.ramps) == 1


def test_the_tie_to_the_site_widens_all_heights() -> None:
    place = garage(np.random.default_rng(0))
    plain, tied = floors_of(twin_of(place)), floors_of(twin_of(place, np.diag([0.0] * 6 + [0.04**2])))
    for before, after in zip(plain.levels, tied.levels, strict=True):
        assert after.elevation == before.elevation
        assert after.elevation_sigma == pytest.approx(np.hypot(before.elevation_sigma, 0.04))


def test_a_map_without_a_site_has_no_up() -> None:
    with pytest.raises(InputError, match="not tied to the site"):
        floors_of(twin_of(garage(np.random.default_rng(0), floor_points=10, cars=0), in_site=False))


def test_the_lowest_viewer_of_each_landmark() -> None:
    place = garage(np.random.default_rng(0), floor_points=50, cars=0)
    landmarks = landmarks_of(place, place.cameras)
    lowest = lowest_viewer(landmarks, place.cameras[:, 2])
    gap = np.abs(lowest - place.seen_from)
    assert np.median(gap) < 0.05  # the nearest camera by height that there is
    assert (lowest <= place.cameras[:, 2].max()).all()


def test_a_map_that_nothing_ties_has_floors_once_it_is_upright() -> None:
    place = garage(np.random.default_rng(0))
    rng = np.random.default_rng(1)
    upright = [look(tuple(c), yaw, -0.05, 0.01 * rng.standard_normal()) for c, yaw in
               zip(place.cameras.tolist(), rng.uniform(0, 6, len(place.cameras)), strict=True)]  # fmt: skip
    tilted = pose_from_matrix(Rotation.from_rotvec([0.9, -0.4, 0.3]).as_matrix(), np.array([3.0, 4.0, 5.0]))
    turn = tilted.rotation.matrix()
    landmarks = landmarks_of(place, place.cameras)
    landmarks = replace(
        landmarks,
        points=transform_points(tilted, landmarks.points),
        covariances=(turn @ landmarks.covariances @ turn.T).astype(np.float32),
    )
    poses = {view: pose * tilted.inverse() for view, pose in zip(landmarks.views, upright, strict=True)}
    manifest = SimpleNamespace(frame=SimpleNamespace(metric=True))
    parts = SimpleNamespace(folder=Path("garage"), landmarks=landmarks, view_poses=poses, manifest=manifest)
    floors, upright_from_map = upright_floors(cast(Twin, parts))
    up = upright_from_map.rotation.matrix() @ turn @ [0, 0, 1]
    assert np.degrees(np.arccos(up[2])) < 0.3  # measured 0.04
    assert len(floors.levels) == 2
    apart = floors.levels[1].elevation - floors.levels[0].elevation
    true = floor(np.array([[20.0, 15.0]]), 1)[0] - floor(np.array([[20.0, 15.0]]), 0)[0]
    assert apart == pytest.approx(true, abs=0.05)
    manifest.frame.metric = False
    with pytest.raises(InputError, match="no scale"):
        upright_floors(cast(Twin, parts))
