"""A report for a public bug tracker: what the connections page shows, without hosts, DNs and names.

Nothing is searched for and taken out. The report is made of words of closed sets, numbers and the names of
attributes; everything else is a placeholder (`host-1`, `dn-2`), the same one for the same text throughout.
Texts of servers and of errors are left out; their codes are there.
"""

import platform
import re
import ssl
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from typing import final

from quintet.config import CARDS, COMMUNITY, INI
from quintet.diagnostics import Diagnostic, Place
from quintet.directory import Protection, Searched, Step
from quintet.ldap import Scope
from quintet.web.activity import Line, days_left
from quintet.web.trial import Trial

_FILES = (INI, COMMUNITY, CARDS)
_ASSERTED = re.compile(r"=([^()]*)\)")
"""The value of a comparison in a filter (RFC 4515): parentheses inside it are escaped."""


@final
class Placeholders:
    """What stands for a text, for one report."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def of(self, kind: str, text: str) -> str:
        """The placeholder; the same text of the same kind has the same one."""
        found = self._given.get((kind, text))
        if found is None:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            found = self._given[kind, text] = f"{kind}-{number}"
        return found

    def server(self, label: str) -> str:
        """A directory server: its hosts."""
        return ",".join(self.of("host", host) for host in label.split(","))

    def address(self, text: str) -> str:
        """`host:port`; the port stays."""
        host, _, port = text.rpartition(":")
        return (
            f"{self.of('host', host)}:{port}"
            if port.isdecimal() and port.isascii()
            else self.of("host", text)
        )

    def filter(self, text: str) -> str:
        """A filter with its structure and attributes, and no values."""
        return _ASSERTED.sub(
            lambda found: "=*)" if found[1] == "*" else f"={self.of('value', found[1])})", text
        )


def report(
    protection: Protection, lines: Sequence[Line], problems: Sequence[Diagnostic], trial: Trial | None = None
) -> str:
    """The report, as text."""
    known = Placeholders()
    python, system = platform.python_version(), platform.system()
    parts = [
        f"Quintet {version('quintet')}, Python {python}, {ssl.OPENSSL_VERSION}, {system}",
        f"Protection: {protection.name.lower()}",
        *_connections(lines, known),
        *(_problem(each, known) for each in problems),
        *(_trial(trial, known) if trial else ()),
    ]
    return "\n".join(parts) + "\n"


def _connections(lines: Iterable[Line], known: Placeholders) -> Iterator[str]:
    for line in lines:
        certificates = (
            f"certificate {known.of('dn', each.subject)} from {known.of('dn', each.issuer)},"
            f" {days_left(each)} days left"
            for each in line.certificates
        )
        bound = (known.of("dn", each) for each in line.bound_as)
        latency = "" if line.rate.latency is None else f"{1000 * line.rate.latency:.1f} ms"
        shown = (
            "encrypted" if line.encrypted else "not encrypted",
            f"{line.connected} open",
            *line.tls_versions,
            *line.ciphers,
            *certificates,
            f"bound as {', '.join(bound)}" if line.bound_as else "no account",
            f"{line.rate.operations:.1f} operations/s",
            latency,
            f"{line.rate.errors} errors",
            f"{line.rate.reconnects} reconnects",
            *line.causes,
        )
        place = f"{known.server(line.server)} ({', '.join(map(known.address, line.addresses))})"
        yield f"{line.service.value} at {place}: {'; '.join(filter(None, shown))}"


def _problem(problem: Diagnostic, known: Placeholders) -> str:
    place = "" if problem.place is None else f" at {_place(problem.place, known)}"
    return f"{problem.severity.value} {problem.code.name}{place}"


def _place(place: Place, known: Placeholders) -> str:
    file = place.file if place.file in _FILES else known.of("file", place.file)
    return file if place.line is None else f"{file}:{place.line}"


def _trial(trial: Trial, known: Placeholders) -> Iterator[str]:
    found = trial.explanation
    state = f", {found.state.value}" if found.state else ""
    failure = f", {found.failure.cause}" if found.failure else ""
    yield f"Sign-in: {found.verdict}{state}{failure}"
    for number, step in enumerate(found.told, 1):
        yield f"{number}. {_step(step, known)}"
    for value in trial.values:
        yield f"value from {value.attribute} over {value.service.value} at {known.server(value.server)}"
    for group in trial.groups:
        counts = {True: "counts", False: "does not count", None: "not tried"}[group.counts]
        level = "" if group.level is None else f", level {group.level}"
        yield f"group {known.of('dn', group.group.dn)}{level}: {counts}, {len(group.uses)} uses"
    for application in trial.applications:
        answer = "not tried" if application.status is None else f"{application.status}"
        sizes = ", ".join(f"{name} {len(value.encode())} bytes" for name, value in application.headers)
        yield f"application {known.of('application', application.name)}: {answer} {sizes}".rstrip()


def _step(step: Step, known: Placeholders) -> str:
    place = f"{step.service.value} at {known.server(step.server)}"
    if not isinstance(step, Searched):
        return f"{place}: bind as {known.of('dn', step.dn)}, {step.code}, {step.state.value}"
    base = known.of("dn", step.base) if step.base else "the root"
    error = f", {type(step.error).__name__}" if step.error else ""
    over = f" over {step.over.value}" if step.over else ""
    asked = f"{Scope(step.scope).name.lower()} {base} {known.filter(step.filter)}"
    return f"{place}{over}: {asked}, {len(step.entries)} entries{error}"
