from pathlib import Path

import cv2
import numpy as np
import pytest
import sqlalchemy as sa

from geometry import InputError
from tests.perception.sites import cameras
from twin.live.database.schema import frames, progress
from twin.live.engine import Engine
from twin.live.ingest import store_frames
from twin.live.journal import Journal
from twin.live.watching import VideoStore, WatchTask
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
    import time

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
