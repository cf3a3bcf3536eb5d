"""Messages from node to node: in order, each at most once, and what was lost is noticed. Without a socket.

Theory of operation
-------------------
Each incarnation has one bounded stream. A sender appends by `APPEND`, which is carried out only while its
own lease and that of the receiver live. Each pair of incarnations counts its entries, which hold one
message or more: a receiver applies the one that follows the last, drops what it has had, and knows by a
number that is too high that something was lost.

**Sending.** One entry for a receiver is under way at a time; what is said meanwhile waits, and goes together
in the next one. So the more is said, the less a message costs: sealing, calls and answers are per entry. The
messages of an entry stay in `batch` until Valkey has confirmed it. What was under way when the connection
was lost may be in the stream or not, so it is appended again, with its number, when the connection is up. It
is sent as often as it takes, so the sender knows of a loss only if Valkey refuses, or if too much waits.

**Noticing.** What comes after a loss shows it. For the last message `SYNC` does: a sender tells how many
entries it has sent, at each tick for some time after the last one, and after each new connection. A reader
that stood still for longer than that has lost its lease. It has no number of its own, so it may be lost.

**After a loss**, `lost` is called, and everything that the two nodes share ends, at both: a receiver that
notices answers with an empty message, and a sender that knows leaves out a number. Then they go on. `gone`
says that the other incarnation has no lease: nothing reaches it. If it has only lost it for a moment, the
number that is left out tells it.

**A new incarnation** of this node has a new stream, and has never talked with any.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Protocol, final

from quintet.cluster.messages import NodeMessage, decode_message, encode_message
from quintet.cluster.records import Sealing
from quintet.cluster.valkey import Argument, CallFailure, Reply, Script, Valkey
from quintet.sametime.sharing import (
    MalformedMessageError,
    Node,
    UnencodableValueError,
    UnknownMessageTypeError,
    WireReader,
    opaque,
    string,
    u32,
)

APPEND: Final = Script(
    "append",
    """
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return 'FENCED' end
if redis.pcall('GET', KEYS[2]) ~= ARGV[2] then return 'GONE' end
local kind = redis.call('TYPE', KEYS[3]).ok
if kind ~= 'stream' and kind ~= 'none' then redis.call('DEL', KEYS[3]) end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', 'm', ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[5])
return 'OK'
""",
)
"""Keys: the leases of sender and receiver, the receiver's stream. Arguments: their incarnations, the data,
how many entries the stream keeps, how long it lasts in s. OK, FENCED, or GONE: the receiver has no lease."""

TRIM: Final = Script(
    "trim",
    """
