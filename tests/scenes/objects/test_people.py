"""People: feet on the ground at every moment of a stride, a stride that closes."""

import numpy as np
import pytest

from geometry.errors import InputError
from scenes.objects import PersonSpec, draw_person_spec, person
from scenes.objects.people import PHASES


@pytest.mark.parametrize("phase", [None, *np.arange(PHASES) / PHASES])
def test_stands_on_the_ground_as_high_as_told(phase):
    spec = draw_person_spec(np.random.default_rng(3))
    points = np.concatenate([shape.vertices for shape in person(spec, phase).shapes])
    assert points[:, 2].min() == pytest.approx(0, abs=1e-5)
    assert points[:, 2].max() == pytest.approx(spec.height, abs=0.10)  # measured 0.03 standing, 0.09 mid-stride


def test_phases_are_rounded_and_periodic():
    spec = PersonSpec()
    assert person(spec, 0.99) is person(spec, 0.0) is person(spec, 1.0)
    assert person(spec, 0.26) is person(spec, 0.25)
    assert person(spec, None) is not person(spec, 0.0)


def test_half_a_stride_mirrors_the_legs():
    trousers = [next(s for s in person(PersonSpec(), p).shapes if s.name == "trousers") for p in (0.25, 0.75)]
    left, right = (np.sort(shape.vertices[:, 0]) for shape in trousers)
    np.testing.assert_allclose(left, right, atol=1e-5)


@pytest.mark.parametrize("change", [{"height": 5.0}, {"build": 0.1}, {"height": float("nan")}])
def test_refuses_who_nobody_is(change):
    with pytest.raises(InputError):
        PersonSpec(**change)
