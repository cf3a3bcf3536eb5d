"""A signed-in client, as the services see it, and what a service does for it."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from quintet.directory import Person, Service
from quintet.sametime.port import ClientConnection
from quintet.sametime.session import SametimeSession
from quintet.sametime.storage import VersionedValue
from quintet.sametime.wire.blocks import AwareId, LoginInfo, PrivacyInfo
from quintet.sametime.wire.messages import ChannelCreate

_NOTHING_WATCHED: frozenset[int] = frozenset()


@dataclass(slots=True)
class StoredState:
    """What a session knows of its user's stored values.

    `prefetched` was read at sign-in, None if it could not be. `versions` has those of the values that the
    session loaded; 0 is "never stored". `refused` is whether the channel was refused because of the database.
    """

    prefetched: Mapping[int, VersionedValue] | None = None
    versions: dict[int, int] = field(default_factory=dict)
    refused: bool = False
    order: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(slots=True, eq=False)
class Client:
    """One session. Its id is `login.login_id`.

    `person` is None for anonymous users. `privacy` is the stored list, None if it could not be read.
    `hosted` has the handler of each channel that ends here, `links` and `conferences` the name of what each
    other channel belongs to; the maps beside them lead back to the channel. `awaited` has what opened a
    channel about which other nodes are asked first. A client that `is_moving` is to come back at another
    node. `tasks` counts which LDAP connections the client's
    requests used.
    """

    connection: ClientConnection
    login: LoginInfo
    login_name: str
    person: Person | None
    privacy: PrivacyInfo | None
    signed_in_at: float
    recheck_at: float
    stored: StoredState = field(default_factory=StoredState)
    hosted: "dict[int, ServiceHandler]" = field(default_factory=dict)
    links: dict[int, str] = field(default_factory=dict)
    link_channels: dict[str, int] = field(default_factory=dict)
    conferences: dict[int, str] = field(default_factory=dict)
    conference_channels: dict[str, int] = field(default_factory=dict)
    awaited: dict[int, ChannelCreate] = field(default_factory=dict)
    aware_channel: int | None = None
    aware_keys: frozenset[int] = _NOTHING_WATCHED
    server_watched: AwareId | None = None
    privacy_was_set: bool = False
    is_moving: bool = False
    in_flight: int = 0
    tasks: Counter[Service] = field(default_factory=Counter)

    @property
    def id(self) -> str:
        return self.login.login_id

    @property
    def session(self) -> SametimeSession:
        return self.connection.session

    def still_wants(self, channel: int, create: ChannelCreate) -> bool:
        """Whether the channel is still there that was awaited with this; not any more from now on."""
        if self.awaited.get(channel) is not create:
            return False
        del self.awaited[channel]
        return True


class ServiceHandler(Protocol):
    """A service whose channels end at the server. It serves all clients of one server."""

    def open(self, client: Client, channel: int, create: ChannelCreate) -> None:
        """The client wants a channel: accept or close it, now or later."""

    def receive(self, client: Client, channel: int, message_type: int, data: bytes) -> None:
        """Data on an accepted channel. Raises MalformedMessageError and UnknownMessageTypeError."""

    def closed(self, client: Client, channel: int) -> None:
        """The channel is gone, closed by the client or the server."""
