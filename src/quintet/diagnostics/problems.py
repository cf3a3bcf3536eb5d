"""One problem as data, and the collector of all of them."""

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

from quintet.diagnostics.codes import Code, Severity
from quintet.diagnostics.findings import Finding


@dataclass(frozen=True, slots=True)
class Place:
    """Where a setting stands. `line` counts from 1; None in the environment, or for the whole file."""

    file: str
    line: int | None = None

    def __str__(self) -> str:
        return self.file if self.line is None else f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong, or worth knowing. No field ever holds a secret.

    `message` says what was found, and names the setting; `key` is that setting as it is written. `place` is
    None where no file is at fault. `fix` says what to do here. `impact` is None where that of the code holds.
    """

    code: Code
    severity: Severity
    place: Place | None
    key: str | None
    message: str
    fix: str
    impact: str | None = None

    @classmethod
    def of(
        cls,
        code: Code,
        place: Place | None,
        key: str | None,
        message: str,
        fix: str | None = None,
        *,
        severity: Severity | None = None,
        impact: str | None = None,
    ) -> "Diagnostic":
        """A diagnostic whose severity and fix are those of its code, where no others are given."""
        return cls(code, severity or code.severity, place, key, message, fix or code.fix, impact)

    @property
    def found(self) -> str:
        """The message with the place in front of it."""
        return self.message if self.place is None else f"{self.place}: {self.message}"

    def __str__(self) -> str:
        return f"{self.found} ({self.code})"


class SettingsError(Exception):
    """The settings cannot be used. `problems` holds every one found, errors first.

    In words it is a line for each error, with its fix.
    """

    def __init__(self, folder: Path, problems: Iterable[Diagnostic]) -> None:
        self.folder = folder
        self.problems = tuple(sorted(problems, key=lambda p: list(Severity).index(p.severity)))
        errors = [p for p in self.problems if p.severity is Severity.ERROR]
        super().__init__("\n".join(f"{p.found}; {p.fix} ({p.code})" for p in errors))


_SURELY_MEANT = 0.8


def likeness(name: str, known: str) -> float:
    """How alike two names are, from 0 to 1; letter case does not count."""
    return SequenceMatcher(None, known.casefold(), name.casefold()).ratio()


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that was most likely meant, or None when none is near."""
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
        self._dropped: Counter[Place | None] = Counter()
        self._nearest: dict[tuple[str, ...], str | None] = {}
        self._compared = 0

    @property
    def failed(self) -> bool:
        """Whether there is an error among them."""
        return bool(self._found[Severity.ERROR])

    def add(
        self,
        code: Code,
        place: Place | None,
        key: str | None,
        message: str,
        fix: str | None = None,
        *,
        severity: Severity | None = None,
    ) -> None:
        """Adds a problem. Severity and fix are those of the code, where no others are given."""
        self.extend((Diagnostic.of(code, place, key, message, fix, severity=severity),))

    def extend(self, problems: Iterable[Diagnostic]) -> None:
        """Adds each problem, unless the very same was found before."""
        for problem in problems:
            found = self._found[problem.severity]
            if problem in found:
                continue
            if len(found) < self.MOST:
                found[problem] = None
            else:
                self._dropped[_file(problem)] += 1

    def unknown_name(
        self, place: Place, name: str, known: Iterable[str], security: Collection[str] = ()
    ) -> None:
        """A name that is not known: a note, or more when it is nearly a known one (row C86)."""
        if not self.warn_misspelling(place, name, known, security):
            message = f"{shown(name)} is not a known setting; it is ignored"
            self.add(Finding.Q58, place, name[:60], message)

    def warn_misspelling(
        self, place: Place, name: str, known: Iterable[str], security: Collection[str] = ()
    ) -> bool:
        """A warning when `name` is nearly a known name; an error when it is very nearly one of `security`.

        An error stops a server that ran before, so a name merely alike (VP_SECURITY_LEVEL, a setting of
        Sametime's own, and ST_TLS_SECURITY_LEVEL) is no more than a warning.

        False, and nothing is added, when no known name is near.
        """
        near = self.nearest(name, known)
        if near is None:
            return False
        code = Finding.Q60 if near in security and likeness(name, near) >= _SURELY_MEANT else Finding.Q59
        message = f"{shown(name)} is not a known setting; it is ignored; did you mean {near}?"
        self.add(code, place, name[:60], message, f"write {near} in place of {shown(name)}, or remove it")
        return True

    def nearest(self, name: str, known: Iterable[str]) -> str | None:
        """As `nearest`, with a bound on the work that all questions of one run make together."""
        asked = (name, *known)
        if asked not in self._nearest:
            if self._compared >= self._MOST_COMPARED or len(name) > 100:
                return None
            self._compared += len(asked) - 1
            self._nearest[asked] = nearest(name, asked[1:])
        return self._nearest[asked]

    @property
    def problems(self) -> tuple[Diagnostic, ...]:
        """All of them, errors first, else in the order of finding."""
        found = [problem for each in self._found.values() for problem in each]
        left = self._dropped + Counter(map(_file, found[self.MOST :]))
        more = (
            Diagnostic.of(Finding.Q44, file, None, f"{count} more are not listed")
            for file, count in left.items()
        )
        return (*found[: self.MOST], *more)


def _file(problem: Diagnostic) -> Place | None:
    """The place as far as the file."""
    return problem.place and Place(problem.place.file)


def shown(text: str, most: int = 60) -> str:
    """`text` in quotes, fit to be printed: not too long, and each invisible character by its number."""
    cut = text if len(text) <= most else f"{text[:most]}…"
    return '"' + "".join(c if c.isprintable() else f"<U+{ord(c):04X}>" for c in cut) + '"'


def did_you_mean(near: str | None) -> str:
    """The words to put behind a message; none when no known name is near."""
    return f"; did you mean {near}?" if near is not None else ""
