"""The database, as commands name it: the option, and the exit codes of what can go wrong with it."""

from typing import Annotated

import typer

from quintet.cli.context import folder_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.report_error import EXITS
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

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database",
        metavar="URL",
        help="The database; by default the file quintet.db beside the settings.",
    ),
]


def address_of(context: typer.Context, url: str | None) -> DatabaseAddress:
    """The database of the option. Raises DatabaseUrlError."""
    return DatabaseAddress.parse(url or "", folder_of(context))
