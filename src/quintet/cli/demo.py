"""`quintet demo`: the bundled sample directory with a server on it, or the tasks at the three levels once."""

import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from quintet.cards import Cards
from quintet.cli.app import command
from quintet.cli.context import run
from quintet.cli.demo_directory import DemoDirectory, DemoPorts, demo_directory, write_files, write_store
from quintet.cli.documents import connection
from quintet.cli.exit_codes import ExitCode, UsageError
from quintet.cli.show import AsJson, encryption, print_json, print_line, print_table, say
from quintet.config import Settings, load
from quintet.directory import ConnectionStatus, Directory, Protection, Service
from quintet.embedded import sample
from quintet.runtime import Running, serve
from quintet.web import PortError

USERS = ("jsmith", "jjones")
_ATTEMPTS = 3
LOGIN, TYPED, UNIT, GROUP = "jsmith", "joh", f"ou=Engineering,{sample.PEOPLE}", "Company"
_MEANING = {
    Protection.ALL: "nothing is readable on the network",
    Protection.PASSWORDS: "names are readable, passwords are not",
    Protection.NONE: "everything is readable, passwords included",
}


@dataclass(frozen=True, slots=True)
class Round:
    """What one level did: an answer for each task, and the connections that it came over."""

    level: Protection
    answers: dict[Service, str]
    connections: tuple[ConnectionStatus, ...]


