"""STORAGE: what clients keep at the server (P97, P98).

Theory of operation
-------------------
Clients overwrite their stored contact list whenever they get anything but the list: an error, nothing,
or an empty list. So while the database cannot be read the channel is refused, and SENSE_SERVICE is not
answered; once it can, the sessions that were refused are closed, spread over some time, and come back. A load
that fails on an accepted channel closes the connection without an answer. Only what the database says was
"never stored" is answered as such.

A contact list is taken only in a session whose load of it was answered. A save is answered after its commit;
while the database does not save it waits for some time. A list that was read at sign-in is read again if
another session, here or at another node, saved since. Requests of a session are done one after the other.
"""

import asyncio
import random
from typing import Final, final

from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId, service_name
from quintet.sametime.services.contact_list import (
    ContactGroup,
    ContactGroupType,
    ContactList,
    render_contact_list,
)
from quintet.sametime.services.storage import (
    EMPTY_TEXT,
    LoadValues,
    SaveValues,
    StorageKey,
    StoredValue,
    ValuesLoaded,
    ValuesSaved,
    decode_request,
    value_of,
)
from quintet.sametime.storage import StorageError, StorageUnavailableError, VersionedValue
from quintet.sametime.store_keeper import StoreKeeper
from quintet.sametime.trace import ServiceRefused, ValueSaved
from quintet.sametime.wire.messages import ChannelCreate

LISTS: Final = frozenset({int(StorageKey.CONTACT_LIST), int(StorageKey.CONTACT_LIST_XML)})
"""The keys that hold contact lists."""

_SAVE_WAITS: Final = 60.0
_PREFETCHED_SECONDS: Final = 30.0


@final
class StoredValuesHandler:
    """`keeper` has the database."""

    def __init__(self, context: ServerContext, keeper: StoreKeeper) -> None:
        self._context = context
        self._keeper = keeper

    def open(self, client: Client, channel: int, _create: ChannelCreate) -> None:
        """Accept the channel only if the database was read for this session."""
        if client.person is None:
            self._refuse(client, channel)
        elif client.stored.prefetched is not None:
            self._accept(client, channel)
        else:
            self._context.request(client, "open storage", self._open(client, channel))

    def closed(self, client: Client, channel: int) -> None:
        """Saves that wait are finished all the same."""

    def receive(self, client: Client, channel: int, message_type: int, data: bytes) -> None:
        match decode_request(message_type, data):
            case LoadValues() as request:
                self._context.request(client, "load", self._load(client, channel, request))
            case SaveValues() as request:
                self._context.request(client, "save", self._save(client, channel, request))

    def may_be_sensed(self, client: Client) -> bool:
        """Whether the client may learn that the service is there: not if it was refused."""
        return client.person is not None and not client.stored.refused and self._keeper.available

    def changed(self, client: Client, key: int) -> None:
        """Another session of the user saved this value."""
        if key in LISTS and client.stored.prefetched is not None:
            client.stored.prefetched = None

    def available_again(self) -> None:
        """Close the sessions whose channel was refused: they come back by themselves and load their lists."""
        loop = asyncio.get_running_loop()
        for client in tuple(self._context.clients.values()):
            if client.stored.refused:
                delay = random.uniform(0, self._context.limits.reconnect_seconds)  # noqa: S311
                loop.call_later(delay, client.connection.close)

    def _accept(self, client: Client, channel: int) -> None:
        if client.session.channels.accept(channel):
            client.hosted[channel] = self

    def _refuse(self, client: Client, channel: int) -> None:
        name = service_name(ServiceId.STORAGE)
        reason = ReasonCode.SERVICE_NOT_SUPPORTED
        self._context.tell(ServiceRefused(name, client.connection.client_type, reason.name))
        client.session.channels.close(channel, reason)

    async def _open(self, client: Client, channel: int) -> None:
        try:
            client.stored.prefetched = await self._keeper.load(client.login.user_id, LISTS)
        except StorageUnavailableError:
            client.stored.refused = True
            self._refuse(client, channel)
        else:
            self._accept(client, channel)

    async def _load(self, client: Client, channel: int, request: LoadValues) -> None:
        async with client.stored.order:
            try:
                found = await self._values(client, request.keys)
            except StorageUnavailableError:
                client.connection.close()
                return
            entries = [self._entry(client, key, found.get(key)) for key in dict.fromkeys(request.keys)]
            there = tuple([each for each in entries if each is not None])
            code = ReasonCode.SUCCESS if there or not request.keys else ReasonCode.NO_SUCH_ELEMENT
            response = ValuesLoaded(request.request_id, there, code)
            client.session.channels.send(channel, response.TYPE, response.encode())

    async def _values(self, client: Client, keys: tuple[int, ...]) -> dict[int, VersionedValue]:
        """What is stored; lists that were read at sign-in are used once, and only shortly after it."""
        fresh = self._context.now() - client.signed_in_at < _PREFETCHED_SECONDS
        prefetched = client.stored.prefetched
        if prefetched is not None and LISTS.issuperset(keys):
            client.stored.prefetched = None
            if fresh:
                return {key: value for key, value in prefetched.items() if key in keys}
        return dict(await self._keeper.load(client.login.user_id, keys))

    def _entry(self, client: Client, key: int, value: VersionedValue | None) -> StoredValue | None:
        """The answer for one key; None for a contact list that was never stored."""
        client.stored.versions[key] = value.version if value else 0
        if value is not None:
            return StoredValue(key, value.value)
        if key == StorageKey.CONTACT_LIST and self._context.settings.first_contacts:
            return StoredValue(key, self._first_contacts())
        return None if key in LISTS else StoredValue(key, EMPTY_TEXT)

    def _first_contacts(self) -> bytes:
        """The list of a user who never had one: public groups."""
        groups = [
            ContactGroup(group_id, title, type=ContactGroupType.PUBLIC)
            for group_id, title in self._context.settings.first_contacts
        ]
        return value_of(render_contact_list(ContactList(tuple(groups))))

    async def _save(self, client: Client, channel: int, request: SaveValues) -> None:
        async with client.stored.order:
            code = ReasonCode.SUCCESS
            for each in request.values:
                outcome = await self._save_one(client, each)
                if outcome is not ReasonCode.SUCCESS:
                    code = outcome
            response = ValuesSaved(request.request_id, code)
            client.session.channels.send(channel, response.TYPE, response.encode())

    async def _save_one(self, client: Client, each: StoredValue) -> ReasonCode:
        versions = client.stored.versions
        end = asyncio.get_running_loop().time() + _SAVE_WAITS
        if each.key in LISTS and each.key not in versions:
            self._context.tell(ValueSaved(each.key, "not loaded before"))
            return ReasonCode.INVALID_REQUEST
        while True:
            try:
                saved = await self._keeper.save(
                    client.login.user_id, each.key, each.value, base=versions.get(each.key)
                )
            except StorageUnavailableError as error:
                if await self._keeper.wait(end - asyncio.get_running_loop().time()):
                    continue
                self._context.tell(ValueSaved(each.key, error.code))
                return ReasonCode.SERVER_NOT_RESPONDING
            except StorageError as error:
                self._context.tell(ValueSaved(each.key, error.code))
                return ReasonCode.OUT_OF_RESOURCES
            versions[each.key] = saved.version
            self._context.tell(ValueSaved(each.key, saved.outcome.value))
            return ReasonCode.SUCCESS
