"""Who is parked and who drives, as one: clean recordings and noisy ones, and what is not to be joined."""

import numpy as np
import pytest

from geometry.track_records import TrackRow
from tests.twin.events.places import START, going, mixed, standing, track
from tests.twin.parked.sequences import (
    MIDDLE,
    PLAN,
    Taken,
    along,
    always,
    arrives,
    between,
    box_at,
    detected,
    joined,
    leaves,
    looks,
    never,
    parked,
)
from twin.parked.joining import with_parked

EMPTY: Taken = dict.fromkeys(MIDDLE, never)
CLEAN, NOISY = 0.0, 1.5


def names(rows: list[TrackRow]) -> set[int]:
    return {row.track for row in rows}


def gaps(rows: list[TrackRow]) -> float:
    return float(np.diff([row.time for row in rows]).max(initial=0.0))


@pytest.mark.parametrize("noise", [CLEAN, NOISY])
def test_one_that_is_parked_all_the_time_is_one_track(noise: float) -> None:
    rows = joined(looks({**EMPTY, "S3": always}, 60, noise=noise))
    assert names(rows) == {1}
    assert {(row.stall, row.level, row.zone, row.kind) for row in rows} == {("S3", "L", "west", "vehicle")}
    assert rows[0].time - START <= 3
    assert rows[-1].time == START + 60
    assert gaps(rows) == pytest.approx(0.2)
    np.testing.assert_allclose([row.position for row in rows], [(*MIDDLE["S3"], 0.0)] * len(rows))
    assert all(row.velocity == (0.0, 0.0, 0.0) for row in rows)
    covariance = np.array(rows[0].position_covariance)
    assert (np.linalg.eigvalsh(covariance) > 0).all()
    assert covariance[1, 1] > covariance[0, 0], "along its stall, which lies along y, it may stand anywhere"
    assert abs(np.sin(rows[0].heading or 0.0)) == pytest.approx(1.0)


@pytest.mark.parametrize("noise", [CLEAN, NOISY])
@pytest.mark.parametrize("short", [0.0, 3.0])
def test_one_that_comes_and_parks_keeps_its_identity(noise: float, short: float) -> None:
    """Its track may end before it stands: what stands among others is seen badly."""
    rows = joined(looks({**EMPTY, "S3": between(30, 200)}, 60, noise=noise, seed=2), arrives(7, "S3", 30, short=short))
    assert names(rows) == {1}
    assert gaps(rows) < 0.5
    assert rows[0].time < START + 25
    assert rows[-1].time == START + 60
    assert rows[-1].stall == "S3"


@pytest.mark.parametrize("noise", [CLEAN, NOISY])
def test_one_that_leaves_keeps_its_identity(noise: float) -> None:
    rows = joined(looks({**EMPTY, "S3": between(-1, 30)}, 60, noise=noise, seed=2), leaves(7, "S3", 30))
    assert names(rows) == {1}
    assert gaps(rows) < 0.5
    assert rows[0].time < START + 3
    assert rows[-1].time > START + 35
    assert rows[-1].stall is None


@pytest.mark.parametrize(("unseen_s", "tracks"), [(4.0, 1), (12.0, 2)])
def test_one_that_is_seen_again_only_down_the_lane_is_still_it(unseen_s: float, tracks: int) -> None:
    """A metre or two for each second that nobody saw it; after long it may be anybody."""
    rest = [row for row in leaves(7, "S3", 30) if row.time >= START + 30 + unseen_s]
    later = [row.model_copy(update={"time": row.time + 10}) for row in leaves(7, "S3", 30)[-15:]]
    rows = joined(looks({**EMPTY, "S3": between(-1, 30)}, 60), rest if unseen_s < 10 else later)
    assert len(names(rows)) == tracks
    assert all(row.time <= START + 32 for row in rows if row.stall == "S3"), "its stall is not taken meanwhile"


@pytest.mark.parametrize(("begins", "tracks"), [(0.5, 2), (4.0, 1)])
def test_one_that_comes_in_by_the_gate_did_not_leave_a_stall(begins: float, tracks: int) -> None:
    coming = track(7, along([(begins, 10.0), (35.0, 10.0)], 36 + (35 - begins) / 4, 4.0), 36, 36 + (35 - begins) / 4)
    rows = joined(looks({**EMPTY, "S0": between(-1, 31)}, 60), coming)
    assert len(names(rows)) == tracks


