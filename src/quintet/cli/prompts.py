"""Questions to whoever runs a command. They go to standard error; standard output is for results."""

import codecs
import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import printable, say
from quintet.secret import Secret

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes.")]
PasswordFile = Annotated[
    Path | None,
    typer.Option("--password-file", metavar="FILE", help="The store's password is the first line of FILE."),
]
_LONGEST_PASSWORD = 4096
_MOST_OCTETS = len(codecs.BOM_UTF8) + _LONGEST_PASSWORD + len("\r\n")


def agree(question: str, *, yes: bool) -> None:
    """Goes on when the answer is yes; else says that nothing was changed, and exits with 1."""
    if yes or typer.confirm(question, err=True):
        return
    say("Nothing was changed.")
    raise typer.Exit(ExitCode.NO)


def ask_password(whose: str, *, option: str, twice: bool = False) -> Secret:
    """The password of `whose`, typed without being shown. `option` gives it where nobody can be asked.

    Raises Wrong when there is no terminal, or nothing more comes from it.
    """
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for the password at", f"give it with {option}")
    prompt = f"Password of {printable(whose)}: "
    while True:
        password = _typed(prompt)
        if not twice or _typed("The same once more: ") == password:
            return Secret(password)
        say("The two are not the same.")


def _typed(prompt: str) -> str:
    try:
        return getpass(prompt, stream=sys.stderr)
    except EOFError:
        raise UsageError("no password was given") from None


def read_password(file: Path | None = None, *, empty: bool = False) -> Secret:
    """The first line of `file`, or of standard input, without its end and without a byte order mark.

    PowerShell and editors put the mark before a text; nobody has it in a password. The line may be empty:
    what an empty password means is for the caller to say. Raises UsageError when there is no line (unless
    `empty`), when it is too long, and when it is not UTF-8 text.
    """
    where = str(file) if file is not None else "standard input"
    if file is None:
        line = sys.stdin.buffer.readline(_MOST_OCTETS)
    else:
        with file.open("rb") as opened:
            line = opened.readline(_MOST_OCTETS)
    if not line and not empty:
        raise UsageError(f"{where} is empty", "write the password into its first line")
    password = line.removeprefix(codecs.BOM_UTF8).removesuffix(b"\n").removesuffix(b"\r")
    if len(password) > _LONGEST_PASSWORD:
        raise UsageError(f"the password in {where} is longer than {_LONGEST_PASSWORD} octets")
    try:
        return Secret(password.decode())
    except UnicodeDecodeError:
        raise UsageError(f"{where} is no UTF-8 text", "write the password into its first line") from None
