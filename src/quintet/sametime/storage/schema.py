"""The tables. What is here is what the last migration leaves; see `migrations` for the way there.

A user's values are kept under the digest of the Sametime ID (`ids.id_digest`), which has the same length for
every ID. `stored_value` has the current version of each value, which is what every sign-in reads;
`stored_version` has the last versions, the current one included; `lost_at` is when another session's save was
stored over this one without having seen it. Times are milliseconds since 1970, UTC.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

_DIGEST: Final = 64

sametime_user = Table(
    "sametime_user",
    metadata,
    Column("user_key", String(_DIGEST), primary_key=True),
    Column("user_id", Text, nullable=False),
)
"""The IDs in the spelling in which they were seen first."""

stored_value = Table(
    "stored_value",
    metadata,
    Column("user_key", String(_DIGEST), primary_key=True),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, nullable=False),
    Column("value", LargeBinary, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    ForeignKeyConstraint(
        ["user_key"], ["sametime_user.user_key"], name="stored_value_user", onupdate="CASCADE"
    ),
)

stored_version = Table(
    "stored_version",
    metadata,
    Column("user_key", String(_DIGEST), primary_key=True),
    Column("key", BigInteger, primary_key=True, autoincrement=False),
    Column("version", BigInteger, primary_key=True, autoincrement=False),
    Column("value", LargeBinary, nullable=False),
    Column("saved_at", BigInteger, nullable=False),
    Column("origin", String(16), nullable=False),
    Column("lost_at", BigInteger, nullable=True),
    ForeignKeyConstraint(
        ["user_key"], ["sametime_user.user_key"], name="stored_version_user", onupdate="CASCADE"
    ),
)
