"""Asking many so that one that cannot answer does not hide the others: servers (row C40), or entries."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from quintet.directory.errors import DirectoryError, DirectoryUnavailableError, UnreachableReason
from quintet.directory.snapshot import Server
from quintet.ldap.errors import (
    AdminLimitExceeded,
    ConfidentialityRequired,
    LdapError,
    OperationsError,
    ResultError,
    SizeLimitExceeded,
    StrongerAuthRequired,
    TimeLimitExceeded,
)

T = TypeVar("T")

_LIMITS = (SizeLimitExceeded, TimeLimitExceeded, AdminLimitExceeded)
# Not about one entry: a limit; or the server wants a bind first (Active Directory says so with 1), or TLS.
_NO_SERVICE = (*_LIMITS, OperationsError, StrongerAuthRequired, ConfidentialityRequired)
_RAISE_LIMITS = "Raise the server's limits for this account (slapd: limits)"


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What the servers said, in their order, and which could not be asked."""

    given: tuple[tuple[Server, T], ...]
    failures: tuple[tuple[Server, DirectoryError], ...]

    @property
    def unavailable(self) -> tuple[str, ...]:
        return tuple(server.label for server, _ in self.failures)


async def query_servers(servers: Sequence[Server], question: Callable[[Server], Awaitable[T]]) -> Answers[T]:
    """Put the question to all servers at once. When none can answer, the first one's error is raised."""
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


async def gather_or_cancel(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Do it all at once. When one fails, the rest is given up before its error is raised."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def unless_refused(question: Awaitable[T]) -> T | None:
    """The answer about one entry among many; None when the server will not give it for this one."""
    try:
        return await question
    except ResultError as error:
        if isinstance(error, _NO_SERVICE):
            raise
        return None


def answered_badly(error: LdapError, server: Server, task: str | None = None) -> DirectoryUnavailableError:
    """An answer that is an error is none: the server could not do what the task needs."""
    detail = error.message if isinstance(error, ResultError) else str(error)
    fix = _RAISE_LIMITS if isinstance(error, _LIMITS) else None
    found = DirectoryUnavailableError.because(
        UnreachableReason.ANSWER, detail, task=task, server=server.label, address=error.server, fix=fix
    )
    found.__cause__ = error
    return found