def test_one_that_is_seen_to_drive_on_did_not_park_meanwhile() -> None:
    """It passes on the lane, unseen for three seconds beside a stall that somebody takes."""
    x, _ = MIDDLE["S3"]
    passing = track(7, along([(x - 16.0, 10.0), (x + 16.0, 10.0)], 34, 2.0), 18, 34)
    seen = [row for row in passing if not START + 24 < row.time < START + 27]
    rows = joined(looks({**EMPTY, "S3": between(30, 200)}, 60), seen)
    driving = {row.track for row in rows if row.stall != "S3"}
    assert len(driving) == 1
    assert not driving & {row.track for row in rows if row.stall == "S3"}


@pytest.mark.parametrize("noise", [CLEAN, NOISY])
def test_one_that_comes_and_goes_is_one(noise: float) -> None:
    came, went = arrives(7, "S3", 30), leaves(9, "S3", 80)
    rows = joined(looks({**EMPTY, "S3": between(30, 80)}, 120, noise=noise, seed=4), mixed(came, went))
    assert names(rows) == {1}
    assert gaps(rows) < 0.5
    assert rows[0].time == came[0].time
    assert rows[-1].time == went[-1].time


def test_two_after_each_other_in_one_stall_are_two() -> None:
    def taken(t: float) -> bool:
        return t < 40 or t >= 60

    rows = joined(looks({**EMPTY, "S3": taken}, 120), mixed(leaves(7, "S3", 40), arrives(8, "S3", 60)))
    assert names(rows) == {1, 2}
    first, second = ([row for row in rows if row.track == k] for k in (1, 2))
    assert first[-1].time < START + 50
    assert second[0].time > START + 45
    assert second[-1].time == START + 120


def test_of_two_that_come_at_once_each_gets_its_own_stall() -> None:
    frames = looks({**EMPTY, "S3": between(30, 200), "S4": between(31, 200)}, 60)
    rows = joined(frames, mixed(arrives(7, "S4", 31, short=2.0), arrives(8, "S3", 30, short=2.0)))
    assert names(rows) == {1, 2}
    last = {row.track: row.stall for row in rows if row.time == START + 60}
    assert set(last.values()) == {"S3", "S4"}
    for number, stall in last.items():
        xs = [row.position[0] for row in rows if row.track == number]
        assert max(xs) == pytest.approx(MIDDLE[stall or ""][0], abs=0.1), "none jumps over to the other's stall"


def test_one_that_moves_from_stall_to_stall_is_one() -> None:
    (x, y), (to, _) = MIDDLE["S2"], MIDDLE["S7"]
    path = [(x, y), (x, 10.0), (to, 10.0), (to, y)]
    frames = looks({**EMPTY, "S2": between(-1, 30), "S7": between(40, 200)}, 80)
    took = (9.0 + to - x) / 2.5
    rows = joined(frames, track(5, along(path, 30 + took, 2.5), 30, 30 + took))
    assert names(rows) == {1}
    assert [row.stall for row in rows if row.time in (START + 10, START + 80)] == ["S2", "S7"]


def test_one_that_passes_by_is_nobody_who_parks() -> None:
    frames = looks({**EMPTY, "S3": always, "S6": between(20, 200)}, 60)
    rows = joined(frames, track(9, going(-4.0, 10.0, 3.0, since=30.0), 30, 45))
    assert len(names(rows)) == 3
    drives = [row for row in rows if row.stall is None]
    assert len(names(drives)) == 1
    assert len(drives) == 76


def test_a_track_far_away_or_long_before_is_another() -> None:
    frames = looks({**EMPTY, "S3": between(30, 200)}, 60)
    assert len(names(joined(frames, arrives(7, "S6", 30)))) == 2
    assert len(names(joined(frames, arrives(7, "S3", 15)))) == 2
    assert len(names(joined(frames, arrives(7, "S3", 45)))) == 2


def test_one_that_was_there_from_the_first_came_with_nobody() -> None:
    """A track that ends near a vehicle which was parked before is not its."""
    rows = joined(looks({**EMPTY, "S3": always}, 60), arrives(7, "S3", 5, short=3.0))
    assert len(names(rows)) == 2


