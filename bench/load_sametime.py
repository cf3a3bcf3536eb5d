"""A Sametime client as the load generator plays it, with the habits of libmeanwhile."""

import ssl
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import people
from load_connection import Connection

from quintet.sametime.credentials import AuthType
from quintet.sametime.services.aware import (
    AddToWatchList,
    PresenceSnapshot,
    PresenceUpdate,
    decode_notice,
)
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.im import ImAcceptance, ImFlavour, ImOpening, ImText
from quintet.sametime.services.resolve import ResolveFlag, ResolveRequest, decode_response
from quintet.sametime.services.storage import LoadValues, StorageKey
from quintet.sametime.wire.blocks import AwareId, AwareType, StatusCode, UserStatus
from quintet.sametime.wire.messages import (
    ChannelAccept,
    ChannelCreate,
    ChannelSend,
    SametimeMessage,
    SetUserStatus,
    UnknownMessage,
    encode,
)
from support.sametime_client import SametimeClient

T = TypeVar("T")

_ACTIVE = UserStatus(StatusCode.ACTIVE)
_ACCEPTANCE = ImAcceptance(ImFlavour.PLAIN, _ACTIVE).encode()
_TEXT = ImText("x" * 64)


class SametimeSession:
    """One user's session."""

    def __init__(
        self,
        number: int,
        context: ssl.SSLContext | None,
        port: int,
        *,
        auth_type: AuthType | None = None,
        password: str = "",
    ) -> None:
        self.number = number
        self.received = 0
        name = people.uid(number)
        password = password or people.password(name)
        self._client = SametimeClient(name, password.encode(), auth_type=auth_type)
        self._connection = Connection(context)
        self._connection.on_data = self._read
        self._port = port
        self._said: list[SametimeMessage | UnknownMessage] = []
        self._channels: dict[ServiceId, int] = {}
        self._frame = b""
        self._size = 0
        self._rest = 0

    async def sign_in(self) -> None:
        """Connect, sign in, set the status, and wait until the user's presence is known to the watchers."""
        await self.authenticate()
        aware = await self._open(ServiceId.AWARE)
        self._client.say(SetUserStatus(_ACTIVE))
        snapshot = await self._watch(aware, (self.number,))
        if snapshot.entries[0].status is None:
            raise ConnectionRefusedError("signed in, and offline")

    async def greet(self, watched: Sequence[int]) -> None:
        """Watch these users as well."""
        if watched:
            await self._watch(self._channels[ServiceId.AWARE], watched)

    async def storm(self) -> int:
        """What libmeanwhile does with one public group in its list. How many names it resolved.

        Three channels at once, status and privacy; then the list is loaded, the group is watched, and each
        member of whom it is told is resolved.
        """
        await self.authenticate()
        self._channels.update(self._client.greet())
        await self._until(lambda: len(self._of(ChannelAccept)) == len(self._channels))
        storage, resolve = self._channels[ServiceId.STORAGE], self._channels[ServiceId.RESOLVE]
        await self._ask(storage, LoadValues(1, (StorageKey.CONTACT_LIST,)))
        group = AwareId(AwareType.GROUP, people.group_dn(people.group(people.uid(self.number))))
        aware = self._channels[ServiceId.AWARE]
        self._client.send(aware, AddToWatchList.TYPE, AddToWatchList((group,)).encode())
        members: set[str] = set()

        def told() -> bool:
            for each in self._of(ChannelSend):
                if each.channel == aware and each.type == PresenceSnapshot.TYPE:
                    entries = _snapshot(each.data).entries
                    members.update(entry.id.user for entry in entries if entry.id.type == AwareType.USER)
            self._said.clear()
            return len(members) >= people.MEMBERS

        await self._until(told)
        flags = ResolveFlag.USERS | ResolveFlag.UNIQUE
        for nth, member in enumerate(sorted(members)):
            request = ResolveRequest(nth, (member,), flags)
            self._client.send(resolve, request.TYPE, request.encode())
        answers = 0

        def answered() -> bool:
            nonlocal answers
            for each in self._of(ChannelSend):
                if each.channel == resolve:
                    answers += len(decode_response(each.type, each.data).results[0].matches)
            self._said.clear()
            return answers >= len(members)

        await self._until(answered)
        return answers

    # Messages

    async def open_talk(self, peer: "SametimeSession") -> None:
        """Open a channel to a user, who accepts it; from now on both only count."""
        self.listen()
        peer.listen()
        talk = self._client.create(ServiceId.IM, people.dn(people.uid(peer.number)), ImOpening().encode())
        self._flush()
        await peer.accept_talk()
        await self._until(lambda: any(each.channel == talk for each in self._of(ChannelAccept)))
        self._frame = encode(ChannelSend(talk, _TEXT.TYPE, _TEXT.encode()))

    def listen(self) -> None:
        """Take notice of messages again, after counting."""
        self._connection.on_data = self._read

    async def accept_talk(self) -> None:
        """Accept the channel that another user opens, and count from now on."""
        await self._until(lambda: self._of(ChannelCreate))
        create = self._of(ChannelCreate)[0]
        self._client.accept(create, _ACCEPTANCE)
        self._flush()
        self.count(len(encode(ChannelSend(create.new_channel, _TEXT.TYPE, _TEXT.encode()))))

    def say(self, count: int) -> None:
        """Send so many messages to the peer."""
        self._connection.send(self._frame * count)

    # Presence

    def watch_updates(self) -> None:
        """Count changes of presence."""
        self.received = 0
        self._connection.on_data = self._count_updates

    def change_status(self, nth: int) -> None:
        code = StatusCode.AWAY if nth % 2 else StatusCode.DO_NOT_DISTURB
        self._connection.send(encode(SetUserStatus(UserStatus(code))))

    # Counting

    def count(self, size: int) -> None:
        """From now on only count messages, which all have this size."""
        self._size, self._rest, self.received = size, 0, 0
        self._connection.on_data = self._count

    async def until_received(self, count: int) -> None:
        await self._connection.until(lambda: self.received >= count)

    def close(self) -> None:
        self._connection.abort()

    def _count(self, data: bytes) -> None:
        more, self._rest = divmod(self._rest + len(data), self._size)
        self.received += more

    def _count_updates(self, data: bytes) -> None:
        for each in self._client.receive(data):
            self.received += isinstance(each, ChannelSend) and each.type == PresenceUpdate.TYPE

    async def authenticate(self) -> None:
        """Connect and sign in. Raises ConnectionRefusedError with the reason."""
        await self._connection.connect(self._port)
        self._client.start()
        await self._until(lambda: self._client.login is not None or self._client.ended is not None)
        if self._client.login is None:
            assert self._client.ended is not None
            raise ConnectionRefusedError(f"{self._client.ended.name} ({self._client.ended.value:#010x})")

    async def _open(self, service: ServiceId) -> int:
        channel = self._channels[service] = self._client.create(service)
        await self._until(lambda: self._of(ChannelAccept))
        self._said.clear()
        return channel

    async def _watch(self, channel: int, numbers: Sequence[int]) -> PresenceSnapshot:
        """Watch these users; the snapshot of them."""
        ids = tuple(AwareId(AwareType.USER, people.dn(people.uid(each))) for each in numbers)
        return _snapshot(await self._ask(channel, AddToWatchList(ids), PresenceSnapshot.TYPE))

    async def _ask(self, channel: int, request: Any, answer_type: int | None = None) -> bytes:
        """Say something on a channel; the answer on it."""

        def answers() -> list[ChannelSend]:
            sent = (each for each in self._of(ChannelSend) if each.channel == channel)
            return [each for each in sent if answer_type in (None, each.type)]

        self._client.send(channel, request.TYPE, request.encode())
        await self._until(answers)
        data = answers()[0].data
        self._said.clear()
        return data

    def _of(self, kind: type[T]) -> list[T]:
        return [each for each in self._said if isinstance(each, kind)]

    async def _until(self, condition: Callable[[], object]) -> None:
        self._flush()
        await self._connection.until(condition)

    def _read(self, data: bytes) -> None:
        self._said += self._client.receive(data)
        self._flush()

    def _flush(self) -> None:
        data = self._client.data_to_send()
        if data:
            self._connection.send(data)


def _snapshot(data: bytes) -> PresenceSnapshot:
    snapshot = decode_notice(PresenceSnapshot.TYPE, data)
    assert isinstance(snapshot, PresenceSnapshot)
    return snapshot
