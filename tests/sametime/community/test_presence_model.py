"""Whatever happens, every watcher's view equals what there is to see, and nothing else can be learnt.

The oracle computes from scratch what a watcher may see; the clients here know only what effects told them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from quintet.sametime.community import Community, Node, PresenceLimits, Refusal, SessionRecord, SignInRule
from quintet.sametime.community.effects import (
    Effect,
    EndSession,
    ShowAttribute,
    ShowOwnStatus,
    ShowSnapshot,
    ShowUpdate,
    UnwatchGroup,
    UnwatchUser,
    WatchGroup,
    WatchUser,
)
from quintet.sametime.services.aware import PresenceEntry
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.wire.blocks import AwareId, AwareType, LoginInfo, PrivacyInfo, UserItem, UserStatus

USERS = ("uid=a", "uid=b", "uid=c")
SPELLINGS = {user: (user, user, user.upper()) for user in USERS}
GROUPS = ("cn=g", "cn=g", "cn=h")
KEYS = (1, 6)
STATUSES = (0x20, 0x20, 0x40, 0x60, 0x80, 0x08, 0x220, 0x1001)
RANK = {0x20: 0, 0x220: 0.5, 0x40: 1, 0x60: 2, 0x08: 3, 0x80: 4, 0x1001: 5}

users = st.sampled_from(USERS)
statuses = st.builds(UserStatus, st.sampled_from(STATUSES), st.just(0), st.sampled_from(["", "lunch"]))
lists = st.builds(
    PrivacyInfo, st.booleans(), st.lists(users, max_size=3).map(lambda ids: tuple(map(UserItem, ids)))
)


def user_ids(user: str) -> st.SearchStrategy[AwareId]:
    return st.sampled_from(SPELLINGS[user]).map(lambda text: AwareId(AwareType.USER, text))


watched_users = users.flatmap(user_ids)
watched_groups = st.sampled_from(GROUPS).map(lambda text: AwareId(AwareType.GROUP, text))

Seen = tuple[UserStatus, str] | None


@dataclass
class Client:
    """What one client was told, and what it asked for."""

    user: str
    status: UserStatus
    order: int
    attributes: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    keys: frozenset[int] = frozenset()
    watched: dict[AwareId, None] = field(default_factory=dict)
    seen: dict[tuple[str, AwareId], Seen] = field(default_factory=dict)
    told_attributes: dict[tuple[AwareId, int], bytes] = field(default_factory=dict)

    def show(self, entry: PresenceEntry, *, update: bool) -> None:
        key = (entry.group, entry.id)
        value = None if entry.status is None else (entry.status, entry.name)
        if update and key in self.seen:
            assert self.seen[key] != value, (
                "an update that tells nothing new gives away that something happened"
            )
        self.seen[key] = value
        if not entry.group:  # clients keep one presence for an id, wherever it is listed
            self.seen |= {known: value for known in self.seen if known[1] == entry.id}
        if value is None and not entry.group:
            self.forget_attributes([entry.id])

    def forget_attributes(self, ids: list[AwareId]) -> None:
        self.told_attributes = {
            told: value for told, value in self.told_attributes.items() if told[0] not in ids
        }


class PresenceMachine(RuleBasedStateMachine):
    """Sessions come and go, set their status, hide, and watch each other, in any order."""

    @initialize(
        sign_in_rule=st.sampled_from([SignInRule.MANY, SignInRule.MANY, SignInRule.NEWEST, SignInRule.OLDEST])
    )
    def begin(self, sign_in_rule: SignInRule) -> None:
        self.rule = sign_in_rule
        limits = PresenceLimits(sessions_per_user=3, watched=8, watched_groups=2, attributes=2)
        self.community = Community(Node("one", "1"), sign_in_rule, limits)
        self.clients: dict[str, Client] = {}
        self.privacy: dict[str, PrivacyInfo] = {}
        self.order = 0
        self.number = 0
        self.contents: dict[str, tuple[str, ...]] = {}
        self.users_watched: dict[str, bool] = {}
        self.groups_watched: dict[str, bool] = {}

    @initialize(busy=st.booleans(), privacy=lists)
    def begin_busy(self, busy: bool, privacy: PrivacyInfo) -> None:
        """Half of the histories begin with all users watching all users."""
        if not busy or not hasattr(self, "community"):
            return
        for user in USERS:
            self.sign_in(user, UserStatus(0x20), privacy)
        everybody = [AwareId(AwareType.USER, user) for user in USERS]
        for session, client in self.clients.items():
            client.keys = frozenset(KEYS)
            self.apply(self.community.presence.watch_attributes(session, KEYS))
            self.add(session, [*everybody[:2], AwareId(AwareType.GROUP, GROUPS[0])])
            self.set_own(session, KEYS[0], b"x")
        self.read_group(GROUPS[0], list(USERS))

    # What happens

    @rule(user=users, status=statuses, privacy=lists)
    def sign_in(self, user: str, status: UserStatus, privacy: PrivacyInfo) -> None:
        self.number += 1
        login = LoginInfo(f"login{self.number}", 0x1700, user, user.title())
        record = SessionRecord(self.community.node, login, user, 0, self.number, status)
        there = [each for each in self.clients.values() if each.user == user]
        answer = self.community.sign_in(record, self.privacy.get(user, privacy))
        if self.rule is SignInRule.OLDEST and there:
            assert isinstance(answer, Refusal)
            return
        assert not isinstance(answer, Refusal)
        self.privacy.setdefault(user, privacy)
        self.clients[login.login_id] = Client(user, status, self.next_order())
        self.apply(answer)

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def sign_out(self, data: st.DataObject) -> None:
        session = data.draw(st.sampled_from(sorted(self.clients)))
        del self.clients[session]
        self.apply(self.community.sign_out(session))
        assert self.community.sign_out(session) == []

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), status=statuses)
    def set_status(self, data: st.DataObject, status: UserStatus) -> None:
        session = data.draw(st.sampled_from(sorted(self.clients)))
        client = self.clients[session]
        client.status, client.order = status, self.next_order()
        self.apply(self.community.presence.set_status(session, status, self.order))

    @rule(user=users, privacy=lists)
    def set_privacy(self, user: str, privacy: PrivacyInfo) -> None:
        if any(each.user == user for each in self.clients.values()):
            self.privacy[user] = privacy
            self.apply(self.community.set_privacy(user, privacy))

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), ids=st.lists(watched_users | watched_groups, max_size=4))
    def watch(self, data: st.DataObject, ids: list[AwareId]) -> None:
        self.add(data.draw(st.sampled_from(sorted(self.clients))), ids)

    def add(self, session: str, ids: list[AwareId]) -> None:
        effects = self.community.presence.watch(session, ids)
        self.clients[session].forget_attributes(ids)  # what is added again is answered again
        told = {entry.id for each in effects if isinstance(each, ShowSnapshot) for entry in each.entries}
        assert {each for each in ids if each.type == AwareType.USER} <= told, "each is answered"
        for each in ids:
            if each in self.community.presence._sessions[session].watching:
                self.clients[session].watched[each] = None
        self.apply(effects)
        for each in ids:
            if each not in self.clients[session].watched:
                self.clients[session].seen.pop(("", each), None)

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), ids=st.lists(watched_users | watched_groups, max_size=3))
    def unwatch(self, data: st.DataObject, ids: list[AwareId]) -> None:
        session = data.draw(st.sampled_from(sorted(self.clients)))
        client = self.clients[session]
        for each in ids:
            client.watched.pop(each, None)
            for key in [key for key in client.seen if key[0] == each.user or key == ("", each)]:
                del client.seen[key]
        client.forget_attributes(ids)
        self.apply(self.community.presence.unwatch(session, ids))

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), keys=st.frozensets(st.sampled_from(KEYS)))
    def watch_attributes(self, data: st.DataObject, keys: frozenset[int]) -> None:
        session = data.draw(st.sampled_from(sorted(self.clients)))
        client = self.clients[session]
        client.keys = keys
        client.told_attributes = {
            told: each for told, each in client.told_attributes.items() if told[1] in keys
        }
        self.apply(self.community.presence.watch_attributes(session, keys))

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), key=st.sampled_from(KEYS), value=st.sampled_from([None, b"\0\1", b"\0\0"]))
    def set_attribute(self, data: st.DataObject, key: int, value: bytes | None) -> None:
        self.set_own(data.draw(st.sampled_from(sorted(self.clients))), key, value)

    def set_own(self, session: str, key: int, value: bytes | None) -> None:
        client = self.clients[session]
        if value is None:
            client.attributes.pop(key, None)
        elif key in client.attributes or len(client.attributes) < 2:
            client.attributes[key] = (self.next_order(), value)
        self.apply(self.community.presence.set_attribute(session, key, value))

    @rule(group=st.sampled_from(GROUPS), members=st.lists(users, max_size=4))
    def read_group(self, group: str, members: list[str]) -> None:
        if self.groups_watched.get(group):
            self.contents[group] = tuple(members)
        self.apply(self.community.presence.group_content(group, members))

    # What follows

    def next_order(self) -> int:
        self.order += 1
        return self.order

    def apply(self, effects: Iterable[Effect]) -> None:
        for effect in effects:
            match effect:
                case EndSession(record):
                    del self.clients[record.id]
                case ShowSnapshot(session, entries):
                    for each in entries:
                        self.clients[session].show(each, update=False)
                case ShowUpdate(entry, sessions):
                    assert len(set(sessions)) == len(sessions)
                    for session in sessions:
                        known = (entry.group, entry.id) in self.clients[session].seen
                        assert known or entry.id.user in self.contents[entry.group], "it is not in the group"
                        self.clients[session].show(entry, update=True)
                case ShowAttribute(aware_id, key, value, sessions):
                    for session in sessions:
                        told = self.clients[session].told_attributes
                        assert told.get((aware_id, key)) != value
                        if value is None:
                            del told[aware_id, key]
                        else:
                            told[aware_id, key] = value
                case WatchUser(user) | UnwatchUser(user):
                    wanted = isinstance(effect, WatchUser)
                    name = user.lower()
                    assert self.users_watched.get(name, False) is not wanted, "said once, and alternating"
                    self.users_watched[name] = wanted
                case WatchGroup(group) | UnwatchGroup(group):
                    wanted = isinstance(effect, WatchGroup)
                    assert self.groups_watched.get(group, False) is not wanted
                    self.groups_watched[group] = wanted
                    self.contents.pop(group, None)
                case ShowOwnStatus(session, status):
                    user = self.clients[session].user
                    assert self.truth(user, user) == (status, user.title())

    def truth(self, user: str, viewer: str) -> Seen:
        """What `viewer` may see of `user`."""
        sessions = [each for each in self.clients.values() if each.user == user]
        if not sessions:
            return None
        privacy = self.privacy[user]
        listed = viewer in {each.user for each in privacy.users}
        if viewer != user and listed is privacy.deny:
            return None
        best = min(sessions, key=lambda each: (RANK[each.status.status], -each.order))
        return best.status, user.title()

    @invariant()
    def every_client_sees_what_there_is_to_see(self) -> None:
        for client in getattr(self, "clients", {}).values():
            for aware_id in client.watched:
                if aware_id.type == AwareType.USER:
                    user = aware_id.user.lower()
                    assert client.seen["", aware_id] == self.truth(user, client.user)

    @invariant()
    def every_client_sees_the_members_of_its_groups(self) -> None:
        for client in getattr(self, "clients", {}).values():
            for group in [each.user for each in client.watched if each.type == AwareType.GROUP]:
                known = {
                    aware_id.user
                    for told, aware_id in client.seen
                    if told == group and aware_id.user != group
                }
                if group in self.contents:
                    assert set(self.contents[group]) <= known
                for user in known:
                    seen = client.seen[group, AwareId(AwareType.USER, user)]
                    assert seen == self.truth(user, client.user)

    @invariant()
    def every_client_knows_the_attributes_that_it_wants(self) -> None:
        for client in getattr(self, "clients", {}).values():
            expected: dict[tuple[AwareId, int], bytes] = {}
            for aware_id in client.watched:
                user = aware_id.user.lower()
                if aware_id.type != AwareType.USER or self.truth(user, client.user) is None:
                    continue
                latest: dict[int, tuple[int, bytes]] = {}
                for each in self.clients.values():
                    if each.user == user:
                        for key, value in each.attributes.items():
                            latest[key] = max(latest.get(key, value), value)
                expected |= {
                    (aware_id, key): value for key, (_, value) in latest.items() if key in client.keys
                }
            assert client.told_attributes == expected

    @invariant()
    def messages_reach_exactly_those_whom_the_sender_sees(self) -> None:
        if not hasattr(self, "clients"):
            return
        for viewer in USERS:
            for user in USERS:
                target = self.community.presence.route(user.upper(), viewer, ServiceId.IM)
                assert (target is not None) is (self.truth(user, viewer) is not None)
                assert self.community.presence.can_see(viewer, user) is (target is not None)
                assert target is None or self.clients[target].user == user

    @invariant()
    def nothing_is_kept_that_nobody_needs(self) -> None:
        if not hasattr(self, "clients"):
            return
        presence = self.community.presence
        assert set(presence._sessions) == set(self.clients)
        assert all(user.sessions or user.watched for user in presence._users.values())
        assert all(group.watchers for group in presence._groups.values())
        assert {each for ids in presence._by_login_name.values() for each in ids} == set(self.clients)
        assert all(presence._by_login_name.values())
        watching = {key for key, wanted in self.users_watched.items() if wanted}
        assert {key for key, user in presence._users.items() if user.watched} == watching


PresenceMachine.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
TestPresence = PresenceMachine.TestCase
