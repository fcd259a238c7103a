"""What a map asks of a photo, from its own photos left out."""

import numpy as np
import pytest

from tests.twin.worlds import CAMERA, looking, mapped, room, walk
from twin.localizer import LocalizerOptions
from twin.mapping.left_out import MIN_EXPLAINED, USUAL_NOISE, LeftOut


def check(shares: list[float], noise: list[float], explained_px: float = 1.0) -> LeftOut:
    return LeftOut(
        images=(),
        status=(),
        errors_m=np.zeros(0),
        errors_deg=np.zeros(0),
        differences=np.zeros((0, 6)),
        covariances=np.zeros((0, 6, 6)),
        explained_shares=np.array(shares),
        noise_scales=np.array(noise),
        explained_px=explained_px,
    )


@pytest.mark.parametrize(
    ("shares", "bound"),
    [
        ([], LocalizerOptions.min_explained),  # nothing known: what a sharp map needs
        ([0.5, 0.6], LocalizerOptions.min_explained),  # never more than that
        ([0.1, 0.2, 0.3], 0.04),
        ([0.01, 0.02], MIN_EXPLAINED),
    ],
)
def test_a_query_must_show_a_fifth_of_what_the_maps_photos_show(shares: list[float], bound: float) -> None:
    assert check(shares, []).min_explained() == pytest.approx(bound)


def test_a_query_must_fit_about_as_well_as_the_maps_photos() -> None:
    assert "max_noise_scale" not in check([], []).bounds()
    assert check([], [0.5] * 9).bounds()["max_noise_scale"] == pytest.approx(USUAL_NOISE)
    assert check([], [4.0] * 9, 2.4).bounds() == {
        "explained_px": 2.4,
        "min_explained": LocalizerOptions.min_explained,
        "max_noise_scale": pytest.approx(4.0 * USUAL_NOISE),
    }


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
