"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

NUMBERS = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit",
        sa.Column("seq", NUMBERS, autoincrement=True, nullable=False),
        sa.Column("time", sa.Float(precision=53), nullable=False),
        sa.Column("key", sa.String(length=16), nullable=True),
        sa.Column("client", sa.String(length=100), nullable=False),
        sa.Column("request", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("outcome", sa.String(length=300), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_time", "audit", ["time"], unique=False)
    op.create_table(
        "frames",
        sa.Column("seq", NUMBERS, autoincrement=True, nullable=False),
        sa.Column("twin", sa.String(length=64), nullable=False),
        sa.Column("cameras", sa.String(length=64), nullable=False),
        sa.Column("camera", sa.String(length=200), nullable=False),
        sa.Column("time", sa.Float(precision=53), nullable=False),
        sa.Column("received", sa.Float(precision=53), nullable=False),
        sa.Column("boxes", sa.Integer(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("twin", "camera", "time", name="uq_frames_camera_time"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_frames_cameras", "frames", ["twin", "cameras", "seq"], unique=False)
    op.create_table(
        "keys",
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.String(length=100), nullable=False),
        sa.Column("created", sa.Float(precision=53), nullable=False),
        sa.Column("revoked", sa.Float(precision=53), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "latest",
        sa.Column("twin", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("time", sa.Float(precision=53), nullable=False),
        sa.Column("first", sa.Float(precision=53), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("twin", "what", "subject"),
    )
    op.create_index("ix_latest_time", "latest", ["twin", "what", "time"], unique=False)
    op.create_table(
        "progress",
        sa.Column("twin", sa.String(length=64), nullable=False),
        sa.Column("cameras", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("saved", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=True),
        sa.Column("made_with", sa.String(length=64), nullable=True),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("updated", sa.Float(precision=53), nullable=False),
        sa.PrimaryKeyConstraint("twin", "cameras"),
    )
    op.create_table(
        "records",
        sa.Column("seq", NUMBERS, autoincrement=True, nullable=False),
        sa.Column("twin", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=300), nullable=False),
        sa.Column("time", sa.Float(precision=53), nullable=False),
        sa.Column("track", sa.BigInteger(), nullable=True),
        sa.Column("kind", sa.String(length=100), nullable=True),
        sa.Column("level", sa.String(length=200), nullable=True),
        sa.Column("zone", sa.String(length=200), nullable=True),
        sa.Column("stall", sa.String(length=200), nullable=True),
        sa.Column("x", sa.Float(precision=53), nullable=True),
        sa.Column("y", sa.Float(precision=53), nullable=True),
        sa.Column("z", sa.Float(precision=53), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sa.UniqueConstraint("twin", "what", "key", name="uq_records_key"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_records_seq", "records", ["twin", "seq"], unique=False)
    op.create_index("ix_records_time", "records", ["twin", "what", "time"], unique=False)
    op.create_index("ix_records_track", "records", ["twin", "track", "time"], unique=False)


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_records_track", table_name="records")
    op.drop_index("ix_records_time", table_name="records")
    op.drop_index("ix_records_seq", table_name="records")
    op.drop_table("records")
    op.drop_table("progress")
    op.drop_index("ix_latest_time", table_name="latest")
    op.drop_table("latest")
    op.drop_table("keys")
    op.drop_index("ix_frames_cameras", table_name="frames")
    op.drop_table("frames")
    op.drop_index("ix_audit_time", table_name="audit")
    op.drop_table("audit")
