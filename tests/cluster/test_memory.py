"""What a session takes of Valkey's memory, on a real server, with all that it leaves there.

That is what nodes read of the user, the channel to which the user's node is subscribed, how the user is
found, and that the user has signed in from this place.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import product
from typing import Any, Final

import pytest
import redis as client

from quintet.cluster import ClusterNode, KeyRing
from quintet.cluster.attempts import SharedAttempts
from quintet.cluster.valkey import Answer, Argument, Script
from quintet.directory import AttemptOutcome, AttemptRules, LocalAttempts
from quintet.runtime.cluster import NodeSealing
from quintet.sametime.community import Community, Node, Refusal, SessionRecord
from quintet.sametime.community.effects import Effect
from quintet.sametime.neighbours import Order, Registered, SessionRow, VersionedPrivacy
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, LoginInfo, UserStatus
from support.redis_server import RedisServer

SESSIONS: Final = 2000
MOST_BYTES: Final = 1024
RENEWED_AFTER: Final = 50
PREFIX: Final = "quintet:quintet"
KEYS: Final = KeyRing([bytes(32)])


class Direct:
    """Valkey that answers at once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._channels = connection.pubsub()

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        reply = self._connection.register_script(script.lua)(list(keys), list(args))
        if answer is not None:
            answer(reply)

    call_lazily = call

    def subscribe(self, channel: str) -> None:
        self._channels.subscribe(channel)
        while self._channels.get_message(timeout=0) is not None:
            pass

    def unsubscribe(self, channel: str) -> None: ...

    def read_stream(self, key: str) -> None: ...


class Silent:
    """A node whose clients hear nothing."""

    def __init__(self) -> None:
        self.community = Community(Node("node-1", "local"))

    def deliver(self, effects: list[Effect]) -> None: ...

    def carry_out(self, order: Order, then: Callable[[int], None]) -> None: ...

    def read_privacy(self, user_id: str) -> None: ...

    def session_rows(self) -> Iterator[tuple[SessionRow, ...]]:
        raise AssertionError

    def in_slices(self, steps: Iterator[None]) -> None: ...


@pytest.mark.parametrize("others", [0, 600], ids=["some thousands of users", "so many that hashes are large"])
async def test_a_session_takes_at_most_a_kibibyte(redis: RedisServer, others: int) -> None:
    with closing(client.Redis("127.0.0.1", redis.port)) as connection:
        for turn, kind in product("01", ("a", "f:k")) if others else ():
            for part in range(256):
                fields: Any = {f"{number:012}": "x" * 22 for number in range(others)}
                connection.hset(f"{PREFIX}:{kind}:{turn}{part:02x}", mapping=fields)
        valkey = Direct(connection)
        node = ClusterNode(valkey, PREFIX, NodeSealing(KEYS), Silent())
        attempts = SharedAttempts(
            valkey, KEYS, PREFIX, LocalAttempts(AttemptRules(limit=10, network_limit=100)), nodes=lambda: 1
        )
        node.connected("server-1", 0.0)
        answers: list[Registered | Refusal] = []

        async def sign_in(number: int) -> None:
            session = record(node, number)
            attempt = await attempts.begin(session.login_name, f"192.0.2.{number % 250}")
            await attempts.settle(attempt, AttemptOutcome.SUCCEEDED)
            node.register(session, VersionedPrivacy(0, VISIBLE_TO_ALL), answers.append)
            if not number % RENEWED_AFTER:
                node.tick(0.0)

        await sign_in(0)
        before = used(connection)
        for number in range(1, SESSIONS + 1):
            await sign_in(number)
        each = (used(connection) - before) / SESSIONS
        assert answers == [Registered(VISIBLE_TO_ALL, frozenset())] * (SESSIONS + 1)
        assert 0 < each <= MOST_BYTES


def record(node: ClusterNode, number: int) -> SessionRecord:
    """A session with a DN of 60 to 90 characters, and other names that are as long."""
    unit = "research-and-development-of-things-and-more"[: number % 31 + 8]
    login = LoginInfo(
        f"{number:016X}",
        0x1240,
        f"uid=m.mustermann{number:05},ou={unit},ou=people,dc=example,dc=com",
        f"Maximilian Mustermann-Ott {number:04}"[:30],
        address=0xC0000201,
        server_id=node.lease.node.name,
    )
    now, status = time.time(), UserStatus(0x20, 0, "In a meeting until 15:30, back")
    return SessionRecord(node.lease.node, login, f"maximilian.m{number:08}", now, now, status)


def used(connection: Any) -> int:
    return int(connection.info("memory")["used_memory"])
