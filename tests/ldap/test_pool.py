"""How connections are opened, kept, shared, repeated and given up, on a server that does wrong on demand."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack, aclosing, suppress
from typing import Any

import pytest

from quintet.embedded.faults import (
    AnswerWith,
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
from quintet.ldap import Control
from quintet.ldap._pool_members import FIRST_PAUSE, LONGEST_PAUSE, Host, Members
from quintet.ldap.connection import Connection
from quintet.ldap.errors import (
    Busy,
    ConnectError,
    ConnectionLostError,
    InvalidCredentials,
    LdapError,
    LocalProtocolError,
    NoHostReachableError,
    NoSuchObject,
    OperationTimeoutError,
    PoolClosedError,
    PoolOverloadedError,
    PoolTimeoutError,
    RemoteProtocolError,
    Unavailable,
    UnencryptedPasswordError,
    UrlSyntaxError,
)
from quintet.ldap.filters import Present
from quintet.ldap.limits import Address, Limits
from quintet.ldap.messages import BASE_OBJECT
from quintet.ldap.pool import Pool
from quintet.ldap.pool_config import (
    ConnectionFailed,
    ConnectionGone,
    ConnectionOpened,
    ConnectionState,
    GoneReason,
    OperationEnded,
    OperationRepeated,
    PoolConfig,
    PoolEvent,
    UpkeepFailed,
)
from quintet.ldap.prepared import PreparedRead, PreparedSearch
from quintet.ldap.results import SearchResult
from support import small
from support.directories import DEAD, until
from support.peer import Peer, serving

Serve = Callable[..., Awaitable[EmbeddedServer]]
MakePool = Callable[..., Pool]
Work = Callable[[Pool], Coroutine[Any, Any, object]]

ANY_ENTRY = Present("objectClass").encode()
TOP = PreparedSearch(small.BASE, BASE_OBJECT, ("o",)).query(ANY_ENTRY)
ENTRY = PreparedRead(ANY_ENTRY, ("cn",))
ALICE = small.person_dn("alice")


@pytest.fixture
def told() -> list[PoolEvent]:
    return []


@pytest.fixture
def make(stack: AsyncExitStack, told: list[PoolEvent]) -> MakePool:
    """Makes pools of connections to local ports. Short time limits, so that a fault costs a test nothing."""

    def make(*ports: int, timeout: float = 2.0, **config: Any) -> Pool:
        config = {"connect_timeout": 1.0, "limits": Limits(timeout=timeout), **config}
        addresses = [Address("127.0.0.1", port) for port in ports]
        pool = Pool(addresses, config=PoolConfig(**config), trace=told.append)
        stack.push_async_callback(pool.close)
        return pool

    return make


def binds(**config: Any) -> dict[str, Any]:
    """The configuration of a pool for binds."""
    return {"exclusive": True, "unencrypted_passwords": True, **config}


async def look(connection: Connection) -> str:
    """A search with one answer: who gave it."""
    found = await connection.search(small.BASE, 0, ANY_ENTRY, ("o",))
    assert [entry.dn for entry in found.entries] == [small.BASE]
    return str(connection.address.port)


async def look_bound(connection: Connection, controls: tuple[Control, ...]) -> str:
    """As `look`, after a bind that was answered with these controls."""
    assert controls == ()
    return await look(connection)


async def run(pool: Pool) -> str:
    return await pool.run(look)


async def find(pool: Pool) -> None:
    assert [entry.dn for entry in (await pool.find(TOP)).entries] == [small.BASE]


async def find_several(pool: Pool) -> None:
    outcomes = await pool.find_all([ENTRY.query(small.person_dn(uid)) for uid in ("alice", "bob", "carol")])
    assert all(isinstance(each, SearchResult) and len(each.entries) == 1 for each in outcomes), outcomes


async def bind(pool: Pool) -> None:
    await pool.bind(ALICE, "alice-secret")


async def bind_and_look(pool: Pool) -> str:
    return await pool.bind_and_run(ALICE, "alice-secret", look_bound)


SEARCHES: list[Work] = [run, find, find_several]
BINDS: list[Work] = [bind, bind_and_look]
ALL = [*((work, {}) for work in SEARCHES), *((work, binds()) for work in BINDS)]


def by_name(value: object) -> str | None:
    return getattr(value, "__name__", None) or type(value).__name__


each_way = pytest.mark.parametrize(("work", "config"), ALL, ids=by_name)


def kind_of(work: Work) -> Any:
    return "bind" if work in BINDS else "search"


async def quiet(pool: Pool) -> None:
    """Until nothing goes on in the background any more."""
    await until(lambda: not pool._members._background)


def gone(told: list[PoolEvent]) -> list[GoneReason]:
    return [event.reason for event in told if isinstance(event, ConnectionGone)]


def assert_nothing_is_left(pool: Pool) -> None:
    """Whatever took a connection gave it back, and nothing waits (invariants 2 and 4)."""
    assert (len(pool._waiting.jobs), pool._callers) == (0, 0)
    assert [member.users for member in pool._members.live] == [0] * len(pool._members.live)


async def served_by(pool: Pool) -> str:
    """The port of the host that answers."""
    if pool.config.exclusive:
        return await pool.bind_and_run(ALICE, "alice-secret", look_bound)
    return await pool.run(look)


# Sharing.


async def test_c80_many_operations_share_one_connection(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port)
    await asyncio.gather(*(work(pool) for work in SEARCHES * 60))
    assert server.counts["connections"] == 1
    assert_nothing_is_left(pool)


async def test_a_shared_pool_grows_to_its_size_when_its_connections_are_crowded(
    serve: Serve, make: MakePool
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, size=3)
    await find(pool)
    server.faults = failing(Wait(gate), "search")
    asking = [asyncio.create_task(find(pool)) for _ in range(20)]
    await until(lambda: len(pool.status()) == 2)
    asking += [asyncio.create_task(find(pool)) for _ in range(20)]
    await until(lambda: len(pool.status()) == 3)
    asking += [asyncio.create_task(find(pool)) for _ in range(20)]
    gate.set()
    await asyncio.gather(*asking)
    assert server.counts["connections"] == 3


async def test_binds_get_more_connections_under_load_and_no_more_than_the_most(
    serve: Serve, make: MakePool
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, **binds(size=2, max_size=4))
    await bind(pool)
    assert server.counts["connections"] == 1
    server.faults = failing(Wait(gate), "bind")
    asking = [asyncio.create_task(bind(pool)) for _ in range(50)]
    await until(lambda: server.counts["bind"] >= 5)
    gate.set()
    await asyncio.gather(*asking)
    assert (server.counts["connections"], server.counts["bind"]) == (4, 51)
    assert_nothing_is_left(pool)


@pytest.mark.parametrize("work", BINDS, ids=by_name)
async def test_one_bind_after_another_needs_one_connection(serve: Serve, make: MakePool, work: Work) -> None:
    server = await serve()
    pool = make(server.port, **binds(size=2, max_size=8))
    for _ in range(10):
        await work(pool)
    assert server.counts["connections"] == 1


async def test_binds_and_coroutines_take_turns_on_an_exclusive_connection(
    serve: Serve, make: MakePool
) -> None:
    server = await serve()
    pool = make(server.port, **binds())
    await asyncio.gather(*(work(pool) for work in [bind, bind_and_look, run] * 20))
    assert server.counts["connections"] == 1
    assert_nothing_is_left(pool)


async def test_each_bind_gets_its_own_answer(serve: Serve, make: MakePool) -> None:
    pool = make((await serve()).port, **binds(size=2))

    async def right(uid: str, *, password: str) -> bool:
        try:
            await pool.bind(small.person_dn(uid), password)
        except InvalidCredentials as error:
            return error.dn != small.person_dn(uid)
        return True

    uids = ["alice", "bob", "carol", "dave"] * 10
    answers = await asyncio.gather(
        *(right(uid, password=f"{uid}-secret" if nth % 3 else "wrong") for nth, uid in enumerate(uids))
    )
    assert answers == [bool(nth % 3) for nth in range(40)]


# Passwords.


@pytest.mark.parametrize("work", BINDS, ids=by_name)
async def test_a_password_is_not_sent_unencrypted_unless_that_is_allowed(
    serve: Serve, make: MakePool, work: Work
) -> None:
    server = await serve()
    pool = make(server.port, exclusive=True)
    with pytest.raises(UnencryptedPasswordError):
        await work(pool)
    assert server.counts["bind"] == 0
    assert_nothing_is_left(pool)


async def test_many_passwords_that_may_not_be_sent_are_all_refused(serve: Serve, make: MakePool) -> None:
    """They wait for a connection together, and are refused one after the other, in one go."""
    server = await serve()
    pool = make(server.port, exclusive=True)
    outcomes = await asyncio.gather(*(bind(pool) for _ in range(3000)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {UnencryptedPasswordError}
    assert server.counts["bind"] == 0
    assert_nothing_is_left(pool)


@pytest.mark.parametrize(("dn", "password"), [("", "x"), (ALICE, ""), ("", "")])
async def test_an_empty_name_or_password_never_binds_as_anybody(
    serve: Serve, make: MakePool, dn: str, password: str
) -> None:
    """RFC 4513 5.1: a server answers such a bind with success, and it means nobody."""
    server = await serve()
    pool = make(server.port, **binds())
    for work in (pool.bind(dn, password), pool.bind_and_run(dn, password, look_bound)):
        with pytest.raises(LocalProtocolError):
            await work
    assert server.counts["bind"] == 0


@pytest.mark.parametrize(("dn", "password"), [(ALICE, "half a \ud800 pair"), ("cn=\ud800", "secret")])
async def test_text_that_utf8_cannot_carry_is_refused_and_no_error_leads_to_a_password(
    serve: Serve, make: MakePool, dn: str, password: str
) -> None:
    pool = make((await serve()).port, **binds())
    with pytest.raises(LocalProtocolError) as refused:
        await pool.bind(dn, password)
    assert password not in repr(refused.value.__cause__)
    await bind(pool)


async def test_binds_need_an_exclusive_pool(serve: Serve, make: MakePool) -> None:
    pool = make((await serve()).port)
    for work in BINDS:
        with pytest.raises(LocalProtocolError):
            await work(pool)


# Repeating.


@pytest.mark.parametrize(
    "fault",
    [Drop(), Cut(5, drop=True), Garbage(), WrongId(), Notice(), AnswerWith(51), AnswerWith(52)],
    ids=lambda fault: type(fault).__name__,
)
@each_way
async def test_what_fails_once_is_made_again_unseen(
    serve: Serve, make: MakePool, told: list[PoolEvent], fault: Any, work: Work, config: dict[str, Any]
) -> None:
    server = await serve()
    pool = make(server.port, **config)
    await work(pool)
    server.faults = failing(fault, kind_of(work), times=1)
    await work(pool)
    assert any(isinstance(event, OperationRepeated) for event in told)
    assert_nothing_is_left(pool)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Drop(), ConnectionLostError),
        (Garbage(), RemoteProtocolError),
        (AnswerWith(51), Busy),
        (AnswerWith(52), Unavailable),
    ],
    ids=str,
)
@each_way
async def test_what_fails_twice_is_told(
    serve: Serve, make: MakePool, fault: Any, error: type[LdapError], work: Work, config: dict[str, Any]
) -> None:
    server = await serve()
    pool = make(server.port, **config)
    await work(pool)
    server.faults = failing(fault, kind_of(work))
    if work is find_several:  # each search of a batch has an error of its own
        outcomes: list[Any] = list(await pool.find_all([TOP] * 3))
    else:
        outcomes = list(await asyncio.gather(work(pool), return_exceptions=True))
    assert {type(outcome) for outcome in outcomes} == {error}


async def test_a_search_that_fails_twice_is_sent_twice(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port)
    await find(pool)
    for fault in (Drop(), AnswerWith(51)):
        server.faults = failing(fault, "search")
        with pytest.raises(LdapError):
            await find(pool)
        assert server.faults._seen[server.faults.faults[0]] == 2
        server.faults = Faults()
        await pool.connect()


async def test_what_is_not_repeatable_is_sent_once(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port)
    await run(pool)
    server.faults = failing(Drop(), "search")
    with pytest.raises(ConnectionLostError):
        await pool.run(look, repeatable=False)
    assert server.faults._seen[server.faults.faults[0]] == 1


async def test_only_the_searches_of_a_batch_that_failed_are_sent_again(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port)
    await find(pool)
    server.faults = failing(AnswerWith(51), "search", after=1, times=1)
    before = server.counts["search"]
    await find_several(pool)
    assert server.counts["search"] == before + 4


async def test_a_batch_has_an_answer_or_an_error_for_each_search(serve: Serve, make: MakePool) -> None:
    pool = make((await serve()).port)
    absent = PreparedRead(ANY_ENTRY, ("cn",)).query(f"cn=absent,{small.BASE}")
    first, second, third = await pool.find_all([TOP, absent, ENTRY.query(ALICE)])
    assert isinstance(first, SearchResult)
    assert isinstance(second, NoSuchObject)
    assert isinstance(third, SearchResult)
    assert [each.entries[0].dn for each in (first, third)] == [small.BASE, ALICE]
    assert second.dn == f"cn=absent,{small.BASE}"
    assert await pool.find_all([]) == []


async def test_a_batch_larger_than_what_may_be_in_flight_is_answered_all_the_same(
    serve: Serve, make: MakePool
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, limits=Limits(timeout=2.0, pending_high=5, pending_low=2))
    await find(pool)
    before = server.counts["search"]
    server.faults = failing(Wait(gate), "search")
    asking = asyncio.create_task(pool.find_all([TOP] * 50))
    await until(lambda: server.counts["search"] == before + 5)
    assert [member.connection.in_flight for member in pool._members.live] == [5]
    gate.set()
    assert all(isinstance(each, SearchResult) for each in await asking)


@each_way
async def test_a_busy_server_is_given_a_moment(
    serve: Serve, make: MakePool, monkeypatch: pytest.MonkeyPatch, work: Work, config: dict[str, Any]
) -> None:
    """All ways wait before they ask again."""
    pauses: list[float] = []
    loop = asyncio.get_running_loop()
    call_later = loop.call_later

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    def at_once(delay: float, callback: Callable[..., object], *args: Any) -> asyncio.TimerHandle:
        pauses.append(delay)
        return call_later(0, callback, *args)

    server = await serve()
    pool = make(server.port, **config)
    await work(pool)
    server.faults = failing(AnswerWith(51), kind_of(work), times=1)
    if work in BINDS:
        monkeypatch.setattr(loop, "call_later", at_once)
    else:
        monkeypatch.setattr(asyncio, "sleep", sleep)
    await work(pool)
    assert [0.05 <= pause <= 0.15 for pause in pauses] == [True]


@each_way
async def test_siblings_of_a_dead_connection_are_not_tried(
    serve: Serve, make: MakePool, work: Work, config: dict[str, Any]
) -> None:
    """All connections die at once when a server restarts; the repetition must not meet the next dead one."""
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, **{**config, "size": 4})
    server.faults = failing(Wait(gate), kind_of(work))
    asking = [asyncio.create_task(work(pool)) for _ in range(20)]
    await until(lambda: len(pool.status()) > 1)
    gate.set()
    await asyncio.gather(*asking)
    server.faults = failing(Drop(), kind_of(work), times=1)
    await work(pool)
    assert len(pool.status()) == 1


async def test_a_bind_answered_with_the_end_of_the_session_lets_the_next_one_go_elsewhere(
    make: MakePool,
) -> None:
    """The answer to the first bind and the notice of disconnection come in the same bytes."""
    served = 0

    async def play(peer: Peer) -> None:
        nonlocal served
        served += 1
        first = await peer.get()
        answer = b"0\x0c\x02\x01" + bytes([first.id]) + b"a\x07\n\x01\x00\x04\x00\x04\x00"
        if served == 1:
            notice = b"0\x24\x02\x01\x00x\x1f\n\x01\x34\x04\x00\x04\x00\x8a\x161.3.6.1.4.1.1466.20036"
            peer.writer.write(answer + notice)
        else:
            peer.writer.write(answer)
            await peer.gone()

    async with serving(play) as address, Pool(address, config=PoolConfig(**binds())) as pool:
        await asyncio.gather(bind(pool), bind(pool))
        assert served == 2
        assert_nothing_is_left(pool)


# Several hosts.


@pytest.mark.parametrize("fault", [Drop(), Garbage(), Silence()], ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("operation", ["search", "bind"])
@pytest.mark.parametrize("config", [{}, binds()], ids=["shared", "exclusive"])
async def test_a_host_that_takes_connections_and_does_not_serve_is_left_for_another(
    serve: Serve, make: MakePool, fault: Any, operation: Any, config: dict[str, Any]
) -> None:
    async def hello(connection: Connection) -> None:
        await connection.bind_anonymous()

    first, second = await serve(), await serve()
    first.faults = failing(fault, operation)
    seconds = 0.2 if fault == Silence() else 5.0
    pool = make(first.port, second.port, timeout=seconds, connect_timeout=seconds, **config)
    pool._members._prepare = hello
    if fault == Silence():
        # Who waits for the whole time is told; the next one has another host.
        with suppress(LdapError):
            await served_by(pool)
        await quiet(pool)
    assert [await served_by(pool) for _ in range(3)] == [str(second.port)] * 3


@pytest.mark.parametrize("fault", [Drop(), Garbage(), AnswerWith(52)], ids=lambda fault: type(fault).__name__)
@pytest.mark.parametrize("work", SEARCHES[:2], ids=by_name)
async def test_a_host_that_never_serves_is_not_dialled_for_each_request(
    serve: Serve, make: MakePool, fault: Any, work: Work
) -> None:
    server = await serve()
    server.faults = failing(fault, "search")
    pool = make(server.port)
    for _ in range(50):
        with pytest.raises(LdapError):
            await work(pool)
    assert server.counts["connections"] < 6
    (host,) = pool._members.hosts
    server.faults, host.retry_at = Faults(), 0.0
    await work(pool)
    assert (host.failures, host.suspect, host.error) == (0, False, None)


async def test_another_host_takes_over_and_the_first_is_returned_to(
    serve: Serve, make: MakePool, told: list[PoolEvent]
) -> None:
    first, second = await serve(), await serve()
    pool = make(first.port, second.port, return_after=0.0)
    assert await served_by(pool) == str(first.port)
    first.faults = Faults((Fault(Drop(), "connect"), Fault(Drop(), "search"), Fault(Drop(), "bind")))
    assert await served_by(pool) == str(second.port)
    first.faults = Faults()
    pool._members.hosts[0].retry_at = 0.0
    await pool.keep()
    assert await served_by(pool) == str(first.port)
    assert GoneReason.MOVED in gone(told)
    opened = [event for event in told if isinstance(event, ConnectionOpened)]
    await pool.keep()
    assert [event for event in told if isinstance(event, ConnectionOpened)] == opened


async def test_a_return_that_fails_leaves_everything_as_it_is(serve: Serve, make: MakePool) -> None:
    second = await serve()
    pool = make(DEAD, second.port, return_after=0.0)
    await find(pool)
    pool._members.hosts[0].retry_at = 0.0
    await pool.keep()
    assert await served_by(pool) == str(second.port)
    assert second.counts["connections"] == 1


async def test_a_return_opens_nothing_when_the_first_host_serves_already(
    serve: Serve, make: MakePool
) -> None:
    first, second = await serve(), await serve()
    pool = make(first.port, second.port, return_after=0.0)
    for host in reversed(pool._members.hosts):
        await pool._members.open((host,))
    await pool.keep()
    assert [row.address.port for row in pool.status()] == [first.port]
    assert first.counts["connections"] == 1


@pytest.mark.parametrize("code", [51, 52])
@each_way
async def test_a_busy_host_is_passed_over(
    serve: Serve, make: MakePool, code: int, work: Work, config: dict[str, Any]
) -> None:
    first, second = await serve(), await serve()
    first.faults = failing(AnswerWith(code), kind_of(work))
    pool = make(first.port, second.port, **config)
    await work(pool)
    assert [row.address.port for row in pool.status()] == [second.port]


async def test_a_lost_connection_is_made_again_at_the_same_host_when_the_other_is_down(
    serve: Serve, make: MakePool
) -> None:
    server = await serve()
    pool = make(server.port, DEAD)
    await run(pool)
    server.faults = failing(Drop(), "search", times=1)
    assert await served_by(pool) == str(server.port)


@pytest.mark.parametrize("work", SEARCHES, ids=by_name)
async def test_many_who_lose_one_connection_count_as_one_loss(
    serve: Serve, make: MakePool, work: Work
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port)
    server.faults = failing(Wait(gate), "search")
    asking = [asyncio.create_task(work(pool)) for _ in range(20)]
    await until(lambda: server.counts["search"] >= 1)
    await server.disconnect()
    server.faults = Faults()
    await asyncio.gather(*asking)
    assert server.counts["connections"] == 2


def test_what_began_before_a_failure_is_no_further_failure() -> None:
    host, error = Host(Address("a", 1)), ConnectionLostError("gone")
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
    host = Host(Address("a", 1))
    pauses = [host.failed(ConnectError("no"), since=0.0, now=0.0) for _ in range(20)]
    assert pauses[0] <= 1.3 * FIRST_PAUSE
    assert all(pause <= 1.3 * LONGEST_PAUSE for pause in pauses)
    assert min(pauses[-5:]) >= 0.7 * LONGEST_PAUSE
    assert len(set(pauses)) > 15


# Opening.


async def test_requests_of_one_turn_share_a_write_until_one_connection_has_many_more(
    serve: Serve, make: MakePool
) -> None:
    pool = make((await serve()).port, size=2)
    await asyncio.gather(find(pool), find(pool))
    await until(lambda: len(pool._members.live) == 2)

    async def shares(operations: int) -> list[int]:
        tasks = [asyncio.create_task(find(pool)) for _ in range(operations)]
        await asyncio.sleep(0)
        found = sorted(member.users for member in pool._members.live)
        await asyncio.gather(*tasks)
        return found

    assert await shares(8) == [0, 8]
    assert await shares(30) == [13, 17]
    assert await shares(40) == [20, 20]


async def test_a_new_connection_is_prepared_and_what_comes_of_it_is_kept(serve: Serve) -> None:
    server = await serve()

    async def prepare(connection: Connection) -> str:
        await connection.bind(small.READER_DN, small.READER_PASSWORD)
        return "reader"

    events: list[PoolEvent] = []
    address = Address("127.0.0.1", server.port)
    async with Pool(address, size=2, prepare=prepare, trace=events.append) as pool:
        assert await pool.who_am_i() == f"dn:{small.READER_DN}"
        assert [row.prepared for row in pool.status()] == ["reader"]
    assert [event.prepared for event in events if isinstance(event, ConnectionOpened)] == ["reader"]


async def test_a_connection_that_cannot_be_prepared_is_closed_and_the_reason_told(
    serve: Serve, told: list[PoolEvent]
) -> None:
    server = await serve()

    async def prepare(connection: Connection) -> None:
        await connection.bind(small.READER_DN, "wrong")

    async with Pool(Address("127.0.0.1", server.port), prepare=prepare, trace=told.append) as pool:
        for _ in range(3):
            with pytest.raises(NoHostReachableError) as refused:
                await find(pool)
            assert isinstance(refused.value.__cause__, InvalidCredentials)
        assert server.counts["bind"] == 1
        await until(lambda: not server.connected)


async def test_a_fault_of_prepare_is_not_met_again_without_a_pause(serve: Serve) -> None:
    prepared = 0

    async def prepare(_: Connection) -> None:
        nonlocal prepared
        prepared += 1
        raise RuntimeError("the words may be a secret")

    async with Pool(Address("127.0.0.1", (await serve()).port), prepare=prepare) as pool:
        for _ in range(5):
            with pytest.raises(NoHostReachableError) as refused:
                await find(pool)
            assert "secret" not in str(refused.value)
    assert prepared == 1


async def test_a_server_that_does_not_answer_prepare_is_given_up_in_time(serve: Serve) -> None:
    server = await serve()
    server.faults = failing(Silence(), "bind")

    async def prepare(connection: Connection) -> None:
        await connection.bind_anonymous()

    config = PoolConfig(connect_timeout=0.05)
    async with Pool(Address("127.0.0.1", server.port), prepare=prepare, config=config) as pool:
        with pytest.raises(NoHostReachableError) as refused:
            await find(pool)
    assert isinstance(refused.value.__cause__, OperationTimeoutError)


@each_way
async def test_a_refused_connection_says_so_and_when_it_is_tried_again(
    make: MakePool, told: list[PoolEvent], work: Work, config: dict[str, Any]
) -> None:
    pool = make(DEAD, **config)
    for _ in range(3):
        with pytest.raises(NoHostReachableError) as refused:
            await work(pool)
        assert isinstance(refused.value.__cause__, ConnectError)
        assert 0 < refused.value.retry_in < 1
    assert len([event for event in told if isinstance(event, ConnectionFailed)]) == 1
    assert pool.status()[0].state is ConnectionState.RETRYING
    assert pool.status()[0].error is refused.value.__cause__ is pool.failure


@each_way
async def test_callers_wait_for_one_and_the_same_attempt(
    make: MakePool, told: list[PoolEvent], work: Work, config: dict[str, Any]
) -> None:
    pool = make(DEAD, **config)
    outcomes = await asyncio.gather(*(work(pool) for _ in range(20)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {NoHostReachableError}
    assert len({id(outcome) for outcome in outcomes}) == 20
    assert len([event for event in told if isinstance(event, ConnectionFailed)]) == 1


@pytest.mark.parametrize("work", [("run", "connect"), ("connect", "run"), ("connect",) * 3], ids=str)
async def test_c1_who_connects_while_a_connection_is_being_opened_waits_for_it(
    serve: Serve, make: MakePool, work: tuple[str, ...]
) -> None:
    server = await serve()
    pool = make(server.port)
    await asyncio.gather(*(run(pool) if each == "run" else pool.connect() for each in work))
    assert server.counts["connections"] == 1


async def test_who_stops_connecting_does_not_stop_what_others_wait_for(serve: Serve, make: MakePool) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port)

    async def prepare(_: Connection) -> None:
        await gate.wait()

    pool._members._prepare = prepare
    connecting = asyncio.create_task(pool.connect())
    await until(lambda: server.connected)
    waiting = asyncio.create_task(served_by(pool))
    await asyncio.sleep(0)
    connecting.cancel()
    await asyncio.wait([connecting])
    gate.set()
    assert await waiting == str(server.port)
    assert server.counts["connections"] == 1


async def test_growing_and_shrinking_are_no_reconnects(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port, **binds(size=1, max_size=4, idle_probe=0.0))
    for _ in range(2):
        await asyncio.gather(*(bind(pool) for _ in range(40)))
        assert len(pool.status()) > 1
        await pool.keep()
    assert [row.reconnects for row in pool.status()] == [0]
    server.faults = failing(Drop(), "bind", times=1)
    await bind(pool)
    await asyncio.gather(*(bind(pool) for _ in range(40)))
    assert {row.reconnects for row in pool.status()} == {1}


# Looking after connections.


async def test_old_connections_are_replaced(serve: Serve, make: MakePool, told: list[PoolEvent]) -> None:
    server = await serve()
    pool = make(server.port, lifetime=1000.0)
    await run(pool)
    pool._members.live[0].expires = 0.0
    await run(pool)
    assert gone(told)[:1] == [GoneReason.OLD]


async def test_lifetimes_differ(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pools = [make(server.port, lifetime=1000.0) for _ in range(5)]
    await asyncio.gather(*(pool.connect() for pool in pools))
    members = [pool._members.live[0] for pool in pools]
    left = {round(member.expires - member.opened_at, 6) for member in members}
    assert len(left) > 1
    assert all(800 <= each <= 1000 for each in left)


async def test_idle_connections_are_probed_and_the_dead_ones_go(
    serve: Serve, make: MakePool, told: list[PoolEvent]
) -> None:
    server = await serve()
    pool = make(server.port, idle_probe=0.0, connect_timeout=0.05)
    await run(pool)
    await pool.keep()
    assert pool.status()[0].state is ConnectionState.CONNECTED
    server.faults = failing(Silence(), "search")
    await pool.keep()
    assert gone(told) == [GoneReason.DOUBTFUL]


async def test_a_probe_that_is_answered_makes_failures_forgotten(serve: Serve, make: MakePool) -> None:
    server = await serve()
    server.faults = failing(Drop(), "search")
    pool = make(server.port, idle_probe=0.0)
    with pytest.raises(LdapError):
        await run(pool)
    server.faults = Faults()
    await pool.connect()
    (host,) = pool._members.hosts
    assert (host.failures, host.suspect) == (1, True)
    await pool.keep()
    assert (host.failures, host.suspect) == (0, False)


async def test_a_bind_waits_while_its_connection_is_probed(serve: Serve, make: MakePool) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, **binds(idle_probe=0.0))
    await bind(pool)
    server.faults = failing(Wait(gate), "search")
    probing = asyncio.create_task(pool.keep())
    await until(lambda: server.counts["search"])
    binding = asyncio.create_task(bind(pool))
    await asyncio.sleep(0)
    assert len(pool._waiting.jobs) == 1
    gate.set()
    await asyncio.gather(probing, binding)
    assert server.counts["connections"] == 1
    assert_nothing_is_left(pool)


async def test_what_load_had_opened_goes_again_when_idle(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port, **binds(size=1, max_size=4, idle_probe=0.0))
    await asyncio.gather(*(bind(pool) for _ in range(40)))
    assert len(pool.status()) > 1
    await pool.keep()
    assert len(pool.status()) == 1


async def test_upkeep_goes_on_whatever_goes_wrong_in_one_round(
    serve: Serve, make: MakePool, told: list[PoolEvent], monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds, third = 0, asyncio.Event()

    async def keep(self: Members) -> None:
        nonlocal rounds
        rounds += 1
        if rounds == 3:
            third.set()
        raise RuntimeError

    monkeypatch.setattr(Members, "keep", keep)
    await run(make((await serve()).port, upkeep_interval=0.0))
    await until(third.is_set)
    assert [event.error for event in told if isinstance(event, UpkeepFailed)][:2] == ["RuntimeError"] * 2


@each_way
async def test_a_connection_that_the_server_closed_is_not_handed_out(
    serve: Serve, make: MakePool, told: list[PoolEvent], work: Work, config: dict[str, Any]
) -> None:
    server = await serve()
    pool = make(server.port, **config)
    await work(pool)
    await server.disconnect()
    await until(lambda: pool.status()[0].state is not ConnectionState.CONNECTED)
    await work(pool)
    assert len([event for event in told if isinstance(event, ConnectionOpened)]) == 2
    assert not any(isinstance(event, OperationRepeated) for event in told)
    assert pool.status()[0].reconnects == 1


# Time.


@each_way
async def test_a_silent_server_is_given_up_and_its_connection_too(
    serve: Serve, make: MakePool, work: Work, config: dict[str, Any]
) -> None:
    server = await serve()
    pool = make(server.port, timeout=0.05, connect_timeout=0.05, **config)
    await work(pool)
    server.faults = failing(Silence(), kind_of(work))
    with pytest.raises((OperationTimeoutError, AssertionError)):
        await work(pool)
    if kind_of(work) == "search":
        server.faults = failing(Silence(), "search", times=1)
    await until(lambda: pool.status()[0].state is not ConnectionState.CONNECTED)
    server.faults = Faults()
    await work(pool)
    assert_nothing_is_left(pool)


async def test_a_bind_in_vain_has_the_idle_connections_to_that_host_examined(
    serve: Serve, make: MakePool, told: list[PoolEvent]
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, timeout=0.1, **binds(size=3, connect_timeout=0.05))
    server.faults = failing(Wait(gate), "bind")
    asking = [asyncio.create_task(bind(pool)) for _ in range(3)]
    await until(lambda: server.counts["bind"] >= 3)
    gate.set()
    await asyncio.gather(*asking)
    server.faults = failing(Silence())
    with pytest.raises(OperationTimeoutError):
        await bind(pool)
    await quiet(pool)
    assert sorted(reason.value for reason in gone(told)) == ["doubtful"] * 2 + ["lost"]


@pytest.mark.parametrize("work", BINDS, ids=by_name)
async def test_who_waits_too_long_for_a_connection_is_told(serve: Serve, make: MakePool, work: Work) -> None:
    server = await serve()
    pool = make(server.port, timeout=0.05, **binds())
    await pool.connect()
    async with pool.connection():
        outcomes = await asyncio.gather(*(work(pool) for _ in range(3)), return_exceptions=True)
    assert {type(each) for each in outcomes} == {PoolTimeoutError}
    assert pool._waiting._timer is None
    await work(pool)
    assert_nothing_is_left(pool)


async def test_those_who_wait_are_told_each_at_their_own_time(serve: Serve, make: MakePool) -> None:
    pool = make((await serve()).port, timeout=0.1, **binds())
    loop, waited = asyncio.get_running_loop(), []
    await pool.connect()

    async def wait() -> None:
        began = loop.time()
        with pytest.raises(PoolTimeoutError):
            await bind(pool)
        waited.append(loop.time() - began)

    async with pool.connection():
        first = asyncio.create_task(wait())
        half_time = asyncio.Event()
        loop.call_later(0.05, half_time.set)
        await half_time.wait()
        await asyncio.gather(first, wait())
    assert len(waited) == 2
    assert all(0.09 < each < 1.0 for each in waited)


async def test_a_repeated_bind_goes_first_and_keeps_the_queue_in_order(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port, **binds())
    await bind(pool)
    order: list[int] = []

    async def numbered(nth: int) -> None:
        await bind(pool)
        order.append(nth)

    server.faults = failing(Drop(), "bind", times=1)
    await asyncio.gather(*(numbered(nth) for nth in range(5)))
    assert order == [0, 1, 2, 3, 4]


# Cancelling.


@each_way
async def test_cancelled_callers_leave_nothing_behind(
    serve: Serve, make: MakePool, work: Work, config: dict[str, Any]
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, **config)
    await work(pool)
    server.faults = failing(Wait(gate), kind_of(work))
    before = server.counts[kind_of(work)]
    asking = [asyncio.create_task(work(pool)) for _ in range(10)]
    await until(lambda: server.counts[kind_of(work)] > before)
    for task in asking:
        task.cancel()
    await asyncio.gather(*asking, return_exceptions=True)
    assert_nothing_is_left(pool)
    gate.set()
    server.faults = Faults()
    await work(pool)
    assert_nothing_is_left(pool)


@pytest.mark.parametrize("work", BINDS, ids=by_name)
async def test_a_bind_cancelled_at_a_mute_server_does_not_keep_its_connection(
    serve: Serve, make: MakePool, work: Work
) -> None:
    server = await serve()
    pool = make(server.port, timeout=60.0, **binds())
    await bind(pool)
    server.faults = failing(Silence(), "bind", times=1)
    before = server.counts["bind"]
    asking = asyncio.create_task(work(pool))
    await until(lambda: server.counts["bind"] > before)
    waiting = asyncio.create_task(work(pool))
    await asyncio.sleep(0)
    asking.cancel()
    async with asyncio.timeout(5.0):
        await waiting
    assert server.counts["connections"] == 2
    assert_nothing_is_left(pool)


async def test_a_cancelled_search_is_abandoned_on_the_server(serve: Serve, make: MakePool) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port)
    await find(pool)
    server.faults = failing(Wait(gate), "search")
    before = server.counts["search"]
    asking = [asyncio.create_task(pool.find_all(queries)) for queries in ([TOP], [TOP] * 3)]
    await until(lambda: server.counts["search"] == before + 4)
    for task in asking:
        task.cancel()
    await asyncio.wait(asking)
    await until(lambda: server.counts["abandon"] == 4)
    assert pool.status()[0].state is ConnectionState.CONNECTED


async def test_whoever_is_cancelled_with_a_connection_in_hand_gives_it_back(
    serve: Serve, make: MakePool
) -> None:
    """The connection is handed over, and before the caller wakes up, it is cancelled."""
    pool = make((await serve()).port, **binds())
    await pool.connect()
    async with pool.connection():
        waiting = asyncio.create_task(run(pool))
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    assert_nothing_is_left(pool)
    await bind(pool)


# Bounds, and the end.


async def test_there_is_a_bound_to_the_callers(serve: Serve, make: MakePool) -> None:
    port = (await serve()).port
    for work, config in ALL:
        pool = make(port, max_callers=3, **config)
        each = 3 if work is find_several else 1
        outcomes = await asyncio.gather(*(work(pool) for _ in range(5)), return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, PoolOverloadedError)]
        assert len(refused) == 5 - 3 // each, work
        await work(pool)


@each_way
async def test_a_closed_pool_says_so(
    serve: Serve, make: MakePool, work: Work, config: dict[str, Any]
) -> None:
    pool = make((await serve()).port, **config)
    await work(pool)
    await pool.close()
    with pytest.raises(PoolClosedError):
        await work(pool)
    with pytest.raises(PoolClosedError):
        await pool.connect()
    assert pool.status()[0].state is ConnectionState.CLOSED
    assert pool.closed


@each_way
async def test_closing_ends_what_is_in_flight_and_what_waits(
    serve: Serve, make: MakePool, work: Work, config: dict[str, Any]
) -> None:
    server, gate = await serve(), asyncio.Event()
    pool = make(server.port, **config)
    await work(pool)
    server.faults = failing(Wait(gate), kind_of(work))
    before = server.counts[kind_of(work)]
    asking = [asyncio.create_task(work(pool)) for _ in range(5)]
    await until(lambda: server.counts[kind_of(work)] > before)
    await pool.close()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert all(isinstance(each, PoolClosedError | ConnectionLostError | AssertionError) for each in outcomes)
    assert pool._callers == 0
    timer = pool._waiting._timer
    assert timer is None or timer.cancelled()


async def test_closing_during_the_pause_of_a_busy_bind_ends_it(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port, **binds())
    await bind(pool)
    server.faults = failing(AnswerWith(51), "bind")
    before = server.counts["bind"]
    asking = asyncio.create_task(bind(pool))
    await until(lambda: server.counts["bind"] > before)
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises((PoolClosedError, Busy)):
        await asking


async def test_closing_while_a_connection_is_opened_leaves_none(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port)
    asking = asyncio.create_task(run(pool))
    await asyncio.sleep(0)
    await pool.close()
    with pytest.raises(PoolClosedError):
        await asking
    await until(lambda: not server.connected)


async def test_memory_does_not_grow_with_operations(serve: Serve, make: MakePool) -> None:
    server = await serve()
    for work, config in ALL:
        pool = make(server.port, **config)
        pool._trace = None
        for _ in range(50):
            await asyncio.gather(*(work(pool) for _ in range(10)))
        members = pool._members
        assert (len(members.live), len(members._opening), len(members._background)) == (1, 0, 0)
        assert_nothing_is_left(pool)


async def test_binds_leave_no_cycles_for_the_garbage_collector(serve: Serve, make: MakePool) -> None:
    """Each bind holds a password, which must go as soon as the answer came."""
    pool = make((await serve()).port, **binds())
    await bind(pool)
    gc.collect()
    gc.disable()
    try:
        for _ in range(5):
            await bind(pool)
        assert not [each for each in gc.get_objects() if type(each).__name__ == "_Bind"]
    finally:
        gc.enable()


# Events and other ways in.


@each_way
async def test_every_operation_is_told_with_its_outcome(
    serve: Serve, make: MakePool, told: list[PoolEvent], work: Work, config: dict[str, Any]
) -> None:
    server = await serve()
    pool = make(server.port, **config)
    await work(pool)
    server.faults = failing(AnswerWith(80), kind_of(work))
    with suppress(LdapError, AssertionError):
        await work(pool)
    outcomes = [event.outcome for event in told if isinstance(event, OperationEnded)]
    each = 3 if work is find_several else 1
    assert outcomes == ["ok"] * each + ["Other"] * each


async def test_the_operations_of_a_connection_are_those_of_a_pool(serve: Serve, make: MakePool) -> None:
    pool = make((await serve()).port)
    found = await pool.search(small.PEOPLE, 1, ANY_ENTRY, ("cn",), size_limit=0)
    assert ALICE in [entry.dn for entry in found.entries]
    assert await pool.compare(ALICE, "mail", "alice@example.com")
    assert await pool.who_am_i() == ""
    async with aclosing(pool.stream(small.PEOPLE, 1, ANY_ENTRY)) as stream:
        assert [entry.dn async for entry in stream] == [entry.dn for entry in found.entries]
    assert_nothing_is_left(pool)


async def test_leaving_a_stream_early_gives_the_connection_back(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(server.port)
    async with aclosing(pool.stream(small.BASE, 2, ANY_ENTRY)) as stream:
        async for _ in stream:
            break
    assert_nothing_is_left(pool)
    await find(pool)


async def test_a_host_is_given_by_address_or_url() -> None:
    hosts: list[str | Address] = ["ldap://a.example", "ldaps://b.example:1636", Address("c.example", 1)]
    async with Pool(hosts) as pool:
        assert [str(each) for each in pool.addresses] == ["a.example:389", "b.example:1636", "c.example:1"]
    for wrong in ("a.example", "http://a.example", "ldap://", ""):
        with pytest.raises(UrlSyntaxError):
            Pool(wrong)
    with pytest.raises(ValueError, match="at least one host"):
        Pool([])


async def test_a_status_row_tells_why_a_preferred_host_is_not_used(serve: Serve, make: MakePool) -> None:
    server = await serve()
    pool = make(DEAD, server.port)
    await find(pool)
    (row,) = pool.status()
    assert (row.state, row.address.port) == (ConnectionState.CONNECTED, server.port)
    assert isinstance(row.error, ConnectError)
    assert row.connection is not None
    assert row.connection.operations == 1
