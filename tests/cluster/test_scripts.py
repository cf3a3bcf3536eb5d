"""Each Lua script does what its twin in the simulation does: same answer, same publications, same data."""

import random
from collections.abc import Iterator

import pytest

from quintet.cluster import scripts
from quintet.cluster.valkey import Argument, Reply, Script
from support.redis_server import RedisServer
from support.redis_store import RedisStore
from support.simulated_valkey import RefusedError, SimulatedStore, Value

NODES = (("n1", "aa"), ("n1", "ab"), ("n2", "ba"))
SESSIONS = ("login1", "login2", "login3", "login4")
DIGESTS = ("1" * 22, "2" * 22)
NAMES = ("q:a:000", "q:a:100")
GARBAGE: tuple[bytes, ...] = (
    b"",
    b"n1|aa|0|5|blob",
    b"n2|ba|99999999999999999999|5|b",
    b"n1|aa|x|5|blob",
    b"|||||",
    b"\x00\xff|\r\n",
    b"12",
    b"-1",
    b"1e3",
    b"9" * 30,
    b"7|list",
)


@pytest.fixture(scope="module")
def real(shared_redis: RedisServer) -> Iterator[RedisStore]:
    with RedisStore(shared_redis.port) as store:
        yield store


class Calls:
    """Random calls of all scripts, and what may happen between them."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(f"scripts {seed}")

    def next(self) -> tuple[Script, list[str], list[Argument]]:
        script, arguments = self.random.choice(
            [
                *[(scripts.CLAIM, self.claim)] * 3,
                (scripts.RENEW, self.renew),
                (scripts.RELEASE, self.release),
                *[(scripts.REGISTER, self.register)] * 6,
                *[(scripts.WRITE, self.write)] * 3,
                *[(scripts.REMOVE, self.remove)] * 3,
                *[(scripts.HIDE, self.hide)] * 2,
                *[(scripts.READ, self.read)] * 2,
                (scripts.TOUCH, self.touch),
                (scripts.WRITTEN, self.written),
                (scripts.NAMED, self.named),
            ]
        )
        return script, *arguments()

    def garbage(self) -> tuple[str, Value | None]:
        """Something that stands at a key."""
        key = self.random.choice([*map(self.user, DIGESTS), "q:node:n1", "q:i:aa", *NAMES])
        names = (b"", b"x", b"login1", b"login2", b"login9")
        items = [(name, self.random.choice(GARBAGE)) for name in self.random.sample(names, 3)]
        user = self.random.choice([b"", b"7", b"x", b"9" * 30]) + b"\n"
        for name, value in items:
            lengths = self.random.choice([(len(name), len(value))] * 3 + [(99, 99), (0, 10**20)])
            user += b"%s%d:%d:%s%s" % (self.random.choice([b"S", b"S", b"P", b"Z"]), *lengths, name, value)
        return key, self.random.choice([None, self.random.choice(GARBAGE), dict(items), user, user])

    def user(self, digest: str) -> str:
        return f"q:u:{digest}"

    def key(self) -> str:
        return self.user(self.random.choice(DIGESTS))

    def node(self) -> list[Argument]:
        return ["q:node:", *self.random.choice(NODES)]

    def claim(self) -> tuple[list[str], list[Argument]]:
        name, incarnation = self.random.choice(NODES)
        return [f"q:node:{name}"], [incarnation, 8000, self.random.choice(["", "aa", "ab"])]

    def renew(self) -> tuple[list[str], list[Argument]]:
        name, incarnation = self.random.choice(NODES)
        peers = self.random.sample(NODES, self.random.randrange(3))
        keys = [f"q:node:{name}", *[f"q:node:{each}" for each, _ in peers]]
        return keys, [incarnation, 8000, *[each for _, each in peers]]

    def release(self) -> tuple[list[str], list[Argument]]:
        name, incarnation = self.random.choice(NODES)
        return [f"q:node:{name}"], [incarnation]

    def register(self) -> tuple[list[str], list[Argument]]:
        node, digest = self.node(), self.random.choice(DIGESTS)
        privacy = self.random.choice([b"", b"0|visible", b"3|hidden", b"4|\x00\xff"])
        rule, mode = (
            self.random.choice(["many", "newest", "oldest"]),
            self.random.choice(["new", "away", "returning"]),
        )
        blob = self.random.choice([b"blob", b"other", b"a|b\x00\n\xff"])
        keys = [self.user(digest), f"q:i:{node[2]!s}", *NAMES]
        session = self.random.choice(SESSIONS)
        return keys, [*node, session, blob, privacy, rule, 2, mode, digest, 3600, "alice", 1800]

    def write(self) -> tuple[list[str], list[Argument]]:
        return [self.key()], [*self.node(), self.random.choice(SESSIONS), b"new\x00|", 3600]

    def remove(self) -> tuple[list[str], list[Argument]]:
        node = self.node()
        moving = self.random.choice([0, 0, 45000])
        return [self.key(), f"q:i:{node[2]!s}"], [*node, self.random.choice(SESSIONS), moving, 3600]

    def hide(self) -> tuple[list[str], list[Argument]]:
        privacy = self.random.choice([b"2|a", b"3|b", b"5|c"])
        return [self.key()], [*self.node(), privacy, 3600, self.random.choice([0, 0, 1])]

    def read(self) -> tuple[list[str], list[Argument]]:
        return [self.key()], ["q:node:"]

    def touch(self) -> tuple[list[str], list[Argument]]:
        sessions = self.random.sample(SESSIONS, 2)
        keys = [key for _ in sessions for key in (self.key(), "q:i:aa", *NAMES)]
        return keys, [3600, 1800, *[each for session in sessions for each in (session, "alice", DIGESTS[0])]]

    def written(self) -> tuple[list[str], list[Argument]]:
        return [f"q:i:{incarnation}" for _, incarnation in self.random.sample(NODES, 2)], []

    def named(self) -> tuple[list[str], list[Argument]]:
        return list(NAMES), [self.random.choice(["alice", "bob"])]


def plain(script: Script, answer: Reply | RefusedError) -> object:
    """An answer that can be compared: the order of a hash is nobody's promise."""
    if isinstance(answer, RefusedError):
        return "refused"
    if script is scripts.WRITTEN:
        match answer:
            case list() as pairs:
                return sorted(zip(pairs[::2], pairs[1::2], strict=True))
    return answer


@pytest.mark.parametrize("seed", range(40))
def test_a_script_and_its_twin_do_the_same(seed: int, real: RedisStore) -> None:
    calls = Calls(seed)
    twin = SimulatedStore()
    real.full = real.read_only = False
    real.flush()
    real.now = twin.now
    for _ in range(60):
        passed = calls.random.choice([1000, 200_000, 200_000, 5_000_000, 50_000_000, 3_000_000_000])
        twin.now += passed
        real.now += passed
        if calls.random.random() < 0.1:
            key, value = calls.garbage()
            for store in (twin, real):
                store.put(key, value)
        full, read_only = calls.random.random() < 0.08, calls.random.random() < 0.05
        for store in (twin, real):
            store.full, store.read_only = full, read_only
        script, keys, args = calls.next()
        expected, told = twin.run(script, keys, args)
        answer, published = real.run(script, keys, args)
        assert plain(script, answer) == plain(script, expected), script.name
        assert published == told, script.name
        twin.expire()
        assert real.dump() == twin.dump(), script.name


def test_every_script_is_compared() -> None:
    calls = Calls(0)
    used = {calls.next()[0].name for _ in range(1000)}
    assert used == {each.name for each in vars(scripts).values() if isinstance(each, Script)}
