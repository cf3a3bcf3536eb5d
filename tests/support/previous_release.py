"""What the release before this one (revision 0002 of the tables) creates and says, kept as it was.

When a release is made, its tables and statements take the place of these: releases are updated one by one, so
nodes of this one and of the last one share a database for a while.
"""

import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import text

from quintet.sametime.ids import id_digest
from quintet.storage import Database

TABLES: Final = (
    "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)",
    "INSERT INTO alembic_version VALUES ('0002')",
    "CREATE TABLE sametime_user (user_key VARCHAR(64) NOT NULL PRIMARY KEY, user_id TEXT NOT NULL)",
    (
        "CREATE TABLE stored_value (user_key VARCHAR(64) NOT NULL, key BIGINT NOT NULL,"
        " version BIGINT NOT NULL,"
        " value {bytes} NOT NULL, saved_at BIGINT NOT NULL, PRIMARY KEY (user_key, key),"
        " CONSTRAINT stored_value_user FOREIGN KEY (user_key) REFERENCES sametime_user (user_key)"
        " ON UPDATE CASCADE)"
    ),
    (
        "CREATE TABLE stored_version (user_key VARCHAR(64) NOT NULL, key BIGINT NOT NULL,"
        " version BIGINT NOT NULL,"
        " value {bytes} NOT NULL, saved_at BIGINT NOT NULL, origin VARCHAR(16) NOT NULL,"
        " PRIMARY KEY (user_key, key, version),"
        " CONSTRAINT stored_version_user FOREIGN KEY (user_key) REFERENCES sametime_user (user_key)"
        " ON UPDATE CASCADE)"
    ),
    (
        "CREATE TABLE bearer_token (token_id VARCHAR(16) NOT NULL PRIMARY KEY, digest VARCHAR(64) NOT NULL,"
        " name TEXT NOT NULL, scopes TEXT NOT NULL, created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL,"
        " used_at BIGINT)"
    ),
)
"""`{bytes}` is the type for bytes: BLOB or BYTEA."""

ORIGINS: Final = frozenset({"client", "merged", "imported", "restored", "renamed"})
"""What it can read in `origin`."""

_HERE: Final = "user_key = :user AND key = :key"


async def save(database: Database, user_id: str, value: bytes, *, base: int, lock: str, key: int = 0) -> int:
    """Save on the version that is the current one; the new version. `lock` is " FOR UPDATE" on PostgreSQL."""
    row: dict[str, object] = {"user": id_digest(user_id), "id": user_id, "key": key, "value": value}
    async with database.writing() as connection:
        await connection.execute(
            text("INSERT INTO sametime_user (user_key, user_id) VALUES (:user, :id) ON CONFLICT DO NOTHING"),
            row,
        )
        await connection.execute(
            text(
                "INSERT INTO stored_value (user_key, key, version, value, saved_at)"
                " VALUES (:user, :key, 0, :value, 0) ON CONFLICT DO NOTHING"
            ),
            row,
        )
        query = text(f"SELECT value, version FROM stored_value WHERE {_HERE}{lock}")
        current = (await connection.execute(query, row)).one()
        assert current.version == base, "this part of the last release knows no conflicts"
        row |= {"version": base + 1, "now": time.time_ns() // 1_000_000, "old": base + 1 - 10}
        for statement in (
            f"UPDATE stored_value SET version = :version, value = :value, saved_at = :now WHERE {_HERE}",
            (
                "INSERT INTO stored_version (user_key, key, version, value, saved_at, origin)"
                " VALUES (:user, :key, :version, :value, :now, 'client')"
            ),
            f"DELETE FROM stored_version WHERE {_HERE} AND version <= :old",
        ):
            await connection.execute(text(statement), row)
    return base + 1


async def load(database: Database, user_id: str, key: int = 0) -> tuple[bytes, int]:
    """The current value, and its version."""
    query = text(
        f"SELECT stored_value.user_key, stored_value.key, stored_value.version, stored_value.value"
        f" FROM stored_value WHERE {_HERE}"
    )
    async with database.reading() as connection:
        row = (await connection.execute(query, {"user": id_digest(user_id), "key": key})).one()
    return bytes(row.value), row.version


async def origins(database: Database, user_id: str, key: int = 0) -> Sequence[str]:
    """Of the versions in the history, the newest first."""
    query = text(f"SELECT origin FROM stored_version WHERE {_HERE} ORDER BY version DESC")
    async with database.reading() as connection:
        rows = await connection.execute(query, {"user": id_digest(user_id), "key": key})
        return [row.origin for row in rows]


async def make_token(database: Database, ident: str, digest: str) -> None:
    """Keep a token that expires in the year 2100."""
    row = {"id": ident, "digest": digest, "expires": 4_102_444_800_000}
    async with database.writing() as connection:
        await connection.execute(
            text(
                "INSERT INTO bearer_token (token_id, digest, name, scopes, created_at, expires_at, used_at)"
                " VALUES (:id, :digest, 'wiki', 'people', 0, :expires, NULL)"
            ),
            row,
        )
