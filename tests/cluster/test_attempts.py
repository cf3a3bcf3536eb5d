"""Sign-in attempts are counted for all nodes by the rules of one, with a real Redis."""

import asyncio
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.cluster.attempts import SharedAttempts
from quintet.cluster.connection import LAZY, ValkeyConnection
from quintet.cluster.node_count import NodeCount
from quintet.cluster.sealing import KeyRing
from quintet.cluster.valkey import Script, ask
from quintet.config import parse_valkey_url
from quintet.directory import (
    Attempt,
    AttemptOutcome,
    AttemptRules,
    AttemptScope,
    LocalAttempts,
    SignInAttempts,
    TooManyAttemptsError,
)
from quintet.directory.events import Event, SignInsBlocked
from support.redis_server import RedisServer

RULES = AttemptRules(limit=3, network_limit=5, window=600, hold=0.5, block=10, longest=35)
RING = KeyRing([bytes(32)])
HERE, THERE = "192.0.2.1", "2001:db8::/64"


class Clock:
    time = 1000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def prefix() -> str:
    return f"quintet:{secrets.token_hex(8)}"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def valkey(runner: asyncio.Runner, shared_redis: RedisServer) -> Iterator[ValkeyConnection]:
    made = ValkeyConnection(parse_valkey_url(shared_redis.url))

    async def enter() -> None:
        await made.__aenter__()
        assert await made.first_attempt(5)

    runner.run(enter())
    yield made
    runner.run(made.__aexit__(None, None, None))


def shared(
    valkey: ValkeyConnection,
    prefix: str,
    *,
    rules: AttemptRules = RULES,
    clock: Clock | None = None,
    most: int = 99,
) -> SharedAttempts:
    return SharedAttempts(valkey, RING, prefix, LocalAttempts(rules), nodes=lambda: 2, now=clock, most=most)


# One rule.

NAMES, NETWORKS = st.sampled_from(["ada", "bob"]), st.sampled_from([HERE, THERE])
STEPS = st.lists(
    st.tuples(st.just("begin"), NAMES, NETWORKS)
    | st.tuples(st.just("settle"), st.integers(0, 9), st.sampled_from(AttemptOutcome))
    | st.tuples(st.just("fail"), NAMES, NETWORKS)
    | st.tuples(st.just("wait"), st.sampled_from([0.5, 3.0, 11.0]))
    | st.tuples(st.just("clear"), st.sampled_from(["ada", HERE, THERE, None])),
    min_size=5,
    max_size=40,
)


async def observed(attempts: SignInAttempts, steps: list[tuple[object, ...]], clock: Clock) -> list[object]:
    """What becomes of each step, and what is counted after it."""
    clock.time = 1000.0
    seen: list[object] = []
    open_ones: list[Attempt] = []
    for step in steps:
        match step:
            case ("begin" | "fail" as what, str() as name, str() as network):
                try:
                    attempt = await attempts.begin(name, network)
                except TooManyAttemptsError as error:
                    seen.append(("refused", round(error.retry_after, 3)))
                    continue
                seen.append(("held", attempt.hold))
                if what == "fail":
                    await attempts.settle(attempt, AttemptOutcome.FAILED)
                else:
                    open_ones.append(attempt)
            case ("settle", int() as at, AttemptOutcome() as outcome):
                if at < len(open_ones):
                    await attempts.settle(open_ones.pop(at), outcome)
            case ("wait", float() as seconds):
                clock.time += seconds
            case ("clear", wanted):
                await attempts.clear(None if wanted is None else str(wanted))
                open_ones.clear()  # what was in flight is counted more exactly than at one node
        seen.append([replace(row, seconds=round(row.seconds, 3)) for row in await attempts.counts()])
    return seen


@settings(max_examples=60)
@given(steps=STEPS)
def test_the_rules_are_those_of_one_node(
    steps: list[tuple[object, ...]], runner: asyncio.Runner, valkey: ValkeyConnection
) -> None:
    clock = Clock()
    local = LocalAttempts(RULES, now=clock)
    everywhere = shared(valkey, f"quintet:{secrets.token_hex(8)}", clock=clock)
    assert runner.run(observed(everywhere, steps, clock)) == runner.run(observed(local, steps, clock))


@settings(max_examples=25)
@given(names=st.lists(st.text(max_size=5), min_size=1, max_size=12))
def test_with_too_many_names_records_are_shared_and_none_is_dropped(
    names: list[str], runner: asyncio.Runner, valkey: ValkeyConnection
) -> None:
    clock = Clock()
    attempts = shared(
        valkey, f"quintet:{secrets.token_hex(8)}", clock=clock, most=2, rules=AttemptRules(limit=100)
    )

    async def guess() -> int:
        for at, name in enumerate(names):
            await attempts.settle(await attempts.begin(name, f"192.0.2.{at}"), AttemptOutcome.FAILED)
        rows = await attempts.counts()
        return sum(each.failures for each in rows if each.scope is AttemptScope.NETWORK)

    assert runner.run(guess()) == len(names)


