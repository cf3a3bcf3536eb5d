"""`quintet serve`: run the server until it is stopped."""

import os
from typing import Annotated

import typer

from quintet import logs
from quintet.cli.app import command
from quintet.cli.context import folder_of, run
from quintet.cli.exit_codes import ExitCode
from quintet.cli.report_error import EXITS
from quintet.runtime.application import serve as serve_folder
from quintet.runtime.pidfile import AlreadyRunningError
from quintet.web import PortError

EXITS[AlreadyRunningError] = ExitCode.USAGE
EXITS[PortError] = ExitCode.USAGE


@command
def serve(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log every operation, and all else at debug level.")
    ] = False,
) -> None:
    """Opens all connections and keeps them open. Changed settings are read by itself; SIGHUP reads them now.

    SIGTERM stops it after the requests in flight are answered.
    """
    logs.configure(debug=debug)
    run(serve_folder(folder_of(context), os.environ, debug=debug))
