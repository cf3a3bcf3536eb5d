"""`quintet doctor`: everything that is wrong, its impact, and the fix. Changes nothing."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table

from quintet.admin.doctor import CheckArea, Checks, Tally, examine
from quintet.cli.app import command
from quintet.cli.check import STYLES, count
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.progress import waiting_for
from quintet.cli.show import AsJson, out, print_fields, print_json, print_line, text
from quintet.config import ClusterSettings
from quintet.diagnostics import Diagnostic, Severity

_HEADINGS = {
    Severity.ERROR: "Errors: this does not work",
    Severity.WARNING: "Warnings: this works badly, or not for all users",
    Severity.NOTE: "Notes",
}
_INDENT = 2


class FailOn(StrEnum):
    """The least severity that makes the exit code 1."""

    ERROR = "error"
    WARNING = "warning"

    @property
    def severities(self) -> tuple[Severity, ...]:
        return (Severity.ERROR,) if self is FailOn.ERROR else (Severity.ERROR, Severity.WARNING)


@command
def doctor(
    context: typer.Context,
    list_checks: Annotated[bool, typer.Option("--list", help="List the checks by name, and stop.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="NAME[,NAME]", help="Report only what these checks find."),
    ] = None,
    fail_on: Annotated[
        FailOn,
        typer.Option("--fail-on", metavar="error|warning", help="The least severity for exit code 1."),
    ] = FailOn.ERROR,
    for_sametime: Annotated[
        bool, typer.Option("--sametime", help="Also report what only Sametime itself cannot do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Exit code 1 when there is an error, and when a check could not be made or did not finish.

    With --only, errors of the checks that these depend on are reported, too.
    """
    checks = Checks(_parts(only))
    if list_checks:
        _print_parts(as_json=as_json)
        return
    examination = examine(
        folder_of(context),
        environ_of(context),
        for_sametime=for_sametime,
        checks=checks,
        examine_cluster=_examine_cluster,
    )
    found = run(waiting_for(examination, lambda: "; ".join(checks.running), "the settings"))
    if as_json:
        print_json({"findings": [finding_document(each) for each in found], "checks": asdict(checks.tally)})
    else:
        print_findings(found, checks.tally)
    if is_bad(found, checks.tally, fail_on.severities):
        raise typer.Exit(ExitCode.NO)


async def _examine_cluster(settings: ClusterSettings) -> Iterable[Diagnostic]:
    from quintet.cluster import examine_valkey  # noqa: PLC0415  # few have one, and it imports much

    return await examine_valkey(settings)


def is_bad(
    found: Iterable[Diagnostic], tally: Tally, severities: Container[Severity] = (Severity.ERROR,)
) -> bool:
    """Whether something is wrong, or may be: what was not examined is not known to work."""
    return not tally.complete or any(each.severity in severities for each in found)


def _parts(only: Sequence[str] | None) -> frozenset[CheckArea]:
    if not only:
        return frozenset(CheckArea)
    known = {part.label: part for part in CheckArea}
    names = [name.strip().casefold() for each in only for name in each.split(",")]
    for name in names:
        if name not in known:
            raise UsageError(f"--only: there is no check {name!r}", f"the checks are {', '.join(known)}")
    return frozenset(known[name] for name in names)


def _print_parts(*, as_json: bool) -> None:
    if as_json:
        print_json({"checks": [{"name": part.label, "examines": part.value} for part in CheckArea]})
    else:
        print_fields((part.label, part.value) for part in CheckArea)


def print_findings(found: Sequence[Diagnostic], tally: Tally) -> None:
    """Grouped by severity, each with what was found, its impact and the fix; the counts at the end."""
    made = f"{tally.finished} checks finished, {tally.failed} failed, {tally.not_made} not made"
    if not found:
        print_line(("No problems found. ", "green"), f"{made}.")
        return
    for severity in Severity:
        group = [each for each in found if each.severity is severity]
        if group:
            print_line((_HEADINGS[severity], STYLES[severity]))
            _print_group(group)
    print_line(f"{count(found)}; {made}")


def _print_group(group: Iterable[Diagnostic]) -> None:
    for each in group:
        print_line()
        indent = " " * _INDENT if out().is_terminal else ""
        print_line(indent, (each.code.name, STYLES[each.severity]), " ", (each.code.title, "bold"))
        _print_values((("found", each.found), ("impact", _impact(each)), ("fix", each.fix)))
    print_line()


def _print_values(values: Sequence[tuple[str, str]]) -> None:
    """At a terminal they are folded beside their labels. Elsewhere each is one line, and whole."""
    if not out().is_terminal:
        print_fields(values)
        return
    body = Table.grid(padding=(0, 2))
    for label, value in values:
        body.add_row(text(label, "dim"), text(value))
    out().print(Padding(body, (0, 0, 0, 2 * _INDENT), expand=False))


def _impact(each: Diagnostic) -> str:
    return each.impact or each.code.impact


def finding_document(each: Diagnostic) -> dict[str, str]:
    return {
        "code": each.code.name,
        "severity": each.severity.value,
        "title": each.code.title,
        "found": each.found,
        "impact": _impact(each),
        "fix": each.fix,
    }
