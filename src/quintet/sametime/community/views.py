"""What there is to see of a user, and what watchers are sent when that changes: pure functions of values.

`presence` has the state that these values are taken from.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from quintet.sametime.community.effects import ShowAttribute, ShowUpdate
from quintet.sametime.community.privacy import PrivacyRules
from quintet.sametime.services.aware import PresenceEntry
from quintet.sametime.wire.blocks import AwareId, StatusCode, StatusFlag, UserStatus

NO_ATTRIBUTES: Final[Mapping[int, bytes]] = {}

_AVAILABILITY: Final = {
    int(status): rank
    for rank, status in enumerate(
        (
            StatusCode.ACTIVE,
            StatusCode.IDLE,
            StatusCode.AWAY,
            StatusCode.IN_MEETING,
            StatusCode.DO_NOT_DISTURB,
        )
    )
}


def availability(status: UserStatus) -> tuple[int, bool]:
    """What is smaller the more available a user is; a mobile client counts a little less."""
    code = status.status & ~StatusFlag.MOBILE
    return _AVAILABILITY.get(code, len(_AVAILABILITY)), bool(status.status & StatusFlag.MOBILE)


class Shown(NamedTuple):
    """What is to be seen of a user who is online."""

    status: UserStatus
    name: str


class View(NamedTuple):
    """All that decides about what watchers see of a user. `user` is the key of the user's ID."""

    user: str
    shown: Shown | None
    attributes: Mapping[int, bytes]
    rules: PrivacyRules

    def seen_by(self, viewer: str) -> Shown | None:
        """What the user with the ID key `viewer` sees; None is "offline"."""
        if self.shown is None or self.rules.allow(viewer) or viewer == self.user:
            return self.shown
        return None


class Watcher(NamedTuple):
    """A session that gets an update: its id, the key of its user's ID, the attributes that it wants."""

    session: str
    viewer: str
    keys: frozenset[int]


def entry(aware_id: AwareId, seen: Shown | None, group: str = "") -> PresenceEntry:
    """What a watcher who sees this is sent about `aware_id`."""
    if seen is None:
        return PresenceEntry(aware_id, group=group)
    return PresenceEntry(aware_id, seen.status, seen.name, aware_id.user, group)


def updates(
    aware_id: AwareId, watchers: Iterable[Watcher], before: View | None, after: View, group: str = ""
) -> Iterator[ShowUpdate]:
    """One update for all who see the user online now, one for all who do not; none for who sees no change.

    Without `before` every watcher is sent it.
    """
    online: list[str] = []
    offline: list[str] = []
    for session, viewer, _ in watchers:
        seen = after.seen_by(viewer)
        if before is None or before.seen_by(viewer) != seen:
            (offline if seen is None else online).append(session)
    if online:
        yield ShowUpdate(entry(aware_id, after.shown, group), tuple(online))
    if offline:
        yield ShowUpdate(entry(aware_id, None, group), tuple(offline))


def attribute_changes(
    aware_id: AwareId, watchers: Iterable[Watcher], before: View, after: View
) -> Iterator[ShowAttribute]:
    """What changed for those who saw the user before, everything for those who do only now."""
    if not before.attributes and not after.attributes:
        return
    told: dict[tuple[int, bytes | None], list[str]] = {}
    for session, viewer, keys in watchers:
        if not keys or after.seen_by(viewer) is None:
            continue
        known = before.attributes if before.seen_by(viewer) is not None else NO_ATTRIBUTES
        for key in keys & (known.keys() | after.attributes.keys()):
            value = after.attributes.get(key)
            if known.get(key) != value:
                told.setdefault((key, value), []).append(session)
    for (key, value), sessions in told.items():
        yield ShowAttribute(aware_id, key, value, tuple(sessions))


def all_attributes(aware_id: AwareId, watcher: Watcher, view: View) -> Iterator[ShowAttribute]:
    """Every attribute that the watcher wants and sees."""
    if watcher.keys and view.seen_by(watcher.viewer) is not None:
        for key in watcher.keys & view.attributes.keys():
            yield ShowAttribute(aware_id, key, view.attributes[key], (watcher.session,))
