"""Stages of meaning come from the workspace when they were made before, and are those that were made."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
from PIL import Image

from geometry import camera_from_params, find_floors
from perception import TextReading
from scenes import look
from tests.geometry.garage_points import garage
from twin.layout import FloorHeight, Ortho, OrthoOptions
from twin.mapping import meaning_stages
from twin.mapping.meaning_stages import MeaningStages
from twin.mapping.workspace import Workspace
from twin.photos import MapPhoto
from twin.progress import silent
from twin.signs import PhotoReading

CAMERA = camera_from_params("PINHOLE", 64, 48, [50.0, 50.0, 32.0, 24.0])


def photos(folder: Path, yaw: float = 0.0) -> list[MapPhoto]:
    for name, shade in (("0.png", 10), ("1.png", 200)):
        Image.fromarray(np.full((48, 64, 3), shade, np.uint8)).save(folder / name)
    return [
        MapPhoto(name=n, path=folder / n, camera=CAMERA, cam_from_site=look((x, 0.0, 1.6), yaw, 0.0, 0.0))
        for n, x in (("0.png", 0.0), ("1.png", 1.0))
    ]


def test_texts_are_read_once_in_each_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def fake(given: list[MapPhoto], *_: Any) -> list[PhotoReading]:
        read.extend(photo.name for photo in given)
        if given[0].name == "1.png":
            return []
        quad = np.array([[1.0, 1], [9, 1], [9, 5], [1, 5]])
        lines = [np.log(np.full((count, 38), 1 / 38, np.float32)) for count in (4, 7)]
        return [
            PhotoReading(
                photo=0,
                reading=TextReading(quad=quad + k, text=text, confidence=0.5 + k, detection=0.25, log_frames=frames),
                board=None if k else quad,
            )
            for k, (text, frames) in enumerate(zip(("P1 →", "É"), lines, strict=True))
        ]

    monkeypatch.setattr(meaning_stages, "read_photos", fake)
    monkeypatch.setattr(meaning_stages, "TextReader", lambda: None)
    given = photos(tmp_path)
    with Workspace.opened_for(tmp_path / "twin") as workspace:
        first, second = (MeaningStages(workspace).readings(given, silent) for _ in range(2))
        assert read == ["0.png", "1.png"]
        MeaningStages(workspace).readings(photos(tmp_path, yaw=0.3), silent)  # other poses: other pictures upright
        assert len(read) == 4
    assert [one.reading.text for one in second] == ["P1 →", "É"]
    for one, other in zip(first, second, strict=True):
        assert one.photo == other.photo == 0
        assert np.array_equal(one.reading.log_frames, other.reading.log_frames)
        assert np.array_equal(one.reading.quad, other.reading.quad)
        assert (one.reading.confidence, one.reading.detection) == (other.reading.confidence, other.reading.detection)
    assert second[0].board is not None
    assert second[1].board is None


def test_a_floor_is_rectified_once_unless_poses_or_options_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def fake(*_: Any) -> Ortho:
        made.append(1)
        pixels = np.random.default_rng(len(made)).integers(0, 255, (40, 60, 3), dtype=np.uint8)
        spread = np.full((40, 60), 3.0, np.float32)
        spread[0, 0] = np.nan
        return Ortho(
            pixels=pixels, views=np.full((40, 60), 7, np.uint8), spread=spread, top_left=(2.0, 8.0), m_per_px=0.1
        )

    monkeypatch.setattr(meaning_stages, "rectify_floor", fake)
    place = garage(np.random.default_rng(0))
    floors = find_floors(place.cameras, place.landmarks, place.covariances, seen_from=place.seen_from)
    given, extent = photos(tmp_path), shapely.box(2, 4, 8, 8)

    def height(level: int) -> FloorHeight:
        return lambda xy: floors.height(xy, level)[0]

    with Workspace.opened_for(tmp_path / "twin") as workspace:
        stages = MeaningStages(workspace)
        one, two = (stages.ortho(given, height(0), extent, OrthoOptions(), silent) for _ in range(2))
        assert len(made) == 1
        assert np.array_equal(one.pixels, two.pixels)
        assert np.array_equal(np.isnan(two.spread), np.isnan(one.spread))
        assert two.top_left == pytest.approx((2.0, 8.0))
        stages.ortho(photos(tmp_path, yaw=0.1), height(0), extent, OrthoOptions(), silent)
        stages.ortho(given, height(0), extent, OrthoOptions(max_height=2.0), silent)
        stages.ortho(given, height(1), extent, OrthoOptions(), silent)
        assert len(made) == 4
    MeaningStages(None).ortho(given, height(0), extent, OrthoOptions(), silent)
    assert len(made) == 5
