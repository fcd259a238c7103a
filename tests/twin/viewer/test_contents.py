from pathlib import Path

import numpy as np
import pytest

from geometry import InputError
from geometry.track_records import TrackRow
from twin import Twin
from twin.viewer.colouring import MODES
from twin.viewer.contents import SIGMAS_90, contents_of, ellipsoid, tracks_until
from twin.viewer.looking import localize_to_show, look, told


def row(time: float, track: int, x: float) -> TrackRow:
    return TrackRow.model_validate({"time": time, "track": track, "class": "car", "position": (x, 0.0, 0.0)})


def test_ellipsoid_is_where_the_mahalanobis_distance_is_that_of_90_percent() -> None:
    root = np.array([[0.3, 0.0, 0.0], [0.1, 0.2, 0.0], [0.0, 0.1, 0.5]])
    covariance, centre = root @ root.T, np.array([1.0, 2, 3])
    away = ellipsoid(centre, covariance).reshape(-1, 3) - centre
    distance = np.sqrt(np.einsum("ni,ij,nj->n", away, np.linalg.inv(covariance), away))
    assert distance == pytest.approx(SIGMAS_90, abs=1e-9)


def test_90_percent_of_normal_draws_are_inside_the_ellipsoid() -> None:
    draws = np.random.default_rng(0).normal(size=(20_000, 3))
    assert (np.linalg.norm(draws, axis=1) < SIGMAS_90).mean() == pytest.approx(0.9, abs=0.01)


def test_paths_join_rows_of_one_track_in_the_order_of_time() -> None:
    rows = [row(2.0, 1, 2.0), row(0.0, 1, 0.0), row(1.0, 1, 1.0), row(0.5, 2, 9.0)]
    assert tracks_until(rows, 9.0, [0.0]).segments[:, :, 0].tolist() == [[0.0, 1.0], [1.0, 2.0]]
    assert len(tracks_until(rows, 1.0, [0.0])) == 1
    assert len(tracks_until(rows, -1.0, [0.0])) == 0


def test_a_twin_shows_landmarks_in_every_colouring_and_the_walk(small_twin: Path) -> None:
    twin = Twin.open(small_twin)
    contents = contents_of(twin)
    assert tuple(contents.modes) == MODES
    assert all(colours.shape == (len(twin.landmarks), 3) for colours in contents.modes.values())
    assert len(contents.layers["walk"]) == 8 * len(twin.landmarks.views)


def test_a_localized_photo_shows_the_landmarks_it_was_found_by(small_twin: Path, rendered) -> None:
    twin = Twin.open(small_twin)
    photo = localize_to_show(twin, rendered.walk / twin.landmarks.views[5], rendered.cameras)
    assert photo.answer.status == "ok"
    assert len(photo.landmarks) == photo.answer.inliers
    assert f"{len(photo.landmarks)} landmarks" in told(photo)
    assert len(contents_of(twin, photos=[photo]).layers["photos"]) > 8


def test_picture_is_saved_and_names_how_it_was_made(small_twin: Path, tmp_path: Path) -> None:
    from perception import read_image

    said = look(small_twin, save=tmp_path / "twin.png", size=(160, 120), hidden=("walk",))
    assert "ray casting" in said
    picture = read_image(tmp_path / "twin.png").pixels
    assert picture.shape == (120, 160, 3)
    assert picture.std() > 5


@pytest.mark.parametrize("wrong", [{"level": "P9"}, {"camera": "nobody"}, {"mode": "rainbow"}])
def test_what_the_twin_lacks_is_named(small_twin: Path, tmp_path: Path, wrong: dict) -> None:
    with pytest.raises(InputError, match=str(next(iter(wrong.values())))):
        look(small_twin, save=tmp_path / "twin.png", **wrong)
    assert not (tmp_path / "twin.png").exists()
