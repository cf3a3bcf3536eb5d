"""Bearer tokens of programs: made once, shown once, kept as a digest.

A token is `quintet_ID_SECRET`. The ID finds its row and is no secret. The secret has 256 random bits, so one
round of SHA-256 keeps it: there is nothing to guess. Times are milliseconds since 1970, UTC.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, Self, final

from sqlalchemy import BigInteger, Column, MetaData, String, Table, Text, delete, insert, select, update

from quintet.storage.address import DatabaseAddress
from quintet.storage.database import Database
from quintet.storage.errors import StorageUnavailableError

metadata = MetaData()

bearer_token = Table(
    "bearer_token",
    metadata,
    Column("token_id", String(16), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("used_at", BigInteger, nullable=True),
)

USED_EVERY: Final = 60_000
"""Milliseconds after which the last use of a token is written again."""

_TOKEN: Final = re.compile(r"quintet_([a-z2-7]{16})_([A-Za-z0-9_-]{43})")
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"


class TokenScope(Enum):
    """What a program may do with a token."""

    PEOPLE = "people"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class BearerToken:
    """A token as it is kept. Times are seconds since 1970, `used` is None before the first use."""

    id: str
    name: str
    scopes: frozenset[TokenScope]
    created: float
    expires: float
    used: float | None


@final
class TokenStore:
    """The tokens of a community. Open it with `open`, close it with `close`. `clock` tells Unix time.

    All methods raise StorageUnavailableError.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    @classmethod
    async def open(cls, address: DatabaseAddress) -> Self:
        """Connect, and bring the tables up to date. Raises MigrationError as well."""
        return cls(await Database.open(address))

    async def close(self) -> None:
        await self._database.close()

    async def create(
        self, name: str, scopes: Iterable[TokenScope], *, seconds: float
    ) -> tuple[str, BearerToken]:
        """Make a token that is valid for so long. Returns its text, which is kept nowhere, and the token."""
        ident = "".join(secrets.choice(_ALPHABET) for _ in range(16))
        text = f"quintet_{ident}_{secrets.token_urlsafe(32)}"
        now = self._now()
        row = {
            "token_id": ident,
            "digest": _digest(text),
            "name": name,
            "scopes": " ".join(sorted(each.value for each in set(scopes))),
            "created_at": now,
            "expires_at": now + int(seconds * 1000),
            "used_at": None,
        }
        async with self._database.writing() as connection:
            await connection.execute(insert(bearer_token).values(row))
        return text, _token(row)

    async def find(self, text: str) -> BearerToken | None:
        """The token with this text, which counts as used; None if it is unknown, revoked or expired."""
        parts = _TOKEN.fullmatch(text)
        if parts is None:
            return None
        same = bearer_token.c.token_id == parts[1]
        async with self._database.reading() as connection:
            found = (await connection.execute(select(bearer_token).where(same))).mappings().first()
        now = self._now()
        if found is None or not hmac.compare_digest(found["digest"], _digest(text)):
            return None
        if found["expires_at"] <= now:
            return None
        if found["used_at"] is None or now - found["used_at"] >= USED_EVERY:
            with suppress(StorageUnavailableError):  # a standby still tells who may do what
                async with self._database.writing() as connection:
                    await connection.execute(update(bearer_token).where(same).values(used_at=now))
        return _token(found)

    async def all(self) -> tuple[BearerToken, ...]:
        """Every token, expired ones as well, the oldest first."""
        asked = select(bearer_token).order_by(bearer_token.c.created_at, bearer_token.c.token_id)
        async with self._database.reading() as connection:
            return tuple(map(_token, (await connection.execute(asked)).mappings().all()))

    async def revoke(self, ident: str) -> bool:
        """Remove the token with this ID. Returns whether there was one."""
        async with self._database.writing() as connection:
            done = await connection.execute(delete(bearer_token).where(bearer_token.c.token_id == ident))
        return done.rowcount > 0

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _token(row: Any) -> BearerToken:
    known = {each.value: each for each in TokenScope}
    used = row["used_at"]
    return BearerToken(
        row["token_id"],
        row["name"],
        frozenset(known[each] for each in row["scopes"].split() if each in known),
        row["created_at"] / 1000,
        row["expires_at"] / 1000,
        None if used is None else used / 1000,
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
