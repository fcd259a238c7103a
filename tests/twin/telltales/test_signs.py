"""Looks of signs from photos that are drawn here."""

from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from geometry import pose_from_position, project, transform_points
from geometry.cameras import camera_from_params
from twin.photos import MapPhoto
from twin.signs import SignLandmark
from twin.telltales import telltale_signs
from twin.telltales.signs import agreed

CAMERA = camera_from_params("SIMPLE_PINHOLE", 320, 240, (300.0, 160.0, 120.0))
ELEVATIONS, CEILINGS = (0.0, 3.5), (3.0, 3.0)
SIGN_M = (1.2, 0.6)


def last_letter(text: str) -> tuple[float, float]:
    return 1.0 - 1.0 / len(text), 1.0


def sign(level: int, text: str, *, x: float = 0.0, probability: float = 0.95, views: int = 5) -> SignLandmark:
    return SignLandmark(
        id=f"{text}-{level}", text=text, probability=probability,
        position=(x, 5.0, ELEVATIONS[level] + 2.0),
        covariance=((1e-4, 0, 0), (0, 1e-4, 0), (0, 0, 1e-4)),
        normal=(0.0, -1.0, 0.0), width=SIGN_M[0], height=SIGN_M[1],
        letter_height=0.4, kind="board", views=views,
    )  # fmt: skip


def board(text: str) -> NDArray[np.uint8]:
    picture = np.full((120, 240), 60, np.uint8)
    cv2.putText(picture, text, (30, 95), cv2.FONT_HERSHEY_SIMPLEX, 3.2, 230, 14)
    return picture


def photos(folder: Path, texts: list[str | None], hidden: int = 0) -> list[MapPhoto]:
    """Return five photos a level that look along +y at its sign; ``hidden`` of them show something before it."""
    taken = []
    for level, text in enumerate(texts):
        for number in range(5):
            at = np.array([0.6 * (number - 2), 1.0 + 0.3 * number, ELEVATIONS[level] + 1.7])
            pose = pose_from_position(at, pycolmap.Rotation3d(np.array([np.pi / 2, 0, 0])).inverse().quat)
            picture = np.full((240, 320), 120, np.uint8)
            if text is not None:
                corners = np.array([[x, 5.0, ELEVATIONS[level] + 2.0 + z] for z in (0.3, -0.3) for x in (-0.6, 0.6)])
                there, _ = project(CAMERA, transform_points(pose, corners))
                source = np.array([[0, 0], [240, 0], [0, 120], [240, 120]], np.float32)
                matrix = cv2.getPerspectiveTransform(source, there.astype(np.float32))
                warped = cv2.warpPerspective(board(text), matrix, (320, 240))
                mask = cv2.warpPerspective(np.full((120, 240), 255, np.uint8), matrix, (320, 240))
                picture = np.where(mask > 127, warped, picture).astype(np.uint8)
            if number < hidden:
                picture[60:200, 100:220] = np.random.default_rng(number).integers(0, 255, (140, 120))
            path = folder / f"{level}-{number}.png"
            cv2.imwrite(str(path), picture)
            taken.append(MapPhoto(name=path.name, path=path, camera=CAMERA, cam_from_site=pose))
    return taken


@pytest.mark.parametrize("hidden", [0, 2])
def test_signs_of_one_place_become_one_telltale(tmp_path: Path, hidden: int) -> None:
    taken = photos(tmp_path, ["P1", "P2"], hidden)
    (found,) = telltale_signs([sign(0, "P1"), sign(1, "P2")], last_letter, ELEVATIONS, CEILINGS, taken)
    assert "sign 'P1'" in found.name
    np.testing.assert_allclose(found.normal(0), [0, -1, 0], atol=1e-9)
    for level, text in enumerate(("P1", "P2")):
        cells = found.cells(level) - np.array([0.0, 0.0, ELEVATIONS[level] + 2.0])
        column, row = (cells[..., 0] + 0.6) / 1.2 * 240 - 0.5, (0.3 - cells[..., 2]) / 0.6 * 120 - 0.5
        drawn = map_coordinates(cv2.GaussianBlur(board(text).astype(float), (0, 0), 3), [row, column], order=1)
        on_board = (np.abs(cells[..., 0]) < 0.55) & (np.abs(cells[..., 2]) < 0.25)
        same = np.corrcoef(found.looks[level][on_board], np.log(drawn[on_board]))[0, 1]
        assert same > 0.85  # measured 0.95 and more, hidden or not
    before = found.cells(0)[0, :, 0] < -0.2
    np.testing.assert_array_equal(found.looks[0][:, before], found.looks[1][:, before])
    assert np.abs(found.looks[0] - found.looks[1]).max() > 0.5


def test_a_level_without_a_sign_there_shows_its_wall(tmp_path: Path) -> None:
    taken = photos(tmp_path, ["P1", None])
    (found,) = telltale_signs([sign(0, "P1")], last_letter, ELEVATIONS, CEILINGS, taken)
    assert found.looks[0].std() > 0.2
    assert found.looks[1].std() < 0.02


def test_a_sign_that_one_of_three_levels_has_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"{__name__}.ELEVATIONS", (0.0, 3.5, 7.0))
    taken = photos(tmp_path, ["P1", None, None])
    (found,) = telltale_signs([sign(0, "P1")], last_letter, (0.0, 3.5, 7.0), (3.0, 3.0, 3.0), taken)
    assert [look.std() > 0.1 for look in found.looks] == [True, False, False]


def test_looks_that_are_too_alike_are_left_out(tmp_path: Path) -> None:
    taken = photos(tmp_path, ["P1", "P1"])
    assert telltale_signs([sign(0, "P1"), sign(1, "P1")], last_letter, ELEVATIONS, CEILINGS, taken) == []


def test_what_is_seen_too_seldom_or_read_too_badly_is_left_out(tmp_path: Path) -> None:
    taken = photos(tmp_path, ["P1", "P2"])
    assert telltale_signs([sign(0, "P1", probability=0.3)], last_letter, ELEVATIONS, CEILINGS, taken) == []
    assert telltale_signs([sign(0, "P1"), sign(1, "P2")], last_letter, ELEVATIONS, CEILINGS, taken[:7]) == []
    assert telltale_signs([sign(0, "P1", x=30.0)], last_letter, ELEVATIONS, CEILINGS, taken) == []


def test_patches_agree_though_some_show_something_else() -> None:
    rng = np.random.default_rng(0)
    truth = np.kron(rng.normal(size=(5, 8)), np.ones((4, 4))).astype(np.float32)
    patches = np.stack([np.roll(truth, shift, axis=1) * scale for shift, scale in ((0, 1), (1, 0.5), (-1, 2), (0, 1))])
    others = rng.normal(size=(3, *truth.shape)).astype(np.float32)
    found = agreed(np.concatenate([patches, others]).astype(np.float32))
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] > 0.9  # measured 0.99


def test_a_sign_that_was_hardly_seen_on_its_level_is_left_out(tmp_path: Path) -> None:
    taken = photos(tmp_path, ["P1", "P2"])
    for photo in taken[5:]:
        blurred = cv2.GaussianBlur(cv2.imread(str(photo.path)), (0, 0), 25)
        cv2.imwrite(str(photo.path), blurred)
    assert telltale_signs([sign(0, "P1"), sign(1, "P2")], last_letter, ELEVATIONS, CEILINGS, taken) == []
