"""To a watcher who may not see a user, the user is like one who is offline, in all that the community does.

Two communities get the same events, but in one of them the hidden user is never there. All that those from
whom the user is hidden are told must be the same in both.
"""

from collections.abc import Callable, Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.sametime.community import Community, Linked, Node, Refusal, SessionRecord, SignInRule
from quintet.sametime.community.effects import CloseAt, Effect, ShowAttribute, ShowUpdate
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.conference import ConferenceInvite, ConferenceOpening
from quintet.sametime.wire.blocks import (
    VISIBLE_TO_ALL,
    AwareId,
    AwareType,
    IdBlock,
    LoginInfo,
    PrivacyInfo,
    UserItem,
    UserStatus,
)
from quintet.sametime.wire.messages import ChannelCreate

HIDDEN_FROM_ALL = PrivacyInfo(deny=False)
HIDDEN, VIEWER, FRIEND = "uid=hidden", "uid=viewer", "uid=friend"
LISTS = (
    HIDDEN_FROM_ALL,
    PrivacyInfo(deny=True, users=(UserItem("UID=Viewer"),)),
    PrivacyInfo(deny=False, users=(UserItem("uid=friend"),)),
)
ACTIVE = UserStatus(0x20)

Step = Callable[[Community], list[Effect]]


def record(user: str, session: str) -> SessionRecord:
    login = LoginInfo(session, 0x1700, user, user.upper())
    return SessionRecord(Node("one", "1"), login, user.removeprefix("uid="), 0, 0, ACTIVE)


def sign_in(
    community: Community, user: str, session: str, privacy: PrivacyInfo = VISIBLE_TO_ALL
) -> list[Effect]:
    effects = community.sign_in(record(user, session), privacy)
    assert not isinstance(effects, Refusal)
    return effects


def concerning(session: str, effects: Iterable[Effect]) -> list[Effect]:
    """What a session is told."""
    found: list[Effect] = []
    for each in effects:
        if isinstance(each, ShowUpdate | ShowAttribute):
            if session in each.sessions:
                found.append(each)
        elif getattr(each, "session", None) == session or session in getattr(each, "sessions", ()):
            found.append(each)
    return found


def create(target: str) -> ChannelCreate:
    return ChannelCreate(1, ServiceId.IM, 0x1000, 3, IdBlock(target))


def open_link(target: str) -> Step:
    def step(community: Community) -> list[Effect]:
        answer = community.open_link(record(VIEWER, "viewer1").login, create(target))
        return answer.effects if isinstance(answer, Linked) else [CloseAt("viewer1", "", answer.reason)]

    return step


def invite(target: str) -> Step:
    def step(community: Community) -> list[Effect]:
        login = record(VIEWER, "viewer1").login
        opened = community.conferences.open(login, ConferenceOpening("c", "t"))
        key = "one/c" if isinstance(opened, ReasonCode) else opened[0]
        return community.invite(login, key, ConferenceInvite(IdBlock(target)))

    return step


viewers_steps = st.sampled_from(
    [
        lambda c: c.presence.watch("viewer1", [AwareId(AwareType.USER, HIDDEN)]),
        lambda c: c.presence.watch("viewer1", [AwareId(AwareType.USER, HIDDEN.upper())]),
        lambda c: c.presence.watch("viewer1", [AwareId(AwareType.GROUP, "cn=g")]),
        lambda c: c.presence.unwatch("viewer1", [AwareId(AwareType.USER, HIDDEN)]),
        lambda c: c.presence.watch_attributes("viewer1", [1, 6]),
        lambda c: c.presence.group_content("cn=g", [HIDDEN, FRIEND]),
        lambda c: c.presence.group_content("cn=g", [FRIEND]),
        open_link(HIDDEN),
        open_link("hidden1"),
        open_link("hidden"),
        open_link(FRIEND),
        invite(HIDDEN),
        invite("hidden"),
        lambda c: c.presence.set_status("friend1", UserStatus(0x60), 1),
    ]
)
hidden_steps = st.sampled_from(
    [
        lambda c: c.presence.set_status("hidden1", UserStatus(0x60, 0, "lunch"), 1),
        lambda c: c.presence.set_status("hidden1", UserStatus(0x20), 1),
        lambda c: c.presence.set_attribute("hidden1", 6, b"\0\1"),
        lambda c: c.presence.set_attribute("hidden1", 6, None),
        lambda c: sign_in(c, HIDDEN, "hidden2", LISTS[0]) if "hidden2" not in c.presence else [],
        lambda c: c.sign_out("hidden2"),
        lambda c: c.presence.watch("hidden1", [AwareId(AwareType.USER, VIEWER)]),
        *[lambda c, to=to: c.set_privacy(HIDDEN, to) for to in LISTS],
    ]
)


