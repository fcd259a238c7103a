import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perception.linking.paths import Points
from perception.linking.relinking import RelinkOptions, relink
from perception.linking.thresholds import ThresholdOptions, log_rates

FPS = 5.0


def points(tracks, *, walks=True, sigma=0.05):
    """Return points of tracks, each (times, positions (K, 2)), in the order of tracks, and who follows whom."""
    time = np.concatenate([t for t, _ in tracks])
    n = len(time)
    following = np.arange(1, n + 1)
    following[np.cumsum([len(t) for t, _ in tracks]) - 1] = -1
    return (
        Points(
            time=time,
            position=np.concatenate([p for _, p in tracks]),
            covariance=np.tile(sigma**2 * np.eye(2), (n, 1, 1)),
            level=np.zeros(n, dtype=np.int64),
            walks=np.full(n, walks),
            usual=np.full(n, 0.6),
            sudden=np.full(n, 3.0),
        ),
        following,
    )


def straight(start, velocity, begin, end):
    times = np.arange(round(begin * FPS), round(end * FPS)) / FPS
    return times, np.array(start) + np.outer(times, velocity)


def chains(following):
    begins = np.setdiff1d(np.arange(len(following)), following)
    found = []
    for at in begins.tolist():
        own = []
        while at >= 0:
            own.append(at)
            at = int(following[at])
        found.append(own)
    return found


def test_two_that_swapped_where_they_met_are_put_right():
    a, b = straight((0, 0), (1.2, 0.1), 0, 6), straight((7, 0.9), (-1.2, -0.1), 0, 6)
    half = 15
    swapped = [
        (a[0], np.concatenate([a[1][:half], b[1][half:]])),
        (b[0], np.concatenate([b[1][:half], a[1][half:]])),
    ]
    data, following = points(swapped)
    found = chains(relink(data, following, RelinkOptions()))
    ways = [data.position[own][:, 0] for own in found]
    assert len(found) == 2
    assert all((np.diff(way) > 0).all() or (np.diff(way) < 0).all() for way in ways)


def test_a_parked_car_is_itself_after_seconds_behind_another():
    times, place = straight((0, 0), (0, 0), 0, 10)
    seen = (times < 3) | (times >= 7)
    passing = straight((-8, 2.5), (2.0, 0), 0, 8)
    tracks = [(times[times < 3], place[times < 3]), (times[times >= 7], place[times >= 7]), passing]
    data, following = points(tracks, walks=False, sigma=0.1)
    lengths = sorted(len(own) for own in chains(relink(data, following, RelinkOptions())))
    assert lengths == sorted([int(seen.sum()), len(passing[0])])


@given(st.integers(0, 2**16), st.floats(0.0, 0.4))
@settings(max_examples=25, deadline=None)
def test_every_point_has_one_past_and_one_future_and_time_goes_on(seed, dropped):
    rng = np.random.default_rng(seed)
    tracks = []
    for _ in range(5):
        times, place = straight(rng.uniform(-4, 4, 2), rng.uniform(-1.5, 1.5, 2), 0, 12)
        kept = rng.random(len(times)) >= dropped
        kept &= ~((times > 4) & (times < 4 + rng.uniform(0, 7)))  # gaps longer than any that is bridged, too
        if kept.sum() > 2:
            tracks.append((times[kept], place[kept]))
    data, following = points(tracks)
    after = relink(data, following, RelinkOptions())
    linked = np.flatnonzero(after >= 0)
    assert len(np.unique(after[linked])) == len(linked)
    assert (data.time[after[linked]] > data.time[linked]).all()


def test_nothing_to_relink():
    empty = np.zeros(0, dtype=np.int64)
    data = Points(
        time=np.zeros(0),
        position=np.zeros((0, 2)),
        covariance=np.zeros((0, 2, 2)),
        level=empty,
        walks=np.zeros(0, dtype=np.bool_),
        usual=np.zeros(0),
        sudden=np.zeros(0),
    )
    assert len(relink(data, empty, RelinkOptions())) == 0


def test_objects_come_where_others_came():
    door = [straight((0.1 * k, 0), (0, 1.0), k, k + 4) for k in range(1, 8)]
    door = [(t, p - [0, p[0, 1]]) for t, p in door]  # all begin at y = 0
    data, following = points([straight((20, 20), (0, 0), 0, 14), *door])
    new, ends = log_rates(data, following, ThresholdOptions())
    begins = np.setdiff1d(np.arange(len(following)), following)[1:]
    middle = begins + 10
    assert (new[begins] > new[middle] + 1.5).all()  # measured 1.8 and more
    assert (np.exp(ends) <= 1.0).all()


def test_a_break_in_the_middle_does_not_explain_itself():
    times, place = straight((0, 0), (1, 0), 0, 8)
    alone = [(times[:20], place[:20]), (times[20:], place[20:])]
    others = [straight((0, y), (1, 0), 0, 8) for y in (5, 10, 15)]
    data, following = points([*alone, *others])
    new, _ = log_rates(data, following, ThresholdOptions())
    assert new[20] == pytest.approx(new[60], abs=0.5)  # no likelier there than in the middle of another track
