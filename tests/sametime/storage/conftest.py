"""Each test of the store runs on SQLite and on a real PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from quintet.sametime.storage import DatabaseAddress, StorageLimits, ValueStore
from support.postgres import Postgres

LIMITS = StorageLimits(value_size=4096, values=5)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseAddress:
    """An empty database."""
    if request.param == "sqlite":
        return DatabaseAddress.parse("", tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return DatabaseAddress.parse(server.new_database(), tmp_path)


@pytest.fixture
async def store(address: DatabaseAddress) -> AsyncIterator[ValueStore]:
    store = await ValueStore.open(address, LIMITS)
    yield store
    await store.close()
