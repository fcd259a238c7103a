import numpy as np
import pytest

from geometry.errors import InputError
from scenes.captures.recording import FixedOptions, boxes_without_pictures, record
from tests.scenes.captures.recordings import half_minute, room

START = FixedOptions().start_utc


def test_a_recording_needs_cameras_and_an_episode_as_long():
    facility, plan, _ = room()
    with pytest.raises(InputError, match="no fixed cameras"):
        record(facility.model_copy(update={"cameras": ()}), plan, FixedOptions())
    with pytest.raises(InputError, match="episode ends"):
        record(facility, plan, FixedOptions(seconds=60.0), half_minute().episode)


@pytest.mark.parametrize(
    "values",
    [{"seconds": 0.0}, {"fps": 1e9}, {"fps": np.nan}, {"seconds": 1e9}, {"seed": -1}, {"quality": "best"}],
)
def test_impossible_options_are_refused(values):
    with pytest.raises(InputError):
        FixedOptions(**values)


def test_cameras_expose_at_phases_of_their_own():
    recording = half_minute()
    first = [float(recording.clocks[id].utc(times[0])) - START for id, times in recording.exposures.items()]
    assert all(0 <= phase < 0.5 for phase in first)
    assert abs(first[0] - first[1]) > 1e-3


def test_the_same_seed_records_the_same():
    facility, plan, building = room()
    runs = [record(facility, plan, FixedOptions(seconds=1.0, seed=seed)) for seed in (1, 1, 2)]
    boxes = [list(boxes_without_pictures(run, building.shapes, reduction=2)) for run in runs]
    assert boxes[0] == boxes[1] != boxes[2]
    assert {frame.camera for frame in boxes[0]} == {"cam1", "cam2"}
