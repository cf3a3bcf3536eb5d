"""Privacy lists: stored, in force before LOGIN_ACK, and never weakened by a client's habit (P28, P29).

libmeanwhile sends "visible to all" at every sign-in, whatever is stored. That is the client's word, not the
user's: as the first list of a session, shortly after sign-in, it does not replace a stricter one. A list that
could not be read may be stricter, so nothing replaces it before it was read.

Another session, here or at another node, may change the list after a sign-in read it and before the session
begins. So the versions of lists that changed lately are remembered: a list that was read before is out of
date, and is treated as one that could not be read until it is read again.
"""

import asyncio
from collections import OrderedDict
from typing import Final, final
from weakref import WeakValueDictionary

from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.errors import MalformedMessageError
from quintet.sametime.ids import id_key
from quintet.sametime.neighbours import VersionedPrivacy
from quintet.sametime.reason import ReasonCode
from quintet.sametime.storage import PRIVACY_LIST, StorageError, StorageUnavailableError, VersionedValue
from quintet.sametime.store_keeper import StoreKeeper
from quintet.sametime.trace import PrivacyKept
from quintet.sametime.wire.blocks import INVISIBLE, VISIBLE_TO_ALL, PrivacyInfo
from quintet.sametime.wire.codec import WireReader
from quintet.sametime.wire.messages import SetPrivacyDenied, SetPrivacyList

_HABIT_SECONDS: Final = 15.0
_REMEMBERED: Final = 1000


def stored_privacy(value: VersionedValue | None) -> VersionedPrivacy:
    """The list in a stored value; "visible to all" without one, "visible to none" if it is unreadable."""
    if value is None:
        return VersionedPrivacy(0, VISIBLE_TO_ALL)
    try:
        return VersionedPrivacy(value.version, PrivacyInfo.read(WireReader(value.value)))
    except MalformedMessageError:
        return VersionedPrivacy(value.version, INVISIBLE)


@final
class PrivacyHandler:
    """Takes the lists that clients send."""

    def __init__(self, context: ServerContext, keeper: StoreKeeper) -> None:
        self._context = context
        self._keeper = keeper
        self._guest_lists = 0
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._versions: OrderedDict[str, int] = OrderedDict()

    def changed(self, client: Client, privacy: PrivacyInfo) -> None:
        """The client has sent a list."""
        first, client.privacy_was_set = not client.privacy_was_set, True
        recent = self._context.now() - client.signed_in_at < _HABIT_SECONDS
        if first and recent and privacy == VISIBLE_TO_ALL and client.privacy != VISIBLE_TO_ALL:
            self._context.tell(PrivacyKept(client.connection.client_type))
            if client.privacy is not None:
                client.session.notify(SetPrivacyList(client.privacy))
        elif client.person is None:
            self._guest_lists += 1
            self._enforce(client.login.user_id, VersionedPrivacy(self._guest_lists, privacy), client)
        elif client.privacy is None:
            client.session.notify(SetPrivacyDenied(ReasonCode.SERVER_NOT_RESPONDING))
        else:
            self._context.request(client, "store privacy", self._store(client, privacy))

    async def _store(self, client: Client, privacy: PrivacyInfo) -> None:
        """Store the list, then let it be in force. Lists of one user are taken one after the other."""
        user_id = client.login.user_id
        lock = self._locks.setdefault(id_key(user_id), asyncio.Lock())
        async with lock:
            if privacy == client.privacy:
                return
            try:
                saved = await self._keeper.save(user_id, PRIVACY_LIST, privacy.encode())
            except StorageUnavailableError:
                client.session.notify(SetPrivacyDenied(ReasonCode.SERVER_NOT_RESPONDING))
                return
            except StorageError:
                client.session.notify(SetPrivacyDenied(ReasonCode.OUT_OF_RESOURCES))
                return
            self._enforce(user_id, VersionedPrivacy(saved.current, privacy), client)

    def saved(self, user_id: str, version: int) -> None:
        """A list was stored, here or at another node; this is its version."""
        user = id_key(user_id)
        self._versions[user] = max(version, self._versions.get(user, 0))
        self._versions.move_to_end(user)
        if len(self._versions) > _REMEMBERED:
            self._versions.popitem(last=False)

    def is_current(self, user_id: str, value: VersionedValue | None) -> bool:
        """Whether no other list was stored since this one was read."""
        return (value.version if value else 0) >= self._versions.get(id_key(user_id), 0)

    async def read_again(self, user_id: str) -> None:
        """The stored list is in force from now on. If it can't be read, it is when the database is back."""
        async with self._locks.setdefault(id_key(user_id), asyncio.Lock()):
            try:
                found = await self._keeper.load(user_id, (PRIVACY_LIST,))
            except StorageUnavailableError:
                for session in self._context.community.presence.sessions_of(user_id):
                    if session in self._context.clients:
                        self._context.clients[session].privacy = None
                return
            self._enforce(user_id, stored_privacy(found.get(PRIVACY_LIST)), None)

    def _enforce(self, user_id: str, stored: VersionedPrivacy, source: Client | None) -> None:
        """The list is in force from now on, at all nodes."""
        privacy = self._context.neighbours.privacy_changed(user_id, stored)
        self._context.deliver(self._context.community.set_privacy(user_id, privacy), source)
