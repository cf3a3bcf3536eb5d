"""The channels of one session by id: which are in use, who opened them, what each is doing (P48)."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, final

from quintet.sametime.errors import SessionStateError
from quintet.sametime.limits import SessionLimits
from quintet.sametime.wire.encryption import ChannelCipher, EncryptionOffer

MASTER: Final = 0
"""The channel that exists always, and is the session itself."""

_SERVER_BIT: Final = 0x80000000
_LAST_ID: Final = 0xFFFFFFFF


def opened_by_server(channel_id: int) -> bool:
    """Whether an id is one of those that the server chooses."""
    return channel_id & _SERVER_BIT != 0


class ChannelState(Enum):
    """How far the opening of a channel is."""

    REQUESTED = auto()
    """The client opened it; the server has not answered."""
    OFFERED = auto()
    """The server opened it; the client has not answered."""
    OPEN = auto()


@dataclass(slots=True)
class Channel:
    """One channel of a session."""

    id: int
    service: int
    protocol: int
    version: int
    relayed: bool
    """It connects the client to another one; any other channel ends at the server."""
    state: ChannelState
    offer: EncryptionOffer | None = None
    """What the client offered, while the channel is REQUESTED."""
    encrypted: bool = False
    """A cipher was agreed on: by the server, which has it then, or on a relayed channel by the clients."""
    cipher: ChannelCipher | None = None


@final
class ChannelTable:
    """All channels of a session but the master channel."""

    __slots__ = ("_by_id", "_from_client", "_last_id", "_limits")

    def __init__(self, limits: SessionLimits) -> None:
        self._limits = limits
        self._by_id: dict[int, Channel] = {}
        self._from_client = 0
        self._last_id = _SERVER_BIT

    def __iter__(self) -> Iterator[Channel]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, channel_id: int) -> Channel | None:
        return self._by_id.get(channel_id)

    @property
    def client_may_open(self) -> bool:
        return self._from_client < self._limits.client_channels

    @property
    def server_may_open(self) -> bool:
        return len(self._by_id) - self._from_client < self._limits.server_channels

    def add(self, channel: Channel) -> None:
        """Enter a channel whose id is free. SessionStateError is raised if there are too many."""
        if opened_by_server(channel.id):
            if not self.server_may_open:
                raise SessionStateError(f"{self._limits.server_channels} channels are open to the client")
        elif not self.client_may_open:
            raise SessionStateError(f"{self._limits.client_channels} channels are open from the client")
        else:
            self._from_client += 1
        self._by_id[channel.id] = channel

    def remove(self, channel_id: int) -> Channel | None:
        channel = self._by_id.pop(channel_id, None)
        if channel is not None and not opened_by_server(channel_id):
            self._from_client -= 1
        return channel

    def free_id(self) -> int:
        """An id for a channel that the server opens: not in use, and not used lately."""
        while True:
            self._last_id = self._last_id + 1 if self._last_id < _LAST_ID else _SERVER_BIT + 1
            if self._last_id not in self._by_id:
                return self._last_id
