"""`quintet check`: what the three files and the environment say, and what is wrong with it. Opens nothing."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer
from rich.text import Text

from quintet.cli.app import command
from quintet.cli.context import environ_of, folder_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, out, print_json, text
from quintet.config import check as check_settings
from quintet.diagnostics import Diagnostic, Severity

STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.NOTE: "bold cyan"}


@command
def check(
    context: typer.Context,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings, too.")] = False,
    as_json: AsJson = False,
) -> None:
    problems = check_settings(folder_of(context), environ_of(context))
    if as_json:
        print_json({"problems": [problem_document(problem) for problem in problems]})
    else:
        print_problems(problems)
    severities = {problem.severity for problem in problems}
    if Severity.ERROR in severities or (strict and Severity.WARNING in severities):
        raise typer.Exit(ExitCode.USAGE)


def print_problems(problems: Sequence[Diagnostic]) -> None:
    """A line for each, `file:line: severity CODE: message`, its fix below it, and the count at the end."""
    for problem in problems:
        place = "" if problem.place is None else f"{problem.place}: "
        severity = Text(problem.severity.value, STYLES[problem.severity])
        line = Text.assemble(text(place), severity, f" {problem.code}: ", text(problem.message))
        out().print(line, soft_wrap=True)
        out().print(Text.assemble("    ", text(problem.fix)), soft_wrap=True)
    out().print(text(count(problems)) if problems else text("No problems found.", "green"), soft_wrap=True)


def count(problems: Sequence[Diagnostic]) -> str:
    """How many there are of each severity: "2 errors, 1 warning, 0 notes"."""
    numbers = [(sum(each.severity is severity for each in problems), severity.value) for severity in Severity]
    return ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for number, name in numbers)


def problem_document(problem: Diagnostic) -> dict[str, Any]:
    place = problem.place
    return {
        "code": problem.code.name,
        "severity": problem.severity.value,
        "file": place and place.file,
        "line": place and place.line,
        "key": problem.key,
        "message": problem.message,
        "fix": problem.fix,
    }
