"""Presence, case by case. `test_presence_model` has the same for any history."""

import pytest

from quintet.sametime.community import Community, Node, PresenceLimits, Refusal, SessionRecord, SignInRule
from quintet.sametime.community.effects import (
    Effect,
    EndSession,
    ShowAttribute,
    ShowGroup,
    ShowOwnPrivacy,
    ShowOwnStatus,
    ShowSnapshot,
    ShowUpdate,
    UnwatchGroup,
    UnwatchUser,
    WatchGroup,
    WatchUser,
)
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.aware import PresenceEntry
from quintet.sametime.wire.blocks import (
    VISIBLE_TO_ALL,
    AwareId,
    AwareType,
    LoginInfo,
    PrivacyInfo,
    UserStatus,
)

NODE = Node("one", "1")
HIDDEN_FROM_ALL = PrivacyInfo(deny=False)
ACTIVE, AWAY, BUSY = UserStatus(0x20), UserStatus(0x60, 7, "lunch"), UserStatus(0x80)
BOB = AwareId(AwareType.USER, "uid=bob")
TEAM = AwareId(AwareType.GROUP, "cn=team")


def sign_in(
    community: Community, user: str, session: str, status: UserStatus = ACTIVE, active: float = 0
) -> list[Effect]:
    login = LoginInfo(session, 0x1700, f"uid={user}", user.title())
    effects = community.sign_in(SessionRecord(NODE, login, user, 0, active, status), VISIBLE_TO_ALL)
    assert not isinstance(effects, Refusal)
    return effects


def online(aware_id: AwareId, status: UserStatus, name: str, group: str = "") -> PresenceEntry:
    return PresenceEntry(aware_id, status, name, aware_id.user, group)


@pytest.fixture
def community() -> Community:
    """Alice is there."""
    made = Community(NODE)
    sign_in(made, "alice", "alice1")
    return made


def test_whom_nobody_knows_is_answered_as_offline(community: Community) -> None:
    assert community.presence.watch("alice1", [BOB]) == [
        ShowSnapshot("alice1", (PresenceEntry(BOB),)),
        WatchUser("uid=bob"),
    ]


def test_coming_changing_and_going_are_told(community: Community) -> None:
    community.presence.watch("alice1", [BOB])
    assert sign_in(community, "bob", "bob01") == [ShowUpdate(online(BOB, ACTIVE, "Bob"), ("alice1",))]
    assert community.presence.set_status("bob01", AWAY, 1) == [
        ShowUpdate(online(BOB, AWAY, "Bob"), ("alice1",))
    ]
    assert community.sign_out("bob01") == [ShowUpdate(PresenceEntry(BOB), ("alice1",))]


def test_the_id_is_told_byte_for_byte_as_it_was_watched(community: Community) -> None:
    ids = [AwareId(AwareType.USER, "UID=Bob"), AwareId(AwareType.USER, "uid = bob", "x")]
    community.presence.watch("alice1", ids)
    told = [each.entry.id for each in sign_in(community, "bob", "bob01") if isinstance(each, ShowUpdate)]
    assert told == ids


def test_many_watchers_get_one_update_together(community: Community) -> None:
    for nth in range(5):
        sign_in(community, f"u{nth}", f"login{nth}")
        community.presence.watch(f"login{nth}", [BOB])
    (update,) = sign_in(community, "bob", "bob01")
    assert isinstance(update, ShowUpdate)
    assert set(update.sessions) == {f"login{nth}" for nth in range(5)}


@pytest.mark.parametrize(
    ("statuses", "shown"),
    [
        ((ACTIVE, AWAY), ACTIVE),
        ((BUSY, AWAY), AWAY),
        ((UserStatus(0x40), AWAY), UserStatus(0x40)),
        ((UserStatus(0x220), UserStatus(0x20)), UserStatus(0x20)),
        ((UserStatus(0x1001), BUSY), BUSY),
        ((UserStatus(0x60, 0, "first"), UserStatus(0x60, 0, "last")), UserStatus(0x60, 0, "last")),
    ],
)
def test_the_most_available_status_counts(statuses: tuple[UserStatus, ...], shown: UserStatus) -> None:
    made = Community(NODE)
    for nth, status in enumerate(statuses):
        sign_in(made, "bob", f"login{nth}", status)
    assert made.presence.status_of("uid=bob") == shown


def test_the_other_sessions_of_a_user_learn_what_is_shown_now(community: Community) -> None:
    sign_in(community, "alice", "alice2", AWAY)
    assert community.presence.set_status("alice2", BUSY, 1) == []
    assert community.presence.set_status("alice1", BUSY, 1) == [ShowOwnStatus("alice2", BUSY)]


