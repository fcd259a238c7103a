"""What stands, where cameras look at stalls: it founds no track, and no track that drives takes its box."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.box_views import CameraModel
from perception.detections import Detections
from perception.tracking.instant import MOVES_SHARE, STILL_SHARE, moves, stands
from perception.tracking.states import STANDING_MPS, STATE, Array, log_standing
from perception.tracking.tracker import GroundTracker, instants
from perception.tracking.tracks import Tracklet
from tests.perception.sites import GROUND, cameras, walk

Paths = dict[int, tuple[str, Array, Array]]

STANDS: Paths = {1: ("car", np.array([1.0, -3.5]), np.array([0.0, 0.0]))}
DRIVES: Paths = {2: ("car", np.array([-4.0, 3.0]), np.array([1.6, 0.0]))}
WALKS: Paths = {3: ("person", np.array([-3.0, 0.5]), np.array([1.0, 0.0]))}
WAITS: Paths = {4: ("person", np.array([0.0, 0.5]), np.array([0.0, 0.0]))}
LOOKS: dict[str, float] = {}
"""Of a camera that looks at stalls, but not in this frame."""


def boxes(*changed: float, kinds: Sequence[str] | None = None, stalls: dict[str, float] | None = LOOKS) -> Detections:
    places = [[20.0 * k, 10, 20.0 * k + 15, 30] for k in range(len(changed))]
    found = Detections.of("west", 1.0, places, kinds or ["car"] * len(changed))
    return replace(found, changed=np.array(changed), stalls=stalls)


def test_boxes_in_which_much_changes_move_and_those_in_which_little_does_stand() -> None:
    found = boxes(0.0, 0.99 * STILL_SHARE, STILL_SHARE, 0.99 * MOVES_SHARE, MOVES_SHARE, 1.0, np.nan)
    assert moves(found).tolist() == [False, False, False, False, True, True, False]
    assert stands(found).tolist() == [True, True, False, False, False, False, True]
    people = boxes(0.0, 0.0, np.nan, kinds=["person", "car", "person"])
    assert stands(people).tolist() == [False, True, False]


@given(changed=st.lists(st.floats(0, 1) | st.just(np.nan), max_size=6))
def test_nothing_is_both_and_without_looks_at_stalls_all_may_move(changed: list[float]) -> None:
    found = boxes(*changed)
    assert not (moves(found) & stands(found)).any()
    for plain in (replace(found, stalls=None), replace(found, changed=None)):
        assert moves(plain).tolist() == [True] * len(changed)
        assert stands(plain).tolist() == [False] * len(changed)


def state(vx: float, vy: float = 0.0) -> Array:
    return np.array([[1.0, 2.0, vx, vy, 0.3, 4.5, 1.8, 1.5]])


def spread(mps: float) -> Array:
    return np.diag([1.0, 1.0, mps, mps, 0.2, 0.3, 0.1, 0.1])[None] ** 2


def test_what_is_slow_may_stand_and_what_is_fast_does_not() -> None:
    assert log_standing(state(0.0), spread(1e-6))[0] == pytest.approx(0.0, abs=1e-6)
    assert log_standing(state(1.5), spread(0.1))[0] < -20  # measured -35.0
    assert -1 < log_standing(state(STANDING_MPS), spread(1e-3))[0] < 0


@given(vx=st.floats(-3, 3), vy=st.floats(-3, 3), sigma=st.floats(0.01, 3), turn=st.floats(-3, 3))
def test_it_is_the_mean_over_velocities_of_how_well_each_fits(vx: float, vy: float, sigma: float, turn: float) -> None:
    """The integral of exp(-v^2 / 2 s^2) over the velocity's distribution, and the same in every direction."""
    told = log_standing(state(vx, vy), spread(sigma))[0]
    assert told <= 1e-9
    cos, sin = np.cos(turn), np.sin(turn)
    turned = state(cos * vx - sin * vy, sin * vx + cos * vy)
    assert log_standing(turned, spread(sigma))[0] == pytest.approx(told, abs=1e-9)
    at = np.linspace(-8, 8, 4001)
    both = [
        np.exp(-0.5 * (at / STANDING_MPS) ** 2 - 0.5 * ((at - v) / sigma) ** 2).sum() * (at[1] - at[0])
        for v in (vx, vy)
    ]
    mean = both[0] * both[1] / (2 * np.pi * sigma**2)
    if mean > 1e-30:
        assert told == pytest.approx(np.log(mean), abs=1e-3)


