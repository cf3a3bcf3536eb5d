"""The connection to SQL: from a URL to an engine whose tables are up to date.

SQLite needs no server and keeps everything in one file, which only its owner can read. PostgreSQL is for
larger communities and for several nodes. Nothing above this module knows which of them it is.

Every statement has a time limit, and every failure becomes a `StorageUnavailableError` without the
statement's parameters, because these are what users keep.
"""

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final, Self, final

import asyncpg  # type: ignore[import-untyped]
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from quintet.files import PRIVATE
from quintet.storage.errors import DatabaseUrlError, MigrationError, StorageUnavailableError

DEFAULT_FILE: Final = "quintet.db"

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x5155494E544554  # of PostgreSQL, for all nodes of a community
_POOL: Final = 8
_STATEMENT_SECONDS: Final = 5.0
_MIGRATION_SECONDS: Final = 300.0
_FAILURES: Final = (SQLAlchemyError, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class DatabaseKind(Enum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where values are kept. `location` is a file's path, or asyncpg's URL, which may hold a password."""

    kind: DatabaseKind
    location: str

    @classmethod
    def parse(cls, url: str, folder: Path) -> Self:
        """The address in a URL; relative SQLite paths are below `folder`. Empty is a file there.

        `sqlite:///FILE`, `postgresql://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE`.
        Raises DatabaseUrlError, which never shows the password.
        """
        if not url.strip():
            return cls(DatabaseKind.SQLITE, str(folder / DEFAULT_FILE))
        try:
            parsed = make_url(url.strip())
        except (ArgumentError, ValueError):
            raise DatabaseUrlError("the database is not given as a URL", fix=_EXAMPLES) from None
        name = parsed.drivername.partition("+")[0]
        if name == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise DatabaseUrlError("the SQLite URL names no file", fix=_EXAMPLES)
            return cls(DatabaseKind.SQLITE, str(folder / parsed.database))
        if name in ("postgresql", "postgres"):
            plain = parsed.set(drivername="postgresql")
            return cls(DatabaseKind.POSTGRESQL, plain.render_as_string(hide_password=False))
        raise DatabaseUrlError(f"databases of the kind {name!r} are not supported", fix=_EXAMPLES)

    @property
    def shown(self) -> str:
        """The address for logs and messages, without the password."""
        if self.kind is DatabaseKind.SQLITE:
            return self.location
        return make_url(self.location).render_as_string(hide_password=True)

    def __repr__(self) -> str:
        return f"DatabaseAddress({self.kind.name}, {self.shown!r})"


_EXAMPLES: Final = "Use sqlite:///quintet.db or postgresql://USER:PASSWORD@HOST/DATABASE"


@final
class Database:
    """Connections to SQL. Open it with `open`, close it with `close`."""

    def __init__(self, address: DatabaseAddress) -> None:
        self.address = address
        self._writing = _engine(address)
        self._reading = _engine(address, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)
        if address.kind is DatabaseKind.SQLITE:
            event.listen(self._writing.sync_engine, "begin", _begin_immediate)
            for each in (self._writing, self._reading):
                event.listen(each.sync_engine, "connect", _prepare_sqlite)

    @classmethod
    async def open(cls, address: DatabaseAddress) -> Self:
        """Connect and bring the tables up to date. Raises StorageUnavailableError, MigrationError."""
        database = cls(address)
        try:
            await database.migrate()
        except BaseException:
            await database.close()
            raise
        return database

    async def close(self) -> None:
        await self._writing.dispose()
        await self._reading.dispose()

    async def check(self) -> None:
        """Raises StorageUnavailableError if the database does not answer."""
        async with self.reading() as connection:
            await connection.execute(text("SELECT 1"))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection for one statement that changes nothing."""
        async with self._translated(_STATEMENT_SECONDS), self._reading.connect() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed when the context ends without an error."""
        async with self._translated(_STATEMENT_SECONDS), self._writing.begin() as connection:
            yield connection

    async def migrate(self) -> None:
        """Bring the tables up to date, as one transaction under a lock. Newer tables are left alone.

        A file is created with mode 0600. Raises StorageUnavailableError, MigrationError.
        """
        self._create_file()
        async with self._translated(_MIGRATION_SECONDS), self._writing.begin() as connection:
            if self.address.kind is DatabaseKind.POSTGRESQL:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            try:
                await connection.run_sync(_upgrade)
            except (SQLAlchemyError, asyncpg.PostgresError) as error:
                raise MigrationError(
                    f"the tables in {self.address.shown} could not be brought up to date ({_cause(error)})",
                    fix="The database user must own the database, or may CREATE in its schema",
                ) from error

    def _create_file(self) -> None:
        if self.address.kind is not DatabaseKind.SQLITE:
            return
        try:
            os.close(os.open(self.address.location, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, PRIVATE))
        except OSError as error:
            raise StorageUnavailableError(
                f"{self.address.shown}: {error.strerror}",
                fix="The user that runs Quintet must be able to write this file and its folder",
            ) from error

    @asynccontextmanager
    async def _translated(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except _FAILURES as error:
            why = _cause(error)
            raise StorageUnavailableError(f"the database {self.address.shown} failed ({why})") from error


def _engine(address: DatabaseAddress, **options: Any) -> AsyncEngine:
    options |= {"hide_parameters": True, "pool_size": _POOL, "max_overflow": 0, "pool_timeout": 4.0}
    if address.kind is DatabaseKind.SQLITE:
        url = f"sqlite+aiosqlite:///{address.location}"
        return create_async_engine(url, connect_args={"timeout": _STATEMENT_SECONDS}, **options)

    async def connect(*_: Any, **__: Any) -> Any:
        return await asyncpg.connect(address.location, timeout=_STATEMENT_SECONDS)

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, pool_pre_ping=True, **options)


def _prepare_sqlite(connection: Any, _: object) -> None:
    """WAL lets readers go on while one writes; FULL has what was committed on the disk."""
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first could not get it any more."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    scripts = ScriptDirectory.from_config(config)
    known = {each.revision for each in scripts.walk_revisions()}
    found = MigrationContext.configure(connection).get_current_heads()
    if set(found) <= known:
        command.upgrade(config, "head")


def _cause(error: BaseException) -> str:
    """What the database or the system says, on one line, without a statement."""
    original = getattr(error, "orig", None) or error
    if isinstance(original, TimeoutError):
        return "timed out"
    if isinstance(original, OSError) and original.strerror:
        return original.strerror
    if isinstance(original, sqlite3.Error):
        return str(original)
    name = type(original).__name__
    return f"{name}: {str(original).partition(chr(10))[0]}"[:300]
