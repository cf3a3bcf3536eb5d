"""The command `quintet` itself: its options, its table of commands, and its exit code after an error."""

import copy
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast, final

import typer
from typer.core import TyperCommand, TyperGroup

import quintet
from quintet.cli.commands import COMMANDS
from quintet.cli.exit_codes import ExitCode
from quintet.cli.streams import OutputClosedError, ready_streams

TRACEBACK_VARIABLE = "QUINTET_TRACEBACK"
_HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
_Function = TypeVar("_Function", bound=Callable[..., None])


@final
class CommandTable(TyperGroup):
    """Lists the commands without importing them; imports the one that is run."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 (click's signature)
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 (click's signature)
        entry = COMMANDS.get(cmd_name)
        return entry and TyperCommand(cmd_name, help=entry.summary)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 (click's signature)
        for panel in dict.fromkeys(entry.panel for entry in COMMANDS.values()):
            with formatter.section(panel):
                formatter.write_dl(
                    [(name, entry.summary) for name, entry in COMMANDS.items() if entry.panel == panel]
                )

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and self._load(str(name)), rest

    def _load(self, name: str) -> Any:
        import_module(f"quintet.cli.{COMMANDS[name].module}")
        import_module("quintet.logs").configure(quiet=True)
        command = cast("Any", typer.main.get_command(app)).commands[name]
        config = next(each for each in self.params if each.name == "config")
        _complete(command, config)
        return command


app = typer.Typer(
    name="quintet",
    cls=CommandTable,
    help="A Sametime-compatible community server for any LDAP directory.",
    epilog="Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, "
    "3 the directory can't be reached or trusted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes half of the start-up time of --help
    context_settings=_HELP,
)


def command(function: _Function) -> _Function:
    """Registers a function as the command of its name. Its docstring follows the summary of the table."""
    name = function.__name__.replace("_", "-")
    entry = COMMANDS[name]
    details = f"\n\n{function.__doc__}" if function.__doc__ else ""
    return app.command(name, help=entry.summary + details)(function)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name); the exit code. Errors go to standard error."""
    with ready_streams():
        try:
            return _run(arguments)
        except OutputClosedError:
            return ExitCode.OUTPUT_CLOSED


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _code(arguments)
        sys.stdout.flush()
    except OutputClosedError:
        raise
    except Exception as error:
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        from quintet.cli.report_error import exit_code_of, report_error  # noqa: PLC0415 (only after an error)

        report_error(error)
        return exit_code_of(error)
    return code


def _code(arguments: Sequence[str] | None) -> int:
    try:
        whole = typer.main.get_command(app)
        _show_flags_bare(whole)
        whole(args=arguments, prog_name="quintet")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _complete(command: Any, config: Any) -> None:
    """Give a command and those below it `--config`, so that it may stand after the command, too."""
    _show_flags_bare(command)
    own = copy.copy(config)
    own.expose_value, own.default, own.callback = False, None, _set_folder
    own.envvar, own.show_default, own.help = None, False, "The folder with the settings."
    command.params.append(own)
    for each in getattr(command, "commands", {}).values():
        _complete(each, config)


def _show_flags_bare(command: Any) -> None:
    """A flag takes no value, so the help shows none."""
    for option in command.get_params(typer.Context(command, **_HELP)):
        if getattr(option, "is_flag", False):
            option.metavar = ""


def _set_folder(context: typer.Context, parameter: Any, folder: Path | None) -> Path | None:
    del parameter
    if folder is not None:
        context.find_root().obj = folder
    return folder


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
        bool, typer.Option("-V", "--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = config
