"""`quintet eavesdrop`: what someone listening on the wire would read."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from quintet.admin.eavesdrop import Report, ServiceDisclosure, SignIn
from quintet.admin.eavesdrop import eavesdrop as listen_in
from quintet.admin.pcap import pcap
from quintet.cli.app import app
from quintet.cli.context import run, settings_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.level import Level
from quintet.cli.prompts import ask_password, read_password
from quintet.cli.show import AsJson, out, print_json, say, table, text, warn
from quintet.directory import Protection, Service
from quintet.files import PRIVATE, replace_file


@app.command()
def eavesdrop(
    context: typer.Context,
    level: Annotated[
        Level | None, typer.Option(help="Try this level instead of the one that is set; nothing is written.")
    ] = None,
    record: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Save what passed as a capture for Wireshark.")
    ] = None,
    sign_in: Annotated[
        str | None, typer.Option(metavar="NAME", help="Make a real sign-in, too, and listen to it.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password of NAME from standard input.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Listen in on ourselves: run everything through a recording relay and show what can be read.

    Exit code 3 when a task could not be run: what was not said cannot be overheard.
    """
    settings = settings_of(context)
    person = None
    if sign_in is not None:
        password = read_password() if password_stdin else ask_password(sign_in, option="--password-stdin")
        person = SignIn(sign_in, password)
    wanted = Protection[level.name] if level is not None else None
    report = run(listen_in(settings, level=wanted, sign_in=person))
    if record is not None:
        _save(report, record)
    if as_json:
        print_json(
            {
                "protection": report.protection.name.lower(),
                "connections": [_document(each) for each in report.services],
            }
        )
    else:
        _print(report, tried=level is not None)
    if any(each.error is not None for each in report.services):
        raise typer.Exit(ExitCode.UNREACHABLE)


def _document(task: ServiceDisclosure) -> dict[str, Any]:
    heard = task.overheard
    document: dict[str, Any] = {
        "task": task.service.value,
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
            " (only tried, nothing was written)" if tried else "",
        )
    )
    rows = table("connection", "on the wire", "a listener reads")
    for task in report.services:
        rows.add_row(text(task.service.value), _wire(task), _reads(task))
    out().print(rows)
    for task in report.services:
        for line in _telling(task):
            shown = Text.assemble((f"{task.service.value}: ", "bold"), text(line))
            out().print(shown, no_wrap=True, overflow="ellipsis")
        if task.error is not None:
            warn(
                f"{task.service.value} could not be run as it should, so this row proves little: {task.error}"
            )
    out().print(text(_conclusion(report), "bold"))


def _telling(task: ServiceDisclosure) -> list[str]:
    """The fullest excerpt of each kind: a password, a question, an answer."""
    evidence = task.overheard.evidence if task.overheard is not None else ()
    firsts = {line.partition(" ")[0]: line for line in reversed(evidence)}
    return list(firsts.values())[::-1]


def _wire(task: ServiceDisclosure) -> Text:
    if task.overheard is None:
        return text("not run", "bold red")
    return text("encrypted", "green") if task.overheard.encrypted else text("clear", "yellow")


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
    heard = [each.overheard for each in report.services if each.overheard is not None]
    if any(each.passwords for each in heard):
        return "Whoever listens gets passwords. quintet protect passwords hides them, protect all hides all."
    if any(each.names or each.values for each in heard):
        if all(
            each.service is Service.BUSINESS_CARD
            for each in report.services
            if each.overheard and each.overheard.names
        ):
            return "Whoever listens reads business cards, and no more. quintet protect all --cards ends that."
        return (
            "Whoever listens gets no password, but reads who looks for whom. quintet protect all ends that."
        )
    if len(heard) < len(report.services) or any(each.error for each in report.services):
        return "Nothing was read, but not everything could be run."
    return "Whoever listens reads nothing: only that there is a connection, how much passes, and when."


def _save(report: Report, path: Path) -> None:
    replace_file(path, pcap(report.recordings), mode=PRIVATE)
    if any(each.overheard is not None and each.overheard.passwords for each in report.services):
        warn(f"{path} holds passwords in clear, as they crossed the wire; it is readable by you alone")
    else:
        say(f"The capture is in {path}.")
    if any(recording.cut for recording in report.recordings):
        warn("more passed than is recorded; the capture ends early")
