"""How new connections make themselves known, and that no password slips out: rows C4, C57, C59."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from quintet.config.settings import Account
from quintet.directory.directory import Directory
from quintet.directory.endpoint import Mode, lines_of
from quintet.directory.errors import ClearBindRefused, Unreachable, Why
from quintet.directory.opening import guarded_bind
from quintet.directory.tasks import Task
from quintet.directory.trace import Event, Opened, Warned
from quintet.embedded.answers import Rules
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.connection import Address, connect
from quintet.secret import Secret
from support import small
from support.directories import server_settings, settings
from support.relay import Relay

Serve = Callable[..., Awaitable[EmbeddedServer]]
ACCOUNT = Account(small.READER_DN, Secret(small.READER_PASSWORD))


@pytest.fixture
def open_directory(stack: AsyncExitStack) -> Callable[..., Awaitable[Directory]]:
    async def start(
        server: EmbeddedServer, relay: Relay, account: Account | None = ACCOUNT, **options: Any
    ) -> Directory:
        trace = options.pop("trace", None)
        given = settings([server_settings(server.port, account=account)], **options)
        return await stack.enter_async_context(Directory(given, route=relay.route, trace=trace))

    return start


Start = Callable[..., Awaitable[Directory]]


def spoken(relay: Relay) -> bytes:
    return b"".join(each.bytes for each in relay.connections)


async def test_under_none_the_account_binds_as_it_is_and_that_is_warned_of(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    told: list[Event] = []
    directory = await open_directory(await serve(), relay, trace=told.append)
    await directory.resolve("alice")
    assert small.READER_PASSWORD.encode() in spoken(relay)
    assert any(isinstance(event, Warned) for event in told)


async def test_c59_scram_is_taken_where_it_is_offered(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    told: list[Event] = []
    directory = await open_directory(await serve(), relay, only_passwords=True, trace=told.append)
    await directory.resolve("alice")
    assert {event.way for event in told if isinstance(event, Opened)} == {"scram"}
    assert small.READER_PASSWORD.encode() not in spoken(relay)


async def test_c59_anonymous_is_next(serve: Serve, relay: Relay, open_directory: Start) -> None:
    server = await serve(rules=Rules(scram=False))
    directory = await open_directory(server, relay, only_passwords=True)
    await directory.resolve("alice")
    assert [row.bound_as for row in directory.status() if row.task == "resolve-names"] == [None]
    assert small.READER_PASSWORD.encode() not in spoken(relay)


async def test_c59_without_either_the_start_is_refused_with_the_ways_out(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    server = await serve(rules=Rules(scram=False, anonymous=False))
    with pytest.raises(ClearBindRefused, match="QUINTET_ALLOW_CLEAR_SERVICE_BIND=1") as refused:
        await open_directory(server, relay, only_passwords=True)
    assert "SCRAM" in str(refused.value)
    assert small.READER_PASSWORD.encode() not in spoken(relay)


async def test_c59_allowed_in_words_the_account_binds_as_it_is(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    told: list[Event] = []
    options = {"only_passwords": True, "allow_clear_service_bind": True}
    directory = await open_directory(await serve(), relay, **options, trace=told.append)
    await directory.resolve("alice")
    assert any(isinstance(event, Warned) for event in told)


async def test_a_level_that_is_only_tried_does_not_show_the_account(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    directory = await open_directory(await serve(), relay, guard_service_account=True)
    await directory.resolve("alice")
    assert small.READER_PASSWORD.encode() not in spoken(relay)


async def test_a_wrong_account_is_named_as_the_cause(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    wrong = Account(small.READER_DN, Secret("wrong"))
    directory = await open_directory(await serve(), relay, account=wrong)
    with pytest.raises(Unreachable, match="BindEntryPassword") as unreachable:
        await directory.resolve("alice")
    assert unreachable.value.why is Why.ACCOUNT


async def test_c4_the_guard_holds_a_password_back_even_when_tls_was_forgotten(serve: Serve) -> None:
    """The endpoint says TLS, the connection is clear: a mistake of ours must not cost a password."""
    server = await serve()
    given = settings([server_settings(server.port, ssl_enabled=True)], only_passwords=True)
    endpoint = lines_of(given)[Task.AUTHENTICATE, 0].endpoints[0]
    async with await connect(Address("127.0.0.1", server.port)) as connection:
        for each in (endpoint, replace(endpoint, mode=Mode.CLEAR)):
            with pytest.raises(ClearBindRefused):
                await guarded_bind(connection, each, small.person_dn("alice"), "alice-secret")
    assert server.counts["bind"] == 0
