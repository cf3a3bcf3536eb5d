"""Viewers of presence: what one user may see of others, for pages. A viewer is no session, and never seen."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import final

from quintet.sametime.community import SessionRecord
from quintet.sametime.context import ServerContext
from quintet.sametime.services.aware import AwareNotice, PresenceEntry, PresenceSnapshot, PresenceUpdate
from quintet.sametime.wire.blocks import AwareId, AwareType, LoginInfo, UserStatus
from quintet.sametime.wire.codec import clip

PresenceChanged = Callable[[str, UserStatus], None]
"""Gets a user ID as it was watched, and the status that is to be seen: `UserStatus()` for "offline"."""

_PIECE = 50
"""Users for whom other nodes are asked in one turn of the event loop."""


async def find_users(context: ServerContext, ids: Iterable[str], seconds: float) -> None:
    """Bring users of other nodes into view, so that what a viewer sees at once is their status.

    It returns after `seconds` at the latest: users who are not found by then are offline for now.
    """
    missing = dict.fromkeys(filter(_can_be_sent, ids))
    complete = asyncio.Event()

    def found(user_id: str) -> None:
        del missing[user_id]
        if not missing:
            complete.set()

    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for nth, each in enumerate(tuple(missing), 1):
                context.neighbours.find(each, partial(found, each))
                if nth % _PIECE == 0:
                    await asyncio.sleep(0)
            if missing:
                await complete.wait()


@final
class PresenceViewer:
    """Sees what a Sametime client of the user with the ID `user_id` would see, until `close`.

    `seen` has the status of each watched user, by ID as it was watched. `changed` is called after it changed;
    not for users that `watch` has just added.
    """

    def __init__(self, context: ServerContext, user_id: str, changed: PresenceChanged) -> None:
        self.seen: dict[str, UserStatus] = {}
        self._context = context
        self._presence = context.community.presence
        self._changed = changed
        self._id = f"viewer-{secrets.token_hex(8)}"
        login, now = LoginInfo(self._id, 0, clip(user_id), ""), context.now()
        self._presence.add_viewer(SessionRecord(context.community.node, login, "", now, now, UserStatus()))
        context.viewers[self._id] = self._told

    def watch(self, ids: Iterable[str]) -> None:
        """Watch these users in place of those before; an ID that no client could send is passed over."""
        wanted = dict.fromkeys(filter(_can_be_sent, ids))
        gone = [each for each in self.seen if each not in wanted]
        for each in gone:
            del self.seen[each]
        effects = self._presence.unwatch(self._id, map(_aware, gone))
        fresh = [_aware(each) for each in wanted if each not in self.seen]
        self._context.deliver(effects + self._presence.watch(self._id, fresh), None)

    def close(self) -> None:
        del self._context.viewers[self._id]
        self._context.deliver(self._presence.remove_viewer(self._id), None)

    def _told(self, notice: AwareNotice) -> None:
        match notice:
            case PresenceSnapshot(entries):
                for each in entries:
                    self.seen[each.id.user] = _status(each)
            case PresenceUpdate(entry):
                self.seen[entry.id.user] = status = _status(entry)
                self._changed(entry.id.user, status)


def _can_be_sent(user_id: str) -> bool:
    """Whether a client could send it."""
    return bool(user_id) and "\0" not in user_id


def _aware(user_id: str) -> AwareId:
    return AwareId(AwareType.USER, user_id)


def _status(entry: PresenceEntry) -> UserStatus:
    return entry.status or UserStatus()
