"""Conferences of users at several nodes, while something fails.

`Participation` is one client's side: what it shows of the conferences in which it takes part. Lines are
numbered, for each speaker from the moment at which the speaker became a member. `Rooms` are conferences that
the users keep going: who is missing is invited, and one that is over is opened again under the same name.
"""

import asyncio
import random
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from quintet.sametime.reason import ReasonCode
from quintet.sametime.services.catalog import ServiceId
from quintet.sametime.services.conference import (
    ConferenceInvitation,
    ConferenceInvite,
    ConferenceJoin,
    ConferenceJoined,
    ConferenceLeft,
    ConferenceOpening,
    ConferenceSaid,
    ConferenceText,
    ConferenceWelcome,
    decode_notice,
)
from quintet.sametime.wire.blocks import IdBlock
from quintet.sametime.wire.messages import ChannelCreate, ChannelDestroy, ChannelSend
from support.sametime_client import SametimeClient
from support.waiting import pause

_LOOK: Final = 0.2
_AT_EACH_NODE: Final = 2


@dataclass(eq=False)
class Seat:
    """A part in a conference, from opening it or the invitation on, until the channel is gone."""

    channel: int
    is_opening: bool = False
    """The client has opened the conference, and the server has not answered."""
    is_member: bool = False
    ended: ReasonCode | None = None
    sent: int = 0
    members: dict[int, str] = field(default_factory=dict)
    """Who is shown, by number in this conference."""
    heard: dict[int, int | None] = field(default_factory=dict)
    """The last line of each other member; None of one who was there before, and said nothing since."""

    def last_of(self, user: str) -> int | None:
        """The last line that this user said, as far as it came here."""
        return next((self.heard.get(number) for number, each in self.members.items() if each == user), None)


@dataclass(eq=False)
class Participation:
    """The conferences of one client. `faults` is what must not be."""

    dn: str
    seats: dict[str, Seat] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    sent: int = 0
    received: int = 0

    def open(self, client: SametimeClient, name: str) -> None:
        opening = ConferenceOpening(name, name).encode()
        self.seats[name] = Seat(client.create(ServiceId.CONFERENCE, additional=opening), is_opening=True)

    def invite(self, client: SametimeClient, name: str, user: str) -> None:
        invite = ConferenceInvite(IdBlock(user))
        client.send(self.seats[name].channel, invite.TYPE, invite.encode())

    def say(self, client: SametimeClient, name: str) -> None:
        seat = self.seats[name]
        seat.sent += 1
        self.sent += 1
        text = ConferenceText(str(seat.sent))
        client.send(seat.channel, text.TYPE, text.encode())

    def leave(self, client: SametimeClient, name: str) -> None:
        seat = self.seats.pop(name)
        seat.ended = ReasonCode.SUCCESS
        client.destroy(seat.channel)

    def take(self, client: SametimeClient, message: object) -> bool:
        """Apply what the server says of conferences. False if it is of something else."""
        match message:
            case ChannelCreate(service=ServiceId.CONFERENCE):
                self._join(client, message)
                return True
            case ChannelDestroy(channel, reason) if found := self._at(channel):
                self.seats.pop(found[0]).ended = ReasonCode(reason)
                return True
            case ChannelSend(channel) if found := self._at(channel):
                self._show(*found, message)
                return True
        return False

    def _at(self, channel: int) -> tuple[str, Seat] | None:
        return next(((name, seat) for name, seat in self.seats.items() if seat.channel == channel), None)

    def _join(self, client: SametimeClient, create: ChannelCreate) -> None:
        name = ConferenceInvitation.decode(create.additional).name
        seat = self.seats.get(name)
        if seat is not None and seat.is_opening:  # the server had not read that when it sent the invitation
            client.destroy(create.new_channel)
            return
        if seat is not None:
            self.faults.append(f"{self.dn} is invited to {name}, and takes part in it")
        self.seats[name] = Seat(create.new_channel)
        client.accept(create)
        client.send(create.new_channel, ConferenceJoin.TYPE, ConferenceJoin().encode())

    def _show(self, name: str, seat: Seat, message: ChannelSend) -> None:
        match decode_notice(message.type, message.data):
            case ConferenceWelcome(members=members):
                seat.is_member, seat.is_opening = True, False
                seat.members = {each.id: each.login.user_id for each in members}
                seat.heard = dict.fromkeys(seat.members)
            case ConferenceJoined(member):
                seat.members[member.id] = member.login.user_id
                seat.heard[member.id] = 0
            case ConferenceLeft(number):
                if seat.members.pop(number, None) is None:
                    self.faults.append(f"{self.dn} in {name}: number {number} leaves, who was not there")
                seat.heard.pop(number, None)
            case ConferenceSaid(number, ConferenceText(text)):
                self._hear(name, seat, number, int(text))

    def _hear(self, name: str, seat: Seat, number: int, line: int) -> None:
        before = seat.heard.get(number, -1)
        if before is not None and line != before + 1:
            who = seat.members.get(number, "a ghost")
            self.faults.append(f"{self.dn} in {name}: line {line} of {who} after {before}")
        seat.heard[number] = line
        self.received += 1


class Person(Protocol):
    """A user with a client."""

    node: str
    conferences: Participation

    @property
    def dn(self) -> str: ...
    @property
    def is_online(self) -> bool: ...
    @property
    def client(self) -> SametimeClient: ...
    async def flush(self) -> None: ...


