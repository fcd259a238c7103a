"""Poses that compete for a photo."""

import numpy as np
import pycolmap
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from geometry import PoseEstimate
from twin.choice import ENOUGH, Levels, copied, plausibility, probabilities
from twin.hypotheses import Candidate
from twin.textures import TextureSupport

USUAL = 1.4

odds = st.lists(st.floats(-30.0, 8.0), min_size=1, max_size=5)


def candidate(
    support: int,
    *,
    spread: int = 20,
    explained: int = 80,
    expected: int = 800,
    noise: float = 1.5,
    textured: tuple[int, int] = (0, 0),
) -> Candidate:
    estimate = PoseEstimate(
        cam_from_site=pycolmap.Rigid3d(), covariance=np.eye(6), inliers=np.ones(support, bool),
        residuals_px=np.zeros((support, 2)), noise_scale=noise,
    )  # fmt: skip
    return Candidate(
        estimate=estimate,
        matches=2 * support,
        support=support,
        log10_false_alarms=-100.0,
        expected=expected,
        explained=explained,
        spread=spread,
        textured=TextureSupport(found=textured[0], looked_for=textured[1]),
        feature=np.arange(support),
        landmark=np.arange(support),
    )


def levels(
    level: NDArray[np.int64], log_odds: NDArray[np.float64], shown: ArrayLike = 0.0, verified: ArrayLike = False
) -> Levels:
    """Return levels of poses, all of one place where they are verified, else of places of their own."""
    told = np.broadcast_to(np.asarray(shown, dtype=np.float64), (len(level), len(log_odds)))
    sure = np.broadcast_to(np.asarray(verified, dtype=np.bool_), len(level))
    copies = np.eye(len(level), dtype=np.bool_) | (sure & sure[:, None])
    return Levels(level=level, log_odds=log_odds, shown=told, copies=copies, verified=sure)


@given(plausible=odds, alike=st.floats(0.0, 3.0))
def test_probabilities_leave_something_for_none(plausible: list[float], alike: float) -> None:
    found = probabilities(plausible, np.zeros(len(plausible)), alike)
    assert (found >= 0.0).all()
    assert found.sum() < 1.0
    assert found[np.argmax(plausible)] == found.max()


@given(plausible=odds, shift=st.integers(0, 4))
def test_order_does_not_matter(plausible: list[float], shift: int) -> None:
    zeros = np.zeros(len(plausible))
    rolled = probabilities(np.roll(plausible, shift), zeros, 1.0)
    np.testing.assert_allclose(np.roll(rolled, -shift), probabilities(plausible, zeros, 1.0))


def test_what_speaks_for_a_pose() -> None:
    plain = plausibility([candidate(40)], USUAL)[0]
    for better in (candidate(80), candidate(40, spread=30), candidate(40, explained=160), candidate(40, noise=1.0)):
        assert plausibility([better], USUAL)[0] > plain
    assert plausibility([candidate(14, spread=3, explained=2, noise=4.0)], USUAL)[0] < 0.0


def test_look_alikes_share_and_a_sign_decides() -> None:
    poses = plausibility([candidate(90), candidate(120)], USUAL)
    assert (poses > ENOUGH).all()
    unread = probabilities(poses, [0.0, 0.0], alike=1.0)
    assert unread.max() < 0.45  # measured 0.37: two that were found and as much for one that was not
    read = probabilities(poses, [8.0, -4.0], alike=1.0)
    assert read[0] > 0.75  # measured 0.80: the rest is for look-alikes that were not found
    assert read[1] < 0.1  # measured 0.05


def test_a_map_with_look_alikes_is_never_sure_of_a_single_pose() -> None:
    pose = plausibility([candidate(150)], USUAL)
    assert probabilities(pose, [0.0], alike=0.0)[0] > 0.95  # measured 0.96
    assert probabilities(pose, [0.0], alike=1.35)[0] < 0.5  # measured 0.42
    assert probabilities(pose, [0.0], alike=0.1)[0] > 0.95  # the search would have found a rare one


def test_a_few_look_alikes_more_make_no_leap() -> None:
    """How many a map has is an estimate. What is read and proposed where they are frequent begins at one number."""
    pose = plausibility([candidate(150)], USUAL)
    sure = np.array([probabilities(pose, [0.0], alike=alike)[0] for alike in np.linspace(0.0, 1.0, 401)])
    assert (np.diff(sure) < 1e-9).all(), "more look-alikes never make a pose likelier"
    assert np.diff(sure).min() > -0.01  # measured -0.0033: 0.97 at 0.25, 0.66 at 0.5


def test_a_building_after_the_same_plan_has_other_floors() -> None:
    """Its signs and columns are where they are here, and all landmarks but the textures fit."""
    counts = ((2, 80), (20, 80), (60, 80), (0, 2), (0, 0))
    missing, few, found, hidden, unseen = (candidate(90, textured=each) for each in counts)

    def sure(each: Candidate, copies: NDArray[np.float64] | None) -> float:
        return float(probabilities(plausibility([each], USUAL), [0.0], 0.0, copies=copies)[0])

    assert sure(missing, copied([missing])) < 0.5  # measured 0.07
    assert sure(few, copied([few])) > 0.9  # measured 0.94: worn, dark or wet floors of this building
    assert sure(found, copied([found])) > 0.97  # measured 0.98
    assert sure(hidden, copied([hidden])) > 0.75  # measured 0.80: two patches tell little
    assert sure(unseen, copied([unseen])) == sure(unseen, None)


