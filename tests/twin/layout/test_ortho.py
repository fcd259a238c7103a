from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest
import shapely

from geometry import camera_from_params, pixels_from_opencv, pose_from_matrix, unproject
from geometry.errors import ImageError, InputError
from twin.layout import Ortho, OrthoOptions, read_ortho, rectify_floor, write_ortho
from twin.photos import MapPhoto

LENS = camera_from_params("SIMPLE_RADIAL", 320, 240, [260.0, 160.0, 120.0, -0.05])
EXTENT = shapely.box(0, 0, 6, 4)
OPTIONS = OrthoOptions(m_per_px=0.02, tile_px=64, max_footprint=0.3)
SLOPE = 0.05


def _flat(points: np.ndarray) -> np.ndarray:
    return np.zeros(len(points))


def _slope(points: np.ndarray) -> np.ndarray:
    return SLOPE * points[:, 0]


def _texture(points: np.ndarray) -> np.ndarray:
    """Return the brightness (N,) of a floor: smooth waves and a bright cross."""
    x, y = points.T
    waves = 110 + 25 * np.sin(2.1 * x) * np.cos(1.7 * y)
    return np.where((np.abs(x - 3) < 0.1) | (np.abs(y - 2) < 0.1), 200.0, waves)


def _cameras() -> list[pycolmap.Rigid3d]:
    """Return eight cameras around the floor that look at its middle from 1.6 m above."""
    poses = []
    for angle in np.arange(8) * np.pi / 4 + 0.2:
        centre = np.array([3 + 3.2 * np.cos(angle), 2 + 2.4 * np.sin(angle), 1.75])
        forward = np.array([3, 2, 0.15]) - centre
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward])
        poses.append(pose_from_matrix(rotation, -rotation @ centre))
    return poses


def _photos(folder: Path, slope: float = 0.0, gains: Sequence[float] = (1.0,) * 8, box: bool = False) -> list[MapPhoto]:
    """Render the floor z = slope * x, with a dark box of 1 x 1 x 0.8 m on it in a third of the photos."""
    u, v = np.meshgrid(np.arange(320), np.arange(240))
    rays = unproject(LENS, pixels_from_opencv(np.column_stack([u.ravel(), v.ravel()])))
    photos = []
    for index, (pose, gain) in enumerate(zip(_cameras(), gains, strict=True)):
        site_from_cam = pose.inverse()
        centre, way = np.asarray(site_from_cam.translation), rays @ site_from_cam.rotation.matrix().T
        depth = (centre[2] - slope * centre[0]) / (slope * way[:, 0] - way[:, 2])
        hits = centre + np.where(depth > 0, depth, np.nan)[:, None] * way
        shade = np.nan_to_num(_texture(hits[:, :2]), nan=20.0) * gain
        if box and index % 3 == 0:
            with np.errstate(divide="ignore"):
                slabs = np.stack(
                    [(np.array([1.0, 1.0, 0.0]) - centre) / way, (np.array([2.0, 2.0, 0.8]) - centre) / way]
                )
            inside = slabs.min(axis=0).max(axis=1) < slabs.max(axis=0).min(axis=1)
            shade = np.where(inside, 15.0, shade)
        picture = np.clip(shade, 0, 255).astype(np.uint8).reshape(240, 320)
        path = folder / f"{index}.png"
        cv2.imwrite(str(path), picture)
        photos.append(MapPhoto(name=path.name, path=path, camera=LENS, cam_from_site=pose))
    return photos


def _error(ortho: Ortho, where: shapely.Polygon) -> np.ndarray:
    """Return the difference from the texture, as shares, of what is seen inside ``where``, off the cross's edges."""
    v, u = np.mgrid[: ortho.views.shape[0], : ortho.views.shape[1]]
    points = ortho.site_from_pixels(np.stack([u, v], axis=-1) + 0.5).reshape(-1, 2)
    off_edges = (np.abs(np.abs(points - (3, 2)) - 0.1) > 0.05).all(axis=1)
    chosen = off_edges & shapely.contains_xy(where, points) & (ortho.views.ravel() > 0)
    assert chosen.sum() > 3000
    found = ortho.pixels[..., 0].ravel()[chosen] / _texture(points[chosen])
    return np.asarray(np.abs(found / np.median(found) - 1))


