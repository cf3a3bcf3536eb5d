"""`quintet eavesdrop`: what can be read on the network of Quintet's own LDAP traffic."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from quintet.admin.eavesdrop import Report, ServiceDisclosure, SignInCredentials
from quintet.admin.eavesdrop import eavesdrop as capture
from quintet.admin.pcap import pcap
from quintet.cli.app import command
from quintet.cli.context import run, settings_of
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.level import LEVELS, Level
from quintet.cli.prompts import Yes, agree, ask_password, read_password
from quintet.cli.show import (
    AsJson,
    Force,
    err,
    print_json,
    print_line,
    print_table,
    printable,
    say,
    text,
    warn,
)
from quintet.directory import Protection, Service, weakest
from quintet.files import check_output, write_output


@command
def eavesdrop(
    context: typer.Context,
    level: Annotated[
        Level | None,
        typer.Option(
            metavar=LEVELS, help="Try this level instead of the configured one; no file is changed."
        ),
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
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Runs every task through a local proxy that records the traffic.

    Asks before --sign-in sends a password unencrypted. Exit code 3 when a task could not be run: its row then
    proves little.
    """
    if record is not None:
        check_output(record, overwrite=force)
    settings = settings_of(context)
    wanted = Protection[level.name] if level is not None else None
    user = None
    if sign_in is not None:
        if not (wanted or weakest(settings)).encrypts(Service.AUTHENTICATE):
            _agree_to_send(sign_in, yes=yes, asking=not password_stdin)
        password = read_password() if password_stdin else ask_password(sign_in, option="--password-stdin")
        user = SignInCredentials(sign_in, password)
    with err().status("running every task through a local proxy"):
        report = run(capture(settings, level=wanted, sign_in=user))
    if record is not None:
        _save(report, record, overwrite=force)
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


def _agree_to_send(name: str, *, yes: bool, asking: bool) -> None:
    """Standard input can't give both a password and an answer. Raises UsageError then."""
    if not yes and not asking:
        raise UsageError(
            f"the password of {name} would be sent unencrypted",
            "add --yes to send it, or choose another level",
        )
    agree(f"The password of {printable(name)} will be sent unencrypted. Send it?", yes=yes)


def _document(task: ServiceDisclosure) -> dict[str, Any]:
    found = task.disclosure
    document: dict[str, Any] = {
        "task": task.service.value,
        "encrypted": found and found.encrypted,
        "names_visible": found and found.names,
        "values_visible": found and found.values,
        "passwords_visible": found and found.passwords,
        "evidence": list(found.evidence) if found else [],
    }
    if task.error is not None:
        document["error"] = task.error
    return document


def _print(report: Report, *, tried: bool) -> None:
    print_line(
        "Protection: ",
        (report.protection.name.lower(), "bold"),
        " (tried only; no file was changed)" if tried else "",
    )
    rows = [(each.service.value, _encryption(each), _readable(each)) for each in report.services]
    print_table(("connection", "on the network", "readable"), rows)
    for each in report.services:
        for excerpt in _excerpts(each):
            print_line((f"{each.service.value}: ", "bold"), text(excerpt))
        if each.error is not None:
            warn(f"{each.service.value} could not be run, so its row proves little: {each.error}")
    print_line((_conclusion(report), "bold"))


def _excerpts(task: ServiceDisclosure) -> list[str]:
    """The fullest excerpt of each kind: a password, a request, an answer."""
    evidence = task.disclosure.evidence if task.disclosure is not None else ()
    firsts = {line.partition(" ")[0]: line for line in reversed(evidence)}
    return list(firsts.values())[::-1]


def _encryption(task: ServiceDisclosure) -> Text:
    if task.disclosure is None:
        return text("not run", "bold red")
    return text("encrypted", "green") if task.disclosure.encrypted else text("unencrypted", "yellow")


def _readable(task: ServiceDisclosure) -> Text:
    found = task.disclosure
    if found is None:
        return text("unknown", "bold red")
    kinds = {
        "names": found.names,
        "filters": found.filters,
        "values": found.values,
        "PASSWORDS": found.passwords,
    }
    readable = ", ".join(kind for kind, seen in kinds.items() if seen)
    return text(readable or "nothing", "bold red" if found.passwords else "yellow" if readable else "green")


def _conclusion(report: Report) -> str:
    found = {each.service: each.disclosure for each in report.services if each.disclosure is not None}
    if any(each.passwords for each in found.values()):
        return "Passwords are readable on the network. Fix: quintet protect passwords, or protect all."
    readable = {task for task, each in found.items() if each.names or each.values}
    if readable == {Service.BUSINESS_CARD}:
        return "Business cards are readable on the network, nothing else. Fix: quintet protect all --cards"
    if readable:
        return "Names and values are readable on the network, passwords are not. Fix: quintet protect all"
    if len(found) < len(report.services) or any(each.error for each in report.services):
        return "Nothing was readable, but not every task could be run."
    return "Nothing is readable on the network, apart from the fact, size and time of the connections."


def _save(report: Report, path: Path, *, overwrite: bool) -> None:
    write_output(path, pcap(report.recordings), overwrite=overwrite)
    if any(each.disclosure is not None and each.disclosure.passwords for each in report.services):
        warn(f"{path} contains unencrypted passwords; only its owner can read it")
    else:
        say(f"Capture written to {path}.")
    if any(recording.cut for recording in report.recordings):
        warn("there was more traffic than the capture holds; it ends early")
