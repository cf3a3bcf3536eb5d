"""What all tasks do: take a name as typed, ask several servers at once, and tell answers that are errors."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, final

from quintet.directory.errors import DirectoryError, DirectoryUnavailableError, UnreachableReason
from quintet.directory.services import Service
from quintet.directory.snapshot import LIMITS, Server
from quintet.ldap import (
    FilterSyntaxError,
    InsufficientAccessRights,
    LdapError,
    OperationsError,
    ResultError,
    StrongerAuthRequired,
    UnwillingToPerform,
)

T = TypeVar("T")

LONGEST_NAME = 1024
"""Bytes of a name that a user types. No name is longer, and servers close connections over huge requests."""

_WANTS_A_BIND = (OperationsError, InsufficientAccessRights, StrongerAuthRequired, UnwillingToPerform)
"""Answers to anonymous searches (Active Directory: result 1)."""

_BYTES_AT_ONCE = 32 * 1024

_RAISE_LIMITS = "Raise the server's limits for this account (slapd: limits)"


def is_name(name: str) -> bool:
    """Whether this may be a name that a user typed: not blank, without a NUL, LONGEST_NAME bytes at most."""
    if not name or len(name) > LONGEST_NAME or name.isspace() or "\0" in name:
        return False
    if name.isascii():
        return True
    try:
        return len(name.encode("utf-8", "surrogateescape")) <= LONGEST_NAME
    except UnicodeEncodeError:
        return False


def name_filter(fill: Callable[[str], bytes], name: str) -> bytes | None:
    """The filter for a name as typed; None for a name that is never searched for."""
    name = name.strip()
    if not is_name(name):
        return None
    try:
        return fill(name)
    except FilterSyntaxError:
        return None


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What the servers said, in their order, and which could not be asked."""

    given: tuple[tuple[Server, T], ...]
    failures: tuple[tuple[Server, DirectoryError], ...] = ()

    @property
    def unavailable(self) -> tuple[str, ...]:
        return tuple(server.label for server, _ in self.failures)


async def query_servers(servers: Sequence[Server], question: Callable[[Server], Awaitable[T]]) -> Answers[T]:
    """Put the question to all servers at once; one that cannot answer does not hide the others (row C40).

    When none can answer, the first one's error is raised.
    """
    if len(servers) == 1:
        (server,) = servers
        try:
            return Answers(((server, await question(server)),))
        except LdapError as error:
            raise answered_badly(error, server) from error
    outcomes = await asyncio.gather(*(_ask(server, question) for server in servers))
    given, failures = [], []
    for server, outcome in zip(servers, outcomes, strict=True):
        if isinstance(outcome, DirectoryError):
            failures.append((server, outcome))
        else:
            given.append((server, outcome[0]))
    if failures and not given:
        raise failures[0][1]
    return Answers(tuple(given), tuple(failures))


async def _ask(server: Server, question: Callable[[Server], Awaitable[T]]) -> tuple[T] | DirectoryError:
    try:
        return (await question(server),)
    except DirectoryError as error:
        return error
    except LdapError as error:
        return answered_badly(error, server)


@final
class Pauses:
    """Gives others their turn during work on what servers sent: after some KiB of it, and not before."""

    __slots__ = ("_done",)

    def __init__(self) -> None:
        self._done = 0

    async def after(self, size: int) -> None:
        """So many bytes were worked on."""
        self._done += size
        if self._done > _BYTES_AT_ONCE:
            self._done = 0
            await asyncio.sleep(0)


async def gather_or_cancel(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do it all at once. When one fails, the rest is cancelled before its error is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answered_badly(
    error: LdapError, server: Server, service: Service | None = None
) -> DirectoryUnavailableError:
    """An answer that is an error is none: the server could not do what the service needs."""
    detail = error.message if isinstance(error, ResultError) else str(error)
    fix = None
    if isinstance(error, LIMITS):
        fix = _RAISE_LIMITS
    elif isinstance(error, _WANTS_A_BIND) and server.settings.account is None:
        help_ = server.pools[Service.BROWSE].endpoint.help
        fix = f"The server does not answer anonymous clients: set {help_.account} in {help_.file}"
    found = DirectoryUnavailableError.because(
        UnreachableReason.ANSWER, detail, service=service, server=server.label, address=error.server, fix=fix
    )
    found.__cause__ = error
    return found
