"""What a session takes of Valkey's memory, on a real server, with what a server writes of its users.

It is what is stored: the channel to which the node subscribes takes about 220 bytes more.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any, Final

import redis as client

from quintet.cluster import ClusterNode, KeyRing
from quintet.cluster.valkey import Answer, Argument, Script
from quintet.runtime.cluster import NodeSealing
from quintet.sametime.community import Community, Node, Refusal, SessionRecord
from quintet.sametime.community.effects import Effect
from quintet.sametime.neighbours import Order, Registered, SessionRow, VersionedPrivacy
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, LoginInfo, UserStatus
from support.redis_server import RedisServer

SESSIONS: Final = 2000
MOST_BYTES: Final = 1024
RENEWED_AFTER: Final = 50


class Direct:
    """Valkey that answers at once."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        reply = self._connection.register_script(script.lua)(list(keys), list(args))
        if answer is not None:
            answer(reply)

    def subscribe(self, channel: str) -> None: ...

    def unsubscribe(self, channel: str) -> None: ...

    def read_stream(self, key: str) -> None: ...


class Silent:
    """A node whose clients hear nothing."""

    def __init__(self) -> None:
        self.community = Community(Node("node-1", "local"))

    def deliver(self, effects: list[Effect]) -> None: ...

    def carry_out(self, order: Order, then: Callable[[int], None]) -> None: ...

    def session_rows(self) -> Iterator[tuple[SessionRow, ...]]:
        raise AssertionError

    def in_slices(self, steps: Iterator[None]) -> None: ...


def test_a_session_takes_at_most_a_kibibyte(redis: RedisServer) -> None:
    with closing(client.Redis("127.0.0.1", redis.port)) as connection:
        node = ClusterNode(Direct(connection), "quintet:quintet", NodeSealing(KeyRing([bytes(32)])), Silent())
        node.connected("server-1", 0.0)
        answers: list[Registered | Refusal] = []
        node.register(record(node, 0), VersionedPrivacy(0, VISIBLE_TO_ALL), answers.append)
        before = used(connection)
        for number in range(1, SESSIONS + 1):
            node.register(record(node, number), VersionedPrivacy(0, VISIBLE_TO_ALL), answers.append)
            if not number % RENEWED_AFTER:
                node.tick(0.0)
        each = (used(connection) - before) / SESSIONS
        assert answers == [Registered(VISIBLE_TO_ALL, frozenset())] * (SESSIONS + 1)
        assert 0 < each <= MOST_BYTES


def record(node: ClusterNode, number: int) -> SessionRecord:
    login = LoginInfo(
        f"{number:016X}",
        0x1240,
        f"uid=jsmith{number:05},ou=people,dc=example,dc=com",
        f"John Smith {number:05}",
        address=0x7F000001,
        server_id=node.lease.node.name,
    )
    now, status = time.time(), UserStatus(0x20, 0, "I am available")
    return SessionRecord(node.lease.node, login, f"jsmith{number:05}", now, now, status)


def used(connection: Any) -> int:
    return int(connection.info("memory")["used_memory"])
