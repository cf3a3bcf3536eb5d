"""The channels of one signed-in client: how they open, carry data and close (P48 to P66).

Theory of operation
-------------------
A channel is REQUESTED by the client or OFFERED by the server, then OPEN, then gone. The table has every
channel that either side may still mention. An id leaves it when either side destroys the channel; what is
said of an id that is not in it is ignored, since both sides may close at once (P49). For the same reason
the methods answer whether the channel was still there, and raise only for what is wrong however the client
behaves.

A service's definition says whether its channels are relayed.

- A hosted channel ends at the server. If the client offered a cipher, data is encrypted and decrypted here.
  All that an offer may be refused for is checked when it comes; the exchange of keys, which takes long, is
  made when the server accepts.
- A relayed channel is one half of a conversation between two clients. The port pairs the halves. Ciphertext
  passes unread; what would crash the other client is stopped where it comes in (P66).

What a client does wrong on a channel costs it that channel, and nothing else (P50 to P53).
"""

from collections.abc import Collection, Iterator
from dataclasses import replace
from typing import Final, final

from quintet.sametime.channel_table import MASTER, Channel, ChannelState, ChannelTable, opened_by_server
from quintet.sametime.errors import DecryptionError, MalformedMessageError, SessionStateError
from quintet.sametime.events import (
    ChannelClosed,
    ChannelData,
    ChannelOpened,
    ChannelRefused,
    ChannelRequested,
    SessionEvent,
)
from quintet.sametime.limits import SessionLimits
from quintet.sametime.negotiation import CipherNegotiator
from quintet.sametime.outbox import Outbox
from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import SERVICES
from quintet.sametime.wire.blocks import IdBlock, LoginInfo
from quintet.sametime.wire.codec import WireReader
from quintet.sametime.wire.encryption import EncryptionChoice
from quintet.sametime.wire.header import HEADER_SIZE, Header, MessageType
from quintet.sametime.wire.messages import ChannelAccept, ChannelCreate, ChannelDestroy, ChannelSend
from quintet.sametime.wire.rc2 import BLOCK

_TO_SERVER: Final = IdBlock()


