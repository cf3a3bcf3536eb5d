"""Channels and conferences across nodes: from effects here to messages, and from messages to effects here.

Theory of operation
-------------------
**Channels.** A link with an end at another node is at both nodes, under one name (see `routing`). An effect
for the other end goes there as it is; there it is applied as if it had happened at this end. The node of the
target decides whether the creator may see it: it has the user's privacy list and knows its own sessions. A
node that hears of a link that it does not know answers that it is closed.

**Conferences** are at their home alone. The home has `_guests`: of each conference the sessions of other
nodes that are members or invited, and their nodes. Such a node has `_homes`: the node where a conference is,
and its own sessions that take part. What they do goes to the home, what the home tells them comes back.

**Ends.** A session that ends, or a user who hides, ends links and memberships through the effects of the
community, at the node that knows. What is shared with another node ends here when something was lost between
the two, and when it has no lease: each node sees to its own sessions. Nothing hangs on the view of presence:
a user may leave it while a conversation goes on.

**Names.** A conference's name is claimed in Valkey before the conference begins, until it is over or the
node is gone. Claims are written until Valkey confirms them, and again from time to time. While Valkey is away
only names here are looked at. So a name may be used twice after a fault, until a claim that is written again
finds that of another node: then the conference ends here. Meanwhile a session that takes part in one of the
two is not invited to the other.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Final, final

from quintet.cluster.messages import InConference, NodeMessage
from quintet.cluster.streams import NodeStreams
from quintet.cluster.valkey import CallFailure, Reply, Script, Valkey
from quintet.sametime.sharing import (
    OFFLINE,
    AcceptAt,
    CloseAt,
    CloseConference,
    Community,
    ConferenceInvite,
    ConferenceJoin,
    ConferenceRequest,
    ConferenceText,
    ConferenceTyping,
    Effect,
    InviteTo,
    LocalNode,
    Node,
    OpenAt,
    ReasonCode,
    SendAt,
    TellConference,
    other_end,
    place_of,
)

CLAIM_NAME: Final = Script(
    "claim_name",
    """
if redis.pcall('GET', KEYS[2]) ~= ARGV[2] then return 'FENCED' end
local held = redis.pcall('GET', KEYS[1])
local incarnation, name = string.match(type(held) == 'string' and held or '', '^([^|]*)|(.*)$')
if incarnation and incarnation ~= ARGV[2] and redis.pcall('GET', ARGV[1] .. name) == incarnation then
  return 'TAKEN'
end
redis.call('SET', KEYS[1], ARGV[2] .. '|' .. ARGV[3], 'EX', ARGV[4])
return 'OK'
""",
)
"""Keys: the name, this node's lease. Arguments: the beginning of lease keys, incarnation and name of this
node, how long the claim lasts in s. OK, TAKEN if a living node has the name, or FENCED."""

RELEASE_NAME: Final = Script(
    "release_name",
    """