@pytest.mark.parametrize("slope", [0.0, SLOPE])
def test_a_floor_is_laid_flat(tmp_path: Path, slope: float) -> None:
    ortho = rectify_floor(_photos(tmp_path, slope), _slope if slope else _flat, EXTENT, OPTIONS)
    assert ortho.top_left == (0.0, 4.0)
    assert np.percentile(_error(ortho, EXTENT), 95) < 0.03  # measured 0.005, level and sloping
    assert (ortho.views[20:180, 20:280] >= 3).mean() > 0.95
    assert np.isnan(ortho.spread[ortho.views == 0]).all()


def test_a_wrong_height_shows_as_spread(tmp_path: Path) -> None:
    photos = _photos(tmp_path)
    right, wrong = (rectify_floor(photos, lambda p, z=z: np.full(len(p), z), EXTENT, OPTIONS) for z in (0.0, 0.25))
    assert np.nanmean(wrong.spread) > 3 * np.nanmean(right.spread)


def test_what_stands_in_few_views_drops_out(tmp_path: Path) -> None:
    beside = shapely.box(0.9, 0.9, 2.1, 2.1)
    ortho = rectify_floor(_photos(tmp_path, box=True), _flat, EXTENT, OPTIONS)
    assert np.percentile(_error(ortho, beside), 90) < 0.04  # measured 0.012


def test_exposure_is_balanced(tmp_path: Path) -> None:
    gains = [1.0, 0.8, 1.15, 0.9, 1.1, 0.85, 1.0, 1.2]
    ortho = rectify_floor(_photos(tmp_path, gains=gains), _flat, EXTENT, OPTIONS)
    assert np.percentile(_error(ortho, EXTENT), 90) < 0.05  # measured 0.005, and 0.13 unbalanced


def test_pixels_and_points_are_each_other_s_inverse() -> None:
    blank = np.zeros((10, 20), np.uint8)
    ortho = Ortho(
        pixels=np.zeros((10, 20, 3), np.uint8),
        views=blank,
        spread=blank.astype(np.float32),
        top_left=(3.0, 8.0),
        m_per_px=0.5,
    )
    assert ortho.site_from_pixels([0.5, 0.5]).tolist() == [3.25, 7.75]
    points = np.random.default_rng(0).uniform(-5, 5, (7, 2))
    assert np.allclose(ortho.site_from_pixels(ortho.pixels_from_site(points)), points)


def test_no_photo_of_the_floor_is_refused(tmp_path: Path) -> None:
    photos = _photos(tmp_path)
    with pytest.raises(InputError, match="none of 8 photos"):
        rectify_floor(photos, lambda p: np.full(len(p), 30.0), EXTENT, OPTIONS)
    with pytest.raises(InputError, match="none of 0 photos"):
        rectify_floor([], _flat, EXTENT, OPTIONS)
    with pytest.raises(InputError, match="no area"):
        rectify_floor(photos, _flat, shapely.Polygon(), OPTIONS)


def test_files_come_back_and_damage_is_named(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    spread = rng.integers(0, 200, (30, 40)).astype(np.float32)
    spread[:5] = np.nan
    ortho = Ortho(
        pixels=rng.integers(0, 255, (30, 40, 3)).astype(np.uint8),
        views=rng.integers(0, 30, (30, 40)).astype(np.uint8),
        spread=spread,
        top_left=(-1.5, 7.25),
        m_per_px=0.02,
    )
    write_ortho(tmp_path / "layout", "P1/a", ortho)
    assert sorted(path.name for path in (tmp_path / "layout").iterdir()) == [
        f"P1%2Fa.{end}" for end in ("pgw", "png", "spread.png", "views.png")
    ]
    again = read_ortho(tmp_path / "layout", "P1/a")
    assert again.top_left == pytest.approx(ortho.top_left, abs=1e-12)
    assert again.m_per_px == 0.02
    for field in ("pixels", "views", "spread"):
        assert np.array_equal(getattr(again, field), getattr(ortho, field), equal_nan=field == "spread")
    world = tmp_path / "layout" / "P1%2Fa.pgw"
    for text in ("0.02\n0\n0\n-0.02\n1\n", "0.02\n0.1\n0\n-0.02\n1\n1\n", "a\n", "nan\n0\n0\nnan\n1\n1\n"):
        world.write_text(text)
        with pytest.raises(InputError, match="world file"):
            read_ortho(tmp_path / "layout", "P1/a")
    with pytest.raises((InputError, ImageError)):
        read_ortho(tmp_path, "none")
