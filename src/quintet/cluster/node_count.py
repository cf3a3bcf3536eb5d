"""How many nodes the community has: each says every 2 seconds that it is there, by a name of its own.

The number that was seen last holds while Valkey is away. A node that has ended counts for a minute.
"""

# ruff: noqa: ARG002  # time and data are Valkey's

import secrets
from typing import Final, final

from quintet.cluster.valkey import CallFailure, Reply, Script, Valkey

COUNT: Final = Script(
    "count-nodes",
    """
local now = tonumber(redis.call('TIME')[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
""",
)
"""Keys: the nodes, with the time at which each is forgotten. Arguments: this node, for how many s."""

_REMEMBERED: Final = 60
_FEWEST: Final = 2


@final
class NodeCount:
    """Implements `ValkeyEvents`. Called, it is the number of nodes that was seen last.

    It is at least 2, since one node needs no cluster.
    """

    def __init__(self, valkey: Valkey, prefix: str) -> None:
        self._valkey = valkey
        self._key = f"{prefix}:nodes"
        self._me = secrets.token_hex(8)
        self._seen = _FEWEST

    def __call__(self) -> int:
        return self._seen

    def connected(self, server: str, now: float) -> None:
        self.tick(now)

    def tick(self, now: float) -> None:
        self._valkey.call(COUNT, [self._key], [self._me, _REMEMBERED], self._counted)

    def disconnected(self, now: float) -> None:
        pass

    def confirmed(self, channel: str, now: float) -> None:
        pass

    def published(self, channel: str, data: bytes, now: float) -> None:
        pass

    def entry(self, stream: str, entry_id: str, data: bytes, now: float) -> None:
        pass

    def _counted(self, reply: Reply | CallFailure) -> None:
        if isinstance(reply, int):
            self._seen = max(_FEWEST, reply)
