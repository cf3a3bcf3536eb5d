"""`quintet doctor`: everything that is wrong, why it matters, and the cure. Changes nothing."""

from collections.abc import Iterable, Sequence
from typing import Annotated

import typer
from rich.padding import Padding
from rich.table import Table

from quintet.admin.doctor.examine import examine
from quintet.admin.doctor.finding import Finding
from quintet.cli.app import app
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, err, out, print_json, text
from quintet.diagnostics import Severity

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}
_HEADINGS = {
    Severity.ERROR: "Errors: this does not work",
    Severity.WARNING: "Warnings: this works badly, or not for everybody",
    Severity.NOTE: "Notes",
}
_INDENT = 2


@app.command()
def doctor(
    context: typer.Context,
    for_sametime: Annotated[
        bool, typer.Option("--sametime", help="Also tell what only Sametime itself cannot do.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Examine settings, stores, servers and directories; tell what is wrong, and the cure of each."""
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


def print_findings(found: Sequence[Finding]) -> None:
    """Grouped by severity, each with what was seen, why it matters and the cure."""
    if not found:
        out().print(text("Nothing is wrong.", "green"))
        return
    for severity in Severity:
        group = [each for each in found if each.severity is severity]
        if group:
            out().print(text(_HEADINGS[severity], _STYLES[severity]))
            _print_group(group)
    counts = [_count(found, severity) for severity in Severity]
    out().print(text(", ".join(counts)))


def _print_group(group: Iterable[Finding]) -> None:
    for each in group:
        out().print()
        head = Table.grid(padding=(0, 1))
        head.add_row(text(each.code, _STYLES[each.severity]), text(each.title, "bold"))
        out().print(Padding(head, (0, 0, 0, _INDENT), expand=False))
        body = Table.grid(padding=(0, 2))
        for label, value in (("seen", each.seen), ("why", each.why), ("cure", each.fix)):
            body.add_row(text(label, "dim"), text(value))
        out().print(Padding(body, (0, 0, 0, 2 * _INDENT), expand=False))
    out().print()


def _count(found: Iterable[Finding], severity: Severity) -> str:
    number = sum(each.severity is severity for each in found)
    return f"{number} {severity.value}{'' if number == 1 else 's'}"


def finding_document(each: Finding) -> dict[str, str]:
    return {
        "code": each.code,
        "severity": each.severity.value,
        "title": each.title,
        "seen": each.seen,
        "why": each.why,
        "cure": each.fix,
    }