@final
class Channels:
    """The channels of a session. `client` is its login; `server` is who the server is to clients.

    Methods that begin with `on_` belong to the session.
    """

    __slots__ = ("_client", "_negotiator", "_offered", "_outbox", "_server", "_table")

    def __init__(
        self,
        client: LoginInfo,
        server: LoginInfo,
        offered: Collection[int],
        negotiator: CipherNegotiator,
        limits: SessionLimits,
        outbox: Outbox,
    ) -> None:
        self._client = client
        self._server = server
        self._offered = offered
        self._negotiator = negotiator
        self._outbox = outbox
        self._table = ChannelTable(limits)

    def __iter__(self) -> Iterator[Channel]:
        """All channels that were not closed, also after the session has ended. Not to be changed."""
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    @property
    def can_open(self) -> bool:
        """Whether the session goes on, and its limit allows the server to open another channel."""
        return self._outbox.open and self._table.server_may_open

    def accept(self, channel_id: int, additional: bytes = b"") -> bool:
        """Accept a hosted channel, by the cipher that the offer allows. Whether it was still there."""
        channel = self._answerable(channel_id, relayed=False)
        if channel is None:
            return False
        assert channel.offer is not None
        choice, cipher = self._negotiator.choose(channel.offer, self._server.login_id, self._client.login_id)
        self._accept(channel, additional, self._server if cipher else None, choice)
        channel.cipher = cipher
        channel.encrypted = cipher is not None
        return True

    def accept_relayed(self, channel_id: int, accept: ChannelAccept, acceptor: LoginInfo) -> bool:
        """Relay the accept that came on the connection of `acceptor`. Whether the channel is open then.

        It is not if it is gone, or if the acceptor chose a cipher that this client did not offer.
        """
        acceptor.check_fit_to_send()
        channel = self._answerable(channel_id, relayed=True)
        if channel is None:
            return False
        assert channel.offer is not None
        item = accept.encryption.item()
        if item is not None and item.cipher not in {each.cipher for each in channel.offer.items()}:
            self.close(channel_id, ReasonCode.NO_COMMON_ENCRYPTION)  # P66
            return False
        self._accept(channel, accept.additional, acceptor, accept.encryption)
        channel.encrypted = item is not None
        return True

    def open(
        self, service: int, creator: LoginInfo, additional: bytes = b"", target: IdBlock = _TO_SERVER
    ) -> int:
        """Open an unencrypted channel that ends at the server. Its id.

        Raises SessionStateError if `can_open` is false.
        """
        definition = SERVICES[service]
        create = ChannelCreate(
            MASTER, service, definition.protocol, definition.version, target, additional=additional
        )
        return self._open(create, creator, relayed=False)

    def open_relayed(self, create: ChannelCreate, creator: LoginInfo) -> int:
        """Relay what the client on the connection of `creator` wants to open. The id here.

        Raises SessionStateError if `can_open` is false.
        """
        return self._open(create, creator, relayed=True)

    def send(self, channel_id: int, message_type: int, data: bytes, *, encrypted: bool = False) -> bool:
        """Queue data on an open channel. Whether it was still there.

        A hosted channel encrypts by itself. On a relayed one `encrypted` is that of the event.
        """
        channel = self._table.get(channel_id)
        if channel is None or not self._outbox.open:
            return False
        if channel.state is not ChannelState.OPEN:
            raise SessionStateError(f"channel {channel_id:#x} is {channel.state.name}")
        if channel.cipher is not None:
            data, encrypted = channel.cipher.encrypt(data), True
        self._outbox.put(ChannelSend(channel_id, message_type, data, encrypted))
        return True

    def close(self, channel_id: int, reason: int = ReasonCode.SUCCESS, data: bytes = b"") -> bool:
        """Refuse a requested channel, or close one. Whether it was still there."""
        if not self._outbox.open or self._table.remove(channel_id) is None:
            return False
        self._outbox.put(ChannelDestroy(channel_id, reason, data))
        return True

    def on_create(self, create: ChannelCreate, events: list[SessionEvent]) -> None:
        channel_id = create.new_channel
        create = replace(create, creator=None)
        if (reason := self._refusal(create)) is not None:
            self._break(channel_id, reason, events)
            events.append(ChannelRefused(create, reason))
            return
        self._table.add(
            Channel(
                channel_id,
                create.service,
                create.protocol,
                create.version,
                SERVICES[create.service].relayed,
                ChannelState.REQUESTED,
                create.encryption,
            )
        )
        events.append(ChannelRequested(channel_id, create))

    def on_accept(self, accept: ChannelAccept, events: list[SessionEvent]) -> None:
        channel = self._table.get(accept.channel)
        if channel is None:
            return
        if channel.state is not ChannelState.OFFERED:
            self._break(channel.id, ReasonCode.INVALID_REQUEST, events)  # P51
            return
        try:
            item = accept.encryption.item()
        except MalformedMessageError:
            self._break(channel.id, ReasonCode.BAD_DATA, events)
            return
        if item is not None and not channel.relayed:  # nothing was offered
            self._break(channel.id, ReasonCode.ENCRYPTION_FAILED, events)
            return
        channel.encrypted = item is not None
        channel.state = ChannelState.OPEN
        events.append(ChannelOpened(channel.id, replace(accept, acceptor=None)))

    def on_send(self, message: ChannelSend, events: list[SessionEvent]) -> None:
        channel = self._table.get(message.channel)
        if channel is None:
            return
        if channel.state is not ChannelState.OPEN:
            self._break(channel.id, ReasonCode.INVALID_REQUEST, events)  # P52
            return
        data, encrypted = message.data, message.encrypted
        if encrypted:
            if not channel.encrypted:
                self._break(channel.id, ReasonCode.ENCRYPTION_NOT_INITIALIZED, events)
                return
            if not data or len(data) % BLOCK:
                self._break(channel.id, ReasonCode.ENCRYPTION_DATA_INVALID, events)
                return
            if channel.cipher is not None:
                encrypted = False
                try:
                    data = channel.cipher.decrypt(data)
                except DecryptionError:
                    self._break(channel.id, ReasonCode.ENCRYPTION_DATA_INVALID, events)
                    return
        events.append(ChannelData(channel.id, message.type, data, encrypted))

    def on_destroy(self, destroy: ChannelDestroy, events: list[SessionEvent]) -> None:
        if self._table.remove(destroy.channel) is not None:
            events.append(ChannelClosed(destroy.channel, destroy.reason, destroy.data))

    def on_malformed(self, frame: bytes, header: Header, events: list[SessionEvent]) -> None:
        """A message whose header was read, and no more (P53)."""
        if header.type == MessageType.CHANNEL_CREATE:
            channel_id = _id_in_create(frame)
            if channel_id != MASTER:
                self._break(channel_id, ReasonCode.BAD_DATA, events)
        elif header.type in _ON_CHANNEL and self._table.get(header.channel) is not None:
            self._break(header.channel, ReasonCode.BAD_DATA, events)

    def _refusal(self, create: ChannelCreate) -> ReasonCode | None:
        """Why a channel is refused before it is handed out (P50, P55, P61)."""
        if opened_by_server(create.new_channel):
            return ReasonCode.INVALID_REQUEST
        if self._table.get(create.new_channel) is not None:
            return ReasonCode.CHANNEL_EXISTS
        if create.service not in self._offered:
            return ReasonCode.SERVICE_NOT_SUPPORTED
        definition = SERVICES[create.service]
        if create.protocol not in definition.protocols:
            return ReasonCode.PROTOCOL_NOT_SUPPORTED
        if not self._table.client_may_open:
            return ReasonCode.OUT_OF_RESOURCES
        if not definition.relayed:
            if create.options:
                return ReasonCode.SERVICE_NOT_SUPPORTED
            return self._negotiator.check(create.encryption)
        if not create.target.user:
            return ReasonCode.NO_SUCH_USER
        try:
            create.encryption.items()
        except MalformedMessageError:
            return ReasonCode.BAD_DATA
        return None

    def _break(self, channel_id: int, reason: ReasonCode, events: list[SessionEvent]) -> None:
        """Destroy a channel because of what the client did; an event tells of it if there was one."""
        self._outbox.put(ChannelDestroy(channel_id, reason))
        if self._table.remove(channel_id) is not None:
            events.append(ChannelClosed(channel_id, reason, by_client=False))

    def _answerable(self, channel_id: int, *, relayed: bool) -> Channel | None:
        channel = self._table.get(channel_id)
        if channel is None or not self._outbox.open:
            return None
        if channel.state is not ChannelState.REQUESTED or channel.relayed is not relayed:
            kind = "relayed" if channel.relayed else "hosted"
            raise SessionStateError(f"channel {channel_id:#x} is {kind} and {channel.state.name}")
        return channel

    def _accept(
        self, channel: Channel, additional: bytes, acceptor: LoginInfo | None, choice: EncryptionChoice
    ) -> None:
        self._outbox.put(
            ChannelAccept(
                channel.id,
                channel.service,
                channel.protocol,
                channel.version,
                additional,
                acceptor,
                choice,
            )
        )
        channel.state = ChannelState.OPEN
        channel.offer = None

    def _open(self, create: ChannelCreate, creator: LoginInfo, *, relayed: bool) -> int:
        if not self.can_open:
            raise SessionStateError("the session has ended, or too many channels are open to the client")
        creator.check_fit_to_send()
        channel_id = self._table.free_id()
        self._outbox.put(replace(create, new_channel=channel_id, creator=creator))
        self._table.add(
            Channel(
                channel_id,
                create.service,
                create.protocol,
                create.version,
                relayed,
                ChannelState.OFFERED,
            )
        )
        return channel_id


_ON_CHANNEL: Final = frozenset(
    {MessageType.CHANNEL_SEND, MessageType.CHANNEL_ACCEPT, MessageType.CHANNEL_DESTROY}
)


def _id_in_create(frame: bytes) -> int:
    """The channel id in a CHANNEL_CREATE that is malformed further on; 0 if it ends before."""
    reader = WireReader(frame, HEADER_SIZE)
    try:
        reader.skip(4)
        return reader.u32()
    except MalformedMessageError:
        return MASTER
