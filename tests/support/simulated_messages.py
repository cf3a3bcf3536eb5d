"""Users of a simulated cluster talk and confer, and what each heard is compared with what was said.

In each direction of a channel, and for each speaker of a conference, lines are numbered: who hears one that
is not the next one has missed a line, or heard one twice.
"""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from quintet.cluster.exchange import CLAIM_NAME, RELEASE_NAME
from quintet.cluster.orders import GIVE
from quintet.cluster.streams import APPEND, TRIM
from quintet.sametime.community import Linked
from quintet.sametime.community import effects as e
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.conference import (
    ConferenceInvite,
    ConferenceJoin,
    ConferenceOpening,
    ConferenceSaid,
    ConferenceText,
    ConferenceWelcome,
)
from quintet.sametime.wire.blocks import IdBlock
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate
from support.cluster_histories import USERS, History
from support.simulated_cluster import SimulatedNode, World
from support.simulated_valkey import TWINS, SimulatedStore, Twin, entry_id

ACCEPT = ChannelAccept(9, ServiceId.IM, 0x1000, 3)


def _append(store: SimulatedStore, keys: list[str], args: list[bytes]) -> bytes:
    if store.get(keys[0]) != args[0]:
        return b"FENCED"
    if store.get(keys[1]) != args[1]:
        return b"GONE"
    if not isinstance(store.data.get(keys[2], []), list):
        store.delete(keys[2])
    store.xadd(keys[2], args[2], int(args[3]))
    store.last(keys[2], args[4])
    return b"OK"


def _trim(store: SimulatedStore, keys: list[str], args: list[bytes]) -> bytes:
    known = store.data.get(keys[0])
    if isinstance(known, list):
        store.writes(grows=False)
        known[:] = [each for each in known if entry_id(each[0]) >= entry_id(args[0])]
        store.last(keys[0], args[1])
    return b"OK"


def _claim_name(store: SimulatedStore, keys: list[str], args: list[bytes]) -> bytes:
    if store.get(keys[1]) != args[1]:
        return b"FENCED"
    incarnation, bar, name = (store.get(keys[0]) or b"").partition(b"|")
    if bar and incarnation != args[1] and store.get((args[0] + name).decode()) == incarnation:
        return b"TAKEN"
    store.set(keys[0], args[1] + b"|" + args[2], int(args[3]) * 1000)
    return b"OK"


def _release_name(store: SimulatedStore, keys: list[str], args: list[bytes]) -> bytes:
    if store.get(keys[0]) == args[0] + b"|" + args[1]:
        store.delete(keys[0])
    return b"OK"


def _give(store: SimulatedStore, keys: list[str], args: list[bytes]) -> int:
    if store.get(keys[0]) != args[0]:
        return -1
    store.publish(keys[1], args[1])
    return 1


MESSAGE_TWINS: dict[str, Twin] = {
    APPEND.name: _append,
    TRIM.name: _trim,
    CLAIM_NAME.name: _claim_name,
    RELEASE_NAME.name: _release_name,
    GIVE.name: _give,
}
TWINS.update(MESSAGE_TWINS)


@dataclass(slots=True)
class Channel:
    """A client's end of a conversation: how many lines it sent, and how many it heard."""

    open: bool = False
    sent: int = 0
    heard: int = 0


@dataclass(slots=True)
class Membership:
    """A client's channel of a conference, which it joins at once. `heard` has each member's last line."""

    member: bool = False
    said: int = 0
    heard: dict[int, int] = field(default_factory=dict)


def _name(conference: str) -> str:
    return conference.partition("/")[2]


