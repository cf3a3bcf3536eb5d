"""`quintet cost`: what each level of protection costs, measured."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from quintet.admin.cost.measuring import Level, Measured, measure
from quintet.admin.cost.page import page
from quintet.admin.cost.verdict import TaskFigures, figures, verdict
from quintet.cli.app import app
from quintet.cli.context import run, settings_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, err, out, print_json, say, table, text, warn
from quintet.config import Settings
from quintet.directory.services import Service
from quintet.files import replace_file

_BAR = 14


@app.command()
def cost(
    context: typer.Context,
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long to measure, about.")] = 30,
    rate: Annotated[
        float, typer.Option(min=1, max=100_000, help="Operations a second at most, on average.")
    ] = 200,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots that stands alone.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure what each level costs here: the three levels in turns, gently, nothing written.

    Exit code 3 when a level could not be measured.
    """
    settings = settings_of(context)
    measured = run(_measure(settings, seconds, rate))
    if html is not None:
        server = ", ".join(each.label for each in settings.servers)
        replace_file(html, page(measured, server).encode(), mode=0o644)
        say(f"The page is in {html}.")
    if as_json:
        print_json(_document(measured))
    else:
        _print(measured)
    for level in measured.levels:
        if level.error is not None:
            warn(f"{level.protection.name.lower()} was not measured: {level.error}")
    if any(level.error is not None for level in measured.levels):
        raise typer.Exit(ExitCode.UNREACHABLE)


async def _measure(settings: Settings, seconds: float, rate: float) -> Measured:
    with Progress(
        TextColumn("measuring"), BarColumn(), TimeRemainingColumn(), console=err(), transient=True
    ) as progress:
        bar = progress.add_task("measuring", total=1.0)
        return await measure(
            settings, seconds=seconds, rate=rate, progress=lambda done: progress.update(bar, completed=done)
        )


def _document(measured: Measured) -> dict[str, Any]:
    return {
        "levels": {level.protection.name.lower(): _level(level) for level in measured.levels},
        "handshake_ms": measured.handshake_ms,
        "rounds": measured.rounds,
        "verdict": verdict(measured),
    }


def _level(level: Level) -> dict[str, Any]:
    document: dict[str, Any] = {
        "tasks": {
            task.value: {
                "per_second": found.per_second,
                "p50_ms": found.p50_ms,
                "p99_ms": found.p99_ms,
                "cpu_ms": found.cpu_ms,
            }
            for task, found in figures(level).items()
        }
    }
    if level.error is not None:
        document["error"] = level.error
    return document


def _print(measured: Measured) -> None:
    found = {level.protection.name.lower(): figures(level) for level in measured.levels}
    rows = table("task", "level", "per s", "", "p50 ms", "p99 ms", "CPU ms")
    for each in rows.columns:
        each.no_wrap = True
    for column in (2, 4, 5, 6):
        rows.columns[column].justify = "right"
    for task in Service:
        _add(rows, task, {level: tasks[task] for level, tasks in found.items() if task in tasks})
    out().print(rows)
    out().print(text(verdict(measured), "bold"))


def _add(rows: Table, task: Service, by_level: dict[str, TaskFigures]) -> None:
    most = max((each.per_second for each in by_level.values()), default=1.0)
    for nth, (level, each) in enumerate(by_level.items()):
        bar = "█" * max(1, round(_BAR * each.per_second / most))
        rows.add_row(
            text(task.value if nth == 0 else ""),
            text(level),
            text(f"{each.per_second:,.0f}"),
            Text(bar, style="cyan"),
            text(f"{each.p50_ms:.2f}"),
            text(f"{each.p99_ms:.2f}"),
            text(f"{each.cpu_ms:.2f}"),
        )
