"""`quintet demo`: the five tasks and a card at the three levels, on a directory that comes along."""

import asyncio
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from quintet.cards.cards import Cards
from quintet.cli.app import app
from quintet.cli.context import run
from quintet.cli.demo_directory import DemoDirectory, demo_directory, write_files, write_store
from quintet.cli.documents import connection
from quintet.cli.exit_codes import UsageError
from quintet.cli.show import AsJson, encryption, out, print_json, say, table, text
from quintet.config import Settings, load
from quintet.directory.directory import Directory
from quintet.directory.records import ConnectionStatus
from quintet.directory.services import Protection, Service
from quintet.embedded import sample

LOGIN, TYPED, UNIT, GROUP = "jsmith", "joh", f"ou=Engineering,{sample.PEOPLE}", "Company"
CARD = "business-card"
_MEANING = {
    Protection.ALL: "nobody on the wire can read anything",
    Protection.PASSWORDS: "names can be read, but no password",
    Protection.NONE: "everything can be read, even passwords",
}


@dataclass(frozen=True, slots=True)
class Round:
    """What one level did: an answer for each task, and the connections that it came over."""

    level: Protection
    answers: dict[str, str]
    connections: tuple[ConnectionStatus, ...]


@app.command()
def demo(
    keep: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Write the settings into DIR and keep the directory running, to try commands on.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show all five tasks and a card at the three levels, on a directory that comes along."""
    if keep is not None:
        run(_stay(_new_folder(keep)))
        return
    rounds = run(all_levels())
    if as_json:
        print_json({"levels": [_document(each) for each in rounds]})
    else:
        print_rounds(out(), rounds)


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
    async with Directory(settings) as directory, Cards(settings.cards) as cards:
        answers = {}
        login = await directory.resolve_login(LOGIN)
        answers[Service.RESOLVE_LOGIN.value] = f"{LOGIN}: {login.name}"
        person = await directory.authenticate(LOGIN, sample.password_of(LOGIN))
        answers[Service.AUTHENTICATE.value] = f"{person.name}: password right"
        found = await directory.resolve(TYPED)
        answers[Service.RESOLVE_NAMES.value] = f'"{TYPED}": {len(found.matches)} matches'
        page = await directory.browse(UNIT)
        answers[Service.BROWSE.value] = f"Engineering: {len(page.entries)} entries"
        group = (await directory.resolve(GROUP, people=False)).matches[0]
        content = await directory.members(group.id)
        answers[Service.GROUP_CONTENT.value] = f"{content.group.name}: {len(content.members)} people"
        card = await cards.card(LOGIN)
        answers[CARD] = f"{card.fields['Name'].value!s}: {len(card.fields)} fields"
        return Round(level, answers, _one_each(directory.status() + cards.status()))


def _one_each(found: tuple[ConnectionStatus, ...]) -> tuple[ConnectionStatus, ...]:
    """One connection of each task: a pool may have opened several, all alike."""
    first: dict[str, ConnectionStatus] = {}
    for status in found:
        first.setdefault(status.task, status)
    return tuple(first.values())


def _document(each: Round) -> dict[str, Any]:
    return {
        "protection": each.level.name.lower(),
        "answers": each.answers,
        "connections": [connection(status) for status in each.connections],
    }


def print_rounds(console: Console, rounds: Iterable[Round]) -> None:
    console.print(f"A made-up organisation of {_headcount()} people, served from memory on this machine.\n")
    for each in rounds:
        _print_round(console, each)
    console.print(Text("What to try next", "bold"))
    console.print("Keep this directory running, and ask it yourself in a second terminal:")
    console.print(Text(f"  {program()} demo --keep demo-settings", "cyan"), soft_wrap=True)


def _headcount() -> int:
    return sum(b"inetOrgPerson" in entry.attributes["objectClass"] for entry in sample.entries())


def _print_round(console: Console, each: Round) -> None:
    meaning = (f": {_MEANING[each.level]}", "dim")
    console.print(Text.assemble((f"Protection {each.level.name.lower()}", "bold"), meaning))
    made = table("connection", "what it was asked", "encryption", "bound as")
    for status in each.connections:
        made.add_row(
            text(status.task),
            text(each.answers[status.task]),
            encryption(status),
            text(status.bound_as or "nobody"),
        )
    console.print(made)


async def _stay(folder: Path) -> None:
    async with demo_directory() as directory:
        write_files(folder, directory, Protection.ALL, write_store(folder, directory))
        _print_invitation(folder, directory)
        try:
            await asyncio.Event().wait()
        finally:
            say(f"The directory is gone. The settings are still in {folder}.")


def _new_folder(folder: Path) -> Path:
    """The folder, made if need be. Nobody's settings are overwritten. Raises Wrong."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already, and not empty", "name a folder that does not exist yet")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder.resolve()


def _print_invitation(folder: Path, directory: DemoDirectory) -> None:
    console = out()
    ports = f"{directory.port} (clear) and {directory.tls_port} (TLS)"
    console.print(text(f"A directory of {_headcount()} people listens on ports {ports} of localhost."))
    console.print(text("In a second terminal, try:"))
    for command in _invitation(folder):
        console.print(Text(f"  {command}", "cyan"), soft_wrap=True)
    console.print(text("Ctrl-C ends it."))


def _invitation(folder: Path) -> Iterator[str]:
    quintet = program()
    yield f"export QUINTET_CONFIG={shlex.quote(str(folder))}"
    yield f"{quintet} connections"
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
