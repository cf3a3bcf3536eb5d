"""Channels and conferences of users at different nodes: they end at both ends, and no loss is silent."""

import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any

import pytest

from quintet.cluster.exchange import CLAIM_NAME, LOST, RELEASE_NAME, NodeExchange
from quintet.cluster.messages import InConference, NodeMessage
from quintet.cluster.streams import APPEND, NodeStreams
from quintet.cluster.valkey import Answer, Argument, CallFailure, Script
from quintet.sametime.community import Community, ConferenceLimits, Linked, Node, Refusal, SessionRecord
from quintet.sametime.community import effects as e
from quintet.sametime.community.privacy import PrivacyRules
from quintet.sametime.community.records import SharedSession
from quintet.sametime.community.routing import OFFLINE
from quintet.sametime.neighbours import Order, SessionRow
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.conference import (
    ConferenceInvite,
    ConferenceJoin,
    ConferenceJoined,
    ConferenceLeft,
    ConferenceOpening,
    ConferenceSaid,
    ConferenceText,
    ConferenceWelcome,
)
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, IdBlock, LoginInfo, PrivacyInfo, UserItem, UserStatus
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate

ACCEPT = ChannelAccept(9, ServiceId.IM, 0x1000, 3)
ONLINE = UserStatus(0x20)


def login(user: str) -> LoginInfo:
    return LoginInfo(f"{user}-session", 0x1700, f"uid={user}", user.title())


def create(target: str) -> ChannelCreate:
    return ChannelCreate(1, ServiceId.IM, 0x1000, 3, IdBlock(target), additional=b"x")


class Plain:
    """Nothing is sealed."""

    def seal(self, data: bytes, context: bytes) -> bytes:
        return data

    def open(self, blob: bytes, context: bytes) -> bytes | None:
        return blob


@dataclass(eq=False)
class World:
    """All nodes. What is appended arrives with `settle`; of the `dead` ones the leases are over.

    With `refuses` Valkey takes nothing that concerns names; its answers wait in `answers`, if that is there.
    """

    def __init__(self, *names: str, limits: ConferenceLimits | None = None) -> None:
        self.names: dict[str, str] = {}
        self.refuses = False
        self.answers: list[Callable[[], None]] | None = None
        self.appended: deque[tuple[str, bytes, Answer]] = deque()
        self.dead: set[str] = set()
        self.steps: list[Iterator[None]] = []
        self.nodes = {name: Member(self, name, limits) for name in names}

    def settle(self, *, losing: str | None = None) -> None:
        """Let everything arrive; what goes to the node `losing` is lost."""
        while self.appended or self.steps:
            while self.steps:
                deque(self.steps.pop(), maxlen=0)
            if not self.appended:
                return
            stream, data, answer = self.appended.popleft()
            (to,) = [each for each in self.nodes.values() if stream.endswith(each.community.node.incarnation)]
            if to.community.node.name in self.dead:
                answer(b"GONE")
                continue
            answer(b"OK")
            if to.community.node.name != losing:
                to.streams.entry(stream, "1-0", data)

    def name(self, script: Script, keys: Sequence[str], args: Sequence[Argument]) -> bytes:
        """Claim or release a name."""
        mine = str(args[1 if script is CLAIM_NAME else 0])
        holder = self.names.get(keys[0])
        if script is RELEASE_NAME:
            if holder == mine:
                del self.names[keys[0]]
            return b"OK"
        living = {each.community.node.incarnation for each in self.nodes.values()}
        if holder != mine and holder in living:
            return b"TAKEN"
        self.names[keys[0]] = mine
        return b"OK"

    def begin_anew(self, name: str) -> None:
        """The node has lost its lease, and has one again; it claims its names with `claim_again`."""
        node, before = self.nodes[name], self.nodes[name].community.node
        node.community.begin_anew(Node(name, f"{before.incarnation}+"))
        node.streams.begin_anew(node.community.node)
        for other in self.nodes.values():
            if other is not node:
                other.streams.gone(before)
        node.streams.connected()

    def sign_in(self, user: str, at: str, privacy: PrivacyInfo = VISIBLE_TO_ALL) -> "User":
        node = self.nodes[at]
        record = SessionRecord(node.community.node, login(user), user, 0, 0, ONLINE)
        node.local.add(record.id)
        answer = node.community.sign_in(record, privacy)
        assert not isinstance(answer, Refusal)
        node.deliver(answer)
        for other in self.nodes.values():
            if other is not node:
                other.community.presence.show(SharedSession(record, 1), PrivacyRules.of(privacy))
        return User(node, record.login)


