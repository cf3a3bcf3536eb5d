"""Questions to the user of a command, on standard error; standard output is for results."""

import codecs
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import printable, say
from quintet.secret import Secret

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file", metavar="FILE", help="Read the store's password from the first line of FILE."
    ),
]
_LONGEST_PASSWORD = 4096
_MOST_BYTES = len(codecs.BOM_UTF8) + _LONGEST_PASSWORD + len("\r\n")


def agree(question: str, *, yes: bool) -> None:
    """Returns if the answer is yes; else says that nothing was changed and exits with 1."""
    if yes or typer.confirm(question, err=True):
        return
    say("Nothing was changed.")
    raise typer.Exit(ExitCode.NO)


def ask_password(whose: str, *, option: str, twice: bool = False) -> Secret:
    """The password of `whose`, typed unseen. `option` is the option to use where there is no terminal.

    Raises UsageError when there is no terminal, or it is at its end.
    """
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for the password", f"use {option}")
    prompt = f"Password of {printable(whose)}: "
    while True:
        password = _typed(prompt)
        if not twice or _typed("Repeat: ") == password:
            return Secret(password)
        say("The passwords differ.")


def _typed(prompt: str) -> str:
    try:
        return getpass(prompt, stream=sys.stderr)
    except EOFError:
        raise UsageError("no password was given") from None


def read_password(file: Path | None = None, *, empty: bool = False) -> Secret:
    """The first line of `file`, or of standard input, without its end and without a byte order mark.

    PowerShell and editors write the mark; it is never part of a password. The line may be empty: the caller
    decides what that means. Raises UsageError when there is no line (unless `empty`), it is too long, or not
    UTF-8.
    """
    where = str(file) if file is not None else "standard input"
    if file is None:
        line = sys.stdin.buffer.readline(_MOST_BYTES)
    else:
        with file.open("rb") as opened:
            line = opened.readline(_MOST_BYTES)
    if not line and not empty:
        raise UsageError(f"{where} is empty", "write the password in its first line")
    password = line.removeprefix(codecs.BOM_UTF8).removesuffix(b"\n").removesuffix(b"\r")
    if len(password) > _LONGEST_PASSWORD:
        raise UsageError(f"the password in {where} is longer than {_LONGEST_PASSWORD} bytes")
    try:
        return Secret(password.decode())
    except UnicodeDecodeError:
        raise UsageError(f"{where} is not UTF-8", "write the password in its first line") from None
