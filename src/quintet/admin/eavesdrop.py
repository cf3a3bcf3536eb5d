"""What would someone listening on the wire read? Asked of the wire itself.

A recording relay stands between Quintet and the server. The five tasks and a card run through it with a
marked name and a marked password, and once more with a person and a group that are there, so that answers
pass, too. What the relay recorded is then read as a listener would.
"""

import functools
import operator
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quintet.admin.disclosure import Canaries, Disclosure, listen
from quintet.admin.levels import at_level
from quintet.admin.proxy import Recording, Relay
from quintet.admin.sampling import sample
from quintet.cards import endpoint as card_endpoint
from quintet.cards.cards import Cards
from quintet.config import CardSettings, Settings
from quintet.directory.directory import Directory
from quintet.directory.endpoint import Endpoint, pool_configs
from quintet.directory.errors import (
    AmbiguousNameError,
    AuthenticationError,
    BrowsingDisabledError,
    DirectoryError,
    OutOfScopeError,
    UnknownGroupError,
    UnknownNameError,
)
from quintet.directory.records import ConnectionStatus, Group, Person
from quintet.directory.services import Protection, Service
from quintet.secret import Secret

CARD = card_endpoint.LABEL
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
    """What the connections of one task gave away. `error` tells why it could not be run as it should."""

    task: str
    overheard: Disclosure | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """The answer, task by task, and the recordings that it rests on."""

    protection: Protection
    tasks: tuple[ServiceDisclosure, ...]
    recordings: tuple[Recording, ...]


@dataclass(slots=True)
class _Round:
    """What has been found and what has failed so far, first failures first."""

    marks: Canaries
    person: Person | None = None
    group: Group | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def task(self, *tasks: str) -> AsyncIterator[None]:
        """An answer of "no" is an answer; whatever else goes wrong is noted for the tasks."""
        try:
            yield
        except _NO:
            return
        except DirectoryError as error:
            for task in {error.task or tasks[0], *tasks}:
                self.errors.setdefault(task, str(error))

    def note(self, rows: tuple[ConnectionStatus, ...]) -> None:
        for row in rows:
            if row.failed and row.error is not None:
                self.errors.setdefault(row.task, row.error)


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
        for each in _endpoints(tried):
            await relay.open_door(each.label, each.address.host, each.address.port)
        async with Directory(tried, route=relay.route) as directory:
            protection = directory.protection
            this.note(await directory.connect_all())
            await _ask_marked(directory, this)
            await _ask_real(directory, this, sign_in)
        if tried.cards is not None:
            async with Cards(tried.cards, route=relay.route) as cards:
                await _ask_cards(cards, this)
    heard = [(recording.task, listen(recording, marks)) for recording in relay.recordings]
    tasks = tuple(_summed(task, heard, this.errors.get(task)) for task in _tasks(tried.cards))
    return Report(protection, tasks, tuple(relay.recordings))


async def _ask_marked(directory: Directory, this: _Round) -> None:
    name, password = this.marks.name, this.marks.password
    async with this.task(Service.RESOLVE_LOGIN.value, Service.AUTHENTICATE.value):
        await directory.authenticate(name, password)
    async with this.task(Service.RESOLVE_NAMES.value):
        await directory.resolve(name)
    async with this.task(Service.GROUP_CONTENT.value):
        await directory.members(name)
    async with this.task(Service.BROWSE.value):
        found = await sample(directory)
        this.person, this.group = next(iter(found.people), None), found.group


async def _ask_real(directory: Directory, this: _Round, sign_in: SignIn | None) -> None:
    if this.person is not None:
        async with this.task(Service.RESOLVE_LOGIN.value):
            await directory.resolve_login(this.person.mail or this.person.name)
        async with this.task(Service.RESOLVE_NAMES.value):
            await directory.resolve(this.person.name)
    if this.group is not None:
        async with this.task(Service.GROUP_CONTENT.value):
            await directory.members(this.group.dn)
    if sign_in is not None:
        async with this.task(Service.RESOLVE_LOGIN.value, Service.AUTHENTICATE.value):
            await directory.authenticate(sign_in.name, sign_in.password.reveal())


async def _ask_cards(cards: Cards, this: _Round) -> None:
    this.note(await cards.connect_all())
    async with this.task(CARD):
        await cards.card(this.marks.name)
    if this.person is not None:
        async with this.task(CARD):
            await cards.card(this.person.id)


def _endpoints(settings: Settings) -> Iterator[Endpoint]:
    for line in pool_configs(settings).values():
        yield from line.endpoints
    if settings.cards is not None:
        for storage in settings.cards.storages:
            for server in storage.servers:
                yield from card_endpoint.pool_config(settings.cards, storage, server).endpoints


def _tasks(cards: CardSettings | None) -> list[str]:
    return [task.value for task in Service] + ([CARD] if cards is not None else [])


def _summed(task: str, heard: list[tuple[str, Disclosure]], error: str | None) -> ServiceDisclosure:
    mine = [overheard for of, overheard in heard if of == task]
    if not mine:
        return ServiceDisclosure(task, None, error or "no connection came about")
    return ServiceDisclosure(task, functools.reduce(operator.or_, mine), error)
