import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geometry.errors import InputError
from scenes.captures.clocks import Clock, exposure_times, read_clocks, write_clocks

EPOCH = 1_750_000_000.0
CLOCKS = st.builds(
    Clock,
    offset_s=st.floats(-3600, 3600),
    drift_ppm=st.floats(-1000, 1000),
    epoch=st.floats(EPOCH - 1e6, EPOCH + 1e6),
)


@given(CLOCKS, st.floats(EPOCH - 1e6, EPOCH + 1e6))
def test_utc_and_time_undo_each_other(clock, moment):
    # float64 has steps of 2.4e-7 s at today's epoch seconds
    assert clock.utc(clock.time(moment)) == pytest.approx(moment, abs=1e-6, rel=0)
    assert clock.time(clock.utc(moment)) == pytest.approx(moment, abs=1e-6, rel=0)


@given(CLOCKS, st.floats(0, 1e5))
def test_the_formula_is_that_of_the_files(clock, since):
    time = clock.epoch + since
    expected = time - clock.offset_s - clock.drift_ppm * 1e-6 * (time - clock.epoch)
    assert clock.utc(time) == pytest.approx(expected, abs=1e-6, rel=0)


def test_a_clock_that_is_ahead_and_fast_shows_more():
    clock = Clock(offset_s=2.0, drift_ppm=100.0, epoch=EPOCH)
    assert clock.utc(EPOCH) == EPOCH - 2.0
    assert clock.utc(EPOCH + 1e4) == pytest.approx(EPOCH + 1e4 - 2.0 - 1.0, abs=1e-6, rel=0)


@given(CLOCKS, st.floats(0.2, 60), st.floats(0.5, 30), st.floats(0, 0.999))
def test_exposures_are_regular_by_the_own_clock_and_within_the_recording(clock, seconds, fps, phase):
    times = exposure_times(clock, EPOCH, seconds, fps, phase)
    utc = clock.utc(times)
    assert (utc >= EPOCH - 1e-6).all()
    assert (utc < EPOCH + seconds).all()
    assert abs(len(times) - seconds * fps) <= 1 + 2e-3 * seconds * fps
    np.testing.assert_allclose(np.diff(times), 1 / fps, atol=1e-6)


@pytest.mark.parametrize("values", [{"offset_s": np.nan}, {"drift_ppm": 1e6}, {"epoch": np.inf}, {"drift_ppm": np.nan}])
def test_a_clock_that_is_none_is_refused(values):
    with pytest.raises(InputError, match="finite numbers"):
        Clock(**values)


def test_clocks_round_trip(tmp_path):
    clocks = {"cam1": Clock(), "cam 2": Clock(offset_s=-1.25, drift_ppm=40.0, epoch=EPOCH + 0.1)}
    write_clocks(tmp_path / "clocks.csv", clocks)
    assert read_clocks(tmp_path / "clocks.csv") == clocks


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("camera,clock_offset_s,clock_drift_ppm\na,0,0\n", "'clock_epoch' is missing"),
        ("camera,clock_offset_s,clock_drift_ppm,clock_epoch\na,x,0,0\n", "not a number"),
        ("camera,clock_offset_s,clock_drift_ppm,clock_epoch\na,0,9e9,0\n", "outside"),
        ("camera,clock_offset_s,clock_drift_ppm,clock_epoch\na,0,0,0\na,0,0,0\n", "occurs twice"),
    ],
)
def test_a_malformed_file_is_refused(tmp_path, text, message):
    (tmp_path / "clocks.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_clocks(tmp_path / "clocks.csv")
