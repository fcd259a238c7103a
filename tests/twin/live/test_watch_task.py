"""What looks at videos, as a process is told it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from perception.detection.floor_below import FloorBelow
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


def test_cameras_measure_what_stands_on_their_floor_with_stalls_or_without() -> None:
    floors = tuple(FloorBelow(camera, -3.0) for camera in cameras()[:2])
    task = replace(watch_task(), floors=floors)
    assert task.detection_options().floors == {"west": floors[0], "south": floors[1]}
    assert replace(task, stalls=stall_task()).detection_options().floors == task.detection_options().floors
    box = np.array([[600.0, 350, 700, 400]])
    measured = floors[0].measured(box, (1280, 720))
    sent = pickle.loads(pickle.dumps(task))
    assert sent == task
    np.testing.assert_array_equal(sent.floors[0].measured(box, (1280, 720)), measured)
