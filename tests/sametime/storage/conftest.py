"""Each test of the store runs on SQLite and on a real PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from quintet.sametime.storage import DatabaseAddress, StorageLimits, ValueStore

LIMITS = StorageLimits(value_size=4096, values=5)


@pytest.fixture
async def store(address: DatabaseAddress) -> AsyncIterator[ValueStore]:
    store = await ValueStore.open(address, LIMITS)
    yield store
    await store.close()
