"""`quintet serve`: keep the connections of a community open, until it is told to stop."""

import os
from typing import Annotated

import typer

from quintet import logs
from quintet.cli.app import app
from quintet.cli.context import folder_of, run
from quintet.cli.exit_codes import EXITS, ExitCode
from quintet.runtime.application import serve as serve_folder
from quintet.runtime.pidfile import AlreadyRunningError

EXITS[AlreadyRunningError] = ExitCode.USAGE


@app.command()
def serve(
    context: typer.Context,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log every operation, and what else is told at debug level.")
    ] = False,
) -> None:
    """Open all connections and keep them open, log what happens, and read changed settings by itself.

    SIGHUP reads the settings at once; SIGTERM stops, when the requests under way are answered.
    """
    logs.configure(debug=debug)
    run(serve_folder(folder_of(context), os.environ, debug=debug))
