"""How many searches a second, beside the field: Quintet, python-ldap, bonsai and ldap3 at one slapd.

Every client is one process with one connection, in clear and over TLS. They take turns in short rounds, so
that whatever else the machine does hits all alike; the median of the rounds counts. Ratios are what to look
at, each of two turns in one round: the figures themselves are this machine's.
"""

import argparse
import contextlib
import datetime as dt
import importlib.metadata
import json
import os
import platform
import ssl
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.table import Table
from worker import BASE, Target, mail, uid

from support.slapd import Slapd

HERE = Path(__file__).parent
PEOPLE = 10_000
PIPELINED = "python-ldap, pipelined"
CLIENTS: dict[str, tuple[str, ...]] = {
    "quintet": ("client_quintet.py",),
    PIPELINED: ("client_python_ldap.py", "pipelined"),
    "python-ldap, serial": ("client_python_ldap.py",),
    "bonsai": ("client_bonsai.py",),
    "ldap3": ("client_ldap3.py",),
}
WAYS = ("clear", "tls")
FASTER, KEEPS = 1.4, 0.85
UNEVEN = 1.5
MEMORY_SEARCHES = 10_000
Rates = dict[str, dict[str, list[float]]]


@dataclass(frozen=True, slots=True)
class Goal:
    """What the design asks of a ratio, and what was measured."""

    name: str
    wanted: float
    measured: float

    @property
    def met(self) -> bool:
        return self.measured >= self.wanted


