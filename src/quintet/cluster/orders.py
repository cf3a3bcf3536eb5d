"""What every node does with its own sessions: one publication that all nodes hear, and an answer of each.

An answer is a message that says with how many sessions it was done; those that list sessions come before it.

An order bears its time and a random name: it is carried out once, and not if it is older than
`TAKEN_SECONDS`, so that an order that was recorded cannot be given again. Nothing else compares the calendar
clocks of nodes.
"""

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, final

from quintet.cluster.messages import OrderDone, SessionRows, decode_order, encode_order
from quintet.cluster.records import Sealing
from quintet.cluster.streams import NodeStreams
from quintet.cluster.valkey import CallFailure, Reply, Script, Valkey
from quintet.sametime.sharing import (
    MOST_LISTED,
    Community,
    ListSessions,
    LocalNode,
    MalformedMessageError,
    Node,
    Order,
    OrderResult,
    SessionRow,
    UnencodableValueError,
    WireReader,
    string,
    u32,
)

GIVE: Final = Script(
    "give",
    """
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return -1 end
return redis.call('PUBLISH', KEYS[2], ARGV[2])
""",
)
"""Keys: this node's lease, the channel. Arguments: the incarnation, the order. How many heard it, or -1."""

ANSWER_SECONDS: Final = 2.5
"""How long answers of other nodes are waited for, until the next tick: with it, less than a command waits."""
TAKEN_SECONDS: Final = 3600
MOST_REMEMBERED: Final = 10_000


@dataclass(slots=True, eq=False)
class _Given:
    """An order of this node. `asked` is how many other nodes heard it; None while it is not known."""

    until: float
    then: Callable[[OrderResult], None]
    sessions: int = 0
    rows: list[SessionRow] = field(default_factory=list)
    asked: int | None = None
    answered: int = 0


@final
class NodeOrders:
    """Gives orders of this node, and takes those of others. `clock` is in seconds since 1970."""

    def __init__(
        self,
        local: LocalNode,
        streams: NodeStreams,
        valkey: Valkey,
        prefix: str,
        sealing: Sealing,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.channel = f"{prefix}:all"
        self._local = local
        self._community: Community = local.community
        self._streams = streams
        self._valkey = valkey
        self._prefix = prefix
        self._sealing = sealing
        self._clock = clock
        self._given: dict[str, _Given] = {}
        self._taken: OrderedDict[str, None] = OrderedDict()

    def held(self) -> None:
        """The lease is confirmed: hear of orders."""
        self._valkey.subscribe(self.channel)

    def give(self, order: Order, now: float, then: Callable[[OrderResult], None]) -> None:
        """Let all other nodes do it. `then` gets what came of it, as far as they answer in time."""
        node, name = self._community.node, secrets.token_hex(8)
        try:
            parts = encode_order(order)
        except UnencodableValueError:
            then(OrderResult())
            return
        head = string(node.name) + string(node.incarnation) + string(name) + u32(int(self._clock()))
        sealed = self._sealing.seal(head + parts, self.channel.encode())
        self._given[name] = _Given(now + ANSWER_SECONDS, then)
        keys = [f"{self._prefix}:node:{node.name}", self.channel]
        self._valkey.call(GIVE, keys, [node.incarnation, sealed], lambda reply: self._heard(name, reply))

    def published(self, data: bytes) -> None:
        """An order, perhaps one of this node."""
        opened = self._sealing.open(data, self.channel.encode())
        if opened is None:
            return
        reader = WireReader(opened)
        try:
            sender, name, when = Node(reader.string(), reader.string()), reader.string(), reader.u32()
            order = decode_order(reader.rest())
        except MalformedMessageError:
            return
        if sender.name == self._community.node.name or name in self._taken:
            return
        if abs(when - self._clock()) > TAKEN_SECONDS:
            return
        self._taken[name] = None
        if len(self._taken) > MOST_REMEMBERED:
            self._taken.popitem(last=False)
        if isinstance(order, ListSessions):
            self._local.in_slices(self._list(sender, name))
        else:
            self._local.carry_out(order, lambda count: self._streams.send(sender, OrderDone(name, count)))

    def listed(self, message: SessionRows) -> None:
        """Sessions of another node, as this one has asked."""
        given = self._given.get(message.order)
        if given is not None:
            given.rows += message.rows[: MOST_LISTED - len(given.rows)]

    def done(self, message: OrderDone) -> None:
        """Another node has carried out an order of this one."""
        given = self._given.get(message.order)
        if given is not None:
            given.answered += 1
            given.sessions += message.sessions
            if given.answered == given.asked:
                self._finish(message.order)

    def tick(self, now: float) -> None:
        """Wait no longer for those that do not answer."""
        for name, given in tuple(self._given.items()):
            if given.until <= now:
                self._finish(name)

    def _list(self, receiver: Node, name: str) -> Iterator[None]:
        """Tell another node which sessions there are here."""
        count = 0
        for rows in self._local.session_rows():
            if count < MOST_LISTED:
                self._streams.send(receiver, SessionRows(name, rows))
            count += len(rows)
            yield
        self._streams.send(receiver, OrderDone(name, count))

    def _heard(self, name: str, reply: Reply | CallFailure) -> None:
        given = self._given.get(name)
        if given is not None:
            given.asked = max(0, reply - 1) if isinstance(reply, int) and reply >= 0 else None
            if given.asked is None or given.answered >= given.asked:
                self._finish(name)

    def _finish(self, name: str) -> None:
        given = self._given.pop(name)
        given.then(OrderResult(given.sessions, tuple(given.rows), given.asked, given.answered))
