"""One node of a cluster: its lease and its presence as one, between `Valkey` and `Community`."""

from collections.abc import Callable, Iterable
from typing import final

from quintet.cluster.lease import NodeLease
from quintet.cluster.presence import SharedPresence
from quintet.cluster.records import Sealing
from quintet.cluster.registrations import TOUCH_SECONDS
from quintet.cluster.valkey import Valkey
from quintet.sametime.sharing import Community, Effect, Node, PresenceLimits, SignInRule


@final
class ClusterNode:
    """Hears what comes from Valkey (`ValkeyEvents`)."""

    def __init__(
        self,
        valkey: Valkey,
        prefix: str,
        name: str,
        sealing: Sealing,
        community: Community,
        deliver: Callable[[list[Effect]], None],
        rule: SignInRule = SignInRule.MANY,
        limits: PresenceLimits | None = None,
        touch_seconds: float = TOUCH_SECONDS,
    ) -> None:
        self._now = 0.0
        self.lease = NodeLease(
            valkey,
            prefix,
            Node.start(name),
            self._peers,
            self._held,
            self._lost,
            self._gone,
        )
        self.presence = SharedPresence(
            valkey, prefix, self.lease, sealing, community, deliver, rule, limits, touch_seconds
        )

    def connected(self, _server: str, now: float) -> None:
        self._at(now)
        self.lease.connected(now)

    def disconnected(self, now: float) -> None:
        self._at(now)
        self.lease.disconnected()
        self.presence.disconnected(now)

    def confirmed(self, channel: str, now: float) -> None:
        self._at(now)
        self.presence.confirmed(channel, now)

    def published(self, channel: str, data: bytes, now: float) -> None:
        self._at(now)
        self.presence.published(channel, data, now)

    def entry(self, _stream: str, _entry_id: str, _data: bytes, now: float) -> None:
        self._at(now)

    def tick(self, now: float) -> None:
        self._at(now)
        self.lease.tick(now)
        self.presence.tick(now)

    def close(self) -> None:
        """The node ends."""
        self.lease.release()

    def _peers(self) -> Iterable[Node]:
        return self.presence.peers()

    def _held(self) -> None:
        self.presence.held(self._now)

    def _lost(self) -> None:
        self.presence.lost()

    def _gone(self, node: Node) -> None:
        self.presence.gone(node)

    def _at(self, now: float) -> None:
        """Before anything that happens: is the lease over?"""
        self._now = now
        self.lease.check(now)
