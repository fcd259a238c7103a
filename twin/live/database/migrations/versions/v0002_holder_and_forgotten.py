"""Who tracks a group of cameras, for those who stand by; and up to where records were deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a column and a table."""
    op.add_column("progress", sa.Column("holder", sa.String(length=200), nullable=True))
    op.create_table(
        "forgotten",
        sa.Column("twin", sa.String(length=64), nullable=False),
        sa.Column("what", sa.String(length=16), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("twin", "what"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("forgotten")
    op.drop_column("progress", "holder")
