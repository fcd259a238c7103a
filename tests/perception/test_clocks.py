import numpy as np
import pytest

from geometry.errors import InputError
from perception.clocks import CameraTrack, ClockOptions, estimate_clocks


def seen(camera, offset, start, velocity, times, sigma=0.05, rng=None):
    positions = np.zeros((len(times), 3))
    positions[:, :2] = np.array(start) + np.array(velocity) * times[:, None]
    positions[:, :2] += np.cumsum(np.sin(times))[:, None] * 0.1 * np.array([velocity[1], -velocity[0]])
    if rng is not None:
        positions[:, :2] += sigma * rng.standard_normal((len(times), 2))
    return CameraTrack(
        camera=camera, family="vehicle", times=times + offset, positions=positions, sigma_m=np.full(len(times), sigma)
    )


def traffic(offsets, rng, cars=6):
    tracks = []
    for number in range(cars):
        begin = 7.0 * number
        times = begin + np.arange(0, 5, 0.2)
        angle = rng.uniform(0, 2 * np.pi)
        velocity = 3 * np.array([np.cos(angle), np.sin(angle)])
        start = rng.uniform(-10, 10, 2) - velocity * begin
        tracks += [seen(camera, offset, start, velocity, times, rng=rng) for camera, offset in offsets.items()]
    return tracks


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_differences_of_clocks_are_found_and_their_sigma_covers(seed):
    rng = np.random.default_rng(seed)
    offsets = {"a": 0.25, "b": -0.2, "c": 0.1}
    found = estimate_clocks(traffic(offsets, rng), ("a", "b", "c"))
    for first, second in (("a", "b"), ("b", "c")):
        i, j = found.cameras.index(first), found.cameras.index(second)
        error = found.offset_s[i] - found.offset_s[j] - offsets[first] + offsets[second]
        assert abs(error) < 0.03  # measured at most 0.012
        assert abs(error) < 3 * found.relative_sigma_s(first, second)
    assert found.pairs["a", "b"][0] >= 5


def test_a_camera_that_shares_nothing_keeps_what_is_known_beforehand():
    rng = np.random.default_rng(1)
    tracks = traffic({"a": 0.2, "b": 0.0}, rng)
    found = estimate_clocks(tracks, ("a", "b", "alone"), ClockOptions(offset_sigma_s=0.3))
    assert found.offset_s[2] == pytest.approx(0.0)
    assert found.sigma_s("alone") == pytest.approx(0.3)
    assert found.relative_sigma_s("a", "b") < 0.05
    assert found.sigma_s("a") > 0.15  # the part that is common to all clocks stays unknown


def test_who_stands_still_tells_no_clock():
    times = np.arange(0, 10, 0.2)
    tracks = [seen("a", 0.2, (0, 0), (0, 0), times), seen("b", 0.0, (0, 0), (0, 0), times)]
    found = estimate_clocks(tracks, ("a", "b"))
    assert found.pairs == {}
    assert found.sigma_s("a") == pytest.approx(0.3)


def test_contradicting_tracks_are_outvoted():
    rng = np.random.default_rng(4)
    tracks = traffic({"a": 0.2, "b": 0.0}, rng, cars=8)
    tracks += traffic({"a": -0.6, "b": 0.0}, rng, cars=1)
    found = estimate_clocks(tracks, ("a", "b"))
    assert found.offset_s[0] - found.offset_s[1] == pytest.approx(0.2, abs=0.03)


def test_nothing_and_unknown_cameras():
    found = estimate_clocks([], ("a", "b"))
    np.testing.assert_allclose(found.offset_s, 0.0)
    with pytest.raises(InputError, match="no camera 'x'"):
        estimate_clocks([seen("x", 0.0, (0, 0), (1, 0), np.arange(5.0))], ("a",))
