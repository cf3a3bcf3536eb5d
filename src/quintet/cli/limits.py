"""`quintet limits`: sign-ins that the running server refuses after too many failures."""

from typing import Annotated, Any

import typer

from quintet.cli.app import CommandGroup, app
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import AsJson, print_json, print_table, say, text
from quintet.runtime import Answered, ask_running

limits = typer.Typer(
    name="limits",
    cls=CommandGroup,
    help="List the sign-ins that failed at the running server, and clear their limits.",
    no_args_is_help=True,
)
app.add_typer(limits)


@limits.command("list")
def list_limits(context: typer.Context, as_json: AsJson = False) -> None:
    """List the failures that count at the moment: of a name, of a network, and of a name from a network.

    Names are shown as they were typed, existing or not. What is refused comes first.
    """
    rows = _ask(context, "limits").answer
    if as_json:
        print_json({"limits": rows})
    elif rows:
        print_table(
            ("counted for", "name", "network", "failures", "refused for"),
            [
                (
                    row["scope"],
                    row["name"],
                    row["network"],
                    str(row["failures"]),
                    f"{row['seconds']:.0f} s" if row["blocked"] else "",
                )
                for row in rows
            ],
        )
    else:
        say(text("No failed sign-ins count at the moment."))


@limits.command("clear")
def clear_limits(
    context: typer.Context,
    wanted: Annotated[
        str | None,
        typer.Argument(metavar="NAME|ADDRESS", help="A login name or an IP address; without it, all."),
    ] = None,
) -> None:
    """Forget the failures of a name, of an address's network, or all, so that sign-ins are let in again.

    The directory's own lockout is not changed. Exit code 1 when nothing was counted.
    """
    cleared = _ask(context, "clear-limits", **({} if wanted is None else {"wanted": wanted})).answer
    if not cleared:
        say(text("Nothing was counted."))
        raise typer.Exit(ExitCode.NO)
    say(text(f"{cleared} {'record' if cleared == 1 else 'records'} cleared."))


def _ask(context: typer.Context, request: str, **arguments: Any) -> Answered:
    """What the server of the folder answers. Raises UsageError if none runs, and OSError."""
    folder = folder_of(context)
    answered = run(ask_running(folder, environ_of(context), request, **arguments))
    if answered is None:
        raise UsageError(f"no server is running with {folder}", "start it with quintet serve")
    return answered
