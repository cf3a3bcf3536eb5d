"""The face: status, opening everything, reloading."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from quintet.config.settings import Account
from quintet.directory import connections, ssl_contexts
from quintet.directory.directory import Directory
from quintet.directory.endpoint import endpoints_of
from quintet.directory.errors import DirectoryUnavailableError, UnreachableReason
from quintet.directory.services import TASKS, Protection, Service
from quintet.embedded.faults import Faults, Wait, failing
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.filters import Template
from quintet.ldap.pool_config import ConnectionState
from quintet.secret import Secret
from quintet.tls import StoreKind, StoreLocation, TlsSettings
from support import small
from support.directories import DEAD, server_settings, settings, until

Serve = Callable[..., Awaitable[EmbeddedServer]]
DirectoryOf = Callable[..., Awaitable[Directory]]


async def settled() -> None:
    """Everything that can go on by itself has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_c1_connect_all_opens_one_connection_a_task(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    rows = await (await directory_of(server)).connect_all()
    assert [row.service for row in rows] == list(TASKS)
    assert {row.state for row in rows} == {ConnectionState.CONNECTED}
    assert server.counts["connections"] == len(TASKS)


async def test_connect_all_tells_of_every_connection_that_failed(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    rows = await (await directory_of(await serve(), DEAD)).connect_all()
    assert len(rows) == 2 * len(TASKS)
    failed = [row for row in rows if row.error]
    assert [row.service for row in failed] == list(TASKS)
    assert all("nothing listens there" in (row.error or "") for row in failed)


async def test_before_anything_is_asked_nothing_is_open(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    rows = (await directory_of(server)).status()
    assert {row.state for row in rows} == {ConnectionState.IDLE}
    assert server.counts["connections"] == 0


async def test_status_counts_operations(serve: Serve, directory_of: DirectoryOf) -> None:
    directory = await directory_of(await serve())
    for _ in range(3):
        await directory.resolve("alice", groups=False)
    (row,) = [row for row in directory.status() if row.service is Service.RESOLVE_NAMES]
    assert row.operations == 4
    assert (row.encrypted, row.certificate, row.in_flight) == (False, None, 0)


async def test_a_directory_that_is_not_open_says_so() -> None:
    directory = Directory(settings([server_settings(DEAD)]))
    with pytest.raises(DirectoryUnavailableError):
        await directory.resolve("alice")
    assert directory.status() == ()


async def test_c2_the_level_is_told() -> None:
    assert Directory(settings([server_settings(DEAD)])).protection is Protection.NONE


async def test_closing_while_requests_run_ends_them(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    directory = await directory_of(server)
    await directory.resolve("alice")
    server.faults = failing(Wait(asyncio.Event()), "search")
    work = asyncio.create_task(directory.resolve("alice"))
    await asyncio.sleep(0)
    await directory.close()
    with pytest.raises(DirectoryUnavailableError):
        await work


async def test_reload_keeps_the_pools_that_nothing_touches(serve: Serve, directory_of: DirectoryOf) -> None:
    server = await serve()
    directory = await directory_of(server)
    await directory.connect_all()
    given = settings([server_settings(server.port, login_filter=Template("(uid=%s)"))])
    await directory.reload(given)
    await directory.connect_all()
    assert server.counts["connections"] == len(TASKS)
    assert (await directory.resolve_login("alice")).dn == small.person_dn("alice")


async def test_reload_replaces_what_a_change_touches(serve: Serve, directory_of: DirectoryOf) -> None:
    old, new = await serve(), await serve()
    directory = await directory_of(old)
    await directory.connect_all()
    await directory.reload(settings([server_settings(new.port)]))
    await directory.connect_all()
    assert new.counts["connections"] == len(TASKS)
    await until(lambda: not old.connected)


async def test_reload_lets_requests_end_on_the_connections_that_they_have(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    old, new = await serve(), await serve()
    directory = await directory_of(old)
    await directory.resolve("alice")
    gate = asyncio.Event()
    old.faults = failing(Wait(gate), "search")
    work = asyncio.create_task(directory.members("everybody"))
    await until(lambda: old.counts["search"] >= 3)
    await directory.reload(settings([server_settings(new.port)]))
    assert (await directory.resolve("alice")).matches
    gate.set()
    old.faults = Faults()
    assert len((await work).members) == 6
    assert new.counts["search"] == 2


async def test_a_request_outlives_two_reloads_on_a_pool_that_the_first_one_kept(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    old, new = await serve(), await serve()
    directory = await directory_of(old)
    await directory.connect_all()
    gate = asyncio.Event()
    old.faults = failing(Wait(gate), "search")
    before = old.counts["search"]
    work = asyncio.create_task(directory.members("everybody"))
    await until(lambda: old.counts["search"] > before)
    await directory.reload(settings([server_settings(old.port, login_filter=Template("(uid=%s)"))]))
    await directory.reload(settings([server_settings(new.port)]))
    await settled()
    assert old.connected
    gate.set()
    old.faults = Faults()
    assert len((await work).members) == 6
    await until(lambda: not old.connected)
    assert new.counts["search"] == 0


@pytest.mark.parametrize("opened_again", [False, True])
async def test_a_directory_that_is_closed_during_a_reload_stays_as_it_is(
    serve: Serve, directory_of: DirectoryOf, *, opened_again: bool
) -> None:
    """The reload waits for a clear connection with an account, and the directory is closed meanwhile."""
    old, new, gate = await serve(), await serve(), asyncio.Event()
    directory = await directory_of(old)
    new.faults = failing(Wait(gate), "search")
    account = Account(small.READER_DN, Secret(small.READER_PASSWORD))
    given = settings([server_settings(new.port, account=account)], only_passwords=True)
    reloading = asyncio.create_task(directory.reload(given))
    await until(lambda: new.counts["search"])
    await directory.close()
    if opened_again:
        await directory.open()
    gate.set()
    with pytest.raises(DirectoryUnavailableError):
        await reloading
    await until(lambda: not new.connected)
    if opened_again:
        assert (await directory.resolve_login("alice")).dn == small.person_dn("alice")
    else:
        assert directory.status() == ()
        with pytest.raises(DirectoryUnavailableError):
            await directory.resolve("alice")


async def test_a_request_that_hangs_does_not_keep_a_former_pool_for_ever(
    serve: Serve, directory_of: DirectoryOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_PATIENCE", 0.0)
    old, new = await serve(), await serve()
    directory = await directory_of(old)
    await directory.connect_all()
    old.faults = failing(Wait(asyncio.Event()), "search")
    before = old.counts["search"]
    work = asyncio.create_task(directory.resolve_login("alice"))
    await until(lambda: old.counts["search"] > before)
    await directory.reload(settings([server_settings(new.port)]))
    with pytest.raises(DirectoryUnavailableError):
        await work
    await until(lambda: not old.connected)


async def test_draining_lets_the_last_request_end(serve: Serve, directory_of: DirectoryOf) -> None:
    server, gate = await serve(), asyncio.Event()
    directory = await directory_of(server)
    await directory.connect_all()
    server.faults = failing(Wait(gate), "search")
    before = server.counts["search"]
    last = asyncio.create_task(directory.resolve_login("alice"))
    await until(lambda: server.counts["search"] > before)
    drained = asyncio.create_task(directory.drain(5.0))
    await settled()
    assert not drained.done()
    gate.set()
    await drained
    assert (await last).dn == small.person_dn("alice")
    assert directory.status() == ()


async def test_settings_without_a_server_are_said_to_have_none() -> None:
    async with Directory(settings([])) as directory:
        for work in (
            directory.authenticate("alice", "alice-secret"),
            directory.resolve_login("alice"),
            directory.resolve("alice"),
            directory.browse(),
            directory.members("sales"),
        ):
            with pytest.raises(
                DirectoryUnavailableError, match=r"name no server.*StCommunityConfig\.xml"
            ) as unreachable:
                await work
            assert unreachable.value.why is UnreachableReason.NO_SERVER
        assert await directory.connect_all() == ()


async def test_sign_ins_at_once_get_more_connections_than_the_settings_open(
    serve: Serve, directory_of: DirectoryOf
) -> None:
    server, gate = await serve(), asyncio.Event()
    directory = await directory_of(server, bind_connections=2)
    server.faults = failing(Wait(gate), "bind", after=1)  # the first is that of the login connection
    work = [asyncio.create_task(directory.authenticate("alice", "alice-secret")) for _ in range(20)]
    await until(lambda: server.counts["bind"] >= 1 + 8)
    await settled()
    assert [row.in_flight for row in directory.status() if row.service is Service.AUTHENTICATE] == [1] * 8
    gate.set()
    assert len(await asyncio.gather(*work)) == 20


async def test_a_reload_forgets_the_contexts_that_are_used_no_more(
    serve: Serve, directory_of: DirectoryOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssl_contexts, "make_context", lambda profile: ssl.create_default_context())
    given = settings([server_settings(DEAD, ssl_enabled=True)])
    directory = await directory_of(await serve())
    for nth in range(3):
        profile = TlsSettings(trusted_hosts=(f"host-{nth}",))
        await directory.reload(replace(given, tls=profile))
        await directory.connect_all()
        assert [made for made, _ in directory.connections._contexts._made] == [profile]


def test_a_store_that_changed_makes_other_endpoints(tmp_path: Path) -> None:
    store = tmp_path / "trust.p12"
    store.write_bytes(b"one")
    given = replace(
        settings([server_settings(DEAD, ssl_enabled=True)]),
        tls=TlsSettings(trust_store=StoreLocation(store, StoreKind.PKCS12)),
    )
    before = endpoints_of(given)
    assert endpoints_of(given) == before
    store.write_bytes(b"another")
    assert endpoints_of(given) != before
