"""Users, their values, and the versions of these."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "sametime_user",
        sa.Column("user_key", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.Text, nullable=False),
    )
    op.create_table(
        "stored_value",
        sa.Column("user_key", sa.String(64), primary_key=True),
        sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, nullable=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("saved_at", sa.BigInteger, nullable=False),
        sa.ForeignKeyConstraint(
            ["user_key"], ["sametime_user.user_key"], name="stored_value_user", onupdate="CASCADE"
        ),
    )
    op.create_table(
        "stored_version",
        sa.Column("user_key", sa.String(64), primary_key=True),
        sa.Column("key", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("value", sa.LargeBinary, nullable=False),
        sa.Column("saved_at", sa.BigInteger, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_key"], ["sametime_user.user_key"], name="stored_version_user", onupdate="CASCADE"
        ),
    )
