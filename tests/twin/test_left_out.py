"""What a map asks of a photo, from its own photos left out."""

import numpy as np
import pytest

from tests.twin.worlds import CAMERA, looking, mapped, room, walk
from twin.localizer_options import LocalizerOptions
from twin.mapping.left_out import USUAL_NOISE, LeftOut, LeftOutImage


def image(k: int, noise: float = 1.0, right: bool = True, error: float = 0.01) -> LeftOutImage:
    return LeftOutImage(
        name=f"{k}.jpg",
        reason=None,
        error_m=error,
        difference=np.array([0, 0, 0, error, 0, 0]),
        covariance=1e-4 * np.eye(6),
        right=right,
        noise_scale=noise,
    )


def check(count: int, noise: float = 1.0, explained_px: float = 1.0) -> LeftOut:
    return LeftOut(images=tuple(image(k, noise) for k in range(count)), explained_px=explained_px)


def test_a_query_must_fit_about_as_well_as_the_maps_photos() -> None:
    assert "max_noise_scale" not in check(0).bounds()
    assert check(9, noise=0.5).bounds()["max_noise_scale"] == pytest.approx(USUAL_NOISE)
    assert check(9, noise=4.0, explained_px=2.4).bounds() == {
        "explained_px": 2.4,
        "alike": 0.0,
        "usual_noise": pytest.approx(4.0),
        "max_noise_scale": pytest.approx(4.0 * USUAL_NOISE),
    }
    assert check(9, noise=40.0).bounds()["max_noise_scale"] == LocalizerOptions.max_noise_scale


def test_wrong_answers_set_no_bounds_and_are_refused_by_them() -> None:
    sharp = [image(k) for k in range(8)]
    wrong = [image(8, noise=12.0, right=False, error=3.0), image(9, noise=19.0, right=False, error=2.0)]
    mixed = LeftOut(images=(*sharp, *wrong), explained_px=1.0)
    assert mixed.bounds() == LeftOut(images=tuple(sharp), explained_px=1.0).bounds()
    assert set(mixed.refused()) == {"8.jpg", "9.jpg"}
    assert mixed.covariance_scale() == LeftOut(images=tuple(sharp), explained_px=1.0).covariance_scale()


def test_a_pose_that_fits_badly_is_refused() -> None:
    rng = np.random.default_rng(2)
    world = room(rng)
    places = mapped(world, walk(), rng)
    features, _ = world.see(looking((0.4, 0.3, 1.6), 0.7), rng)
    answers = [
        places.localizer(LocalizerOptions(max_noise_scale=bound)).localize("a", features, CAMERA)
        for bound in (20.0, 0.2)
    ]
    assert answers[0].status == "ok"
    assert answers[1].status == "refused"
    assert "fits badly" in str(answers[1].reason)
