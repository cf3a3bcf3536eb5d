"""The exit codes of every command, and the error of a command line that can't be carried out."""

from enum import IntEnum


class ExitCode(IntEnum):
    """What a command's exit code says (`docs/reference/exit-codes.md`)."""

    DONE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3
    BUG = 70
    """EX_SOFTWARE of sysexits.h: an unforeseen error."""
    INTERRUPTED = 130
    """As for a program that SIGINT (Ctrl-C) ends."""
    OUTPUT_CLOSED = 141
    """As for a program that SIGPIPE ends: the reader of the output has gone."""


class UsageError(Exception):
    """The command line or the configuration asks for what can't be done; `fix` says what to do instead."""

    def __init__(self, message: str, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
