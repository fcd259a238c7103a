"""Photos that a map left out are registered onto it by their neighbours in the walk, by nothing that looks alike."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from tests.twin.mapping.by_order.worlds import RING, Walk, two_storeys
from twin.mapping.by_order import regrow
from twin.mapping.capture import Capture
from twin.mapping.reconstruction import empty_reconstruction, triangulate, write_database
from twin.mapping.workspace import Workspace
from twin.progress import silent

NEAR = 5


@pytest.fixture(scope="module")
def walk() -> Walk:
    return two_storeys(alike=0.12, corners=RING[:4])


def map_of(walk: Walk, capture: Capture, rows: list[int], folder: Path) -> pycolmap.Reconstruction:
    """Return a map of some rows of a walk, at their true poses."""
    own = capture.without({name: "gone" for row, name in enumerate(capture.names) if row not in rows})
    features = [walk.features[row] for row in rows]
    pairs = [(a, b) for a in range(len(rows)) for b in range(a + 1, min(a + NEAR, len(rows)))]
    matches = Walk([walk.poses[row] for row in rows], features, walk.places).matches(pairs)
    write_database(folder / "map.db", own, features, matches, verified=False)
    start = empty_reconstruction(own, features, {i: walk.poses[row] for i, row in enumerate(rows)})
    return triangulate(start, folder / "map.db", folder, folder / "map")


def grown(walk: Walk, rows: list[int], folder: Path, pairs: list[tuple[int, int]]) -> Capture | None:
    capture = walk.capture(folder)
    model = map_of(walk, capture, rows, folder)
    with Workspace.opened_for(folder / "twin") as workspace:
        return regrow(capture, walk.features, walk.matches(pairs), model, workspace, silent)


def neighbours(count: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(count) for b in range(a + 1, min(a + NEAR + 1, count))]


def test_a_gap_is_closed_where_it_was(walk: Walk, tmp_path: Path) -> None:
    count = len(walk.poses)
    gap = set(range(12, 22))
    found = grown(walk, [row for row in range(count) if row not in gap], tmp_path, neighbours(count))
    assert found is not None
    assert found.priors is not None
    assert found.names == walk.capture(tmp_path).names
    errors = np.linalg.norm(found.priors.positions - walk.centres, axis=1)
    assert errors.max() < 0.02  # measured 0.005


def test_matches_of_what_is_far_in_the_walk_place_nothing(walk: Walk, tmp_path: Path) -> None:
    count = len(walk.poses)
    half = count // 2
    far = [(a, b) for a in range(half) for b in range(half, count) if b - a > NEAR]
    assert grown(walk, list(range(half)), tmp_path, [*neighbours(half), *far]) is None


def test_a_whole_map_needs_nothing(walk: Walk, tmp_path: Path) -> None:
    assert grown(walk, list(range(len(walk.poses))), tmp_path, neighbours(len(walk.poses))) is None
