"""The database that commands work on: the option, else the settings; the exit codes of what can go wrong."""

from typing import Annotated, Final

import typer

from quintet.cli.context import environ_of, folder_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.report_error import EXITS
from quintet.config import read
from quintet.diagnostics import SettingsError
from quintet.storage import (
    DatabaseAddress,
    DatabaseUrlError,
    MigrationError,
    StorageError,
    StorageUnavailableError,
)

EXITS[StorageError] = ExitCode.NO
EXITS[DatabaseUrlError] = ExitCode.USAGE
EXITS[MigrationError] = ExitCode.USAGE
EXITS[StorageUnavailableError] = ExitCode.UNREACHABLE

_KEY: Final = "QUINTET_DATABASE"

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The database; by default that of the settings.",
    ),
]


def address_of(context: typer.Context, url: str | None) -> DatabaseAddress:
    """The database of the option, else of the settings. Raises DatabaseUrlError, SettingsError, OSError.

    Other settings may have errors, and there may be none at all.
    """
    folder = folder_of(context)
    if url is None:
        settings, problems = read(folder, environ_of(context))
        errors = tuple(each for each in problems if each.key and each.key.endswith(_KEY))
        if errors:
            raise SettingsError(folder, errors)
        url = settings.sametime.database.reveal() if settings else ""
    return DatabaseAddress.parse(url, folder)
