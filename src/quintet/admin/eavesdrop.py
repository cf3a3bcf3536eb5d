"""What would someone listening on the wire read? Asked of the wire itself.

A recording relay stands between Quintet and the server. The five tasks and a card run through it with a
marked name and a marked password, and once more with a person and a group that are there, so that answers
pass, too. What the relay recorded is then read as a listener would.
"""

import functools
import operator
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quintet.admin.disclosure import Canaries, Disclosure, listen
from quintet.admin.levels import at_level
from quintet.admin.proxy import Recording, Relay
from quintet.admin.sampling import sample
from quintet.cards import Cards
from quintet.config.settings import Settings
from quintet.directory import (
    TASKS,
    AmbiguousNameError,
    AuthenticationError,
    BrowsingDisabledError,
    ConnectionStatus,
    Directory,
    DirectoryError,
    Group,
    OutOfScopeError,
    Person,
    Protection,
    Service,
    UnknownGroupError,
    UnknownNameError,
    endpoints_of,
)
from quintet.secret import Secret

_NO = (
    AuthenticationError,
    UnknownNameError,
    AmbiguousNameError,
    UnknownGroupError,
    BrowsingDisabledError,
    OutOfScopeError,
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """A real sign-in, where the administrator wants one to be listened to."""

    name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class ServiceDisclosure:
    """What the connections of one service gave away. `error` tells why it could not be run as it should."""

    service: Service
    overheard: Disclosure | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The answer, service by service, and the recordings that it rests on."""

    protection: Protection
    services: tuple[ServiceDisclosure, ...]
    recordings: tuple[Recording, ...]


@dataclass(slots=True)
class _Round:
    """What has been found and what has failed so far, first failures first."""

    marks: Canaries
    person: Person | None = None
    group: Group | None = None
    errors: dict[Service, str] = field(default_factory=dict)

    @asynccontextmanager
    async def asking(self, *services: Service) -> AsyncIterator[None]:
        """An answer of "no" is an answer; whatever else goes wrong is noted for the services."""
        try:
            yield
        except _NO:
            return
        except DirectoryError as error:
            for service in {error.service or services[0], *services}:
                self.errors.setdefault(service, str(error))

    def note(self, rows: tuple[ConnectionStatus, ...]) -> None:
        for row in rows:
            if row.failed and row.error is not None:
                self.errors.setdefault(row.service, row.error)


async def eavesdrop(
    settings: Settings, *, level: Protection | None = None, sign_in: SignIn | None = None
) -> Report:
    """Run everything through the relay and read what passed.

    With `level`, as if that level were set; nothing is written. Nobody's account counts a failed sign-in: the
    bind is for a DN that does not exist. Raises UnencryptedBindError when the settings do not let it start.
    """
    tried = settings if level is None else at_level(settings, level)
    marks = Canaries(f"quintet-{secrets.token_hex(6)}", secrets.token_urlsafe(18))
    this = _Round(marks)
    async with Relay() as relay:
        for endpoint in endpoints_of(tried).values():
            for address in endpoint.addresses:
                await relay.open_door(endpoint.service, address.host, address.port)
        async with Directory(tried, route=relay.route) as directory:
            protection = directory.protection
            this.note(await directory.connect_all())
            await _ask_marked(directory, this)
            await _ask_real(directory, this, sign_in)
        if tried.cards is not None:
            async with Cards(tried, route=relay.route) as cards:
                await _ask_cards(cards, this)
    heard = [(recording.service, listen(recording, marks)) for recording in relay.recordings]
    asked = Service if tried.cards is not None else TASKS
    services = tuple(_summed(each, heard, this.errors.get(each)) for each in asked)
    return Report(protection, services, tuple(relay.recordings))


async def _ask_marked(directory: Directory, this: _Round) -> None:
    name, password = this.marks.name, this.marks.password
    async with this.asking(Service.RESOLVE_LOGIN, Service.AUTHENTICATE):
        await directory.authenticate(name, password)
    async with this.asking(Service.RESOLVE_NAMES):
        await directory.resolve(name)
    async with this.asking(Service.GROUP_CONTENT):
        await directory.members(name)
    async with this.asking(Service.BROWSE):
        found = await sample(directory)
        this.person, this.group = next(iter(found.people), None), found.group


async def _ask_real(directory: Directory, this: _Round, sign_in: SignIn | None) -> None:
    if this.person is not None:
        async with this.asking(Service.RESOLVE_LOGIN):
            await directory.resolve_login(this.person.mail or this.person.name)
        async with this.asking(Service.RESOLVE_NAMES):
            await directory.resolve(this.person.name)
    if this.group is not None:
        async with this.asking(Service.GROUP_CONTENT):
            await directory.members(this.group.dn)
    if sign_in is not None:
        async with this.asking(Service.RESOLVE_LOGIN, Service.AUTHENTICATE):
            await directory.authenticate(sign_in.name, sign_in.password.reveal())


async def _ask_cards(cards: Cards, this: _Round) -> None:
    this.note(await cards.connect_all())
    async with this.asking(Service.BUSINESS_CARD):
        await cards.card(this.marks.name)
    if this.person is not None:
        async with this.asking(Service.BUSINESS_CARD):
            await cards.card(this.person.id)


def _summed(
    service: Service, heard: list[tuple[Service, Disclosure]], error: str | None
) -> ServiceDisclosure:
    mine = [overheard for of, overheard in heard if of is service]
    if not mine:
        return ServiceDisclosure(service, None, error or "no connection was made")
    return ServiceDisclosure(service, functools.reduce(operator.or_, mine), error)
