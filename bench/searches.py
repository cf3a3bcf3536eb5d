"""How many searches per second over one connection: Quintet's engine and its peers at one slapd.

Every client is one process with one connection, unencrypted and over TLS. They take turns in short rounds, so
that other load on the machine affects all of them alike. Ratios are what counts, each of two turns in one
round, and of these the median; the rates themselves are this machine's.
"""

import argparse
import contextlib
import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from environment import environment
from people import PEOPLE
from processes import Worker
from rich.console import Console
from rich.table import Table
from server import bench_slapd
from worker import Level, Target

ROUNDS = 15
OURS = "quintet"
PIPELINED = "python-ldap, pipelined"
CLIENTS: dict[str, tuple[str, ...]] = {
    OURS: ("client_quintet.py", "engine"),
    PIPELINED: ("client_python_ldap.py", "pipelined"),
    "python-ldap, serial": ("client_python_ldap.py", "serial"),
    "bonsai": ("client_bonsai.py",),
    "anyldap": ("client_anyldap.py",),
    "ldap3": ("client_ldap3.py",),
}
_ON_UVLOOP = {"quintet on uvloop": (*CLIENTS[OURS], "uvloop")}
_WAYS: dict[str, Level] = {"unencrypted": "none", "tls": "all"}
_FASTER, _KEEPS = 1.6, 0.85
_UNEVEN = 1.5
_MEMORY_SEARCHES = 10_000

Rates = dict[str, dict[str, list[float]]]
"""By client and way, the value of each round."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A ratio: what it should at least be, and what was measured."""

    name: str
    wanted: float
    measured: float

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write the result where the options say."""
    console = Console()
    clients = {name: each for name, each in CLIENTS.items() if name == OURS or name in options.clients}
    clients |= _ON_UVLOOP if options.uvloop else {}
    packages = (
        "quintet",
        "python-ldap",
        "bonsai",
        "anyldap",
        "ldap3",
        *(("uvloop",) if options.uvloop else ()),
    )
    result = environment(packages)
    with bench_slapd(options.threads) as server, contextlib.ExitStack() as stack:
        workers: dict[tuple[str, str], Worker] = {}
        for way, level in _WAYS.items():
            target = Target(
                server.host,
                server.port,
                server.tls_port,
                str(server.ca),
                level,
                server.admin_dn,
                server.admin_password,
            )
            for name, command in clients.items():
                workers[name, way] = stack.enter_context(Worker(command, target))
        with console.status("Warming up") as status:
            for worker in workers.values():
                worker.order("search", seconds=options.seconds, seed=0)
            rates, cpu = _measure(workers, options, status.update)
            memory = {way: _remember(workers[OURS, way]) for way in _WAYS}
    result |= _summary(rates, cpu, memory, options)
    _show(console, result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def _measure(
    workers: Mapping[tuple[str, str], Worker], options: argparse.Namespace, tell: Callable[[str], None]
) -> tuple[Rates, Rates]:
    """Searches per second, and the client's CPU microseconds for each, of every round."""
    rates: Rates = {name: {way: [] for way in _WAYS} for name, _ in workers}
    cpu: Rates = {name: {way: [] for way in _WAYS} for name, _ in workers}
    for nth in range(1, options.rounds + 1):
        for name, way in _in_turn(list(workers), nth):
            tell(f"Round {nth} of {options.rounds}: {name}, {way}")
            done = workers[name, way].order("search", seconds=options.seconds, seed=nth)
            rates[name][way].append(done.operations / done.seconds)
            cpu[name][way].append(done.cpu / done.operations * 1e6)
    return rates, cpu


def _in_turn(items: list[tuple[str, str]], shift: int) -> Iterator[tuple[str, str]]:
    shift %= len(items)
    yield from items[shift:] + items[:shift]


def _remember(worker: Worker) -> dict[str, float]:
    """Memory in use after N and after 4 N searches."""
    used = [worker.order("search", operations=_MEMORY_SEARCHES, seed=seed).memory for seed in (1, 2, 3, 4)]
    return {"searches": _MEMORY_SEARCHES, "bytes_after_n": used[0], "bytes_after_4n": used[-1]}


def _ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def _summary(rates: Rates, cpu: Rates, memory: Any, options: argparse.Namespace) -> dict[str, Any]:
    median = {name: {way: statistics.median(of) for way, of in ways.items()} for name, ways in rates.items()}
    keeps = {name: _ratio(ways["tls"], ways["unencrypted"]) for name, ways in rates.items()}
    ratios = {
        name: {way: _ratio(rates[OURS][way], ways[way]) for way in _WAYS} for name, ways in rates.items()
    }
    goals = [Outcome("encrypting everything keeps of the unencrypted searches", _KEEPS, keeps[OURS])]
    if PIPELINED in ratios:
        goals = [
            Outcome(f"quintet to {PIPELINED}, {said}", _FASTER, ratios[PIPELINED][way])
            for way, said in (("unencrypted", "unencrypted"), ("tls", "TLS"))
        ] + goals
    return {
        "people": PEOPLE,
        "slapd_threads": options.threads,
        "rounds": options.rounds,
        "seconds_per_round": options.seconds,
        "searches_per_second": _rounded(median, 0),
        "spread": {
            n: {w: [round(min(of)), round(max(of))] for w, of in ways.items()} for n, ways in rates.items()
        },
        "client_cpu_us_per_search": _rounded(
            {name: {way: statistics.median(of) for way, of in ways.items()} for name, ways in cpu.items()}, 1
        ),
        "quintet_is_times_as_fast_as": _rounded(ratios, 2),
        "tls_keeps": {name: round(share, 2) for name, share in keeps.items()},
        "memory": memory,
        "goals": [asdict(goal) | {"measured": round(goal.measured, 2), "met": goal.met} for goal in goals],
    }


def _show(console: Console, result: dict[str, Any]) -> None:
    table = Table(
        title=f"Searches per second over one connection, slapd with {PEOPLE:,} people and"
        f" {result['slapd_threads']} threads"
    )
    for heading in (
        "client",
        "unencrypted",
        "TLS",
        "TLS keeps",
        "quintet is, unencrypted",
        "quintet is, TLS",
    ):
        table.add_column(heading, justify="left" if heading == "client" else "right")
    for name, rate in result["searches_per_second"].items():
        ratio = result["quintet_is_times_as_fast_as"][name]
        row = [name, f"{rate['unencrypted']:,.0f}", f"{rate['tls']:,.0f}", f"{result['tls_keeps'][name]:.2f}"]
        table.add_row(*row, *(f"x {ratio[way]:.2f}" for way in _WAYS))
    console.print(table)
    for way, memory in result["memory"].items():
        grown = (memory["bytes_after_4n"] - memory["bytes_after_n"]) / 1024
        console.print(
            f"Memory, {way}: {grown:+,.0f} KiB from {memory['searches']:,} searches to four times as many"
        )
    for name, ways in result["spread"].items():
        if any(most > _UNEVEN * least for least, most in ways.values()):
            console.print(
                f"[yellow]The rounds of {name} differ much: the machine is busy. Repeat on an idle one.[/]"
            )
    for goal in result["goals"]:
        verdict = "[green]met[/]" if goal["met"] else "[red]not met[/]"
        console.print(f"Goal: {goal['name']} at least {goal['wanted']}: {goal['measured']} ({verdict})")


def _rounded(table: dict[str, dict[str, float]], digits: int) -> dict[str, dict[str, float]]:
    return {name: {way: round(value, digits) for way, value in ways.items()} for name, ways in table.items()}
