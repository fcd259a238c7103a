"""Two services on one database: one tracks, the other is ready to, and takes over when the first goes."""

import time

import sqlalchemy as sa

from tests.twin.live.test_watching import video, watch_task
from twin.live.database.schema import frames as frame_table
from twin.live.engine import Engine
from twin.live.holding import Hold
from twin.live.ingest import store_frames

__all__ = ["video"]
WAIT_S = 90.0


def wait_until(fulfilled):
    deadline = time.monotonic() + WAIT_S
    while not fulfilled():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def group(engine):
    return next(each for each in engine.health() if each["group"] == "all")


def test_one_of_two_holds_a_group_until_it_goes(database):
    with Hold(database, "site", "all") as first:
        assert first.take()
        with Hold(database, "site", "all") as second, Hold(database, "site", "west") as other:
            assert not second.take()
            assert other.take()
            first.check()
    with Hold(database, "site", "all") as third:
        assert third.take()


def test_the_second_service_stands_by_and_takes_over(database, task, frames, video):
    videos = watch_task(task, ("west", str(video)))
    first, second = Engine(database), Engine(database)
    try:
        first.set_tasks([task])
        wait_until(lambda: group(first)["beat"])
        second.set_tasks([task, videos])
        wait_until(lambda: "process" in (group(second)["held_by"] or ""))
        assert (group(first)["stands_by"], group(second)["stands_by"]) == (False, True)
        assert group(second)["alive"]
        assert group(second)["beat"]
        assert "process" in second.holder("site", "all")
        assert first.holder("site", "all") is None
        assert [each["group"] for each in second.health()] == ["all"]  # whose videos are not looked at twice
        with database.write("frames") as connection:
            store_frames(connection, database, "site", ["all"] * 60, frames[:60])
            last = connection.execute(sa.select(sa.func.max(frame_table.c.seq))).scalar_one()
        first.wake("site", "all")
        wait_until(lambda: second._running["site", "all"].signals.done == last)
        wait_until(lambda: second.backlog("site", "all") == 0)
        first.stop()
        wait_until(lambda: not group(second)["stands_by"])
        wait_until(lambda: len(second.health()) == 2)
        assert group(second)["restarts"] == 0
    finally:
        first.stop()
        second.stop()


def test_who_stands_by_stops_at_once(database, task):
    with Hold(database, "site", "all") as hold:
        assert hold.take()
        engine = Engine(database)
        try:
            engine.set_tasks([task])
            wait_until(lambda: group(engine)["beat"])
        finally:
            begin = time.monotonic()
            engine.stop()
        assert time.monotonic() - begin < 10.0  # it was killed after 20 s
