"""Photos that a map left out are registered onto it by their neighbours in the walk, by nothing that is far in it."""

from pathlib import Path

import numpy as np
import pycolmap
import pytest

from geometry import CancelledError
from tests.twin.mapping.by_order.worlds import RING, Walk, two_storeys
from twin.mapping.by_order import regrow
from twin.mapping.by_order.regrowing import _is_same
from twin.mapping.capture import Capture
from twin.mapping.reconstruction import empty_reconstruction, triangulate, write_database
from twin.mapping.workspace import Workspace
from twin.progress import Progress, silent

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


def grown(
    walk: Walk, rows: list[int], folder: Path, pairs: list[tuple[int, int]], on_progress: Progress = silent
) -> Capture | None:
    capture = walk.capture(folder)
    model = map_of(walk, capture, rows, folder)
    with Workspace.opened_for(folder / "twin") as workspace:
        return regrow(capture, walk.features, walk.matches(pairs), model, workspace, on_progress)


def neighbours(count: int) -> list[tuple[int, int]]:
    return [(a, b) for a in range(count) for b in range(a + 1, min(a + NEAR + 1, count))]


def test_a_gap_is_closed_where_it_was(walk: Walk, tmp_path: Path) -> None:
    count, told = len(walk.poses), list[tuple[str, int, int]]()
    rows = [row for row in range(count) if row not in range(12, 22)]
    found = grown(walk, rows, tmp_path, neighbours(count), lambda *each: told.append(each))
    assert found is not None
    assert found.priors is not None
    assert found.names == walk.capture(tmp_path).names
    errors = np.linalg.norm(found.priors.positions - walk.centres, axis=1)
    assert errors.max() < 0.02  # measured 0.005
    assert errors[rows].max() < 1e-9, "what stood in the map stays where it is"
    turned = [(found.prior_poses()[row].rotation.inverse() * walk.poses[row].rotation).angle() for row in range(count)]
    assert np.degrees(max(turned)) < 0.1  # measured 0.02
    assert told[0] == ("regrowing", count - 10, count)
    assert told[-1] == ("regrowing", count, count)


def test_a_photo_of_the_map_that_matches_no_neighbour_does_not_disturb(walk: Walk, tmp_path: Path) -> None:
    count = len(walk.poses)
    pairs = [pair for pair in neighbours(count) if 2 not in pair]
    found = grown(walk, [row for row in range(count) if row not in range(12, 22)], tmp_path, pairs)
    assert found is not None
    assert len(found.names) == count


def test_matches_of_what_is_far_in_the_walk_place_nothing(walk: Walk, tmp_path: Path) -> None:
    count = len(walk.poses)
    half = count // 2
    far = [(a, b) for a in range(half) for b in range(half, count) if b - a > NEAR]
    assert len(walk.matches(far)) > 10, "they do match"
    assert grown(walk, list(range(half)), tmp_path, [*neighbours(half), *far]) is None


def test_a_neighbour_whose_matches_fit_nothing_is_not_placed(walk: Walk, tmp_path: Path) -> None:
    count = len(walk.poses)
    rng = np.random.default_rng(0)
    mixed = walk.features.copy()
    for row in range(12, 22):  # each feature somewhere else in its photo
        own = mixed[row]
        mixed[row] = type(own)(**vars(own) | {"keypoints": rng.permutation(own.keypoints)})
    told = Walk(walk.poses, mixed, walk.places)
    assert grown(told, [row for row in range(count) if row not in range(12, 22)], tmp_path, neighbours(count)) is None


def test_a_whole_map_needs_nothing(walk: Walk, tmp_path: Path) -> None:
    assert grown(walk, list(range(len(walk.poses))), tmp_path, neighbours(len(walk.poses))) is None


def test_growing_can_be_cancelled(walk: Walk, tmp_path: Path) -> None:
    def cancel(stage: str, done: int, total: int) -> None:
        raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        grown(walk, list(range(len(walk.poses) - 5)), tmp_path, neighbours(len(walk.poses)), cancel)


def test_a_map_that_moved_is_another(walk: Walk) -> None:
    known = {str(row): pose for row, pose in enumerate(walk.poses)}
    assert _is_same(known, known)
    assert _is_same({"0": known["0"], "9": known["9"]}, known)
    assert not _is_same(known, {"0": known["0"]})
    moved = {name: pycolmap.Rigid3d(pose.rotation, 2 * pose.translation) for name, pose in known.items()}
    assert not _is_same(known, moved)
