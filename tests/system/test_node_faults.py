"""Nodes and Valkey fail under users who talk and confer: soon all clients show what exists; no line is lost.

`script/faults` runs more rounds with more users. Partitions are in `test_node_partitions`.
"""

import asyncio
import random
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from support import relay as relays
from support.cluster_nodes import ClusterNodes
from support.command import run_program
from support.faults import (
    AWAY,
    NODES,
    PAIRS,
    ROUNDS,
    assert_apart,
    assert_ended,
    assert_stayed,
    assert_whole,
    figures_of,
    signed_in,
    victim_and_others,
)
from support.postgres import Postgres
from support.redis_server import RedisServer
from support.relay import Relay
from support.slapd import Slapd
from support.talkers import Talkers, ldif
from support.waiting import pause

pytestmark = [pytest.mark.real, pytest.mark.serial]


@dataclass(frozen=True, slots=True)
class Community:
    """Three nodes, each behind a relay of its own before Valkey."""

    nodes: ClusterNodes
    redis: RedisServer
    relays: dict[str, Relay]
    urls: dict[str, str]

    def start(self, *names: str) -> None:
        for name in names:
            self.nodes.start(name, QUINTET_CLUSTER=self.urls[name], QUINTET_SHUTDOWN_SECONDS="8")

    @contextmanager
    def still(self, name: str) -> Iterator[None]:
        """The node does not go on while the context is open."""
        self.nodes.running[name].send(signal.SIGSTOP)
        try:
            yield
        finally:
            self.nodes.running[name].send(signal.SIGCONT)

    @contextmanager
    def stalled(self, name: str) -> Iterator[None]:
        """The node gets nothing from Valkey, nor Valkey from it, while the context is open."""
        relay = self.relays[name]
        relay.in_its_thread(relay.stall)
        try:
            yield
        finally:
            relay.in_its_thread(relay.restore)


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Community]:
    with ExitStack() as stack:
        slapd = stack.enter_context(Slapd(ldif(2 * PAIRS)))
        redis = stack.enter_context(RedisServer(keep=True))
        database = stack.enter_context(Postgres()).new_database()
        nodes = stack.enter_context(ClusterNodes(tmp_path_factory.mktemp("nodes"), slapd, redis, database))
        doors = {name: stack.enter_context(relays.in_thread(redis.port)) for name in NODES}
        urls = {name: f"redis://127.0.0.1:{port}" for name, (_, port) in doors.items()}
        made = Community(nodes, redis, {name: relay for name, (relay, _) in doors.items()}, urls)
        made.start(*NODES)
        yield made


@pytest.fixture
async def talkers(community: Community, request: pytest.FixtureRequest) -> AsyncIterator[Talkers]:
    if gone := [each for each in NODES if each not in community.nodes.running]:
        community.start(*gone)  # after a test that has failed
    async with signed_in(community.nodes, request.node.name) as found:
        yield found


@pytest.mark.parametrize("round_", ROUNDS)
@figures_of("kill -9 of a node")
async def test_after_a_node_was_killed_and_started_again(
    community: Community, talkers: Talkers, round_: int
) -> None:
    victim, others = victim_and_others(round_)
    gone = sorted(each.dn for each in talkers.at(victim))
    async with talkers.load():
        await pause(random.uniform(1, 4))
        over, stay = talkers.rooms.seats([victim], others), talkers.rooms.seats(others, others)
        await asyncio.to_thread(community.nodes.kill, victim)
        await assert_ended(talkers, over)
    await assert_whole(talkers, *others)
    assert_stayed(stay)
    for each in talkers.at(*others):
        assert sorted(each.went_offline) == gone
    await asyncio.to_thread(community.start, victim)
    await talkers.sign_in(talkers.at(victim))
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("round_", ROUNDS)
@figures_of("SIGSTOP of a node")
async def test_while_a_node_stands_still_and_after_it_goes_on(
    community: Community, talkers: Talkers, round_: int
) -> None:
    victim, others = victim_and_others(round_)
    async with talkers.load() as at_rest:
        await pause(random.uniform(1, 4))
        over, stay = talkers.rooms.seats([victim], others), talkers.rooms.seats(others, others)
        with community.still(victim):
            await assert_ended(talkers, over)
            await at_rest()
            await assert_whole(talkers, *others)
            assert_stayed(stay)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("kept", ["with", "without"])
