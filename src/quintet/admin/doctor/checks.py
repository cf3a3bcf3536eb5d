"""The checks of one examination: what they find, each once, and what could not be examined."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Self, final

from quintet.diagnostics import Code, Diagnostic, Finding, Place, Severity
from quintet.directory import DirectoryError
from quintet.ldap import LdapError

PATIENCE = 20.0
"""Seconds for one check."""

_SEVERITIES = list(Severity)


class CheckArea(Enum):
    """What an examination consists of, in its order. The value tells what is looked at."""

    SETTINGS = "the three files and the variables, as quintet check reads them"
    STORES = "trust and key stores: certificates, dates, encoding, stash files"
    CLUSTER = "Valkey or Redis, if several servers are one community: connection, version, role, limits"
    CONNECTIONS = "host names, ports, TLS handshakes, certificates of the servers"
    ACCOUNTS = "whether the servers accept the accounts"
    SERVERS = "kind of server, naming contexts, replicas"
    PEOPLE = "bases, filters and attributes of people, mail addresses, limits of searches"
    GROUPS = "bases, filters and members of groups"
    CARDS = "business cards: fields, photos, sets"

    def __init__(self, _: str) -> None:
        self.label = self._name_.lower()
        """As the command line names it."""

    @property
    def needs(self) -> "frozenset[CheckArea]":
        """The parts that must have been done before: without them this one cannot be done."""
        return frozenset(_NEEDS.get(self, ()))


_BOUND = (CheckArea.SETTINGS, CheckArea.CONNECTIONS, CheckArea.ACCOUNTS)
_NEEDS = {
    CheckArea.STORES: (CheckArea.SETTINGS,),
    CheckArea.CLUSTER: (CheckArea.SETTINGS,),
    CheckArea.CONNECTIONS: (CheckArea.SETTINGS,),
    CheckArea.ACCOUNTS: (CheckArea.SETTINGS, CheckArea.CONNECTIONS),
    CheckArea.SERVERS: _BOUND,
    CheckArea.PEOPLE: _BOUND,
    CheckArea.GROUPS: _BOUND,
    CheckArea.CARDS: (*_BOUND, CheckArea.PEOPLE),
}


@dataclass(slots=True)
class _Noted:
    """A problem, and the parts of the examination that found it."""

    problem: Diagnostic
    parts: set[CheckArea]


@dataclass(frozen=True, slots=True)
class Tally:
    """How many checks came to an end, how many did not, and how much could not be examined at all."""

    finished: int
    failed: int
    not_made: int

    @property
    def complete(self) -> bool:
        return not self.failed and not self.not_made


@final
@dataclass(slots=True)
class Checks:
    """What was found so far. The same problem at the same place counts once.

    `only`: the parts whose findings count. An error of a part that these need counts, too, and so does a
    check of it that did not finish: it tells why they could not be examined. `of` gives the same checks for
    the findings of another part.
    """

    only: frozenset[CheckArea] = frozenset(CheckArea)
    _part: CheckArea = CheckArea.SETTINGS
    _found: dict[tuple[Code, str], _Noted] = field(default_factory=dict)
    _skipped: dict[str, str] = field(default_factory=dict)
    _started: dict[str, None] = field(default_factory=dict)
    _running: dict[str, None] = field(default_factory=dict)

    def of(self, part: CheckArea) -> Self:
        return replace(self, _part=part)

    def wants(self, *parts: CheckArea) -> bool:
        """Whether the findings of one of these parts count."""
        return not self.only.isdisjoint(parts)

    @property
    def running(self) -> tuple[str, ...]:
        """What is being waited for."""
        return tuple(self._running)

    def add(
        self,
        code: Code,
        place: Place | None,
        message: str,
        fix: str | None = None,
        *,
        key: str | None = None,
        severity: Severity | None = None,
        impact: str | None = None,
    ) -> None:
        """Adds a problem. Severity, fix and impact are those of the code, where no others are given."""
        self.include(Diagnostic.of(code, place, key, message, fix, severity=severity, impact=impact))

    def include(self, problem: Diagnostic) -> None:
        self._found.setdefault((problem.code, problem.found), _Noted(problem, set())).parts.add(self._part)

    def skip(self, what: str, because: str) -> None:
        """Tell that `what` was not examined."""
        self._skipped.setdefault(what, because)

    def has(self, *codes: Code, place: Place | None = None) -> bool:
        """Whether a problem of these codes was found, at that place if given."""
        return any(
            each.problem.code in codes and place in (None, each.problem.place)
            for each in self._found.values()
        )

    def discard(self, code: Code, place: Place | None = None) -> None:
        """Remove the problems of a code, at one place if given: another one turned out to be the cause."""
        for name, each in tuple(self._found.items()):
            if each.problem.code is code and place in (None, each.problem.place):
                del self._found[name]

    @property
    def found(self) -> tuple[Diagnostic, ...]:
        """All of them, errors first, then by code."""
        found = list(self._counting())
        if self._skipped:
            message = "; ".join(f"{what} ({why})" for what, why in self._skipped.items())
            found.append(Diagnostic.of(Finding.Q90, None, None, message))
        return tuple(sorted(found, key=lambda d: (_SEVERITIES.index(d.severity), d.code.order, d.found)))

    def _counting(self) -> Iterator[Diagnostic]:
        needed = frozenset(need for part in self.only for need in part.needs)
        for each in self._found.values():
            tells = each.problem.severity is Severity.ERROR or each.problem.code is Finding.Q91
            if each.parts & self.only or (tells and each.parts & needed):
                yield each.problem

    @property
    def tally(self) -> Tally:
        # Every Q91 stands for one check: it names it.
        failed = sum(code is Finding.Q91 for code, _ in self._found)
        return Tally(len(self._started) - failed, failed, len(self._skipped))

    async def run(
        self, name: str, work: Callable[[], Awaitable[None]], *, seconds: float | None = PATIENCE
    ) -> None:
        """Make one check. Whatever happens to it does not stop the others, and is reported.

        One without a limit consists of others: it is not said to be waited for.
        """
        with self._reporting(name):
            if seconds is not None:
                self._running[name] = None
            try:
                async with asyncio.timeout(seconds):
                    await work()
            except TimeoutError:
                self.add(Finding.Q91, None, f"{name}: not finished within {seconds:g} s")
            finally:
                self._running.pop(name, None)

    def run_now(self, name: str, work: Callable[[], None]) -> None:
        """The same for a check that asks no server and waits for nothing."""
        with self._reporting(name):
            work()

    @contextmanager
    def _reporting(self, name: str) -> Iterator[None]:
        self._started[name] = None
        try:
            yield
        except (DirectoryError, LdapError, OSError) as error:
            self.add(Finding.Q91, None, f"{name}: {error}")
        except Exception as error:  # noqa: BLE001  # an unforeseen error must not stop the others, either
            self.add(Finding.Q91, None, f"{name}: {type(error).__name__}: {error}")
