"""The command `quintet` itself: its options, and what becomes of errors."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import quintet
from quintet import logs
from quintet.cli.exit_codes import ExitCode, exit_of
from quintet.cli.show import tell
from quintet.cli.streams import OutputClosedError, ready_streams

TRACEBACK_VARIABLE = "QUINTET_TRACEBACK"
_HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}

app = typer.Typer(
    name="quintet",
    help="The directory side of a Sametime community: five LDAP connections, protected as chosen.",
    epilog="Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, "
    "3 the directory cannot be reached or trusted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings=_HELP,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name); the exit code. Errors go to standard error."""
    with ready_streams():
        logs.configure(quiet=True)
        try:
            return _run(arguments)
        except OutputClosedError:
            return ExitCode.READER_GONE


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _code(arguments)
        sys.stdout.flush()
    except OutputClosedError:
        raise
    except Exception as error:  # nobody at a terminal shall see a traceback
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        tell(error)
        return exit_of(error)
    return code


def _code(arguments: Sequence[str] | None) -> int:
    try:
        _command()(args=arguments, prog_name="quintet")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _command() -> Any:
    """The whole command line."""
    whole = typer.main.get_command(app)
    _show_flags_bare(whole)
    return whole


def _show_flags_bare(command: Any) -> None:
    """A flag takes no value, so help shall show none."""
    for option in command.get_params(typer.Context(command, **_HELP)):
        if getattr(option, "is_flag", False):
            option.metavar = ""
    for each in getattr(command, "commands", {}).values():
        _show_flags_bare(each)


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
