"""Real boxes of seven overlapping cameras, ids hidden: the first twenty seconds, which were used in development."""

import pytest

from benchmarks.tracking_wildtrack import measure
from tests.support import real_data

pytest.importorskip("trackeval", reason="trackeval is not installed")


@pytest.mark.parametrize(
    ("noise_seed", "mota", "error_m"),
    [
        (None, 0.93, 0.06),  # measured 0.96, 0.03
        (101, 0.85, 0.08),  # measured 0.91, 0.05
    ],
)
def test_people_in_a_crowd(noise_seed, mota, error_m):
    figures = measure(real_data("wildtrack"), noise_seed=noise_seed, limit=40)
    assert figures["MOTA"] > mota
    assert figures["IDF1"] > 0.8
    assert figures["position_error_m"]["median"] < error_m
    assert 0.85 < figures["coverage_95"] < 1.0
