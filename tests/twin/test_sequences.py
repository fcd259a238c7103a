"""Photos weighed by each other's poses: on made-up candidates, where every number can be told, and on a small map."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pycolmap
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry import InputError, PoseTable, pose_error, read_cameras, read_true_poses
from geometry.absolute_pose import PoseEstimate
from tests.support import poses, rigid
from twin import Twin
from twin.hypotheses import Candidate
from twin.localizer import Choice, reweighed
from twin.queries import localize_images, localize_together
from twin.sequences import CHANCE, FOUND, LOST, MOST_LOST, Steps, agreement, steps_of_poses, weights

STOREY_M = 3.0


def candidate(pose: pycolmap.Rigid3d) -> Candidate:
    estimate = PoseEstimate(
        cam_from_site=pose,
        covariance=np.eye(6) * 1e-4,
        inliers=np.ones(30, dtype=bool),
        residuals_px=np.zeros((30, 2)),
        noise_scale=1.0,
    )
    return Candidate(
        estimate=estimate, matches=60, support=30, log10_false_alarms=-20.0, expected=60, explained=30, spread=9,
        feature=np.arange(30), landmark=np.arange(30),
    )  # fmt: skip


def choice(*ranked: tuple[pycolmap.Rigid3d, float]) -> Choice:
    return Choice(candidates=[candidate(pose) for pose, _ in ranked], probabilities=np.array([p for _, p in ranked]))


def up(pose: pycolmap.Rigid3d, metres: float) -> pycolmap.Rigid3d:
    """The same camera so much higher in site."""
    return pose * rigid([0, 0, 0], [0, 0, -metres])


WALK = [rigid([0.0, 0.0, 0.1 * k], [0.8 * k, 0.1 * k, 0.0]) for k in range(4)]


def test_a_photo_that_knows_its_storey_tells_those_that_do_not() -> None:
    ambiguous = [choice((pose, 0.45), (up(pose, STOREY_M), 0.45)) for pose in WALK[:3]]
    sure = choice((WALK[3], 0.95), (up(WALK[3], STOREY_M), 0.02))
    found = weights([*ambiguous, sure], Steps(cams_from_start=tuple(WALK)))
    for k in range(3):
        after = reweighed(ambiguous[k], found[k])
        assert after.probabilities[0] > 0.9
        assert after.best.estimate.cam_from_site is ambiguous[k].candidates[0].estimate.cam_from_site


def test_where_nothing_tells_the_storeys_apart_they_stay_as_probable_as_each_other() -> None:
    ambiguous = [choice((pose, 0.45), (up(pose, STOREY_M), 0.45)) for pose in WALK]
    for each, weight in zip(ambiguous, weights(ambiguous, Steps(cams_from_start=tuple(WALK))), strict=True):
        after = reweighed(each, weight).probabilities
        assert after[0] == pytest.approx(after[1])


def test_a_pose_that_all_others_contradict_loses() -> None:
    right = [choice((pose, 0.9)) for pose in WALK[:3]]
    wrong = choice((up(WALK[3], STOREY_M), 0.7))
    found = weights([*right, wrong], Steps(cams_from_start=tuple(WALK)))
    assert reweighed(wrong, found[3]).probabilities[0] < 0.5
    assert all(reweighed(each, weight).probabilities[0] > 0.95 for each, weight in zip(right, found, strict=False))


def test_weights_are_the_stated_ratio() -> None:
    pair = [choice((WALK[0], 1.0)), choice((WALK[1], 0.5))]
    found = weights(pair, Steps(cams_from_start=tuple(WALK[:2])))
    half = 1 - FOUND + FOUND * 0.5 / (CHANCE + (1 - CHANCE) * 0.5)
    assert found[0] == pytest.approx([half**0.5])  # half for the pose that agrees, half for none
    assert found[1] == pytest.approx([1 - FOUND + FOUND / CHANCE])


@pytest.mark.parametrize("times", [1, 2, 5, 10])
def test_photos_that_show_too_little_do_not_outvote_those_that_agree(times: int) -> None:
    lost = [choice((up(pose, 20.0), 0.01)) for pose in WALK] * times
    agreeing = [choice((pose, 0.9)) for pose in WALK]
    found = weights([*agreeing, *lost], Steps(cams_from_start=(*WALK, *WALK * times)))
    for each, weight in zip(agreeing, found, strict=False):
        assert reweighed(each, weight).probabilities[0] > 0.95
    alone = weights([agreeing[0], *lost], Steps(cams_from_start=(WALK[0], *WALK * times)))[0]
    assert 0.6 * LOST**MOST_LOST < alone[0] < 1.0


@pytest.mark.parametrize(("share", "least"), [(0.5, 0.4), (0.6, 0.8)])
def test_photos_that_are_as_sure_as_not_do_not_lose_by_agreeing(share: float, least: float) -> None:
    many = [choice((pose, share)) for pose in WALK * 5]
    for each, weight in zip(many, weights(many, Steps(cams_from_start=tuple(WALK * 5))), strict=True):
        assert reweighed(each, weight).probabilities[0] > least  # 0.43 and 0.94 measured, in place of 0.5 and 0.6 alone


def table(count: int, sequence: tuple[str, ...], growth_m: float) -> PoseTable:
    """A walk along x and back, of which a row is known each second."""
    along = np.minimum(np.arange(count), count - 1 - np.arange(count)) * 2.0
    return PoseTable(
        images=tuple(f"{i}.jpg" for i in range(count)),
        positions=np.column_stack([along, np.zeros(count), np.zeros(count)]),
        quats_xyzw=np.tile([0.0, 0.0, 0.0, 1.0], (count, 1)),
        sigma_m=0.3 + growth_m * np.arange(count),
        sigma_deg=np.full(count, 2.0),
        time=np.arange(count, dtype=np.float64),
        sequence=sequence,
    )


def test_a_walk_that_comes_back_has_drifted_by_the_way_walked_in_whatever_order_photos_are_named() -> None:
    walk = table(40, ("walk",) * 40, 0.0)
    steps = steps_of_poses(walk, ["0.jpg", "39.jpg", "1.jpg"], drift=1.0)
    assert steps.tolerance(0, 1)[0] > 2.0 > 1.0 > steps.tolerance(0, 2)[0]
    assert steps.tolerance(0, 1) == steps.tolerance(1, 0)
    assert steps_of_poses(walk, ["39.jpg", "0.jpg"], drift=1.0).tolerance(0, 1) == steps.tolerance(0, 1)
    assert steps_of_poses(walk, ["0.jpg", "39.jpg"], drift=0.0).tolerance(0, 1)[0] < 1.0


def test_recordings_say_nothing_of_each_other() -> None:
    walks = table(8, ("first",) * 4 + ("second",) * 4, 0.0)
    steps = steps_of_poses(walks, walks.images[2:6], drift=1.0)
    choices = [choice((pose, 0.5)) for pose in steps.cams_from_start if pose is not None]
    alone = weights(choices[:2], steps_of_poses(walks, walks.images[2:4], drift=1.0))
    assert weights(choices, steps)[0] == pytest.approx(alone[0])


def test_sigmas_that_do_not_grow_are_each_photos_own() -> None:
    fixes = replace(table(6, ("walk",) * 6, 0.0), sigma_m=np.array([2.0, 0.0, 2.0, 2.0, 0.1, 3.0]))
    assert steps_of_poses(fixes, fixes.images, drift=1.0).sigma_m == (2.0, 0.0, 2.0, 2.0, 0.1, 3.0)


def test_where_all_photos_leave_much_to_places_not_found_agreement_is_worth_little() -> None:
    """Look-alikes that nobody found would agree with each other as well."""
    open_ = [choice((pose, 0.4)) for pose in WALK]
    for each, weight in zip(open_, weights(open_, Steps(cams_from_start=tuple(WALK))), strict=True):
        assert reweighed(each, weight).probabilities[0] < 0.5


def test_photos_without_a_pose_or_a_step_say_nothing() -> None:
    pair = [choice((WALK[0], 0.6)), None, choice((up(WALK[2], 9.0), 0.9))]
    found = weights(pair, Steps(cams_from_start=(WALK[0], WALK[1], None)))
    assert found[0].tolist() == [1.0]
    assert found[1].tolist() == []
    assert found[2].tolist() == [1.0]


@settings(max_examples=30)
@given(frame=poses(50.0), seed=st.integers(0, 99))
def test_the_frame_of_the_steps_does_not_matter(frame: pycolmap.Rigid3d, seed: int) -> None:
    rng = np.random.default_rng(seed)
    choices = [choice((pose, float(rng.uniform(0.1, 0.6))), (up(pose, STOREY_M), 0.3)) for pose in WALK]
    here = weights(choices, Steps(cams_from_start=tuple(WALK)))
    moved = weights(choices, Steps(cams_from_start=tuple(pose * frame for pose in WALK)))
    for a, b in zip(here, moved, strict=True):
        assert a == pytest.approx(b, rel=1e-3)


def test_drift_lets_far_photos_disagree_and_a_rig_does_not() -> None:
    far = (rigid([0, 0, 0], [0, 0, 0]), rigid([0, 0, 0], [40.0, 0, 0]))
    off = rigid([0, 0, 0], [42.0, 0, 0])
    for drift, expected in ((1.0, True), (0.0, False)):
        agrees = agreement([off], far[1], *Steps(cams_from_start=far, drift=drift).tolerance(0, 1))
        assert bool(agrees[0] > 0.5) is expected


def test_steps_need_two_poses_with_orientation() -> None:
    table = PoseTable(
        images=("a.jpg", "b.jpg"),
        positions=np.zeros((2, 3)),
        quats_xyzw=np.array([[0, 0, 0, 1.0], [np.nan] * 4]),
        sigma_m=np.full(2, np.nan),
        sigma_deg=np.full(2, np.nan),
    )
    with pytest.raises(InputError, match="fewer than two"):
        steps_of_poses(table, ["a.jpg", "b.jpg", "c.jpg"], drift=1.0)


def test_late_in_a_walk_steps_are_as_sure_as_early() -> None:
    """What a phone is lost by then shifts all photos alike: storeys are still told apart by the one that shows its."""
    walk = table(40, ("walk",) * 40, 0.08)
    early, late = (steps_of_poses(walk, walk.images[i : i + 3], drift=1.0) for i in (0, 37))
    assert early.tolerance(0, 1) == pytest.approx(late.tolerance(0, 1))
    assert late.tolerance(0, 1)[0] < STOREY_M / 4
    assert steps_of_poses(walk, walk.images[38:], drift=0.0).sigma_m == pytest.approx((3.34, 3.42))
    walk.sigma_m[20] = np.nan
    assert steps_of_poses(walk, walk.images[37:], drift=1.0).tolerance(0, 1) == late.tolerance(0, 1)


def test_a_walk_in_a_map_is_localized_as_well_together_and_surer(small_twin: Path, rendered: Any) -> None:
    twin, rules = Twin.open(small_twin), read_cameras(rendered.cameras)
    truth = read_true_poses(rendered.folder / "truth" / "queries.csv")
    images = [(name, rendered.queries / name) for name in truth.images]
    steps = steps_of_poses(truth, truth.images, drift=0.0)
    together, alone = localize_together(twin, images, steps, rules), list(localize_images(twin, images, rules))
    assert [answer.image for answer in together] == list(truth.images)
    placed = [answer for answer in together if answer.status == "ok"]
    assert len(placed) >= sum(answer.status == "ok" for answer in alone)
    for answer in placed:
        row = truth.images.index(answer.image)
        metres, degrees = pose_error(answer.cam_from_site, steps_pose(steps, row))
        assert metres < 0.1  # 0.03 measured
        assert degrees < 1.0
    confidence = {answer.image: answer.confidence for answer in alone}
    assert all(answer.confidence >= confidence[answer.image] - 1e-6 for answer in placed)


def steps_pose(steps: Steps, row: int) -> pycolmap.Rigid3d:
    pose = steps.cams_from_start[row]
    assert pose is not None
    return pose
