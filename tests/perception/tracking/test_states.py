import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geometry.box_views import ROWS, CameraModel, box_planes
from geometry.solids import outlines_of, size_prior
from perception.tracking.states import (
    BIRTH_SIGMA_M,
    STATE,
    Shapes,
    carried,
    innovation,
    log_clutter,
    process_noise,
    transition,
    update,
)
from tests.perception.sites import GROUND, SIZE, box_of, cameras

CAMERA = cameras()[1]
PLACE, HEADING = np.array([0.5, 1.0]), 0.4


def planes(box, foot=None, sigma=2.0):
    feet = np.full((1, 2), np.nan) if foot is None else np.array([foot], dtype=np.float64)
    return box_planes(CameraModel.of(CAMERA), np.array([box]), feet, np.full((1, ROWS), sigma))


def state(place, *, sigma_m=BIRTH_SIGMA_M, kind="car"):
    prior = size_prior(kind)
    mean = np.array([[*place, 0.0, 0.0, HEADING, *prior.size]])
    sigma = np.array([sigma_m, sigma_m, 3.0, 3.0, 0.1, *prior.sigma])
    return mean, np.diag(sigma**2)[None]


def compare(mean, covariance, box, *, may_hide=True, foot=None):
    shapes, level = Shapes(*outlines_of(("car",))), np.zeros(1, dtype=np.int64)
    return innovation(mean, covariance, shapes, level, GROUND, planes(box, foot), may_hide=may_hide)


def foot_of(place):
    """Return the pixel of a point on the ground."""
    camera = CameraModel.of(CAMERA)
    in_cam = (np.array([*place, 0.0]) - camera.centre) @ camera.site_from_cam
    return camera.lens.img_from_cam(in_cam[None])[0]


def test_constant_velocity_is_the_matrix_of_transition():
    rng = np.random.default_rng(3)
    mean, root = rng.standard_normal((5, STATE)), rng.standard_normal((5, STATE, STATE))
    covariance, dt = root @ np.swapaxes(root, 1, 2), rng.uniform(0, 2, 5)
    motion = transition(dt)
    moved, spread = carried(mean, covariance, dt)
    assert moved == pytest.approx((motion @ mean[..., None])[..., 0])
    assert spread == pytest.approx(motion @ covariance @ np.swapaxes(motion, 1, 2))


@given(st.floats(1e-3, 10), st.floats(0.1, 5), st.floats(0, 1), st.floats(0, 20))
@settings(max_examples=40, deadline=None)
def test_process_noise_is_positive_and_adds_up(dt, acceleration, turn, speed):
    def noise(time):
        return process_noise(np.array([time]), np.array([acceleration]), np.array([turn]), np.array([speed]))[0]

    half = transition(np.array([dt / 2]))[0]
    assert np.linalg.eigvalsh(noise(dt)).min() > -1e-9 * max(1.0, noise(dt).max())
    assert half @ noise(dt / 2) @ half.T + noise(dt / 2) == pytest.approx(noise(dt), rel=1e-6)


@pytest.mark.parametrize("sigma_m", [0.1, BIRTH_SIGMA_M])
def test_a_hidden_side_moves_nothing_however_unsure_the_place_is(sigma_m):
    whole = box_of(CAMERA, "car", PLACE, HEADING)
    hidden = whole + np.array([0.45 * (whole[2] - whole[0]), 0, 0, 0])  # a pillar before the left side
    mean, covariance = state(PLACE, sigma_m=sigma_m)
    seen = compare(mean, covariance, hidden, foot=foot_of(PLACE))
    assert seen.noise[0, 0] > 50 * seen.noise[0, 2]
    after, _ = update(mean, covariance, seen)
    print("MEASURED", sigma_m, np.linalg.norm(after[0, :2] - PLACE))
    assert np.linalg.norm(after[0, :2] - PLACE) < 0.02  # measured 0.003
    told = compare(mean, covariance, hidden, foot=foot_of(PLACE), may_hide=False)
    print("MEASURED", seen.log_likelihood[0] - told.log_likelihood[0], seen.noise)
    assert told.log_likelihood[0] < seen.log_likelihood[0] - 40  # measured 80


def test_a_whole_box_has_no_hidden_sides():
    mean, covariance = state(PLACE)
    box = box_of(CAMERA, "car", PLACE, HEADING)
    assert compare(mean, covariance, box).noise == pytest.approx(compare(mean, covariance, box, may_hide=False).noise)


def test_a_false_box_has_its_foot_in_it():
    box = np.array([[100.0, 200, 220, 330]])
    size = np.array(SIZE, dtype=np.float64)

    def clutter(foot):
        return float(log_clutter(planes(box[0], foot), box, np.array([foot], dtype=np.float64), size)[0])

    inside, below, far = clutter((160, 300)), clutter((160, 420)), clutter((-700, 900))
    assert clutter((110, 210)) == pytest.approx(inside)
    assert inside > below + 1 > far + 4
