"""`quintet eavesdrop`: what can be read on the network of Quintet's own LDAP traffic."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from quintet.admin.eavesdrop import CARD, Report, ServiceDisclosure, SignIn
from quintet.admin.eavesdrop import eavesdrop as listen_in
from quintet.admin.pcap import pcap
from quintet.cli.app import command
from quintet.cli.context import run, settings_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.level import Level
from quintet.cli.prompts import ask_password, read_password
from quintet.cli.show import AsJson, Force, out, print_json, say, table, text, warn
from quintet.directory.services import Protection
from quintet.files import check_output, write_output


@command
def eavesdrop(
    context: typer.Context,
    level: Annotated[
        Level | None, typer.Option(help="Try this level instead of the configured one; no file is changed.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save the traffic as a capture for Wireshark.")
    ] = None,
    force: Force = False,
    sign_in: Annotated[
        str | None, typer.Option(metavar="NAME", help="Also authenticate this user, and capture it.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password of NAME from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Runs every task through a local proxy that records the traffic.

    Exit code 3 when a task could not be run: its row then proves little.
    """
    if record is not None:
        check_output(record, overwrite=force)
    settings = settings_of(context)
    person = None
    if sign_in is not None:
        password = read_password() if password_stdin else ask_password(sign_in, option="--password-stdin")
        person = SignIn(sign_in, password)
    wanted = Protection[level.name] if level is not None else None
    report = run(listen_in(settings, level=wanted, sign_in=person))
    if record is not None:
        _save(report, record, overwrite=force)
    if as_json:
        print_json(
            {
                "protection": report.protection.name.lower(),
                "connections": [_document(each) for each in report.tasks],
            }
        )
    else:
        _print(report, tried=level is not None)
    if any(each.error is not None for each in report.tasks):
        raise typer.Exit(ExitCode.UNREACHABLE)


def _document(task: ServiceDisclosure) -> dict[str, Any]:
    heard = task.overheard
    document: dict[str, Any] = {
        "task": task.task,
        "encrypted": heard and heard.encrypted,
        "names_visible": heard and heard.names,
        "values_visible": heard and heard.values,
        "passwords_visible": heard and heard.passwords,
        "evidence": list(heard.evidence) if heard else [],
    }
    if task.error is not None:
        document["error"] = task.error
    return document


def _print(report: Report, *, tried: bool) -> None:
    out().print(
        Text.assemble(
            "Protection: ",
            (report.protection.name.lower(), "bold"),
            " (tried only; no file was changed)" if tried else "",
        )
    )
    rows = table("connection", "on the network", "readable")
    for task in report.tasks:
        rows.add_row(text(task.task), _wire(task), _reads(task))
    out().print(rows)
    for task in report.tasks:
        for line in _telling(task):
            shown = Text.assemble((f"{task.task}: ", "bold"), text(line))
            out().print(shown, no_wrap=True, overflow="ellipsis")
        if task.error is not None:
            warn(f"{task.task} could not be run, so its row proves little: {task.error}")
    out().print(text(_conclusion(report), "bold"))


def _telling(task: ServiceDisclosure) -> list[str]:
    """The fullest excerpt of each kind: a password, a request, an answer."""
    evidence = task.overheard.evidence if task.overheard is not None else ()
    firsts = {line.partition(" ")[0]: line for line in reversed(evidence)}
    return list(firsts.values())[::-1]


def _wire(task: ServiceDisclosure) -> Text:
    if task.overheard is None:
        return text("not run", "bold red")
    return text("encrypted", "green") if task.overheard.encrypted else text("unencrypted", "yellow")


def _reads(task: ServiceDisclosure) -> Text:
    heard = task.overheard
    if heard is None:
        return text("unknown", "bold red")
    kinds = {
        "names": heard.names,
        "filters": heard.filters,
        "values": heard.values,
        "PASSWORDS": heard.passwords,
    }
    read = ", ".join(kind for kind, seen in kinds.items() if seen)
    return text(read or "nothing", "bold red" if heard.passwords else "yellow" if read else "green")


def _conclusion(report: Report) -> str:
    heard = [each.overheard for each in report.tasks if each.overheard is not None]
    if any(each.passwords for each in heard):
        return "Passwords are readable on the network. Fix: quintet protect passwords, or protect all."
    if any(each.names or each.values for each in heard):
        if all(each.task == CARD for each in report.tasks if each.overheard and each.overheard.names):
            return (
                "Business cards are readable on the network, nothing else. Fix: quintet protect all --cards"
            )
        return "Names and values are readable on the network, passwords are not. Fix: quintet protect all"
    if len(heard) < len(report.tasks) or any(each.error for each in report.tasks):
        return "Nothing was readable, but not every task could be run."
    return "Nothing is readable on the network, apart from the fact, size and time of the connections."


def _save(report: Report, path: Path, *, overwrite: bool) -> None:
    write_output(path, pcap(report.recordings), overwrite=overwrite)
    if any(each.overheard is not None and each.overheard.passwords for each in report.tasks):
        warn(f"{path} contains unencrypted passwords; only its owner can read it")
    else:
        say(f"Capture written to {path}.")
    if any(recording.cut for recording in report.recordings):
        warn("there was more traffic than the capture holds; it ends early")