class Member:
    """A node: its community and what it shares, without a server. `seen` is what its clients would get."""

    def __init__(self, world: World, name: str, limits: ConferenceLimits | None) -> None:
        self.world = world
        self.local: set[str] = set()
        self.seen: list[e.Effect] = []
        self.community = Community(Node(name, f"{name}{name}"), conferences=limits)
        self.streams = NodeStreams(self.community.node, "q", self, Plain(), self)
        self.exchange = NodeExchange(self, self.streams, self, "q", lambda _, then: then())
        self.streams.connected()

    def call(
        self, script: Script, keys: Sequence[str], args: Sequence[Argument], answer: Answer | None = None
    ) -> None:
        if script is APPEND:
            assert answer is not None
            assert isinstance(args[2], bytes)
            self.world.appended.append((keys[2], args[2], answer))
            return
        assert answer is not None
        reply = CallFailure.REFUSED if self.world.refuses else self.world.name(script, keys, args)
        if self.world.answers is None:
            answer(reply)
        else:
            self.world.answers.append(partial(answer, reply))

    def subscribe(self, channel: str) -> None:
        raise AssertionError(channel)

    unsubscribe = subscribe

    def read_stream(self, key: str) -> None:
        pass

    def arrived(self, sender: Node, message: NodeMessage) -> None:
        self.exchange.arrived(sender, message)

    def lost(self, peer: Node, *, gone: bool) -> None:
        self.exchange.lost(peer, gone=gone)

    def fenced(self) -> None:
        raise AssertionError

    def carry_out(self, order: Order, then: Callable[[int], None]) -> None:
        raise AssertionError

    def read_privacy(self, user_id: str) -> None: ...

    def session_rows(self) -> Iterator[tuple[SessionRow, ...]]:
        raise AssertionError

    def in_slices(self, steps: Iterator[None]) -> None:
        """With whatever comes next."""
        self.world.steps.append(steps)

    def deliver(self, effects: list[e.Effect]) -> None:
        """As the server does."""
        for effect in effects:
            match effect:
                case e.TellConference(sessions, conference, notice):
                    here = tuple([each for each in sessions if each in self.local])
                    there = tuple([each for each in sessions if each not in self.local])
                    if here:
                        self.seen.append(e.TellConference(here, conference, notice))
                    if there:
                        self.exchange.take(e.TellConference(there, conference, notice))
                case e.WatchUser() | e.UnwatchUser() | e.EndSession():
                    pass
                case e.OpenAt() | e.AcceptAt() | e.SendAt():
                    if effect.session in self.local:
                        self.seen.append(effect)
                    elif not self.exchange.take(effect):
                        self.deliver(self.community.router.closed(effect.link, ReasonCode.USER_NOT_ONLINE))
                case _ if getattr(effect, "session", None) in self.local:
                    self.seen.append(effect)
                case _:
                    self.exchange.take(effect)

    def new(self) -> list[e.Effect]:
        seen, self.seen = self.seen, []
        return seen


