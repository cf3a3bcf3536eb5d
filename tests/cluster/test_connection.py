"""The connections to a real Redis: what is asked, what comes, and what happens when it goes away."""

import asyncio
import time
from pathlib import Path

import pytest

from quintet.cluster.connection import ANSWER, ValkeyConnection
from quintet.cluster.events import CallRefused, ClusterEvent, Ignored, ValkeyDown, ValkeyUp
from quintet.cluster.link import ServerInfo, UnsuitableValkeyError
from quintet.cluster.valkey import CallFailure, ClusterUnavailableError, Reply, Script, ask
from quintet.config import parse_valkey_url
from quintet.secret import Secret
from quintet.tls import StoreKind, StoreLocation, TlsSettings
from support import certs, keytool
from support.redis_server import PASSWORD, RedisServer, Sentinel
from support.valkey_events import HeardEvents

ADD = Script("add", "return redis.call('INCRBY', KEYS[1], ARGV[1])")
ECHO = Script("echo", "return ARGV")
PUSH = Script("push", "return redis.call('RPUSH', KEYS[1], ARGV[1])")
GET = Script("get", "return redis.call('GET', KEYS[1])")
WAIT_DOWN = ANSWER + 4


def connection(
    server: RedisServer | Sentinel, *, trace: list[ClusterEvent] | None = None
) -> tuple[ValkeyConnection, HeardEvents]:
    made = ValkeyConnection(
        parse_valkey_url(server.url), trace=None if trace is None else trace.append, largest=1024 * 1024
    )
    heard = HeardEvents()
    made.listeners.append(heard)
    return made, heard


async def test_calls_of_one_turn_are_one_round_trip_in_their_order(shared_redis: RedisServer) -> None:
    valkey, _ = connection(shared_redis)
    async with valkey:
        assert await valkey.first_attempt(5)
        before = valkey.counts.round_trips
        found = await asyncio.gather(*(ask(valkey, ADD, ["one-turn"], [1]) for _ in range(50)))
        assert found == list(range(1, 51))
        assert valkey.counts.round_trips == before + 1


async def test_an_answer_is_what_the_script_returns(shared_redis: RedisServer) -> None:
    valkey, _ = connection(shared_redis)
    args: list[bytes | str | int] = [b"\x00\xff", "text \udce9", 7, ""]
    async with valkey:
        await valkey.first_attempt(5)
        assert await ask(valkey, ECHO, [], args) == [b"\x00\xff", b"text \xed\xb3\xa9", b"7", b""]
        assert await ask(valkey, GET, ["no such key"], []) is None


async def test_scripts_that_valkey_has_forgotten_are_sent_again_in_their_order(redis: RedisServer) -> None:
    valkey, _ = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        await ask(valkey, PUSH, ["list"], ["0"])
        redis.run("SCRIPT", "FLUSH")
        found: list[Reply | CallFailure] = []
        for number in range(1, 6):
            valkey.call(PUSH, ["list"], [number], found.append)
        await asyncio.gather(*(ask(valkey, PUSH, ["list"], [number]) for number in range(6, 9)))
        assert found == [2, 3, 4, 5, 6]
        assert redis.run("LRANGE", "list", 0, -1) == [b"%d" % number for number in range(9)]


async def test_an_error_of_a_script_is_a_refusal_and_the_connection_stays(redis: RedisServer) -> None:
    trace: list[ClusterEvent] = []
    valkey, _ = connection(redis, trace=trace)
    redis.run("SET", "text", "x")
    async with valkey:
        await valkey.first_attempt(5)
        with pytest.raises(ClusterUnavailableError) as refused:
            await ask(valkey, ADD, ["text"], [1])
        assert refused.value.failure is CallFailure.REFUSED
        assert await ask(valkey, ADD, ["number"], [1]) == 1
    assert [each.script for each in trace if isinstance(each, CallRefused)] == ["add"]
    assert valkey.counts.failures == {CallFailure.REFUSED: 1}


async def test_a_full_valkey_refuses_and_serves_again(redis: RedisServer) -> None:
    valkey, _ = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        redis.run("CONFIG", "SET", "maxmemory", "1")
        with pytest.raises(ClusterUnavailableError):
            await ask(valkey, ADD, ["n"], [1])
        redis.run("CONFIG", "SET", "maxmemory", "0")
        assert await ask(valkey, ADD, ["n"], [1]) == 1


async def test_what_is_published_comes_after_the_confirmation(redis: RedisServer) -> None:
    valkey, heard = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        valkey.subscribe("a")
        valkey.subscribe("b")
        await heard.heard("confirmed", "b")
        valkey.unsubscribe("a")
        valkey.subscribe("c")
        await heard.heard("confirmed", "c")
        for channel in "abc":
            redis.run("PUBLISH", channel, channel.upper())
        await heard.heard("published", "c", b"C")
    assert [each[1] for each in heard.what if each[0] == "published"] == ["b", "c"]


