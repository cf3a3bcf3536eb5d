"""`script/bench --timing`: what time tells about accounts, and what hostile input does to the event loop."""

import json
from dataclasses import asdict
from pathlib import Path

from environment import environment
from holds import LONGEST, Hold, measure_holds
from readback import SignInCost, measure_read_back
from refusals import BOUNDS, ROUNDS, WRONG, Separation, measure_refusals
from rich import box
from rich.console import Console
from rich.table import Table

_WIDTH = 110


def run(tries: int, path: Path) -> None:
    """Measure, print, and write the result to `path`."""
    console = Console()
    console.width = max(console.width, _WIDTH)
    result = environment(("quintet",))
    with console.status("Measuring") as status:
        holds = measure_holds(status.update)
        costs = measure_read_back(status.update)
        separations = measure_refusals(status.update, tries)
    _show_separations(console, separations, tries)
    _show_holds(console, holds)
    _show_costs(console, costs)
    result |= {
        "tries": tries,
        "rounds_of_sha512": ROUNDS,
        "refusals": [_rounded(asdict(each)) for each in separations],
        "sign_ins": [_rounded(asdict(each)) for each in costs],
        "holds": [_rounded(asdict(each)) for each in holds],
    }
    path.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _show_separations(console: Console, separations: list[Separation], tries: int) -> None:
    table = Table(
        "level", "refused for", "server, ms", "area", "held, ms", "area", "worst", box=box.SIMPLE_HEAD
    )
    for each in separations:
        table.add_row(
            each.level,
            each.kind,
            f"{each.server:.1f}",
            f"{each.server_area:.2f}",
            f"{each.held:.0f}",
            f"{each.area:.2f}",
            f"{each.worst:.2f}" + ("" if each.good else "  (beyond)"),
        )
    console.print(table)
    console.print(
        f"Medians of {tries} tries. area: under the ROC curve against a {WRONG}, as the server answers and as"
        f" Quintet does; worst: against the kind that it differs from most. Goal: {BOUNDS[0]} to {BOUNDS[1]}."
    )


def _show_holds(console: Console, holds: list[Hold]) -> None:
    table = Table("input", "longest hold, ms", "where", box=box.SIMPLE_HEAD)
    for name in dict.fromkeys(each.input for each in holds):
        longest = max((each for each in holds if each.input == name), key=lambda each: each.milliseconds)
        beyond = "" if longest.good else "  (beyond)"
        table.add_row(name, f"{longest.milliseconds:.1f}{beyond}", longest.where)
    console.print(table)
    console.print(f"CPU time of the event loop's thread in one turn. Goal: {LONGEST:.0f} ms at most.")


def _show_costs(console: Console, costs: list[SignInCost]) -> None:
    table = Table("sign-ins at", "requests", "client CPU, µs", "time, ms", box=box.SIMPLE_HEAD)
    for each in costs:
        table.add_row(each.level, f"{each.requests:.1f}", f"{each.cpu:.0f}", f"{each.milliseconds:.2f}")
    console.print(table)
    console.print("Under passwords the third request reads the bound entry back.")


def _rounded(values: dict[str, object]) -> dict[str, object]:
    return {name: round(each, 3) if isinstance(each, float) else each for name, each in values.items()}
