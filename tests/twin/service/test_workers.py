import asyncio
import os
import time

import pytest

from geometry.errors import InputError
from twin.service.problems import ServiceError
from twin.service.workers import Pool, serve_calls


def handle(call):
    kind, value = call
    if kind == "die":
        os._exit(1)
    if kind == "sleep":
        time.sleep(value)
    if kind == "wrong":
        raise InputError("this is wrong", where="a.jpg", remedy="Do better.")
    if kind == "fail":
        raise RuntimeError("secret")
    return value


def target(connection):
    serve_calls(connection, handle)


@pytest.fixture(scope="module")
def pool():
    found = Pool(target, (), workers=1, waiting=1, seconds=5.0)
    yield found
    found.close()


def fresh(**more):
    return Pool(target, (), **{"workers": 1, "waiting": 1, "seconds": 5.0, **more})


def test_answers_and_errors_come_back(pool):
    async def ask():
        assert await pool.run(("echo", 5)) == 5
        with pytest.raises(ServiceError) as wrong:
            await pool.run(("wrong", None))
        assert (wrong.value.status, wrong.value.what, wrong.value.where) == (422, "this is wrong", "a.jpg")
        with pytest.raises(ServiceError) as failed:
            await pool.run(("fail", None))
        assert failed.value.status == 500
        assert "secret" not in str(failed.value)

    asyncio.run(ask())


def test_a_process_that_dies_or_hangs_costs_its_own_call():
    pool = fresh(seconds=3.0)

    async def ask():
        assert await pool.run(("echo", 1)) == 1
        for call, status in ((("die", None), 503), (("sleep", 60), 504)):
            with pytest.raises(ServiceError) as refused:
                await pool.run(call)
            assert refused.value.status == status
            pool.seconds = 30.0
            assert await pool.run(("echo", 2)) == 2
            pool.seconds = 0.5

    try:
        asyncio.run(ask())
    finally:
        pool.close()


def test_one_more_than_may_wait_is_refused_at_once():
    pool = fresh(seconds=30.0)

    async def ask():
        await pool.run(("echo", 0))
        calls = [asyncio.create_task(pool.run(("sleep", 0.3))) for _ in range(5)]
        done = await asyncio.gather(*calls, return_exceptions=True)
        refused = [each for each in done if isinstance(each, ServiceError)]
        assert len(refused) == 3
        assert all(each.status == 503 and int(each.headers["Retry-After"]) >= 1 for each in refused)
        assert await pool.run(("echo", 7)) == 7

    try:
        asyncio.run(ask())
    finally:
        pool.close()


def test_who_has_gone_is_not_worked_for(pool):
    async def gone():
        return False

    async def ask():
        with pytest.raises(ServiceError):
            await pool.run(("die", None), gone)
        assert await pool.run(("echo", 3)) == 3

    asyncio.run(ask())


def test_a_call_that_was_cancelled_keeps_its_process_until_it_is_done():
    """Else the next call would wait for a thread that is busy, and read the answer to the one before."""
    pool = fresh(seconds=30.0)

    async def ask():
        await pool.run(("echo", 0))
        gone = asyncio.create_task(pool.run(("sleep", 1.0)))
        await asyncio.sleep(0.2)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        assert pool._free.empty()
        assert await pool.run(("echo", 5)) == 5
        assert pool._free.qsize() == 1

    try:
        asyncio.run(ask())
    finally:
        pool.close()


def test_closing_waits_for_nobody():
    pool = fresh(seconds=60.0)

    async def ask():
        await pool.run(("echo", 0))
        gone = asyncio.create_task(pool.run(("sleep", 60.0)))
        await asyncio.sleep(0.2)
        await asyncio.to_thread(pool.close)
        with pytest.raises(ServiceError):
            await gone

    begin = time.monotonic()
    asyncio.run(ask())
    assert time.monotonic() - begin < 30.0
    assert not any(worker.is_alive for worker in pool._workers)
