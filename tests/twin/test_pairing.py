"""Which photos are matched: those that can see the same, by their priors."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from numpy.typing import NDArray

from geometry import PoseTable, camera_from_params, quat_xyzw_of
from retrieval import Vocabulary
from scenes import look
from twin.mapping.capture import Capture
from twin.mapping.pairing import choose_pairs, view_overlap

CAMERA = camera_from_params("PINHOLE", 640, 480, [500.0, 500.0, 320.0, 240.0])
NOTHING = Vocabulary(centers=np.zeros((1, 4), np.float32))


def corridor(heights: tuple[float, ...], count: int = 90) -> list[pycolmap.Rigid3d]:
    """Return photos taken along x every 2 m, looking ahead, on each of several storeys."""
    return [look((2.0 * i, 0.0, z), 0.0, 0.0, 0.0) for z in heights for i in range(count)]


def capture(poses: list[pycolmap.Rigid3d], sigma_m: float) -> Capture:
    n = len(poses)
    names = tuple(f"{i:04d}.jpg" for i in range(n))
    outward = [pose.inverse() for pose in poses]
    priors = PoseTable(
        images=names,
        positions=np.array([pose.translation for pose in outward]),
        quats_xyzw=np.array([quat_xyzw_of(pose) for pose in poses]),
        sigma_m=np.full(n, sigma_m),
        sigma_deg=np.full(n, 2.0),
    )
    return Capture(
        folder=Path("."), names=names, digests=names, camera_of=(1,) * n, cameras={1: CAMERA},
        given_cameras=frozenset({1}), lenses={1: "x"}, priors=priors,
    )  # fmt: skip


def pairs_of(poses: list[pycolmap.Rigid3d], sigma_m: float = 0.3) -> NDArray[np.int64]:
    return np.array(choose_pairs([], NOTHING, capture(poses, sigma_m)))  # type: ignore[arg-type]


def test_storeys_are_not_matched_with_each_other_while_they_are_told_apart() -> None:
    poses = corridor((1.6, 5.1))
    storey = np.repeat([0, 1], 90)
    pairs = pairs_of(poses)
    assert (storey[pairs[:, 0]] == storey[pairs[:, 1]]).all()
    pairs = pairs_of(poses, sigma_m=3.0)  # nobody knows which is which
    assert (storey[pairs[:, 0]] != storey[pairs[:, 1]]).any()


def test_neighbours_ahead_are_matched_and_those_out_of_sight_are_not() -> None:
    pairs = {tuple(pair) for pair in pairs_of(corridor((1.6,))).tolist()}
    assert {(i, i + 1) for i in range(89)} <= pairs
    assert max(j - i for i, j in pairs) * 2.0 <= 20.0  # measured 20: of the 178 m of the walk


def test_photos_in_opposite_directions_share_nothing() -> None:
    there, back = look((0, 0, 1.6), 0.0, 0.0, 0.0), look((6.0, 0, 1.6), np.pi, 0.0, 0.0)
    assert view_overlap([CAMERA, CAMERA], [there, back])[0, 1] == 0.0
    beside = look((0, 1.0, 1.6), 0.0, 0.0, 0.0)
    assert view_overlap([CAMERA, CAMERA], [there, beside])[0, 1] > 0.7


def test_a_photo_without_an_orientation_leaves_the_choice_to_looks() -> None:
    known = capture(corridor((1.6,), 4), 0.3)
    assert known.priors is not None
    quats = known.priors.quats_xyzw.copy()
    quats[0] = np.nan
    half = replace(known, priors=replace(known.priors, quats_xyzw=quats))
    assert len(choose_pairs([None] * 4, NOTHING, half)) == 6  # type: ignore[list-item]


def test_of_a_small_set_all_pairs_of_a_storey_are_matched() -> None:
    pairs = pairs_of(corridor((1.6, 5.1), 5))
    assert len(pairs) == 2 * 10
    assert ((pairs[:, 0] < 5) == (pairs[:, 1] < 5)).all()
