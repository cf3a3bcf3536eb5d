"""What a code is. The codes themselves are in `pitfalls` (D1 and on) and `findings` (Q4 and on)."""

from enum import Enum


class Severity(Enum):
    """How bad a problem is, the worst first."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Code(Enum):
    """One kind of problem, under which an administrator finds everything about it.

    `severity` is the usual one; a diagnostic may have another. `impact` says what follows from the problem
    and `fix` what to do, both in general: a diagnostic mostly has a more exact fix. `see` are pages below
    `docs`.
    A code is never given to another problem, even when nothing finds the old one any more.
    """

    severity: Severity
    title: str
    impact: str
    fix: str
    see: tuple[str, ...]

    def __init__(self, severity: Severity, title: str, impact: str, fix: str, *see: str) -> None:
        self.severity = severity
        self.title = title
        self.impact = impact
        self.fix = fix
        self.see = see

    @property
    def order(self) -> tuple[str, int]:
        """Where the code stands in a list: D9 before D10, and D40 before Q4."""
        return self.name[0], int(self.name[1:])

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"
