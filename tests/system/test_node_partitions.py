"""A node in a network namespace of its own is cut off: packets vanish in both directions, without a sign.

The node has two links, one to Valkey, and one to the directory, PostgreSQL and its clients. Where network
namespaces cannot be made, a proxy that stalls is the next best thing: see `test_node_faults`.
"""

import random
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from support import certs
from support.cluster_nodes import ClusterNodes
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
)
from support.namespaces import Link, NetworkNamespace
from support.postgres import Postgres
from support.redis_server import PASSWORD, RedisServer
from support.slapd import Slapd
from support.talkers import Talkers, ldif
from support.waiting import pause

pytestmark = [pytest.mark.real, pytest.mark.serial]

VICTIM, *OTHERS = NODES
LENGTHS = {"until it is noticed": 0.0, f"{AWAY:g} s longer": AWAY}


@dataclass(frozen=True, slots=True)
class Community:
    """Three nodes. `to_valkey` and `to_others` are the links of the first."""

    nodes: ClusterNodes
    to_valkey: Link
    to_others: Link


@pytest.fixture(scope="module")
def community(tmp_path_factory: pytest.TempPathFactory, namespace: NetworkNamespace) -> Iterator[Community]:
    to_valkey, to_others = namespace.links
    with ExitStack() as stack:
        authority = certs.authority()
        certificate = certs.leaf(authority, to_others.here)
        slapd = stack.enter_context(
            Slapd(ldif(2 * PAIRS), authority=authority, certificate=certificate, host=to_others.here)
        )
        redis = stack.enter_context(RedisServer(password=PASSWORD, host=to_valkey.here))
        database = f"{stack.enter_context(Postgres(to_others.here)).new_database()}?sslmode=disable"
        nodes = stack.enter_context(ClusterNodes(tmp_path_factory.mktemp("nodes"), slapd, redis, database))
        nodes.addresses[VICTIM] = to_others.there
        nodes.namespaces[VICTIM] = namespace
        nodes.start(*NODES, QUINTET_ALLOW_UNENCRYPTED_CLUSTER="1", QUINTET_LEGACY_CLIENTS="allow")
        yield Community(nodes, to_valkey, to_others)


@pytest.fixture
async def talkers(community: Community, request: pytest.FixtureRequest) -> AsyncIterator[Talkers]:
    async with signed_in(community.nodes, request.node.name) as found:
        yield found


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("round_", ROUNDS)
@figures_of("partition between a node and Valkey, {length}")
async def test_while_a_node_is_cut_off_from_valkey_and_after(
    community: Community, talkers: Talkers, length: str, round_: int
) -> None:
    async with talkers.load() as at_rest:
        await pause(random.uniform(1, 4))
        over = talkers.rooms.seats([VICTIM], OTHERS) + talkers.rooms.seats(OTHERS, [VICTIM])
        stay = talkers.rooms.seats(OTHERS, OTHERS) + talkers.rooms.seats([VICTIM], [VICTIM])
        with community.to_valkey.cut():
            await assert_ended(talkers, over)
            await pause(LENGTHS[length])
            await at_rest()
            await assert_apart(talkers, OTHERS, [VICTIM])
            assert_stayed(stay)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("round_", ROUNDS)
@figures_of("partition between a node and all others")
async def test_while_a_node_is_cut_off_from_everything_and_after(
    community: Community, talkers: Talkers, round_: int
) -> None:
    async with talkers.load() as at_rest:
        await pause(random.uniform(1, 4))
        over, stay = talkers.rooms.seats([VICTIM], OTHERS), talkers.rooms.seats(OTHERS, OTHERS)
        with community.to_valkey.cut(), community.to_others.cut():
            await assert_ended(talkers, over)
            await at_rest()
            await assert_whole(talkers, *OTHERS)
            assert_stayed(stay)
    async with talkers.load():
        await pause(2)
    await assert_whole(talkers, *NODES)


@pytest.mark.parametrize("round_", ROUNDS)
@figures_of("partition between a node and Valkey, at most 2 s")
async def test_a_cut_that_is_shorter_than_a_lease_is_not_seen(
    community: Community, talkers: Talkers, round_: int
) -> None:
    """TCP repeats what was lost after up to twice the length of the cut; a renewal may be 2 s old then."""
    async with talkers.load():
        await pause(random.uniform(1, 4))
        stay = talkers.rooms.seats(NODES, NODES)
        with community.to_valkey.cut():
            await pause(random.uniform(0, 2))
        await pause(2)
    await assert_whole(talkers, *NODES)
    assert_stayed(stay)
    assert [each.went_offline for each in talkers.all] == [[]] * len(talkers.all)
