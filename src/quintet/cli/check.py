"""`quintet check`: what the three files and the environment say, and what is wrong with it. Opens nothing."""

import typer

from quintet.cli.app import app
from quintet.cli.context import environ_of, folder_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, out, print_json, print_table, text
from quintet.config.load import check as check_settings
from quintet.diagnostics import Severity

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow", Severity.NOTE: "cyan"}


@app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Read the settings and list every problem, with file, line and cure."""
    problems = check_settings(folder_of(context), environ_of(context))
    if as_json:
        print_json(
            {
                "problems": [
                    {
                        "severity": problem.severity.value,
                        "file": problem.place.file,
                        "line": problem.place.line,
                        "key": problem.key,
                        "message": problem.message,
                    }
                    for problem in problems
                ]
            }
        )
    elif problems:
        print_table(
            ("", "where", "key", "what"),
            [
                (
                    text(problem.severity.value, _STYLES[problem.severity]),
                    problem.place,
                    problem.key,
                    problem.message,
                )
                for problem in problems
            ],
        )
    else:
        out().print(text("Nothing is wrong with the settings.", "green"))
    if any(problem.severity is Severity.ERROR for problem in problems):
        raise typer.Exit(ExitCode.USAGE)