@dataclass
class User:
    """A user at a node, and what the server does for the client."""

    node: Member
    login: LoginInfo

    @property
    def id(self) -> str:
        return self.login.login_id

    def open(self, target: str) -> str:
        answer = self.node.community.open_link(self.login, create(target))
        assert isinstance(answer, Linked)
        self.node.deliver(answer.effects)
        return answer.link

    def accept(self, link: str) -> None:
        self.node.deliver(self.node.community.router.accepted(link, ACCEPT))

    def send(self, link: str, data: bytes) -> None:
        self.node.deliver(self.node.community.router.data(link, 1, data, encrypted=False))

    def close(self, link: str, reason: int = 0) -> None:
        self.node.deliver(self.node.community.close_link(self.id, link, reason))

    def leave(self) -> None:
        """As `SametimeServer` does when a client is gone."""
        self.node.local.discard(self.id)
        self.node.deliver(self.node.community.sign_out(self.id))

    def begin(self, name: str) -> str:
        answers: list[bool] = []
        self.node.exchange.claim(name, 0, answers.append)
        assert answers == [True]
        answer = self.node.community.conferences.open(self.login, ConferenceOpening(name, "T"))
        assert not isinstance(answer, ReasonCode)
        self.node.deliver(answer[1])
        return answer[0]

    def invite(self, conference: str, user: str) -> None:
        invite = ConferenceInvite(IdBlock(f"uid={user}"), "come")
        if not self.node.exchange.confer(self.id, conference, invite):
            self.node.deliver(self.node.community.invite(self.login, conference, invite))

    def join(self, conference: str) -> None:
        if not self.node.exchange.confer(self.id, conference, ConferenceJoin()):
            self.node.deliver(self.node.community.conferences.join(self.id, conference))

    def say(self, conference: str, text: str) -> None:
        if not self.node.exchange.confer(self.id, conference, ConferenceText(text)):
            self.node.deliver(self.node.community.conferences.say(self.id, conference, ConferenceText(text)))

    def quit(self, conference: str) -> None:
        if not self.node.exchange.confer(self.id, conference, None):
            self.node.deliver(self.node.community.conferences.leave(self.id, conference))


def talking(world: World) -> tuple[User, User, str, str]:
    """Alice at one talks with Bob at two; their ends of the link."""
    alice, bob = world.sign_in("alice", "1"), world.sign_in("bob", "2")
    mine = alice.open("uid=bob")
    world.settle()
    (opened,) = bob.node.new()
    assert isinstance(opened, e.OpenAt)
    bob.accept(opened.link)
    world.settle()
    assert alice.node.new() == [e.AcceptAt(alice.id, mine, ACCEPT, bob.login)]
    return alice, bob, mine, opened.link


def conferring(world: World) -> tuple[User, User, str]:
    """Alice at one has a conference with Bob at two."""
    alice, bob = world.sign_in("alice", "1"), world.sign_in("bob", "2")
    conference = alice.begin("c")
    alice.invite(conference, "bob")
    world.settle()
    (invited,) = bob.node.new()
    assert isinstance(invited, e.InviteTo)
    assert invited.invitation.inviter == alice.login
    bob.join(conference)
    world.settle()
    alice.node.new()
    (welcome,) = bob.node.new()
    assert isinstance(welcome, e.TellConference)
    assert isinstance(welcome.notice, ConferenceWelcome)
    assert [each.login for each in welcome.notice.members] == [alice.login, bob.login]
    return alice, bob, conference


def empty(world: World) -> bool:
    """Whether no node remembers anything of channels and conferences."""
    return not any(
        len(each.community.router) or len(each.community.conferences) or each.exchange.shares
        for each in world.nodes.values()
    )


def test_what_is_said_passes_in_both_directions_in_order() -> None:
    world = World("1", "2")
    alice, bob, mine, theirs = talking(world)
    alice.send(mine, b"1")
    alice.send(mine, b"2")
    bob.send(theirs, b"3")
    world.settle()
    assert bob.node.new() == [
        e.SendAt(bob.id, theirs, 1, b"1", False),
        e.SendAt(bob.id, theirs, 1, b"2", False),
    ]
    assert alice.node.new() == [e.SendAt(alice.id, mine, 1, b"3", False)]


def test_a_channel_that_is_closed_is_closed_at_the_other_node_and_not_sent_back() -> None:
    for closes in (0, 1):
        world = World("1", "2")
        alice, bob, mine, theirs = talking(world)
        ((alice, mine), (bob, theirs))[closes][0].close((mine, theirs)[closes], 7)
        world.settle()
        other, link = ((bob, theirs), (alice, mine))[closes]
        assert other.node.new() == [e.CloseAt(other.id, link, 7)]
        assert empty(world)


def lines(call: Callable[[], None]) -> int:
    """How many lines of Python run in a call."""
    count = 0

    def trace(_frame: FrameType, event: str, _arg: object) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("lose", ["its lease", "the lease of the other"])
