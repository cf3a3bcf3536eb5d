"""`quintet protect`: chooses how much is encrypted, in all three files, and tries it before it writes."""

import os
from pathlib import Path
from typing import Annotated

import typer

from quintet.admin.dry_run import refusals
from quintet.admin.protect import Plan, ProtectError, carry_out, make_plan
from quintet.admin.rewriting import FolderLockedError, RewriteError, only_one
from quintet.cli.app import app
from quintet.cli.context import folder_of, run
from quintet.cli.exit_codes import EXITS, ExitCode
from quintet.cli.level import Level
from quintet.cli.prompts import Yes, agree
from quintet.cli.show import AsJson, hint, out, print_json, printable, say, text, warn
from quintet.directory import Protection
from quintet.runtime.pidfile import tell_to_reload

EXITS[ProtectError] = ExitCode.USAGE
EXITS[RewriteError] = ExitCode.USAGE
EXITS[FolderLockedError] = ExitCode.NO

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@app.command()
def protect(
    context: typer.Context,
    level: Annotated[Level, typer.Argument(help="What to encrypt.")],
    cards: Annotated[
        bool | None,
        typer.Option("--cards/--no-cards", help="Encrypt the business cards as well, or no longer."),
    ] = None,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write even when the new connections cannot be opened.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change and try it; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Choose how much is encrypted. Shows the change, tries it, asks, and writes with a backup."""
    folder = folder_of(context)
    with only_one(folder):
        plan = make_plan(folder, os.environ, Protection[level.name], cards=cards)
        if not as_json:
            _show(plan, folder)
        refused = run(refusals(plan.settings, cards=bool(cards))) if plan.rewrites else ()
        may_write = bool(plan.rewrites) and not dry_run and (force or not refused)
        if not as_json:
            _tell(plan, refused, force=force, dry_run=dry_run)
        backups: tuple[Path, ...] = ()
        if may_write:
            agree("Write this?", yes=yes)
            backups = carry_out(plan)
    reloaded = _reload(folder) if may_write else None
    if as_json:
        print_json(
            {
                "protection": level.value,
                "cards": cards,
                "changed": [each.path.name for each in plan.rewrites],
                "difference": plan.difference,
                "refused": list(refused),
                "written": may_write,
                "backups": [str(path) for path in backups],
                "reloaded": reloaded,
            }
        )
    elif may_write:
        _written(plan, backups, reloaded)
    if refused and not may_write:
        raise typer.Exit(ExitCode.UNREACHABLE)


def _show(plan: Plan, folder: Path) -> None:
    if not plan.rewrites:
        out().print(text(f"The files in {folder} say so already; nothing changes.", "green"), soft_wrap=True)
        return
    lines = plan.difference.splitlines()
    for line, before, after in zip(lines, ["", *lines], [*lines[1:], ""], strict=False):
        shown = text(line, _COLOURS.get(line[:1], ""))
        other = after if line[:1] == "-" else before
        if line[:1] + other[:1] in ("-+", "+-") and not line.startswith(("---", "+++")):
            shown.stylize("bold reverse", *_changed(line, other))
        out().print(shown, soft_wrap=True)


def _changed(line: str, other: str) -> tuple[int, int]:
    """Which part of a line is not in its counterpart; the first letter is the sign of the difference."""
    start = 1 + _common(line[1:], other[1:])
    return start, len(line) - _common(line[: start - 1 : -1], other[: start - 1 : -1])


def _common(one: str, other: str) -> int:
    """How many letters two texts have in common at their beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _tell(plan: Plan, refused: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    for reason in refused:
        warn(f"this would not connect: {reason}")
    if plan.rewrites and not refused:
        say("All connections open with these settings.")
    if plan.rewrites and (dry_run or (refused and not force)):
        say("Nothing was written.")
    if refused and not force:
        hint("mend what is named above; --force writes all the same")


def _reload(folder: Path) -> int | None:
    try:
        return tell_to_reload(folder)
    except PermissionError:
        warn("the running server belongs to another user, so it was not told to reload")
        hint("systemctl reload quintet")
        return None


def _written(plan: Plan, backups: tuple[Path, ...], reloaded: int | None) -> None:
    names = ", ".join(each.path.name for each in plan.rewrites)
    kept = ", ".join(path.name for path in backups)
    out().print(text(f"Written: {names}" + (f" (the old ones: {kept})" if kept else "")), soft_wrap=True)
    if reloaded is not None:
        out().print(text(f"The running server (process {printable(reloaded)}) was told to reload."))