async def test_a_stream_is_read_from_its_beginning_and_another_one_in_its_place(redis: RedisServer) -> None:
    valkey, heard = connection(redis)
    for number in range(100):
        redis.run("XADD", "one", "*", "m", number)
    async with valkey:
        await valkey.first_attempt(5)
        valkey.read_stream("one")
        await heard.heard("entry", "one", b"99")
        redis.run("XADD", "one", "*", "m", "later")
        await heard.heard("entry", "one", b"later")
        valkey.read_stream("two")
        redis.run("XADD", "two", "*", "m", "other")
        await heard.heard("entry", "two", b"other")
    entries = [each[2] for each in heard.what if each[:2] == ("entry", "one")]
    assert entries == [*(b"%d" % number for number in range(100)), b"later"]


async def test_garbage_and_values_of_10_mb_are_dropped_and_counted(redis: RedisServer) -> None:
    large = b"x" * 10_000_000
    valkey, heard = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        valkey.subscribe("channel")
        valkey.read_stream("stream")
        await heard.heard("confirmed", "channel")
        redis.run("XADD", "stream", "*", "m", large)
        redis.run("PUBLISH", "channel", large)
        redis.run("SET", "value", large)
        with pytest.raises(ClusterUnavailableError):
            await ask(valkey, GET, ["value"], [])
        redis.run("PUBLISH", "channel", "small")
        redis.run("XADD", "stream", "*", "m", "small")
        await heard.heard("published", "channel", b"small")
        await heard.heard("entry", "stream", b"small")
        assert valkey.counts.ignored == {Ignored.OVERSIZE: 3}
        assert valkey.counts.losses == 0
    assert [each for each in heard.names() if each in ("published", "entry")] == ["published", "entry"]


async def test_a_stream_that_is_none_harms_nothing_else(redis: RedisServer) -> None:
    trace: list[ClusterEvent] = []
    valkey, heard = connection(redis, trace=trace)
    redis.run("SET", "stream", "a text")
    async with valkey:
        await valkey.first_attempt(5)
        valkey.read_stream("stream")
        assert await ask(valkey, ADD, ["n"], [1]) == 1
        await heard.until(lambda: any(isinstance(each, CallRefused) for each in trace))
        redis.run("DEL", "stream")
        redis.run("XADD", "stream", "*", "m", "data")
        await heard.heard("entry", "stream", b"data")


@pytest.mark.parametrize("keep", [True, False])
async def test_a_restart_is_seen_and_said_with_the_id_of_other_data(keep: bool) -> None:
    with RedisServer(keep=keep) as redis:
        valkey, heard = connection(redis)
        async with valkey:
            await valkey.first_attempt(5)
            assert await ask(valkey, ADD, ["n"], [5]) == 5
            redis.kill()
            await heard.heard("disconnected")
            with pytest.raises(ClusterUnavailableError) as away:
                await ask(valkey, ADD, ["n"], [1])
            assert away.value.failure is CallFailure.AWAY
            redis.start()
            await heard.until(lambda: heard.names().count("connected") == 2)
            assert await ask(valkey, ADD, ["n"], [1]) == (6 if keep else 1)
    ids = [each[1] for each in heard.what if each[0] == "connected"]
    assert len(set(ids)) == 2


async def test_a_call_under_way_when_valkey_hangs_is_of_unknown_outcome(redis: RedisServer) -> None:
    trace: list[ClusterEvent] = []
    valkey, heard = connection(redis, trace=trace)
    async with valkey:
        await valkey.first_attempt(5)
        with redis.frozen():
            began = time.monotonic()
            with pytest.raises(ClusterUnavailableError) as unknown:
                await ask(valkey, ADD, ["n"], [1])
            assert time.monotonic() - began < WAIT_DOWN
            assert unknown.value.failure is CallFailure.UNKNOWN
            assert not valkey.up
            assert valkey.reason
        await heard.until(lambda: heard.names() == ["connected", "disconnected", "connected"])
        assert await ask(valkey, ADD, ["other"], [1]) == 1
    assert [type(each) for each in trace] == [ValkeyUp, ValkeyDown, ValkeyUp]


async def test_a_valkey_that_hangs_without_a_call_is_found_down(redis: RedisServer) -> None:
    valkey, heard = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        with redis.frozen():
            await heard.heard("disconnected", seconds=WAIT_DOWN + 2)
        assert heard.ticks > 0


