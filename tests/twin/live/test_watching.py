import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from geometry import InputError
from tests.perception.occupancy.networks import write_network
from tests.perception.sites import SIZE, cameras
from twin.events.records import Occupancy
from twin.live.database.schema import frames, progress, records
from twin.live.engine import Engine
from twin.live.ingest import store_frames
from twin.live.journal import Journal
from twin.live.watch_task import StallTask, WatchTask
from twin.live.watching import Looking, VideoStore
from twin.service.settings import Settings


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A bright box that moves over a dark floor: twelve seconds, ten pictures a second."""
    path = tmp_path / "west.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10.0, (1280, 720))
    for k in range(120):
        picture = np.full((720, 1280, 3), 40, dtype=np.uint8)
        cv2.rectangle(picture, (200 + 5 * k, 360), (280 + 5 * k, 440), (220, 220, 220), -1)
        writer.write(picture)
    writer.release()
    return path


def watch_task(task, *videos, **more):
    return WatchTask(
        twin="site",
        tracked="all",
        database=task.database,
        videos=videos,
        detector="background",
        max_backlog=5000,
        **more,
    )


def test_a_video_becomes_frames_and_its_process_ends(database, task, video):
    engine = Engine(database)
    try:
        engine.set_tasks([watch_task(task, ("west", str(video)))])
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not engine.health()[0]["finished"]:
            time.sleep(0.2)
        (health,) = engine.health()
        assert health["finished"]
        assert health["restarts"] == 0
    finally:
        engine.stop()
    with database.read() as connection:
        rows = connection.execute(sa.select(frames.c.camera, frames.c.cameras, frames.c.time, frames.c.boxes)).all()
        counts = connection.execute(sa.select(progress.c.counts)).scalar_one()
    assert len(rows) == 120
    assert {(row.camera, row.cameras) for row in rows} == {("west", "all")}
    assert np.allclose(np.diff([row.time for row in rows]), 0.1, atol=1e-3)
    assert max(row.boxes for row in rows) >= 1
    assert '"frames": 120' in counts


@pytest.fixture
def stalls(task, tmp_path: Path) -> StallTask:
    """How the cameras look at the plan's stalls, by a network for which what is red is taken."""
    network = write_network(tmp_path / "red.onnx", {"slope": 0.2})
    return StallTask(network=network, plan=task.floor_plan(), cameras=task.members())


