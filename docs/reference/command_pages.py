"""The reference page and the manual page of the commands, from the command line itself."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import quintet
from quintet.cli import app as command_line
from quintet.cli.commands import COMMANDS, EXAMPLES
from quintet.cli.exit_codes import ExitCode
from quintet.cli.init import PASSWORD_VARIABLE

_EVERYWHERE = {"config", "env_file", "help"}
"""Options that every command has; they are described once."""

EXIT_MEANINGS = {
    ExitCode.DONE: "Done, or the answer is yes.",
    ExitCode.NO: "The answer is no: refused, not found, not agreed to; or `doctor` found an error.",
    ExitCode.USAGE: "The command line or the configuration is wrong.",
    ExitCode.UNREACHABLE: "The directory can't be reached or can't be trusted.",
    ExitCode.BUG: "An unforeseen error, which is a fault of Quintet.",
    ExitCode.INTERRUPTED: "Interrupted with Ctrl-C.",
    ExitCode.OUTPUT_CLOSED: "The reader of the output has gone, as after `| head -1`; nothing is printed.",
}
_ENVIRONMENT = (
    ("QUINTET_CONFIG", "The folder with the settings, where --config is not given."),
    ("STI__Section__KEY", "A key of sametime.ini; the variable wins over the file."),
    (PASSWORD_VARIABLE, "The service account's password for quintet init."),
    ("NO_COLOR", "No colours, when it is not empty."),
    (command_line.TRACEBACK_VARIABLE, "A traceback after an error, when it is not empty."),
)
_FILES = (
    ("sametime.ini", "TLS settings and the protection level."),
    ("StCommunityConfig.xml", "The LDAP servers."),
    ("UserInfoConfig.xml", "Business cards."),
)
_OUTPUT = (
    "Results go to standard output, everything else to standard error. At a terminal, results are tables;"
    " elsewhere each row is one line with tabs between the values. With --json, standard output is one JSON"
    " document and nothing else."
)
_PLACE = (
    "The options of quintet and those of a command may be given before the command and after it:"
    " quintet --json resolve smith is quintet resolve smith --json."
)


class Option(NamedTuple):
    """An option or an argument: how it is written, and its help with range and default."""

    names: tuple[str, ...]
    value: str
    meaning: str


class Command(NamedTuple):
    """A command, or a group of commands."""

    path: str
    usage: str
    paragraphs: list[str]
    parameters: list[Option]


def commands() -> Iterator[Command]:
    """All commands in the order of the table, each group before its commands."""
    whole = command_line.command_line()
    for name in COMMANDS:
        yield from _commands(whole.commands[name], name)


def markdown() -> Iterator[str]:
    """The parts of `commands.md`, below its title."""
    yield (
        "`quintet [--config DIR] COMMAND …`. `DIR` is the folder with the three files; without `--config` it"
        " is the value of `QUINTET_CONFIG`, else the current folder. `--env-file FILE` reads variables"
        " `STI__Section__KEY`, as containers use them; it can be repeated."
    )
    yield _OUTPUT.replace("--json", "`--json`") + (
        " Every command says with its [exit code](exit-codes.md) how it ended. `-h` shows its help."
    )
    yield _PLACE.replace(
        "quintet --json resolve smith is quintet resolve smith --json",
        "`quintet --json resolve smith` is `quintet resolve smith --json`",
    )
    yield (
        "`man quintet` has the same as this page. `quintet --install-completion` installs the completion of"
        " commands and options for bash, zsh, fish and PowerShell."
    )
    yield f"`{command_line.TRACEBACK_VARIABLE}=1` shows the traceback of an error."
    panel = ""
    for each in commands():
        entry = COMMANDS.get(each.path)
        if entry is not None and entry.panel != panel:
            panel = entry.panel
            yield f"## {panel}"
        yield f"{'#' * (each.path.count(' ') + 3)} quintet {each.path}"
        yield f"`{each.usage}`"
        yield from each.paragraphs
        if each.parameters:
            yield _markdown_table(each.parameters)
        yield "\n".join(("```sh", *EXAMPLES[each.path], "```"))


def man() -> str:
    """The manual page of quintet, written for roff with its macros for manuals."""
    lines = [
        r".\" Made by script/docs from the code. Changes belong there.",
        f'.TH QUINTET 1 "" "Quintet {quintet.__version__}" "User Commands"',
        ".SH NAME",
        r"quintet \- a Sametime\-compatible community server for any LDAP directory",
        ".SH SYNOPSIS",
        ".B quintet",
        r"[\fB\-\-config\fR \fIDIR\fR] [\fB\-\-env\-file\fR \fIFILE\fR] \fICOMMAND\fR ...",
        ".SH DESCRIPTION",
        _roff(
            "Quintet authenticates users, finds people and groups, browses the directory, opens public groups"
            " and serves business cards, with one LDAP connection for each of these services. The"
            " administrator chooses which of them are encrypted."
        ),
        ".PP",
        _roff(_OUTPUT),
        ".PP",
        _roff(_PLACE),
        ".SH OPTIONS",
        *_definitions(_parameters(command_line.command_line(), keep=True)),
        ".SH COMMANDS",
    ]
    for each in commands():
        lines += [f".SS {_roff(each.usage)}"]
        for paragraph in each.paragraphs:
            lines += [_roff(paragraph), ".PP"]
        lines += _definitions(each.parameters)
        lines += [".PP", "Examples:", ".PP", ".RS 4", ".nf", *map(_roff, EXAMPLES[each.path]), ".fi", ".RE"]
    lines += [".SH EXIT STATUS"]
    for code, meaning in EXIT_MEANINGS.items():
        lines += [".TP", f".B {code.value}", _roff(meaning.replace("`", ""))]
    for title, pairs in (("ENVIRONMENT", _ENVIRONMENT), ("FILES", _FILES)):
        lines += [f".SH {title}"]
        for name, meaning in pairs:
            lines += [".TP", f".B {_roff(name)}", _roff(meaning)]
    lines += [".SH SEE ALSO", r".BR slapd (8), \ ldapsearch (1), \ systemd (1)"]
    return "\n".join(lines) + "\n"


def _commands(command: Any, path: str) -> Iterator[Command]:
    context = command_line.help_context(command, f"quintet {path}")
    usage = " ".join((f"quintet {path}", *command.collect_usage_pieces(context)))
    paragraphs = [_one_line(each) for each in command.help.split("\n\n")]
    yield Command(path, usage, paragraphs, _parameters(command, keep=False))
    for name, each in getattr(command, "commands", {}).items():
        yield from _commands(each, f"{path} {name}")


def _parameters(command: Any, *, keep: bool) -> list[Option]:
    context = command_line.help_context(command, "quintet")
    found = []
    for each in command.get_params(context):
        if each.name in _EVERYWHERE and not keep:
            continue
        record = each.get_help_record(context)
        assert record is not None
        argument = each.param_type_name == "argument"
        names = (record[0],) if argument else (*each.opts, *each.secondary_opts)
        if each.name == "help":
            names = tuple(sorted(names))  # click keeps them in a set
        found.append(Option(names, "" if argument else each.metavar, _meaning(record[1])))
    return found


def _meaning(text: str) -> str:
    """The help of click with its range and default as sentences."""
    text, _, extra = text.partition("[") if text.endswith("]") else (text, "", "")
    parts = [text.strip()]
    for each in extra.removesuffix("]").split("; "):
        between = re.fullmatch(r"(\d+)<=x<=(\d+)", each)
        name, _, value = each.partition(": ")
        if between is not None:
            parts.append(f"From {int(between[1]):,} to {int(between[2]):,}.")
        elif name == "default":
            parts.append(f"Default: {value.strip('()')}.")
        elif name == "env var":
            parts.append(f"Environment variable: {value}.")
    return " ".join(part for part in parts if part)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _markdown_table(options: Iterable[Option]) -> str:
    rows = ["| | |", "| --- | --- |"]
    for each in options:
        names = ", ".join(f"`{name}{_value_of(each, name)}`" for name in each.names)
        rows.append(
            f"| {names} | {each.meaning} |".replace("|passwords|", "\\|passwords\\|").replace("0|1", "0\\|1")
        )
    return "\n".join(rows)


def _value_of(option: Option, name: str) -> str:
    return f" {option.value}" if option.value and name.startswith("--") else ""


def _definitions(options: Iterable[Option]) -> Iterator[str]:
    for each in options:
        names = ", ".join(
            rf"\fB{_roff(name)}\fR" + (rf" \fI{_roff(each.value)}\fR" if _value_of(each, name) else "")
            for name in each.names
        )
        yield ".TP"
        yield names
        yield _roff(each.meaning)


def _roff(text: str) -> str:
    """Text for roff: no character of it is a request or an escape."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return rf"\&{text}" if text.startswith(".") else text
