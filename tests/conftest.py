"""Fixtures that many tests share: certificates, and real slapd servers. And how tests run in parallel."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import structlog

from quintet.embedded import sample
from quintet.embedded.server import EmbeddedServer
from quintet.storage import DatabaseAddress
from support import certs, scheduling, small
from support.certs import Issued
from support.directories import small_entries
from support.postgres import Postgres
from support.relay import Relay
from support.slapd import Slapd


@dataclass(frozen=True, slots=True)
class Certificates:
    """The session's authority, and a server certificate by it for localhost and 127.0.0.1."""

    ca: Issued
    server: Issued


# A busy machine makes an example slow, and not the code. What must be fast is measured by tests of its own.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    scheduling.group(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return scheduling.scheduler(config, log)


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """A command under test sets up logging for its own standard error, which is gone after the test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def certificates() -> Certificates:
    ca = certs.authority()
    return Certificates(ca, certs.leaf(ca, *certs.LOCAL))


@pytest.fixture(scope="session")
def small_slapd(certificates: Certificates) -> Iterator[Slapd]:
    """The organisation of `support.small`; shared, so leave it as it is."""
    with Slapd(authority=certificates.ca, certificate=certificates.server) as server:
        yield server


@pytest.fixture(scope="session")
def slapd(certificates: Certificates) -> Iterator[Slapd]:
    """The sample organisation of `quintet.embedded`; shared, so leave it as it is."""
    with Slapd(sample.ldif(), authority=certificates.ca, certificate=certificates.server) as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """Shared: each test has a database of its own, and leaves the server as it is."""
    with Postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> DatabaseAddress:
    """An empty database, of each kind."""
    if request.param == "sqlite":
        return DatabaseAddress.parse("", tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    return DatabaseAddress.parse(server.new_database(), tmp_path)


@pytest.fixture
def make_slapd(certificates: Certificates) -> Iterator[Callable[..., Slapd]]:
    """Makes servers for one test, with options as `Slapd` has them."""
    with contextlib.ExitStack() as stack:

        def make(ldif: bytes = small.LDIF, **options: Any) -> Slapd:
            options.setdefault("authority", certificates.ca)
            return stack.enter_context(Slapd(ldif, **options))

        yield make


@pytest.fixture
async def relay() -> AsyncIterator[Relay]:
    async with Relay() as relay:
        yield relay


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def serve(stack: AsyncExitStack) -> Callable[..., Awaitable[EmbeddedServer]]:
    """Starts servers with the small organisation, and with the LDIF texts that it is given."""

    async def start(*more: str, **options: Any) -> EmbeddedServer:
        return await stack.enter_async_context(EmbeddedServer(small_entries(*more), **options))

    return start