@settings(max_examples=300)
@given(st.sampled_from(LISTS), st.lists(st.tuples(st.booleans(), st.booleans(), viewers_steps, hidden_steps)))
def test_a_hidden_user_looks_offline_whatever_happens(
    privacy: PrivacyInfo, steps: list[tuple[bool, bool, Step, Step]]
) -> None:
    with_user = Community(Node("one", "1"), SignInRule.MANY)
    without = Community(Node("one", "1"), SignInRule.MANY)
    for community in (with_user, without):
        sign_in(community, VIEWER, "viewer1")
        sign_in(community, FRIEND, "friend1")
    told = concerning("viewer1", sign_in(with_user, HIDDEN, "hidden1", privacy))
    expected: list[Effect] = []
    for is_viewers, _, viewers, hiddens in steps:
        if is_viewers:
            told += concerning("viewer1", viewers(with_user))
            expected += concerning("viewer1", viewers(without))
        else:
            told += concerning("viewer1", hiddens(with_user))
    told += concerning("viewer1", with_user.sign_out("hidden1"))
    assert told == expected


def test_hiding_closes_the_channels_with_those_from_whom_one_hides() -> None:
    community = Community(Node("one", "1"))
    for user, session in ((VIEWER, "viewer1"), (FRIEND, "friend1"), (HIDDEN, "hidden1")):
        sign_in(community, user, session)
    for user in ("viewer", "friend"):
        answer = community.open_link(record(f"uid={user}", f"{user}1").login, create(HIDDEN))
        assert isinstance(answer, Linked)
    effects = community.set_privacy(HIDDEN, LISTS[1])
    closed = [each for each in effects if isinstance(each, CloseAt)]
    assert {(each.session, each.reason) for each in closed} == {
        ("viewer1", ReasonCode.USER_NOT_ONLINE),
        ("hidden1", ReasonCode.USER_NOT_ONLINE),
    }
    assert len(community.router) == 1


def test_a_hidden_user_may_write_to_anybody_and_is_answered_there() -> None:
    community = Community(Node("one", "1"))
    sign_in(community, VIEWER, "viewer1")
    sign_in(community, HIDDEN, "hidden1", HIDDEN_FROM_ALL)
    answer = community.open_link(record(HIDDEN, "hidden1").login, create(VIEWER))
    assert isinstance(answer, Linked)
    sign_in(community, HIDDEN, "hidden2", HIDDEN_FROM_ALL)
    assert len(community.router) == 1, "a further session with the same list closes nothing"


def test_while_the_list_cannot_be_read_nobody_sees_the_user() -> None:
    community = Community(Node("one", "1"))
    sign_in(community, VIEWER, "viewer1")
    effects = community.sign_in(record(HIDDEN, "hidden1"), None)
    assert not isinstance(effects, Refusal)
    assert not community.presence.can_see(VIEWER, HIDDEN)
    assert community.presence.can_see(HIDDEN, HIDDEN)


def test_a_list_that_cannot_be_read_again_stays_in_force() -> None:
    community = Community(Node("one", "1"))
    sign_in(community, VIEWER, "viewer1")
    sign_in(community, HIDDEN, "hidden1", VISIBLE_TO_ALL)
    community.sign_in(record(HIDDEN, "hidden2"), None)
    assert community.presence.can_see(VIEWER, HIDDEN)