async def test_an_idle_connection_stays_up_and_ticks(redis: RedisServer) -> None:
    valkey, heard = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        valkey.read_stream("nothing comes")
        await heard.until(lambda: heard.ticks >= 4)
        assert heard.names() == ["connected"]


async def test_a_subscription_is_gone_with_the_connection_and_may_be_asked_again(redis: RedisServer) -> None:
    valkey, heard = connection(redis)
    heard.on_connected = lambda: valkey.subscribe("channel")
    async with valkey:
        await heard.heard("confirmed", "channel")
        redis.run("CLIENT", "KILL", "TYPE", "pubsub")
        await heard.until(lambda: heard.names().count("confirmed") == 2)
        redis.run("PUBLISH", "channel", "data")
        await heard.heard("published", "channel", b"data")
        again = ["disconnected", "connected", "confirmed", "published"]
        assert heard.names() == ["connected", "confirmed", *again]


async def test_a_fault_of_one_listener_is_logged_and_the_others_hear(redis: RedisServer) -> None:
    valkey, heard = connection(redis)

    class Faulty(HeardEvents):
        def connected(self, server: str, now: float) -> None:
            raise LookupError(server)

    valkey.listeners.insert(0, Faulty())
    async with valkey:
        await heard.until(lambda: heard.names() == ["connected"])
        assert await ask(valkey, ADD, ["n"], [1]) == 1


async def test_a_server_that_is_not_there_is_no_reason_not_to_start() -> None:
    trace: list[ClusterEvent] = []
    valkey = ValkeyConnection(parse_valkey_url(f"redis://:{PASSWORD}@127.0.0.1:1"), trace=trace.append)
    async with valkey:
        assert not await valkey.first_attempt(5)
        assert valkey.reason
        valkey.subscribe("x")
        valkey.read_stream("x")
        with pytest.raises(ClusterUnavailableError):
            await ask(valkey, ADD, ["n"], [1])
    assert [type(each) for each in trace] == [ValkeyDown]
    assert PASSWORD not in repr(trace)


async def test_a_wrong_password_is_said_without_it() -> None:
    trace: list[ClusterEvent] = []
    with RedisServer(password=PASSWORD) as redis:
        address = parse_valkey_url(redis.url.replace(PASSWORD, "wrong-secret"))
        async with ValkeyConnection(address, trace=trace.append) as valkey:
            assert not await valkey.first_attempt(5)
        assert "wrong-secret" not in repr((trace, address, str(address)))
        assert [type(each) for each in trace] == [ValkeyDown]
        async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
            assert await valkey.first_attempt(5)


async def test_a_database_and_a_user_are_those_of_the_url() -> None:
    with RedisServer(acl="~mine* &mine* +@all -@dangerous +info +role") as redis:
        url = f"redis://quintet:{PASSWORD}@127.0.0.1:{redis.port}/3"
        async with ValkeyConnection(parse_valkey_url(url)) as valkey:
            assert await valkey.first_attempt(5)
            assert await ask(valkey, ADD, ["mine"], [3]) == 3
            with pytest.raises(ClusterUnavailableError):
                await ask(valkey, ADD, ["yours"], [3])
        keyspace = redis.run("INFO", "keyspace")
        assert isinstance(keyspace, bytes)
        assert keyspace.startswith(b"# Keyspace\r\ndb3:keys=1,expires=0,")


async def test_redis_cluster_and_sentinels_are_refused_in_words() -> None:
    with RedisServer("cluster-enabled yes") as redis:
        async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
            with pytest.raises(UnsuitableValkeyError):
                await valkey.first_attempt(5)
    with RedisServer() as redis, Sentinel(redis) as sentinel:
        async with ValkeyConnection(parse_valkey_url(f"redis://127.0.0.1:{sentinel.port}")) as valkey:
            with pytest.raises(UnsuitableValkeyError):
                await valkey.first_attempt(5)


@pytest.mark.parametrize(
    ("info", "suitable"),
    [
        ("redis_version:6.0.16", False),
        ("redis_version:6.2.0", True),
        ("redis_version:7.2.4\r\nvalkey_version:7.2.5", True),
        ("redis_version:7.2.4\r\nvalkey_version:7.1.9", False),
        ("redis_version:255.255.255", True),
        ("", True),
    ],
)
def test_old_versions_are_refused_and_hidden_ones_accepted(info: str, suitable: bool) -> None:
    server = ServerInfo.of(info.encode(), Exception("hidden"))
    if suitable:
        assert server.check() is None  # type: ignore[func-returns-value]
    else:
        with pytest.raises(UnsuitableValkeyError):
            server.check()


