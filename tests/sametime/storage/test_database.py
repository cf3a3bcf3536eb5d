"""The database itself: where it is, how it is prepared, what becomes of its failures."""

import asyncio
import sqlite3
import stat
import traceback
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from quintet.sametime.storage import (
    DatabaseAddress,
    DatabaseKind,
    DatabaseUrlError,
    MigrationError,
    StorageUnavailableError,
    ValueStore,
)
from quintet.sametime.storage.schema import metadata
from quintet.storage import Database, DatabaseTls
from quintet.storage import database as database_module
from support.postgres import PASSWORD, Postgres

ALICE = "uid=alice,dc=org"


def test_without_a_url_a_file_beside_the_settings_is_used() -> None:
    address = DatabaseAddress.parse(" ", Path("/etc/sametime"))
    assert (address.kind, address.location) == (DatabaseKind.SQLITE, "/etc/sametime/quintet.db")


@pytest.mark.parametrize(
    ("url", "location"),
    [
        ("sqlite:///lists.db", "/etc/sametime/lists.db"),
        ("sqlite+aiosqlite:///lists.db", "/etc/sametime/lists.db"),
        ("sqlite:////var/lib/lists.db", "/var/lib/lists.db"),
    ],
)
def test_a_relative_sqlite_file_is_below_the_settings(url: str, location: str) -> None:
    assert DatabaseAddress.parse(url, Path("/etc/sametime")).location == location


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_a_postgresql_url_keeps_what_asyncpg_reads(scheme: str) -> None:
    address = DatabaseAddress.parse(f"{scheme}://u:p%40x@db:5433/lists?sslmode=verify-full", Path())
    assert address.kind is DatabaseKind.POSTGRESQL
    assert address.location == "postgresql://u:p%40x@db:5433/lists"
    assert address.tls == DatabaseTls()


@pytest.mark.parametrize(
    "url", ["mysql://u:secret@h/d", "nonsense secret", "sqlite://", "sqlite:///:memory:"]
)
def test_other_urls_are_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(DatabaseUrlError) as raised:
        DatabaseAddress.parse(url, Path())
    assert raised.value.code == "STORAGE-URL"
    assert "secret" not in str(raised.value)


def test_a_password_never_shows() -> None:
    address = DatabaseAddress.parse("postgresql://u:geheim@db/lists", Path())
    assert "geheim" not in repr(address) + address.shown


async def test_the_file_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    store = await ValueStore.open(DatabaseAddress.parse("", tmp_path))
    try:
        await store.save(ALICE, 0, b"x")
        files = list(tmp_path.glob("quintet.db*"))  # noqa: ASYNC240 # a few names in memory
        assert len(files) > 1, "SQLite's own files lie beside it"
        assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    finally:
        await store.close()


async def test_values_are_there_after_a_restart(address: DatabaseAddress) -> None:
    first = await ValueStore.open(address)
    await first.save(ALICE, 0, b"x")
    await first.close()
    second = await ValueStore.open(address)
    assert (await second.load(ALICE, [0]))[0].value == b"x"
    await second.close()


async def test_nodes_that_start_together_migrate_once(address: DatabaseAddress) -> None:
    stores = await asyncio.gather(*(ValueStore.open(address) for _ in range(4)))
    await asyncio.gather(*(store.save(f"uid={nth}", 0, b"x") for nth, store in enumerate(stores)))
    seen = [await stores[0].load(f"uid={nth}", [0]) for nth in range(4)]
    await asyncio.gather(*(store.close() for store in stores))
    assert [each[0].value for each in seen] == [b"x"] * 4


async def test_a_new_file_is_waited_for_while_another_process_begins_to_write_it(tmp_path: Path) -> None:
    """Here SQLite refuses to change the journal without waiting."""
    file = tmp_path / "quintet.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        opening = asyncio.create_task(Database.open(DatabaseAddress.parse("", tmp_path)))
        assert (await asyncio.wait({opening}, timeout=0.3))[1] == {opening}
        other.execute("COMMIT")
        await (await opening).close()


