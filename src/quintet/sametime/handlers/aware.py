"""AWARE: watch lists, presence and attributes, and what the server says of itself (P70 to P79, P86 on)."""

import asyncio
from functools import partial
from typing import Final, final

from quintet.sametime.client import Client
from quintet.sametime.context import ServerContext
from quintet.sametime.port import Hold
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.aware import (
    AddToWatchList,
    AttributeSet,
    PresenceEntry,
    PresenceSnapshot,
    RemoveFromWatchList,
    SetOwnAttribute,
    UnsetOwnAttribute,
    WatchAttributes,
    decode_request,
)
from quintet.sametime.services.server_attributes import ServerAbilities
from quintet.sametime.wire.blocks import AwareId, AwareType, StatusCode, UserStatus
from quintet.sametime.wire.messages import ChannelCreate

_PIECE: Final = 300
"""Ids that are added in one turn of the event loop: some 5 ms of work."""

_MOST_KEYS: Final = 256


@final
class AwareHandler:
    """`abilities` is what the server offers."""

    def __init__(self, context: ServerContext, abilities: ServerAbilities) -> None:
        self._context = context
        self._presence = context.community.presence
        self._server_name = context.settings.server_name
        self._attributes = abilities.attributes()

    def open(self, client: Client, channel: int, _create: ChannelCreate) -> None:
        """One channel a session: a second one is refused while the first is there."""
        if client.aware_channel is not None:
            client.session.channels.close(channel, ReasonCode.CHANNEL_EXISTS)
        elif client.session.channels.accept(channel):
            client.aware_channel = channel
            client.hosted[channel] = self

    def closed(self, client: Client, channel: int) -> None:
        """The watch list is gone with the channel."""
        if client.aware_channel == channel:
            client.aware_channel = None
            client.aware_keys = frozenset()
            client.server_watched = None
            self._context.deliver(self._presence.unwatch_all(client.id), client)

    def receive(self, client: Client, channel: int, message_type: int, data: bytes) -> None:
        """P70, P76."""
        presence = self._presence
        match decode_request(message_type, data):
            case AddToWatchList(ids):
                self._add(client, channel, ids)
            case RemoveFromWatchList(ids):
                if client.server_watched in ids:
                    client.server_watched = None
                self._context.deliver(presence.unwatch(client.id, ids), client)
            case SetOwnAttribute(key, value):
                self._set(client, key, value)
            case UnsetOwnAttribute(key):
                self._set(client, key, None)
            case WatchAttributes(keys):
                wanted = frozenset(keys[:_MOST_KEYS])
                fresh, client.aware_keys = wanted - client.aware_keys, wanted
                self._context.deliver(presence.watch_attributes(client.id, wanted), client)
                self._tell_attributes(client, channel, fresh)

    def _set(self, client: Client, key: int, value: bytes | None) -> None:
        self._context.deliver(self._presence.set_attribute(client.id, key, value), client)
        self._context.neighbours.changed(client.id)

    def _add(self, client: Client, channel: int, ids: tuple[AwareId, ...], in_time: bool = True) -> None:
        """Add the ids in pieces; nothing else of the client is worked on until all are added.

        What other nodes know of the users of a piece is awaited, unless they did not answer in time before:
        users who are online are never shown as offline first.
        """
        piece, rest = ids[:_PIECE], ids[_PIECE:]
        client.connection.hold(Hold.PIECES)
        users = [each.user for each in piece if each.type == AwareType.USER and each.user]
        add = partial(self._add_piece, client, channel, piece, rest)
        if in_time:
            self._context.when_in_view(users, add)
        else:
            add(False)

    def _add_piece(
        self,
        client: Client,
        channel: int,
        piece: tuple[AwareId, ...],
        rest: tuple[AwareId, ...],
        in_time: bool,
    ) -> None:
        if client.aware_channel != channel:
            return
        others = [each for each in piece if not self._is_this_server(each)]
        self._context.deliver(self._presence.watch(client.id, others), client)
        for each in piece:
            if self._is_this_server(each):
                self._watch_server(client, channel, each)
        if rest:
            asyncio.get_running_loop().call_soon(self._add, client, channel, rest, in_time)
        else:
            client.connection.release(Hold.PIECES)

    def _is_this_server(self, aware_id: AwareId) -> bool:
        return aware_id.type == AwareType.SERVER and aware_id.user == self._server_name

    def _watch_server(self, client: Client, channel: int, aware_id: AwareId) -> None:
        client.server_watched = aware_id
        entry = PresenceEntry(aware_id, UserStatus(StatusCode.ACTIVE), self._server_name, aware_id.user)
        snapshot = PresenceSnapshot((entry,))
        client.session.channels.send(channel, snapshot.TYPE, snapshot.encode())
        self._tell_attributes(client, channel, client.aware_keys)

    def _tell_attributes(self, client: Client, channel: int, keys: frozenset[int]) -> None:
        """The server's attributes with these keys, if the client watches the server."""
        if client.server_watched is None:
            return
        for key in keys & self._attributes.keys():
            notice = AttributeSet(client.server_watched, key, self._attributes[key])
            client.session.channels.send(channel, notice.TYPE, notice.encode())
