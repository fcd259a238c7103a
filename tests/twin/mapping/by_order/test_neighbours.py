"""What is built of neighbours alone, and how two photos lie to each other."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from tests.twin.mapping.by_order.worlds import STEP_M, Walk, around, two_storeys
from twin.mapping.by_order import neighbours
from twin.mapping.by_order.legs import MAX_GAP
from twin.mapping.by_order.links import Photos
from twin.mapping.by_order.neighbours import moves_of, two_views
from twin.mapping.capture import Capture
from twin.mapping.pairing import Pair
from twin.mapping.reconstruction import placed_images

CORNER = [(0.0, 0.0), (15.0, 0.0), (15.0, 13.5)]
WAY = round(15.0 / STEP_M)


@pytest.fixture(scope="module")
def walk() -> Walk:
    return two_storeys(alike=0.0, corners=CORNER)


def views_of(walk: Walk, folder: Path, count: int) -> dict[tuple[int, int], pycolmap.TwoViewGeometry]:
    """Return the two-view geometry of neighbours among the first photos."""
    pairs = [(a, b) for a in range(count) for b in range(a + 1, min(a + MAX_GAP, count - 1) + 1)]
    return two_views(folder / "alike.db", walk.capture(folder), walk.features, walk.matches(pairs))


def test_photos_that_global_sfm_leaves_out_are_asked_for_again(
    walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = len(around(CORNER, 0.0))
    whole = neighbours._global_sfm
    asked = []

    def keeping_the_larger_half(
        folder: Path, number: int, capture: Capture, views: Mapping[Pair, pycolmap.TwoViewGeometry]
    ) -> list[pycolmap.Reconstruction]:
        asked.append({row for pair in views for row in pair})
        before = {pair: each for pair, each in views.items() if max(pair) <= WAY}
        return whole(folder, number, capture, before or views)

    monkeypatch.setattr(neighbours, "_global_sfm", keeping_the_larger_half)
    models = neighbours.neighbours_alone(tmp_path, walk.capture(tmp_path), views_of(walk, tmp_path, count))
    held = [{image.image_id - 1 for image in placed_images(model)} for model in models]
    assert asked == [set(range(count)), set(range(WAY + 1, count))]
    assert held == [set(range(WAY + 1)), set(range(WAY + 1, count))]


def test_what_global_sfm_makes_nothing_of_costs_nothing_else(walk: Walk, tmp_path: Path) -> None:
    """Pairs of photos by themselves are never mapped; a long part is, beside them."""
    count = len(around(CORNER, 0.0))
    loners = [(0, 1), (3, 4)]
    views = {pair: each for pair, each in views_of(walk, tmp_path, count).items() if min(pair) > WAY or pair in loners}
    models = neighbours.neighbours_alone(tmp_path, walk.capture(tmp_path), views)
    assert [{image.image_id - 1 for image in placed_images(model)} for model in models] == [set(range(WAY + 1, count))]
    assert neighbours.neighbours_alone(tmp_path, walk.capture(tmp_path), {pair: views[pair] for pair in loners}) == []
    assert neighbours.neighbours_alone(tmp_path, walk.capture(tmp_path), {}) == []


def test_runs_of_nothing_end(walk: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def nothing(*given: object) -> dict[int, pycolmap.Reconstruction]:
        asked.append(given)
        return {}

    monkeypatch.setattr(pycolmap, "global_mapping", nothing)
    assert neighbours.neighbours_alone(tmp_path, walk.capture(tmp_path), views_of(walk, tmp_path, 9)) == []
    assert len(asked) == 1


def test_who_turns_on_the_spot_moves_nowhere(walk: Walk, tmp_path: Path) -> None:
    count = len(around(CORNER, 0.0))
    keypoints = [each.keypoints.astype(np.float64) for each in walk.features[:count]]
    photos = Photos(cameras=[walk.capture(tmp_path).camera(row) for row in range(count)], keypoints=keypoints)
    moves = moves_of(photos, views_of(walk, tmp_path, count))
    worst = 0.0
    for (a, b), move in moves.items():
        true = walk.poses[b] * walk.poses[a].inverse()
        turned = np.degrees((move.rotation * true.rotation.inverse()).angle())
        step = float(np.linalg.norm(true.translation))
        worst = max(worst, turned)
        if step < 1e-6:
            np.testing.assert_array_equal(move.translation, 0.0)
        elif b == a + 1:
            assert move.translation @ true.translation > 0.99 * step
    assert worst < 0.2  # degrees; measured 0.075
    assert sum(float(np.linalg.norm(move.translation)) == 0.0 for move in moves.values()) >= 2
