import asyncio

from twin.live.journal import Journal, Record
from twin.service.feed import Feed


def say(database, twin, *times, what="event"):
    journal = Journal(database, twin, "all")
    journal.progress()
    journal.write([Record(what=what, key=f"{what} {time}", time=time, content="{}") for time in times], 0, {})
    return journal


def first_block(feed, twin, after, *whats):
    """Return what a stream begins with after its greeting."""

    async def run(function, *arguments):
        return function(*arguments)

    async def read():
        turns = iter([False, True])
        stream = feed.stream(twin, whats or ("event", "track"), after, lambda: next(turns), run)
        return b"".join([block async for block in stream])

    return asyncio.run(read())


def test_a_gap_is_told_where_something_was_forgotten_and_nowhere_else(database):
    feed = Feed(database)
    one = say(database, "one", 1.0, 2.0)
    last = feed.newest("one")
    say(database, "two", *(float(k) for k in range(50)))
    say(database, "one", 100.0)
    one.forget(frames_before=0.0, records_before=50.0)  # all that this reader has already
    assert b"gap" not in first_block(feed, "one", last)
    assert b"gap" not in first_block(feed, "two", feed.newest("two") - 3)
    assert b"gap" not in first_block(feed, "one", 0)
    assert b"gap" in first_block(feed, "one", last - 1)
    assert b"gap" not in first_block(feed, "one", last - 1, "track")  # of which nothing was forgotten
    one.forget(frames_before=0.0, records_before=200.0)
    assert b"gap" in first_block(feed, "one", last)
