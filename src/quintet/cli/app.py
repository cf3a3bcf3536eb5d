"""The command `quintet` itself: its options, and what becomes of errors."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import quintet
from quintet import logs
from quintet.cli.exits import exit_of
from quintet.cli.show import tell

TRACEBACK_VARIABLE = "QUINTET_TRACEBACK"

app = typer.Typer(
    name="quintet",
    help="The directory side of a Sametime community: five LDAP connections, protected as chosen.",
    epilog="Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, "
    "3 the directory cannot be reached or trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name); the exit code. Errors go to standard error."""
    logs.configure(quiet=True)
    try:
        app(args=arguments, prog_name="quintet")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception as error:  # nobody at a terminal shall see a traceback
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        tell(error)
        return exit_of(error)
    return 0


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"quintet {quintet.__version__}\n")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path,
        typer.Option(
            envvar="QUINTET_CONFIG",
            metavar="DIR",
            help="The folder with sametime.ini, StCommunityConfig.xml and UserInfoConfig.xml.",
            show_default="the current folder",
        ),
    ] = Path(),
    version: Annotated[  # noqa: ARG001  # its callback does it all
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = config