@command
def demo(
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write the settings to DIR, and leave them there at the end."),
    ] = None,
    once: Annotated[
        bool,
        typer.Option("--once", help="Run all five tasks and open a card at each protection level, and end."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Starts the directory and a server for Sametime clients and browsers, until Ctrl-C.

    It says how to sign in, and what to try. Nothing listens beyond this machine. --json implies --once.
    """
    if not (once or as_json):
        run(_stay(keep))
        raise typer.Exit(ExitCode.INTERRUPTED)
    if keep is not None:
        raise UsageError("--keep and --once can't be combined", "leave one of them out")
    rounds = run(all_levels())
    if as_json:
        print_json({"levels": [_document(each) for each in rounds]})
    else:
        _print_rounds(rounds)


async def all_levels() -> list[Round]:
    """The demonstration itself: everything once at each level."""
    async with demo_directory() as directory:
        with tempfile.TemporaryDirectory(prefix="quintet-demo-") as name:
            folder = Path(name)
            password = write_store(folder, directory)
            rounds = []
            for level in (Protection.ALL, Protection.PASSWORDS, Protection.NONE):
                write_files(folder, directory, level, password)
                rounds.append(await _one_level(level, load(folder, {})))
            return rounds


async def _one_level(level: Protection, settings: Settings) -> Round:
    assert settings.cards is not None
    async with Directory(settings) as directory, Cards(settings) as cards:
        answers: dict[Service, str] = {}
        login = await directory.resolve_login(LOGIN)
        answers[Service.RESOLVE_LOGIN] = f"{LOGIN}: {login.name}"
        person = await directory.authenticate(LOGIN, sample.password_of(LOGIN))
        answers[Service.AUTHENTICATE] = f"{person.name}: authenticated"
        found = await directory.resolve(TYPED)
        answers[Service.RESOLVE_NAMES] = f'"{TYPED}": {len(found.matches)} matches'
        page = await directory.browse(UNIT)
        answers[Service.BROWSE] = f"Engineering: {len(page.entries)} entries"
        group = (await directory.resolve(GROUP, people=False)).matches[0]
        content = await directory.members(group.id)
        answers[Service.GROUP_CONTENT] = f"{content.group.name}: {len(content.members)} people"
        card = await cards.card(LOGIN)
        answers[Service.BUSINESS_CARD] = f"{card.fields['Name'].value!s}: {len(card.fields)} fields"
        return Round(level, answers, _one_each(directory.status() + cards.status()))


def _one_each(found: tuple[ConnectionStatus, ...]) -> tuple[ConnectionStatus, ...]:
    """One connection of each task: a pool may have opened several, all alike."""
    first: dict[Service, ConnectionStatus] = {}
    for status in found:
        first.setdefault(status.service, status)
    return tuple(first.values())


def _document(each: Round) -> dict[str, Any]:
    return {
        "protection": each.level.name.lower(),
        "answers": {service.value: answer for service, answer in each.answers.items()},
        "connections": [connection(status) for status in each.connections],
    }


def _print_rounds(rounds: Iterable[Round]) -> None:
    print_line(f"A fictitious organisation of {_headcount()} people, served from memory here.")
    for each in rounds:
        print_line()
        print_line((f"Protection {each.level.name.lower()}", "bold"), (f": {_MEANING[each.level]}", "dim"))
        print_table(
            ("connection", "request and answer", "encryption", "bound as"),
            [
                (
                    status.service.value,
                    each.answers[status.service],
                    encryption(status),
                    status.bound_as or "(anonymous)",
                )
                for status in each.connections
            ],
        )
    print_line(("What to try next", "bold"))
    print_line("Sign in with a Sametime client or a browser, and query from a second terminal:")
    print_line((f"  {program()} demo", "cyan"))


def _headcount() -> int:
    return sum(b"inetOrgPerson" in entry.attributes["objectClass"] for entry in sample.entries())


async def _stay(keep: Path | None) -> None:
    """The directory and the server, until a signal ends them."""
    with ExitStack() as stack:
        folder = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="quintet-demo-")))
            if keep is None
            else _new_folder(keep)
        )
        async with demo_directory() as directory:
            password = write_store(folder, directory)
            await _serve(folder, directory, password)
        kept = "" if keep is None else f" The settings remain in {folder}."
        say(f"The directory and the server have stopped.{kept}")


async def _serve(folder: Path, directory: DemoDirectory, password: str) -> None:
    """Raises PortError if others took the ports again and again."""
    for left in reversed(range(_ATTEMPTS)):
        ports = DemoPorts.free()
        write_files(folder, directory, Protection.ALL, password, ports)
        try:
            await serve(folder, {}, on_ready=partial(_invite, folder, directory, ports))
        except PortError:
            if not left:
                raise
        else:
            return


def _new_folder(folder: Path) -> Path:
    """The folder, created if needed. Existing settings are never overwritten. Raises UsageError."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} exists and is not empty", "name a folder that does not exist yet")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def _invite(folder: Path, directory: DemoDirectory, ports: DemoPorts, _: Running) -> None:
    """What to try, once everything runs."""
    listening = f"{directory.port} (LDAP) and {directory.tls_port} (LDAPS)"
    print_line(f"A directory of {_headcount()} people listens on ports {listening} of localhost.")
    print_line(f"Sametime clients sign in at localhost, port {ports.sametime}, with one of these names:")
    print_table(("name", "password"), [(each, sample.password_of(each)) for each in USERS])
    print_line("In Pidgin or Finch, add an account: protocol Sametime, server localhost,")
    print_line(
        f'port {ports.sametime}, "Force login (ignore server redirects)" on, "Hide client identity" off.'
    )
    print_line("In a second terminal, try:")
    for line in _invitation(folder):
        print_line((f"  {line}", "cyan"))
    print_line("In a browser, open ", (f"http://localhost:{ports.http}", "cyan"))
    print_line(f"and sign in as {LOGIN} with the password {sample.password_of(LOGIN)}")
    print_line(f"As an administrator, {LOGIN} sees the connections to the directory there, too.")
    print_line("Ctrl-C stops it.")


def _invitation(folder: Path) -> Iterator[str]:
    quintet = program()
    yield f"export QUINTET_CONFIG={shlex.quote(str(folder))}"
    yield f"{quintet} connections"
    yield f"{quintet} sessions"
    yield f"{quintet} resolve john"
    yield f"echo {sample.password_of(LOGIN)} | {quintet} authenticate {LOGIN} --password-stdin"
    yield f"{quintet} browse {shlex.quote(UNIT)}"
    yield f"{quintet} members {shlex.quote(GROUP)}"
    yield f"{quintet} card {LOGIN}"
    yield f"{quintet} eavesdrop"
    yield f"{quintet} protect passwords --yes"
    yield f"{quintet} eavesdrop"


def program() -> str:
    """How to call this program from here."""
    found = shutil.which("quintet")
    own = Path(sys.argv[0])
    if found is not None and own.name == "quintet" and Path(found).resolve() == own.resolve():
        return "quintet"
    return shlex.quote(str(own.absolute())) if own.name == "quintet" else "quintet"
