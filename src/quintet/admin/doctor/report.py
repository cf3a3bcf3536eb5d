"""Where findings are collected: each once, and what was not examined in one place."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import final

from quintet.admin.doctor.catalogue import finding
from quintet.admin.doctor.finding import Finding, order_of
from quintet.diagnostics import Severity
from quintet.directory import DirectoryError
from quintet.ldap.errors import LdapError

PATIENCE = 20.0
"""Seconds for one check."""


@final
@dataclass(slots=True)
class Report:
    """The findings so far. The same one twice counts once."""

    _found: dict[tuple[str, str], Finding] = field(default_factory=dict)
    _skipped: dict[str, str] = field(default_factory=dict)

    def add(
        self,
        code: str,
        seen: str,
        fix: str | None = None,
        *,
        why: str | None = None,
        severity: Severity | None = None,
    ) -> None:
        made = finding(code, seen, fix, why=why, severity=severity)
        self._found.setdefault((code, made.seen), made)

    def skip(self, what: str, because: str) -> None:
        """Tell that `what` was not examined."""
        self._skipped.setdefault(what, because)

    def has(self, *codes: str) -> bool:
        return any(code in codes for code, _ in self._found)

    def discard(self, code: str) -> None:
        """Take back the findings of a code: another one turned out to be the cause."""
        self._found = {key: each for key, each in self._found.items() if each.code != code}

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, errors first."""
        found = list(self._found.values())
        if self._skipped:
            found.append(finding("Q90", "; ".join(f"{what} ({why})" for what, why in self._skipped.items())))
        return tuple(sorted(found, key=order_of))

    async def check(
        self, name: str, work: Callable[[], Awaitable[None]], *, seconds: float = PATIENCE
    ) -> None:
        """Make one check. Whatever happens to it stays with it, and is told."""
        try:
            async with asyncio.timeout(seconds):
                await work()
        except TimeoutError:
            self.add("Q91", f"{name}: no end within {seconds:g} s")
        except (DirectoryError, LdapError, OSError) as error:
            self.add("Q91", f"{name}: {error}")
        except Exception as error:  # noqa: BLE001  # what nobody foresaw must not stop the others, either
            self.add("Q91", f"{name}: {type(error).__name__}: {error}")
