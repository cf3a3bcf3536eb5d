"""`quintet broadcast`: show a text to all users who are signed in at the running server."""

from typing import Annotated

import typer

from quintet.cli.app import command
from quintet.cli.exit_codes import UsageError
from quintet.cli.sessions import ask_server
from quintet.cli.show import say
from quintet.cli.show import text as as_text

LONGEST = 8192
"""Bytes. Clients show it in a window."""


@command
def broadcast(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="What clients show, in a window of its own.")],
) -> None:
    """The text is not kept: who signs in later does not see it."""
    size = len(text.encode("utf-8", "surrogateescape"))
    if not text.strip() or size > LONGEST:
        raise UsageError(
            "the text is empty" if not text.strip() else f"the text has {size} bytes; {LONGEST} are allowed"
        )
    count = ask_server(context, "broadcast", text=text)
    say(as_text(f"Sent to {count} {'session' if count == 1 else 'sessions'}."))