def test_under_the_newest_rule_the_old_session_ends_and_watchers_see_no_gap() -> None:
    made = Community(NODE, SignInRule.NEWEST)
    sign_in(made, "alice", "alice1")
    made.presence.watch("alice1", [BOB])
    sign_in(made, "bob", "bob01")
    effects = sign_in(made, "bob", "bob02")
    (ended,) = effects
    assert isinstance(ended, EndSession)
    assert (ended.record.id, ended.reason) == ("bob01", ReasonCode.LOGGED_IN_TWICE)
    assert made.sign_out("bob01") == []
    assert made.presence.sessions_of("uid=bob") == ("bob02",)


def test_under_the_oldest_rule_the_new_session_is_refused_so_that_it_does_not_come_back() -> None:
    made = Community(NODE, SignInRule.OLDEST)
    sign_in(made, "bob", "bob01")
    login = LoginInfo("bob02", 0x1700, "UID=bob", "Bob")
    answer = made.sign_in(SessionRecord(NODE, login, "bob", 0, 0, ACTIVE), VISIBLE_TO_ALL)
    assert answer == Refusal(ReasonCode.LOGGED_IN_TWICE)
    assert made.presence.sessions_of("uid=bob") == ("bob01",)


def test_too_many_sessions_of_a_user_end_the_one_that_was_active_least_recently() -> None:
    made = Community(NODE, presence=PresenceLimits(sessions_per_user=2))
    sign_in(made, "bob", "bob01", active=5)
    sign_in(made, "bob", "bob02", active=3)
    effects = sign_in(made, "bob", "bob03", active=9)
    assert [each.record.id for each in effects if isinstance(each, EndSession)] == ["bob02"]


def test_an_administrator_ends_a_session_once(community: Community) -> None:
    (ended,) = community.end("alice1", ReasonCode.USER_RESTRICTED)
    assert isinstance(ended, EndSession)
    assert ended.reason is ReasonCode.USER_RESTRICTED
    assert community.end("alice1", ReasonCode.USER_RESTRICTED) == []


def test_watching_is_bounded_and_the_rest_looks_offline() -> None:
    made = Community(NODE, presence=PresenceLimits(watched=2, watched_groups=1))
    sign_in(made, "alice", "alice1")
    sign_in(made, "bob", "bob01")
    made.presence.watch("alice1", [AwareId(AwareType.USER, "uid=x"), TEAM])
    other = AwareId(AwareType.GROUP, "cn=other")
    assert made.presence.watch("alice1", [BOB, other]) == [
        ShowSnapshot("alice1", (PresenceEntry(BOB),)),
        ShowSnapshot("alice1", (PresenceEntry(other),)),
    ]
    assert made.presence.watched("alice1") == 2
    made.presence.unwatch("alice1", [TEAM])
    (snapshot, _) = made.presence.watch("alice1", [BOB])
    assert snapshot == ShowSnapshot("alice1", (online(BOB, ACTIVE, "Bob"),))


def test_an_empty_id_is_never_told_and_an_unknown_type_is_offline(community: Community) -> None:
    server = AwareId(8, "other-server")
    assert community.presence.watch("alice1", [AwareId(AwareType.USER, ""), server]) == [
        ShowSnapshot("alice1", (PresenceEntry(server),))
    ]


def test_watching_ends_once_with_the_last_watcher(community: Community) -> None:
    sign_in(community, "carol", "carol1")
    assert WatchUser("uid=bob") in community.presence.watch("alice1", [BOB])
    assert WatchUser("uid=bob") not in community.presence.watch("carol1", [BOB])
    assert community.presence.unwatch("alice1", [BOB, BOB]) == []
    assert community.presence.unwatch("carol1", [BOB, BOB]) == [UnwatchUser("uid=bob")]


def test_the_content_of_a_group_is_wanted_once_and_told_to_all_who_wait(community: Community) -> None:
    sign_in(community, "carol", "carol1")
    assert community.presence.watch("alice1", [TEAM]) == [ShowGroup("alice1", TEAM), WatchGroup("cn=team")]
    assert community.presence.watch("carol1", [TEAM]) == [ShowGroup("carol1", TEAM)]
    effects = community.presence.group_content("CN=Team", ["uid=bob", "uid=alice"])
    alice = AwareId(AwareType.USER, "uid=alice")
    entries = (PresenceEntry(BOB, group="cn=team"), online(alice, ACTIVE, "Alice", "cn=team"))
    assert [each for each in effects if isinstance(each, ShowSnapshot)] == [
        ShowSnapshot("alice1", entries),
        ShowSnapshot("carol1", entries),
    ]


def test_a_group_that_is_known_already_is_answered_at_once(community: Community) -> None:
    sign_in(community, "carol", "carol1")
    community.presence.watch("alice1", [TEAM])
    community.presence.group_content("cn=team", ["uid=bob"])
    assert community.presence.watch("carol1", [TEAM]) == [
        ShowGroup("carol1", TEAM),
        ShowSnapshot("carol1", (PresenceEntry(BOB, group="cn=team"),)),
    ]


