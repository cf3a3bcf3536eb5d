"""Capture Quintet's own LDAP traffic through a local proxy and report what is readable.

The five tasks and a card run through a recording proxy: with a name and a password that are canaries, and
once more with a person and a group of the directory, so that there are answers, too. The report is made from
the recorded bytes, as a listener on the network could read them, and not from the settings.
"""

import functools
import operator
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from quintet.admin.disclosure import Canaries, Disclosure, examine_recording
from quintet.admin.levels import at_level
from quintet.admin.proxy import Recording, RecordingProxy
from quintet.admin.sampling import sample
from quintet.cards import Cards
from quintet.config import Settings
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

_NEGATIVE = (
    AuthenticationError,
    UnknownNameError,
    AmbiguousNameError,
    UnknownGroupError,
    BrowsingDisabledError,
    OutOfScopeError,
)


@dataclass(frozen=True, slots=True)
class SignInCredentials:
    """The name and password of a user, for an administrator who wants a real sign-in captured."""

    name: str
    password: Secret


@dataclass(frozen=True, slots=True)
class ServiceDisclosure:
    """What was readable of one service; without a connection, `disclosure` is None. `error` says why."""

    service: Service
    disclosure: Disclosure | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """What was readable of each service, and the recordings that say so."""

    protection: Protection
    services: tuple[ServiceDisclosure, ...]
    recordings: tuple[Recording, ...]


@dataclass(slots=True)
class _Run:
    """What has been found so far, and the first failure of each task."""

    canaries: Canaries
    person: Person | None = None
    group: Group | None = None
    errors: dict[Service, str] = field(default_factory=dict)

    @asynccontextmanager
    async def running(self, *services: Service) -> AsyncIterator[None]:
        """A negative answer is an answer; any other failure is kept for the services."""
        try:
            yield
        except _NEGATIVE:
            return
        except DirectoryError as error:
            for service in {error.service or services[0], *services}:
                self.errors.setdefault(service, str(error))

    def note(self, rows: tuple[ConnectionStatus, ...]) -> None:
        for row in rows:
            if row.failed and row.error is not None:
                self.errors.setdefault(row.service, row.error)


async def eavesdrop(
    settings: Settings, *, level: Protection | None = None, sign_in: SignInCredentials | None = None
) -> Report:
    """Run every task through the proxy, and examine what was sent.

    With `level`, as if that level were set; nothing is written. No account counts a failed sign-in: the bind
    is for a DN that does not exist. Raises UnencryptedBindError when the settings do not let Quintet start.
    """
    tried = settings if level is None else at_level(settings, level)
    canaries = Canaries(f"quintet-{secrets.token_hex(6)}", secrets.token_urlsafe(18))
    so_far = _Run(canaries)
    async with RecordingProxy() as proxy:
        for endpoint in endpoints_of(tried).values():
            for address in endpoint.addresses:
                await proxy.listen(endpoint.service, address.host, address.port)
        async with Directory(tried, route=proxy.route) as directory:
            protection = directory.protection
            so_far.note(await directory.connect_all())
            await _run_with_canaries(directory, so_far)
            await _run_with_real_names(directory, so_far, sign_in)
        if tried.cards is not None:
            async with Cards(tried, route=proxy.route) as cards:
                await _run_cards(cards, so_far)
    found = [(recording.service, examine_recording(recording, canaries)) for recording in proxy.recordings]
    run = Service if tried.cards is not None else TASKS
    services = tuple(_merged(each, found, so_far.errors.get(each)) for each in run)
    return Report(protection, services, tuple(proxy.recordings))


async def _run_with_canaries(directory: Directory, so_far: _Run) -> None:
    name, password = so_far.canaries.name, so_far.canaries.password
    async with so_far.running(Service.RESOLVE_LOGIN, Service.AUTHENTICATE):
        await directory.authenticate(name, password)
    async with so_far.running(Service.RESOLVE_NAMES):
        await directory.resolve(name)
    async with so_far.running(Service.GROUP_CONTENT):
        await directory.members(name)
    async with so_far.running(Service.BROWSE):
        found = await sample(directory)
        so_far.person, so_far.group = next(iter(found.people), None), found.group


async def _run_with_real_names(directory: Directory, so_far: _Run, sign_in: SignInCredentials | None) -> None:
    if so_far.person is not None:
        async with so_far.running(Service.RESOLVE_LOGIN):
            await directory.resolve_login(so_far.person.mail or so_far.person.name)
        async with so_far.running(Service.RESOLVE_NAMES):
            await directory.resolve(so_far.person.name)
    if so_far.group is not None:
        async with so_far.running(Service.GROUP_CONTENT):
            await directory.members(so_far.group.dn)
    if sign_in is not None:
        async with so_far.running(Service.RESOLVE_LOGIN, Service.AUTHENTICATE):
            await directory.authenticate(sign_in.name, sign_in.password.reveal())


async def _run_cards(cards: Cards, so_far: _Run) -> None:
    so_far.note(await cards.connect_all())
    async with so_far.running(Service.BUSINESS_CARD):
        await cards.card(so_far.canaries.name)
    if so_far.person is not None:
        async with so_far.running(Service.BUSINESS_CARD):
            await cards.card(so_far.person.id)


def _merged(
    service: Service, found: list[tuple[Service, Disclosure]], error: str | None
) -> ServiceDisclosure:
    mine = [disclosure for of, disclosure in found if of is service]
    if not mine:
        return ServiceDisclosure(service, None, error or "no connection was made")
    return ServiceDisclosure(service, functools.reduce(operator.or_, mine), error)
