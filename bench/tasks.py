"""`script/bench --tasks`: what a community asks of Quintet, beside Quintet's engine and python-ldap."""

import argparse
import contextlib
import dataclasses
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from environment import environment
from figures import number
from goals import EACH, ENGINE, GOALS, KEPT, QUINTET, UVLOOP, Goal, Rounds, Series, Turn, middle_half
from people import GROUPS, MEMBERS, PEOPLE, READER, READER_PASSWORD
from processes import Worker
from rich import box
from rich.console import Console
from rich.table import Table
from server import bench_slapd, processor_seconds, settings_folders
from startup import WANTED, measure_startup
from worker import CALLERS, LEVELS, THREADS, Level, Target

from support.slapd import Slapd

ROUNDS = 12
_WIDTH = 100
_BUSY = 0.5
_WORKS = ("search", "sign-in", "resolve", "group", "card")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A client: its process for each level, and its work."""

    name: str
    command: tuple[str, ...]
    works: tuple[str, ...]
    levels: tuple[Level, ...] = LEVELS


_ENGINE = Candidate(ENGINE, ("client_quintet.py", "engine"), ("search",), ("all", "none"))
_QUINTET = Candidate(QUINTET, ("client_quintet.py", "tasks"), ("sign-in", "resolve", "group", "card"))
_KEPT = Candidate(KEPT, ("client_python_ldap.py", "kept"), ("sign-in",))
_EACH = Candidate(EACH, ("client_python_ldap.py", "each"), ("sign-in",))


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write the result where the options say."""
    console = Console()
    console.width = max(console.width, _WIDTH)
    result = environment(("quintet", "python-ldap", *(("uvloop",) if options.uvloop else ())))
    with console.status("Measuring the start of the command") as status:
        startup = measure_startup()
        with bench_slapd(options.threads) as server:
            rounds = _measure(server, options, status.update)
    result |= {
        "people": PEOPLE,
        "groups": GROUPS,
        "members": MEMBERS,
        "callers": CALLERS,
        "threads": THREADS,
        "slapd_threads": options.threads,
        "rounds": options.rounds,
        "seconds_per_turn": options.seconds,
        "figures": [_figures(series, turns) for series, turns in rounds.items()],
        "goals": [_reached(goal, rounds, uvloop=options.uvloop) for goal in GOALS],
        "startup": {name: round(value, 3) for name, value in asdict(startup).items()} | {"wanted": WANTED},
    }
    _show(console, result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _measure(server: Slapd, options: argparse.Namespace, tell: Callable[[str], None]) -> Rounds:
    """All turns of all rounds. Each round begins with another turn, and every second one goes backwards."""
    folders = settings_folders(server)
    with contextlib.ExitStack() as stack:
        workers: dict[Series, Worker] = {}
        for candidate in _candidates(uvloop=options.uvloop):
            for level in candidate.levels:
                target = Target(
                    server.host,
                    server.port,
                    server.tls_port,
                    str(server.ca),
                    level,
                    READER,
                    READER_PASSWORD,
                    str(folders[level]),
                )
                worker = stack.enter_context(Worker(candidate.command, target))
                workers |= {Series(candidate.name, work, level): worker for work in candidate.works}
        order = sorted(workers, key=lambda series: (_WORKS.index(series.work), LEVELS.index(series.level)))
        tell("Warming up")
        for series in order:
            workers[series].order(series.work, seconds=options.seconds, seed=0)
        rounds: dict[Series, list[Turn]] = {series: [] for series in order}
        for nth in range(1, options.rounds + 1):
            start = nth % len(order)
            turns = order[start:] + order[:start]
            for series in turns if nth % 2 else reversed(turns):
                tell(f"Round {nth} of {options.rounds}: {series.client}, {series.work}, {series.level}")
                rounds[series].append(_turn(workers[series], series.work, server, options.seconds, nth))
    return rounds


def _candidates(*, uvloop: bool) -> list[Candidate]:
    ours = [_ENGINE, _QUINTET]
    if uvloop:
        ours += [
            dataclasses.replace(each, name=each.name + UVLOOP, command=(*each.command, "uvloop"))
            for each in ours
        ]
    return [*ours, _KEPT, _EACH]


def _turn(worker: Worker, work: str, server: Slapd, seconds: float, seed: int) -> Turn:
    used = processor_seconds(server)
    done = worker.order(work, seconds=seconds, seed=seed)
    used = processor_seconds(server) - used
    return Turn(
        per_second=done.operations / done.seconds,
        p50_ms=done.p50 * 1e3,
        p99_ms=done.p99 * 1e3,
        client_cpu_us=done.cpu / done.operations * 1e6,
        server_cpu_us=used / done.operations * 1e6,
    )


def _figures(series: Series, turns: Sequence[Turn]) -> dict[str, Any]:
    """The medians of the rounds; of rates and processor time also the quartiles."""
    columns = {name: [getattr(turn, name) for turn in turns] for name in Turn.__slots__}
    medians = {name: _short(statistics.median(values)) for name, values in columns.items()}
    halves = {
        f"{name}_middle_half": [_short(each) for each in middle_half(columns[name])]
        for name in ("per_second", "client_cpu_us")
    }
    return asdict(series) | medians | halves


def _reached(goal: Goal, rounds: Rounds, *, uvloop: bool) -> dict[str, Any]:
    ratios = goal.ratios(rounds)
    measured = statistics.median(ratios)
    result = {
        "name": goal.name,
        "wanted": goal.wanted,
        "measured": _short(measured),
        "middle_half": [_short(each) for each in middle_half(ratios)],
        "met": measured >= goal.wanted,
    }
    if uvloop:
        result["on_uvloop"] = _short(statistics.median(goal.ratios(rounds, uvloop=True)))
    return result


def _short(value: float) -> float:
    return round(value, 3 if value < 10 else 1)


def _show(console: Console, result: dict[str, Any]) -> None:
    console.print(_figures_table(result))
    console.print(_goals_table(result))
    load = result["machine"]["load_average"]
    if load > _BUSY:
        console.print(
            f"[yellow]The machine was busy (load average {load}): trust ratios of CPU, not rates.[/]"
        )


def _figures_table(result: dict[str, Any]) -> Table:
    table = Table(
        title=f"slapd: {PEOPLE:,} people, {result['slapd_threads']} threads. Quintet: {CALLERS} callers;"
        f" python-ldap: {THREADS} threads",
        box=box.SIMPLE_HEAD,
    )
    for heading in ("task", "level", "client"):
        table.add_column(heading, no_wrap=True)
    for heading in ("ops/s", "p50 ms", "p99 ms", "client CPU µs", "slapd CPU µs"):
        table.add_column(heading, justify="right")
    former = ""
    for row in result["figures"]:
        if former not in {"", row["work"]}:
            table.add_section()
        former = row["work"]
        table.add_row(
            *(row[name] for name in ("work", "level", "client")),
            *(number(row[name]) for name in Turn.__slots__),
        )
    return table


def _goals_table(result: dict[str, Any]) -> Table:
    uvloop = "on_uvloop" in result["goals"][0]
    startup = result["startup"]
    table = Table(title="Ratios in one run, over TLS", box=box.SIMPLE_HEAD)
    table.add_column("ratio")
    for heading in ("measured", "middle half", *(("on uvloop",) if uvloop else ()), "goal", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for goal in result["goals"]:
        lower, upper = goal["middle_half"]
        table.add_row(
            goal["name"],
            number(goal["measured"]),
            f"{number(lower)} to {number(upper)}",
            *((number(goal["on_uvloop"]),) if uvloop else ()),
            f"{goal['wanted']:g}",
            _verdict(met=goal["met"]),
        )
    table.add_row(
        "start of quintet --help",
        f"{startup['median']:.2f} s",
        f"least {startup['least']:.2f} s",
        *(("",) if uvloop else ()),
        f"{startup['wanted']:g} s",
        _verdict(met=startup["median"] <= startup["wanted"]),
    )
    return table


def _verdict(*, met: bool) -> str:
    return "[green]met[/]" if met else "[red]not met[/]"
