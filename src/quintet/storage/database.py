"""The connection to SQL: from an address to an engine whose tables are up to date.

SQLite needs no server and keeps everything in one file, which only its owner can read. PostgreSQL is for
larger communities and for several nodes. Nothing above this module knows which of them it is.

Theory of operation
-------------------
Transactions that write are READ COMMITTED on PostgreSQL, whatever the role's default is, so that a statement
after a row lock sees what the other holder committed; on SQLite they hold the write lock from the beginning.
Every statement has a time limit, and every failure becomes a `StorageError` without the statement's
parameters, because these are what users keep. PostgreSQL ends the transaction of a node that stopped in the
middle of it (`_IDLE_SECONDS`), so that its row locks stop no other node.

Migrations are one transaction under a lock, so nodes that start together migrate once. They only add: the
previous release goes on working with the tables of the next one. `schema_support` names the oldest revision
whose program works with the tables; a program that meets tables newer than its own asks that, and leaves them
alone.
"""

import asyncio
import errno
import os
import sqlite3
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any, Final, Self, final

import asyncpg  # type: ignore[import-untyped]
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, event, inspect, text
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from quintet.files import PRIVATE
from quintet.storage.address import DatabaseAddress, DatabaseKind
from quintet.storage.errors import (
    MigrationError,
    NewerSchemaError,
    RejectedValueError,
    StorageError,
    StorageReadOnlyError,
    StorageUnavailableError,
)

_MIGRATIONS: Final = Path(__file__).parent / "migrations"
_MIGRATION_LOCK: Final = 0x5155494E544554  # of PostgreSQL, for all nodes of a community
_READERS: Final = 2  # loads share queries
_WRITERS: Final = 6
_IDLE_SECONDS: Final = 10
_PAUSE: Final = 0.01
_STATEMENT_SECONDS: Final = 5.0
_MIGRATION_SECONDS: Final = 300.0
_NOTHING_STORED: Final = frozenset({"25006", "42501", "53100"})  # read-only, no right to, disk full
_REJECTED: Final = frozenset({"22", "23"})  # classes: data exception, integrity constraint violation
_SQLITE_NOTHING_STORED: Final = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL})
_SQLITE_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_FAILURES: Final = (
    *(SQLAlchemyError, OSError, TimeoutError),
    *(sqlite3.Error, asyncpg.PostgresError, asyncpg.InterfaceError),
)


_ISOLATION: Final[dict[DatabaseKind, dict[str, str]]] = {
    DatabaseKind.SQLITE: {},
    DatabaseKind.POSTGRESQL: {"isolation_level": "READ COMMITTED"},
}
_TLS_FIX: Final = (
    "sslrootcert=FILE in the URL names the CA certificate of the server; sslmode=disable does not encrypt"
)


