"""`quintet serve`: run the server until it is stopped."""

import signal
from typing import Annotated

import typer

from quintet import logs
from quintet.cli.app import command
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode
from quintet.cli.report_error import EXITS
from quintet.cluster import NodeNameError, UnsuitableValkeyError
from quintet.runtime import AlreadyRunningError
from quintet.runtime import serve as serve_folder
from quintet.sametime.storage import DatabaseUrlError
from quintet.tls import TlsSettingsError
from quintet.web import PortError

EXITS[AlreadyRunningError] = ExitCode.USAGE
EXITS[PortError] = ExitCode.USAGE
EXITS[NodeNameError] = ExitCode.USAGE
EXITS[UnsuitableValkeyError] = ExitCode.USAGE
EXITS[DatabaseUrlError] = ExitCode.USAGE
EXITS[TlsSettingsError] = ExitCode.USAGE


@command
def serve(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log every operation, and all else at debug level.")
    ] = False,
) -> None:
    """Serves Sametime clients and browsers. Changed settings are reloaded; SIGHUP reloads them now.

    SIGTERM and Ctrl-C stop it after the requests in flight are answered.
    """
    logs.configure(debug=debug)
    ended_by = run(serve_folder(folder_of(context), environ_of(context), debug=debug))
    if ended_by is signal.SIGINT:
        raise typer.Exit(ExitCode.INTERRUPTED)
