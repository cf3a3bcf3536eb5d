"""What `presence` keeps of users, sessions and groups. Only `Presence` changes any of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from quintet.sametime.community.privacy import PrivacyRules
from quintet.sametime.community.records import SessionRecord, SharedSession
from quintet.sametime.community.views import NO_ATTRIBUTES, Shown, View, Watcher, availability
from quintet.sametime.wire.blocks import AwareId, UserStatus

NO_KEYS: Final[frozenset[int]] = frozenset()


@dataclass(slots=True, eq=False)
class KnownUser:
    """A user who has a session, is watched, or is a member of a watched group."""

    key: str
    id: str
    sessions: "list[KnownSession]"
    rules: PrivacyRules
    watchers: "dict[AwareId, dict[str, KnownSession]]"
    groups: "dict[str, KnownGroup]"

    @property
    def watched(self) -> bool:
        return bool(self.watchers or self.groups)

    @property
    def present(self) -> "list[KnownSession]":
        """The sessions that count as such: not those whose client moves to another node."""
        return [each for each in self.sessions if not each.moving]

    def view(self) -> View:
        """Made of the sessions; of those that move only if there is no other."""
        if not self.sessions:
            return View(self.key, None, NO_ATTRIBUTES, self.rules)
        if len(self.sessions) == 1:
            best = self.sessions[0]
            found = best.attributes
            attributes = {key: value for key, (_, value) in found.items()} if found else NO_ATTRIBUTES
        else:
            sessions = self.present or self.sessions
            best = min(sessions, key=lambda each: (availability(each.status), -each.status_order, each.id))
            attributes = _latest(sessions)
        shown = Shown(best.status, best.record.login.user_name)
        return View(self.key, shown, attributes, self.rules)

    def latest_first(self) -> "list[KnownSession]":
        """The sessions to which something can be sent, the one that was active last first."""
        key = [(each.last_active, each.status_order, each.id, each) for each in self.present]
        return [each for *_, each in sorted(key, key=lambda row: row[:3], reverse=True)]


@dataclass(slots=True, eq=False)
class KnownSession:
    """`foreign` sessions are those of other nodes. `status_order` is greater the later the status was set."""

    record: SessionRecord
    user: KnownUser
    status: UserStatus
    status_order: int
    last_active: float
    attributes: Mapping[int, tuple[int, bytes]]
    watching: "dict[AwareId, KnownUser | KnownGroup]"
    keys: frozenset[int] = NO_KEYS
    unsupported: frozenset[int] = NO_KEYS
    foreign: bool = False
    moving: bool = False

    @property
    def id(self) -> str:
        return self.record.login.login_id

    def as_watcher(self) -> Watcher:
        return Watcher(self.record.login.login_id, self.user.key, self.keys)

    def as_record(self) -> SessionRecord:
        return replace(self.record, last_active=self.last_active, status=self.status)

    def as_shared(self) -> SharedSession:
        return SharedSession(
            self.as_record(), self.status_order, self.attributes, self.unsupported, self.moving
        )


@dataclass(slots=True, eq=False)
class GroupMember:
    """`left` is the group's revision in which the member was not in it any more, or 0."""

    user: KnownUser
    id: AwareId
    left: int = 0


@dataclass(slots=True, eq=False)
class KnownGroup:
    """`watchers` has the revision that each was sent first; 0 while the content is not known."""

    key: str
    id: str
    watchers: dict[AwareId, dict[str, int]]
    members: dict[str, GroupMember]
    revision: int = 0


def _latest(sessions: "list[KnownSession]") -> Mapping[int, bytes]:
    latest: dict[int, tuple[int, bytes]] = {}
    for each in sessions:
        for key, value in each.attributes.items():
            if key not in latest or latest[key] < value:
                latest[key] = value
    return {key: value for key, (_, value) in latest.items()}
