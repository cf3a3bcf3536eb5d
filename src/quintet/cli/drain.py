"""`quintet drain`: let clients of the running server sign in again elsewhere."""

from typing import Annotated

import typer

from quintet.cli.app import command
from quintet.cli.exit_codes import UsageError
from quintet.cli.sessions import ask_server
from quintet.cli.show import say, text


@command
def drain(
    context: typer.Context,
    share: Annotated[
        str, typer.Option("--share", metavar="PERCENT", help="How many of the sessions, chosen at random.")
    ],
) -> None:
    """Close a share of the sessions, so that a balancer moves the clients to a node with fewer.

    Clients sign in again by themselves. The server goes on serving, and closes the connections over
    QUINTET_SHUTDOWN_SECONDS at most.
    """
    answer = ask_server(context, "drain", percent=str(_percent(share)))
    say(text(f"Closing {answer['closing']} of {answer['sessions']} sessions."))


def _percent(share: str) -> float:
    """Raises UsageError."""
    try:
        percent = float(share.removesuffix("%"))
    except ValueError:
        percent = 0.0
    if not 0 < percent <= 100:
        raise UsageError(
            f"--share {share}: expected a percentage above 0, and at most 100", "write it like 25%"
        )
    return percent