@final
class Database:
    """Connections to SQL. Open it with `open`, close it with `close`."""

    def __init__(self, address: DatabaseAddress) -> None:
        self.address = address
        self._writing = _engine(address, pool_size=_WRITERS, **_ISOLATION[address.kind])
        self._reading = _engine(
            address, pool_size=_READERS, isolation_level="AUTOCOMMIT", pool_reset_on_return=None
        )
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
        """A transaction, committed when the context ends without an error.

        Raises StorageReadOnlyError too. Then the next connections are new ones: what was the primary server
        may have become a standby, and the address lead to another one.
        """
        try:
            async with self._translated(_STATEMENT_SECONDS), self._writing.begin() as connection:
                yield connection
        except StorageReadOnlyError:
            await self.close()
            raise

    async def migrate(self) -> None:
        """Bring the tables up to date, as one transaction under a lock. Newer tables are left alone.

        A file is created with mode 0600. Raises StorageUnavailableError; MigrationError, also as
        NewerSchemaError.
        """
        if self.address.kind is DatabaseKind.SQLITE:
            self._create_file()
            async with self._translated(_MIGRATION_SECONDS):
                await asyncio.to_thread(_use_wal, self.address.location)
        scripts = await asyncio.to_thread(_read_scripts)
        async with self._translated(_MIGRATION_SECONDS), self._writing.begin() as connection:
            if self.address.kind is DatabaseKind.POSTGRESQL:
                await connection.execute(text(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})"))
            try:
                await connection.run_sync(_upgrade, scripts, self.address.shown)
            except (SQLAlchemyError, asyncpg.PostgresError) as error:
                raise MigrationError(
                    f"the tables in {self.address.shown} could not be brought up to date ({_cause(error)})",
                    fix="The database user must own the database, or may CREATE in its schema",
                ) from error

    def _create_file(self) -> None:
        """Make the file of SQLite, and leave one that exists alone.

        To close any descriptor of a file gives up all locks that the process has on it. Without these another
        process, whose last connection ends, takes SQLite's journal away, and the database is damaged.
        """
        flags = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
        try:
            with suppress(FileExistsError):
                os.close(os.open(self.address.location, flags, PRIVATE))
            if not os.access(self.address.location, os.R_OK | os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
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
            kind = _kind_of(error)
            fix = _TLS_FIX if self.address.tls and isinstance(error, ConnectionError | ssl.SSLError) else None
            raise kind(f"the database {self.address.shown} failed ({_cause(error)})", fix=fix) from error


def _engine(address: DatabaseAddress, **options: Any) -> AsyncEngine:
    options |= {"hide_parameters": True, "max_overflow": 0, "pool_timeout": 4.0}
    if address.kind is DatabaseKind.SQLITE:
        url = f"sqlite+aiosqlite:///{address.location}"
        return create_async_engine(url, connect_args={"timeout": _STATEMENT_SECONDS}, **options)

    async def connect(*_: Any, **__: Any) -> Any:
        # In a thread: to read all CA certificates of a system takes a tenth of a second.
        context = await asyncio.to_thread(address.tls.context) if address.tls else False
        connection = await asyncpg.connect(
            address.location,
            timeout=_STATEMENT_SECONDS,
            ssl=context,
            server_settings={"application_name": "quintet"},
        )
        await connection.execute(f"SET idle_in_transaction_session_timeout = '{_IDLE_SECONDS}s'")
        return connection

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, pool_pre_ping=True, **options)


def _use_wal(location: str) -> None:
    """With WAL readers go on while one writes. The file remembers it; some file systems do not have it.

    SQLite waits for others before it does anything else, but gives up at once if one of them writes now.
    """
    until = time.monotonic() + _STATEMENT_SECONDS
    with closing(sqlite3.connect(location, timeout=_STATEMENT_SECONDS)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode=WAL").close()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF not in _SQLITE_BUSY or time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)
            else:
                return


def _prepare_sqlite(connection: Any, _: object) -> None:
    """FULL has what was committed on the disk."""
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}").close()


def _begin_immediate(connection: Connection) -> None:
    """Take the write lock at once: a transaction that reads first could not get it any more."""
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _read_scripts() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    for _ in scripts.walk_revisions():
        pass  # it reads and imports them
    return scripts


def _upgrade(connection: Connection, scripts: ScriptDirectory, shown: str) -> None:
    found = MigrationContext.configure(connection).get_current_revision()
    head = scripts.get_current_head()
    if found == head:
        return
    if found is None or found in {each.revision for each in scripts.walk_revisions()}:
        config = Config()
        config.set_main_option("script_location", str(_MIGRATIONS))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        return
    oldest = None
    if inspect(connection).has_table("schema_support"):
        oldest = connection.execute(text("SELECT MAX(oldest_revision) FROM schema_support")).scalar()
    if oldest is None or head is None or oldest > head:
        raise NewerSchemaError(
            f"the tables in {shown} are those of a newer release of Quintet (schema {found}), with which this"
            f" one (schema {head}) does not work",
            fix="Install the newer release here, or restore the backup that was made before it",
        )


def _kind_of(error: BaseException) -> type[StorageError]:
    original = getattr(error, "orig", None) or error
    sqlite = getattr(original, "sqlite_errorcode", 0) & 0xFF  # without the extended part
    state = getattr(original, "sqlstate", None) or ""
    if state in _NOTHING_STORED or sqlite in _SQLITE_NOTHING_STORED:
        return StorageReadOnlyError
    if isinstance(error, DataError | IntegrityError) or state[:2] in _REJECTED:
        return RejectedValueError
    return StorageUnavailableError


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
