"""What `quintet check` says of the files, as findings: by row of the reference where there is one."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from quintet.admin.doctor.report import Report
from quintet.admin.doctor.stores import opened
from quintet.config import stcommunityconfig, userinfoconfig
from quintet.config.settings import Settings
from quintet.diagnostics import Diagnostic, Severity
from quintet.tls import StoreLocation


@dataclass(frozen=True, slots=True)
class _Rule:
    """Which code a problem has. Patterns are searched for; an empty one fits all."""

    code: str
    file: str = ""
    key: str = ""
    message: str = ""

    def fits(self, problem: Diagnostic) -> bool:
        return (
            re.search(self.file, problem.place.file) is not None
            and re.search(self.key, problem.key or "", re.IGNORECASE) is not None
            and re.search(self.message, problem.message) is not None
        )


_XML = r"\.xml$"
_USER_INFO = f"^{re.escape(userinfoconfig.FILE)}$"
_COMMUNITY = f"^{re.escape(stcommunityconfig.FILE)}$"
_STORE_KEY = r"_(TRUST|KEY)_STORE_"

_RULES = (
    _Rule("D15", _XML, "^$", r"column|not well-formed|is not XML|document type|the file is empty|UTF-8"),
    _Rule("D10", _USER_INFO, "^UserEncodedAuth$"),
    _Rule("D35", "", "", r"\bstash file .* opens the store and is used"),
    _Rule("D37", "", _STORE_KEY, r"comes from the scope"),
    _Rule("D5", "", _STORE_KEY, "no trust store is set|has no password here"),
    _Rule("D5", "", _STORE_KEY, "has no effect without|where it has no effect|single underscores"),
    _Rule("D6", _USER_INFO, "^SslEnabled$", "cross in clear"),
    _Rule("D20", _USER_INFO, "^UserIdAttribute$", "cards will be empty"),
    _Rule("D24", _COMMUNITY, "^OrganizationName$"),
    _Rule("D25", "", "^(SearchOrder|StorageDetails)$", "order|stands in line"),
    _Rule("D26", _COMMUNITY, "Base$", "overlaps"),
    _Rule("D30", _COMMUNITY, "^UserDnSearchFilter$", r"has a \*"),
    _Rule("D32", _USER_INFO, "", "is no Detail Id|none of the fixed Ids"),
    _Rule("D34", "", "", r"quotes|typographic"),
    _Rule("D8", _XML, "^(SSL)?Port$", "is usually"),
    _Rule("Q5", _COMMUNITY, "^HostName$", "host names must be unique"),
    _Rule("D36", "", "QUINTET_ALLOW_CLEAR_SERVICE_BIND"),
    _Rule("D36", _USER_INFO, "", "stays off the cards' clear connection"),
)

_FOR_SAMETIME = ("USE_SEPARATE_FILTER_FOR_MAIL_SEARCHES",)
"""Keys that Quintet ignores and a cure of ours asks for."""

_TOLD_LIVE = _Rule("D36", _COMMUNITY, "", "stays off the four clear connections")
"""Whoever tries the accounts tells as well in which way they are taken."""


def examine(problems: Iterable[Diagnostic], settings: Settings | None, report: Report) -> None:
    """Every problem of the files as one finding."""
    paths = _Paths.of(settings)
    for problem in problems:
        if _says_nothing(problem):
            continue
        code = paths.code_of(problem) or next((r.code for r in _RULES if r.fits(problem)), None)
        if code is None:
            code = {Severity.ERROR: "Q1", Severity.WARNING: "Q2", Severity.NOTE: "Q3"}[problem.severity]
        seen, fix = _parts(problem)
        report.add(code, seen, _exact(code, problem, fix), severity=problem.severity)


def _says_nothing(problem: Diagnostic) -> bool:
    """What another check tells better; a file that need not be there, unless one of nearly its name is."""
    absent = "there is no such file" in problem.message and "(there is " not in problem.message
    unneeded = problem.severity is Severity.NOTE and (absent or problem.key in _FOR_SAMETIME)
    return unneeded or _TOLD_LIVE.fits(problem)


def _exact(code: str, problem: Diagnostic, fix: str | None) -> str | None:
    """The cure, and what cannot be seen from here although it causes the same."""
    place = problem.place
    if code == "D24":
        return f"in {place}: remove {problem.key}"
    if code == "D6":
        return (
            f'in {place}: SslEnabled="true", with a trust store in SslProperties; quintet protect does'
            " both with"
            " --cards, and quintet connections shows which connections are encrypted"
        )
    if code == "D4" and "there is no such file" in problem.message:
        return (
            f"{fix}. In a container check that the secret is in this namespace, that ldapConfigSecret"
            " names it"
            " and is not commented out, and that the volume is mounted"
        )
    return fix


def damaged(problems: Iterable[Diagnostic]) -> frozenset[str]:
    """The files that have an error: what they would have said is not known."""
    return frozenset(p.place.file for p in problems if p.severity is Severity.ERROR)


@dataclass(frozen=True, slots=True)
class _Paths:
    """Whether a problem is about a store or a stash: its message begins with that path."""

    stores: tuple[Path, ...]
    stashes: tuple[Path, ...]
    ours_opens: bool

    @classmethod
    def of(cls, settings: Settings | None) -> "_Paths":
        refs = tuple(_refs(settings)) if settings else ()
        stashes = tuple(ref.stash for ref in refs if ref.stash is not None)
        ours = settings.tls.trust_store if settings else None
        return cls(tuple(ref.path for ref in refs), stashes, _holds_certificates(ours))

    def code_of(self, problem: Diagnostic) -> str | None:
        if any(problem.message.startswith(f"{path}: ") for path in self.stashes):
            return "D35"
        if not any(problem.message.startswith(f"{path}: ") for path in self.stores):
            return None
        if problem.severity is Severity.NOTE:
            return "Q4"
        return "D7" if self.ours_opens and problem.place.file == userinfoconfig.FILE else "D4"


def _holds_certificates(ref: StoreLocation | None) -> bool:
    store = opened(ref) if ref is not None else None
    return store is not None and bool(store.trusted)


def _refs(settings: Settings) -> Iterator[StoreLocation]:
    profiles = [settings.tls]
    profiles += [storage.tls for storage in settings.cards.storages] if settings.cards else []
    for profile in profiles:
        yield from (ref for ref in (profile.trust_store, profile.key_store) if ref is not None)


def _parts(problem: Diagnostic) -> tuple[str, str | None]:
    """What is wrong, and what to do about it: messages end with their cure, if they have one."""
    key = f"{problem.key} " if problem.key else ""
    if problem.severity is Severity.NOTE:
        return f"{problem.place}: {key}{problem.message}", None
    what, _, fix = problem.message.rpartition("; ")
    if not what:
        what, _, fix = problem.message.rpartition(". ")
    if not what or not re.match(r"[a-zA-Z]", fix):
        return f"{problem.place}: {key}{problem.message}", f"correct {key}in {problem.place}"
    return f"{problem.place}: {key}{what}", f"in {problem.place}: {fix}"
