"""How connections are opened, kept, shared, repeated and given up, on a server that does wrong on demand."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from typing import Any

import pytest

from quintet.directory import keeping
from quintet.directory import pool as pool_module
from quintet.directory.backoff import FIRST, LONGEST, Host
from quintet.directory.connector import BoundConnection, Connector
from quintet.directory.endpoint import Endpoint, PoolConfig, pool_configs
from quintet.directory.entry_exists import ANYTHING
from quintet.directory.errors import DirectoryUnavailableError, UnreachableReason
from quintet.directory.events import Event, Gone, Opened, OpenFailed, Retried, Warned
from quintet.directory.keeping import Keeper
from quintet.directory.link import PooledConnection
from quintet.directory.pool import Pool
from quintet.directory.records import State
from quintet.directory.services import Service
from quintet.directory.ssl_contexts import SslContextCache
from quintet.embedded.faults import (
    Answer,
    Cut,
    Drop,
    Fault,
    Faults,
    Garbage,
    Notice,
    Silence,
    Wait,
    WrongId,
    failing,
)
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.limits import Address
from support import small
from support.directories import DEAD, server_settings, settings, until

Serve = Callable[..., Awaitable[EmbeddedServer]]
MakePool = Callable[..., Pool]


def line_to(*ports: int, task: Service = Service.RESOLVE_NAMES, **changes: Any) -> PoolConfig:
    line = pool_configs(settings([server_settings(ports[0])]))[task, 0]
    endpoints = tuple(replace(line.endpoints[0], address=Address("127.0.0.1", port)) for port in ports)
    return replace(line, endpoints=endpoints, **changes)


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
def make(stack: AsyncExitStack, told: list[Event]) -> MakePool:
    def make(line: PoolConfig) -> Pool:
        pool = Pool(line, Connector(SslContextCache()), trace=told.append)
        stack.push_async_callback(pool.close)
        return pool

    return make


async def look(link: PooledConnection) -> str:
    """A search with one answer: who gave it."""
    found = await link.connection.search(small.BASE, 0, ANYTHING, ("o",))
    assert [entry.dn for entry in found.entries] == [small.BASE]
    return str(link.endpoint.address.port)


async def sign_in(link: PooledConnection) -> None:
    await link.connection.bind(small.person_dn("alice"), "alice-secret")


async def who_signs_in(link: PooledConnection) -> str:
    await sign_in(link)
    return str(link.endpoint.address.port)


async def quiet(pool: Pool) -> None:
    """Until nothing goes on in the background any more."""
    await until(lambda: not pool._links._background)


def bindings(port: int, **changes: Any) -> PoolConfig:
    return line_to(port, task=Service.AUTHENTICATE, **changes)


async def test_c80_many_operations_share_one_connection(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(line_to(server.port))
    await asyncio.gather(*(pool.run(look) for _ in range(200)))
    assert server.counts["connections"] == 1


async def test_binds_get_more_connections_under_load_and_no_more_than_the_most(
    serve: Serve, make: MakePool
) -> None:
    server = await serve()
    gate = asyncio.Event()
    pool = make(bindings(server.port, connections=2, most=4))
    await pool.run(sign_in, "bind")
    assert server.counts["connections"] == 1
    server.faults = failing(Wait(gate), "bind")
    work = [asyncio.create_task(pool.run(sign_in, "bind")) for _ in range(50)]
    await until(lambda: server.counts["bind"] >= 5)
    gate.set()
    await asyncio.gather(*work)
    assert (server.counts["connections"], server.counts["bind"]) == (4, 51)


async def test_one_bind_after_another_needs_one_connection(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(bindings(server.port, connections=2, most=8))
    for _ in range(10):
        await pool.run(sign_in, "bind")
    assert server.counts["connections"] == 1


@pytest.mark.parametrize(
    "fault",
    [Drop(), Cut(5, drop=True), Garbage(), WrongId(), Notice(), Answer(51), Answer(52)],
    ids=lambda fault: type(fault).__name__,
)
@pytest.mark.parametrize("kind", ["search", "bind"])
async def test_what_fails_once_is_made_again_unseen(
    serve: Serve, make: MakePool, told: list[Event], fault: Any, kind: Any
) -> None:
    server = await serve()
    pool = make(line_to(server.port) if kind == "search" else bindings(server.port))
    await pool.run(look if kind == "search" else sign_in)
    server.faults = failing(fault, kind, times=1)
    await pool.run(look if kind == "search" else sign_in)
    assert len([event for event in told if isinstance(event, Retried)]) == 1


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        (Drop(), UnreachableReason.LOST),
        (Garbage(), UnreachableReason.LOST),
        (Answer(51), UnreachableReason.BUSY),
        (Answer(52), UnreachableReason.BUSY),
    ],
    ids=str,
)
async def test_what_fails_twice_is_told(
    serve: Serve, make: MakePool, fault: Any, why: UnreachableReason
) -> None:
    server = await serve()
    pool = make(line_to(server.port))
    await pool.run(look)
    server.faults = failing(fault, "search")
    with pytest.raises(DirectoryUnavailableError) as unreachable:
        await pool.run(look)
    assert unreachable.value.why is why
    assert server.faults._seen[server.faults.faults[0]] == 2


async def test_siblings_of_a_dead_connection_are_not_tried(serve: Serve, make: MakePool) -> None:
    """All connections die at once when a server restarts; the repetition must not meet the next dead one."""
    server = await serve()
    pool = make(bindings(server.port, connections=4, most=4))
    gate = asyncio.Event()
    server.faults = failing(Wait(gate), "bind")
    work = [asyncio.create_task(pool.run(sign_in)) for _ in range(4)]
    await until(lambda: server.counts["bind"] >= 4)
    gate.set()
    await asyncio.gather(*work)
    server.faults = failing(Drop(), "bind", times=1)
    await pool.run(sign_in)
    assert len(pool.status()) == 1


@pytest.mark.parametrize("fault", [Drop(), Garbage(), Silence()], ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("operation", ["search", "bind"])
async def test_a_host_that_takes_connections_and_does_not_serve_is_left_for_another(
    serve: Serve, make: MakePool, fault: Any, operation: Any
) -> None:
    first, second = await serve(), await serve()
    first.faults = failing(fault, operation)
    short = {"operation_timeout": 0.05, "connect_timeout": 0.05}
    for task, work in ((Service.RESOLVE_NAMES, look), (Service.AUTHENTICATE, who_signs_in)):
        pool = make(line_to(first.port, second.port, task=task, **short))
        if fault == Silence():
            # Whoever waits for the whole time is told; whoever comes after that has another host.
            with suppress(DirectoryUnavailableError):
                await pool.run(work)
            await quiet(pool)
        assert [await pool.run(work) for _ in range(3)] == [str(second.port)] * 3


@pytest.mark.parametrize("fault", [Drop(), Garbage(), Answer(52)], ids=lambda fault: type(fault).__name__)
async def test_a_host_that_never_serves_is_not_dialled_for_each_request(
    serve: Serve, make: MakePool, fault: Any
) -> None:
    server = await serve()
    server.faults = failing(fault, "search")
    pool = make(line_to(server.port))
    for _ in range(50):
        with pytest.raises(DirectoryUnavailableError):
            await pool.run(look)
    assert server.counts["connections"] < 6
    (host,) = pool._links.hosts
    server.faults, host.retry_at = Faults(), 0.0
    assert await pool.run(look)
    assert (host.failures, host.doubted, host.error) == (0, False, None)


async def test_a_probe_that_is_answered_makes_failures_forgotten(serve: Serve, make: MakePool) -> None:
    server = await serve()
    server.faults = failing(Drop(), "search")
    pool = make(line_to(server.port, idle_probe=0.0))
    with pytest.raises(DirectoryUnavailableError):
        await pool.run(look)
    server.faults = Faults()
    await pool.connect()
    (host,) = pool._links.hosts
    assert (host.failures, host.doubted) == (1, True)
    await pool.keep()
    assert (host.failures, host.doubted) == (0, False)


async def test_a_lost_connection_is_made_again_at_the_same_host_when_the_other_is_down(
    serve: Serve, make: MakePool
) -> None:
    server = await serve()
    pool = make(line_to(server.port, DEAD))
    await pool.run(look)
    server.faults = failing(Drop(), "search", times=1)
    assert await pool.run(look) == str(server.port)


async def test_many_who_lose_one_connection_count_as_one_loss(serve: Serve, make: MakePool) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(line_to(server.port))
    server.faults = failing(Wait(gate), "search")
    work = [asyncio.create_task(pool.run(look)) for _ in range(20)]
    await until(lambda: server.counts["search"] >= 1)
    await server.disconnect()
    server.faults = Faults()
    assert set(await asyncio.gather(*work)) == {str(server.port)}
    assert server.counts["connections"] == 2


async def test_a_bind_in_vain_has_the_idle_connections_to_that_host_examined(
    serve: Serve, make: MakePool, told: list[Event]
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(bindings(server.port, connections=3, most=3, operation_timeout=0.1, connect_timeout=0.05))
    server.faults = failing(Wait(gate), "bind")
    work = [asyncio.create_task(pool.run(sign_in)) for _ in range(3)]
    await until(lambda: server.counts["bind"] >= 3)
    gate.set()
    await asyncio.gather(*work)
    server.faults = failing(Silence())
    with pytest.raises(DirectoryUnavailableError):
        await pool.run(sign_in)
    await quiet(pool)
    assert sorted(event.reason for event in told if isinstance(event, Gone)) == ["doubtful"] * 2 + ["lost"]


async def test_an_opener_that_fails_unforeseen_is_left_alone_for_a_while(told: list[Event]) -> None:
    dialled = 0

    async def opener(endpoint: Endpoint, line: PoolConfig) -> BoundConnection:
        nonlocal dialled
        dialled += 1
        raise RuntimeError("the words may be a secret")

    pool = Pool(line_to(DEAD), opener, trace=told.append)
    for _ in range(5):
        with pytest.raises(DirectoryUnavailableError, match="RuntimeError") as unreachable:
            await pool.run(look)
        assert unreachable.value.why is UnreachableReason.FAULT
        assert "secret" not in str(unreachable.value)
    assert dialled == 1
    await pool.close()


async def test_upkeep_goes_on_whatever_goes_wrong_in_one_round(
    serve: Serve, make: MakePool, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds, third = 0, asyncio.Event()

    async def keep(self: Keeper) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            third.set()
        raise RuntimeError

    monkeypatch.setattr(keeping, "KEEP_EVERY", 0.0)
    monkeypatch.setattr(Keeper, "keep", keep)
    await make(line_to((await serve()).port)).run(look)
    await until(third.is_set)
    assert [event.message for event in told if isinstance(event, Warned)][:2] == [
        "upkeep failed: RuntimeError"
    ] * 2


@pytest.mark.parametrize("work", [("run", "connect"), ("connect", "run"), ("connect",) * 3], ids=str)
async def test_c1_who_connects_while_a_connection_is_being_opened_waits_for_it(
    serve: Serve, make: MakePool, work: tuple[str, ...]
) -> None:
    server = await serve()
    pool = make(line_to(server.port))
    await asyncio.gather(*(pool.run(look) if each == "run" else pool.connect() for each in work))
    assert server.counts["connections"] == 1


async def test_who_stops_connecting_does_not_stop_what_others_wait_for(serve: Serve, make: MakePool) -> None:
    server, gate = await serve(), asyncio.Event()
    server.faults = failing(Wait(gate), "bind")
    pool = make(line_to(server.port))
    connecting = asyncio.create_task(pool.connect())
    await until(lambda: server.counts["bind"])
    waiting = asyncio.create_task(pool.run(look))
    await asyncio.sleep(0)
    connecting.cancel()
    await asyncio.wait([connecting])
    gate.set()
    assert await waiting == str(server.port)
    assert server.counts["connections"] == 1


async def test_growing_and_shrinking_are_no_reconnects(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(bindings(server.port, connections=1, most=4, idle_probe=0.0))
    for _ in range(2):
        await asyncio.gather(*(pool.run(sign_in) for _ in range(40)))
        assert len(pool.status()) > 1
        await pool.keep()
    assert [row.reconnects for row in pool.status()] == [0]
    server.faults = failing(Drop(), "bind", times=1)
    await pool.run(sign_in)
    await asyncio.gather(*(pool.run(sign_in) for _ in range(40)))
    assert {row.reconnects for row in pool.status()} == {1}


async def test_a_silent_server_is_given_up_and_its_connection_too(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(line_to(server.port, operation_timeout=0.05, connect_timeout=0.05))
    await pool.run(look)
    server.faults = failing(Silence(), "search")
    with pytest.raises(DirectoryUnavailableError) as unreachable:
        await pool.run(look)
    assert unreachable.value.why is UnreachableReason.TIMED_OUT
    await until(lambda: pool.status()[0].state is not State.CONNECTED)
    server.faults = Faults()
    assert await pool.run(look)


async def test_a_refused_connection_says_so_and_when_it_is_tried_again(
    make: MakePool, told: list[Event]
) -> None:
    pool = make(line_to(DEAD))
    with pytest.raises(DirectoryUnavailableError, match="nothing listens there"):
        await pool.run(look)
    with pytest.raises(DirectoryUnavailableError, match="tried again in") as unreachable:
        await pool.run(look)
    assert unreachable.value.retry_in is not None
    assert len([event for event in told if isinstance(event, OpenFailed)]) == 1
    assert pool.status()[0].state is State.WAITING


async def test_a_host_name_that_nobody_knows_is_told(make: MakePool) -> None:
    line = line_to(DEAD)
    endpoint = replace(line.endpoints[0], address=Address("nowhere.invalid", 389))
    with pytest.raises(DirectoryUnavailableError) as unreachable:
        await make(replace(line, endpoints=(endpoint,))).run(look)
    assert unreachable.value.why is UnreachableReason.NAME


async def test_callers_wait_for_one_and_the_same_attempt(make: MakePool, told: list[Event]) -> None:
    pool = make(line_to(DEAD))
    outcomes = await asyncio.gather(*(pool.run(look) for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {DirectoryUnavailableError}
    assert len({id(outcome) for outcome in outcomes}) == 20
    assert len([event for event in told if isinstance(event, OpenFailed)]) == 1


def test_what_began_before_a_failure_is_no_further_failure() -> None:
    host = Host(line_to(DEAD).endpoints[0])
    error = DirectoryUnavailableError.because(UnreachableReason.LOST)
    for _ in range(10):
        host.lost(error, since=0.0, now=1.0)
    assert (host.failures, host.retry_at) == (0, 0.0)
    for _ in range(10):
        host.lost(error, since=1.5, now=2.0)
    assert host.failures == 1
    assert host.retry_at > 2.0
    host.worked()
    host.failed(error, since=0.0, now=3.0)
    assert host.retry_at > 3.0


def test_the_pauses_grow_differ_and_are_bounded() -> None:
    host = Host(line_to(DEAD).endpoints[0])
    pauses = [
        host.failed(DirectoryUnavailableError.because(UnreachableReason.REFUSED), since=0.0, now=0.0)
        for _ in range(20)
    ]
    assert pauses[0] <= 1.3 * FIRST
    assert all(pause <= 1.3 * LONGEST for pause in pauses)
    assert min(pauses[-5:]) >= 0.7 * LONGEST
    assert len(set(pauses)) > 15


async def test_another_host_takes_over_and_the_first_is_returned_to(
    serve: Serve, make: MakePool, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RETURN_AFTER", 0.0)
    first, second = await serve(), await serve()
    pool = make(line_to(first.port, second.port))
    assert await pool.run(look) == str(first.port)
    first.faults = Faults((Fault(Drop(), "connect"), Fault(Drop(), "search"), Fault(Drop(), "bind")))
    assert await pool.run(look) == str(second.port)
    first.faults = Faults()
    pool._links.hosts[0].retry_at = 0.0
    await pool.keep()
    assert await pool.run(look) == str(first.port)
    assert "moved" in [event.reason for event in told if isinstance(event, Gone)]
    opened = [event for event in told if isinstance(event, Opened)]
    await pool.keep()
    assert [event for event in told if isinstance(event, Opened)] == opened


async def test_a_return_opens_nothing_when_the_first_host_serves_already(
    serve: Serve, make: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "RETURN_AFTER", 0.0)
    first, second = await serve(), await serve()
    pool = make(line_to(first.port, second.port))
    for host in reversed(pool._links.hosts):
        await pool._links.open((host,))
    await pool.keep()
    assert [row.address for row in pool.status()] == [f"127.0.0.1:{first.port}"]
    assert first.counts["connections"] == 1


@pytest.mark.parametrize("code", [51, 52])
async def test_a_busy_host_is_passed_over(serve: Serve, make: MakePool, code: int) -> None:
    first, second = await serve(), await serve()
    first.faults = failing(Answer(code), "search")
    assert await make(line_to(first.port, second.port)).run(look) == str(second.port)


async def test_old_connections_are_replaced(serve: Serve, make: MakePool, told: list[Event]) -> None:
    server = await serve()
    pool = make(line_to(server.port, lifetime=1000.0))
    await pool.run(look)
    pool._links.live[0].expires = 0.0
    await pool.run(look)
    assert [event.reason for event in told if isinstance(event, Gone)][:1] == ["old"]


async def test_lifetimes_differ(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pools = [make(line_to(server.port, lifetime=1000.0)) for _ in range(5)]
    await asyncio.gather(*(pool.connect() for pool in pools))
    links = [pool._links.live[0] for pool in pools]
    left = {round(link.expires - link.opened_at, 6) for link in links}
    assert len(left) > 1
    assert all(800 <= each <= 1000 for each in left)


async def test_idle_connections_are_probed_and_the_dead_ones_go(
    serve: Serve, make: MakePool, told: list[Event]
) -> None:
    server = await serve()
    pool = make(line_to(server.port, idle_probe=0.0, connect_timeout=0.05))
    await pool.run(look)
    await pool.keep()
    assert pool.status()[0].state is State.CONNECTED
    server.faults = failing(Silence(), "search")
    await pool.keep()
    assert [event.reason for event in told if isinstance(event, Gone)] == ["doubtful"]


async def test_what_load_had_opened_goes_again_when_idle(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(bindings(server.port, connections=1, most=4, idle_probe=0.0))
    await asyncio.gather(*(pool.run(sign_in) for _ in range(40)))
    assert len(pool.status()) > 1
    await pool.keep()
    assert len(pool.status()) == 1


async def test_a_connection_that_the_server_closed_is_not_handed_out(
    serve: Serve, make: MakePool, told: list[Event]
) -> None:
    server = await serve()
    pool = make(line_to(server.port))
    await pool.run(look)
    await server.disconnect()
    await until(lambda: pool.status()[0].state is not State.CONNECTED)
    assert await pool.run(look)
    assert len([event for event in told if isinstance(event, Opened)]) == 2
    assert pool.status()[0].reconnects == 1


async def test_cancelled_callers_leave_nothing_behind(serve: Serve, make: MakePool) -> None:
    server = await serve()
    gate = asyncio.Event()
    server.faults = failing(Wait(gate), "bind")
    pool = make(bindings(server.port, connections=1, most=1))
    work = [asyncio.create_task(pool.run(sign_in)) for _ in range(10)]
    await until(lambda: server.counts["bind"])
    for task in work:
        task.cancel()
    await asyncio.gather(*work, return_exceptions=True)
    gate.set()
    server.faults = Faults()
    await pool.run(sign_in)
    assert (len(pool._waiting), pool._callers) == (0, 0)


async def test_there_is_a_bound_to_those_who_wait(
    serve: Serve, make: MakePool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "MOST_CALLERS", 3)
    pool = make(line_to((await serve()).port))
    outcomes = await asyncio.gather(*(pool.run(look) for _ in range(5)), return_exceptions=True)
    assert [each.why for each in outcomes if isinstance(each, DirectoryUnavailableError)] == [
        UnreachableReason.OVERLOADED
    ] * 2


async def test_who_waits_too_long_for_a_connection_is_told(serve: Serve, make: MakePool) -> None:
    server = await serve()
    server.faults = failing(Silence(), "bind")
    pool = make(bindings(server.port, connections=1, most=1, operation_timeout=0.05))
    outcomes = await asyncio.gather(*(pool.run(sign_in) for _ in range(3)), return_exceptions=True)
    assert {each.why for each in outcomes if isinstance(each, DirectoryUnavailableError)} == {
        UnreachableReason.TIMED_OUT
    }
    assert len(outcomes) == 3


async def test_a_closed_pool_says_so(serve: Serve, make: MakePool) -> None:
    pool = make(line_to((await serve()).port))
    await pool.run(look)
    await pool.close()
    with pytest.raises(DirectoryUnavailableError) as unreachable:
        await pool.run(look)
    assert unreachable.value.why is UnreachableReason.CLOSED
    assert pool.status()[0].state is State.CLOSED


async def test_memory_does_not_grow_with_operations(serve: Serve, make: MakePool) -> None:
    pool = make(line_to((await serve()).port))
    for _ in range(50):
        await asyncio.gather(*(pool.run(look) for _ in range(10)))
    links = pool._links
    assert (len(links.live), len(pool._waiting), len(pool._opening), len(links._background)) == (1, 0, 0, 0)
