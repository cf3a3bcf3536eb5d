"""The Lua scripts of messages, names and orders do what their twins in the simulation do."""

import random
from collections.abc import Iterator
from typing import Any

import pytest

from quintet.cluster.exchange import CLAIM_NAME, RELEASE_NAME
from quintet.cluster.orders import GIVE
from quintet.cluster.streams import APPEND, TRIM
from quintet.cluster.valkey import Argument, Reply, Script
from support.redis_server import RedisServer
from support.redis_store import RedisStore
from support.simulated_messages import MESSAGE_TWINS
from support.simulated_valkey import RefusedError, SimulatedStore

NODES = (("n1", "aa"), ("n1", "ab"), ("n2", "ba"))
GARBAGE = (b"", b"aa", b"aa|n1", b"ba|n2", b"zz|n1", b"|", b"a|b|c", b"\x00\xff", {b"f": b"v"}, None)
LATEST = "99999999999999-0"


@pytest.fixture(scope="module")
def real(shared_redis: RedisServer) -> Iterator[RedisStore]:
    with RedisStore(shared_redis.port) as store:
        yield store


class Calls:
    """Random calls, and what may stand at the keys."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"messages {seed}")

    def next(self) -> tuple[Script, list[str], list[Argument]]:
        (name, incarnation), (other, another) = self.random.choices(NODES, k=2)
        lease, stream = f"q:node:{name}", f"q:s:{another}"
        match self.random.choice([APPEND, APPEND, APPEND, TRIM, CLAIM_NAME, CLAIM_NAME, RELEASE_NAME, GIVE]):
            case script if script is APPEND:
                data = self.random.choice([b"one", b"two\x00\n", b""])
                return script, [lease, f"q:node:{other}", stream], [incarnation, another, data, 10_000, 600]
            case script if script is TRIM:
                return script, [stream], [self.random.choice(["0-1", "0-1", LATEST]), 600]
            case script if script is CLAIM_NAME:
                return script, ["q:c:x", lease], ["q:node:", incarnation, name, 3600]
            case script if script is RELEASE_NAME:
                return script, ["q:c:x"], [incarnation, name]
            case script:
                return script, [lease, "q:all"], [incarnation, b"order"]


def contents(store: RedisStore | SimulatedStore) -> dict[str, Any]:
    """What is at the keys; of streams the data, since the IDs have another clock."""
    return {
        key: [data for _, data in store.entries(key, "0")] if key.startswith("q:s:") else value
        for key, (value, _) in store.dump().items()
    }


def plain(answer: Reply | RefusedError) -> object:
    return "refused" if isinstance(answer, RefusedError) else answer


@pytest.mark.parametrize("seed", range(30))
def test_a_script_and_its_twin_do_the_same(seed: int, real: RedisStore) -> None:
    calls = Calls(seed)
    chance = calls.random
    twin = SimulatedStore()
    real.full = real.read_only = False
    real.flush()
    real.now = twin.now
    for _ in range(60):
        passed = chance.choice([1000, 200_000, 5_000_000, 300_000_000])
        twin.now += passed
        real.now += passed
        for store in (twin, real):
            store.full = store.read_only = False
        if chance.random() < 0.5:
            name, incarnation = chance.choice(NODES)
            for store in (twin, real):
                store.put(f"q:node:{name}", incarnation.encode())
        if chance.random() < 0.1:
            key, value = chance.choice(["q:node:n1", "q:c:x", "q:s:aa"]), chance.choice(GARBAGE)
            for store in (twin, real):
                store.put(key, value)
        full, read_only = chance.random() < 0.08, chance.random() < 0.05
        for store in (twin, real):
            store.full, store.read_only = full, read_only
        script, keys, args = calls.next()
        expected, told = twin.run(script, keys, args)
        answer, published = real.run(script, keys, args)
        assert plain(answer) == plain(expected), script.name
        assert published == told, script.name
        twin.expire()
        assert contents(real) == contents(twin), script.name


def test_every_script_has_a_twin_and_is_compared() -> None:
    calls = Calls(0)
    used = {calls.next()[0].name for _ in range(1000)}
    assert (
        used == {each.name for each in (APPEND, TRIM, CLAIM_NAME, RELEASE_NAME, GIVE)} == MESSAGE_TWINS.keys()
    )
