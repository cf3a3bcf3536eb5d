"""One node of a cluster: its lease, presence and messages as one, between `Valkey` and the server."""

from collections.abc import Callable, Collection, Iterable
from typing import ClassVar, final

from quintet.cluster.exchange import NodeExchange
from quintet.cluster.lease import NodeLease
from quintet.cluster.messages import NodeMessage, OrderDone, SessionRows
from quintet.cluster.orders import NodeOrders
from quintet.cluster.presence import SharedPresence
from quintet.cluster.records import Sealing
from quintet.cluster.registrations import TOUCH_SECONDS
from quintet.cluster.streams import NodeStreams
from quintet.cluster.valkey import Valkey
from quintet.sametime.sharing import (
    ConferenceRequest,
    Effect,
    LocalNode,
    Node,
    Order,
    OrderResult,
    PrivacyInfo,
    Refusal,
    Registered,
    SessionRecord,
    UnwatchUser,
    VersionedPrivacy,
    WatchUser,
)


class NodeNameError(Exception):
    """Another server of the community has this one's name, and lives."""

    code: ClassVar[str] = "NODE-NAME"
    fix: ClassVar[str] = "Set QUINTET_NODE in [Config] of sametime.ini to a name that no other server has"

    def __init__(self, name: str) -> None:
        super().__init__(f"another server of this community is named {name} ({self.code}). {self.fix}")
        self.name = name


@final
class ClusterNode:
    """The `Neighbours` of the server `local`. It hears what comes from Valkey (`ValkeyEvents`).

    All that is asked of Valkey goes there in one order, so what this node has said of its sessions is written
    before what it says in their names.
    """

    def __init__(
        self,
        valkey: Valkey,
        prefix: str,
        sealing: Sealing,
        local: LocalNode,
        touch_seconds: float = TOUCH_SECONDS,
    ) -> None:
        self._now = 0.0
        self._community = local.community
        node = Node.start(local.community.node.name)
        self._community.begin_anew(node)
        self.lease = NodeLease(valkey, prefix, node, self._peers, self._held, self._lost, self._gone)
        self.presence = SharedPresence(valkey, prefix, self.lease, sealing, local, touch_seconds)
        self._streams = NodeStreams(node, prefix, valkey, sealing, self)
        self._exchange = NodeExchange(local, self._streams, valkey, prefix, self.find)
        self._orders = NodeOrders(local, self._streams, valkey, prefix, sealing)

    # What the server asks

    def register(
        self,
        record: SessionRecord,
        privacy: VersionedPrivacy | None,
        then: Callable[[Registered | Refusal], None],
    ) -> None:
        self.presence.register(record, privacy, then)

    def changed(self, session: str) -> None:
        self.presence.changed(session)

    def privacy_changed(self, user_id: str, privacy: VersionedPrivacy) -> PrivacyInfo:
        return self.presence.privacy_changed(user_id, privacy).privacy

    def removed(self, session: str, *, moving: bool = False) -> None:
        self.presence.removed(session, moving=moving)

    def find(self, target: str, then: Callable[[], None]) -> None:
        self.presence.find(target, then)

    def bring_into_view(self, users: Collection[str], then: Callable[[], None]) -> None:
        self.presence.bring_into_view(users, then)

    def take(self, effect: Effect) -> bool:
        match effect:
            case WatchUser(user_id):
                self.presence.watch(user_id)
                return True
            case UnwatchUser(user_id):
                self.presence.unwatch(user_id)
                return True
        return self._exchange.take(effect)

    def confer(self, session: str, conference: str, request: ConferenceRequest | None) -> bool:
        return self._exchange.confer(session, conference, request)

    def claim_conference(self, name: str, then: Callable[[bool], None]) -> None:
        self._exchange.claim(name, self._now, then)

    def order(self, order: Order, then: Callable[[OrderResult], None]) -> None:
        self._orders.give(order, self._now, then)

    def close(self) -> None:
        """The node ends."""
        self.lease.release()

    # What comes from Valkey

    def connected(self, _server: str, now: float) -> None:
        self._at(now)
        self.lease.connected(now)

    def disconnected(self, now: float) -> None:
        self._at(now)
        self.lease.disconnected()
        self.presence.disconnected(now)
        self._streams.disconnected()

    def confirmed(self, channel: str, now: float) -> None:
        self._at(now)
        self.presence.confirmed(channel, now)

    def published(self, channel: str, data: bytes, now: float) -> None:
        self._at(now)
        if channel == self._orders.channel:
            self._orders.published(data)
        else:
            self.presence.published(channel, data, now)

    def entry(self, stream: str, entry_id: str, data: bytes, now: float) -> None:
        self._at(now)
        self._streams.entry(stream, entry_id, data)

    def tick(self, now: float) -> None:
        self._at(now)
        self.lease.tick(now)
        self.presence.tick(now)
        self._streams.tick()
        self._exchange.tick(now)
        self._orders.tick(now)

    # What the parts say to each other

    def arrived(self, sender: Node, message: NodeMessage) -> None:
        match message:
            case OrderDone():
                self._orders.done(message)
            case SessionRows():
                self._orders.listed(message)
            case _:
                self._exchange.arrived(sender, message)

    def lost(self, peer: Node, *, gone: bool) -> None:
        self._exchange.lost(peer, gone=gone)

    def fenced(self) -> None:
        self.lease.lose()

    def _peers(self) -> Iterable[Node]:
        """All nodes whose leases matter."""
        return dict.fromkeys([*self.presence.peers(), *self._streams.peers()])

    def _held(self) -> None:
        self.presence.held(self._now)
        self._streams.connected()
        self._exchange.claim_again(self._now)
        self._orders.held()

    def _lost(self) -> None:
        self._community.begin_anew(self.lease.node)
        self._streams.begin_anew(self.lease.node)
        self.presence.lost()

    def _gone(self, node: Node) -> None:
        self.presence.gone(node)
        self._streams.gone(node)

    def _at(self, now: float) -> None:
        """Before anything that happens: is the lease over?"""
        self._now = now
        self.lease.check(now)
