"""What users keep at the server: values by number, each with its last versions.

Theory of operation
-------------------
A value belongs to a Sametime ID and has a version, which counts from 1; version 0 means "never stored". A
session that loads a value remembers the version and passes it with its next save as `base`. If the current
version is another one by then, another session saved meanwhile, and the save is a conflict:

- Of contact lists, both changes are merged line by line against `base`. The list as it was sent is kept as
  one version and the merged one as the next; the session goes on with the former, since that is what it has.
- Of all other values the last one wins.

Nothing is lost: both sides of a conflict are kept among the last `VERSIONS`, and for `LOST_DAYS` among the
last `LOST_VERSIONS` that lost; an administrator restores from them. A save whose base is not kept any more
removes nothing.

A save is one transaction. It locks the user's row and then the value's, as all changes of a user's rows do:
saves from any number of nodes follow one another and never wait for each other in a circle, and what a save
reads after that is what the previous one committed. `save` returns after its commit. It may be repeated when
it is unknown whether it was committed. A value that is saved unchanged makes no new version.

Loads that come while the database is busy with another are answered together by the next query.
"""

import asyncio
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import Final, Self, final

from sqlalchemy import delete, false, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from quintet.sametime.ids import id_digest
from quintet.sametime.storage.errors import (
    TooManyValuesError,
    UnknownUserError,
    UnknownVersionError,
    UserExistsError,
    ValueTooLargeError,
)
from quintet.sametime.storage.merge import merge_contact_lists
from quintet.sametime.storage.schema import sametime_user, stored_value, stored_version
from quintet.storage import Database, DatabaseAddress, DatabaseKind

CONTACT_LIST: Final = 0
"""The key of the contact list (P98)."""

PRIVACY_LIST: Final = -1
"""The key of the privacy list: outside of the keys that clients have."""

VERSIONS: Final = 10
"""How many versions of a value are kept, the current one included."""

LOST_VERSIONS: Final = 10
"""How many versions that lost a conflict are kept besides."""

LOST_DAYS: Final = 30
"""For how many days."""

_DAY: Final = 86_400_000
_MOST_LOADS_IN_QUERY: Final = 100
_MOST_LINES: Final = 8000  # CR and LF each count; a list with more has lines too short for contacts


class VersionOrigin(StrEnum):
    """How a version came to be."""

    CLIENT = "client"
    MERGED = "merged"
    IMPORTED = "imported"
    RESTORED = "restored"
    RENAMED = "renamed"


class SaveOutcome(Enum):
    """What became of a save."""

    SAVED = "saved"
    UNCHANGED = "unchanged"
    MERGED = "merged"
    """Another session had saved; the changes of both are in the current version."""
    REPLACED = "replaced"
    """Another session had saved; the current version is this one, the other one is kept."""


@dataclass(frozen=True, slots=True)
class VersionedValue:
    """A value with its version. It never shows in a repr."""

    value: bytes = field(repr=False)
    version: int


@dataclass(frozen=True, slots=True)
class Saved:
    """`version` is what the session has now, the base of its next save; `current` is what a load returns."""

    version: int
    outcome: SaveOutcome
    current: int


@dataclass(frozen=True, slots=True)
class VersionInfo:
    """One kept version. `saved_at` is in seconds since 1970, UTC.

    `lost`: another session, which had not seen it, stored over it.
    """

    version: int
    size: int
    saved_at: float
    origin: VersionOrigin
    current: bool
    lost: bool


@dataclass(frozen=True, slots=True)
class StorageLimits:
    """`value_size` in bytes; `values` is how many a user may have."""

    value_size: int = 64 * 1024 + 2
    values: int = 200


