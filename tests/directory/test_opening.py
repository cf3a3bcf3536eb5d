"""How new connections make themselves known, and that no password slips out: rows C4, C57, C59, C80."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest

from quintet.config.settings import Account
from quintet.directory.connector import BindMethod, BoundConnection, Connector, unavailable
from quintet.directory.directory import Directory
from quintet.directory.endpoint import Binding, Endpoint, Mode, endpoints_of
from quintet.directory.errors import DirectoryUnavailableError, UnencryptedBindError, UnreachableReason
from quintet.directory.events import ConnectionEvent, Event, Warned
from quintet.directory.services import Service
from quintet.directory.ssl_contexts import SslContextCache
from quintet.embedded.answers import Rules
from quintet.embedded.faults import AnswerWith, Wait, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.connection import Address, connect
from quintet.ldap.errors import ConnectError
from quintet.ldap.pool_config import ConnectionFailed, ConnectionOpened, ConnectionState
from quintet.secret import Secret
from support import small
from support.directories import DEAD, server_settings, settings, until
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


def methods(told: list[Event]) -> set[BindMethod]:
    """How the connections that were opened were bound."""
    opened = [each.event for each in told if isinstance(each, ConnectionEvent)]
    bound = [event.prepared for event in opened if isinstance(event, ConnectionOpened)]
    return {each.method for each in bound if isinstance(each, BoundConnection)}


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
    assert methods(told) == {BindMethod.SCRAM}
    assert small.READER_PASSWORD.encode() not in spoken(relay)


async def test_c59_anonymous_is_next(serve: Serve, relay: Relay, open_directory: Start) -> None:
    server = await serve(rules=Rules(scram=False))
    directory = await open_directory(server, relay, only_passwords=True)
    await directory.resolve("alice")
    assert [row.bound_as for row in directory.status() if row.service is Service.RESOLVE_NAMES] == [None]
    assert small.READER_PASSWORD.encode() not in spoken(relay)


@pytest.mark.parametrize("operation", ["search", "bind"])
@pytest.mark.parametrize("code", [1, 51, 52, 80])
async def test_c59_a_server_that_fails_for_the_moment_is_not_taken_for_one_without_scram(
    serve: Serve, relay: Relay, open_directory: Start, operation: Any, code: int
) -> None:
    """Anonymous connections may see less: one would give wrong answers for as long as it lives."""
    server = await serve(rules=Rules(hidden=frozenset({"mail"})))
    server.faults = failing(AnswerWith(code), operation, times=1)
    directory = await open_directory(server, relay, only_passwords=True)
    with pytest.raises(DirectoryUnavailableError, match="tried again"):
        await directory.resolve_login("alice@example.com")
    rows = await directory.connect_all()
    assert {row.bound_as for row in rows if row.service is not Service.AUTHENTICATE} == {small.READER_DN}
    assert (await directory.resolve_login("alice@example.com")).mail == "alice@example.com"


@pytest.mark.parametrize("code", [51, 52, 80])
async def test_c59_a_server_that_fails_for_the_moment_does_not_stop_the_start(
    serve: Serve, relay: Relay, open_directory: Start, code: int
) -> None:
    server = await serve(rules=Rules(scram=False))
    server.faults = failing(AnswerWith(code), "bind", times=1)
    directory = await open_directory(server, relay, only_passwords=True)
    await directory.connect_all()
    assert (await directory.resolve_login("alice")).dn == small.person_dn("alice")


async def test_c59_an_account_that_scram_refuses_stays_anonymous_and_that_is_told(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    """So does OpenLDAP answer where the account's password is kept as a hash: no SCRAM, but no way back."""
    told: list[Event] = []
    wrong = Account(small.READER_DN, Secret("wrong"))
    directory = await open_directory(
        await serve(), relay, account=wrong, only_passwords=True, trace=told.append
    )
    (row,) = [row for row in await directory.connect_all() if row.service is Service.BROWSE]
    assert (row.bound_as, row.state, row.failed) == (None, ConnectionState.CONNECTED, False)
    assert "SCRAM fails for the service account" in (row.note or "")
    assert "BindEntryPassword in StCommunityConfig.xml" in (row.note or "")
    assert row.error is None
    assert row.note in [event.message for event in told if isinstance(event, Warned)]