if redis.call('TYPE', KEYS[1]).ok == 'stream' then
  redis.call('XTRIM', KEYS[1], 'MINID', ARGV[1])
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return 'OK'
""",
)
"""Keys: the stream. Arguments: the first entry that is still wanted, how long it lasts in s."""

ENTRIES: Final = 10_000
"""Entries that a stream keeps, about."""
LASTS: Final = 600
"""Seconds for which a stream is there without its node."""
MOST_WAITING: Final = 2_000
"""Messages to one node that Valkey has not confirmed."""
MOST_TOGETHER: Final = 100
"""Messages in one entry."""
LARGE: Final = 32 * 1024
"""Bytes of messages from which on an entry takes no more of them."""
MOST_PEERS: Final = 10_000
"""Incarnations whose numbers are remembered."""

SYNCS: Final = 6
"""Ticks for which a sender tells how many entries it has sent."""

_MESSAGES: Final = b"\x01"
_SYNC: Final = b"\x02"


class StreamEvents(Protocol):
    """Hears what comes from other nodes."""

    def arrived(self, sender: Node, message: NodeMessage) -> None:
        """A message, in its order."""

    def lost(self, peer: Node, *, gone: bool) -> None:
        """Something between this node and `peer` was lost, or may be; `gone` if that has no lease."""

    def fenced(self) -> None:
        """This node has no lease any more."""


@dataclass(slots=True, eq=False)
class _Peer:
    """An incarnation of another node. `sent` and `received` are numbers of entries; `syncs` are still due.

    `batch` are the messages of the entry with the number `sent` while that is not confirmed, `waiting` those
    that come after. An empty message says that something was lost. `stalled` is that the entry has to be
    appended again. `shared` is whether there may be something to lose: anything was sent or received since
    it was gone.
    """

    node: Node
    sent: int = 0
    received: int = 0
    syncs: int = 0
    shared: bool = True
    stalled: bool = False
    batch: tuple[bytes, ...] = ()
    waiting: deque[bytes] = field(default_factory=deque)

    def skip(self) -> None:
        """Nothing of what was said arrives. The number that is left out tells the receiver."""
        self.batch, self.stalled = (), False
        self.waiting.clear()
        self.sent += 1

    def gather(self) -> None:
        """Begin the next entry."""
        size, batch = 0, list[bytes]()
        while self.waiting and len(batch) < MOST_TOGETHER and size < LARGE:
            batch.append(self.waiting.popleft())
            size += len(batch[-1])
        self.batch = tuple(batch)
        self.sent += 1


@final
class NodeStreams:
    """The messages of one node. `prefix` begins every key."""

    def __init__(
        self, node: Node, prefix: str, valkey: Valkey, sealing: Sealing, events: StreamEvents
    ) -> None:
        self._node = node
        self._prefix = prefix
        self._valkey = valkey
        self._sealing = sealing
        self._events = events
        self._up = False
        self._peers: dict[str, _Peer] = {}
        self._last_read = ""

    def peers(self) -> Iterator[Node]:
        """The nodes with which this one may share something: those whose leases it has to know of."""
        return iter([each.node for each in self._peers.values() if each.shared])

    def node_of(self, incarnation: str) -> Node | None:
        """The node that has, or had, this incarnation; None if there was nothing to say to it or from it."""
        found = self._peers.get(incarnation)
        return found.node if found else None

    def send(self, receiver: Node, message: NodeMessage) -> None:
        """Append a message, now or when the connection is up."""
        peer = self._peer(receiver)
        try:
            body = encode_message(message)
        except UnencodableValueError:  # what this node made of what clients said
            self._lose(peer)
            return
        self._put(peer, body)

    def gone(self, node: Node) -> None:
        """An incarnation has no lease any more."""
        peer = self._peers.get(node.incarnation)
        if peer is not None and peer.shared:
            peer.skip()
            peer.shared = False
            self._events.lost(node, gone=True)

    def begin_anew(self, node: Node) -> None:
        """This node has another incarnation, and shares nothing with any other; `connected` comes next."""
        before, self._peers = self._peers, {}
        self._node, self._last_read, self._up = node, "", False
        for peer in before.values():
            if peer.shared:
                self._events.lost(peer.node, gone=True)
        self._peers = {}  # what one loss had to say to those whose turn comes after it

    # What comes from Valkey

    def connected(self) -> None:
        """The connection is up, and this node has its lease."""
        self._up = True
        self._valkey.read_stream(self._stream(self._node))
        for peer in self._peers.values():
            if peer.shared:
                peer.syncs = SYNCS
                self._append_again(peer)
                self._sync(peer)

    def disconnected(self) -> None:
        self._up = False

    def tick(self) -> None:
        if not self._up:
            return
        if self._last_read:
            self._valkey.call(TRIM, [self._stream(self._node)], [self._last_read, LASTS])
        for peer in self._peers.values():
            if peer.stalled:
                self._append_again(peer)
            if peer.shared and peer.syncs and not peer.batch:
                self._sync(peer)

    def entry(self, stream: str, entry_id: str, data: bytes) -> None:
        """An entry of this node's stream. What no node has written is ignored."""
        if stream != self._stream(self._node):
            return
        self._last_read = entry_id
        opened = self._sealing.open(data, stream.encode())
        if opened is None:
            return
        reader = WireReader(opened)
        try:
            kind = reader.data[reader.skip(1) : reader.at]
            sender, number = Node(reader.string(), reader.string()), reader.u32() << 32 | reader.u32()
        except MalformedMessageError:
            return
        if sender.incarnation == self._node.incarnation or kind not in (_MESSAGES, _SYNC):
            return
        peer = self._peer(sender)
        if kind == _SYNC:
            if number > peer.received:
                peer.received = number
                self._notice(peer)
        elif number > peer.received:
            before, peer.received = peer.received, number
            if number > before + 1:
                self._notice(peer)
            self._apply_all(peer, reader)

    def _apply_all(self, peer: _Peer, reader: WireReader) -> None:
        try:
            while reader.remaining:
                self._apply(peer, reader.opaque())
        except MalformedMessageError:
            self._notice(peer)
        except Exception:  # whatever it is, the messages behind it in the entry are not applied
            self._notice(peer)
            raise

    def _apply(self, peer: _Peer, body: bytes) -> None:
        if not body:
            self._events.lost(peer.node, gone=False)
            return
        try:
            message = decode_message(body)
        except (MalformedMessageError, UnknownMessageTypeError):  # of another version: it is as good as lost
            self._notice(peer)
            return
        self._events.arrived(peer.node, message)

    def _notice(self, peer: _Peer) -> None:
        """Something did not arrive."""
        self._events.lost(peer.node, gone=False)
        self._put(peer, b"")

    # What goes to Valkey

    def _put(self, peer: _Peer, body: bytes) -> None:
        peer.syncs = SYNCS
        peer.waiting.append(body)
        if len(peer.waiting) + len(peer.batch) > MOST_WAITING:
            self._lose(peer)
        elif self._up and not peer.batch:
            self._append(peer)

    def _append(self, peer: _Peer) -> None:
        """Append the next entry, or the one that may not have arrived."""
        if not peer.batch:
            peer.gather()
        body = b"".join([opaque(each) for each in peer.batch])
        self._call(peer, _MESSAGES, peer.sent, body, partial(self._appended, peer, peer.sent))

    def _appended(self, peer: _Peer, number: int, reply: Reply | CallFailure) -> None:
        if self._peers.get(peer.node.incarnation) is not peer or not peer.batch or number != peer.sent:
            return
        if reply == b"OK":
            peer.batch, peer.stalled = (), False
            if peer.waiting and self._up:
                self._append(peer)
        elif reply in (CallFailure.AWAY, CallFailure.UNKNOWN):
            peer.stalled = True
        elif reply is CallFailure.REFUSED:
            self._lose(peer)
        else:
            peer.stalled = True
            self._refused(peer, reply)

    def _append_again(self, peer: _Peer) -> None:
        peer.stalled = False
        if peer.batch or peer.waiting:
            self._append(peer)

    def _sync(self, peer: _Peer) -> None:
        self._call(peer, _SYNC, peer.sent, b"", partial(self._synced, peer))

    def _synced(self, peer: _Peer, reply: Reply | CallFailure) -> None:
        if self._peers.get(peer.node.incarnation) is not peer:
            return
        if reply == b"OK":
            peer.syncs = max(0, peer.syncs - 1)
        else:
            self._refused(peer, reply)

    def _refused(self, peer: _Peer, reply: Reply | CallFailure) -> None:
        if reply == b"FENCED":
            self._events.fenced()
        elif reply == b"GONE":
            self.gone(peer.node)

    def _lose(self, peer: _Peer) -> None:
        """Something will not arrive."""
        peer.skip()
        peer.syncs = SYNCS
        self._events.lost(peer.node, gone=False)

    def _call(
        self,
        peer: _Peer,
        kind: bytes,
        number: int,
        body: bytes,
        answer: Callable[[Reply | CallFailure], None],
    ) -> None:
        stream = self._stream(peer.node)
        sender = string(self._node.name) + string(self._node.incarnation)
        data = kind + sender + u32(number >> 32) + u32(number & 0xFFFFFFFF) + body
        keys = [self._lease(self._node), self._lease(peer.node), stream]
        sealed = self._sealing.seal(data, stream.encode())
        args: list[Argument] = [self._node.incarnation, peer.node.incarnation, sealed, ENTRIES, LASTS]
        self._valkey.call(APPEND, keys, args, answer)

    def _peer(self, node: Node) -> _Peer:
        peer = self._peers.get(node.incarnation)
        if peer is None:
            while len(self._peers) >= MOST_PEERS:
                oldest = next(iter(self._peers))
                self.gone(self._peers[oldest].node)
                del self._peers[oldest]
            peer = self._peers[node.incarnation] = _Peer(node)
        peer.shared = True
        return peer

    def _lease(self, node: Node) -> str:
        return f"{self._prefix}:node:{node.name}"

    def _stream(self, node: Node) -> str:
        return f"{self._prefix}:s:{node.incarnation}"
