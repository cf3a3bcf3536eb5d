"""Relayed channels: each connects a session to another one (P54). Values in, effects out.

Theory of operation
-------------------
A **link** is one conversation or file transfer. It has two ends, each at a session; the end's name is what a
node uses together with its own channel id, which no other client knows. A link is made when the creator's
request was routed to a session, and is gone when either end closes it, when either session is gone, and when
one of the two users is hidden from the other. Then, and only once, the other end gets a close message. What
is said at an end of a link that is gone is dropped: both sides may close at once.

A user who becomes hidden from another looks like one whose connection broke: the links between them close
with the reason that offline users have. A link that the hidden user opens later is the user's own will, and
stays.

A link to a session of another node is at both nodes, under one name, which says where its ends are. Each node
looks after its own end: what happens there goes to the other node as an effect, and is applied there as if it
had happened here. What ends a link at both nodes at once is not sent back, since a link that is gone says
nothing. Links are kept by the two incarnations of their ends: thousands of them to a node that is lost are
gone at once, and are cleared away one after the other.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final, final

from quintet.sametime.community.effects import AcceptAt, CloseAt, Effect, OpenAt, SendAt
from quintet.sametime.community.records import Node
from quintet.sametime.reason import ReasonCode
from quintet.sametime.wire.blocks import LoginInfo
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate

OFFLINE: Final = ReasonCode.USER_NOT_ONLINE
"""The reason of channels to a user who is offline, hidden, or gone (P56)."""

LINKS_BETWEEN: Final = 32
"""Links between two sessions; one more is refused."""


def place_of(end: str) -> str:
    """The incarnation of the node at which an end is. Raises ValueError for what is no name of an end."""
    creator, acceptor, number = end.split("/")
    if number[-1:] not in ("c", "a"):
        raise ValueError("neither end of a link")
    return creator if number[-1] == "c" else acceptor


def other_end(end: str) -> str:
    """The name of the end that talks with this one."""
    return end[:-1] + ("a" if end[-1] == "c" else "c")


def _places(end: str) -> str:
    """The incarnations of the nodes at which both ends are."""
    return end.rpartition("/")[0]


@dataclass(slots=True, eq=False)
class _End:
    """`name` is what effects call `link`."""

    name: str
    session: str
    user: LoginInfo


@dataclass(slots=True, eq=False)
class _Link:
    creator: _End
    acceptor: _End
    service: int

    def other(self, end: _End) -> _End:
        return self.acceptor if end is self.creator else self.creator


@final
class Router:
    """The links of this node's sessions."""

    __slots__ = ("_by_session", "_ends", "_last", "node")

    def __init__(self, node: Node) -> None:
        self.node = node
        self._last = 0
        self._ends: dict[str, dict[str, tuple[_Link, _End]]] = {}
        self._by_session: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._ends.values())) // 2

    def open(
        self, creator: LoginInfo, create: ChannelCreate, target: LoginInfo, node: Node | None = None
    ) -> tuple[str, list[Effect]]:
        """Relay what the creator's session opens to the session `target`. The creator's end, and the effects.

        `node` is the target's, if it is not this one. With too many links between the two, the end is closed
        at once.
        """
        self._last += 1
        name = f"{self.node.incarnation}/{(node or self.node).incarnation}/{self._last}"
        return self._link(name, creator, create, target)

    def adopt(self, end: str, creator: LoginInfo, create: ChannelCreate, target: LoginInfo) -> list[Effect]:
        """A session of another node opens a link to the session `target` here, whose end has this name."""
        return [] if self._end(end) else self._link(end[:-1], creator, create, target)[1]

    def _link(
        self, name: str, creator: LoginInfo, create: ChannelCreate, target: LoginInfo
    ) -> tuple[str, list[Effect]]:
        mine = _End(f"{name}c", creator.login_id, creator)
        theirs = _End(f"{name}a", target.login_id, target)
        if self._between(mine.session, theirs.session) >= LINKS_BETWEEN:
            return mine.name, [CloseAt(mine.session, mine.name, ReasonCode.TOO_MANY_IM_SESSIONS)]
        link = _Link(mine, theirs, create.service)
        for end in (mine, theirs):
            self._ends.setdefault(_places(end.name), {})[end.name] = (link, end)
            self._by_session.setdefault(end.session, {})[end.name] = None
        return mine.name, [OpenAt(theirs.session, theirs.name, create, creator)]

    def accepted(self, name: str, accept: ChannelAccept) -> list[Effect]:
        """The acceptor's client has accepted."""
        found = self._end(name)
        if found is None:
            return []
        link, end = found
        other = link.other(end)
        return [AcceptAt(other.session, other.name, accept, end.user)]

    def data(self, name: str, message_type: int, data: bytes, *, encrypted: bool) -> list[Effect]:
        """Data came at an end."""
        found = self._end(name)
        if found is None:
            return []
        link, end = found
        other = link.other(end)
        return [SendAt(other.session, other.name, message_type, data, encrypted)]

    def closed(self, name: str, reason: int, data: bytes = b"") -> list[Effect]:
        """The channel at an end is gone, or could not be opened."""
        found = self._end(name)
        if found is None:
            return []
        link, end = found
        self._remove(link)
        other = link.other(end)
        return [CloseAt(other.session, other.name, reason, data)]

    def session_of(self, name: str) -> str | None:
        """The session at an end."""
        found = self._end(name)
        return found[1].session if found else None

    def cut(self, incarnation: str, reason: int) -> Iterator[Effect]:
        """Nothing can be passed on any more to or from another node: its links close at both ends.

        They are gone at once; each step of the iterator clears one end away.
        """
        cut = [self._ends.pop(places) for places in tuple(self._ends) if incarnation in places.split("/")]
        return self._clear(cut, reason)

    def _clear(self, cut: Iterable[dict[str, tuple[_Link, _End]]], reason: int) -> Iterator[Effect]:
        for ends in cut:
            for _, end in ends.values():
                self._forget(end)
                yield CloseAt(end.session, end.name, reason)

    def service_of(self, name: str) -> int | None:
        """Which service a link is of."""
        found = self._end(name)
        return found[0].service if found else None

    def gone(self, session: str) -> list[Effect]:
        """A session has ended: its channels are gone with it."""
        effects: list[Effect] = []
        for name in tuple(self._by_session.get(session, ())):
            effects += self.closed(name, OFFLINE)
        return effects

    def hide(self, sessions: Iterable[str], hidden_from: Callable[[str], bool]) -> list[Effect]:
        """The user of `sessions` cannot be seen by the users for whom `hidden_from` is true."""
        effects: list[Effect] = []
        for session in sessions:
            for name in tuple(self._by_session.get(session, ())):
                found = self._end(name)
                if found is None:
                    continue
                link, end = found
                other = link.other(end)
                if hidden_from(other.user.user_id):
                    self._remove(link)
                    effects += [CloseAt(each.session, each.name, OFFLINE) for each in (end, other)]
        return effects

    def _between(self, one: str, other: str) -> int:
        found = [self._end(name) for name in self._by_session.get(one, ())]
        return sum(1 for each in found if each and each[0].other(each[1]).session == other)

    def _end(self, name: str) -> tuple[_Link, _End] | None:
        return self._ends.get(_places(name), {}).get(name)

    def _remove(self, link: _Link) -> None:
        places = _places(link.creator.name)
        ends = self._ends[places]
        for end in (link.creator, link.acceptor):
            del ends[end.name]
            self._forget(end)
        if not ends:
            del self._ends[places]

    def _forget(self, end: _End) -> None:
        names = self._by_session[end.session]
        del names[end.name]
        if not names:
            del self._by_session[end.session]