class TalkingNode(SimulatedNode):
    """A node whose clients have channels and conferences, by the names of their ends and their keys.

    `heard` counts the lines that all of them heard.
    """

    def __init__(self, world: World, name: str, skew: float = 0.0) -> None:
        self.channels: defaultdict[str, dict[str, Channel]] = defaultdict(dict)
        self.conferences: defaultdict[str, dict[str, Membership]] = defaultdict(dict)
        self.heard = 0
        super().__init__(world, name, skew)

    # What clients do

    def open(self, session: str, target: str) -> None:
        self.cluster.find(target, lambda: self._open(session, target))

    def _open(self, session: str, target: str) -> None:
        record = self.community.presence.record(session)
        if record is None or session not in self.clients:
            return
        create = ChannelCreate(1, ServiceId.IM, 0x1000, 3, IdBlock(target))
        answer = self.community.open_link(record.login, create)
        if isinstance(answer, Linked):
            self.channels[session][answer.link] = Channel()
            self.deliver(answer.effects)

    def accept(self, session: str, end: str) -> None:
        channel = self.channels[session].get(end)
        if channel is not None and session in self.clients:
            channel.open = True
            self.deliver(self.community.router.accepted(end, ACCEPT))

    def send(self, session: str, end: str) -> None:
        channel = self.channels[session][end]
        if channel.open:
            channel.sent += 1
            data = b"%d" % channel.sent
            self.deliver(self.community.router.data(end, 1, data, encrypted=False))

    def close(self, session: str, end: str) -> None:
        del self.channels[session][end]
        self.deliver(self.community.close_link(session, end, 0))

    def begin(self, session: str, name: str) -> None:
        self.cluster.claim_conference(name, lambda free: self._begin(session, name) if free else None)

    def _begin(self, session: str, name: str) -> None:
        record = self.community.presence.record(session)
        if record is None or session not in self.clients:
            return
        answer = self.community.conferences.open(record.login, ConferenceOpening(name, ""))
        if not isinstance(answer, ReasonCode):
            self.conferences[session][answer[0]] = Membership()
            self.deliver(answer[1])

    def invite(self, session: str, conference: str, user: str) -> None:
        record = self.community.presence.record(session)
        if record is None or conference not in self.conferences[session]:
            return
        invite = ConferenceInvite(IdBlock(user))
        if not self.cluster.confer(session, conference, invite):
            login = record.login
            self.cluster.find(user, lambda: self.deliver(self.community.invite(login, conference, invite)))

    def join(self, session: str, conference: str) -> None:
        if conference not in self.conferences[session] or session not in self.clients:
            return
        if not self.cluster.confer(session, conference, ConferenceJoin()):
            self.deliver(self.community.conferences.join(session, conference))

    def say(self, session: str, conference: str) -> None:
        membership = self.conferences[session].get(conference)
        if membership is None or not membership.member:
            return
        membership.said += 1
        text = ConferenceText(str(membership.said))
        if not self.cluster.confer(session, conference, text):
            self.deliver(self.community.conferences.say(session, conference, text))

    def leave(self, session: str, conference: str) -> None:
        if self.conferences[session].pop(conference, None) and not self.cluster.confer(
            session, conference, None
        ):
            self.deliver(self.community.conferences.leave(session, conference))

    def sign_out(self, session: str) -> None:
        self._gone(session)
        super().sign_out(session)

    def _gone(self, session: str) -> None:
        """The client is gone, with its channels."""
        for conference in tuple(self.conferences.pop(session, ())):
            self.cluster.confer(session, conference, None)
        self.channels.pop(session, None)

    def _soon(self, what: Callable[[], None]) -> None:
        """The client answers."""
        self.world.at(self.world.now, lambda: self.hear(what))

    # What clients are told

    def deliver(self, effects: list[e.Effect]) -> None:
        for effect in effects:
            match effect:
                case e.OpenAt(session, link):
                    if session in self.clients:
                        self.channels[session][link] = Channel()
                        self._soon(partial(self.accept, session, link))
                    elif not self.cluster.take(effect):
                        self.deliver(self.community.router.closed(link, ReasonCode.USER_NOT_ONLINE))
                case e.AcceptAt(session, link) | e.SendAt(session, link) | e.CloseAt(session, link):
                    if session in self.clients:
                        self._at_channel(session, link, effect)
                    elif not self.cluster.take(effect) and not isinstance(effect, e.CloseAt):
                        self.deliver(self.community.router.closed(link, ReasonCode.USER_NOT_ONLINE))
                case e.TellConference(sessions, conference, notice):
                    for session in sessions:
                        if session in self.clients:
                            self._told(session, conference, notice)
                    there = tuple([each for each in sessions if each not in self.clients])
                    if there:
                        self.cluster.take(e.TellConference(there, conference, notice))
                case e.InviteTo(session, conference):
                    if session in self.clients:
                        has = [each for each in self.conferences[session] if _name(each) == _name(conference)]
                        assert not has, f"{session} is invited to {conference}, and takes part in {has}"
                        self.conferences[session][conference] = Membership()
                        self._soon(partial(self.join, session, conference))
                    else:
                        self.cluster.take(effect)
                case e.CloseConference(session, conference):
                    if session in self.clients:
                        self.conferences[session].pop(conference, None)
                    else:
                        self.cluster.take(effect)
                case e.EndSession(record):
                    self._gone(record.id)
                    super().deliver([effect])
                case _:
                    super().deliver([effect])

    def _at_channel(self, session: str, link: str, effect: e.Effect) -> None:
        channel = self.channels[session].get(link)
        match effect:
            case e.CloseAt():
                self.channels[session].pop(link, None)
            case e.AcceptAt() if channel is not None:
                channel.open = True
            case e.SendAt(_, _, _, data) if channel is not None:
                assert channel.open, f"{session} hears of a channel that is not open"
                assert int(data) == channel.heard + 1, f"{session} hears {data!r} after {channel.heard}"
                channel.heard += 1
                self.heard += 1

    def _told(self, session: str, conference: str, notice: object) -> None:
        membership = self.conferences[session].get(conference)
        if membership is None:
            return
        match notice:
            case ConferenceWelcome():
                membership.member = True
            case ConferenceSaid(member, ConferenceText(text)):
                assert membership.member, f"{session} hears what is said in a conference before it is in it"
                last = membership.heard.get(member)
                assert last is None or int(text) == last + 1, f"{session} hears {text} after {last}"
                membership.heard[member] = int(text)
                self.heard += 1


