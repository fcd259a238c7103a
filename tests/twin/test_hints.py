import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry import InputError
from tests.twin.live.conftest import plan
from tests.twin.worlds import looking
from twin.hints import Hint, weighed

FLOATS = st.floats(0.0, 1.0)


@given(st.lists(FLOATS, min_size=1, max_size=6).map(np.array), st.data())
def test_weighing_keeps_a_distribution_and_what_is_not_ruled_out(shares, data):
    probabilities = shares / (shares.sum() + 0.1)
    weights = np.array(data.draw(st.lists(FLOATS, min_size=len(shares), max_size=len(shares))))
    after = weighed(probabilities, weights)
    assert (after >= 0).all()
    assert after.sum() <= 1 + 1e-9
    np.testing.assert_allclose(weighed(probabilities, np.ones(len(shares))), probabilities, atol=1e-12)


@given(FLOATS.filter(lambda p: p > 0.01))
def test_a_pose_alone_never_gets_surer(p):
    assert weighed(np.array([p]), np.array([1.0]))[0] == pytest.approx(p)
    assert weighed(np.array([p]), np.array([0.5]))[0] <= p


def test_a_hint_decides_between_two_that_fit_alike():
    poses = [looking((0.0, 0.0, 1.5), 0.0), looking((30.0, 0.0, 1.5), 0.0)]
    weights = Hint(position=(1.0, 0.0, 1.5), sigma_m=5.0).weights(poses)
    after = weighed(np.array([0.48, 0.48]), weights)
    assert after[0] > 0.9  # measured 0.91
    assert after[1] < 0.02


def test_heading_is_clockwise_from_y():
    poses = [looking((0.0, 0.0, 1.5), yaw) for yaw in np.radians([0.0, 90.0, 180.0, 270.0])]
    ahead = np.array([pose.rotation.matrix()[2] for pose in poses])
    for heading, direction in ((0.0, (0, 1)), (90.0, (1, 0)), (180.0, (0, -1)), (-90.0, (-1, 0))):
        weights = Hint(heading_deg=heading).weights(poses)
        best = int(weights.argmax())
        np.testing.assert_allclose(ahead[best, :2], direction, atol=1e-9)
        assert np.sort(weights)[-2] < 0.1


def test_levels_are_those_of_the_plan():
    poses = [looking((0.0, 0.0, 1.5), 0.0), looking((0.0, 0.0, 50.0), 0.0)]
    weights = Hint(level="P1").weights(poses, plan())
    assert weights[0] == 1.0
    assert weights[1] < 0.1
    with pytest.raises(InputError, match="P1"):
        Hint(level="P2").weights(poses, plan())
    with pytest.raises(InputError, match="no plan"):
        Hint(level="P1").weights(poses)


@pytest.mark.parametrize(
    "fields", [{"sigma_m": 0.0}, {"sigma_m": -1.0}, {"heading_sigma_deg": 0.0}, {"position": (np.nan, 0.0, 0.0)}]
)
def test_hints_without_sense_are_refused(fields):
    with pytest.raises(InputError):
        Hint(**fields)


def test_an_empty_hint_changes_nothing():
    assert Hint().is_empty
    assert Hint().weights([looking((0.0, 0.0, 1.5), 0.0)]).tolist() == [1.0]


def test_a_right_pose_does_not_lose_by_being_as_far_off_as_right_ones_are():
    poses = [looking((1.0, 1.0, 2.5), 0.0), looking((3.0, 0.0, 1.5), 0.0), looking((9.0, 0.0, 1.5), 0.0)]
    weights = Hint(position=(0.0, 0.0, 1.5), sigma_m=1.0).weights(poses)
    assert weights[0] == pytest.approx(1.0)
    assert weights[1] == pytest.approx(0.06, abs=0.01)  # exp(-(9 - 3) / 2), and a hundredth for mistaken hints
    assert weights[2] == pytest.approx(0.01, abs=1e-3)
    assert Hint(position=(0.0, 0.0, 1.5), sigma_m=1.0).weights([]).shape == (0,)