def test_however_many_links_are_cut_they_are_gone_at_once_and_cleared_away_one_after_the_other(
    lose: str,
) -> None:
    taken = []
    for count in (5, 100):
        world = World("1", "2")
        one, two = world.nodes.values()
        links = [(world.sign_in(f"a{nth}", "1"), world.sign_in(f"b{nth}", "2")) for nth in range(count)]
        names = [alice.open(f"uid=b{nth}") for nth, (alice, _) in enumerate(links)]
        world.settle()
        one.new()
        peer, anew = two.community.node, Node("1", "anew")
        cut = partial(one.streams.gone, peer) if "other" in lose else partial(one.streams.begin_anew, anew)
        taken.append(lines(cut))
        assert len(one.community.router) == 0
        links[0][0].send(names[0], b"lost")
        links[1][0].leave()
        links[2][0].open("uid=b2")
        assert not one.new()
        deque(world.steps.pop(), maxlen=0)
        closed = [e.CloseAt(links[nth][0].id, names[nth], OFFLINE) for nth in range(count) if nth != 1]
        assert one.new() == closed
    assert taken[0] == taken[1]


def test_both_may_close_at_once() -> None:
    world = World("1", "2")
    alice, bob, mine, theirs = talking(world)
    alice.close(mine)
    bob.close(theirs)
    world.settle()
    assert alice.node.new() == bob.node.new() == []
    assert empty(world)


def test_channels_of_a_session_that_ends_close_at_the_other_node() -> None:
    world = World("1", "2")
    alice, bob, mine, _ = talking(world)
    bob.leave()
    world.settle()
    assert alice.node.new() == [e.CloseAt(alice.id, mine, ReasonCode.USER_NOT_ONLINE)]
    assert empty(world)


def test_the_targets_node_refuses_who_may_not_see_the_user_and_a_session_that_is_gone() -> None:
    world = World("1", "2")
    alice, bob = world.sign_in("alice", "1"), world.sign_in("bob", "2")
    hidden = PrivacyInfo(deny=True, users=(UserItem("uid=alice"),))
    bob.node.deliver(bob.node.community.set_privacy("uid=bob", hidden))
    bob.node.new()
    mine = alice.open("uid=bob")
    world.settle()
    bob.leave()
    again = alice.open("uid=bob")
    world.settle()
    offline = ReasonCode.USER_NOT_ONLINE
    assert alice.node.new() == [e.CloseAt(alice.id, mine, offline), e.CloseAt(alice.id, again, offline)]
    assert bob.node.new() == []
    assert empty(world)


def test_a_user_who_hides_closes_the_channels_at_both_nodes() -> None:
    world = World("1", "2")
    alice, bob, mine, theirs = talking(world)
    hidden = PrivacyInfo(deny=True, users=(UserItem("uid=alice"),))
    bob.node.deliver(bob.node.community.set_privacy("uid=bob", hidden))
    world.settle()
    offline = ReasonCode.USER_NOT_ONLINE
    assert e.CloseAt(bob.id, theirs, offline) in bob.node.new()
    assert alice.node.new() == [e.CloseAt(alice.id, mine, offline)]
    assert empty(world)


def test_a_message_that_is_lost_ends_the_channel_at_both_ends_with_a_reason() -> None:
    world = World("1", "2")
    alice, bob, mine, theirs = talking(world)
    alice.send(mine, b"lost")
    world.settle(losing="2")
    alice.send(mine, b"next")
    world.settle()
    assert bob.node.new() == [e.CloseAt(bob.id, theirs, LOST)]
    assert alice.node.new() == [e.CloseAt(alice.id, mine, LOST)]
    assert empty(world)


def test_a_channel_to_a_node_that_is_gone_is_refused_as_offline() -> None:
    world = World("1", "2")
    alice, _bob, mine, _ = talking(world)
    world.dead.add("2")
    alice.send(mine, b"x")
    world.settle()
    assert alice.node.new() == [e.CloseAt(alice.id, mine, ReasonCode.USER_NOT_ONLINE)]
    again = alice.open("uid=bob")
    world.settle()
    assert alice.node.new() == [e.CloseAt(alice.id, again, ReasonCode.USER_NOT_ONLINE)]
    assert not len(alice.node.community.router)


def test_a_node_that_hears_of_a_channel_that_it_does_not_know_closes_it() -> None:
    world = World("1", "2")
    alice, bob, mine, _ = talking(world)
    bob.node.community.router.closed(mine, 0)
    alice.send(mine, b"x")
    world.settle()
    assert alice.node.new() == [e.CloseAt(alice.id, mine, LOST)]
    assert empty(world)