def test_failures_are_forgotten_a_window_after_the_last(
    runner: asyncio.Runner, valkey: ValkeyConnection, prefix: str
) -> None:
    clock = Clock()
    attempts = shared(valkey, prefix, clock=clock)

    async def block() -> float:
        for _ in range(3):
            await attempts.settle(await attempts.begin("ada", HERE), AttemptOutcome.FAILED)
        with pytest.raises(TooManyAttemptsError) as refused:
            await attempts.begin("ada", HERE)
        return refused.value.retry_after

    assert runner.run(block()) == pytest.approx(10)
    clock.time += 10 + RULES.window
    assert runner.run(block()) == pytest.approx(10)  # not twice as long


# All nodes.


async def test_two_nodes_see_one_limit_and_one_clearing(shared_redis: RedisServer, prefix: str) -> None:
    async with (
        ValkeyConnection(parse_valkey_url(shared_redis.url)) as one,
        ValkeyConnection(parse_valkey_url(shared_redis.url)) as two,
    ):
        assert await one.first_attempt(5)
        assert await two.first_attempt(5)
        here, there = shared(one, prefix), shared(two, prefix)
        for node in (here, there, here):
            await node.settle(await node.begin("Ada", HERE), AttemptOutcome.FAILED)
            await node.counts()  # what was settled lazily is sent
        for node in (here, there):
            with pytest.raises(TooManyAttemptsError):
                await node.begin("ada", HERE)
        row = (await there.counts())[0]
        assert (row.name, row.network, row.blocked) == ("Ada", HERE, True)
        assert await there.clear("ada") == 2
        assert (await here.begin("ada", HERE)).hold == 0


async def test_a_hundred_guesses_at_once_over_four_nodes_are_no_more_than_the_limit(
    shared_redis: RedisServer, prefix: str
) -> None:
    connections = [ValkeyConnection(parse_valkey_url(shared_redis.url)) for _ in range(4)]
    nodes = [shared(each, prefix) for each in connections]
    async with connections[0], connections[1], connections[2], connections[3]:
        assert all(await asyncio.gather(*(each.first_attempt(5) for each in connections)))

        async def guess(node: SharedAttempts) -> bool:
            try:
                await node.settle(await node.begin("ada", HERE), AttemptOutcome.FAILED)
            except TooManyAttemptsError:
                return False
            return True

        let_in = await asyncio.gather(*(guess(nodes[at % 4]) for at in range(100)))
        assert sum(let_in) == RULES.limit


async def test_a_sign_in_is_one_round_trip_and_its_end_goes_with_the_next(
    redis: RedisServer, prefix: str
) -> None:
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        attempts = shared(valkey, prefix)
        before = valkey.counts.round_trips
        await attempts.settle(await attempts.begin("ada", HERE), AttemptOutcome.FAILED)
        assert valkey.counts.round_trips == before + 1
        await attempts.begin("bob", HERE)
        assert valkey.counts.round_trips == before + 2
        loop = asyncio.get_running_loop()
        began = loop.time()
        attempt = await attempts.begin("eve", HERE)
        await attempts.settle(attempt, AttemptOutcome.FAILED)
        flights = f"{prefix}:f:w:n:{attempt.records[1][1].decode()}"
        async with asyncio.timeout(5):
            while redis.run("ZCARD", flights) != 1:  # noqa: ASYNC110  (bob is in flight)
                await asyncio.sleep(0)
        assert loop.time() - began < LAZY + 1


async def test_attempts_of_a_node_that_died_are_given_up(redis: RedisServer, prefix: str) -> None:
    clock = Clock()
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        dead, alive = shared(valkey, prefix, clock=clock), shared(valkey, prefix, clock=clock)
        for _ in range(3):
            await dead.begin("ada", HERE)
        with pytest.raises(TooManyAttemptsError):
            await alive.begin("ada", HERE)
        clock.time += 121
        assert (await alive.begin("ada", HERE)).hold == 0


# Valkey away.


async def counted(counts: Sequence[NodeCount], wanted: int) -> None:
    async with asyncio.timeout(15):
        while {each() for each in counts} != {wanted}:  # noqa: ASYNC110  (no event says so)
            await asyncio.sleep(0)


async def test_nodes_count_each_other_and_keep_the_number_while_valkey_is_away(
    redis: RedisServer, prefix: str
) -> None:
    connections = [ValkeyConnection(parse_valkey_url(redis.url)) for _ in range(4)]
    counts = [NodeCount(each, prefix) for each in connections]
    for valkey, count in zip(connections, counts, strict=True):
        valkey.listeners.append(count)
    assert [each() for each in counts] == [2] * 4
    async with connections[0]:
        assert await connections[0].first_attempt(5)
        assert counts[0]() == 2, "one node needs no cluster"
        async with connections[1], connections[2], connections[3]:
            await counted(counts, 4)
            redis.kill()
            async with asyncio.timeout(15):
                while any(each.up for each in connections):  # noqa: ASYNC110  (no event says so)
                    await asyncio.sleep(0)
            assert [each() for each in counts] == [4] * 4