def test_boxes_that_stand_in_an_empty_stall_are_nothing() -> None:
    stands = track(4, standing(*MIDDLE["S5"]), 0, 60, heading=1.57)
    assert joined(looks(EMPTY, 60), stands) == []
    rows = joined(looks({**EMPTY, "S5": always}, 60), stands)
    assert names(rows) == {1}, "and those in a taken one show who is parked there"


def test_without_looks_at_a_stall_those_that_drive_there_stay() -> None:
    """Only S0 is looked at: one that comes to stand in S5 has its rows, standing ones too."""
    came = arrives(7, "S5", 30)
    stands = track(7, standing(*MIDDLE["S5"]), 30.2, 50, heading=1.57)
    rows = joined(looks({"S0": never}, 60), mixed(came, stands))
    assert names(rows) == {1}
    assert len(rows) == len(came) + len(stands)


def test_people_are_left_as_they_are() -> None:
    walks = track(3, going(5.0, 10.0, 1.0), 0, 20, kind="person")
    waits = track(4, standing(*MIDDLE["S5"]), 0, 60, kind="person")
    rows = joined(looks({**EMPTY, "S3": always}, 60), mixed(walks, waits))
    people = [row for row in rows if row.kind == "person"]
    assert len(people) == len(walks) + len(waits)
    assert len(names(people)) == 2
    assert len(names(rows)) == 3
    plain = [row.model_copy(update={"track": 0}) for row in people]
    assert plain == [row.model_copy(update={"track": 0}) for row in mixed(walks, waits)]


def test_identities_are_numbered_as_they_come_up() -> None:
    frames = looks({**EMPTY, "S3": between(30, 200), "S8": always}, 60)
    rows = joined(frames, mixed(arrives(70, "S3", 30), track(50, going(-4.0, 10.0, 3.0), 0, 12)))
    order: list[int] = []
    for row in rows:
        if row.track not in order:
            order.append(row.track)
    assert order == [1, 2, 3]


def test_boxes_tell_the_kind_and_are_the_observations() -> None:
    box = box_at("S3")
    rows = joined(looks({**EMPTY, "S3": always}, 20, boxes=lambda t: [detected(box, kind="van")]))
    assert {row.kind for row in rows} == {"van"}
    assert rows[10].observations[0].bbox == pytest.approx(tuple(box))
    assert rows[10].observations[0].camera == "cam"
    assert all(len(row.observations) == 1 for row in rows[5:])
    assert rows[10].size is not None
    assert rows[10].size[0] > 4.6, "a van's"


def test_nothing_in_nothing_out() -> None:
    left, found = parked([])
    assert left == []
    assert with_parked([], found, PLAN, 5.0) == ([], [])
    assert joined(looks(EMPTY, 20)) == []


def test_looks_are_kept_for_those_who_tell_occupancy() -> None:
    _, found = parked(looks({"S3": always}, 10)[::-1])
    assert [look.time - START for look in found.looks] == [float(t) for t in range(11)]
    assert {tuple(look.told) for look in found.looks} == {("S3",)}
    assert np.flatnonzero(found.looked).tolist() == [3]


def test_unsure_rows_have_the_numbers_of_their_tracks_and_join_nothing() -> None:
    """One comes and parks; before that, and where it leaves, it is too unsure to be told. Another never is sure."""
    came, went = arrives(7, "S3", 30), leaves(7, "S3", 60)
    far = [row.model_copy(update={"time": row.time - 10}) for row in came[:5]]
    other = [row.model_copy(update={"time": row.time, "track": 9}) for row in went[-5:]]
    frames = looks({**EMPTY, "S3": between(30, 60)}, 90)
    alone, nothing = with_parked([*came, *went], parked(frames)[1], PLAN, 5.0)
    found, beside = with_parked([*came, *went], parked(frames)[1], PLAN, 5.0, [*far, *other])
    assert (found, nothing) == (alone, [])
    assert [row.time for row in beside] == sorted(row.time for row in beside)
    assert len(beside) == 10
    assert names(beside[:5]) == names(found) == {1}
    assert names(beside[5:]) == {2}
    walker = [row.model_copy(update={"kind": "person"}) for row in other]
    people, more = with_parked(walker[:2], parked(looks(EMPTY, 20))[1], PLAN, 5.0, walker[2:])
    assert names(people) == names(more) == {1}
