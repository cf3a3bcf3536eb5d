"""The command `quintet` itself: its options, its table of commands, and its exit code after an error.

`COMMANDS` lists the commands, and a command's module is imported only when it is run. `command_line` is the
whole of it, with every module imported, for the pages that are made from the code.
"""

import copy
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import typer
from typer.core import TyperCommand, TyperGroup

import quintet
from quintet.cli.commands import COMMANDS, EXAMPLES
from quintet.cli.exit_codes import ExitCode
from quintet.cli.streams import OutputClosedError, ready_streams

TRACEBACK_VARIABLE = "QUINTET_TRACEBACK"
EXIT_CODES = (
    "Exit codes: 0 done, 1 the answer is no, 2 usage or configuration, "
    "3 the directory can't be reached or trusted."
)
_HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
_GLOBAL = ("config", "env_file")
"""The options that may be given before a command and after it."""

_Function = TypeVar("_Function", bound=Callable[..., None])


@dataclass(slots=True)
class Invocation:
    """What the options of `quintet` itself say: the folder of the settings, and files of variables."""

    config: Path
    env_file: Sequence[Path]


class CommandGroup(TyperGroup):
    """Takes the options of a command before its name, too: `quintet --json resolve smith`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, self._command_first(ctx, args))

    def _command_first(self, ctx: Any, args: list[str]) -> list[str]:
        """The arguments with the name of the command before those that are not options of the group.

        Unchanged when there is no such name. A word that follows a foreign option is its value, unless it is
        the name of a command.
        """
        own = {
            name: not getattr(option, "is_flag", False)
            for option in self.get_params(ctx)
            for name in (*option.opts, *option.secondary_opts)
        }
        names = frozenset(self.list_commands(ctx))
        ours: list[str] = []
        foreign: list[str] = []
        rest = iter(args)
        for arg in rest:
            name, equals, _ = arg.partition("=")
            if name in own:
                ours.append(arg)
                ours += [next(rest, "")] if own[name] and not equals else []
            elif arg in names:
                return [*ours, arg, *foreign, *rest] if foreign else args
            elif arg == "--" or not (foreign or arg.startswith("-")):
                break
            else:
                foreign.append(arg)
        return args


class LazyCommands(CommandGroup):
    """Lists the commands of the table without importing them; imports the one that is run."""

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
        _complete(command, name, [each for each in self.params if each.name in _GLOBAL])
        return command


app = typer.Typer(
    name="quintet",
    cls=LazyCommands,
    help="A Sametime-compatible community server for any LDAP directory.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich takes half of the start-up time of --help
    context_settings=_HELP,
)


def command(function: _Function) -> _Function:
    """Registers a function as the command of its name. Its docstring follows the summary of the table."""
    name = function.__name__.replace("_", "-")
    entry = COMMANDS[name]
    details = f"\n\n{cleandoc(function.__doc__)}" if function.__doc__ else ""
    return app.command(name, help=entry.summary + details)(function)


def command_line() -> Any:
    """The group of all commands, as the command line has them, with every module imported."""
    whole = cast("Any", typer.main.get_command(app))
    context = help_context(whole, "quintet")
    _tidy(whole)
    whole.commands = {name: whole.resolve_command(context, [name])[1] for name in COMMANDS}
    return whole


def help_context(command: Any, path: str) -> typer.Context:
    """What a command's help is made in."""
    return typer.Context(command, info_name=path, **_HELP)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line (without the program's name); the exit code. Errors go to standard error."""
    with ready_streams():
        try:
            return _run(arguments)
        except OutputClosedError:
            return ExitCode.OUTPUT_CLOSED
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = _code(arguments)
        sys.stdout.flush()
    except OutputClosedError:
        raise
    except Exception as error:  # the outermost place: whatever it is, it gets an exit code and no traceback
        if os.environ.get(TRACEBACK_VARIABLE):
            raise
        from quintet.cli.report_error import exit_code_of, report_error  # noqa: PLC0415 (only after an error)

        report_error(error)
        return exit_code_of(error)
    return code


def _code(arguments: Sequence[str] | None) -> int:
    try:
        whole = typer.main.get_command(app)
        _tidy(whole)
        whole(args=arguments, prog_name="quintet")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    return 0


def _complete(command: Any, path: str, options: Sequence[Any]) -> None:
    """Give a command and those below it their examples, and the options that may also be given after it."""
    _tidy(command)
    if path in EXAMPLES:
        # After \b, click keeps the lines as they are.
        command.epilog = "\n".join(("\b", "Examples:", *(f"  {each}" for each in EXAMPLES[path])))
    command.params += [_after_command(each) for each in options]
    for name, each in getattr(command, "commands", {}).items():
        _complete(each, f"{path} {name}", options)


def _after_command(option: Any) -> Any:
    own = copy.copy(option)
    own.expose_value, own.default, own.callback = False, None, _set
    own.envvar, own.show_default = None, False
    return own


def _set(context: typer.Context, parameter: Any, value: Any) -> Any:
    invocation = context.find_root().obj
    if value and isinstance(invocation, Invocation):
        setattr(invocation, parameter.name, value)
    return value


def _tidy(command: Any) -> None:
    """What the help shows: flags without a value, and arguments by their names, as `NAME` or `[NAME]`."""
    arguments = []
    for each in command.get_params(help_context(command, "")):
        if each.param_type_name == "argument":
            arguments.append(each.metavar if each.required else f"[{each.metavar.strip('[]')}]")
            each.display_type_rich = _nothing
        else:
            each.metavar = "" if each.is_flag else each.metavar or "VALUE"
    if arguments:
        command.collect_usage_pieces = lambda _: ["[OPTIONS]", *arguments]


def _nothing(ctx: Any) -> None:  # noqa: ARG001 (typer's signature)
    return None


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
    env_file: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE", help="A file of STI__Section__KEY variables, as containers use them. Repeatable."
        ),
    ] = None,
    version: Annotated[  # noqa: ARG001  # its callback does it all
        bool, typer.Option("-V", "--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    context.obj = Invocation(config, env_file or ())