class TalkHistory(History):
    """A history in which users talk and confer."""

    node = TalkingNode
    busy = 6

    def run(self) -> None:
        """First users sign in and begin to talk, so that there is something to lose."""
        begin = [self._sign_in] * 2 + [self._open, self._begin, self._invite]
        for nth in range(40):
            self.world.at(1.5 + nth * 0.1, begin[nth % 5])
        self.world.run(6.0)
        super().run()

    def _actions(self) -> list[Callable[[], None]]:
        talk = [self._open, self._send, self._send, self._send, self._close]
        confer = [self._begin, self._invite, self._invite, self._say, self._say, self._say, self._leave]
        return [self._sign_in, self._sign_out, self._set_privacy, *talk * 4, *confer * 4]

    def _faults(self) -> list[Callable[[], None]]:
        return [*super()._faults(), self._lose_entries, self._lose_entries]

    def _lose_entries(self) -> None:
        """A node reads no stream for a while, and Valkey loses some of what was written meanwhile."""
        node = self._node()
        if node is None:
            return
        self.world.fault()
        node.link.cut = True
        node.link.break_off()
        first = self.random.random() < 0.5
        self._later(
            self.random.uniform(0.2, 3),
            lambda: self._lose_some(f"q:s:{node.cluster.lease.node.incarnation}", first=first),
        )
        self._later(3.0, lambda: setattr(node.link, "cut", False))

    def _lose_some(self, stream: str, *, first: bool) -> None:
        names = [name for name, _ in self.world.store.entries(stream, "0")]
        if names:
            lost = self.random.randint(1, len(names))
            self.world.store.forget(stream, names[:lost] if first else names[-lost:])

    @property
    def heard(self) -> int:
        """How many lines were heard at the nodes that live."""
        return sum(each.heard for each in self.world.living() if isinstance(each, TalkingNode))

    def check(self) -> None:
        """Both ends of a channel agree, and who takes part in a conference; a name is used once."""
        super().check()
        nodes = [each for each in self.world.living() if isinstance(each, TalkingNode)]
        ends = {
            end: channel
            for node in nodes
            for session, channels in node.channels.items()
            if session in node.clients
            for end, channel in channels.items()
        }
        for end, channel in ends.items():
            other = ends.get(end[:-1] + ("a" if end[-1] == "c" else "c"))
            assert other is not None, f"{end} is open, and the other end is not"
            assert (other.open, other.heard) == (channel.open, channel.sent), (
                f"{end}: something was not heard"
            )
        there: defaultdict[str, set[str]] = defaultdict(set)
        sessions = [(node, session) for node in nodes for session in node.clients]
        for node, session in sessions:
            counted = set(node.community.conferences._by_session.get(session, ()))
            shown = set(node.conferences.get(session, ()))
            assert counted == shown, f"{session} takes part in {counted}, and its client in {shown}"
            for conference in shown:
                there[conference].add(session)
        names = [each for node in nodes for each in node.community.conferences.names]
        assert len(names) == len(set(names)), f"a name is used twice: {sorted(names)}"
        for conferences in [node.community.conferences for node in nodes]:
            ghosts = conferences._by_session.keys() - {session for _, session in sessions}
            assert not ghosts, f"{ghosts} take part in conferences, and have ended"
            for conference in conferences.names.values():
                known = {session for _, session in sessions if conferences.takes_part(session, conference)}
                shown = there.pop(conference)
                assert known == shown, f"{conference} has {known}, not {shown}"
        assert not there, f"{there} are over, and their clients do not know"

    # What users do

    def _talker(self) -> tuple[TalkingNode, str] | None:
        found = self._client()
        if found is None or not isinstance(found[0], TalkingNode):
            return None
        return found[0], found[1]

    def _pick_channel(self) -> tuple[TalkingNode, str, str] | None:
        all_ = [
            (node, session, end)
            for node in self.world.living()
            if isinstance(node, TalkingNode) and not node.paused
            for session, channels in node.channels.items()
            if session in node.clients
            for end in channels
        ]
        return self.random.choice(all_) if all_ else None

    def _pick_conference(self) -> tuple[TalkingNode, str, str] | None:
        """A node that stands still hears later what its clients say meanwhile."""
        all_ = [
            (node, session, conference)
            for node in self.world.living()
            if isinstance(node, TalkingNode)
            for session, memberships in node.conferences.items()
            if session in node.clients
            for conference, membership in memberships.items()
            if membership.member
        ]
        return self.random.choice(all_) if all_ else None

    def _open(self) -> None:
        if found := self._talker():
            found[0].open(found[1], self.random.choice(USERS))

    def _send(self) -> None:
        for _ in range(self.random.choice((1, 1, 3))):
            if found := self._pick_channel():
                found[0].send(found[1], found[2])

    def _close(self) -> None:
        if found := self._pick_channel():
            found[0].close(found[1], found[2])

    def _begin(self) -> None:
        if found := self._talker():
            found[0].begin(found[1], self.random.choice(("x", "y")))

    def _invite(self) -> None:
        if found := self._pick_conference():
            node, session, conference = found
            node.hear(partial(node.invite, session, conference, self.random.choice(USERS)))

    def _say(self) -> None:
        for _ in range(self.random.choice((1, 1, 3))):
            if found := self._pick_conference():
                node, session, conference = found
                node.hear(partial(node.say, session, conference))

    def _leave(self) -> None:
        if found := self._pick_conference():
            node, session, conference = found
            node.hear(partial(node.leave, session, conference))
