"""`quintet doctor`: everything that is wrong, its impact, and the fix. Changes nothing."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table

from quintet.admin.doctor import examine
from quintet.cli.app import command
from quintet.cli.check import STYLES, count
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, err, out, print_json, text
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
    folder = folder_of(context)
    if as_json:
        found = run(examine(folder, environ_of(context), for_sametime=for_sametime))
        print_json({"findings": [finding_document(each) for each in found]})
    else:
        with err().status("examining …"):
            found = run(examine(folder, environ_of(context), for_sametime=for_sametime))
        print_findings(found)
    if any(each.severity is Severity.ERROR for each in found):
        raise typer.Exit(ExitCode.NO)


def print_findings(found: Sequence[Diagnostic]) -> None:
    """Grouped by severity, each with what was found, its impact and the fix."""
    if not found:
        out().print(text("No problems found.", "green"))
        return
    for severity in Severity:
        group = [each for each in found if each.severity is severity]
        if group:
            out().print(text(_HEADINGS[severity], STYLES[severity]))
            _print_group(group)
    out().print(text(count(found)))


def _print_group(group: Iterable[Diagnostic]) -> None:
    for each in group:
        out().print()
        head = Table.grid(padding=(0, 1))
        head.add_row(text(each.code, STYLES[each.severity]), text(each.code.title, "bold"))
        out().print(Padding(head, (0, 0, 0, _INDENT), expand=False))
        body = Table.grid(padding=(0, 2))
        for label, value in (("found", each.found), ("impact", _impact(each)), ("fix", each.fix)):
            body.add_row(text(label, "dim"), text(value))
        out().print(Padding(body, (0, 0, 0, 2 * _INDENT), expand=False))
    out().print()


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
