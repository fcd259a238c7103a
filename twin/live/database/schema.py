"""The tables, as SQLAlchemy describes them; ``migrations`` make them, and a test compares the two."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

Sequence = BigInteger().with_variant(Integer, "sqlite")
"""SQLite numbers rows by itself only where the key is an INTEGER."""

frames = Table(
    "frames",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("twin", String(64), nullable=False),
    Column("cameras", String(64), nullable=False),
    Column("camera", String(200), nullable=False),
    Column("time", Float(53), nullable=False),
    Column("received", Float(53), nullable=False),
    Column("boxes", Integer, nullable=False),
    Column("content", Text, nullable=False),
    UniqueConstraint("twin", "camera", "time", name="uq_frames_camera_time"),
    Index("ix_frames_cameras", "twin", "cameras", "seq"),
    sqlite_autoincrement=True,
)
"""Frames as they were acknowledged; ``cameras`` names the group that is tracked together, ``content`` is the line."""

records = Table(
    "records",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("twin", String(64), nullable=False),
    Column("what", String(16), nullable=False),
    Column("key", String(300), nullable=False),
    Column("time", Float(53), nullable=False),
    Column("track", BigInteger),
    Column("kind", String(100)),
    Column("level", String(200)),
    Column("zone", String(200)),
    Column("stall", String(200)),
    Column("x", Float(53)),
    Column("y", Float(53)),
    Column("z", Float(53)),
    Column("content", Text, nullable=False),
    UniqueConstraint("twin", "what", "key", name="uq_records_key"),
    Index("ix_records_time", "twin", "what", "time"),
    Index("ix_records_track", "twin", "track", "time"),
    Index("ix_records_seq", "twin", "seq"),
    sqlite_autoincrement=True,
)
"""What the engine said, in the order in which it said it: rows of tracks, events, occupancy; ``content`` is the line.

``key`` tells what is the same when it is said again after a crash.
"""

forgotten = Table(
    "forgotten",
    metadata,
    Column("twin", String(64), primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("seq", BigInteger, nullable=False),
)
"""The largest number of a record that was deleted, so that who resumes is told of a gap, and only of a true one."""

latest = Table(
    "latest",
    metadata,
    Column("twin", String(64), primary_key=True),
    Column("what", String(16), primary_key=True),
    Column("subject", String(200), primary_key=True),
    Column("time", Float(53), nullable=False),
    Column("first", Float(53), nullable=False),
    Column("content", Text, nullable=False),
    Index("ix_latest_time", "twin", "what", "time"),
)
"""The last that was said of each track and of each stall."""

progress = Table(
    "progress",
    metadata,
    Column("twin", String(64), primary_key=True),
    Column("cameras", String(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("done", BigInteger, nullable=False),
    Column("saved", BigInteger, nullable=False),
    Column("state", LargeBinary),
    Column("made_with", String(64)),
    Column("counts", Text, nullable=False),
    Column("updated", Float(53), nullable=False),
    Column("holder", String(200)),
)
"""How far each group of cameras is: the last frame done, and the engine's whole state after frame ``saved``; and whose
process took it up last."""

keys = Table(
    "keys",
    metadata,
    Column("id", String(16), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("digest", String(64), nullable=False),
    Column("scopes", String(100), nullable=False),
    Column("created", Float(53), nullable=False),
    Column("revoked", Float(53)),
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Sequence, primary_key=True, autoincrement=True),
    Column("time", Float(53), nullable=False),
    Column("key", String(16)),
    Column("client", String(100), nullable=False),
    Column("request", String(64), nullable=False),
    Column("action", String(100), nullable=False),
    Column("subject", String(300), nullable=False),
    Column("outcome", String(300), nullable=False),
    Index("ix_audit_time", "time"),
    sqlite_autoincrement=True,
)