@final
class ValueStore:
    """The values of all users in one database.

    All methods raise StorageUnavailableError. IDs are compared by their meaning.
    """

    def __init__(self, database: Database, limits: StorageLimits | None = None) -> None:
        self._database = database
        self._limits = limits or StorageLimits()
        self._loader = _Loader(database)
        upsert = postgresql if database.address.kind is DatabaseKind.POSTGRESQL else sqlite
        self._upsert = upsert.insert

    @classmethod
    async def open(cls, address: DatabaseAddress, limits: StorageLimits | None = None) -> Self:
        """Connect and bring the tables up to date. Raises StorageUnavailableError, MigrationError."""
        return cls(await Database.open(address), limits)

    async def close(self) -> None:
        await self._loader.close()
        await self._database.close()

    async def check(self) -> None:
        """Raises StorageUnavailableError if the database does not answer."""
        await self._database.check()

    async def check_saving(self) -> None:
        """Raises StorageUnavailableError, also as StorageReadOnlyError, if nothing can be stored."""
        async with self._database.writing() as connection:
            probe = {"user_key": f"probe {secrets.token_hex(16)}", "user_id": ""}
            await connection.execute(insert(sametime_user).values(probe))
            await connection.rollback()

    async def load(self, user_id: str, keys: Collection[int]) -> Mapping[int, VersionedValue]:
        """The values of these keys, as far as they were ever stored."""
        return await self._loader.load(id_digest(user_id), frozenset(keys))

    async def save(
        self,
        user_id: str,
        key: int,
        value: bytes,
        *,
        base: int | None = None,
        origin: VersionOrigin = VersionOrigin.CLIENT,
    ) -> Saved:
        """Store a value. `base` is the version that the caller had, None to overwrite whatever there is.

        Raises ValueTooLargeError, TooManyValuesError.
        """
        if len(value) > self._limits.value_size:
            raise ValueTooLargeError(len(value), self._limits.value_size)
        user = id_digest(user_id)
        async with self._database.writing() as connection:
            current = await self._lock(connection, user, user_id, key)
            if current.version and current.value == value:
                return Saved(current.version, SaveOutcome.UNCHANGED, current.version)
            version = newest = current.version + 1
            outcome, merged = SaveOutcome.SAVED, None
            if base is not None and base != current.version:
                outcome = SaveOutcome.REPLACED
                if key == CONTACT_LIST:
                    old = await _version(connection, user, key, base)
                    limit = self._limits.value_size
                    merged = _merged(old.value if old else b"", current.value, value, limit)
                await _mark_lost(connection, user, key, current.version)
            lost = merged is not None and merged != value
            await self._write(connection, user, key, VersionedValue(value, version), origin, lost=lost)
            if merged is not None:
                outcome = SaveOutcome.MERGED
            if merged is not None and lost:
                newest = version + 1
                row = VersionedValue(merged, newest)
                await self._write(connection, user, key, row, VersionOrigin.MERGED)
            await _prune(connection, user, key, newest)
            return Saved(version, outcome, newest)

    async def history(self, user_id: str, key: int) -> tuple[VersionInfo, ...]:
        """The kept versions, the newest first; none if the value was never stored."""
        user = id_digest(user_id)
        query = (
            select(
                stored_version.c.version,
                func.length(stored_version.c.value),
                stored_version.c.saved_at,
                stored_version.c.origin,
                stored_version.c.lost_at,
            )
            .where(stored_version.c.user_key == user, stored_version.c.key == key)
            .order_by(stored_version.c.version.desc())
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return tuple(
            [
                VersionInfo(
                    version, size, saved_at / 1000, VersionOrigin(origin), nth == 0, lost_at is not None
                )
                for nth, (version, size, saved_at, origin, lost_at) in enumerate(rows)
            ]
        )

    async def read_version(self, user_id: str, key: int, version: int) -> VersionedValue:
        """One kept version. Raises UnknownVersionError."""
        async with self._database.reading() as connection:
            found = await _version(connection, id_digest(user_id), key, version)
        if found is None:
            raise UnknownVersionError(
                f"version {version} of value {key} is not kept for {user_id}", fix="history lists what is"
            )
        return found

    async def restore(self, user_id: str, key: int, version: int) -> Saved:
        """Make an old version the current one again, as a new version. Raises UnknownVersionError."""
        old = await self.read_version(user_id, key, version)
        return await self.save(user_id, key, old.value, origin=VersionOrigin.RESTORED)

    async def rename(self, old_id: str, new_id: str) -> None:
        """Give all values of one ID to another. Raises UnknownUserError, UserExistsError."""
        old, new = id_digest(old_id), id_digest(new_id)
        async with self._database.writing() as connection:
            if old == new:
                found = await connection.execute(
                    update(sametime_user).where(sametime_user.c.user_key == old).values(user_id=new_id)
                )
                _check_found(found.rowcount, old_id)
                return
            row = await connection.execute(select(sametime_user).where(sametime_user.c.user_key == old))
            _check_found(len(row.all()), old_id)
            for user, spelling in sorted(((old, old_id), (new, new_id))):
                await self._lock_user(connection, user, spelling)
            there = select(stored_value.c.key).where(stored_value.c.user_key == new).limit(1)
            if (await connection.execute(there)).first() is not None:
                raise UserExistsError(
                    f"values are stored for {new_id} already", fix="Export them and delete them first"
                )
            await connection.execute(delete(sametime_user).where(sametime_user.c.user_key == new))
            await connection.execute(
                update(sametime_user)
                .where(sametime_user.c.user_key == old)
                .values(user_key=new, user_id=new_id)
            )

    async def delete(self, user_id: str) -> None:
        """Forget everything of a user. Raises UnknownUserError."""
        user = id_digest(user_id)
        async with self._database.writing() as connection:
            same = sametime_user.c.user_key == user
            row = await connection.execute(select(sametime_user.c.user_key).where(same).with_for_update())
            _check_found(len(row.all()), user_id)
            for table in (stored_value, stored_version):
                await connection.execute(delete(table).where(table.c.user_key == user))
            await connection.execute(delete(sametime_user).where(same))

    async def user_id(self, user_id: str) -> str | None:
        """The ID in the spelling in which it is stored, or None if nothing is."""
        query = select(sametime_user.c.user_id).where(sametime_user.c.user_key == id_digest(user_id))
        async with self._database.reading() as connection:
            found: str | None = (await connection.execute(query)).scalar_one_or_none()
        return found

    async def page(
        self, keys: Collection[int] | None = None, after: str = "", size: int = 500
    ) -> tuple[tuple[tuple[str, int, VersionedValue], ...], str | None]:
        """Values of many users, ordered by digest: ID, key and value of each, and the next `after`.

        At most `size` users; `after` is empty for the first page, and None behind the last one.
        """
        users = (
            select(sametime_user.c.user_key, sametime_user.c.user_id)
            .where(sametime_user.c.user_key > after)
            .order_by(sametime_user.c.user_key)
            .limit(size)
        )
        async with self._database.reading() as connection:
            found = await connection.execute(users)
            names = {row.user_key: row.user_id for row in found}
        values = select(stored_value).where(stored_value.c.user_key.in_(list(names)))
        if keys is not None:
            values = values.where(stored_value.c.key.in_(list(keys)))
        async with self._database.reading() as connection:
            found = await connection.execute(values.order_by(stored_value.c.user_key, stored_value.c.key))
            rows = [(names[row.user_key], row.key, VersionedValue(row.value, row.version)) for row in found]
        return tuple(rows), max(names) if len(names) == size else None

    async def _lock_user(self, connection: AsyncConnection, user: str, user_id: str) -> None:
        """Lock the user's row, which is made if need be. An update of nothing locks all the same."""
        row = self._upsert(sametime_user).values(user_key=user, user_id=user_id)
        nothing = {"user_id": sametime_user.c.user_id}
        await connection.execute(
            row.on_conflict_do_update(index_elements=["user_key"], set_=nothing, where=false())
        )

    async def _lock(self, connection: AsyncConnection, user: str, user_id: str, key: int) -> VersionedValue:
        """The current value, with its rows locked; version 0 and no bytes if it was never stored."""
        await self._lock_user(connection, user, user_id)
        fresh = {"user_key": user, "key": key, "version": 0, "value": b"", "saved_at": 0}
        row = await connection.execute(self._upsert(stored_value).values(fresh).on_conflict_do_nothing())
        if row.rowcount:
            count = select(func.count()).where(stored_value.c.user_key == user, stored_value.c.key >= 0)
            if (await connection.execute(count)).scalar_one() > self._limits.values:
                raise TooManyValuesError(self._limits.values)
        found = await connection.execute(
            select(stored_value.c.value, stored_value.c.version)
            .where(stored_value.c.user_key == user, stored_value.c.key == key)
            .with_for_update()
        )
        return VersionedValue(*found.one())

    async def _write(
        self,
        connection: AsyncConnection,
        user: str,
        key: int,
        value: VersionedValue,
        origin: VersionOrigin,
        *,
        lost: bool = False,
    ) -> None:
        now = _now()
        row: dict[str, object] = {"version": value.version, "value": value.value, "saved_at": now}
        here = (stored_value.c.user_key == user, stored_value.c.key == key)
        await connection.execute(update(stored_value).where(*here).values(row))
        row |= {"user_key": user, "key": key, "origin": origin.value, "lost_at": now if lost else None}
        await connection.execute(insert(stored_version).values(row))


def _now() -> int:
    return time.time_ns() // 1_000_000


async def _mark_lost(connection: AsyncConnection, user: str, key: int, version: int) -> None:
    here = (stored_version.c.user_key == user, stored_version.c.key == key)
    await connection.execute(
        update(stored_version).where(*here, stored_version.c.version == version).values(lost_at=_now())
    )


async def _prune(connection: AsyncConnection, user: str, key: int, newest: int) -> None:
    here = (stored_version.c.user_key == user, stored_version.c.key == key)
    lost = (
        select(stored_version.c.version)
        .where(*here, stored_version.c.lost_at > _now() - LOST_DAYS * _DAY)
        .order_by(stored_version.c.version.desc())
        .limit(LOST_VERSIONS)
    )
    old = stored_version.c.version <= newest - VERSIONS
    await connection.execute(delete(stored_version).where(*here, old, stored_version.c.version.not_in(lost)))


def _check_found(count: int, user_id: str) -> None:
    if not count:
        raise UnknownUserError(f"nothing is stored for {user_id}", fix="Give the Sametime ID as it is stored")


async def _version(connection: AsyncConnection, user: str, key: int, version: int) -> VersionedValue | None:
    query = select(stored_version.c.value).where(
        stored_version.c.user_key == user, stored_version.c.key == key, stored_version.c.version == version
    )
    found = (await connection.execute(query)).first()
    return VersionedValue(found.value, version) if found else None


def _merged(base: bytes, theirs: bytes, mine: bytes, limit: int) -> bytes | None:
    """The merged contact list; None for values that are not contact lists, or for too large ones."""
    old, stored, new = (_text(each) for each in (base, theirs, mine))
    if stored is None or new is None or max(map(_count_lines, (base, theirs, mine))) > _MOST_LINES:
        return None
    text = merge_contact_lists(old or "", stored, new).encode("utf-8", "surrogateescape")
    if len(text) > min(limit - 2, 0xFFFF):
        return None
    return len(text).to_bytes(2, "big") + text


def _count_lines(value: bytes) -> int:
    return value.count(b"\n") + value.count(b"\r")


def _text(value: bytes) -> str | None:
    """The text in a value (P98)."""
    size = int.from_bytes(value[:2], "big")
    if len(value) != 2 + size:
        return "" if not value else None
    return value[2:].decode("utf-8", "surrogateescape")


@dataclass(slots=True)
class _Load:
    user: str
    keys: frozenset[int]
    answer: "asyncio.Future[Mapping[int, VersionedValue]]"


@final
class _Loader:
    """Answers loads. Those that come while a query is under way share the next one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Load] = []
        self._working: asyncio.Task[None] | None = None

    async def load(self, user: str, keys: frozenset[int]) -> Mapping[int, VersionedValue]:
        load = _Load(user, keys, asyncio.get_running_loop().create_future())
        self._waiting.append(load)
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        return await load.answer

    async def close(self) -> None:
        if self._working is not None:
            await self._working

    async def _work(self) -> None:
        try:
            while self._waiting:
                loads = self._waiting[:_MOST_LOADS_IN_QUERY]
                del self._waiting[: len(loads)]
                try:
                    found = await self._query(loads)
                except Exception as error:  # noqa: BLE001  # whatever it is, no caller waits for ever
                    for load in loads:
                        if not load.answer.done():
                            load.answer.set_exception(copy(error))
                else:
                    for load in loads:
                        if not load.answer.done():
                            values = found.get(load.user, {})
                            load.answer.set_result(
                                {key: value for key, value in values.items() if key in load.keys}
                            )
        finally:
            self._working = None

    async def _query(self, loads: Iterable[_Load]) -> dict[str, dict[int, VersionedValue]]:
        users = list({load.user for load in loads})
        keys = list({key for load in loads for key in load.keys})
        query = select(
            stored_value.c.user_key, stored_value.c.key, stored_value.c.version, stored_value.c.value
        ).where(stored_value.c.user_key.in_(users), stored_value.c.key.in_(keys))
        found: dict[str, dict[int, VersionedValue]] = {}
        async with self._database.reading() as connection:
            for user, key, version, value in (await connection.execute(query)).all():
                found.setdefault(user, {})[key] = VersionedValue(value, version)
        return found
