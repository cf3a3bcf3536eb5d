"""Conversations of several users, hosted by a node."""

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.sametime.community.conferences import ConferenceLimits, Conferences
from quintet.sametime.community.effects import (
    AcceptConference,
    CloseConference,
    Effect,
    InviteTo,
    TellConference,
)
from quintet.sametime.community.records import Node
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.conference import (
    ConferenceInvitation,
    ConferenceJoined,
    ConferenceLeft,
    ConferenceMember,
    ConferenceOpening,
    ConferenceSaid,
    ConferenceText,
    ConferenceTyping,
    ConferenceWelcome,
)
from quintet.sametime.wire.blocks import LoginInfo

NODE = Node("one", "1")
OPENING = ConferenceOpening("name", "Title")
KEY = "1/name"


def login(session: str) -> LoginInfo:
    return LoginInfo(session, 0x1700, f"uid={session}", session.title())


def members(*sessions: str) -> tuple[ConferenceMember, ...]:
    return tuple([ConferenceMember(nth, login(each)) for nth, each in enumerate(sessions, 1)])


def conference(*sessions: str) -> Conferences:
    made = Conferences(NODE)
    first, *others = sessions
    made.open(login(first), OPENING)
    for each in others:
        made.invite(first, KEY, login(each), "")
        made.join(each, KEY)
    return made


def test_the_creator_is_welcomed_as_the_only_member() -> None:
    made = Conferences(NODE)
    assert made.open(login("alice"), OPENING) == (
        KEY,
        [
            AcceptConference("alice", KEY),
            TellConference(("alice",), KEY, ConferenceWelcome("name", "Title", members("alice"))),
        ],
    )
    assert made.home_of(KEY) == NODE


def test_a_name_cannot_be_used_twice_at_a_time() -> None:
    made = conference("alice")
    assert made.open(login("bob"), OPENING) is ReasonCode.CHANNEL_EXISTS
    made.leave("alice", KEY)
    assert not isinstance(made.open(login("bob"), OPENING), ReasonCode)


def test_a_conference_without_a_name_is_refused() -> None:
    made = Conferences(NODE)
    assert made.open(login("alice"), ConferenceOpening("", "t")) is ReasonCode.INVALID_REQUEST
    assert made.open(login("alice"), ConferenceOpening("n" * 600, "t")) is ReasonCode.INVALID_REQUEST
    assert len(made) == 0


def test_a_guest_is_invited_in_the_name_of_the_members_own_session() -> None:
    made = conference("alice")
    assert made.invite("alice", KEY, login("bob"), "come") == [
        InviteTo("bob", KEY, ConferenceInvitation("name", "Title", login("alice"), "come"))
    ]


def test_nobody_is_invited_twice() -> None:
    made = conference("alice", "bob")
    assert made.invite("alice", KEY, login("bob"), "") == []
    made.invite("alice", KEY, login("carol"), "")
    assert made.invite("bob", KEY, login("carol"), "") == []


def test_only_members_invite() -> None:
    made = conference("alice")
    made.invite("alice", KEY, login("bob"), "")
    assert made.invite("bob", KEY, login("carol"), "") == []
    assert made.invite("mallory", KEY, login("carol"), "") == []
    assert made.invite("alice", "1/other", login("carol"), "") == []


def test_who_joins_is_welcomed_and_shown_to_the_others() -> None:
    made = conference("alice")
    made.invite("alice", KEY, login("bob"), "")
    assert made.join("bob", KEY) == [
        TellConference(("bob",), KEY, ConferenceWelcome("name", "Title", members("alice", "bob"))),
        TellConference(("alice",), KEY, ConferenceJoined(ConferenceMember(2, login("bob")))),
    ]


def test_who_was_not_invited_cannot_join_or_speak() -> None:
    made = conference("alice")
    assert made.join("mallory", KEY) == []
    assert made.say("mallory", KEY, ConferenceText("hi")) == []
    made.invite("alice", KEY, login("bob"), "")
    assert made.say("bob", KEY, ConferenceText("hi")) == []