if redis.pcall('GET', KEYS[1]) == ARGV[1] .. '|' .. ARGV[2] then redis.call('DEL', KEYS[1]) end
return 'OK'
""",
)
"""Keys: the name. Arguments: incarnation and name of this node."""

CLAIM_LASTS: Final = 3600
"""Seconds; claims are written again three times as often."""
UNCLAIMED: Final = float("-inf")
"""When a claim was written that has to be written at the next tick."""
LOST: Final = ReasonCode.CONNECTION_BROKEN
"""Why channels close when something was lost on the way."""


@final
class NodeExchange:
    """What the sessions here have to do with those of other nodes. `find` brings a user into view."""

    def __init__(
        self,
        local: LocalNode,
        streams: NodeStreams,
        valkey: Valkey,
        prefix: str,
        find: Callable[[str, Callable[[], None]], None],
    ) -> None:
        self._local = local
        self._community: Community = local.community
        self._streams = streams
        self._valkey = valkey
        self._prefix = prefix
        self._find = find
        self._guests: dict[str, dict[str, Node]] = {}
        self._homes: dict[str, tuple[Node, set[str]]] = {}
        self._claims: dict[str, float] = {}
        self._asked: Counter[str] = Counter()

    @property
    def shares(self) -> bool:
        """Whether sessions here and elsewhere have a conference together."""
        return bool(self._guests or self._homes)

    # From here to other nodes

    def take(self, effect: Effect) -> bool:
        """Pass an effect on to the node of its session. False if it is for none."""
        match effect:
            case OpenAt(session):
                record = self._community.presence.record(session)
                return record is not None and self._send(record.node, effect)
            case AcceptAt() | SendAt() | CloseAt():
                return self._send(self._streams.node_of(place_of(effect.link)), effect)
            case InviteTo(session, conference):
                record = self._community.presence.record(session)
                if record is None or record.node.name == self._community.node.name:
                    return False
                self._guests.setdefault(conference, {})[session] = record.node
                return self._send(record.node, effect)
            case TellConference():
                return self._tell(effect)
            case CloseConference(session, conference):
                return self._send(self._forget_guest(conference, session), effect)
        return False

    def confer(self, session: str, conference: str, request: ConferenceRequest | None) -> bool:
        """A session here does something in a conference that may be elsewhere; None: it left."""
        home, sessions = self._homes.get(conference, (None, ()))
        if home is None or session not in sessions:
            return False
        if request is None:
            self._forget_home(conference, session)
        return self._send(home, InConference(session, conference, request))

    def claim(self, name: str, now: float, then: Callable[[bool], None]) -> None:
        """Whether no other node has a conference of this name, as far as is known."""

        def answered(reply: Reply | CallFailure) -> None:
            self._asked[name] -= 1
            if reply != b"TAKEN":
                self._claims[name] = now if reply == b"OK" else UNCLAIMED
            then(reply != b"TAKEN")

        self._asked[name] += 1
        self._write_claim(name, answered)

    def tick(self, now: float) -> None:
        """Release the names of conferences that are over, and write the other claims again."""
        names = self._community.conferences.names
        self._asked = +self._asked
        for name, written in tuple(self._claims.items()):
            if name in names:
                if now - written > CLAIM_LASTS / 3:
                    self._renew_claim(name, now)
            elif name not in self._asked:
                self._release(name)

    def claim_again(self, now: float) -> None:
        """What this node has claimed may have been lost, or is of another incarnation."""
        for name in tuple(self._community.conferences.names):
            self._renew_claim(name, now)

    def _tell(self, effect: TellConference) -> bool:
        """One message for each node."""
        guests = self._guests.get(effect.conference, {})
        told: dict[Node, list[str]] = {}
        for session in effect.sessions:
            if session in guests:
                told.setdefault(guests[session], []).append(session)
        for node, sessions in told.items():
            self._send(node, TellConference(tuple(sessions), effect.conference, effect.notice))
        return bool(told)

    def _send(self, node: Node | None, message: NodeMessage) -> bool:
        if node is None or node.name == self._community.node.name:
            return False
        self._streams.send(node, message)
        return True

    def _renew_claim(self, name: str, now: float) -> None:
        """If the name is another node's by now, the conference ends here."""

        def answered(reply: Reply | CallFailure) -> None:
            if reply == b"TAKEN":
                self._deliver(self._community.conferences.end(name, LOST))
            elif reply != b"OK":
                self._claims[name] = UNCLAIMED

        self._claims[name] = now
        self._write_claim(name, answered)

    def _release(self, name: str) -> None:
        def answered(reply: Reply | CallFailure) -> None:
            if reply != b"OK":
                self._claims.setdefault(name, UNCLAIMED)

        del self._claims[name]
        node = self._community.node
        self._valkey.call(RELEASE_NAME, [self._claim_key(name)], [node.incarnation, node.name], answered)

    def _write_claim(self, name: str, answer: Callable[[Reply | CallFailure], None]) -> None:
        node = self._community.node
        leases = f"{self._prefix}:node:"
        keys = [self._claim_key(name), leases + node.name]
        self._valkey.call(CLAIM_NAME, keys, [leases, node.incarnation, node.name, CLAIM_LASTS], answer)

    def _claim_key(self, name: str) -> str:
        digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{self._prefix}:c:{digest[:32]}"

    # From other nodes to here

    def arrived(self, sender: Node, message: NodeMessage) -> None:
        """Apply what a node says, which speaks for its own ends, and for what it shares with this one."""
        match message:
            case OpenAt():
                self._deliver(self._open(sender, message))
            case AcceptAt(_, _, accept):
                if other := self._other(sender, message):
                    self._deliver(self._community.router.accepted(other, accept))
            case SendAt(_, _, kind, data, encrypted):
                if other := self._other(sender, message):
                    self._deliver(self._community.router.data(other, kind, data, encrypted=encrypted))
            case CloseAt(_, _, reason, data):
                if (other := self._other(sender, message)) and (
                    session := self._community.router.session_of(other)
                ):
                    self._deliver(self._community.close_link(session, other, reason, data))
            case InviteTo():
                self._invited(sender, message)
            case TellConference():
                self._told(sender, message)
            case CloseConference(session, conference):
                home, _ = self._homes.get(conference, (None, ()))
                if home == sender:
                    self._forget_home(conference, session)
                    self._deliver([message])
            case InConference():
                self._in_conference(sender, message)

    def lost(self, peer: Node, *, gone: bool) -> None:
        """Nothing is shared with a node any more. One that lives hears of it.

        No link passes anything on from now on; clients hear of it in slices, since links may be thousands.
        """
        closing = self._community.router.cut(peer.incarnation, OFFLINE if gone else LOST)
        effects: list[Effect] = []
        for conference, guests in tuple(self._guests.items()):
            for session, node in tuple(guests.items()):
                if node == peer:
                    effects.append(CloseConference(session, conference, LOST))
                    effects += self._community.conferences.leave(session, conference)
        for conference, (home, sessions) in tuple(self._homes.items()):
            if home == peer:
                for session in tuple(sessions):
                    effects.append(CloseConference(session, conference, LOST))
                    if gone:
                        self._forget_home(conference, session)
                    else:
                        self.confer(session, conference, None)
        if gone:
            effects = [each for each in effects if not self._is_for(peer, each)]
            self._guests = {
                conference: rest
                for conference, guests in self._guests.items()
                if (rest := {session: node for session, node in guests.items() if node != peer})
            }
        self._deliver(effects)
        self._local.in_slices(self._close(closing, peer if gone else None))

    def _close(self, closing: Iterable[Effect], gone: Node | None) -> Iterator[None]:
        """Close ends of links, except those at a node that is gone."""
        for each in closing:
            if gone is None or not self._is_for(gone, each):
                self._local.deliver([each])
            yield

    def _deliver(self, effects: list[Effect]) -> None:
        if effects:
            self._local.deliver(effects)

    def _is_for(self, peer: Node, effect: Effect) -> bool:
        match effect:
            case CloseAt(_, link):
                return place_of(link) == peer.incarnation
            case CloseConference(session, conference):
                return self._guests.get(conference, {}).get(session) == peer
        return False

    def _open(self, sender: Node, message: OpenAt) -> list[Effect]:
        """A session there opens a channel to one here, if that is here and the user may be seen."""
        end, here = message.link, self._community.node
        presence = self._community.presence
        try:
            mine = place_of(end) == here.incarnation and place_of(other_end(end)) == sender.incarnation
        except ValueError:
            mine = False
        if not mine or end[-1] != "a":
            return []
        record = presence.record(message.session)
        if (
            record is None
            or record.node.name != here.name
            or not presence.can_see(message.creator.user_id, record.login.user_id)
        ):
            return [CloseAt(message.creator.login_id, other_end(end), OFFLINE)]
        return self._community.router.adopt(end, message.creator, message.create, record.login)

    def _other(self, sender: Node, message: AcceptAt | SendAt | CloseAt) -> str | None:
        """The end at the sender, where it happened. A link that is not known is closed there."""
        end = message.link
        try:
            there = other_end(end)
            if place_of(there) != sender.incarnation:
                return None
        except (ValueError, IndexError):
            return None
        if self._community.router.session_of(end) is None:
            if not isinstance(message, CloseAt):
                self._send(sender, CloseAt("", there, LOST))
            return None
        return there

    def _invited(self, sender: Node, message: InviteTo) -> None:
        session, conference = message.session, message.conference
        community = self._community
        record = community.presence.record(session)
        home, sessions = self._homes.get(conference, (sender, set()))
        if home == sender and session in sessions:  # its home does not know that it takes part
            self._forget_home(conference, session)
            self._deliver([CloseConference(session, conference, LOST)])
        if (
            record is None
            or record.node.name != community.node.name
            or home != sender
            or not community.presence.can_see(message.invitation.inviter.user_id, record.login.user_id)
            or not community.conferences.may_enter(session, conference)
        ):
            self._send(sender, InConference(session, conference, None))
            return
        sessions.add(session)
        self._homes[conference] = (home, sessions)
        community.conferences.enter_elsewhere(session, conference)
        self._deliver([message])

    def _told(self, sender: Node, message: TellConference) -> None:
        home, sessions = self._homes.get(message.conference, (None, set[str]()))
        known = tuple([each for each in message.sessions if each in sessions]) if home == sender else ()
        for session in message.sessions:
            if session not in known:
                self._send(sender, InConference(session, message.conference, None))
        if known:
            self._deliver([TellConference(known, message.conference, message.notice)])

    def _in_conference(self, sender: Node, message: InConference) -> None:
        session, conference, request = message.session, message.conference, message.request
        conferences = self._community.conferences
        is_guest = self._guests.get(conference, {}).get(session) == sender
        if not is_guest or not conferences.takes_part(session, conference):
            if is_guest:  # another sign-in has ended the session, as far as is known here
                self._forget_guest(conference, session)
            if request is not None:
                self._send(sender, CloseConference(session, conference, LOST))
            return
        match request:
            case None:
                self._forget_guest(conference, session)
                self._deliver(conferences.leave(session, conference))
            case ConferenceJoin():
                self._deliver(conferences.join(session, conference))
            case ConferenceText() | ConferenceTyping():
                self._deliver(conferences.say(session, conference, request))
            case ConferenceInvite(user):
                self._find(user.user, lambda: self._invite(session, conference, request))

    def _invite(self, session: str, conference: str, invite: ConferenceInvite) -> None:
        inviter = self._community.conferences.member(conference, session)
        if inviter is not None:
            self._deliver(self._community.invite(inviter, conference, invite))

    def _forget_guest(self, conference: str, session: str) -> Node | None:
        guests = self._guests.get(conference, {})
        node = guests.pop(session, None)
        if not guests:
            self._guests.pop(conference, None)
        return node

    def _forget_home(self, conference: str, session: str) -> None:
        _, sessions = self._homes.get(conference, (None, set[str]()))
        if session in sessions:
            sessions.remove(session)
            self._community.conferences.leave_elsewhere(session, conference)
            if not sessions:
                del self._homes[conference]
