import threading

import pytest
import sqlalchemy as sa

from twin.live import ingest
from twin.live.database.connection import Database
from twin.live.database.schema import frames as table
from twin.live.ingest import FullError, Ingest


def stored(database):
    with database.read() as connection:
        return connection.execute(sa.select(table.c.camera, table.c.time, table.c.content)).all()


def send(taker, batch):
    return taker.submit("site", ["all"] * len(batch), batch).result(timeout=30)


def test_frames_are_there_once_however_often_they_are_sent(database, frames):
    taker = Ingest(database)
    try:
        first = send(taker, frames[:50])
        again = send(taker, frames[20:70])
        assert (first.accepted, first.repeated, first.conflicting) == (50, 0, 0)
        assert (again.accepted, again.repeated, again.conflicting) == (20, 30, 0)
    finally:
        taker.close()
    rows = stored(database)
    assert len(rows) == len({(row.camera, row.time) for row in rows}) == 70


def test_what_was_there_first_stays(database, frames):
    taker = Ingest(database)
    other = frames[0].model_copy(update={"detections": ()})
    try:
        send(taker, frames[:1])
        assert send(taker, [other, other]).conflicting == 2
    finally:
        taker.close()
    assert stored(database)[0].content == frames[0].model_dump_json(by_alias=True, exclude_defaults=True)


def test_many_senders_of_the_same_frames_store_them_once(database, frames):
    taker, outcomes = Ingest(database), []

    def run():
        outcomes.extend(send(taker, frames[i : i + 7]) for i in range(0, 70, 7))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    taker.close()
    assert sum(each.accepted for each in outcomes) == 70
    assert sum(each.repeated for each in outcomes) == 210
    assert len(stored(database)) == 70


def test_two_services_of_one_database_store_them_once(database, frames):
    one, other = Ingest(database), Ingest(database)
    waiting = [taker.submit("site", ["all"] * 60, frames[:60]) for taker in (one, other)]
    assert sorted(each.result(timeout=30).accepted for each in waiting) == [0, 60]
    one.close()
    other.close()


def test_closing_writes_what_was_taken_and_takes_no_more(database, frames):
    taker = Ingest(database)
    waiting = [taker.submit("site", ["all"], [frame]) for frame in frames[:40]]
    taker.close()
    assert sum(each.result(timeout=0).accepted for each in waiting) == 40
    with pytest.raises(FullError):
        taker.submit("site", ["all"], frames[40:41])


def test_too_many_that_wait_are_refused(database, frames, monkeypatch):
    monkeypatch.setattr(ingest, "MAX_WAITING_FRAMES", 60)
    go = threading.Event()
    taker = Ingest(database, lambda *_: go.wait(10))
    try:
        send(taker, frames[:1])  # its thread waits now
        taker.submit("site", ["all"] * 50, frames[1:51])
        with pytest.raises(FullError) as refused:
            taker.submit("site", ["all"] * 50, frames[51:101])
        assert refused.value.retry_after_s > 0
    finally:
        go.set()
        taker.close()


def test_a_failure_is_told_and_the_next_batch_goes_on(database, frames):
    taker = Ingest(database)
    try:
        with pytest.raises(sa.exc.SQLAlchemyError):
            taker.submit("site", [None], frames[:1]).result(timeout=30)
        assert send(taker, frames[:1]).accepted == 1
    finally:
        taker.close()


def test_a_sender_that_gave_up_does_not_end_it_for_others(database, frames):
    go = threading.Event()
    taker = Ingest(database, lambda *_: go.wait(10))
    try:
        send(taker, frames[:1])  # its thread waits now
        assert taker.submit("site", ["all"], frames[1:2]).cancel()
        go.set()
        assert send(taker, frames[2:3]).accepted == 1
    finally:
        go.set()
        taker.close()


def test_a_database_that_is_busy_is_to_be_asked_again(tmp_path, frames):
    database = Database(f"sqlite:///{tmp_path / 'empty.db'}")  # no tables: an operational error
    taker = Ingest(database)
    with pytest.raises(FullError) as refused:
        send(taker, frames[:1])
    assert refused.value.retry_after_s > 0
    taker.close()
    database.close()
