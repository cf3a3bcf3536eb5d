"""The checks of one examination: what they find, each once, and what could not be examined."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import final

from quintet.diagnostics import Code, Diagnostic, Finding, Place, Severity
from quintet.directory import DirectoryError
from quintet.ldap import LdapError

PATIENCE = 20.0
"""Seconds for one check."""

_SEVERITIES = list(Severity)


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
    """What was found so far. The same problem at the same place counts once."""

    _found: dict[tuple[Code, str], Diagnostic] = field(default_factory=dict)
    _skipped: dict[str, str] = field(default_factory=dict)
    _started: dict[str, None] = field(default_factory=dict)

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
        self._found.setdefault((problem.code, problem.found), problem)

    def skip(self, what: str, because: str) -> None:
        """Tell that `what` was not examined."""
        self._skipped.setdefault(what, because)

    def has(self, *codes: Code, place: Place | None = None) -> bool:
        """Whether a problem of these codes was found, at that place if given."""
        return any(each.code in codes and place in (None, each.place) for each in self._found.values())

    def discard(self, code: Code, place: Place | None = None) -> None:
        """Remove the problems of a code, at one place if given: another one turned out to be the cause."""
        self._found = {
            name: each
            for name, each in self._found.items()
            if each.code is not code or place not in (None, each.place)
        }

    @property
    def found(self) -> tuple[Diagnostic, ...]:
        """All of them, errors first, then by code."""
        found = list(self._found.values())
        if self._skipped:
            message = "; ".join(f"{what} ({why})" for what, why in self._skipped.items())
            found.append(Diagnostic.of(Finding.Q90, None, None, message))
        return tuple(sorted(found, key=lambda d: (_SEVERITIES.index(d.severity), d.code.order, d.found)))

    @property
    def tally(self) -> Tally:
        # Every Q91 stands for one check: it names it.
        failed = sum(code is Finding.Q91 for code, _ in self._found)
        return Tally(len(self._started) - failed, failed, len(self._skipped))

    async def run(
        self, name: str, work: Callable[[], Awaitable[None]], *, seconds: float | None = PATIENCE
    ) -> None:
        """Make one check. Whatever happens to it does not stop the others, and is reported."""
        with self._reporting(name):
            try:
                async with asyncio.timeout(seconds):
                    await work()
            except TimeoutError:
                self.add(Finding.Q91, None, f"{name}: not finished within {seconds:g} s")

    def run_now(self, name: str, work: Callable[[], None]) -> None:
        """The same for a check that asks nobody and waits for nothing."""
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
