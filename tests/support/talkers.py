"""Users at several nodes who watch each other, change their status and talk in pairs, while something fails.

Each user has one client. It knows what it was told of all others, and that of each conversation no line was
left out: lines are numbered. `Talkers.agreed` is the oracle: what every client shows are the sessions that
exist, as far as the nodes can see each other.
"""

import asyncio
import random
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from quintet.sametime.services.aware import (
    AddToWatchList,
    PresenceEntry,
    PresenceSnapshot,
    PresenceUpdate,
    decode_notice,
)
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.im import ImAcceptance, ImFlavour, ImOpening, ImText, decode_message
from quintet.sametime.wire.blocks import AwareId, AwareType, StatusCode, UserStatus
from quintet.sametime.wire.messages import (
    ChannelAccept,
    ChannelCreate,
    ChannelDestroy,
    ChannelSend,
    SetUserStatus,
)
from support import small
from support.conferring import Participation, Rooms
from support.sametime_client import SametimeClient
from support.sametime_server import LiveClient
from support.waiting import pause

_PAUSE: Final = 0.02
_LOOK: Final = 0.2
_AT_ONCE: Final = 20
"""One of so many users does something before the next pause."""
_STATUSES: Final = (StatusCode.ACTIVE, StatusCode.AWAY, StatusCode.DO_NOT_DISTURB)


def uid(number: int) -> str:
    return f"talker{number:03}"


def ldif(count: int) -> bytes:
    """The small organisation with so many talkers."""
    people = (
        f"\ndn: {small.person_dn(uid(number))}\nobjectClass: inetOrgPerson\nuid: {uid(number)}\n"
        f"cn: Talker {number:03}\nsn: {number:03}\nuserPassword: {uid(number)}-secret\n"
        for number in range(count)
    )
    return small.LDIF + "".join(people).encode()


