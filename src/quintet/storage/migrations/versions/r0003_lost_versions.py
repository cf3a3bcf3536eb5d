"""When a version lost to another session's, and the oldest program that works with the tables."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("stored_version", sa.Column("lost_at", sa.BigInteger, nullable=True))
    support = op.create_table("schema_support", sa.Column("oldest_revision", sa.String(32), primary_key=True))
    op.bulk_insert(support, [{"oldest_revision": "0001"}])
