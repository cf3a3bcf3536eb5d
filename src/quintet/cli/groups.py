"""`quintet groups`: the groups of a person, and at which level."""

from collections.abc import Sequence
from typing import Annotated, Any

import typer

from quintet.cli.app import command
from quintet.cli.context import run, settings_of
from quintet.cli.documents import Document, person_or_group
from quintet.cli.report_error import negative_answer
from quintet.cli.show import AsJson, print_json, print_line, print_table
from quintet.config import Settings
from quintet.directory import DEEPEST, DEPTH, Directory, GroupLevel, Person, UnknownNameError


@command
def groups(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="A login name, or the whole name of a person.")],
    depth: Annotated[
        int, typer.Option("--depth", min=1, max=DEEPEST, help="How many levels of groups to follow.")
    ] = DEPTH,
    as_json: AsJson = False,
) -> None:
    """Level 1 is the groups that have the person as a member, level 2 the groups around these, and so on.

    Sametime looks for policies on the first 4 levels: the policy of the nearest group applies, whatever the
    weights of those farther away. Beyond that, the default policy does.
    """
    settings = settings_of(context, account_warnings=False)
    nothing: Document = {"person": None, "groups": []}
    with negative_answer(name, as_json=as_json, document=nothing):
        person, found = run(_groups(settings, name, depth))
    if as_json:
        print_json({"person": person_or_group(person), "groups": [level_document(each) for each in found]})
        return
    print_line((f"{person.name}: {len(found)} groups", "bold"))
    if found:
        print_levels(found)
    counted = [each for each in found if each.level <= DEPTH]
    nearest = ", ".join(each.group.name for each in counted if each.level == 1)
    if counted:
        print_line(f"Policies: {len(counted)} groups count; those of level 1 come first ({nearest}).")
    else:
        print_line("Policies: no group counts, so the default policy applies.")


def level_document(found: GroupLevel) -> dict[str, Any]:
    """A group in `--json`: as everywhere, with its level and whether a policy of it can apply."""
    return {
        **person_or_group(found.group),
        "level": found.level,
        "policy": found.level <= DEPTH,
    }


def print_levels(found: Sequence[GroupLevel]) -> None:
    """A table of groups with their levels."""
    rows = [(f"{each.level}", each.group.name, each.group.dn) for each in found]
    print_table(("level", "group"), rows, below={"dn": "group"})


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
