"""Bearer tokens: shown once, kept as a digest, refused when expired or revoked."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from quintet.storage import (
    Database,
    DatabaseAddress,
    DatabaseKind,
    StorageReadOnlyError,
    StorageUnavailableError,
    TokenScope,
    TokenStore,
)
from quintet.storage.tokens import USED_EVERY, metadata
from support.postgres import Postgres

PEOPLE, ADMIN = TokenScope.PEOPLE, TokenScope.ADMIN
HOUR = 3600.0


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def tokens(address: DatabaseAddress, clock: Clock) -> AsyncIterator[TokenStore]:
    store = TokenStore(await Database.open(address), clock)
    yield store
    await store.close()


def files(folder: Path) -> list[bytes]:
    return [file.read_bytes() for file in folder.iterdir()]


def mode_of(file: Path) -> int:
    return file.stat().st_mode & 0o777


async def test_a_token_is_found_by_its_text(tokens: TokenStore) -> None:
    text, made = await tokens.create("wiki", [PEOPLE, ADMIN, PEOPLE], seconds=HOUR)
    found = await tokens.find(text)
    assert found is not None
    assert (found.id, found.name, found.scopes) == (made.id, "wiki", frozenset({PEOPLE, ADMIN}))


async def test_the_file_does_not_have_the_text_and_is_its_owners(tmp_path: Path) -> None:
    tokens = await TokenStore.open(DatabaseAddress.parse("", tmp_path))
    text, _ = await tokens.create("wiki", [PEOPLE], seconds=HOUR)
    assert not [each for each in files(tmp_path) if text[25:].encode() in each]
    assert mode_of(tmp_path / "quintet.db") == 0o600
    await tokens.close()


async def test_a_token_is_valid_at_all_nodes_until_it_is_revoked_at_one(
    tokens: TokenStore, address: DatabaseAddress
) -> None:
    other = await TokenStore.open(address)
    text, made = await tokens.create("wiki", [PEOPLE], seconds=9 * 365 * 24 * HOUR)
    assert await other.find(text) is not None
    assert await other.revoke(made.id)
    assert await tokens.find(text) is None
    await other.close()


@pytest.mark.real
async def test_a_token_is_known_while_nothing_can_be_stored(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.new_owned_database()
    name = url.rpartition("/")[2]
    tokens = await TokenStore.open(DatabaseAddress.parse(url, tmp_path))
    text, _ = await tokens.create("wiki", [PEOPLE], seconds=HOUR)
    postgres.run_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    postgres.disconnect(name)
    assert await tokens.find(text) is not None
    assert (await tokens.all())[0].used is None
    with pytest.raises(StorageReadOnlyError):
        await tokens.create("other", [PEOPLE], seconds=HOUR)
    await tokens.close()


async def test_every_change_of_the_text_makes_it_unknown(tokens: TokenStore) -> None:
    text, _ = await tokens.create("a", [PEOPLE], seconds=HOUR)
    other, _ = await tokens.create("b", [PEOPLE], seconds=HOUR)
    for nth in range(len(text)):
        changed = text[:nth] + ("A" if text[nth] != "A" else "B") + text[nth + 1 :]
        assert await tokens.find(changed) is None
    swapped = text[:25] + other[25:]
    for odd in ("", "quintet_", text + "A", text[:-1], text.upper(), f" {text}", swapped, "ü" * 68):
        assert await tokens.find(odd) is None
    assert await tokens.find(text) is not None


async def test_an_expired_token_is_refused_and_still_listed(tokens: TokenStore, clock: Clock) -> None:
    text, made = await tokens.create("a", [PEOPLE], seconds=HOUR)
    clock.now += HOUR - 1
    assert await tokens.find(text) is not None
    clock.now += 1
    assert await tokens.find(text) is None
    assert [each.id for each in await tokens.all()] == [made.id]


async def test_a_revoked_token_is_gone_at_once(tokens: TokenStore) -> None:
    text, made = await tokens.create("a", [PEOPLE], seconds=HOUR)
    assert await tokens.revoke(made.id)
    assert not await tokens.revoke(made.id)
    assert await tokens.find(text) is None
    assert await tokens.all() == ()


async def test_the_last_use_is_kept_to_the_minute(tokens: TokenStore, clock: Clock) -> None:
    text, made = await tokens.create("a", [PEOPLE], seconds=HOUR)
    assert made.used is None
    first = clock.now
    for seconds, expected in ((0.0, first), (USED_EVERY / 1000 - 1, first), (1.0, first + USED_EVERY / 1000)):
        clock.now += seconds
        await tokens.find(text)
        (listed,) = await tokens.all()
        assert listed.used == expected
    await tokens.find(text[:-1] + "!")
    assert (await tokens.all())[0].used == first + USED_EVERY / 1000


async def test_the_migrations_make_the_tables(tokens: TokenStore) -> None:
    async with tokens._database.reading() as connection:
        made = await connection.run_sync(
            lambda each: {
                table: {column["name"] for column in inspect(each).get_columns(table)}
                for table in metadata.tables
            }
        )
    assert made == {name: set(table.columns.keys()) for name, table in metadata.tables.items()}


async def test_a_database_that_is_away_is_told(tmp_path: Path) -> None:
    address = DatabaseAddress(DatabaseKind.SQLITE, str(tmp_path / "missing" / "quintet.db"))
    with pytest.raises(StorageUnavailableError):
        await TokenStore.open(address)
