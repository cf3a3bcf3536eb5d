"""Exit codes, and which of them each kind of error means.

A family of commands adds its own errors: `EXITS[ProtectError] = Exit.USAGE`.
"""

from enum import IntEnum

from quintet.diagnostics import SettingsError
from quintet.directory import errors as directory
from quintet.ldap.errors import DNSyntaxError, FilterSyntaxError, LdapError
from quintet.tls import StoreError


class ExitCode(IntEnum):
    DONE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3
    BUG = 70
    """EX_SOFTWARE of sysexits.h: an error that nobody foresaw."""
    READER_GONE = 141
    """As for a program that SIGPIPE ends: nobody reads the output any more."""


class UsageError(Exception):
    """The command line or the configuration asks for what cannot be done. `cure` says what to do instead."""

    def __init__(self, what: str, fix: str | None = None) -> None:
        super().__init__(what)
        self.fix = fix


EXITS: dict[type[BaseException], ExitCode] = {
    UsageError: ExitCode.USAGE,
    SettingsError: ExitCode.USAGE,
    FilterSyntaxError: ExitCode.USAGE,
    DNSyntaxError: ExitCode.USAGE,
    LdapError: ExitCode.UNREACHABLE,
    StoreError: ExitCode.USAGE,
    directory.DirectoryError: ExitCode.NO,
    directory.InvalidPageTokenError: ExitCode.USAGE,
    directory.DirectoryUnavailableError: ExitCode.UNREACHABLE,
    directory.UntrustedServerError: ExitCode.UNREACHABLE,
    directory.UnencryptedBindError: ExitCode.USAGE,
    OSError: ExitCode.USAGE,
}
"""The nearest class counts: an error's own, else the one that it is derived from."""


def exit_of(error: BaseException) -> ExitCode:
    return next((EXITS[kind] for kind in type(error).__mro__ if kind in EXITS), ExitCode.BUG)
