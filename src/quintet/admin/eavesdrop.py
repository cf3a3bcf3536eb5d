"""Capture Quintet's own LDAP traffic through a local proxy and report what is readable.

The five tasks and a card run through a recording proxy: with a name and a password that are canaries, and
once more with a person and a group of the directory, so that there are answers, too. The report is made from
the recorded bytes, as anybody on the network could read them, and not from the settings.
"""

import functools
import operator
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quintet.admin.disclosure import Canaries, Disclosure, examine_recording
from quintet.admin.levels import at_level
from quintet.admin.proxy import Recording, RecordingProxy
from quintet.admin.sampling import sample
from quintet.cards import endpoint as card_endpoint
from quintet.cards.cards import Cards
from quintet.config.settings import CardSettings, Settings
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
_NEGATIVE = (
    AuthenticationError,
    UnknownNameError,
    AmbiguousNameError,
    UnknownGroupError,
    BrowsingDisabledError,
    OutOfScopeError,
)


@dataclass(frozen=True, slots=True)
class SignIn:
    """The name and password of a user, for an administrator who wants a real sign-in captured."""

    name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class ServiceDisclosure:
    """What was readable of one task. `disclosure` is None without a connection; `error` is why it failed."""

    task: str
    disclosure: Disclosure | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was readable of each task, and the recordings that say so."""

    protection: Protection
    tasks: tuple[ServiceDisclosure, ...]
    recordings: tuple[Recording, ...]


@dataclass(slots=True)
class _Run:
    """What has been found so far, and the first failure of each task."""

    canaries: Canaries
    person: Person | None = None
    group: Group | None = None
    errors: dict[str, str] = field(default_factory=dict)

    @asynccontextmanager
    async def task(self, *tasks: str) -> AsyncIterator[None]:
        """A negative answer is an answer; any other failure is kept for the tasks."""
        try:
            yield
        except _NEGATIVE:
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
    """Run every task through the proxy, and examine what was sent.

    With `level`, as if that level were set; nothing is written. No account counts a failed sign-in: the bind
    is for a DN that does not exist. Raises UnencryptedBindError when the settings do not let Quintet start.
    """
    tried = settings if level is None else at_level(settings, level)
    canaries = Canaries(f"quintet-{secrets.token_hex(6)}", secrets.token_urlsafe(18))
    so_far = _Run(canaries)
    async with RecordingProxy() as proxy:
        for each in _endpoints(tried):
            await proxy.listen(each.label, each.address.host, each.address.port)
        async with Directory(tried, route=proxy.route) as directory:
            protection = directory.protection
            so_far.note(await directory.connect_all())
            await _run_with_canaries(directory, so_far)
            await _run_with_real_names(directory, so_far, sign_in)
        if tried.cards is not None:
            async with Cards(tried.cards, route=proxy.route) as cards:
                await _run_cards(cards, so_far)
    found = [(recording.task, examine_recording(recording, canaries)) for recording in proxy.recordings]
    tasks = tuple(_merged(task, found, so_far.errors.get(task)) for task in _tasks(tried.cards))
    return Report(protection, tasks, tuple(proxy.recordings))


async def _run_with_canaries(directory: Directory, so_far: _Run) -> None:
    name, password = so_far.canaries.name, so_far.canaries.password
    async with so_far.task(Service.RESOLVE_LOGIN.value, Service.AUTHENTICATE.value):
        await directory.authenticate(name, password)
    async with so_far.task(Service.RESOLVE_NAMES.value):
        await directory.resolve(name)
    async with so_far.task(Service.GROUP_CONTENT.value):
        await directory.members(name)
    async with so_far.task(Service.BROWSE.value):
        found = await sample(directory)
        so_far.person, so_far.group = next(iter(found.people), None), found.group


async def _run_with_real_names(directory: Directory, so_far: _Run, sign_in: SignIn | None) -> None:
    if so_far.person is not None:
        async with so_far.task(Service.RESOLVE_LOGIN.value):
            await directory.resolve_login(so_far.person.mail or so_far.person.name)
        async with so_far.task(Service.RESOLVE_NAMES.value):
            await directory.resolve(so_far.person.name)
    if so_far.group is not None:
        async with so_far.task(Service.GROUP_CONTENT.value):
            await directory.members(so_far.group.dn)
    if sign_in is not None:
        async with so_far.task(Service.RESOLVE_LOGIN.value, Service.AUTHENTICATE.value):
            await directory.authenticate(sign_in.name, sign_in.password.reveal())


async def _run_cards(cards: Cards, so_far: _Run) -> None:
    so_far.note(await cards.connect_all())
    async with so_far.task(CARD):
        await cards.card(so_far.canaries.name)
    if so_far.person is not None:
        async with so_far.task(CARD):
            await cards.card(so_far.person.id)


def _endpoints(settings: Settings) -> Iterator[Endpoint]:
    for line in pool_configs(settings).values():
        yield from line.endpoints
    if settings.cards is not None:
        for storage in settings.cards.storages:
            for server in storage.servers:
                yield from card_endpoint.pool_config(settings.cards, storage, server).endpoints


def _tasks(cards: CardSettings | None) -> list[str]:
    return [task.value for task in Service] + ([CARD] if cards is not None else [])


def _merged(task: str, found: list[tuple[str, Disclosure]], error: str | None) -> ServiceDisclosure:
    mine = [disclosure for of, disclosure in found if of == task]
    if not mine:
        return ServiceDisclosure(task, None, error or "no connection was made")
    return ServiceDisclosure(task, functools.reduce(operator.or_, mine), error)