@dataclass(eq=False)
class Talker:
    """One user, and what the client shows. `shown` has the status of each other user, None while offline."""

    number: int
    node: str
    peer: "Talker | None" = None
    status: StatusCode = StatusCode.ACTIVE
    live: LiveClient | None = None
    shown: dict[str, int | None] = field(default_factory=dict)
    went_offline: list[str] = field(default_factory=list)
    """Who was shown as offline, at first or after being online."""
    sent: int = 0
    """Lines in the conversation that is open to the peer."""
    received: int = 0
    """The number of the last line from the peer, in the conversation that is open."""
    gaps: int = 0
    lines_sent: int = 0
    """In all conversations, as are those received."""
    lines_received: int = 0
    reconnects: int = -1
    """How often it has signed in again."""
    conferences: Participation = field(init=False)
    talk: int | None = None
    """The channel to the peer; it is accepted when `is_talking`."""
    is_talking: bool = False
    heard: int | None = None
    """The channel from the peer."""
    _aware: int = 0
    _reading: asyncio.Task[None] | None = None

    def __post_init__(self) -> None:
        self.conferences = Participation(self.dn)

    @property
    def dn(self) -> str:
        return small.person_dn(uid(self.number))

    @property
    def is_online(self) -> bool:
        return self.live is not None and not self.live.closed

    @property
    def client(self) -> SametimeClient:
        assert self.live is not None
        return self.live.client

    async def flush(self) -> None:
        """Send what is to be sent; nothing when the connection is closed."""
        if self.live is not None:
            with suppress(ConnectionError):
                await self.live.flush()

    async def sign_in(self, port: int, watched: Sequence[str], address: str = "127.0.0.1") -> None:
        """Sign in at this port, and watch these users."""
        await self.close()
        name = uid(self.number)
        live = await LiveClient.connect(
            port, SametimeClient(name, f"{name}-secret".encode()), address=address
        )
        try:
            await live.sign_in()
            self._aware = await live.open(ServiceId.AWARE)
            live.client.say(SetUserStatus(UserStatus(self.status)))
            ids = tuple(AwareId(AwareType.USER, each) for each in watched)
            live.client.send(self._aware, AddToWatchList.TYPE, AddToWatchList(ids).encode())
            await live.flush()
        except BaseException:
            await live.close()
            raise
        self.live = live
        self.reconnects += 1
        self.conferences.seats.clear()
        self.shown.clear()
        self.talk = self.heard = None
        self.is_talking = False
        self._take(live)
        self._reading = asyncio.get_running_loop().create_task(self._read(live))

    async def close(self) -> None:
        """Leave, without a word."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
            self._reading = None
        if self.live is not None:
            await self.live.close()
            self.live = None

    def change_status(self, status: StatusCode) -> None:
        self.status = status
        self.client.say(SetUserStatus(UserStatus(status)))

    def say(self) -> None:
        """Say one more line to the peer; open the conversation first."""
        assert self.peer is not None
        if self.talk is None:
            self.sent = 0
            self.talk = self.client.create(ServiceId.IM, self.peer.dn, ImOpening().encode())
        elif self.is_talking:
            self.sent += 1
            self.lines_sent += 1
            text = ImText(str(self.sent))
            self.client.send(self.talk, text.TYPE, text.encode())

    async def _read(self, live: LiveClient) -> None:
        while not live.closed:
            with suppress(ConnectionError):
                await live.flush()
            await live._read()
            self._take(live)

    def _take(self, live: LiveClient) -> None:
        for each in live.said:
            if self.conferences.take(live.client, each):
                continue
            match each:
                case ChannelSend(channel=self._aware):
                    self._watch(each)
                case ChannelCreate(service=ServiceId.IM):
                    live.client.accept(each, ImAcceptance(ImFlavour.PLAIN, UserStatus(self.status)).encode())
                    self.heard, self.received = each.new_channel, 0
                case ChannelSend(channel=self.heard):
                    self._hear(each)
                case ChannelAccept(channel=self.talk):
                    self.is_talking = True
                case ChannelDestroy(channel=self.talk):
                    self.talk, self.is_talking = None, False
                case ChannelDestroy(channel=self.heard):
                    self.heard = None
                case _:
                    pass
        live.said.clear()

    def _watch(self, message: ChannelSend) -> None:
        if message.type in (PresenceSnapshot.TYPE, PresenceUpdate.TYPE):
            notice = decode_notice(message.type, message.data)
            entries = notice.entries if isinstance(notice, PresenceSnapshot) else (notice.entry,)  # type: ignore[union-attr]
            for entry in entries:
                self._show(entry)

    def _show(self, entry: PresenceEntry) -> None:
        self.shown[entry.id.user] = None if entry.status is None else int(entry.status.status)
        if entry.status is None:
            self.went_offline.append(entry.id.user)

    def _hear(self, message: ChannelSend) -> None:
        text = decode_message(message.type, message.data)
        if isinstance(text, ImText):
            number = int(text.text)
            self.gaps += number != self.received + 1
            self.received = number
            self.lines_received += 1


class Talkers:
    """All users. `ports` are those of the nodes, and may change; `addresses` those that are not loopback."""

    def __init__(
        self,
        ports: dict[str, int],
        count: int,
        *,
        seed: int = 0,
        rooms: int = 0,
        addresses: Mapping[str, str] | None = None,
    ) -> None:
        """The first half talks to the second. Pairs are at all combinations of nodes."""
        names = sorted(ports)
        self.ports = ports
        self.addresses = addresses or {}
        self.chance = random.Random(seed)
        self.all = [Talker(number, names[number % len(names)]) for number in range(count)]
        half = count // 2
        for one, other in zip(self.all[:half], self.all[half:], strict=False):
            one.peer = other
            other.node = names[(one.number + one.number // len(names)) % len(names)]
        self.rooms = Rooms(self.all, rooms, self.chance)
        self.longest = 0.0
        """The most seconds until all agreed."""

    @asynccontextmanager
    async def coming_back(self, *nodes: str) -> AsyncIterator[None]:
        """Let clients whose connection is closed sign in again at one of these nodes."""
        stop = asyncio.Event()

        async def watch() -> None:
            while not stop.is_set():
                for each in self.all:
                    if not each.is_online:
                        each.node = self.chance.choice(nodes)
                        await self.sign_in([each])
                await pause(_PAUSE, stop)

        task = asyncio.get_running_loop().create_task(watch())
        try:
            yield
        finally:
            stop.set()
            await task

    def at(self, *nodes: str) -> list[Talker]:
        return [each for each in self.all if each.node in nodes]

    async def sign_in(self, some: Iterable[Talker]) -> None:
        everyone = [each.dn for each in self.all]
        for each in some:
            address = self.addresses.get(each.node, "127.0.0.1")
            await each.sign_in(self.ports[each.node], everyone, address)

    async def close(self) -> None:
        for each in self.all:
            await each.close()

    @asynccontextmanager
    async def load(self, *, statuses: bool = True) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """Change statuses, talk and confer while the context is open, or until what it gives is called."""
        stop = asyncio.Event()
        task = asyncio.get_running_loop().create_task(self._work(stop, statuses))

        async def at_rest() -> None:
            stop.set()
            await task

        try:
            yield at_rest
        finally:
            await at_rest()

    async def _work(self, stop: asyncio.Event, statuses: bool) -> None:
        while not stop.is_set():
            for each in self.chance.choices(self.all, k=-(-len(self.all) // _AT_ONCE)):
                if each.is_online:
                    if statuses and self.chance.random() < 0.3:
                        each.change_status(self.chance.choice(_STATUSES))
                    elif each.peer is not None:
                        each.say()
                    await each.flush()
            if self.rooms.all and (person := self.rooms.act()) is not None:
                await person.flush()
            await pause(_PAUSE, stop)

    def disagreements(self, *groups: Collection[str]) -> Iterator[str]:
        """What clients show that is not so, if nodes see those of their own group alone."""
        for group in groups:
            for each in self.at(*group):
                if not each.is_online:
                    yield f"{uid(each.number)} at {each.node} is not signed in"
                    continue
                for other in self.all:
                    there = other.node in group and other.is_online
                    wanted = int(other.status) if there else None
                    shown = each.shown.get(other.dn, -1)
                    if shown != wanted:
                        yield (
                            f"{uid(each.number)} at {each.node} shows {uid(other.number)} at {other.node} as"
                            f" {shown}, not {wanted}"
                        )

    async def agreed(self, *groups: Collection[str], within: float) -> list[str]:
        """What clients still show wrongly after so many seconds; empty as soon as there is nothing."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while (found := list(self.disagreements(*groups))) and loop.time() < begun + within:
            await pause(_LOOK)
        self.longest = max(self.longest, loop.time() - begun)
        return found

    @property
    def gaps(self) -> int:
        """Lines that were left out in an open conversation."""
        return sum(each.gaps for each in self.all)

    async def unheard(self, *nodes: str, within: float) -> list[str]:
        """Conversations that are open at both ends, between these nodes, whose last line did not come."""
        loop = asyncio.get_running_loop()
        end = loop.time() + within

        def missing() -> list[str]:
            pairs = [(each, each.peer) for each in self.at(*nodes) if each.peer and each.peer.node in nodes]
            return [
                f"{uid(one.number)} at {one.node} said {one.sent}, {uid(other.number)} got {other.received}"
                for one, other in pairs
                if one.is_talking and one.sent != other.received
            ]

        while (found := missing()) and loop.time() < end:
            await pause(_LOOK)
        return found
