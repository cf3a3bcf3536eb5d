"""What a command prints after an error, and which exit code each kind of error has.

A command adds the errors of its own modules: `EXITS[ProtectError] = ExitCode.USAGE`.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import COLOURS, hint, labelled, print_json, say
from quintet.diagnostics import Diagnostic, SettingsError, Severity
from quintet.directory import (
    DirectoryError,
    DirectoryUnavailableError,
    InvalidPageTokenError,
    UnencryptedBindError,
    UntrustedServerError,
)
from quintet.files import FolderLockedError
from quintet.ldap import DNSyntaxError, FilterSyntaxError, LdapError
from quintet.tls import StoreError

_LONGEST_NAME = 300

EXITS: dict[type[BaseException], ExitCode] = {
    UsageError: ExitCode.USAGE,
    SettingsError: ExitCode.USAGE,
    FilterSyntaxError: ExitCode.USAGE,
    DNSyntaxError: ExitCode.USAGE,
    LdapError: ExitCode.UNREACHABLE,
    StoreError: ExitCode.USAGE,
    DirectoryError: ExitCode.NO,
    InvalidPageTokenError: ExitCode.USAGE,
    DirectoryUnavailableError: ExitCode.UNREACHABLE,
    UntrustedServerError: ExitCode.UNREACHABLE,
    UnencryptedBindError: ExitCode.USAGE,
    FolderLockedError: ExitCode.NO,
    OSError: ExitCode.USAGE,
}
"""The nearest class counts: an error's own, else the one that it is derived from."""


def exit_code_of(error: BaseException) -> ExitCode:
    return next((EXITS[kind] for kind in type(error).__mro__ if kind in EXITS), ExitCode.BUG)


@contextmanager
def negative_answer(about: str, *, as_json: bool, document: Mapping[str, Any]) -> Iterator[None]:
    """Around a question. When the answer is no, `--json` prints `document`; the error names `about`."""
    try:
        yield
    except Exception as error:  # the exit code of its class decides, and it goes on in any case
        if exit_code_of(error) is ExitCode.NO:
            error.add_note(f"asked for: {_shortened(about) or '(an empty name)'}")
            if as_json:
                print_json(document)
        raise


def report_error(error: BaseException) -> None:
    """The error on standard error: what happened, to what, and the fix."""
    if isinstance(error, SettingsError):
        report_problems(p for p in error.problems if p.severity is Severity.ERROR)
        hint(f"correct the settings in {error.folder.resolve()}; quintet check lists all problems")
        return
    if exit_code_of(error) is ExitCode.BUG:
        labelled("error", COLOURS[Severity.ERROR], f"a fault in Quintet: {type(error).__name__}: {error}")
        hint("run it again with QUINTET_TRACEBACK=1 to see where, and report it")
        return
    if isinstance(error, DirectoryUnavailableError):
        error.retry_in = None  # a command is over by then
    fix = getattr(error, "fix", None) or ""
    # The fix has a line of its own, and some errors have it in their words as well.
    message = str(error).removesuffix(fix).rstrip(" .;") if fix else str(error)
    if isinstance(error, OSError) and error.strerror and error.filename:
        message = f"{error.filename}: {error.strerror}"
    labelled("error", COLOURS[Severity.ERROR], message)
    for note in getattr(error, "__notes__", ()):
        say(f"  {note}")
    if fix:
        hint(fix)


def report_problems(problems: Iterable[Diagnostic]) -> None:
    """A line for each on standard error, and its fix below it."""
    for problem in problems:
        labelled(problem.severity.value, COLOURS[problem.severity], str(problem))
        hint(problem.fix)


def _shortened(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
