"""Exit codes, and which of them each kind of error means.

A family of commands adds its own errors: `EXITS[CannotProtect] = Exit.USAGE`.
"""

from enum import IntEnum

from quintet.config.problems import BadSettings
from quintet.directory import errors as directory
from quintet.ldap.errors import BadFilter, BadName, LdapError
from quintet.tls.store_errors import StoreError


class Exit(IntEnum):
    DONE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3
    BUG = 70
    """EX_SOFTWARE of sysexits.h: an error that nobody foresaw."""
    READER_GONE = 141
    """As for a program that SIGPIPE ends: nobody reads the output any more."""


class Wrong(Exception):
    """The command line or the configuration asks for what cannot be done. `cure` says what to do instead."""

    def __init__(self, what: str, cure: str | None = None) -> None:
        super().__init__(what)
        self.cure = cure


EXITS: dict[type[BaseException], Exit] = {
    Wrong: Exit.USAGE,
    BadSettings: Exit.USAGE,
    BadFilter: Exit.USAGE,
    BadName: Exit.USAGE,
    LdapError: Exit.UNREACHABLE,
    StoreError: Exit.USAGE,
    directory.DirectoryError: Exit.NO,
    directory.BadPage: Exit.USAGE,
    directory.Unreachable: Exit.UNREACHABLE,
    directory.Untrusted: Exit.UNREACHABLE,
    directory.ClearBindRefused: Exit.USAGE,
    OSError: Exit.USAGE,
}
"""The nearest class counts: an error's own, else the one that it is derived from."""


def exit_of(error: BaseException) -> Exit:
    return next((EXITS[kind] for kind in type(error).__mro__ if kind in EXITS), Exit.BUG)
