"""`quintet protect`: set the protection level in all three files, after trying it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from quintet.admin.protect import ProtectError, ProtectionPlan, carry_out, failures, make_plan
from quintet.cli.app import command
from quintet.cli.context import environ_of, folder_of, run
from quintet.cli.exit_codes import ExitCode
from quintet.cli.level import LEVELS, Level
from quintet.cli.progress import waiting_for_connections
from quintet.cli.prompts import Yes, agree
from quintet.cli.report_error import EXITS
from quintet.cli.show import AsJson, hint, print_json, print_line, say, text, warn
from quintet.directory import Protection
from quintet.files import locked
from quintet.runtime import reload_running

EXITS[ProtectError] = ExitCode.USAGE

_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


@command
def protect(
    context: typer.Context,
    level: Annotated[Level, typer.Argument(metavar=LEVELS, help="Which connections are encrypted.")],
    cards: Annotated[
        bool | None,
        typer.Option("--cards/--no-cards", help="Encrypt the business cards' connection too, or not."),
    ] = None,
    yes: Yes = False,
    force: Annotated[
        bool, typer.Option("--force", help="Write even if the new connections can't be opened.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show and try the change; write nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Shows the change, opens the connections that it affects, asks, and writes with backups.

    Exit code 3 when a connection can't be opened; then nothing is written.
    """
    folder = folder_of(context)
    with locked(folder):
        plan = make_plan(folder, environ_of(context), Protection[level.name], cards=cards)
        if not as_json:
            _print_change(plan, folder)
        failed = run(_failures(plan)) if plan.changes else ()
        may_write = bool(plan.changes) and not dry_run and (force or not failed)
        if not as_json:
            _print_failures(plan, failed, force=force, dry_run=dry_run)
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
                "changed": [each.path.name for each in plan.changes],
                "difference": plan.difference,
                "refused": list(failed),
                "written": may_write,
                "backups": [str(path) for path in backups],
                "reloaded": reloaded,
            }
        )
    elif may_write:
        _print_written(plan, backups, reloaded)
    if failed and not may_write:
        raise typer.Exit(ExitCode.UNREACHABLE)


async def _failures(plan: ProtectionPlan) -> tuple[str, ...]:
    opening: list[Any] = []
    return await waiting_for_connections(
        failures(plan, opening), lambda: opening[-1].status() if opening else ()
    )


def _print_change(plan: ProtectionPlan, folder: Path) -> None:
    if not plan.changes:
        print_line(text(f"The files in {folder} already have this level; nothing to change.", "green"))
        return
    lines = plan.difference.splitlines()
    for line, before, after in zip(lines, ["", *lines], [*lines[1:], ""], strict=False):
        shown = text(line, _COLOURS.get(line[:1], ""))
        other = after if line[:1] == "-" else before
        if line[:1] + other[:1] in ("-+", "+-") and not line.startswith(("---", "+++")):
            shown.stylize("bold reverse", *_changed(line, other))
        print_line(shown)


def _changed(line: str, other: str) -> tuple[int, int]:
    """The part of a line that its counterpart lacks; the first character is the sign of the diff."""
    start = 1 + _common(line[1:], other[1:])
    return start, len(line) - _common(line[: start - 1 : -1], other[: start - 1 : -1])


def _common(one: str, other: str) -> int:
    """The length of the common beginning."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _print_failures(plan: ProtectionPlan, failed: tuple[str, ...], *, force: bool, dry_run: bool) -> None:
    for reason in failed:
        warn(f"this would fail: {reason}")
    if plan.changes and not failed:
        say("All connections were opened with these settings.")
    if plan.changes and (dry_run or (failed and not force)):
        say("Nothing was written.")
    if failed and not force:
        hint("correct what would fail, or write anyway with --force")


def _reload(folder: Path) -> int | None:
    try:
        return reload_running(folder)
    except PermissionError:
        warn("the running server belongs to another user, so it was not reloaded")
        hint("systemctl reload quintet")
        return None


def _print_written(plan: ProtectionPlan, backups: tuple[Path, ...], reloaded: int | None) -> None:
    names = ", ".join(each.path.name for each in plan.changes)
    kept = ", ".join(path.name for path in backups)
    print_line(text(f"Written: {names}" + (f" (backups: {kept})" if kept else "")))
    if reloaded is not None:
        print_line(f"The running server (process {reloaded}) reloads.")