async def test_c59_without_either_the_start_is_refused_with_the_ways_out(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    server = await serve(rules=Rules(scram=False, anonymous=False))
    with pytest.raises(UnencryptedBindError, match="QUINTET_ALLOW_CLEAR_SERVICE_BIND=1") as refused:
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
    with pytest.raises(DirectoryUnavailableError, match="BindEntryPassword") as raised:
        await directory.resolve("alice")
    assert raised.value.why is UnreachableReason.ACCOUNT


async def test_an_account_that_is_no_text_is_named_and_not_tried_again_at_once(
    serve: Serve, relay: Relay, open_directory: Start
) -> None:
    told: list[Event] = []
    account = Account(small.READER_DN, Secret("half \ud800 s3cret"))
    directory = await open_directory(await serve(), relay, account=account, trace=told.append)
    for words in ("Check BindEntryDn", "tried again in"):
        with pytest.raises(DirectoryUnavailableError, match=words) as raised:
            await directory.resolve("alice", groups=False)
        assert raised.value.why is UnreachableReason.ACCOUNT
        assert "s3cret" not in str(raised.value)
    failed = [
        each
        for each in told
        if isinstance(each, ConnectionEvent) and isinstance(each.event, ConnectionFailed)
    ]
    assert len(failed) == 1


async def test_c80_a_connection_has_as_many_requests_in_flight_as_the_settings_say(
    serve: Serve, open_directory: Start, relay: Relay
) -> None:
    server, gate = await serve(), asyncio.Event()
    directory = await open_directory(server, relay, account=None, pending_high=3, pending_low=1)
    await directory.connect_all()
    server.faults = failing(Wait(gate), "search")
    before = server.counts["search"]
    work = [asyncio.create_task(directory.resolve_login("alice")) for _ in range(7)]
    await until(lambda: server.counts["search"] - before >= 3)
    (row,) = [row for row in directory.status() if row.service is Service.RESOLVE_LOGIN]
    assert (row.in_flight, row.operations) == (3, 4)
    gate.set()
    assert {person.dn for person in await asyncio.gather(*work)} == {small.person_dn("alice")}


@pytest.mark.parametrize(
    ("cause", "mode", "keys"),
    [
        (ConnectionRefusedError(), Mode.UNENCRYPTED, "Check Port in"),
        (ConnectionRefusedError(), Mode.STARTTLS, "Check Port in"),
        (ConnectionRefusedError(), Mode.LDAPS, "Check SSLPort in"),
        (TimeoutError(), Mode.LDAPS, "Check HostName and SSLPort in"),
        (socket.gaierror(), Mode.LDAPS, "Check HostName in"),
    ],
)
def test_a_server_that_cannot_be_reached_names_file_and_keys(cause: Exception, mode: Mode, keys: str) -> None:
    endpoint = endpoints_of(settings([server_settings(DEAD)]))[Service.BROWSE, 0]
    error = ConnectError("no connection")
    error.__cause__ = cause
    told = str(unavailable(error, replace(endpoint, mode=mode)))
    assert f"{keys} StCommunityConfig.xml" in told


@pytest.mark.parametrize("mode", [Mode.LDAPS, Mode.UNENCRYPTED])
async def test_c4_the_guard_holds_the_accounts_password_back_even_when_tls_was_forgotten(
    serve: Serve, mode: Mode
) -> None:
    """The endpoint says TLS, the connection is not encrypted: a mistake of ours must not cost a password."""
    server = await serve()
    given = settings([server_settings(server.port, ssl_enabled=True, account=ACCOUNT)])
    endpoint = replace(endpoints_of(given)[Service.BROWSE, 0], mode=mode)
    if mode is Mode.UNENCRYPTED:
        endpoint = replace(endpoint, binding=Binding.HIDDEN)
    connector = Connector(SslContextCache())
    async with await connect(Address("127.0.0.1", server.port)) as connection:
        if mode is Mode.LDAPS:
            with pytest.raises(UnencryptedBindError):
                await connector.bind(connection, endpoint)
            assert server.counts["bind"] == 0
        else:
            assert (await connector.bind(connection, endpoint)).method is BindMethod.SCRAM


async def test_c4_the_guard_holds_users_passwords_back_even_when_tls_was_forgotten(
    serve: Serve, directory_of: Callable[..., Awaitable[Directory]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = await serve()
    monkeypatch.setattr(Endpoint, "encrypted", property(lambda _: False))  # no context is made
    directory = await directory_of(server, only_passwords=True)
    with pytest.raises(UnencryptedBindError) as refused:
        await directory.authenticate("alice", "alice-secret")
    assert refused.value.service is Service.AUTHENTICATE
    assert server.counts["bind"] == 1  # the anonymous one of the search for the login name