def test_text_and_typing_reach_all_others() -> None:
    made = conference("alice", "bob", "carol")
    for message in (ConferenceText("hi"), ConferenceTyping(typing=True)):
        assert made.say("bob", KEY, message) == [
            TellConference(("alice", "carol"), KEY, ConferenceSaid(2, message))
        ]


def test_the_others_see_a_member_leave() -> None:
    made = conference("alice", "bob", "carol")
    assert made.leave("alice", KEY) == [TellConference(("bob", "carol"), KEY, ConferenceLeft(1))]
    assert made.leave("alice", KEY) == []


def test_a_declined_invitation_is_told_to_nobody() -> None:
    made = conference("alice")
    made.invite("alice", KEY, login("bob"), "")
    assert made.leave("bob", KEY) == []
    assert made.members_of(KEY) == ("alice",)


def test_with_the_last_member_open_invitations_end() -> None:
    made = conference("alice")
    made.invite("alice", KEY, login("bob"), "")
    assert made.gone("alice") == [CloseConference("bob", KEY, ReasonCode.PARTY_LEFT)]
    assert len(made) == 0


def test_conferences_and_guests_are_bounded() -> None:
    made = Conferences(NODE, ConferenceLimits(per_session=2, members=3))
    for name in ("a", "b"):
        made.open(login("alice"), ConferenceOpening(name, ""))
    assert made.open(login("alice"), ConferenceOpening("c", "")) is ReasonCode.OUT_OF_RESOURCES
    assert made.invite("alice", "1/a", login("bob"), "")
    assert made.invite("alice", "1/a", login("carol"), "")
    assert made.invite("alice", "1/a", login("dave"), "") == []


SESSIONS = ("alice", "bob", "carol")
STEPS = st.tuples(
    st.sampled_from(["open", "invite", "join", "say", "leave", "gone"]),
    st.sampled_from(SESSIONS),
    st.sampled_from(SESSIONS),
    st.sampled_from(["a", "b"]),
)


@settings(max_examples=400)
@given(st.lists(STEPS))
def test_what_members_were_told_is_who_the_members_are(steps: list[tuple[str, str, str, str]]) -> None:
    made = Conferences(NODE)
    seen: dict[tuple[str, str], dict[int, str]] = {}  # session and conference: the members that it knows

    def apply(effects: list[Effect]) -> None:
        for each in effects:
            if not isinstance(each, TellConference):
                continue
            for session in each.sessions:
                match each.notice:
                    case ConferenceWelcome(_, _, everybody):
                        seen[session, each.conference] = {it.id: it.login.login_id for it in everybody}
                    case ConferenceJoined(member):
                        seen[session, each.conference][member.id] = member.login.login_id
                    case ConferenceLeft(member_id):
                        del seen[session, each.conference][member_id]
                    case ConferenceSaid(member_id):
                        assert member_id in seen[session, each.conference]

    for what, one, other, name in steps:
        key = f"1/{name}"
        match what:
            case "open":
                answer = made.open(login(one), ConferenceOpening(name, ""))
                apply([] if isinstance(answer, ReasonCode) else answer[1])
            case "invite":
                apply(made.invite(one, key, login(other), ""))
            case "join":
                apply(made.join(one, key))
            case "say":
                apply(made.say(one, key, ConferenceText("x")))
            case "leave":
                seen.pop((one, key), None)
                apply(made.leave(one, key))
            case "gone":
                for each in ("a", "b"):
                    seen.pop((one, f"1/{each}"), None)
                apply(made.gone(one))
        for each in ("1/a", "1/b"):
            there = made.members_of(each)
            assert {session for session, known in seen if known == each} == set(there)
            assert all(set(seen[session, each].values()) == set(there) for session in there)
    for session in SESSIONS:
        made.gone(session)
    assert len(made) == 0
    assert not made._by_session
