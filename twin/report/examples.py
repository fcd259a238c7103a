"""Matches worth showing: of a few localized photos, the points shared with the map image that looks most alike."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geometry import CameraRule, InputError
from perception import Extractor, read_image
from twin.landmarks import Landmarks
from twin.localization import Localization
from twin.localizer import Localizer
from twin.model import Twin
from twin.queries import query_camera


@dataclass(frozen=True, kw_only=True, eq=False)
class MatchExample:
    """A localized photo beside a map image.

    query, view: names; query_file, view_file: where the pictures are
    query_pixels, view_pixels: (M, 2) float64, where both see the same landmarks
    inliers: matches behind the pose, in all map images together
    """

    query: str
    view: str
    query_file: Path
    view_file: Path
    query_pixels: NDArray[np.float64]
    view_pixels: NDArray[np.float64]
    inliers: int

    def __post_init__(self) -> None:
        expected = (len(self.query_pixels), 2)
        if self.query_pixels.shape != expected or self.view_pixels.shape != expected:
            raise InputError(f"matches: expected {expected} twice, got {self.view_pixels.shape} in the map image")


def find_examples(
    twin: Twin,
    answers: Sequence[Localization],
    images: Mapping[str, Path],
    map_folder: Path,
    rules: Sequence[CameraRule] = (),
    *,
    count: int = 4,
    localizer: Localizer | None = None,
) -> list[MatchExample]:
    """Return matches of up to ``count`` localized photos, from the one with the fewest inliers to that with the most.

    ``images`` are the files of the photos by name, ``map_folder`` holds the photos that the map was made from. The
    chosen photos are localized once more, as answers don't keep their matches.
    """
    found = sorted((a for a in answers if a.status == "ok" and a.image in images), key=lambda a: a.inliers)
    chosen = np.unique(np.linspace(0, len(found) - 1, min(count, len(found))).round().astype(int))
    localizer, extractor = localizer or twin.localizer(), twin.extractor()
    names = [found[k].image for k in chosen]
    examples = [_example(twin, localizer, extractor, name, images[name], map_folder, rules) for name in names]
    return [example for example in examples if example is not None]


def _example(
    twin: Twin,
    localizer: Localizer,
    extractor: Extractor,
    name: str,
    path: Path,
    map_folder: Path,
    rules: Sequence[CameraRule],
) -> MatchExample | None:
    picture = read_image(path, name=name)
    features = extractor.extract(picture.gray)
    _, choice = localizer.localize_with_choice(name, features, query_camera(twin, name, path, rules), picture)
    if choice is None or choice.best.inliers == 0:
        return None
    best = choice.best
    inliers = best.estimate.inliers
    view, query_rows, view_pixels = _best_view(twin.landmarks, best.landmark[inliers])
    return MatchExample(
        query=name,
        view=view,
        query_file=path,
        view_file=map_folder / view,
        query_pixels=features.keypoints[best.feature[inliers][query_rows]].astype(np.float64),
        view_pixels=view_pixels,
        inliers=best.inliers,
    )


def _best_view(landmarks: Landmarks, seen: NDArray[np.int64]) -> tuple[str, NDArray[np.int64], NDArray[np.float64]]:
    """Return the map image that sees most of the landmarks ``seen`` (M,), their rows in ``seen`` and its pixels."""
    row_of = np.full(len(landmarks), -1)
    row_of[seen] = np.arange(len(seen))
    rows = row_of[landmarks.landmark]
    view_of = landmarks.view_of_observation()
    view = int(np.bincount(view_of[rows >= 0], minlength=len(landmarks.views)).argmax())
    shared = np.flatnonzero((rows >= 0) & (view_of == view))
    return landmarks.views[view], rows[shared], np.asarray(landmarks.pixels[shared], dtype=np.float64)