async def test_a_new_file_that_stays_locked_is_said_to_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_STATEMENT_SECONDS", 0.05)
    with closing(sqlite3.connect(tmp_path / "quintet.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageUnavailableError) as raised:
            await Database.open(DatabaseAddress.parse("", tmp_path))
    cause = raised.value.__cause__
    assert isinstance(cause, sqlite3.OperationalError)
    assert cause.sqlite_errorcode == sqlite3.SQLITE_BUSY


async def test_migrations_leave_the_tables_that_the_code_uses(address: DatabaseAddress) -> None:
    database = await Database.open(address)
    try:
        for table in metadata.tables.values():
            async with database.reading() as connection:
                found = await connection.execute(table.select())
                assert set(found.keys()) == {column.name for column in table.columns}
    finally:
        await database.close()


async def test_tables_of_a_newer_release_are_left_alone(address: DatabaseAddress) -> None:
    database = await Database.open(address)
    async with database.writing() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await database.close()
    store = await ValueStore.open(address)
    try:
        await store.save(ALICE, 0, b"x")
        assert (await store.load(ALICE, [0]))[0].value == b"x"
    finally:
        await store.close()


async def test_a_folder_that_is_not_there_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailableError) as raised:
        await ValueStore.open(DatabaseAddress.parse("sqlite:///missing/lists.db", tmp_path))
    assert "missing/lists.db" in str(raised.value)
    assert raised.value.fix


async def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "quintet.db").write_bytes(b"not a database, although it is long enough" * 100)
    with pytest.raises(StorageUnavailableError):
        await ValueStore.open(DatabaseAddress.parse("", tmp_path))


@pytest.fixture
async def store_and_server(tmp_path: Path) -> AsyncIterator[tuple[ValueStore, Postgres]]:
    """A store on a PostgreSQL that the test may stop."""
    with Postgres() as server:
        store = await ValueStore.open(DatabaseAddress.parse(server.new_database(), tmp_path))
        await store.save(ALICE, 0, b"my contacts")
        yield store, server
        await store.close()


@pytest.mark.real
async def test_a_stopped_postgresql_is_told_and_used_again_when_it_is_back(
    store_and_server: tuple[ValueStore, Postgres],
) -> None:
    store, server = store_and_server
    server.stop()
    with pytest.raises(StorageUnavailableError) as raised:
        await store.load(ALICE, [0])
    with pytest.raises(StorageUnavailableError):
        await store.save(ALICE, 0, b"your contacts")
    told = "".join(traceback.format_exception(raised.value))
    assert PASSWORD not in told
    server.start()
    assert (await store.load(ALICE, [0]))[0].value == b"my contacts"


@pytest.mark.real
async def test_a_postgresql_that_hangs_is_given_up(
    store_and_server: tuple[ValueStore, Postgres], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, server = store_and_server
    monkeypatch.setattr(database_module, "_STATEMENT_SECONDS", 0.3)
    with server.frozen():
        with pytest.raises(StorageUnavailableError):
            await store.save(ALICE, 0, b"x")
        with pytest.raises(StorageUnavailableError):
            await store.check()
    assert (await store.load(ALICE, [0]))[0].value == b"my contacts"


@pytest.mark.real
async def test_a_wrong_password_is_told_without_it(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_database().replace(PASSWORD, "wrong-one")
    with pytest.raises(StorageUnavailableError) as raised:
        await ValueStore.open(DatabaseAddress.parse(url, tmp_path))
    assert "wrong-one" not in "".join(traceback.format_exception(raised.value))


@pytest.mark.real
async def test_a_user_who_may_not_create_tables_is_told_what_to_do(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    name = url.rpartition("/")[2]
    postgres.run_sql(f"CREATE USER u_{name} PASSWORD 'x'; REVOKE CREATE ON SCHEMA public FROM PUBLIC", name)
    with pytest.raises(MigrationError) as raised:
        await ValueStore.open(
            DatabaseAddress.parse(url.replace(f"quintet:{PASSWORD}", f"u_{name}:x"), tmp_path)
        )
    assert (raised.value.code, bool(raised.value.fix)) == ("STORAGE-MIGRATION", True)
