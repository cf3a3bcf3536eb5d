"""Public groups are read once for all nodes, with a real Redis."""

import asyncio
import secrets

import pytest

from quintet.cluster.connection import ValkeyConnection
from quintet.cluster.group_contents import LARGEST, SharedGroupContents
from quintet.cluster.sealing import KeyRing
from quintet.config import parse_valkey_url
from quintet.directory import Group, Membership, Person, UnknownGroupError
from support.redis_server import RedisServer

RING = KeyRing([bytes(32)])
GROUP = Group("cn=g,o=example", "cn=g,o=example", "G", "one")


def content(*names: str) -> Membership:
    people = tuple(Person(f"uid={name}", f"uid={name}", name, None, "one") for name in names)
    return Membership(GROUP, people, (GROUP,), ("uid=gone",), truncated=True, limit=1000)


class Directory:
    """Answers when it may, and counts."""

    def __init__(self, answer: Membership | Exception) -> None:
        self.answer = answer
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def members(self, group: str) -> Membership:
        self.asked += 1
        await self.may_answer.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def key_of(redis: RedisServer, prefix: str) -> str:
    """Where the content of the one group is."""
    keys = redis.run("KEYS", f"{prefix}:g:*")
    assert isinstance(keys, list)
    (key,) = keys
    return bytes(key).decode()


def node(
    valkey: ValkeyConnection, prefix: str, directory: Directory, seconds: float = 60
) -> SharedGroupContents:
    return SharedGroupContents(valkey, RING, prefix, directory, seconds)


@pytest.fixture
def prefix() -> str:
    return f"quintet:{secrets.token_hex(8)}"


async def test_four_nodes_at_once_ask_the_directory_once(redis: RedisServer, prefix: str) -> None:
    directory = Directory(content("ada", "text \udce9"))
    directory.may_answer.clear()
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        asking = [
            asyncio.ensure_future(node(valkey, prefix, directory).members("cn=g,o=example")) for _ in range(4)
        ]
        async with asyncio.timeout(10):
            while not directory.asked:  # noqa: ASYNC110  (a counter of this loop)
                await asyncio.sleep(0)
        directory.may_answer.set()
        assert await asyncio.gather(*asking) == [directory.answer] * 4
        assert directory.asked == 1
        assert await node(valkey, prefix, directory).members("CN=G,o=example") == directory.answer
        key = key_of(redis, prefix)
        assert 50_000 < redis.run("PTTL", key) <= 54_000  # type: ignore[operator]
        assert b"ada" not in bytes(redis.run("GET", key))  # type: ignore[call-overload]


async def test_it_is_read_again_when_it_has_expired(redis: RedisServer, prefix: str) -> None:
    directory = Directory(content("ada"))
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        assert await node(valkey, prefix, directory, 0.001).members("g") == directory.answer
        directory.answer = content("bob")
        async with asyncio.timeout(10):
            while await node(valkey, prefix, directory).members("g") != directory.answer:
                pass
        assert directory.asked == 2


async def test_an_error_is_that_of_one_node_and_the_next_reads(redis: RedisServer, prefix: str) -> None:
    failing, good = Directory(UnknownGroupError("none")), Directory(content("ada"))
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        with pytest.raises(UnknownGroupError):
            await node(valkey, prefix, failing).members("g")
        assert await node(valkey, prefix, good).members("g") == good.answer


async def test_while_valkey_is_away_or_holds_garbage_each_node_reads_for_itself(
    redis: RedisServer, prefix: str
) -> None:
    directory = Directory(content("ada"))
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        one = node(valkey, prefix, directory)
        for _ in range(2):
            await one.members("g")  # what is written is there when it is asked for again
        key = key_of(redis, prefix)
        for garbage in (b"garbage", RING.seal("group content", (key,), b"not compressed")):
            redis.run("SET", key, garbage)
            assert await one.members("g") == directory.answer
        redis.kill()
        assert await one.members("g") == directory.answer
        assert directory.asked == 4


async def test_what_is_too_large_is_not_shared(redis: RedisServer, prefix: str) -> None:
    directory = Directory(content(*(secrets.token_hex(100) for _ in range(LARGEST // 50))))
    async with ValkeyConnection(parse_valkey_url(redis.url)) as valkey:
        assert await valkey.first_attempt(5)
        for _ in range(2):
            assert await node(valkey, prefix, directory).members("g") == directory.answer
        assert directory.asked == 2
