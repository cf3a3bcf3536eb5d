"""What the tests of the Sametime port share."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from conftest import Certificates
from quintet.sametime.server import SametimeServer
from support.community_directory import FakeDirectory
from support.sametime_server import running, server_context


@pytest.fixture
def people() -> FakeDirectory:
    return FakeDirectory.of("alice", "bob", "carol", "dave", team=("alice", "bob"))


@pytest.fixture
def port_context(tmp_path: Path, certificates: Certificates) -> ssl.SSLContext:
    """What the server shows."""
    return server_context(tmp_path, certificates.server)


@pytest.fixture
def trusting(certificates: Certificates) -> ssl.SSLContext:
    """What clients trust."""
    return ssl.create_default_context(cadata=certificates.ca.pem.decode())


@pytest.fixture
async def server(people: FakeDirectory, tmp_path: Path) -> AsyncIterator[SametimeServer]:
    async with running(people, tmp_path) as server:
        yield server
