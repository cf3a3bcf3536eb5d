"""The lease by which a node lives: a key with its name, which holds its incarnation for some seconds.

Theory of operation
-------------------
A lease is `held`, or it is not. Valkey alone decides: a claim succeeds if no node has the name, a renewal if
the key still holds this incarnation. Between answers the node counts from the moment at which the last
renewal that was answered was *sent*, on its own monotonic clock, so it never believes longer than Valkey
does that it lives. An incarnation whose lease was lost never comes back: the node takes a new one before it
claims the name again.

With each renewal the node asks for the leases of the others that matter to it. A node is gone when Valkey has
another incarnation under its name, or none.
"""

from collections.abc import Callable, Iterable
from typing import Final, final

from quintet.cluster.scripts import CLAIM, RELEASE, RENEW
from quintet.cluster.valkey import CallFailure, Reply, Valkey
from quintet.sametime.sharing import Node

LEASE_SECONDS: Final = 8.0


@final
class NodeLease:
    """The lease of one node.

    `peers` says whose leases are asked for. `on_held` is called when the lease is confirmed for the first
    time since it was claimed or since the connection came up, `on_lost` when it is lost, `on_gone` with each
    peer that is gone. `taken_since` is when another node was first seen under this name, None if there is
    none.
    """

    def __init__(
        self,
        valkey: Valkey,
        prefix: str,
        node: Node,
        peers: Callable[[], Iterable[Node]],
        on_held: Callable[[], None],
        on_lost: Callable[[], None],
        on_gone: Callable[[Node], None],
    ) -> None:
        self.node = node
        self.taken_since: float | None = None
        self.held = False
        self._valkey = valkey
        self._prefix = prefix
        self._peers = peers
        self._on_held = on_held
        self._on_lost = on_lost
        self._on_gone = on_gone
        self._confirmed = float("-inf")
        self._fresh = True
        self._connected = False
        self._now = 0.0
        self._previous = ""

    @property
    def leases(self) -> str:
        """The beginning of the keys of all leases."""
        return f"{self._prefix}:node:"

    def connected(self, now: float) -> None:
        """Ask at once whether the lease still holds."""
        self.check(now)
        self._connected = True
        self._fresh = True
        self._ask()

    def disconnected(self) -> None:
        self._connected = False

    def check(self, now: float) -> None:
        """Notice that the lease is over: to be called before anything else that happens at `now`."""
        self._now = now
        if self.held and now - self._confirmed > LEASE_SECONDS:
            self.lose()

    def tick(self, now: float) -> None:
        """Renew, or claim."""
        self.check(now)
        if self._connected:
            self._ask()

    def lose(self) -> None:
        """It is over: go on as another incarnation."""
        if not self.held:
            return
        self.held = False
        self._fresh = True
        self._previous = self.node.incarnation
        self.node = Node.start(self.node.name)
        self._on_lost()
        if self._connected:
            self._ask()

    def is_taken(self, now: float) -> bool:
        """Whether another node lives under this name: a lease that was left behind would be over."""
        return self.taken_since is not None and now - self.taken_since > LEASE_SECONDS + 1

    def release(self) -> None:
        """The node ends."""
        self._valkey.call(RELEASE, [self._key(self.node)], [self.node.incarnation])
        self.held = False
        self._connected = False

    def _key(self, node: Node) -> str:
        return self.leases + node.name

    def _ask(self) -> None:
        now, node, milliseconds = self._now, self.node, int(LEASE_SECONDS * 1000)
        if not self.held:
            self._valkey.call(
                CLAIM,
                [self._key(node)],
                [node.incarnation, milliseconds, self._previous],
                lambda reply: self._claimed(node, reply, now),
            )
            return
        peers = list(self._peers())
        self._valkey.call(
            RENEW,
            [self._key(node), *map(self._key, peers)],
            [node.incarnation, milliseconds, *[each.incarnation for each in peers]],
            lambda reply: self._renewed(node, peers, reply, now),
        )

    def _claimed(self, node: Node, reply: Reply | CallFailure, now: float) -> None:
        if node != self.node or self.held:
            return
        if reply == b"HELD":
            self.taken_since = None
            self.held = True
            self._confirm(now)
        elif reply == b"TAKEN" and self.taken_since is None:
            self.taken_since = now

    def _renewed(self, node: Node, peers: list[Node], reply: Reply | CallFailure, now: float) -> None:
        match reply:
            case [bytes(status), bytes(living)] if len(living) == len(peers):
                for peer, lives in zip(peers, living, strict=True):
                    if lives == ord("0"):
                        self._on_gone(peer)
                if node != self.node or not self.held:
                    return
                if status == b"HELD":
                    self._confirm(now)
                else:
                    self.lose()

    def _confirm(self, now: float) -> None:
        self._confirmed = max(now, self._confirmed)
        if self._fresh:
            self._fresh = False
            self._on_held()
