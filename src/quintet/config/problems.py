"""What is wrong with the settings: each with its place, and all of them at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from pathlib import Path


class Severity(Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a setting stands. `line` counts from 1; None in the environment, or for the whole file."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, or worth knowing. The message never holds a secret."""

    severity: Severity
    place: Place
    key: str | None
    message: str

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        return f"{self.place}:{key} {self.message}"


class BadSettings(Exception):
    """The settings cannot be used. `problems` holds every one found, errors first."""

    def __init__(self, folder: Path, problems: Iterable[Problem]) -> None:
        self.folder = folder
        self.problems = tuple(sorted(problems, key=lambda p: list(Severity).index(p.severity)))
        errors = [p for p in self.problems if p.severity is Severity.ERROR]
        super().__init__("\n".join(str(p) for p in errors))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant, or None when nothing is near."""
    by_fold = {k.casefold(): k for k in known}
    found = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.75)
    return by_fold[found[0]] if found else None


class Findings:
    """The problems found so far. Readers go on after an error, so that one run finds them all.

    A file that is wrong throughout must not fill the memory: past `MOST` problems, the rest are only counted.
    """

    MOST = 1000
    _MOST_HINTS = 100

    def __init__(self) -> None:
        self._found: dict[Problem, None] = {}
        self._more = 0
        self._hints = 0
        self.failed = False

    def error(self, place: Place, key: str | None, message: str) -> None:
        self.add(Problem(Severity.ERROR, place, key, message))

    def warning(self, place: Place, key: str | None, message: str) -> None:
        self.add(Problem(Severity.WARNING, place, key, message))

    def note(self, place: Place, key: str | None, message: str) -> None:
        self.add(Problem(Severity.NOTE, place, key, message))

    def add(self, problem: Problem) -> None:
        """Adds `problem`, unless the very same was found before."""
        first_error = problem.severity is Severity.ERROR and not self.failed
        if problem in self._found:
            return
        if len(self._found) < self.MOST or first_error:
            self._found[problem] = None
        else:
            self._more += 1
        self.failed = self.failed or first_error

    def meant(self, name: str, known: Iterable[str]) -> str:
        """The words "; did you mean X?" when a known name is near, else nothing."""
        self._hints += 1
        if self._hints > self._MOST_HINTS or len(name) > 100:
            return ""
        near = nearest(name, known)
        return f"; did you mean {near}?" if near else ""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them, errors first, else in the order of finding."""
        order = list(Severity)
        found = sorted(self._found, key=lambda p: order.index(p.severity))
        if self._more:
            last = found[-1].place
            found.append(Problem(Severity.NOTE, Place(last.file), None, f"{self._more} more are not listed"))
        return tuple(found)


def shown(text: str, most: int = 60) -> str:
    """`text` in quotes, fit to be printed: on one line, not too long, without control characters."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return f'"{clean}"' if len(clean) <= most else f'"{clean[:most]}…"'