@given(plausible=odds, looks=st.lists(st.floats(-8.0, 8.0), min_size=1, max_size=6))
def test_copies_of_the_building_only_take(plausible: list[float], looks: list[float]) -> None:
    count = min(len(plausible), len(looks))
    none = np.zeros(count)
    without = probabilities(plausible[:count], none, 0.0)
    found = probabilities(plausible[:count], none, 0.0, copies=looks[:count])
    assert (found <= without).all()
    assert found.sum() < 1.0


def test_nothing_is_plausible_with_nothing() -> None:
    assert plausibility([], USUAL).shape == (0,)
    assert plausibility([candidate(1, spread=1, explained=0)], USUAL)[0] < -5.0  # measured -8.7


def test_a_level_where_a_look_alike_was_found_hides_no_other() -> None:
    unread = np.zeros(2)
    both = probabilities([4.0, 4.0], unread, 1.0, levels(np.array([0, 1]), np.zeros(2)))
    one = probabilities([4.0, -2.0], unread, 1.0, levels(np.array([0, 1]), np.zeros(2)))
    assert both.sum() > 0.95  # measured 0.98: nothing is left that was not found
    assert one[0] < 0.55  # measured 0.50: as much for the other level


@given(plausible=odds, alike=st.floats(0.0, 3.0), told=st.lists(st.floats(-5.0, 0.0), min_size=3, max_size=3))
def test_what_names_a_level_moves_probability_to_it(plausible: list[float], alike: float, told: list[float]) -> None:
    level = np.arange(len(plausible)) % 4 - 1  # the first is on none
    before = probabilities(plausible, np.zeros(len(plausible)), alike, levels(level, np.zeros(3)))
    after = probabilities(plausible, np.zeros(len(plausible)), alike, levels(level, np.array(told)))
    assert after.sum() < 1.0
    kept = np.flatnonzero(level == int(np.argmax(told)))
    for k in kept.tolist():
        others = np.flatnonzero((level >= 0) & (level != level[k]))
        assert (after[k] * before[others] >= after[others] * before[k] - 1e-12).all()


def test_what_contradicts_a_pose_does_not_speak_against_other_places() -> None:
    plain = probabilities([4.0], [0.0], 0.5)
    contradicted = probabilities([4.0], [-4.0], 0.5)
    assert contradicted[0] < plain[0] - 0.2  # measured 0.30 against 0.66


def test_what_a_photo_shows_of_a_level_tells_it_from_look_alikes_that_were_not_found() -> None:
    level = np.array([1])
    blind = probabilities([4.0], [0.0], 1.35, levels(level, np.zeros(3)))
    own = probabilities([4.0], [0.0], 1.35, levels(level, np.zeros(3), [[-4.0, 0.0, -4.0]]))
    another = probabilities([4.0], [0.0], 1.35, levels(level, np.zeros(3), [[0.0, -4.0, -4.0]]))
    assert blind[0] < 0.5  # measured 0.42
    assert own[0] > 0.9  # measured 0.96
    assert another[0] < 0.1  # measured 0.03


def test_each_pose_is_judged_by_what_is_shown_where_it_has_it() -> None:
    level, none = np.array([0, 1]), np.zeros(2)
    first = probabilities([4.0, 4.0], none, 1.0, levels(level, none, [[0.0, -4.0], [0.0, 0.0]]))
    both = probabilities([4.0, 4.0], none, 1.0, levels(level, none, [[0.0, -4.0], [0.0, -4.0]]))
    assert first[0] == first[1], "a pose on a level that shows what it should is not better than one without telltales"
    assert both[0] > 0.9  # measured 0.95


def test_poses_of_one_place_are_told_apart_by_their_levels_alone() -> None:
    level, none = np.array([0, 1]), np.zeros(2)
    apart = probabilities([6.0, 2.0], none, 1.0, levels(level, none))
    one_place = probabilities([6.0, 2.0], none, 1.0, levels(level, none, verified=True))
    assert 0.45 < apart[0] < 0.55  # measured 0.50: the second fits worse, and a better one may be on its level
    assert 0.5 < one_place[0] < 0.65  # measured 0.59: textures verify both
    assert one_place.sum() > 0.98, "where a verified copy is nothing else is left to find"
    told = probabilities([6.0, 2.0], none, 1.0, levels(level, none, [[-4.0, 0.0]] * 2, verified=True))
    assert told[1] > 0.9  # measured 0.94
    rare = probabilities([6.0, 2.0], none, 0.0, levels(level, none, verified=True))
    assert rare[0] > 0.9, "where levels don't look alike, the worse fit is no copy"


def test_textures_speak_for_a_pose_and_their_absence_against_it() -> None:
    plain = plausibility([candidate(20)], USUAL)[0]
    assert plausibility([candidate(20, textured=(40, 80))], USUAL)[0] > plain + 1.0  # measured 2.7
    assert plausibility([candidate(20, textured=(3, 80))], USUAL)[0] < plain
