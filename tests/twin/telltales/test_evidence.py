"""Telling levels apart by what a photo shows: photos of a floor that are drawn here, with a truth."""

from dataclasses import replace

import cv2
import numpy as np
import pycolmap
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from geometry import pose_from_position, unproject
from geometry.cameras import camera_from_params
from twin.telltales import Telltale, level_log_odds
from twin.telltales.evidence import LEAST_DIFFERENCES, LEAST_PART, MOST_LOG_ODDS, _aligned, _span, _whole_part
from twin.telltales.patches import inside

LEVELS, STEP = 3, 0.04
SHAPE = (30, 40)
CAMERA = camera_from_params("SIMPLE_RADIAL", 320, 240, (260.0, 160.0, 120.0, -0.05))
# Half a turn about the x axis and 35 degrees up: looks along +y, and down.
DOWN = float(np.radians(35.0))


def pose(x: float = 0.0, y: float = -2.5, level: int = 0) -> pycolmap.Rigid3d:
    turn = pycolmap.Rotation3d(np.array([np.pi / 2 + DOWN, 0.0, 0.0]))
    return pose_from_position(np.array([x, y, 3.5 * level + 1.6]), turn.inverse().quat)


def telltale(seed: int = 0, contrast: float = 0.3) -> Telltale:
    """Return a floor of grain that all levels share, with a stain of its own on the level in the middle."""
    rng = np.random.default_rng(seed)
    grain = 0.06 * gaussian_filter(rng.normal(size=SHAPE), 2.0) / 0.14
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    stain = -contrast * (((y - 15) / 7) ** 2 + ((x - 20) / 10) ** 2 < 1)
    looks = np.stack([grain, grain + stain, grain]).astype(np.float32)
    corner = np.array([-STEP * (SHAPE[1] - 1) / 2, STEP * (SHAPE[0] - 1) / 2, 0.0])
    return Telltale(
        name="stain",
        origin=np.array([corner + np.array([0, 0, 3.5 * k]) for k in range(LEVELS)]),
        right=np.tile([STEP, 0, 0], (LEVELS, 1)),
        down=np.tile([0, -STEP, 0], (LEVELS, 1)),
        looks=looks,
    )


def photo(made: Telltale, level: int, seen_from: pycolmap.Rigid3d, noise: float = 0.0) -> NDArray[np.uint8]:
    """Return what the camera shows of a level's floor, brighter to the right, outside of the patch plain."""
    v, u = np.mgrid[0:240, 0:320] + 0.5
    rays = unproject(CAMERA, np.column_stack([u.ravel(), v.ravel()]))
    rotation = np.asarray(seen_from.rotation.matrix())
    centre = -rotation.T @ np.asarray(seen_from.translation)
    rays = rays @ rotation
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = centre + rays * ((made.origin[level, 2] - centre[2]) / rays[:, 2])[:, None]
    column, row = (hit[:, 0] - made.origin[level, 0]) / STEP, (made.origin[level, 1] - hit[:, 1]) / STEP
    look = map_coordinates(made.looks[level], [row, column], order=1, mode="constant", cval=0.0)
    picture = 110 * np.exp(look + 0.2 * (u.ravel() / 320 - 0.5))
    picture = np.where(rays[:, 2] < -0.01, picture, 60.0).reshape(240, 320)
    picture += noise * np.random.default_rng(level).normal(size=picture.shape)
    return np.clip(np.round(picture), 0, 255).astype(np.uint8)


def odds(made: Telltale, gray: NDArray[np.uint8], seen_from: pycolmap.Rigid3d, level: int) -> NDArray[np.float64]:
    found = level_log_odds([made], gray, CAMERA, [seen_from], [level])
    assert found is not None
    assert found.shape == (LEVELS,)
    assert found.max() == 0.0
    assert found.min() >= -MOST_LOG_ODDS
    return found


@pytest.mark.parametrize("noise", [0.0, 6.0])
@pytest.mark.parametrize("level", range(LEVELS))
def test_a_stain_tells_its_level_and_its_absence_speaks_against_it(level: int, noise: float) -> None:
    made, at = telltale(), pose(level=level)
    found = odds(made, photo(made, level, at, noise), at, level)
    if level == 1:
        assert found[1] == 0.0
        assert found[[0, 2]].max() < -2.0  # measured -4.0 clean and noisy
    else:
        assert found[1] < -2.0  # measured -4.0, -3.9
        assert found[[0, 2]].min() > -0.2  # measured 0: both look the same