def test_what_a_video_shows_of_stalls_becomes_occupancy(database, task, stalls, tmp_path):
    """One process looks, the other tracks: a dark video that is red from its sixth second on, and no vehicle at all."""
    writer = cv2.VideoWriter(str(tmp_path / "west.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 5.0, SIZE)
    for k in range(60):
        writer.write(np.full((SIZE[1], SIZE[0], 3), (20, 20, 20 if k < 30 else 250), dtype=np.uint8))
    writer.release()
    watched = watch_task(task, ("west", str(tmp_path / "west.avi")), stalls=stalls)
    engine = Engine(database)
    try:
        engine.set_tasks([task, watched])
        deadline, rows = time.monotonic() + 90, []
        while time.monotonic() < deadline and len(rows) < 4:
            time.sleep(0.2)
            query = sa.select(records.c.stall, records.c.content).where(records.c.what == "occupancy")
            with database.read() as connection:
                rows = connection.execute(query.order_by(records.c.seq)).all()
    finally:
        engine.stop()
    with database.read() as connection:
        began = connection.execute(sa.select(sa.func.min(frames.c.time))).scalar_one()
    told = [(row.stall, Occupancy.model_validate_json(row.content)) for row in rows]
    for stall in ("A", "B"):
        free, taken = (each for name, each in told if name == stall)
        assert free.p_occupied < 0.5 < taken.p_occupied
        assert 6.0 <= taken.time - began <= 10.0


def test_a_video_at_its_end_is_not_looked_at_again_by_another_calibration(database, task, stalls, video):
    watched = watch_task(task, ("west", str(video)), stalls=stalls)
    other = replace(watched, stalls=replace(stalls, cameras=stalls.cameras[:1]))
    engine = Engine(database)
    try:
        engine.set_tasks([watched])
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and not engine.health()[0]["finished"]:
            time.sleep(0.2)
        engine.set_tasks([other])
        assert engine.health()[0]["finished"]
        engine.set_tasks([replace(other, videos=(("south", str(video)),))])
        assert not engine.health()[0]["finished"]
    finally:
        engine.stop()


def test_frames_of_who_is_to_look_and_can_not_are_counted(database, task, frames):
    store = VideoStore(database, watch_task(task), {"west", "south"})
    could = {"west": None, "south": {}, "east": None}
    store.store([frame.model_copy(update={"stalls": could[frame.camera]}) for frame in frames[:30]])
    assert store.counts["frames without looks at stalls: west"] == sum(f.camera == "west" for f in frames[:30])
    assert sum("without" in what for what in store.counts) == 1


@pytest.fixture
def silent_camera() -> Iterator[str]:
    """An address that takes a connection and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/stream"


def test_a_silent_camera_keeps_nobody_waiting(database, task, silent_camera):
    engine = Engine(database)
    try:
        engine.set_tasks([watch_task(task, ("west", silent_camera))])
        deadline = time.monotonic() + 90
        beats: set[float] = set()
        while len(beats) < 4 and time.monotonic() < deadline:
            beats |= {each["beat"] for each in engine.health() if each["beat"]}
            time.sleep(0.1)
        assert len(beats) == 4
    finally:
        begin = time.monotonic()
        engine.stop()
    assert time.monotonic() - begin < 8.0  # 1.3 s on an idle machine; it was killed after 20 s


def test_frames_come_as_they_are_and_what_ends_them_is_told():
    def fails(count):
        yield from range(count)
        raise InputError("the camera is gone")

    looking = Looking(lambda: fails(20))  # more than wait
    taken = []

    def take_all():
        while not looking.is_over:
            taken.extend(frame for frame in [looking.take(0.1)] if frame is not None)

    with pytest.raises(InputError, match="gone"):
        take_all()
    assert taken == list(range(20))
    assert looking.end(5.0)


def test_who_is_told_to_end_while_nobody_takes_frames_ends():
    closed = []

    def for_ever():
        try:
            while True:
                yield 1
        finally:
            closed.append(True)

    looking = Looking(for_ever)
    assert looking.take(5.0) == 1
    assert looking.end(5.0)
    assert closed == [True]


def test_frames_are_dropped_and_counted_while_too_many_wait(database, task, frames):
    store = VideoStore(database, watch_task(task))
    store.store(frames[:10])
    few = VideoStore(database, WatchTask(**{**vars(watch_task(task)), "max_backlog": 10}))
    few.store(frames[10:14])
    assert few.counts == {"frames": 0, "dropped for lack of time": 4, "dropped pictures": 0}
    assert store.counts["frames"] == 10


def test_what_waits_is_what_is_not_done(database, task, frames):
    journal = Journal(database, "site", "all")
    assert journal.waiting(100) == 0
    with database.write("frames") as connection:
        store_frames(connection, database, "site", ["all"] * 30, frames[:30])
    assert (journal.waiting(100), journal.waiting(20)) == (30, 20)
    journal.progress()
    journal.write([], done=10_000, counts={})
    assert journal.waiting(100) == 0


def test_the_counts_of_videos_take_no_number_of_tracks(database, task):
    Journal(database, "site", "video of all").note({"frames": 1})
    Journal(database, "site", "video of all").note({"frames": 2})
    assert Journal(database, "site", "all").progress().number == 0


def test_videos_without_a_detector_are_refused(tmp_path):
    with pytest.raises(InputError, match="nothing looks"):
        Settings(twins=(), data=tmp_path, videos={"site": {cameras()[0].id: "a.mp4"}})
