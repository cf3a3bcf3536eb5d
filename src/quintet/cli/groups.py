"""`quintet groups`: the groups of a person, and at which level."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from quintet.cli.app import command
from quintet.cli.context import run, settings_of
from quintet.cli.documents import Document, person_or_group
from quintet.cli.report_error import negative_answer
from quintet.cli.show import AsJson, named, out, print_json, print_table, text
from quintet.config.settings import Settings
from quintet.directory.directory import Directory
from quintet.directory.errors import UnknownNameError
from quintet.directory.records import Person
from quintet.directory.user_groups import DEEPEST, DEPTH, GroupLevel


@command
def groups(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A login name, or the whole name of a person.")],
    depth: Annotated[
        int, typer.Option("--depth", min=1, max=DEEPEST, help="How many levels of groups to follow.")
    ] = DEPTH,
    as_json: AsJson = False,
) -> None:
    """Level 1 is the groups that have the person as a member, level 2 the groups around these, and so on.

    Sametime looks for policies on the first 4 levels: the policy of the nearest group applies, whatever the
    weights of those farther away. Beyond that, the default policy does.
    """
    settings = settings_of(context)
    nothing: Document = {"person": None, "groups": []}
    with negative_answer(name, as_json=as_json, document=nothing):
        person, found = run(_groups(settings, name, depth))
    if as_json:
        print_json({"person": person_or_group(person), "groups": [level_document(each) for each in found]})
        return
    out().print(text(f"{person.name}: {len(found)} groups", "bold"))
    if found:
        print_table(("level", "group"), level_rows(found))
    counted = [each for each in found if each.level <= DEPTH]
    nearest = ", ".join(each.group.name for each in counted if each.level == 1)
    out().print(
        text(
            f"Policies: {len(counted)} groups count; those of level 1 come first ({nearest})."
            if counted
            else "Policies: no group counts, so the default policy applies."
        ),
        soft_wrap=True,
    )


def level_document(found: GroupLevel) -> dict[str, Any]:
    """A group in `--json`: as everywhere, with its level and whether a policy of it can apply."""
    return {
        **person_or_group(found.group),
        "level": found.level,
        "policy": found.level <= DEPTH,
    }


def level_rows(found: Sequence[GroupLevel]) -> list[tuple[str, Any]]:
    """The rows of a table: level and group."""
    return [(f"{each.level}", named(each.group.name, each.group.dn)) for each in found]


async def _groups(settings: Settings, name: str, depth: int) -> tuple[Person, tuple[GroupLevel, ...]]:
    async with Directory(settings) as directory:
        person = await _person(directory, name)
        return person, await directory.group_levels(person, depth=depth)


async def _person(directory: Directory, name: str) -> Person:
    """By login name, else the one person with exactly this name."""
    try:
        return await directory.resolve_login(name)
    except UnknownNameError:
        found = await directory.resolve(name, groups=False)
        match = found.matches[0] if found.exact and found.matches else None
        if not isinstance(match, Person):
            raise
        return match