def test_a_pose_that_is_a_little_off_does_no_harm() -> None:
    made, at = telltale(), pose(level=1)
    gray = photo(made, 1, at, noise=3.0)
    off = pose(0.03, -2.46, level=1)
    assert odds(made, gray, off, 1)[[0, 2]].max() < -2.0  # measured -4.0


def test_light_and_contrast_of_another_day_do_not_matter() -> None:
    made, at = telltale(), pose(level=1)
    gray = photo(made, 1, at)
    darker = np.clip(0.35 * gray.astype(float) + 5, 0, 255).astype(np.uint8)
    assert odds(made, darker, at, 1)[[0, 2]].max() < -2.0  # measured -4.0


def test_what_stands_before_it_says_nothing() -> None:
    made, at = telltale(), pose(level=1)
    gray = photo(made, 1, at)
    rng = np.random.default_rng(5)
    gray[60:200, 60:260] = np.where(gaussian_filter(rng.normal(size=(140, 200)), 6) > 0, 220, 25)
    assert level_log_odds([made], gray, CAMERA, [at], [1]) is None


def test_a_look_is_found_through_a_little_skew() -> None:
    look = gaussian_filter(np.random.default_rng(3).normal(size=(30, 40)), 2.5).astype(np.float32)
    skew = np.array([[1.05, 0.08, 5.0], [-0.06, 0.96, 8.0]], dtype=np.float32)
    patch = cv2.warpAffine(look, skew, (54, 44), borderMode=cv2.BORDER_REPLICATE)
    best = cv2.minMaxLoc(cv2.matchTemplate(patch, look, cv2.TM_CCOEFF_NORMED))[1]
    found = max(np.corrcoef(seen.ravel(), look.ravel())[0, 1] for seen in _aligned(patch, look[None]))
    assert best < 0.96  # measured 0.946: what a shift gives
    assert found > 0.995  # measured 0.9996
    # A patch that shows something else gives what correlates best in it, and never what lies beside it.
    other = gaussian_filter(np.random.default_rng(4).normal(size=(44, 54)), 2.5).astype(np.float32)
    seen = np.stack(_aligned(other, look[None]))
    assert other.min() - 1e-6 <= seen.min() <= seen.max() <= other.max() + 1e-6


@pytest.mark.parametrize("level", range(LEVELS))
def test_a_pillar_beside_what_differs_leaves_the_rest_to_tell(level: int) -> None:
    made, at = sign(), pose(level=level)
    gray = photo(made, level, at)
    gray[:, : column_of(made, at, level, 15)] = 200
    found = odds(made, gray, at, level)
    assert np.delete(found, level).max() < -3.0  # measured -4, as where nothing hides it


@pytest.mark.parametrize("level", range(LEVELS))
def test_a_pillar_before_what_differs_says_nothing(level: int) -> None:
    made, at = sign(), pose(level=level)
    gray = photo(made, level, at)
    gray[:, column_of(made, at, level, 16) :] = 200
    told = level_log_odds([made], gray, CAMERA, [at], [level])
    assert told is None


def sign() -> Telltale:
    """Return a dark panel that names a level: a letter that all have on its left, and a mark of each one on its right.

    That of the first is below, of the second on both sides, of the third above.
    """
    looks = np.full((LEVELS, *SHAPE), -0.8, dtype=np.float32)
    looks[:, [0, 1, -2, -1]] = looks[:, :, [0, 1, -2, -1]] = 0.0
    looks[:, 6:24, 5:13] = 0.3
    looks[:2, 17:25, 21:33] = looks[1:, 5:13, 21:33] = 0.3
    return replace(telltale(), looks=looks)


def column_of(made: Telltale, seen_from: pycolmap.Rigid3d, level: int, cell: int) -> int:
    """Return the column of the photo that shows the middle of a telltale's column."""
    at = seen_from * (made.origin[level] + cell * made.right[level] + SHAPE[0] / 2 * made.down[level])
    return round(float(CAMERA.img_from_cam(at[None])[0, 0]))


