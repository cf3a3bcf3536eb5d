"""Fixtures of the cluster's tests: real servers, started once a module where they are left as they are."""

from collections.abc import Iterator

import pytest

from support.redis_server import RedisServer


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """A running one that tests share; each uses keys of its own, and leaves it running."""
    with RedisServer() as server:
        yield server


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """A running one of the test's own."""
    with RedisServer() as server:
        yield server
