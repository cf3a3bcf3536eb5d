"""Channels between two users: where they go, and that both ends always know when one is over."""

from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.sametime.community import Community, Linked, Node, Refusal, SessionRecord
from quintet.sametime.community.effects import AcceptAt, CloseAt, Effect, OpenAt, SendAt
from quintet.sametime.community.routing import LINKS_BETWEEN, Router
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.wire.blocks import VISIBLE_TO_ALL, IdBlock, LoginInfo, UserStatus
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate

NODE = Node("one", "1")
ACCEPT = ChannelAccept(9, ServiceId.IM, 0x1000, 3)


def login(user: str, session: str) -> LoginInfo:
    return LoginInfo(session, 0x1700, f"uid={user}", user.title())


def community(*sessions: tuple[str, str, float]) -> Community:
    """A community with these sessions: user, session, time of the last activity."""
    made = Community(NODE)
    for user, session, active in sessions:
        status = UserStatus(0x20)
        made.sign_in(SessionRecord(NODE, login(user, session), user, 0, active, status), VISIBLE_TO_ALL)
    return made


def create(target: str, service: int = ServiceId.IM) -> ChannelCreate:
    return ChannelCreate(1, service, 0x1000, 3, IdBlock(target), additional=b"x")


def opened(answer: Linked | Refusal) -> OpenAt:
    assert isinstance(answer, Linked)
    (effect,) = answer.effects
    assert isinstance(effect, OpenAt)
    return effect


def test_messages_go_to_the_session_that_was_active_last() -> None:
    made = community(("alice", "alice1", 0), ("bob", "bob1", 5), ("bob", "bob2", 3))
    assert opened(made.open_link(login("alice", "alice1"), create("uid=bob"))).session == "bob1"
    made.presence.touch("bob2", 9)
    assert opened(made.open_link(login("alice", "alice1"), create("uid=bob"))).session == "bob2"


def test_a_user_is_found_by_id_in_any_spelling_by_login_id_and_by_login_name() -> None:
    made = community(("alice", "alice1", 0), ("bob", "bob01", 0))
    for target in ("uid=bob", "UID = Bob", "bob01", "bob", " BOB "):
        assert opened(made.open_link(login("alice", "alice1"), create(target))).session == "bob01"


def test_a_login_name_of_two_users_names_neither() -> None:
    made = community(("alice", "alice1", 0), ("bob", "bob01", 0))
    made.sign_in(SessionRecord(NODE, login("bobby", "bobby1"), "bob", 0, 0, UserStatus(0x20)), VISIBLE_TO_ALL)
    answer = made.open_link(login("alice", "alice1"), create("bob"))
    assert answer == Refusal(ReasonCode.USER_NOT_ONLINE)


def test_the_creator_is_the_one_of_the_servers_session_and_the_rest_passes_unchanged() -> None:
    made = community(("alice", "alice1", 0), ("bob", "bob01", 0))
    effect = opened(made.open_link(login("alice", "alice1"), create("uid=bob")))
    assert effect.creator == login("alice", "alice1")
    assert effect.create == create("uid=bob")


def test_accept_data_and_close_reach_the_other_end() -> None:
    made = community(("alice", "alice1", 0), ("bob", "bob01", 0))
    answer = made.open_link(login("alice", "alice1"), create("uid=bob"))
    assert isinstance(answer, Linked)
    theirs = opened(answer).link
    assert made.router.accepted(theirs, ACCEPT) == [
        AcceptAt("alice1", answer.link, ACCEPT, login("bob", "bob01"))
    ]
    assert made.router.data(answer.link, 0x64, b"hi", encrypted=True) == [
        SendAt("bob01", theirs, 0x64, b"hi", True)
    ]
    assert made.close_link("bob01", theirs, 0, b"bye") == [CloseAt("alice1", answer.link, 0, b"bye")]
    assert made.close_link("alice1", answer.link, 0) == []