async def test_a_master_that_becomes_a_replica_is_left(redis: RedisServer) -> None:
    valkey, heard = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        redis.run("REPLICAOF", "127.0.0.1", 1)
        await heard.heard("disconnected")
        redis.run("REPLICAOF", "NO", "ONE")
        await heard.until(lambda: heard.names().count("connected") == 2, 15)
        assert await ask(valkey, ADD, ["n"], [1]) == 1


async def test_sentinel_names_the_master_and_after_a_failover_the_other_one() -> None:
    with (
        RedisServer() as master,
        RedisServer(replica_of=master.port) as replica,
        Sentinel(master) as sentinel,
    ):
        valkey, heard = connection(sentinel)
        async with valkey:
            assert await valkey.first_attempt(5)
            assert await ask(valkey, ADD, ["n"], [1]) == 1
            await asyncio.to_thread(sentinel.wait_for_replicas, 1)
            master.kill()
            await heard.until(lambda: heard.names().count("connected") == 2, 30)
            assert isinstance(await ask(valkey, ADD, ["n"], [1]), int)
            assert b"role:master" in bytes(replica.run("INFO", "replication"))  # type: ignore[call-overload]


async def test_a_sentinel_that_does_not_know_the_master_is_tried_again() -> None:
    with RedisServer() as redis, Sentinel(redis) as sentinel:
        address = parse_valkey_url(sentinel.url.replace("mymaster", "another"))
        async with ValkeyConnection(address) as valkey:
            assert not await valkey.first_attempt(5)
            assert valkey.reason


def trusting(folder: Path, ca: certs.Issued) -> TlsSettings:
    store = keytool.trust_store(folder / "trust.p12", {"ca": ca})
    return TlsSettings(trust_store=StoreLocation(store, StoreKind.PKCS12, Secret(keytool.PASSWORD)))


async def test_tls_verifies_the_certificate_by_the_trust_store(tmp_path: Path) -> None:
    ca = certs.authority()
    tls = trusting(tmp_path, ca)
    with RedisServer(certificate=certs.leaf(ca, "localhost")) as redis:
        async with ValkeyConnection(parse_valkey_url(redis.url), tls) as valkey:
            assert await valkey.first_attempt(10)
            assert await ask(valkey, ADD, ["n"], [1]) == 1


@pytest.mark.parametrize("fault", ["name", "issuer", "expired"])
async def test_a_certificate_that_cannot_be_verified_is_refused(tmp_path: Path, fault: str) -> None:
    ca = certs.authority()
    other = certs.authority("Another CA") if fault == "issuer" else ca
    names = ("elsewhere.example.com",) if fault == "name" else ("localhost",)
    leaf = certs.expired(ca, *names) if fault == "expired" else certs.leaf(other, *names)
    with RedisServer(certificate=leaf, password=PASSWORD) as redis:
        trace: list[ClusterEvent] = []
        async with ValkeyConnection(
            parse_valkey_url(redis.url), trusting(tmp_path, ca), trace=trace.append
        ) as valkey:
            assert not await valkey.first_attempt(10)
            assert isinstance(trace[0], ValkeyDown)
            assert trace[0].fix


@pytest.mark.serial
async def test_many_answers_at_once_do_not_hold_the_loop(redis: RedisServer) -> None:
    valkey, _ = connection(redis)
    loop = asyncio.get_running_loop()
    async with valkey:
        await valkey.first_attempt(5)
        longest, before, answered = 0.0, loop.time(), 0
        done = asyncio.Event()

        def count(_: Reply | CallFailure) -> None:
            nonlocal answered
            answered += 1
            if answered == 15_000:
                done.set()

        def look() -> None:
            nonlocal longest, before
            longest, before = max(longest, loop.time() - before), loop.time()
            if not done.is_set():
                loop.call_soon(look)

        for _ in range(15_000):
            valkey.call(ADD, ["n"], [1], count)
        before = loop.time()
        loop.call_soon(look)
        async with asyncio.timeout(30):
            await done.wait()
        assert longest < 0.5  # on a machine that others use, too; without turns it is more than a second


async def test_too_many_calls_are_refused_rather_than_kept(redis: RedisServer) -> None:
    valkey, _ = connection(redis)
    async with valkey:
        await valkey.first_attempt(5)
        found: list[Reply | CallFailure] = []
        done = asyncio.Event()
        for _ in range(20_000):
            valkey.call(ADD, ["n"], [1])
        for _ in range(10):
            valkey.call(ADD, ["n"], [1], found.append)
        valkey.call(ADD, ["n"], [1], lambda _: done.set())
        await done.wait()
        assert found == [CallFailure.AWAY] * 10
        assert valkey.counts.failures == {CallFailure.AWAY: 11}