def test_a_new_member_is_pushed_and_a_removed_one_is_not_shown_offline(community: Community) -> None:
    sign_in(community, "bob", "bob01")
    community.presence.watch("alice1", [TEAM])
    community.presence.group_content("cn=team", ["uid=carol"])
    assert community.presence.group_content("cn=team", ["uid=bob"]) == [
        WatchUser("uid=bob"),
        ShowUpdate(online(BOB, ACTIVE, "Bob", "cn=team"), ("alice1",)),
    ]


def test_who_has_left_a_group_keeps_being_told_to_those_who_knew_the_member_only(
    community: Community,
) -> None:
    sign_in(community, "carol", "carol1")
    community.presence.watch("alice1", [TEAM])
    community.presence.group_content("cn=team", ["uid=bob"])
    community.presence.group_content("cn=team", [])
    community.presence.watch("carol1", [TEAM])
    assert sign_in(community, "bob", "bob01") == [
        ShowUpdate(online(BOB, ACTIVE, "Bob", "cn=team"), ("alice1",))
    ]


def test_a_member_that_is_watched_itself_is_told_without_the_group(community: Community) -> None:
    community.presence.watch("alice1", [TEAM])
    community.presence.group_content("cn=team", ["uid=bob"])
    community.presence.watch("alice1", [BOB])
    assert sign_in(community, "bob", "bob01") == [ShowUpdate(online(BOB, ACTIVE, "Bob"), ("alice1",))]


def test_a_group_ends_once_with_its_last_watcher(community: Community) -> None:
    community.presence.watch("alice1", [TEAM])
    community.presence.group_content("cn=team", ["uid=bob"])
    assert community.sign_out("alice1") == [UnwatchGroup("cn=team"), UnwatchUser("uid=bob")]
    assert community.presence.group_content("cn=team", ["uid=bob"]) == []


def test_attributes_are_told_to_those_who_watch_the_key(community: Community) -> None:
    sign_in(community, "bob", "bob01")
    community.presence.watch("alice1", [BOB])
    assert community.presence.set_attribute("bob01", 6, b"\0\1") == []
    assert community.presence.watch_attributes("alice1", [6]) == [ShowAttribute(BOB, 6, b"\0\1", ("alice1",))]
    assert community.presence.set_attribute("bob01", 6, None) == [ShowAttribute(BOB, 6, None, ("alice1",))]


def test_attributes_come_after_the_presence_of_whom_they_describe(community: Community) -> None:
    sign_in(community, "bob", "bob01")
    community.presence.set_attribute("bob01", 6, b"\0\1")
    community.presence.watch_attributes("alice1", [6])
    kinds = [type(each) for each in community.presence.watch("alice1", [BOB])]
    assert kinds == [ShowSnapshot, WatchUser, ShowAttribute]


def test_attributes_are_bounded_in_number_and_size() -> None:
    made = Community(NODE, presence=PresenceLimits(attributes=1, attribute_size=4))
    sign_in(made, "bob", "bob01")
    sign_in(made, "alice", "alice1")
    made.presence.watch_attributes("alice1", range(10))
    made.presence.watch("alice1", [BOB])
    assert made.presence.set_attribute("bob01", 1, b"x" * 5) == []
    assert made.presence.set_attribute("bob01", 1, b"x")
    assert made.presence.set_attribute("bob01", 2, b"x") == []
    assert made.presence.set_attribute("bob01", 1, b"y")


def test_a_changed_privacy_list_hides_and_is_told_to_all_sessions_of_the_user(community: Community) -> None:
    sign_in(community, "bob", "bob01")
    sign_in(community, "bob", "bob02")
    community.presence.watch("alice1", [BOB])
    assert community.set_privacy("UID=bob", HIDDEN_FROM_ALL) == [
        ShowUpdate(PresenceEntry(BOB), ("alice1",)),
        *[ShowOwnPrivacy(each, HIDDEN_FROM_ALL) for each in ("bob02", "bob01")],
    ]


def test_what_comes_for_a_session_that_is_gone_is_dropped(community: Community) -> None:
    presence = community.presence
    assert presence.set_status("gone1", AWAY, 0) == []
    assert presence.set_attribute("gone1", 1, b"") == []
    assert presence.watch("gone1", [BOB]) == presence.unwatch("gone1", [BOB]) == []
    assert presence.watch_attributes("gone1", [1]) == []
    assert presence.record("gone1") is None
    assert presence.watched("gone1") == 0
    presence.touch("gone1", 1)
    presence.set_unsupported("gone1", 1)
    assert "gone1" not in presence


def test_records_show_every_session_as_it_is_now(community: Community) -> None:
    community.presence.set_status("alice1", AWAY, 12)
    (record,) = community.presence.records()
    assert (record.id, record.status, record.last_active, record.node) == ("alice1", AWAY, 12, NODE)
    assert len(community.presence) == 1