def test_a_node_cannot_speak_for_the_ends_of_another_one() -> None:
    world = World("1", "2", "3")
    alice, bob, mine, theirs = talking(world)
    third = Node("3", "33")
    for link in (mine, theirs, "", "x", "1/2", "11/22/", "11/22/1x"):
        for message in (
            e.SendAt(alice.id, link, 1, b"false", False),
            e.CloseAt(alice.id, link, 0),
            e.AcceptAt(alice.id, link, ACCEPT, bob.login),
            e.OpenAt(bob.id, link, create("uid=bob"), alice.login),
        ):
            alice.node.exchange.arrived(third, message)
            bob.node.exchange.arrived(third, message)
    world.settle()
    assert alice.node.new() == bob.node.new() == []
    alice.send(mine, b"true")
    world.settle()
    assert bob.node.new() == [e.SendAt(bob.id, theirs, 1, b"true", False)]


def test_a_service_that_a_client_does_not_know_is_not_asked_of_it_again_by_another_node() -> None:
    world = World("1", "2")
    alice, bob, _mine, theirs = talking(world)
    other = SessionRecord(
        Node("1", "11"), LoginInfo("bob-two", 0x1700, "uid=bob", "Bob"), "bob", 0, -1, ONLINE
    )
    alice.node.community.presence.show(SharedSession(other, 1), None)
    bob.close(theirs, ReasonCode.SERVICE_NOT_SUPPORTED)
    world.settle()
    route = alice.node.community.presence.route
    assert route("uid=bob", "uid=alice", ServiceId.IM) == "bob-two"
    assert route("uid=bob", "uid=alice", ServiceId.FILE_TRANSFER) == bob.id


def test_members_at_several_nodes_hear_each_other_by_one_message_a_node() -> None:
    world = World("1", "2", "3")
    alice, bob, conference = conferring(world)
    carol, dave = world.sign_in("carol", "3"), world.sign_in("dave", "3")
    for guest in (carol, dave):
        bob.invite(conference, guest.login.user_id.removeprefix("uid="))
        world.settle()
        guest.join(conference)
        world.settle()
    for each in world.nodes.values():
        each.new()
    bob.say(conference, "hello")
    world.settle()
    said = ConferenceSaid(2, ConferenceText("hello"))
    assert alice.node.new() == [e.TellConference((alice.id,), conference, said)]
    assert carol.node.new() == [e.TellConference((carol.id, dave.id), conference, said)]
    assert bob.node.new() == []


def test_a_member_at_another_node_who_leaves_is_seen_to_leave() -> None:
    for leave in (User.quit, lambda user, conference: (user.quit(conference), user.leave())):
        world = World("1", "2")
        alice, bob, conference = conferring(world)
        leave(bob, conference)
        world.settle()
        assert alice.node.new() == [e.TellConference((alice.id,), conference, ConferenceLeft(2))]
        alice.quit(conference)
        world.settle()
        assert empty(world)


def test_a_conference_goes_on_without_its_creator_and_ends_with_its_last_member() -> None:
    world = World("1", "2")
    alice, bob, conference = conferring(world)
    world.sign_in("carol", "2")
    bob.invite(conference, "carol")
    world.settle()
    bob.node.new()
    alice.quit(conference)
    world.settle()
    bob.quit(conference)
    world.settle()
    assert e.CloseConference("carol-session", conference, ReasonCode.PARTY_LEFT) in bob.node.new()
    assert empty(world)


def test_a_conference_ends_at_all_members_when_its_home_is_gone() -> None:
    world = World("1", "2")
    _, bob, conference = conferring(world)
    bob.node.streams.gone(Node("1", "11"))
    assert bob.node.new() == [e.CloseConference(bob.id, conference, LOST)]
    assert not bob.node.exchange.shares
    assert not world.appended


def test_members_at_a_node_that_is_gone_leave() -> None:
    world = World("1", "2")
    alice, _, conference = conferring(world)
    alice.node.streams.gone(Node("2", "22"))
    assert alice.node.new() == [e.TellConference((alice.id,), conference, ConferenceLeft(2))]
    assert not world.appended


