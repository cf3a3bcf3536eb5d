"""Questions to the user of a command, on standard error; standard output is for results.

At every question, Ctrl-C ends the command with 130; the end of standard input is a missing answer.
"""

import codecs
import sys
from collections.abc import Callable
from getpass import getpass
from pathlib import Path
from typing import Annotated, TypeVar

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
_ANSWERS = {"y": True, "yes": True, "n": False, "no": False, "": False}
_T = TypeVar("_T")


def agree(question: str, *, yes: bool) -> None:
    """Returns if the answer is yes; else says that nothing was changed and exits with 1."""
    if yes or _asked(f"{question} [y/N]: ", _yes_or_no, at_end=False):
        return
    say("Nothing was changed.")
    raise typer.Exit(ExitCode.NO)


def ask(question: str, default: str | None, *, option: str, parse: Callable[[str], _T]) -> _T:
    """The answer, as `parse` reads it; an empty one is the default. A ValueError of `parse` asks again.

    Raises UsageError, which names `option`, at the end of standard input.
    """

    def answer(typed: str) -> _T:
        if not typed and default is None:
            raise ValueError("an answer is needed")
        return parse(typed or default or "")

    shown = f" [{default}]" if default else ""
    try:
        return _asked(f"{question}{shown}: ", answer)
    except EOFError:
        raise UsageError(f"{question}: no answer was given", f"use {option}") from None


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


def _asked(prompt: str, read: Callable[[str], _T], *, at_end: _T | None = None) -> _T:
    """The answer, as `read` reads it, once it raises no ValueError.

    At the end of standard input it is `at_end`; raises EOFError when that is None.
    """
    while True:
        sys.stderr.write(prompt)
        sys.stderr.flush()
        try:
            line = sys.stdin.readline()
        except KeyboardInterrupt:
            sys.stderr.write("\n")
            raise
        except UnicodeDecodeError:
            raise UsageError(f"the answer is not {sys.stdin.encoding} text") from None
        if not sys.stdin.isatty():  # which would show the answer, and the end of its line
            sys.stderr.write("\n")
        if not line:
            if at_end is None:
                raise EOFError
            return at_end
        try:
            return read(line.strip())
        except ValueError as error:
            say(f"{error}; Ctrl-C ends")


def _yes_or_no(typed: str) -> bool:
    try:
        return _ANSWERS[typed.lower()]
    except KeyError:
        raise ValueError("type y or n") from None


def _typed(prompt: str) -> str:
    try:
        return getpass(prompt, stream=sys.stderr)
    except EOFError:
        raise UsageError("no password was given") from None
    except KeyboardInterrupt:
        sys.stderr.write("\n")
        raise


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
