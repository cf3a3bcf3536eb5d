"""Asking several servers so that one that is down does not hide the others (row C40)."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from quintet.directory.errors import DirectoryError, Unreachable, Why
from quintet.directory.view import Server
from quintet.ldap.errors import LdapError, ResultError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answers(Generic[T]):
    """What the servers said, in their order, and which could not be asked."""

    given: tuple[tuple[Server, T], ...]
    failures: tuple[tuple[Server, DirectoryError], ...]

    @property
    def unavailable(self) -> tuple[str, ...]:
        return tuple(server.label for server, _ in self.failures)


async def ask_all(servers: Sequence[Server], question: Callable[[Server], Awaitable[T]]) -> Answers[T]:
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


def answered_badly(error: LdapError, server: Server, task: str | None = None) -> Unreachable:
    """An answer that is an error is none: the server could not do what the task needs."""
    detail = error.what if isinstance(error, ResultError) else str(error)
    found = Unreachable.because(Why.ANSWER, detail, task=task, server=server.label, address=error.server)
    found.__cause__ = error
    return found
