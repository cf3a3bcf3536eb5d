"""`quintet cost`: the measured cost of each protection level."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from quintet.admin.cost import (
    Difference,
    LevelMeasurement,
    Measured,
    TaskFigures,
    differences,
    figures,
    measure,
    page,
    verdict,
)
from quintet.cli.app import command
from quintet.cli.context import run, settings_of
from quintet.cli.exit_codes import ExitCode
from quintet.cli.show import AsJson, Force, err, out, print_json, print_line, print_table, say, warn
from quintet.config import Settings
from quintet.directory import Service
from quintet.files import check_output, write_output

_BAR = 14


@command
def cost(
    context: typer.Context,
    seconds: Annotated[
        float, typer.Option(min=1, max=3600, metavar="NUMBER", help="Approximate duration.")
    ] = 30,
    rate: Annotated[
        float,
        typer.Option(min=1, max=100_000, metavar="NUMBER", help="Maximum operations per second, on average."),
    ] = 200,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a self-contained page with plots.")
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measures the three levels in turn, at a limited rate. Nothing is changed.

    Exit code 3 when a level could not be measured.
    """
    if html is not None:
        check_output(html, overwrite=force)
    settings = settings_of(context, account_warnings=False)
    measured = run(_measure(settings, seconds, rate))
    if html is not None:
        server = ", ".join(each.label for each in settings.servers)
        write_output(html, page(measured, server).encode(), overwrite=force, mode=0o644)
        say(f"Page written to {html}.")
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
        "differences": {unit: _difference(each) for unit, each in differences(measured).items()},
        "verdict": verdict(measured),
    }


def _difference(found: Difference) -> dict[str, Any]:
    margin = found.margin if math.isfinite(found.margin) else None
    return {"share": found.share, "margin": margin, "outcome": found.outcome.value}


def _level(level: LevelMeasurement) -> dict[str, Any]:
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
    rows = [
        row
        for task in Service
        for row in _rows(task, {level: tasks[task] for level, tasks in found.items() if task in tasks})
    ]
    if out().is_terminal:
        print_table((*_HEADINGS, ""), rows, right=_NUMBERS)
    else:
        print_table(_HEADINGS, [row[:-1] for row in rows])
    print_line((verdict(measured), "bold"))


_NUMBERS = ("ops/s", "p50 ms", "p99 ms", "CPU ms")
_HEADINGS = ("task", "level", *_NUMBERS)


def _rows(task: Service, by_level: dict[str, TaskFigures]) -> Iterator[tuple[object, ...]]:
    """The figures of each level, and a bar of their rates for a terminal."""
    most = max((each.per_second for each in by_level.values()), default=1.0)
    for level, each in by_level.items():
        bar = "█" * max(1, round(_BAR * each.per_second / most))
        yield (
            task.value,
            level,
            f"{each.per_second:.0f}",
            f"{each.p50_ms:.2f}",
            f"{each.p99_ms:.2f}",
            f"{each.cpu_ms:.2f}",
            Text(bar, style="cyan"),
        )