def test_what_is_not_in_the_photo_says_nothing() -> None:
    made = telltale()
    gray = np.full((240, 320), 100, np.uint8)
    for away in (pose(y=3.0), pose(x=9.0), pose(y=-60.0)):
        assert level_log_odds([made], gray, CAMERA, [away], [0]) is None
    assert level_log_odds([], gray, CAMERA, [pose()], [0]) is None


@pytest.mark.parametrize("levels", [2, 3, 4])
def test_levels_that_look_the_same_are_not_told_apart(levels: int) -> None:
    made, at = telltale(contrast=0.0), pose(level=0)
    alike = replace(
        made,
        looks=np.repeat(made.looks[:1], levels, axis=0),
        **{name: np.resize(getattr(made, name), (levels, 3)) for name in ("origin", "right", "down")},
    )
    assert level_log_odds([alike], photo(alike, 0, at, 4.0), CAMERA, [at], [0]) is None


def test_a_level_without_any_contrast_does_not_hide_the_others() -> None:
    made, at = telltale(), pose(level=1)
    looks = made.looks.copy()
    looks[2] = 0.0
    bare = replace(made, looks=looks)
    assert odds(bare, photo(bare, 1, at), at, 1)[[0, 2]].max() < -2.0  # measured -4.0


def test_a_stain_that_the_border_cuts_still_tells() -> None:
    made, at = telltale(), pose(x=1.4, level=1)
    gray = photo(made, 1, at)
    assert odds(made, gray, at, 1)[[0, 2]].max() < -2.0  # measured -4.0, of 78 % of it
    assert level_log_odds([made], photo(made, 1, pose(x=2.6, level=1)), CAMERA, [pose(x=2.6, level=1)], [1]) is None


def test_a_faint_spot_on_flat_looks_says_nothing() -> None:
    made, at = telltale(), pose(level=1)
    looks = np.zeros((2, *SHAPE), dtype=np.float32)
    looks[1, 12:16, 18:22] = 0.08
    faint = Telltale(name="faint", origin=made.origin[:2], right=made.right[:2], down=made.down[:2], looks=looks)
    assert level_log_odds([faint], photo(made, 1, at), CAMERA, [at], [1]) is None


def test_a_stain_that_a_corner_of_the_photo_cuts_askew_still_tells() -> None:
    made = telltale()
    leaning = pycolmap.Rigid3d(pycolmap.Rotation3d(np.array([0.0, 0.0, np.radians(35.0)])), np.zeros(3))
    at = leaning * pose(x=0.55, y=-1.0, level=1)
    shown, _ = inside(CAMERA, at, made.cells(1), made.normal(1))
    assert shown.mean() < 0.8
    # No span of whole rows or columns has as much: the edge cuts both.
    assert max(shown.all(axis=0).mean(), shown.all(axis=1).mean()) < LEAST_PART
    assert odds(made, photo(made, 1, at), at, 1)[[0, 2]].max() < -2.0  # measured -4.0


@given(seed=st.integers(0, 2**32 - 1), height=st.integers(1, 40), width=st.integers(1, 40))
def test_the_part_that_is_looked_at_is_all_there_and_tells_enough(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    there = (y * rng.normal() + x * rng.normal() + rng.normal() * 10 > 0) & (y + x > rng.integers(0, 10))
    differences = rng.random((height, width)) ** 4 + 1e-9
    part = _whole_part(there, differences)
    if part is not None:
        assert there[part].all()
        assert differences[part].sum() >= LEAST_DIFFERENCES * differences.sum() * (1 - 1e-9)
        assert differences[part].size >= LEAST_PART * differences.size

    def worth(rows: slice, columns: slice) -> float:
        """Return what a part has of the patch and of differences; 0 where either is too little."""
        area = differences[rows, columns].size / differences.size
        share = float(differences[rows, columns].sum() / differences.sum())
        return area + share if area >= LEAST_PART and share >= LEAST_DIFFERENCES else 0.0

    every = slice(None)
    spans = [worth(_span(there.all(axis=1)), every), worth(every, _span(there.all(axis=0)))]
    found = 0.0 if part is None else worth(*part)
    assert found >= max(spans) - 1e-9, "whole rows or columns are a part, too"
