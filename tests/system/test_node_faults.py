"""Nodes and Valkey fail under users who talk: soon all clients show the sessions that exist; no line is lost.

`script/faults` runs more rounds with more users.
"""

import asyncio
import os
import random
import shutil
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from support import relay as relays
from support.cluster_nodes import ClusterNodes
from support.command import run_program
from support.postgres import Postgres
from support.redis_server import RedisServer
from support.relay import Relay
from support.slapd import Slapd
from support.talkers import Talkers, ldif, pause

pytestmark = [pytest.mark.real, pytest.mark.serial]

NODES = ("n0", "n1", "n2")
ROUNDS = range(int(os.environ.get("QUINTET_FAULT_ROUNDS", "1")))
PAIRS = int(os.environ.get("QUINTET_FAULT_PAIRS", "9"))
AWAY = float(os.environ.get("QUINTET_FAULT_SECONDS", "12"))
"""How long Valkey is away: more than the 8 s after which nodes do not believe in each other any more."""
SOON = 15.0
"""Seconds after which every client shows the sessions that exist."""


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
    """All users, signed in and seen by all."""
    seed = hash(request.node.name) if len(ROUNDS) > 1 else 0
    found = Talkers(community.nodes.ports, 2 * PAIRS, seed=seed)
    await found.sign_in(found.all)
    assert await found.agreed(NODES, within=SOON) == []
    for each in found.all:
        each.went_offline.clear()  # users of the test before
    yield found
    await found.close()


def victim_and_others(round_: int) -> tuple[str, list[str]]:
    victim = NODES[round_ % len(NODES)]
    return victim, [each for each in NODES if each != victim]


async def assert_whole(talkers: Talkers, *nodes: str) -> None:
    """All agree soon, and between these nodes no line is missing."""
    assert await talkers.agreed(nodes, within=SOON) == []
    assert await talkers.unheard(*nodes, within=SOON) == []
    assert talkers.gaps == 0


@pytest.mark.parametrize("round_", ROUNDS)
async def test_after_a_node_was_killed_and_started_again(
    community: Community, talkers: Talkers, round_: int
) -> None:
    victim, others = victim_and_others(round_)
    async with talkers.load():
        await pause(1)
        await asyncio.to_thread(community.nodes.kill, victim)
        await pause(random.uniform(0, 3))
    await assert_whole(talkers, *others)
    await asyncio.to_thread(community.start, victim)
    await talkers.sign_in(talkers.at(victim))
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_while_a_node_stands_still_and_after_it_goes_on(
    community: Community, talkers: Talkers, round_: int
) -> None:
    victim, others = victim_and_others(round_)
    async with talkers.load():
        await pause(1)
        community.nodes.running[victim].send(signal.SIGSTOP)
        await pause(random.uniform(0, 3))
    try:
        assert await talkers.agreed(others, within=SOON) == []
    finally:
        community.nodes.running[victim].send(signal.SIGCONT)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("kept", [True, False], ids=["with its data", "without its data"])
@pytest.mark.parametrize("round_", ROUNDS)
async def test_while_valkey_is_away_and_after_it_is_back(
    community: Community, talkers: Talkers, kept: bool, round_: int
) -> None:
    async with talkers.load():
        await pause(1)
        await asyncio.to_thread(community.redis.stop)
        await pause(AWAY)
    try:
        assert await talkers.agreed(*((node,) for node in NODES), within=SOON) == []
        for node in NODES:
            assert await talkers.unheard(node, within=SOON) == []
        if not kept:
            shutil.rmtree(community.redis.folder / "appendonlydir")
    finally:
        await asyncio.to_thread(community.redis.start)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("round_", ROUNDS)
async def test_while_a_node_is_cut_off_from_valkey_and_after(
    community: Community, talkers: Talkers, round_: int
) -> None:
    victim, others = victim_and_others(round_)
    relay = community.relays[victim]
    async with talkers.load():
        await pause(1)
        relay.in_its_thread(relay.stall)
        await pause(random.uniform(0, 3))
    try:
        assert await talkers.agreed(others, (victim,), within=SOON) == []
    finally:
        relay.in_its_thread(relay.restore)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


async def test_a_rolling_restart_loses_no_line_and_shows_no_user_as_offline(
    community: Community, talkers: Talkers
) -> None:
    for leaving in NODES:
        staying = [each for each in NODES if each != leaving]
        there = len(talkers.at(leaving))
        before = sum(each.reconnects for each in talkers.all)
        async with talkers.load(statuses=False), talkers.coming_back(*staying):
            await pause(1)
            running = community.nodes.running.pop(leaving)
            assert await asyncio.to_thread(running.end) == 0
            async with asyncio.timeout(60):
                while talkers.at(leaving):
                    await pause(0.1)
        assert sum(each.reconnects for each in talkers.all) - before == there
        await assert_whole(talkers, *staying)
        await asyncio.to_thread(community.start, leaving)
    assert [each.went_offline for each in talkers.all] == [[]] * len(talkers.all)


async def test_users_of_whom_a_share_is_let_go_are_shown_all_the_time(
    community: Community, talkers: Talkers
) -> None:
    there = len(talkers.at("n0"))
    async with talkers.load(statuses=False), talkers.coming_back("n1", "n2"):
        folder = community.nodes.folder("n0")
        ran = await asyncio.to_thread(run_program, "--config", folder, "drain", "--share", "50%")
        assert ran.err == f"Closing {-(-there // 2)} of {there} sessions.\n"
        await pause(3)
    await assert_whole(talkers, *NODES)
    assert sum(each.reconnects for each in talkers.all) == -(-there // 2)
    assert [each.went_offline for each in talkers.all] == [[]] * len(talkers.all)