def test_a_lost_line_ends_the_membership_at_both_ends() -> None:
    for speaker in (0, 1):
        world = World("1", "2")
        alice, bob, conference = conferring(world)
        (alice, bob)[speaker].say(conference, "lost")
        world.settle(losing="21"[speaker])
        (alice, bob)[speaker].say(conference, "next")
        world.settle()
        assert e.TellConference((alice.id,), conference, ConferenceLeft(2)) in alice.node.new()
        assert bob.node.new() == [e.CloseConference(bob.id, conference, LOST)]
        alice.quit(conference)
        world.settle()
        assert empty(world)


def test_only_guests_take_part_and_only_for_themselves() -> None:
    world = World("1", "2", "3")
    alice, bob, conference = conferring(world)
    third = Node("3", "33")
    for request in (ConferenceText("false"), ConferenceJoin(), None, ConferenceInvite(IdBlock("uid=bob"))):
        alice.node.exchange.arrived(third, InConference(bob.id, conference, request))
        alice.node.exchange.arrived(third, InConference("nobody", conference, request))
        alice.node.exchange.arrived(third, InConference(bob.id, "unknown", request))
    bob.node.exchange.arrived(third, e.CloseConference(bob.id, conference, 1))
    bob.node.exchange.arrived(third, e.TellConference((bob.id,), conference, ConferenceLeft(1)))
    world.settle()
    assert alice.node.new() == bob.node.new() == []
    assert alice.node.community.conferences.members_of(conference) == (alice.id, bob.id)


def test_a_conference_says_nothing_to_who_is_only_invited() -> None:
    world = World("1", "2")
    alice, bob = world.sign_in("alice", "1"), world.sign_in("bob", "2")
    conference = alice.begin("c")
    alice.invite(conference, "bob")
    alice.say(conference, "secret")
    world.settle()
    assert [type(each) for each in bob.node.new()] == [e.InviteTo]
    bob.quit(conference)
    world.settle()
    assert all(not isinstance(getattr(each, "notice", None), ConferenceJoined) for each in alice.node.new())


def test_invitations_beyond_the_limit_of_the_guests_node_are_declined() -> None:
    world = World("1", "2", "3", limits=ConferenceLimits(per_session=1))
    alice, bob, carol = (
        world.sign_in(user, at) for user, at in (("alice", "1"), ("bob", "2"), ("carol", "3"))
    )
    alice.invite(alice.begin("a"), "bob")
    world.settle()
    second = carol.begin("c")
    carol.invite(second, "bob")
    world.settle()
    assert [type(each) for each in bob.node.new()] == [e.InviteTo]
    assert carol.node.community.conferences.members_of(second) == (carol.id,)
    carol.quit(second)
    world.settle()
    assert not carol.node.exchange.shares


def test_a_name_belongs_to_one_conference_in_all_nodes_until_that_is_over() -> None:
    world = World("1", "2")
    alice, bob = world.sign_in("alice", "1"), world.sign_in("bob", "2")
    conference = alice.begin("c")
    answers: list[bool] = []
    bob.node.exchange.claim("c", 0, answers.append)
    assert answers == [False]
    alice.quit(conference)
    alice.node.exchange.tick(1)
    bob.node.exchange.claim("c", 0, answers.append)
    assert answers == [False, True]


def two_of_a_name(world: World) -> tuple[User, User, str, str]:
    """Alice at one, which was gone for a while, and Bob at two, each in a conference of one name."""
    alice, bob = world.sign_in("alice", "1"), world.sign_in("bob", "2")
    first = alice.begin("c")
    world.begin_anew("1")
    second = bob.begin("c")
    for each in world.nodes.values():
        each.new()
    return alice, bob, first, second


def test_who_takes_part_in_a_conference_is_not_invited_to_another_of_its_name() -> None:
    world = World("1", "2", "3")
    alice, bob, first, second = two_of_a_name(world)
    carol = world.sign_in("carol", "3")
    bob.invite(second, "carol")
    world.settle()
    assert [type(each) for each in carol.node.new()] == [e.InviteTo]
    carol.join(second)
    world.settle()
    for each in (bob, carol):
        each.node.new()
        alice.invite(first, each.login.user_id.removeprefix("uid="))
        world.settle()
        assert each.node.new() == []
    assert not alice.node.exchange.shares
    amy = world.sign_in("amy", "1")
    bob.invite(second, "amy")
    world.settle()
    alice.node.new()
    alice.invite(first, "amy")
    world.settle()
    assert alice.node.new() == []
    amy.quit(second)
    alice.invite(first, "amy")
    assert [type(each) for each in alice.node.new()] == [e.InviteTo]