@dataclass(eq=False)
class Room:
    """One conference. `home` is the node of the user who opened it last."""

    name: str
    people: Sequence[Person]
    home: str = ""

    @property
    def present(self) -> list[Person]:
        """Those who could take part."""
        return [each for each in self.people if each.is_online]

    def seats(self) -> Iterator[tuple[Person, Seat]]:
        """Those who take part, or are about to."""
        for each in self.present:
            if (seat := each.conferences.seats.get(self.name)) is not None:
                yield each, seat

    def members(self, nodes: Collection[str]) -> list[tuple[Person, Seat]]:
        """Those at these nodes who are members."""
        return [(each, seat) for each, seat in self.seats() if seat.is_member and each.node in nodes]


class Rooms:
    """Conferences with two users of each node; the first begins at the first node, the next at the next."""

    def __init__(self, people: Sequence[Person], count: int, chance: random.Random) -> None:
        nodes = sorted({each.node for each in people})
        at = {node: [each for each in people if each.node == node] for node in nodes}
        self._people = people
        self._chance = chance
        self.longest_end = 0.0
        """The most seconds that a conference took to end."""
        self.all: list[Room] = []
        for number in range(count):
            first = number % len(nodes)
            chosen = [
                at[node][(_AT_EACH_NODE * number + nth) % len(at[node])]
                for node in nodes[first:] + nodes[:first]
                for nth in range(_AT_EACH_NODE)
            ]
            self.all.append(Room(f"room {number}", chosen))

    @property
    def faults(self) -> list[str]:
        return [fault for each in self._people for fault in each.conferences.faults]

    def seats(self, homes: Collection[str], nodes: Collection[str]) -> list[Seat]:
        """Of members at these nodes, in conferences at these homes."""
        return [seat for room in self.all if room.home in homes for _, seat in room.members(nodes)]

    def act(self) -> Person | None:
        """Let a user do what is wanting in a room, or say a line; who that is."""
        room = self._chance.choice(self.all)
        members = room.members([each.node for each in room.people])
        missing = [each for each in room.present if room.name not in each.conferences.seats]
        if not any(room.seats()):
            return self._open(room, self._chance.sample(room.present, len(room.present)))
        if not members:
            return None
        person, _ = self._chance.choice(members)
        chance = self._chance.random()
        if missing and chance < 0.3:
            person.conferences.invite(person.client, room.name, self._chance.choice(missing).dn)
        elif chance > 0.98:
            person.conferences.leave(person.client, room.name)
        else:
            person.conferences.say(person.client, room.name)
        return person

    async def ended(self, seats: Iterable[Seat], within: float) -> list[ReasonCode | None]:
        """Why the channels of these seats were closed, after so many seconds at most; None of open ones."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        waiting = list(seats)
        while any(each.ended is None for each in waiting) and loop.time() < begun + within:
            await pause(_LOOK / 10)
        self.longest_end = max(self.longest_end, loop.time() - begun)
        return [each.ended for each in waiting]

    async def settled(self, *groups: Collection[str], within: float) -> list[str]:
        """What is still wrong after so many seconds, if nodes see those of their own group alone.

        In each room all who can be are members, and each of them says one more line, which all others hear.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + within
        called: set[Seat] = set()
        while True:
            found = [each for group in groups for room in self.all for each in _wrong(room, group)]
            found = found or [each for group in groups for each in self._call(group, called)]
            if not found or loop.time() > end:
                return found + self.faults
            for group in groups:
                for room in self.all:
                    self._complete(room, group)
            for each in self._people:
                if each.is_online:
                    await each.flush()
            await pause(_LOOK)

    def _call(self, group: Collection[str], called: set[Seat]) -> Iterator[str]:
        """Have members say a line who did not; who has not heard the last line of whom."""
        for room in self.all:
            members = room.members(group) if room.home in group else []
            for person, seat in members:
                if seat not in called:
                    called.add(seat)
                    person.conferences.say(person.client, room.name)
                for other, others in members:
                    if other is not person and others.last_of(person.dn) != seat.sent:
                        yield (
                            f"{room.name}: {other.dn} heard {others.last_of(person.dn)}"
                            f" of {seat.sent} lines of {person.dn}"
                        )

    def _complete(self, room: Room, group: Collection[str]) -> None:
        """Open it when it is over, and invite who is missing."""
        there = [each for each in room.present if each.node in group]
        members = room.members(group)
        if not any(room.seats()):
            self._open(room, there)
        elif members and room.home in group:
            person, seat = members[0]
            for each in there:
                if room.name not in each.conferences.seats and each.dn not in seat.members.values():
                    person.conferences.invite(person.client, room.name, each.dn)

    @staticmethod
    def _open(room: Room, people: Sequence[Person]) -> Person | None:
        """By the first of these."""
        if not people:
            return None
        person = people[0]
        room.home = person.node
        person.conferences.open(person.client, room.name)
        return person


def _wrong(room: Room, group: Collection[str]) -> Iterator[str]:
    """How a room differs from what it would be if its people at these nodes were all members."""
    wanted = {each.dn for each in room.present if each.node in group}
    if wanted and not any(room.seats()):
        yield f"{room.name} is over"
        return
    if room.home not in group:
        for person, _ in room.seats():
            if person.node in group:
                yield f"{room.name} at {room.home} goes on for {person.dn} at {person.node}"
        return
    for person in room.present:
        seat = person.conferences.seats.get(room.name)
        if person.node in group and (seat is None or sorted(seat.members.values()) != sorted(wanted)):
            shown = sorted(seat.members.values()) if seat else None
            yield f"{room.name} shows {shown} to {person.dn} at {person.node}, not {sorted(wanted)}"