class Worker:
    """A client's process. Ends with its standard input."""

    def __init__(self, command: tuple[str, ...], target: Target) -> None:
        script, *arguments = command
        self._process = subprocess.Popen(
            [sys.executable, HERE / script, json.dumps(asdict(target)), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()

    def order(self, **order: float) -> dict[str, float]:
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended with {self._process.wait()}")
        answer: dict[str, float] = json.loads(line)
        return answer


def organisation() -> bytes:
    """10,000 people below one unit, and the account that asks for them."""
    entries = [
        f"dn: {BASE}\nobjectClass: organization\no: bench\n",
        f"dn: ou=people,{BASE}\nobjectClass: organizationalUnit\nou: people\n",
    ]
    for number in range(PEOPLE):
        name = uid(number)
        entries.append(
            f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\nuid: {name}\n"
            f"cn: Given{number:05} Last{number % 997:03}\ngivenName: Given{number:05}\n"
            f"sn: Last{number % 997:03}\nmail: {mail(name)}\ntelephoneNumber: +49 30 {number:05}\n"
        )
    return "\n".join(entries).encode()


def main() -> None:
    options = _options()
    console = Console()
    slapd = Slapd(organisation(), base=BASE, stats=False, head=f"threads {options.threads}\n")
    with slapd as server, contextlib.ExitStack() as stack:
        target = Target(
            server.host,
            server.port,
            server.tls_port,
            str(server.ca),
            tls=False,
            people=PEOPLE,
            user=server.admin_dn,
            password=server.admin_password,
        )
        workers = {
            (name, way): stack.enter_context(Worker(command, replace(target, tls=way == "tls")))
            for way in WAYS
            for name, command in CLIENTS.items()
            if name in options.clients
        }
        with console.status("Warming up") as status:
            for worker in workers.values():
                worker.order(seconds=options.seconds, seed=0)
            rates, cpu = measure(workers, options, status.update)
            memory = {way: remember(workers["quintet", way]) for way in WAYS}
    result = summary(rates, cpu, memory, options)
    show(console, result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


def measure(
    workers: dict[tuple[str, str], Worker], options: argparse.Namespace, tell: Any
) -> tuple[Rates, Rates]:
    """Searches a second, and microseconds of the client's processor a search, of every round."""
    rates: Rates = {name: {way: [] for way in WAYS} for name, _ in workers}
    cpu: Rates = {name: {way: [] for way in WAYS} for name, _ in workers}
    for round_ in range(1, options.rounds + 1):
        for name, way in in_turn(list(workers), round_):
            tell(f"Round {round_} of {options.rounds}: {name}, {way}")
            done = workers[name, way].order(seconds=options.seconds, seed=round_)
            rates[name][way].append(done["searches"] / done["seconds"])
            cpu[name][way].append(done["cpu"] / done["searches"] * 1e6)
    return rates, cpu


def in_turn(items: list[tuple[str, str]], shift: int) -> Iterator[tuple[str, str]]:
    shift %= len(items)
    yield from items[shift:] + items[:shift]


def remember(worker: Worker) -> dict[str, float]:
    """Memory in use after N and after 4 N searches."""
    once = worker.order(searches=MEMORY_SEARCHES, seed=1)["memory"]
    later = worker.order(searches=3 * MEMORY_SEARCHES, seed=2)["memory"]
    return {"searches": MEMORY_SEARCHES, "bytes_after_n": once, "bytes_after_4n": later}


def ratio(ours: list[float], theirs: list[float]) -> float:
    """The median of the rounds' ratios: two turns of one round had the same machine, more or less."""
    return statistics.median(our / their for our, their in zip(ours, theirs, strict=True))


def summary(rates: Rates, cpu: Rates, memory: Any, options: argparse.Namespace) -> dict[str, Any]:
    median = {name: {way: statistics.median(of) for way, of in ways.items()} for name, ways in rates.items()}
    keeps = {name: ratio(ways["tls"], ways["clear"]) for name, ways in rates.items()}
    ratios = {
        name: {way: ratio(rates["quintet"][way], ways[way]) for way in WAYS} for name, ways in rates.items()
    }
    goals = [Goal("encrypting everything keeps of the clear searches", KEEPS, keeps["quintet"])]
    if PIPELINED in ratios:
        goals = [
            Goal(f"quintet to {PIPELINED}, {way}", FASTER, ratios[PIPELINED][way]) for way in WAYS
        ] + goals
    return {
        "measured": dt.datetime.now(dt.UTC).date().isoformat(),
        "machine": {
            "processors": os.cpu_count(),
            "system": platform.system(),
            "architecture": platform.machine(),
        },
        "software": _versions(),
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


def show(console: Console, result: dict[str, Any]) -> None:
    table = Table(
        title=f"Searches a second over one connection, slapd with {PEOPLE:,} people and"
        f" {result['slapd_threads']} threads"
    )
    for heading in ("client", "clear", "TLS", "TLS keeps", "quintet is, clear", "quintet is, TLS"):
        table.add_column(heading, justify="left" if heading == "client" else "right")
    for name, rate in result["searches_per_second"].items():
        ratio = result["quintet_is_times_as_fast_as"][name]
        row = [name, f"{rate['clear']:,.0f}", f"{rate['tls']:,.0f}", f"{result['tls_keeps'][name]:.2f}"]
        table.add_row(*row, *(f"x {ratio[way]:.2f}" for way in WAYS))
    console.print(table)
    for way, memory in result["memory"].items():
        grown = (memory["bytes_after_4n"] - memory["bytes_after_n"]) / 1024
        console.print(
            f"Memory, {way}: {grown:+,.0f} KiB from {memory['searches']:,} searches to four times as many"
        )
    for name, ways in result["spread"].items():
        if any(most > UNEVEN * least for least, most in ways.values()):
            console.print(
                f"[yellow]Uneven rounds of {name}: the machine is busy. Measure again when it is quiet.[/]"
            )
    for goal in result["goals"]:
        verdict = "[green]met[/]" if goal["met"] else "[red]not met[/]"
        console.print(f"Goal: {goal['name']} at least {goal['wanted']}: {goal['measured']} ({verdict})")


def _rounded(table: dict[str, dict[str, float]], digits: int) -> dict[str, dict[str, float]]:
    return {name: {way: round(value, digits) for way, value in ways.items()} for name, ways in table.items()}


def _versions() -> dict[str, str]:
    names = ("quintet", "python-ldap", "bonsai", "ldap3")
    found = {name: importlib.metadata.version(name) for name in names}
    return {"python": platform.python_version(), "openssl": ssl.OPENSSL_VERSION, **found}


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="script/bench", description="Compare Quintet's searches with its peers'."
    )
    parser.add_argument("--rounds", type=int, default=15, help="how often each client has its turn")
    parser.add_argument("--seconds", type=float, default=0.5, help="how long a turn is")
    parser.add_argument(
        "--threads",
        type=int,
        default=max(2, os.cpu_count() or 2),
        help="slapd's threads; more than processors, and it is slapd's own locks that are measured",
    )
    parser.add_argument("--json", type=Path, default=HERE / "results.json", help="where the result goes")
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=list(CLIENTS), help="who takes part")
    return parser.parse_args()


if __name__ == "__main__":
    main()