def test_a_user_may_write_to_a_session_of_their_own() -> None:
    made = community(("alice", "alice1", 0))
    answer = made.open_link(login("alice", "alice1"), create("uid=alice"))
    theirs = opened(answer).link
    assert isinstance(answer, Linked)
    assert made.router.data(theirs, 0x64, b"hi", encrypted=False) == [
        SendAt("alice1", answer.link, 0x64, b"hi", False)
    ]
    assert made.sign_out("alice1")[0] == CloseAt("alice1", theirs, ReasonCode.USER_NOT_ONLINE)
    assert len(made.router) == 0


def test_a_session_that_ends_closes_its_channels_at_the_other_ends() -> None:
    made = community(("alice", "alice1", 0), ("bob", "bob01", 0))
    answer = made.open_link(login("alice", "alice1"), create("uid=bob"))
    assert isinstance(answer, Linked)
    effects = [each for each in made.sign_out("bob01") if isinstance(each, CloseAt)]
    assert effects == [CloseAt("alice1", answer.link, ReasonCode.USER_NOT_ONLINE)]


def test_a_session_that_does_not_know_a_service_is_not_asked_again() -> None:
    made = community(("alice", "alice1", 0), ("bob", "bob01", 5), ("bob", "bob02", 3))
    first = opened(made.open_link(login("alice", "alice1"), create("uid=bob")))
    assert first.session == "bob01"
    made.close_link("bob01", first.link, ReasonCode.SERVICE_NOT_SUPPORTED)
    assert opened(made.open_link(login("alice", "alice1"), create("uid=bob"))).session == "bob02"
    files = create("uid=bob", ServiceId.FILE_TRANSFER)
    assert opened(made.open_link(login("alice", "alice1"), files)).session == "bob01"


def test_links_between_two_sessions_are_bounded() -> None:
    router = Router(NODE)
    for _ in range(LINKS_BETWEEN):
        router.open(login("alice", "alice1"), create("uid=bob"), login("bob", "bob01"))
    name, effects = router.open(login("alice", "alice1"), create("uid=bob"), login("bob", "bob01"))
    assert effects == [CloseAt("alice1", name, ReasonCode.TOO_MANY_IM_SESSIONS)]
    _, effects = router.open(login("alice", "alice1"), create("uid=carol"), login("carol", "carol1"))
    assert isinstance(effects[0], OpenAt)


SESSIONS = ("alice1", "bob01", "carol1")


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["open", "data", "close", "gone"]),
            st.sampled_from(SESSIONS),
            st.sampled_from(SESSIONS),
            st.integers(0, 5),
        )
    )
)
def test_every_end_is_told_once_that_a_channel_is_over(steps: list[tuple[str, str, str, int]]) -> None:
    router = Router(NODE)
    ends: dict[str, tuple[str, str]] = {}  # end: its session, the other end
    for what, one, other, nth in steps:
        effects: list[Effect] = []
        names = sorted(ends)
        name = names[nth % len(names)] if names else "unknown"
        match what:
            case "open":
                mine, effects = router.open(login(one, one), create(other), login(other, other))
                (opening,) = effects
                assert isinstance(opening, OpenAt)
                ends[mine] = (one, opening.link)
                ends[opening.link] = (other, mine)
                effects = []
            case "data":
                for each in router.data(name, 1, b"x", encrypted=False):
                    assert isinstance(each, SendAt)
                    assert (each.session, each.link) == (ends[ends[name][1]][0], ends[name][1])
            case "close":
                effects = router.closed(name, 0)
                if names:
                    other_end = ends.pop(name)[1]
                    assert [(each.session, each.link) for each in effects if isinstance(each, CloseAt)] == [
                        (ends.pop(other_end)[0], other_end)
                    ]
            case "gone":
                told = [each.link for each in router.gone(one) if isinstance(each, CloseAt)]
                of_session = {each for each, (session, _) in ends.items() if session == one}
                links = {frozenset((each, ends[each][1])) for each in of_session}
                assert len(told) == len(links)
                assert all(any(each in link for each in told) for link in links)
                for link in links:
                    for end in link:
                        del ends[end]
        assert 2 * len(router) == len(ends)
        assert router.closed("unknown", 0) == []
