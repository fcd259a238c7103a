"""Whole walks by their order, through storeys that look alike."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pycolmap
import pytest

from perception import make_extractor
from tests.twin.mapping.by_order.worlds import STOREY_M, ByLooks, Walk, two_storeys
from twin.mapping.by_order import lay_out_walk, settle
from twin.mapping.by_order.laying_out import STAGES
from twin.mapping.capture import Capture
from twin.mapping.correspondence import Recipe
from twin.mapping.pairing import choose_pairs
from twin.mapping.reconstruction import placed_images, write_database
from twin.mapping.workspace import Workspace
from twin.progress import Progress, silent


def laid_out(walk: Walk, folder: Path, pairs: list[tuple[int, int]], on_progress: Progress = silent) -> Capture | None:
    recipe = Recipe(make_extractor("sift"), ByLooks(), key="looks")
    with Workspace.opened_for(folder / "twin") as workspace:
        return lay_out_walk(walk.capture(folder), walk.features, walk.matches(pairs), recipe, workspace, on_progress)


def off(walk: Walk, names: list[str], found: np.ndarray) -> np.ndarray:
    """Return how far centres are off, metres, after the best similarity."""
    true = walk.centres[[int(name[:4]) for name in names]]
    fit = pycolmap.estimate_sim3d(found, true)
    return np.linalg.norm(np.array([fit * each for each in found]) - true, axis=1)


@pytest.fixture(scope="module")
def walk() -> Walk:
    return two_storeys(alike=0.12)


def test_storeys_that_look_alike_are_laid_out_one_above_the_other(walk: Walk, tmp_path: Path) -> None:
    count = len(walk.poses)
    told: list[tuple[str, int, int]] = []
    laid = laid_out(walk, tmp_path, list(combinations(range(count), 2)), lambda *stage: told.append(stage))
    assert [done for stage, done, total in told if stage == "laying out"][:3] == [0, 1, 2]
    assert told[-1] == ("laying out", STAGES, STAGES)
    assert laid is not None
    assert laid.priors is not None
    errors = off(walk, list(laid.names), laid.priors.positions)
    assert len(laid.names) == count
    # Measured: 0.03 and 0.10 m.
    assert np.median(errors) < 0.2
    assert errors.max() < STOREY_M / 4
    features = [walk.features[int(name[:4])] for name in laid.names]
    database = tmp_path / "database.db"
    write_database(database, laid, features, walk.matches(choose_pairs(features, None, laid)), verified=False)
    model, left_out = settle(laid, features, database, tmp_path / "stages", silent)
    images = placed_images(model)
    errors = off(walk, [image.name for image in images], np.array([image.projection_center() for image in images]))
    assert len(images) >= 0.95 * count
    assert set(left_out) == set(laid.names) - {image.name for image in images}
    # Measured: 0.012 and 0.029 m.
    assert np.median(errors) < 0.03
    assert errors.max() < 0.1


def test_photos_in_no_order_are_no_walk(walk: Walk, tmp_path: Path) -> None:
    mixed = np.random.default_rng(0).permutation(len(walk.poses))
    shuffled = Walk([walk.poses[k] for k in mixed], [walk.features[k] for k in mixed], walk.places)
    assert laid_out(shuffled, tmp_path, list(combinations(range(len(mixed)), 2))) is None
