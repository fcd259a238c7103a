"""What looks at videos, as a process is told it."""

import pickle

import numpy as np
import pytest

from perception.detection.making import habits_of
from perception.detection.onnx_detector import OnnxOptions
from perception.occupancy.network import stall_network_file
from tests.perception.sites import cameras
from tests.twin.live.conftest import plan
from twin.live.watch_task import StallTask, WatchTask


def watch_task(detector: str = "background", stalls: StallTask | None = None) -> WatchTask:
    return WatchTask(
        twin="site", tracked="all", database="", videos=(), detector=detector, max_backlog=10, stalls=stalls
    )


def stall_task(**more: object) -> StallTask:
    given = {"network": stall_network_file("tiepoint"), "plan": plan(), "cameras": tuple(cameras()[:2])}
    return StallTask(**(given | more))  # type: ignore[arg-type]


def test_cameras_look_at_the_stalls_that_they_see() -> None:
    options = watch_task(stalls=stall_task()).detection_options()
    assert {camera: sight.stalls for camera, sight in options.sights.items()} == {
        "west": ("A", "B"), "south": ("A", "B"),
    }  # fmt: skip
    assert options.stall_network == stall_network_file("tiepoint")
    assert not options.must_look


@pytest.mark.parametrize(
    "stalls", [None, stall_task(cameras=()), stall_task(plan=plan().model_copy(update={"stalls": ()}))]
)
def test_where_no_stall_is_seen_no_network_is_loaded(stalls: StallTask | None) -> None:
    options = watch_task(stalls=stalls).detection_options()
    assert (options.stall_network, dict(options.sights)) == (None, {})


def test_the_score_is_what_the_network_says_of_itself() -> None:
    habits = habits_of("tiepoint")
    assert habits is not None
    assert watch_task("tiepoint").detection_options().network.score == habits.low_score
    assert watch_task("background").detection_options().network == OnnxOptions()


def test_a_task_that_was_sent_to_a_process_is_the_same_and_looks_the_same() -> None:
    task = watch_task(stalls=stall_task())
    sent = pickle.loads(pickle.dumps(task))
    assert sent == task
    there, here = sent.detection_options().sights, task.detection_options().sights
    for camera, sight in here.items():
        np.testing.assert_array_equal(there[camera].crops.maps, sight.crops.maps)


def test_cameras_of_known_levels_measure_what_stands_on_their_floor() -> None:
    below = tuple(camera.model_copy(update={"level": "P1"}) for camera in cameras()[:2])
    task = watch_task(stalls=stall_task(cameras=(*below, cameras()[2])))
    floors = task.detection_options().floors
    assert {camera: floor.elevation for camera, floor in floors.items()} == {"west": 0.0, "south": 0.0}
    box = np.array([[600.0, 350, 700, 400]])
    measured = floors["west"].measured(box)
    sent = pickle.loads(pickle.dumps(floors["west"]))
    np.testing.assert_array_equal(sent.measured(box), measured)
    no_stalls = plan().model_copy(update={"stalls": ()})
    assert watch_task(stalls=stall_task(cameras=below, plan=no_stalls)).detection_options().floors.keys() == {
        "west", "south",
    }  # fmt: skip