@pytest.mark.parametrize("round_", ROUNDS)
@figures_of("Valkey away, back {kept} its data")
async def test_while_valkey_is_away_and_after_it_is_back(
    community: Community, talkers: Talkers, kept: str, round_: int
) -> None:
    apart = [(node,) for node in NODES]
    async with talkers.load():
        await pause(1)
        stay = [seat for each in NODES for seat in talkers.rooms.seats([each], [each])]
        await asyncio.to_thread(community.redis.stop)
        await pause(AWAY)
    try:
        await assert_apart(talkers, *apart)
        assert_stayed(stay)
        if kept == "without":
            shutil.rmtree(community.redis.folder / "appendonlydir")
    finally:
        await asyncio.to_thread(community.redis.start)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("round_", ROUNDS)
@figures_of("stalled connection between a node and Valkey")
async def test_while_a_node_is_cut_off_from_valkey_and_after(
    community: Community, talkers: Talkers, round_: int
) -> None:
    victim, others = victim_and_others(round_)
    async with talkers.load() as at_rest:
        await pause(random.uniform(1, 4))
        over = talkers.rooms.seats([victim], others) + talkers.rooms.seats(others, [victim])
        stay = talkers.rooms.seats(others, others) + talkers.rooms.seats([victim], [victim])
        with community.stalled(victim):
            await assert_ended(talkers, over)
            await at_rest()
            await assert_apart(talkers, others, [victim])
            assert_stayed(stay)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


@figures_of("rolling restart of three nodes")
async def test_a_rolling_restart_loses_no_line_and_shows_no_user_as_offline(
    community: Community, talkers: Talkers
) -> None:
    for leaving in NODES:
        staying = [each for each in NODES if each != leaving]
        there = len(talkers.at(leaving))
        before = sum(each.reconnects for each in talkers.all)
        async with talkers.load(statuses=False), talkers.coming_back(*staying):
            await pause(1)
            over = talkers.rooms.seats([leaving], staying)
            stay = talkers.rooms.seats(staying, staying)
            running = community.nodes.running.pop(leaving)
            assert await asyncio.to_thread(running.end) == 0
            await assert_ended(talkers, over)
            async with asyncio.timeout(60):
                while talkers.at(leaving):
                    await pause(0.1)
        assert sum(each.reconnects for each in talkers.all) - before == there
        await assert_whole(talkers, *staying)
        assert_stayed(stay)
        await asyncio.to_thread(community.start, leaving)
    assert [each.went_offline for each in talkers.all] == [[]] * len(talkers.all)


@figures_of("drain --share 50% of a node")
async def test_users_of_whom_a_share_is_let_go_are_shown_all_the_time(
    community: Community, talkers: Talkers
) -> None:
    there = len(talkers.at("n0"))
    let_go = -(-there // 2)
    async with talkers.load(statuses=False), talkers.coming_back("n1", "n2"):
        folder = community.nodes.folder("n0")
        ran = await asyncio.to_thread(run_program, "--config", folder, "drain", "--share", "50%")
        assert ran.err == f"Closing {let_go} of {there} sessions.\n"
        async with asyncio.timeout(60):
            while sum(each.reconnects for each in talkers.all) < let_go:
                await pause(0.1)
    await assert_whole(talkers, *NODES)
    assert sum(each.reconnects for each in talkers.all) == let_go
    assert [each.went_offline for each in talkers.all] == [[]] * len(talkers.all)