def test_many_states_are_weighed_alone() -> None:
    rng = np.random.default_rng(0)
    root = rng.normal(size=(5, STATE, STATE))
    mean, covariance = rng.normal(size=(5, STATE)), root @ np.swapaxes(root, 1, 2)
    alone = [log_standing(mean[k : k + 1], covariance[k : k + 1])[0] for k in range(5)]
    np.testing.assert_allclose(log_standing(mean, covariance), alone)
    assert log_standing(mean[:0], covariance[:0]).shape == (0,)


def seen(paths: Paths, changed: float, stalls: dict[str, float] | None) -> list[Detections]:
    """Return what cameras see of objects, in whose boxes a share of the pixels changes."""
    found = []
    for frame in walk(paths, 5.0, noise_px=2.0, rng=np.random.default_rng(3)):
        kinds, places = [each.kind for each in frame.detections], [each.bbox for each in frame.detections]
        shown = Detections.of(frame.camera, frame.time, places, kinds, [each.score for each in frame.detections])
        found.append(replace(shown, changed=np.full(len(kinds), changed), stalls=stalls))
    return found


def together(*parts: list[Detections]) -> list[Detections]:
    """Return the frames of several objects as one; they are those of the same cameras and times."""
    return [
        replace(
            frames[0],
            boxes=np.concatenate([each.boxes for each in frames]),
            scores=np.concatenate([each.scores for each in frames]),
            kinds=sum((each.kinds for each in frames), ()),
            feet=np.concatenate([each.feet for each in frames]),
            changed=np.concatenate([each.changed for each in frames if each.changed is not None]),
        )
        for frames in zip(*parts, strict=True)
    ]


def followed(frames: list[Detections]) -> list[Tracklet]:
    run = GroundTracker([CameraModel.of(camera) for camera in cameras()], GROUND)
    for group in instants(frames, 0.002):
        run.update(group)
    assert bool(run.lookers) == any(frame.stalls is not None for frame in frames)
    return run.end()


def kinds_of(found: list[Tracklet]) -> list[str]:
    return sorted(each.kind for each in found)


def test_what_stands_is_tracked_only_where_nothing_looks_at_stalls() -> None:
    assert kinds_of(followed(seen(STANDS, 0.0, None))) == ["car"]
    assert followed(seen(STANDS, 0.0, LOOKS)) == []
    assert followed(seen(STANDS, np.nan, LOOKS)) == [], "nor where nothing is known of what changes"


def test_what_drives_is_tracked_in_both() -> None:
    for stalls in (None, LOOKS, {"A": 0.9}):
        (found,) = followed(seen(DRIVES, 0.6, stalls))
        assert {each.camera for each in found.seen} == {"west", "south", "east"}


def test_people_are_tracked_whether_they_walk_or_stand() -> None:
    for paths in (WALKS, WAITS):
        for changed in (0.0, 0.2, 0.8):
            assert kinds_of(followed(seen(paths, changed, LOOKS))) == ["person"]


def test_a_box_that_trembles_without_going_anywhere_is_no_track() -> None:
    """Somebody passes before a parked car for all the time: its pixels change, its box stays."""
    assert followed(seen(STANDS, 0.6, LOOKS)) == []
    assert kinds_of(followed(seen(STANDS, 0.6, None))) == ["car"]


def test_one_that_drives_by_keeps_its_track_past_one_that_stands() -> None:
    past = {5: ("car", np.array([-4.0, 0.2]), np.array([1.8, 0.0]))}
    stands_near = {6: ("car", np.array([0.5, 3.0]), np.array([0.0, 0.0]))}
    (found,) = followed(together(seen(past, 0.6, LOOKS), seen(stands_near, 0.0, LOOKS)))
    assert found.times[0] < 1.0
    assert found.times[-1] > 4.0


def test_a_track_goes_on_while_its_vehicle_waits() -> None:
    """It drives for three seconds and then stands for two, with boxes in which nothing changes any more."""
    drives = [each for each in seen(DRIVES, 0.6, LOOKS) if each.time < 3.0]
    stop = {2: ("car", np.array([-4.0 + 1.6 * 3.0, 3.0]), np.array([0.0, 0.0]))}
    waits = [each for each in seen(stop, 0.0, LOOKS) if each.time >= 3.0]
    (found,) = followed([*drives, *waits])
    assert found.times[-1] > 4.5
