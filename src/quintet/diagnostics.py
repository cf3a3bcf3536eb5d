"""What is wrong with the settings: each with its place, and all of them at once."""

from collections import Counter
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
class Diagnostic:
    """One thing that is wrong, or worth knowing. The message never holds a secret."""

    severity: Severity
    place: Place
    key: str | None
    message: str

    def __str__(self) -> str:
        key = f" {self.key}:" if self.key else ""
        return f"{self.place}:{key} {self.message}"


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds every one found, errors first."""

    def __init__(self, folder: Path, problems: Iterable[Diagnostic]) -> None:
        self.folder = folder
        self.problems = tuple(sorted(problems, key=lambda p: list(Severity).index(p.severity)))
        errors = [p for p in self.problems if p.severity is Severity.ERROR]
        super().__init__("\n".join(str(p) for p in errors))


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant, or None when nothing is near."""
    by_fold = {k.casefold(): k for k in known}
    found = get_close_matches(name.casefold(), by_fold, n=1, cutoff=0.75)
    return by_fold[found[0]] if found else None


class Diagnostics:
    """The problems found so far. Readers go on after an error, so that one run finds them all.

    A file that is wrong throughout must not fill the memory: at most `MOST` of each severity are kept, and
    `MOST` listed in all, errors before anything else. The rest are counted, file by file.
    """

    MOST = 1000
    _MOST_COMPARED = 20_000

    def __init__(self) -> None:
        self._found: dict[Severity, dict[Diagnostic, None]] = {severity: {} for severity in Severity}
        self._dropped: Counter[str] = Counter()
        self._hints: dict[tuple[str, ...], str] = {}
        self._compared = 0

    @property
    def failed(self) -> bool:
        """Whether there is an error among them."""
        return bool(self._found[Severity.ERROR])

    def error(self, place: Place, key: str | None, message: str) -> None:
        self.add(Diagnostic(Severity.ERROR, place, key, message))

    def warning(self, place: Place, key: str | None, message: str) -> None:
        self.add(Diagnostic(Severity.WARNING, place, key, message))

    def note(self, place: Place, key: str | None, message: str) -> None:
        self.add(Diagnostic(Severity.NOTE, place, key, message))

    def unknown(self, place: Place, key: str, name: str, known: Iterable[str]) -> None:
        """A note of a name that nobody knows (reference, C86)."""
        self.note(place, key[:60], f"{shown(name)} is not known; it is ignored{self.meant(name, known)}")

    def slip(self, place: Place, name: str, known: Iterable[str]) -> bool:
        """A warning of a name that is nearly a known one; False, and nothing told, of any other."""
        hint = self.meant(name, known)
        if hint:
            self.warning(place, name[:60], f"{shown(name)} is not known; it is ignored{hint}")
        return bool(hint)

    def add(self, problem: Diagnostic) -> None:
        """Adds `problem`, unless the very same was found before."""
        found = self._found[problem.severity]
        if problem in found:
            return
        if len(found) < self.MOST:
            found[problem] = None
        else:
            self._dropped[problem.place.file] += 1

    def meant(self, name: str, known: Iterable[str]) -> str:
        """The words "; did you mean X?" when a known name is near, else nothing."""
        asked = (name, *known)
        if asked not in self._hints:
            if self._compared >= self._MOST_COMPARED or len(name) > 100:
                return ""
            self._compared += len(asked) - 1
            near = nearest(name, asked[1:])
            self._hints[asked] = f"; did you mean {near}?" if near else ""
        return self._hints[asked]

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """All of them, errors first, else in the order of finding."""
        found = [problem for each in self._found.values() for problem in each]
        left = self._dropped + Counter(problem.place.file for problem in found[self.MOST :])
        more = (
            Diagnostic(Severity.NOTE, Place(f), None, f"{n} more are not listed") for f, n in left.items()
        )
        return (*found[: self.MOST], *more)


def shown(text: str, most: int = 60) -> str:
    """`text` in quotes, fit to be printed: on one line, not too long, without control characters."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return f'"{clean}"' if len(clean) <= most else f'"{clean[:most]}…"'
