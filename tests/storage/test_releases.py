"""This release and the one before share a database, while nodes are updated one by one."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Connection, inspect, text

from quintet.sametime.storage import CONTACT_LIST, SaveOutcome, ValueStore
from quintet.sametime.storage.admin import export_all
from quintet.storage import Database, DatabaseAddress, DatabaseKind, TokenScope, TokenStore
from support import previous_release as previous
from support.list_saver import decode, encode

ALICE = "uid=alice,ou=people,dc=example,dc=org"
IDENT, TOKEN = "a" * 16, f"quintet_{'a' * 16}_{'S' * 43}"
DIGEST = hashlib.sha256(TOKEN.encode()).hexdigest()


@pytest.fixture
def lock(address: DatabaseAddress) -> str:
    return " FOR UPDATE" if address.kind is DatabaseKind.POSTGRESQL else ""


@pytest.fixture
async def old(address: DatabaseAddress) -> AsyncIterator[Database]:
    """Tables as the last release made them, with a list of two versions and a token."""
    database = Database(address)
    kind = "BYTEA" if address.kind is DatabaseKind.POSTGRESQL else "BLOB"
    async with database.writing() as connection:
        for statement in previous.TABLES:
            await connection.execute(text(statement.format(bytes=kind)))
    lock = " FOR UPDATE" if address.kind is DatabaseKind.POSTGRESQL else ""
    await previous.save(database, ALICE, encode(["bob"]), base=0, lock=lock)
    await previous.save(database, ALICE, encode(["bob", "carol"]), base=1, lock=lock)
    await previous.make_token(database, IDENT, DIGEST)
    yield database
    await database.close()


async def shape(database: Database) -> dict[str, dict[str, tuple[str, bool]]]:
    """The columns of all tables, with their types and whether they may be empty."""

    def look(connection: Connection) -> dict[str, dict[str, tuple[str, bool]]]:
        seen: Any = inspect(connection)
        return {
            table: {each["name"]: (str(each["type"]), each["nullable"]) for each in seen.get_columns(table)}
            for table in seen.get_table_names()
        }

    async with database.reading() as connection:
        return await connection.run_sync(look)


async def test_this_release_goes_on_with_what_the_last_one_stored(
    old: Database, address: DatabaseAddress
) -> None:
    store = await ValueStore.open(address)
    stored = (await store.load(ALICE, [CONTACT_LIST]))[CONTACT_LIST]
    assert (decode(stored.value), stored.version) == (["bob", "carol"], 2)
    assert [(each.version, each.lost) for each in await store.history(ALICE, CONTACT_LIST)] == [
        (2, False),
        (1, False),
    ]
    merged = await store.save(ALICE, CONTACT_LIST, encode(["bob", "dave"]), base=1)
    assert merged.outcome is SaveOutcome.MERGED
    assert [each.user_id async for each in export_all(store)] == [ALICE]
    await store.close()
    tokens = await TokenStore.open(address)
    assert await tokens.find(TOKEN) is not None
    await tokens.close()


async def test_the_last_release_goes_on_with_the_tables_of_this_one(
    old: Database, address: DatabaseAddress, lock: str
) -> None:
    store = await ValueStore.open(address)
    mine = await store.save(ALICE, CONTACT_LIST, encode(["bob", "dave"]), base=1)
    value, version = await previous.load(old, ALICE)
    assert (decode(value), version) == (["bob", "carol", "dave"], mine.current)
    theirs = await previous.save(old, ALICE, encode(["carol", "dave"]), base=version, lock=lock)
    await store.save(ALICE, CONTACT_LIST, encode(["bob", "dave", "erin"]), base=mine.version)
    assert decode((await previous.load(old, ALICE))[0]) == ["carol", "dave", "erin"]
    assert theirs == version + 1
    await store.restore(ALICE, CONTACT_LIST, theirs)
    await store.rename(ALICE, "uid=alicia")
    assert set(await previous.origins(old, "uid=alicia")) <= previous.ORIGINS
    await previous.save(old, "uid=new", encode(["bob"]), base=0, lock=lock)
    assert "uid=new" in {each.user_id async for each in export_all(store)}
    await store.close()
    tokens = await TokenStore.open(address)
    await previous.make_token(old, "b" * 16, DIGEST)
    assert {each.id for each in await tokens.all()} == {IDENT, "b" * 16}
    await tokens.create("new", [TokenScope.ADMIN], seconds=60)
    await tokens.close()


async def test_migrations_only_add_what_the_last_release_need_not_know(
    old: Database, address: DatabaseAddress
) -> None:
    before = await shape(old)
    database = await Database.open(address)
    after = await shape(database)
    await database.close()
    for table, columns in before.items():
        assert columns.items() <= after[table].items(), f"{table} lost or changed a column"
        fresh = {
            name: may_be_empty for name, (_, may_be_empty) in after[table].items() if name not in columns
        }
        assert all(fresh.values()), f"the last release can't insert into {table}: {fresh}"


async def test_the_tables_of_the_last_release_are_those_of_its_migrations(
    old: Database, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy in `support.previous_release` is true."""
    if old.address.kind is DatabaseKind.POSTGRESQL:
        pytest.skip("one kind of database shows it")
    migrate = command.upgrade
    monkeypatch.setattr(command, "upgrade", lambda config, _: migrate(config, "0002"))
    made = await Database.open(DatabaseAddress.parse("", tmp_path_factory.mktemp("made")))
    expected = await shape(made)
    await made.close()
    assert await shape(old) == expected


async def test_the_program_works_from_the_revision_on_that_the_tables_name(address: DatabaseAddress) -> None:
    database = await Database.open(address)
    async with database.reading() as connection:
        oldest = (await connection.execute(text("SELECT oldest_revision FROM schema_support"))).scalar_one()
    await database.close()
    assert oldest <= "0002", "the last release could not go on"
