"""Presence: who is there, who watches whom, and who sees what of it. Values in, effects out.

Theory of operation
-------------------
**State.** `_sessions` has every session of the community, `_users` each user who has a session, is watched,
or is a member of a watched group, and `_groups` every watched group; nothing else is kept. Users and groups
are found by the key of their ID (`ids.id_key`), and sent to a session under the id that it watches, byte for
byte (P73). Only this module changes the state, and only in its public methods; each returns all that follows.

**What a watcher sees** of a user is a function of the user's state and of the watcher's ID, never stored:
`View.seen_by` is the shown status and name, or None for "offline". It is None if the user has no session,
and if the privacy rules do not allow the watcher. Everything that is sent is made from it, so a user whom the
watcher may not see is offline in every way. After a change the view before and the view after are compared
for each watcher, and it is sent to those for whom they differ: no watcher learns of a change that is hidden
from them, not even by its time. A user always sees their own presence.

**Several sessions of a user.** The most available status is shown; of equal ones the one that was set last.
Attributes are those of all sessions, the value that was set last counts. Messages go to the session that was
active last (`route`). "Last" is a number that travels with the value and is greater than all that the node
knew of the user when it was set (`_next_order`), so that nodes that know the same sessions show the same.

**Groups.** Members are sent with the group's id as the watcher wrote it, and with presence like users. No
message is known that takes a member out of a watcher's group (P75): who has left the group is sent to those
who knew the member, like before, and to no others. A watcher that watches a member under the same id
itself is sent it without the group.

**Nodes.** Sessions of other nodes are `foreign`: they come and change by `show` and go by `sign_out`; they
watch nothing here, and no effect is for them. A session that is `moving` is foreign too: its client left a
node that shuts down, and is expected at another one. It is shown if the user has no other session, nothing is
routed to it, and it goes when the user signs in. `WatchUser` and `UnwatchUser` say whom sessions of this node
watch; each is said once, and they alternate for a user. The same holds for groups.

**Viewers** watch users as their user's sessions would, but are none: no watcher ever sees a viewer.

**Bounds.** `PresenceLimits` bounds what a session watches and sets. What goes beyond is answered as offline
and not watched.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final, final

from quintet.sametime.community.effects import (
    Effect,
    EndSession,
    ShowGroup,
    ShowOwnStatus,
    ShowSnapshot,
    UnwatchGroup,
    UnwatchUser,
    WatchGroup,
    WatchUser,
)
from quintet.sametime.community.privacy import ALLOW_ALL, ALLOW_NONE, PrivacyRules
from quintet.sametime.community.records import (
    PresenceLimits,
    SessionRecord,
    SharedSession,
    SignInRule,
    order_at,
)
from quintet.sametime.community.state import NO_KEYS, GroupMember, KnownGroup, KnownSession, KnownUser
from quintet.sametime.community.views import (
    View,
    Watcher,
    all_attributes,
    attribute_changes,
    entry,
    updates,
)
from quintet.sametime.ids import id_key
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.aware import PresenceEntry
from quintet.sametime.wire.blocks import AwareId, AwareType, UserStatus

_FEW_SPELLINGS: Final = 4


@final
class Presence:
    """The presence of a community, as far as this node has to know it."""

    __slots__ = ("_by_login_name", "_groups", "_limits", "_rule", "_sessions", "_users", "_viewers")

    def __init__(self, rule: SignInRule = SignInRule.MANY, limits: PresenceLimits | None = None) -> None:
        self._rule = rule
        self._limits = limits or PresenceLimits()
        self._sessions: dict[str, KnownSession] = {}
        self._viewers: dict[str, KnownSession] = {}
        self._users: dict[str, KnownUser] = {}
        self._groups: dict[str, KnownGroup] = {}
        self._by_login_name: dict[str, dict[str, None]] = {}

    # Sessions

    def __len__(self) -> int:
        return len(self._sessions)

    def __contains__(self, session: str) -> bool:
        return session in self._sessions

    def records(self) -> Iterator[SessionRecord]:
        """All sessions as they are now."""
        return (each.as_record() for each in self._sessions.values())

    def record(self, session: str) -> SessionRecord | None:
        found = self._sessions.get(session)
        return None if found is None else found.as_record()

    def shared(self, session: str) -> SharedSession | None:
        """All that other nodes have to know of a session of this node."""
        found = self._sessions.get(session)
        return None if found is None or found.foreign else found.as_shared()

    def sessions_of(self, user_id: str) -> tuple[str, ...]:
        """The ids of the user's sessions, the one that was active last first."""
        user = self._users.get(id_key(user_id))
        return tuple([each.id for each in user.latest_first()]) if user else ()

    def local_sessions_of(self, user_id: str) -> tuple[str, ...]:
        """Those of them that are at this node."""
        user = self._users.get(id_key(user_id))
        return tuple([each.id for each in user.latest_first() if not each.foreign]) if user else ()

    def status_of(self, user_id: str) -> UserStatus | None:
        """The status that is shown of a user to those who may see it; None if there is no session."""
        user = self._users.get(id_key(user_id))
        shown = user.view().shown if user else None
        return shown.status if shown else None

    def may_sign_in(self, user_id: str) -> bool:
        """Whether the rule about several sessions lets the user sign in once more."""
        user = self._users.get(id_key(user_id))
        return self._rule is not SignInRule.OLDEST or user is None or not user.present

    def sign_in(
        self, record: SessionRecord, rules: PrivacyRules | None, ending: Collection[str] | None = None
    ) -> list[Effect]:
        """A session begins. `rules` are the user's stored ones, None if they cannot be read.

        If they cannot be read, those that are in force for the user's other sessions stay so; without such a
        session no other user sees the user. Call it only if `may_sign_in`; which sessions end for the new one
        is among the effects. If that was decided for all nodes together already, they are in `ending`.
        """
        user = self._user(record.login.user_id)
        before = user.view()
        leaving = self._leaving(user, ending)
        leaving += [each for each in user.sessions if each.moving]
        if rules is None:
            rules = user.rules if user.sessions else ALLOW_NONE
        user.rules = rules
        self._add(record, user, self._next_order(user, record.connected_at))
        effects: list[Effect] = [
            EndSession(each.as_record(), ReasonCode.LOGGED_IN_TWICE) for each in leaving if not each.foreign
        ]
        for each in leaving:
            effects += self._remove(each)
        return effects + self._publish(user, before)

    def sign_out(self, session: str) -> list[Effect]:
        """A session has ended. Does nothing if it is not known any more."""
        found = self._sessions.get(session)
        if found is None:
            return []
        before = found.user.view()
        effects = self._remove(found)
        effects += self._publish(found.user, before)
        self._forget(found.user)
        return effects

    def set_status(self, session: str, status: UserStatus, now: float) -> list[Effect]:
        """The client has set its status. The user's other sessions get it if that changes what is shown."""
        found = self._sessions.get(session)
        if found is None:
            return []
        before = found.user.view()
        found.status, found.status_order, found.last_active = status, self._next_order(found.user, now), now
        return self._publish(found.user, before) + self._show_own(found, before)

    def set_attribute(self, session: str, key: int, value: bytes | None) -> list[Effect]:
        """The client has set, or with None unset, an attribute of its user (P76)."""
        found = self._sessions.get(session)
        if found is None:
            return []
        before = found.user.view()
        if value is None:
            found.attributes = {other: each for other, each in found.attributes.items() if other != key}
        elif len(value) <= self._limits.attribute_size and (
            key in found.attributes or len(found.attributes) < self._limits.attributes
        ):
            found.attributes = {**found.attributes, key: (self._next_order(found.user), value)}
        return self._publish(found.user, before)

    def touch(self, session: str, now: float) -> None:
        """The user did something in this session."""
        found = self._sessions.get(session)
        if found is not None:
            found.last_active = now

    def set_unsupported(self, session: str, service: int) -> None:
        """The client refused a service: what is of it goes to another session, if there is one."""
        found = self._sessions.get(session)
        if found is not None:
            found.unsupported |= {service}

    # Sessions of other nodes

    def show(self, session: SharedSession, rules: PrivacyRules | None) -> list[Effect]:
        """A session of another node, as it is now. `rules` are those of its user, None if they are not known.

        Then those that are in force stay so; without any, no other user sees the user.
        """
        record = session.record
        found = self._sessions.get(record.id)
        if found is not None and not found.foreign:
            return []
        effects: list[Effect] = []
        user = self._user(record.login.user_id)
        if found is not None and (found.user, found.record.login_name) != (user, record.login_name):
            effects += self.sign_out(record.id)
            found = None
        before = user.view()
        user.rules = rules or (user.rules if user.sessions else ALLOW_NONE)
        known = found or self._add(record, user, session.order)
        known.record, known.status, known.status_order = record, record.status, session.order
        known.attributes, known.unsupported = session.attributes, session.unsupported
        known.last_active, known.foreign, known.moving = record.last_active, True, session.moving
        effects += self._publish(user, before)
        return effects if found is None else effects + self._show_own(known, before)

    def move(self, session: str) -> list[Effect]:
        """The session has ended here because its client is to come back at another node."""
        found = self._sessions.get(session)
        if found is None:
            return []
        before = found.user.view()
        found.foreign = found.moving = True
        return self.unwatch_all(session) + self._publish(found.user, before)

    # Privacy

    def set_privacy(self, user_id: str, rules: PrivacyRules) -> list[Effect]:
        """The user's privacy list has changed; the user may be offline."""
        user = self._users.get(id_key(user_id))
        if user is None or not user.sessions:
            return []
        before = user.view()
        user.rules = rules
        return self._publish(user, before)

    def rules_of(self, user_id: str) -> PrivacyRules | None:
        """The rules in force; None if the user has no session."""
        user = self._users.get(id_key(user_id))
        return user.rules if user and user.sessions else None

    def can_see(self, viewer_id: str, user_id: str) -> bool:
        """Whether `viewer_id` sees the user online."""
        user = self._users.get(id_key(user_id))
        return user is not None and user.view().seen_by(id_key(viewer_id)) is not None

    def route(self, target: str, viewer_id: str, service: int) -> str | None:
        """The session that gets what `viewer_id` sends to `target`: a user id, login id or login name.

        None if there is no such user, if the user is not online, and if the viewer may not see the user:
        all the same, in the same time.
        """
        user = self._users.get(id_key(target))
        if user is None or not user.sessions:
            session = self._sessions.get(target)
            user = session.user if session else self._user_by_login_name(target)
        if user is None or user.view().seen_by(id_key(viewer_id)) is None:
            return None
        sessions = user.latest_first()
        able = [each for each in sessions if service not in each.unsupported] or sessions
        return able[0].id if able else None

    # Watching

    def add_viewer(self, viewer: SessionRecord) -> None:
        """A viewer that may `watch`; to be removed by `remove_viewer`."""
        user = KnownUser(id_key(viewer.login.user_id), viewer.login.user_id, [], ALLOW_NONE, {}, {})
        self._viewers[viewer.id] = KnownSession(viewer, user, viewer.status, 0, 0, {}, {})

    def remove_viewer(self, viewer: str) -> list[Effect]:
        effects = self.unwatch_all(viewer)
        del self._viewers[viewer]
        return effects

    def watch(self, session: str, ids: Iterable[AwareId]) -> list[Effect]:
        """Add users and groups to the watch list of a session. Each is answered, known or not.

        Other types and what goes beyond the limits look offline. Empty ids are dropped (P79).
        """
        found = self._watcher(session)
        if found is None:
            return []
        entries: list[PresenceEntry] = []
        effects: list[Effect] = []
        attributes: list[Effect] = []
        for aware_id in dict.fromkeys(ids):
            if not aware_id.user:
                continue
            if aware_id.type == AwareType.GROUP and session in self._sessions:
                effects += self._watch_group(found, aware_id)
            elif aware_id.type != AwareType.USER or not self._may_watch(found, aware_id):
                entries.append(PresenceEntry(aware_id))
            else:
                effects += self._watch_user(found, aware_id)
                view = self._users[id_key(aware_id.user)].view()
                entries.append(entry(aware_id, view.seen_by(found.user.key)))
                attributes += all_attributes(aware_id, found.as_watcher(), view)
        if entries:
            effects.insert(0, ShowSnapshot(session, tuple(entries)))
        return effects + attributes

    def unwatch(self, session: str, ids: Iterable[AwareId]) -> list[Effect]:
        """Remove users and groups from the watch list of a session."""
        found = self._watcher(session)
        if found is None:
            return []
        return [effect for aware_id in ids for effect in self._unwatch(found, aware_id)]

    def unwatch_all(self, session: str) -> list[Effect]:
        """The session has no watch list any more."""
        found = self._watcher(session)
        if found is None:
            return []
        found.keys = NO_KEYS
        return [effect for aware_id in tuple(found.watching) for effect in self._unwatch(found, aware_id)]

    def watch_attributes(self, session: str, keys: Iterable[int]) -> list[Effect]:
        """The attributes of watched users that a session wants, instead of those before."""
        found = self._sessions.get(session)
        if found is None:
            return []
        before, found.keys = found.keys, frozenset(keys)
        fresh = found.as_watcher()._replace(keys=found.keys - before)
        return [
            effect
            for aware_id, user in found.watching.items()
            if isinstance(user, KnownUser)
            for effect in all_attributes(aware_id, fresh, user.view())
        ]

    def watched(self, session: str) -> int:
        """How many users and groups a session watches."""
        found = self._watcher(session)
        return len(found.watching) if found else 0

    def group_content(self, group_id: str, members: Iterable[str]) -> list[Effect]:
        """The members of a watched group, by ID, were read. Does nothing if it is not watched any more."""
        group = self._groups.get(id_key(group_id))
        if group is None:
            return []
        group.revision += 1
        effects: list[Effect] = []
        current: dict[str, GroupMember] = {}
        fresh: list[tuple[GroupMember, int]] = []
        for member_id in members:
            key = id_key(member_id)
            if not member_id or key in current:
                continue
            known = group.members.get(key)
            if known is None or known.left:
                effects += self._join(group, member_id)
                fresh.append((group.members[key], known.left if known else 0))
            current[key] = group.members[key]
        for key, member in group.members.items():
            if key not in current and not member.left:
                member.left = group.revision
        effects += self._show_members(group, fresh)
        return effects + self._drop_forgotten_members(group)

    # Sessions and users, inside

    def _user(self, user_id: str) -> KnownUser:
        key = id_key(user_id)
        user = self._users.get(key)
        if user is None:
            user = self._users[key] = KnownUser(key, user_id, [], ALLOW_ALL, {}, {})
        return user

    def _forget(self, user: KnownUser) -> None:
        if not user.sessions and not user.watched:
            self._users.pop(user.key, None)

    def _add(self, record: SessionRecord, user: KnownUser, order: int) -> KnownSession:
        session = KnownSession(record, user, record.status, order, record.last_active, {}, {})
        self._sessions[record.id] = session
        user.sessions.append(session)
        self._by_login_name.setdefault(id_key(record.login_name), {})[record.id] = None
        return session

    @staticmethod
    def _next_order(user: KnownUser, now: float = 0.0) -> int:
        """By the clock, but greater than all that is known of the user's sessions, at other nodes too."""
        known = [each.status_order for each in user.sessions]
        known += [order for each in user.sessions for order, _ in each.attributes.values()]
        return max(order_at(now), 1 + max(known, default=-1))

    def _leaving(self, user: KnownUser, ending: Collection[str] | None) -> list[KnownSession]:
        """The sessions of this node that end because the user signs in once more."""
        leaving = user.latest_first()
        if ending is not None:
            leaving = [each for each in leaving if each.id in ending]
        elif self._rule is not SignInRule.NEWEST:
            leaving = leaving[self._limits.sessions_per_user - 1 :]
        return [each for each in leaving if not each.foreign]

    def _remove(self, session: KnownSession) -> list[Effect]:
        """Take a session out; what watchers see of its user is the caller's affair."""
        effects = self.unwatch_all(session.id)
        session.user.sessions.remove(session)
        del self._sessions[session.id]
        name = id_key(session.record.login_name)
        del self._by_login_name[name][session.id]
        if not self._by_login_name[name]:
            del self._by_login_name[name]
        return effects

    def _user_by_login_name(self, name: str) -> KnownUser | None:
        """The one user who signed in with this login name."""
        users = {self._sessions[each].user for each in self._by_login_name.get(id_key(name), ())}
        return users.pop() if len(users) == 1 else None

    # What watchers are sent

    def _publish(self, user: KnownUser, before: View) -> list[Effect]:
        """Tell the watchers of a user who see another view than before."""
        after = user.view()
        if before == after:
            return []
        effects: list[Effect] = []
        for aware_id, watchers in user.watchers.items():
            told = [each.as_watcher() for each in watchers.values()]
            effects += updates(aware_id, told, before, after)
            effects += attribute_changes(aware_id, told, before, after)
        for group in user.groups.values():
            member = group.members[user.key]
            for group_id, since in group.watchers.items():
                told = self._told_by_group(member, since)
                effects += updates(member.id, told, before, after, group_id.user)
        return effects

    def _show_own(self, changed: KnownSession, before: View) -> list[Effect]:
        """The other sessions of a user at this node get the status that others see, if it is another one."""
        user = changed.user
        shown = user.view().shown
        if shown is None or before.shown is None or shown.status == before.shown.status:
            return []
        others = [each for each in user.sessions if each is not changed and not each.foreign]
        return [ShowOwnStatus(each.id, shown.status) for each in others]

    def _told_by_group(self, member: GroupMember, since: Mapping[str, int]) -> list[Watcher]:
        """The watchers of a group that know the member, and do not watch it under the same id themselves."""
        watching = member.user.watchers.get(member.id, {})
        return [
            self._sessions[session].as_watcher()
            for session, revision in since.items()
            if revision and not 0 < member.left <= revision and session not in watching
        ]

    # Watching users, inside

    def _watcher(self, session: str) -> KnownSession | None:
        return self._sessions.get(session) or self._viewers.get(session)

    def _may_watch(self, session: KnownSession, aware_id: AwareId) -> bool:
        return aware_id in session.watching or len(session.watching) < self._limits.watched

    def _watch_user(self, session: KnownSession, aware_id: AwareId) -> list[Effect]:
        if aware_id in session.watching:
            return []
        user = self._user(aware_id.user)
        effects: list[Effect] = [] if user.watched else [WatchUser(user.id)]
        if len(user.watchers) <= _FEW_SPELLINGS:  # keep one object for the many who watch the same id
            aware_id = next((each for each in user.watchers if each == aware_id), aware_id)
        user.watchers.setdefault(aware_id, {})[session.id] = session
        session.watching[aware_id] = user
        return effects

    def _unwatch(self, session: KnownSession, aware_id: AwareId) -> list[Effect]:
        match session.watching.pop(aware_id, None):
            case KnownUser() as user:
                del user.watchers[aware_id][session.id]
                if not user.watchers[aware_id]:
                    del user.watchers[aware_id]
                return self._unwatched(user)
            case KnownGroup() as group:
                return self._leave_group(session, aware_id, group)
        return []

    def _unwatched(self, user: KnownUser) -> list[Effect]:
        """A reason to watch the user is gone, perhaps the last one."""
        if user.watched:
            return []
        self._forget(user)
        return [UnwatchUser(user.id)]

    # Watching groups, inside

    def _watch_group(self, session: KnownSession, aware_id: AwareId) -> list[Effect]:
        """A group that is watched already is just answered again (P70)."""
        group = self._groups.get(id_key(aware_id.user))
        if aware_id not in session.watching:
            groups = sum(isinstance(each, KnownGroup) for each in session.watching.values())
            if groups >= self._limits.watched_groups or not self._may_watch(session, aware_id):
                return [ShowSnapshot(session.id, (PresenceEntry(aware_id),))]
        effects: list[Effect] = [ShowGroup(session.id, aware_id)]
        if group is None:
            group = KnownGroup(id_key(aware_id.user), aware_id.user, {}, {})
            self._groups[group.key] = group
            effects.append(WatchGroup(group.id))
        session.watching[aware_id] = group
        group.watchers.setdefault(aware_id, {}).setdefault(session.id, group.revision)
        if group.revision:
            effects.append(self._members(group, aware_id, session))
        return effects

    def _members(self, group: KnownGroup, aware_id: AwareId, session: KnownSession) -> ShowSnapshot:
        viewer = session.user.key
        entries = [
            entry(member.id, member.user.view().seen_by(viewer), aware_id.user)
            for member in group.members.values()
            if not member.left
        ]
        return ShowSnapshot(session.id, tuple(entries))

    def _leave_group(self, session: KnownSession, aware_id: AwareId, group: KnownGroup) -> list[Effect]:
        del group.watchers[aware_id][session.id]
        if not group.watchers[aware_id]:
            del group.watchers[aware_id]
        if group.watchers:
            return []
        del self._groups[group.key]
        effects: list[Effect] = [UnwatchGroup(group.id)]
        for member in group.members.values():
            del member.user.groups[group.key]
            effects += self._unwatched(member.user)
        return effects

    def _join(self, group: KnownGroup, member_id: str) -> list[Effect]:
        user = self._user(member_id)
        effects: list[Effect] = [] if user.watched else [WatchUser(user.id)]
        user.groups[group.key] = group
        group.members[user.key] = GroupMember(user, AwareId(AwareType.USER, member_id))
        return effects

    def _show_members(self, group: KnownGroup, fresh: list[tuple[GroupMember, int]]) -> list[Effect]:
        """All members to those who wait for the content; to all others the new ones that they do not know.

        `fresh` has the revision in which the member left the group before, or 0.
        """
        effects: list[Effect] = []
        for aware_id, since in group.watchers.items():
            for member, left in fresh:
                told = [
                    self._sessions[session].as_watcher()
                    for session, revision in since.items()
                    if revision and revision >= left
                ]
                effects += updates(member.id, told, None, member.user.view(), aware_id.user)
            for session, revision in since.items():
                if not revision:
                    since[session] = group.revision
                    effects.append(self._members(group, aware_id, self._sessions[session]))
        return effects

    def _drop_forgotten_members(self, group: KnownGroup) -> list[Effect]:
        """Former members that were never sent to a watcher are not members of anything any more."""
        first = min([revision for since in group.watchers.values() for revision in since.values()])
        effects: list[Effect] = []
        for key, member in tuple(group.members.items()):
            if 0 < member.left <= first:
                del group.members[key]
                del member.user.groups[group.key]
                effects += self._unwatched(member.user)
        return effects
