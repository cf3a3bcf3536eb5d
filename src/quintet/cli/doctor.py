"""`quintet doctor`: everything that is wrong, its impact, and the fix. Changes nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table

from quintet.admin.doctor import Checks, Tally, examine
from quintet.cli.app import command
from quintet.cli.check import STYLES, count
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, err, out, print_fields, print_json, print_line, text
from quintet.diagnostics import Diagnostic, Severity

_HEADINGS = {
    Severity.ERROR: "Errors: this does not work",
    Severity.WARNING: "Warnings: this works badly, or not for all users",
    Severity.NOTE: "Notes",
}
_INDENT = 2


@command
def doctor(
    context: typer.Context,
    for_sametime: Annotated[
        bool, typer.Option("--sametime", help="Also report what only Sametime itself cannot do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Exit code 1 when there is an error, and when a check could not be made or did not finish."""
    folder, checks = folder_of(context), Checks()
    examination = examine(folder, environ_of(context), for_sametime=for_sametime, checks=checks)
    if as_json:
        found = run(examination)
        print_json({"findings": [finding_document(each) for each in found], "checks": asdict(checks.tally)})
    else:
        with err().status("examining …"):
            found = run(examination)
        print_findings(found, checks.tally)
    if is_bad(found, checks.tally):
        raise typer.Exit(ExitCode.NO)


def is_bad(found: Iterable[Diagnostic], tally: Tally) -> bool:
    """Whether something is wrong, or may be: what was not examined is not known to work."""
    return not tally.complete or any(each.severity is Severity.ERROR for each in found)


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
