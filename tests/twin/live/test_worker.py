import multiprocessing
import os
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import sqlalchemy as sa

from geometry.track_records import TrackRow
from tests.twin.test_live_tracking import OFFSETS, laps
from twin.live.database.schema import frames as frame_table
from twin.live.database.schema import latest, progress, records
from twin.live.ingest import store_frames
from twin.live.journal import GROUP_STRIDE
from twin.live.signals import Signals
from twin.live.worker import GroupWorker, Thinning, run
from twin.live_tracking import LiveTracker


def put(database, frames, twin="site"):
    with database.write("frames") as connection:
        store_frames(connection, database, twin, ["all"] * len(frames), frames)


def work(worker):
    while worker.step():
        pass


def told(database, twin="site"):
    """Return all that was said but its numbers, and the last of each subject."""
    columns = (records.c.what, records.c.key, records.c.time, records.c.track, records.c.content)
    with database.read() as connection:
        said = connection.execute(sa.select(*columns).where(records.c.twin == twin).order_by(records.c.seq)).all()
        last = connection.execute(
            sa.select(latest.c.what, latest.c.subject, latest.c.content).order_by(latest.c.what, latest.c.subject)
        ).all()
    return [tuple(row) for row in said], [tuple(row) for row in last]


def clear(database):
    with database.write("test") as connection:
        for table in (records, latest, progress):
            connection.execute(sa.delete(table))


def test_tracks_events_and_occupancy_come_out(database, task, frames):
    put(database, frames)
    work(GroupWorker(task, database))
    said, last = told(database)
    rows = [TrackRow.model_validate_json(content) for what, *_, content in said if what == "track"]
    assert {row.track for row in rows} == {1, 2, 3, 4}
    assert {row.kind for row in rows} == {"person", "car"}
    assert {row.level for row in rows} == {"P1"}
    kinds = [key.split()[0] for what, key, *_ in said if what == "event"]
    assert "zone_entered" in kinds  # the car and both people cross from west to east or back
    stalls = {subject: content for what, subject, content in last if what == "occupancy"}
    assert '"p_occupied":0.' in stalls["A"]
    with database.read() as connection:
        done = connection.execute(sa.select(progress.c.done)).scalar_one()
        assert done == connection.execute(sa.select(sa.func.max(frame_table.c.seq))).scalar_one()


def test_looks_at_stalls_count_from_when_the_clocks_that_were_found_say(database, task):
    """Three cameras look at a stall in turn; their clocks are off by up to 0.2 s, which is to be found out."""
    put(database, laps(OFFSETS))
    worker = GroupWorker(replace(task, options=replace(task.options, clock_sigma_s=0.3)), database)
    work(worker)
    looks = worker.moments.engine.stalls.looks
    last = {camera: times[0] for camera, times in looks.times.items()}
    true = {frame.camera: frame.time - OFFSETS[frame.camera] for frame in laps(OFFSETS)}
    off = [last[camera] - true[camera] for camera in OFFSETS]
    assert np.ptp(off) < 0.08  # measured 0.04; uncorrected 0.35


@pytest.mark.parametrize("seed", [1, 2])
def test_after_crashes_it_is_as_if_nothing_had_been(database, task, frames, seed):
    """A worker is dropped at random instants, some after a save, and another goes on from what is in the database."""
    put(database, frames)
    work(GroupWorker(task, database))
    expected = told(database)
    clear(database)
    rng = np.random.default_rng(seed)
    for _ in range(6):
        worker = GroupWorker(task, database)
        for _ in range(int(rng.integers(1, 3))):
            worker.step()
            if rng.random() < 0.4:
                worker.save()
    work(GroupWorker(task, database))
    assert told(database) == expected


def test_a_saved_state_that_does_not_fit_costs_tracks_but_no_id_twice(database, task, frames):
    put(database, frames)
    worker = GroupWorker(task, database)
    worker.step()
    worker.save()
    with database.write("test") as connection:
        connection.execute(sa.update(progress).values(made_with="something else"))
    before = {track for what, _, _, track, _ in told(database)[0] if what == "track"}
    again = GroupWorker(task, database)
    assert again.done == worker.done
    work(again)
    after = {track for what, _, _, track, _ in told(database)[0] if what == "track"} - before
    assert before
    assert after
    assert min(after) > max(before)


def test_a_damaged_state_is_left_out(database, task, frames):
    put(database, frames[:64])
    worker = GroupWorker(task, database)
    worker.step()
    worker.save()
    with database.write("test") as connection:
        connection.execute(sa.update(progress).values(state=b"damaged"))
    assert GroupWorker(task, database).done == worker.done