async def test_a_node_that_has_ended_is_forgotten_by_the_clock_of_valkey(
    redis: RedisServer, prefix: str
) -> None:
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        count, key = NodeCount(valkey, prefix), f"{prefix}:nodes"
        redis.run("ZADD", key, 1, "ended", 9_999_999_999, "one", 9_999_999_999, "two")
        count.tick(0)
        await counted([count], 3)
        assert redis.run("ZSCORE", key, "ended") is None
        redis.run("SET", key, "garbage")
        count.tick(0)
        await ask(valkey, Script("after", "return 1"), (), ())
        assert count() == 3


async def test_while_valkey_is_away_each_node_allows_its_share(redis: RedisServer, prefix: str) -> None:
    rules = AttemptRules(limit=8, network_limit=100, hold=0)
    told: list[Event] = []
    valkey = ValkeyConnection(parse_valkey_url(redis.url))
    async with valkey:
        assert await valkey.first_attempt(5)
        attempts = SharedAttempts(
            valkey, RING, prefix, LocalAttempts(rules, trace=told.append), nodes=lambda: 4, trace=told.append
        )
        await attempts.settle(await attempts.begin("ada", HERE), AttemptOutcome.FAILED)
        under_way = await attempts.begin("bob", HERE)
        await attempts.counts()
        redis.kill()
        await attempts.settle(await attempts.begin("ada", HERE), AttemptOutcome.FAILED)
        with pytest.raises(TooManyAttemptsError):
            await attempts.begin("ada", HERE)
        assert [type(each) for each in told] == [SignInsBlocked]
        assert [each.name for each in await attempts.counts() if each.blocked] == ["ada"]
        await attempts.settle(under_way, AttemptOutcome.SUCCEEDED)
        redis.start()
        async with asyncio.timeout(15):
            while not valkey.up:  # noqa: ASYNC110  (no event says so)
                await asyncio.sleep(0)
        assert (await attempts.begin("ada", HERE)).hold == 0  # its data are gone
        assert attempts.rules == rules


@pytest.mark.parametrize("began", [10, 25])
@pytest.mark.parametrize(("days", "known"), [(0, True), (29, True), (32, False)])
async def test_a_place_is_known_for_30_days_whoever_guesses_elsewhere(
    redis: RedisServer, prefix: str, began: int, days: int, known: bool
) -> None:
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        clock = Clock()
        clock.time = began * 86_400.0
        attempts = shared(valkey, prefix, clock=clock)
        await attempts.settle(await attempts.begin("ada", HERE), AttemptOutcome.SUCCEEDED)
        clock.time += days * 86_400
        with suppress(TooManyAttemptsError):
            for nth in range(99):
                attempt = await attempts.begin("ada", f"198.51.100.{nth}")
                await attempts.settle(attempt, AttemptOutcome.FAILED)
        if known:
            await attempts.begin("ada", HERE)
        else:
            with pytest.raises(TooManyAttemptsError):
                await attempts.begin("ada", HERE)


async def test_names_and_networks_can_be_read_in_valkey_by_no_one(redis: RedisServer, prefix: str) -> None:
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        attempts = shared(valkey, prefix)
        await attempts.settle(await attempts.begin("ada.lovelace", HERE), AttemptOutcome.SUCCEEDED)
        await attempts.begin("ada.lovelace", HERE)
        await attempts.counts()
        keys = redis.run("KEYS", "*")
        assert isinstance(keys, list)
        assert all(bytes(key).startswith(prefix.encode()) for key in keys)
        everything = json.dumps([str(redis.run("DUMP", key)) for key in keys] + [str(keys)])
        assert "lovelace" not in everything
        assert HERE not in everything
        assert all(redis.run("TTL", key) != -1 for key in keys if b":i:" not in key)


async def test_garbage_in_valkey_is_no_name(redis: RedisServer, prefix: str) -> None:
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        attempts = shared(valkey, prefix)
        attempt = await attempts.begin("ada", HERE)
        await attempts.settle(attempt, AttemptOutcome.FAILED)
        await attempts.counts()
        redis.run("HSET", f"{prefix}:f:p:{attempt.records[0][1].decode()}", "shown", "garbage")
        names = {row.name for row in await attempts.counts() if row.scope is AttemptScope.NAME_AT_NETWORK}
        assert names == {"(several)"}
        redis.run("HSET", f"{prefix}:f:n:{attempt.records[1][1].decode()}", "level", "garbage")
        assert await attempts.begin("ada", HERE)  # decided by this node
