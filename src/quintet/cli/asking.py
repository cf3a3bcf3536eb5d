"""Questions to whoever runs a command. They go to standard error; standard output is for results."""

from pathlib import Path
from typing import Annotated

import typer

from quintet.cli.exits import Exit, Wrong
from quintet.cli.show import say
from quintet.secret import Secret

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="The store's password is the first line of FILE."),
]
_MOST_BYTES = 64 * 1024


def agree(question: str, *, yes: bool) -> None:
    """Goes on when the answer is yes; else says that nothing was changed, and exits with 1."""
    if yes or typer.confirm(question, err=True):
        return
    say("Nothing was changed.")
    raise typer.Exit(Exit.NO)


def ask_password(prompt: str, *, twice: bool = False) -> Secret:
    """A password that is typed without being shown."""
    return Secret(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))


def read_password(file: Path) -> Secret:
    """The first line of `file`, without its line end."""
    with file.open("rb") as opened:
        data = opened.read(_MOST_BYTES)
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Wrong(f"{file} is no UTF-8 text", "write the password into its first line") from None
    if not lines or not lines[0]:
        raise Wrong(f"the first line of {file} is empty", "write the password into it")
    return Secret(lines[0])