def test_who_takes_part_in_a_conference_elsewhere_does_not_open_another_of_its_name() -> None:
    world = World("1", "2")
    _, bob, _ = conferring(world)
    conferences = bob.node.community.conferences
    assert conferences.open(bob.login, ConferenceOpening("c", "")) is ReasonCode.CHANNEL_EXISTS


def test_a_conference_whose_name_another_node_has_by_now_ends_for_all() -> None:
    world = World("1", "2", "3")
    alice, bob, first, second = two_of_a_name(world)
    carol, amy = world.sign_in("carol", "3"), world.sign_in("amy", "1")
    alice.invite(first, "carol")
    alice.invite(first, "amy")
    world.settle()
    carol.join(first)
    world.settle()
    for each in (alice, carol):
        each.node.new()
    alice.node.exchange.claim_again(1)
    bob.node.exchange.claim_again(1)
    world.settle()
    assert alice.node.new() == [e.CloseConference(each.id, first, LOST) for each in (alice, amy)]
    assert carol.node.new() == [e.CloseConference(carol.id, first, LOST)]
    assert bob.node.new() == []
    bob.quit(second)
    world.settle()
    assert empty(world)


def test_a_claim_and_a_release_that_valkey_refuses_are_written_again() -> None:
    world = World("1", "2")
    alice, bob = world.sign_in("alice", "1"), world.sign_in("bob", "2")
    world.refuses = True
    conference = alice.begin("c")
    alice.node.exchange.tick(1)
    assert not world.names
    world.refuses = False
    alice.node.exchange.tick(2)
    (holder,) = world.names.values()
    assert holder == alice.node.community.node.incarnation
    alice.quit(conference)
    world.refuses = True
    alice.node.exchange.tick(3)
    world.refuses = False
    alice.node.exchange.tick(4)
    assert not world.names
    bob.begin("c")


def test_a_name_that_is_being_claimed_is_not_released() -> None:
    world = World("1")
    alice = world.sign_in("alice", "1")
    alice.quit(alice.begin("c"))
    world.answers = []
    alice.node.exchange.claim("c", 1, lambda _: None)
    alice.node.exchange.tick(1)
    (answer,) = world.answers
    assert world.names
    answer()
    world.answers = None
    alice.node.exchange.tick(2)
    assert not world.names


def test_an_invitation_to_who_takes_part_begins_that_anew() -> None:
    world = World("1", "2")
    alice, bob, conference = conferring(world)
    alice.node.deliver(alice.node.community.conferences.leave(bob.id, conference))
    alice.invite(conference, "bob")
    world.settle()
    closed, invited = bob.node.new()
    assert closed == e.CloseConference(bob.id, conference, LOST)
    assert isinstance(invited, e.InviteTo)
    bob.join(conference)
    bob.say(conference, "hello")
    world.settle()
    assert e.TellConference((alice.id,), conference, ConferenceSaid(3, ConferenceText("hello"))) in (
        alice.node.new()
    )


def test_a_guest_whom_the_home_does_not_know_any_more_is_closed_at_the_next_word() -> None:
    for request in (ConferenceText("x"), ConferenceJoin(), ConferenceInvite(IdBlock("uid=alice"))):
        world = World("1", "2")
        alice, bob, conference = conferring(world)
        alice.node.deliver(alice.node.community.conferences.gone(bob.id))
        bob.node.exchange.confer(bob.id, conference, request)
        world.settle()
        assert bob.node.new() == [e.CloseConference(bob.id, conference, LOST)]
        alice.quit(conference)
        assert empty(world)


def test_a_node_that_begins_anew_says_nothing_of_what_it_shared_before() -> None:
    world = World("1", "2", "3")
    alice, _, conference = conferring(world)
    carol = world.sign_in("carol", "3")
    alice.invite(conference, "carol")
    world.settle()
    carol.join(conference)
    world.settle()
    world.begin_anew("1")
    assert not world.appended
    assert alice.node.community.conferences.members_of(conference) == (alice.id,)