def test_groups_of_a_twin_have_ids_of_their_own(database, task, frames):
    first = GroupWorker(task, database)
    other = GroupWorker(type(task)(**{**vars(task), "group": "other"}), database)
    assert (first.number, other.number) == (0, 1)
    assert GroupWorker(task, database).number == 0
    with database.write("frames") as connection:
        store_frames(connection, database, "site", ["other"] * len(frames), frames)
    work(other)
    tracks = {track for what, _, _, track, _ in told(database)[0] if what == "track"}
    assert tracks == {GROUP_STRIDE + n for n in (1, 2, 3, 4)}
    assert max(tracks) < 2**53


def test_a_frame_that_can_not_be_used_is_counted_and_the_rest_goes_on(database, task, frames):
    box = frames[0].detections[0]
    odd = tuple(box.model_copy(update={"embedding": (1.0,) * n}) for n in (2, 3))
    bad = frames[10].model_copy(update={"detections": odd})
    put(database, [*frames[:10], bad, *frames[11:20]])
    worker = GroupWorker(task, database)
    work(worker)
    assert worker.counts["refused frames"] == 1
    assert worker.counts["frames"] == 19


def test_a_frame_that_fails_costs_tracks_and_not_the_group(database, task, frames, monkeypatch):
    push, bad = LiveTracker.push, frames[80].time

    def fails(tracker, frame):
        if frame.time == bad:
            raise ZeroDivisionError
        return push(tracker, frame)

    monkeypatch.setattr(LiveTracker, "push", fails)
    put(database, frames)
    worker = GroupWorker(task, database)
    work(worker)
    assert (worker.counts["failed frames"], worker.counts["frames"]) == (1, len(frames) - 1)
    rows = [TrackRow.model_validate_json(content) for what, *_, content in told(database)[0] if what == "track"]
    before, after = ({row.track for row in rows if (row.time < bad) == early} for early in (True, False))
    assert before
    assert after
    assert not before & after


def test_what_is_old_is_forgotten_but_not_before_it_is_done(database, task, frames):
    put(database, frames)
    worker = GroupWorker(task, database)
    worker.step()
    worker.save()
    worker.journal.forget(frames_before=time.time() + 1, records_before=frames[0].time - 1)
    with database.read() as connection:
        left = connection.execute(sa.select(sa.func.min(frame_table.c.seq))).scalar_one()
        assert left == worker.done + 1
        assert connection.execute(sa.select(sa.func.count()).select_from(records)).scalar_one() > 0
    worker.journal.forget(frames_before=0, records_before=1e9)
    assert told(database) == ([], [each for each in told(database)[1] if each[0] == "occupancy"])


def test_a_recording_of_last_year_is_not_forgotten_at_once(database, task, frames):
    assert frames[-1].time < time.time() - task.options.keep_records_s
    put(database, frames)
    worker = GroupWorker(task, database)
    work(worker)
    worker.save()
    before = told(database)
    worker.forget()
    assert before[0]
    assert told(database) == before


def test_standing_still_is_told_now_and_then():
    thinning = Thinning(still_m=0.1, still_every_s=5.0)

    def kept(time, x, stall=None):
        return thinning.is_kept(TrackRow(time=time, track=1, kind="car", position=(x, 0.0, 0.0), stall=stall))

    assert [kept(0.0, 0.0), kept(0.2, 0.01), kept(0.4, 0.05), kept(0.6, 0.11)] == [True, False, False, True]
    assert [kept(0.8, 0.12, "A"), kept(5.7, 0.12, "A"), kept(5.8, 0.12, "A")] == [True, False, True]
    thinning.forget(10.0)
    assert thinning.last == {}


def test_a_process_tracks_stops_and_is_killed(database, task, frames):
    """As a process: it works what is there, saves when told to stop, and after a kill another goes on."""
    put(database, frames[:120])
    context = multiprocessing.get_context("spawn")

    def start():
        signals = Signals(context)
        process = context.Process(target=run, args=(task, signals), daemon=True)
        process.start()
        return process, signals

    def wait(signals, seq):
        deadline = time.monotonic() + 60
        while signals.done < seq and time.monotonic() < deadline:
            time.sleep(0.05)
        assert signals.done >= seq

    process, signals = start()
    with database.read() as connection:
        last = connection.execute(sa.select(sa.func.max(frame_table.c.seq))).scalar_one()
    wait(signals, last)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    put(database, frames[120:])
    with database.read() as connection:
        last = connection.execute(sa.select(sa.func.max(frame_table.c.seq))).scalar_one()
    process, signals = start()
    wait(signals, last)
    signals.stop()
    process.join(30)
    assert process.exitcode == 0
    with database.read() as connection:
        assert connection.execute(sa.select(progress.c.saved)).scalar_one() == last
    got = told(database)
    clear(database)
    work(GroupWorker(task, database))
    assert told(database) == got
