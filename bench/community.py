"""`script/bench --sametime`: a Sametime server beside an XMPP server, on the same slapd.

What is measured and how: README.md. A turn is one server, started for it, and one piece of work of the load
generator. Rates and CPU of both servers come from turns of the same round.
"""

import argparse
import asyncio
import contextlib
import json
import re
import resource
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from community_servers import Running, ejabberd, quintet
from community_table import fill, section
from environment import environment
from people import GROUPS, MEMBERS, PEOPLE
from processes import OrderedProcess
from rich.console import Console
from server import bench_slapd, operations_counted, processor_seconds

from support.slapd import Slapd

WATCHED = 20
WATCHERS = 100
CHANGERS = 10
"""Users who change their status in turn. A single one would be held back: what others get counts as sent."""
PAIRS = 50
BURST = 10
CALLERS = 100
_SETTLE = 2.0
_README = Path(__file__).parent.parent / "README.md"

Start = Callable[..., AbstractContextManager[Running]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    rounds: int
    sign_ins: int
    sessions: int
    storm: int
    changes: int
    talk_seconds: float
    ages: int


FULL = Size(rounds=3, sign_ins=2500, sessions=9_990, storm=PEOPLE, changes=300, talk_seconds=5, ages=3)
QUICK = Size(rounds=1, sign_ins=1000, sessions=1500, storm=1000, changes=100, talk_seconds=2, ages=2)


@dataclass(frozen=True, slots=True)
class Server:
    """How a server is started, and what its clients speak."""

    name: str
    protocol: str
    start: Start


SERVERS = (Server("quintet", "sametime", quintet), Server("ejabberd", "xmpp", ejabberd))


@dataclass(frozen=True, slots=True)
class Way:
    """What is encrypted."""

    name: str
    tls: bool
    ldap_tls: bool


TLS = Way("TLS clients, LDAPS", tls=True, ldap_tls=True)
CLEAR = Way("unencrypted clients, LDAPS", tls=False, ldap_tls=True)
NOTHING = Way("unencrypted clients, LDAP", tls=False, ldap_tls=False)


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write the result where the options say."""
    size = QUICK if options.quick else FULL
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # for ejabberd, which does not raise it
    result = environment(("quintet",))
    result["software"]["ejabberd"] = version_of_ejabberd()
    console = Console()
    with console.status("Starting slapd") as status, bench_slapd(options.threads, monitor=True) as slapd:
        measurement = Measurement(slapd, size, status.update)
        result |= {
            "people": PEOPLE,
            "groups": GROUPS,
            "members": MEMBERS,
            "slapd_threads": options.threads,
            "callers": CALLERS,
            "size": {name: getattr(size, name) for name in Size.__slots__},
            "sign_ins": measurement.sign_ins(),
            "storm": measurement.storm(),
            "sessions": measurement.all_sessions(),
        }
    print(section(result))
    if options.readme:
        _README.write_text(fill(_README.read_text(encoding="utf-8"), result), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


class Measurement:
    """All turns against one slapd."""

    def __init__(self, slapd: Slapd, size: Size, tell: Callable[[str], None]) -> None:
        self._slapd = slapd
        self._size = size
        self._tell = tell

    def sign_ins(self) -> list[dict[str, Any]]:
        """Of each server in each way, one row a round. Every second round goes backwards."""
        turns = [(server, way) for way in (TLS, CLEAR, NOTHING) for server in SERVERS]
        rows = []
        for nth in range(self._size.rounds):
            for server, way in turns if nth % 2 == 0 else reversed(turns):
                self._tell(f"Round {nth + 1} of {self._size.rounds}: {server.name}, {way.name}")
                with self._turn(server, way) as turn:
                    users = list(range(self._size.sign_ins))
                    row = turn.measure("sign in", users=users, callers=CALLERS, watched=[])
                    rows.append({"round": nth, "server": server.name, "way": way.name} | row)
        return rows

    def storm(self) -> dict[str, Any]:
        self._tell(f"The storm: {self._size.storm:,} users")
        with self._turn(SERVERS[0], TLS, password_in_clear=False) as turn:
            return turn.measure("storm", users=list(range(self._size.storm)), callers=2 * CALLERS)

    def all_sessions(self) -> list[dict[str, Any]]:
        rows = []
        for way in (TLS, CLEAR):
            for server in SERVERS:
                self._tell(f"{self._size.sessions:,} sessions: {server.name}, {way.name}")
                rows.append({"server": server.name, "way": way.name} | self._sessions(server, way))
        return rows

    def _sessions(self, server: Server, way: Way) -> dict[str, Any]:
        """Memory of many sessions, presence and messages among them."""
        count = self._size.sessions
        watched = watch_lists(count)
        with self._turn(server, way, rosters=watched) as turn:
            before = turn.server.resident()
            users = list(range(count + CHANGERS))
            turn.ask("sign in", users=users, callers=CALLERS, watched=watched)
            time.sleep(_SETTLE)
            found: dict[str, Any] = {"memory": (turn.server.resident() - before) / count}
            watchers = list(range(WATCHERS))
            found["presence"] = turn.measure(
                "presence", changers=users[count:], watchers=watchers, changes=self._size.changes
            )
            aged = []
            for nth in range(1, self._size.ages + 1):
                found["updates"] = turn.measure("age", users=users[:count], nth=nth, updates=WATCHED)
                time.sleep(_SETTLE)
                aged.append((turn.server.resident() - before) / count)
            found["aged"] = aged
            for nth, in_a_turn in enumerate((1, BURST)):
                first = 2 * PAIRS * (nth + 1)
                pairs = [(first + each, first + PAIRS + each) for each in range(PAIRS)]
                found[f"messages_{in_a_turn}"] = turn.measure(
                    "messages", pairs=pairs, seconds=self._size.talk_seconds, in_a_turn=in_a_turn
                )
            return found

    @contextlib.contextmanager
    def _turn(
        self,
        server: Server,
        way: Way,
        *,
        password_in_clear: bool | None = None,
        rosters: Sequence[Sequence[int]] = (),
    ) -> Iterator["Turn"]:
        """A server and a load generator. Over TLS passwords are sent as they are, unless said otherwise."""
        options = {"rosters": rosters} if rosters and server.name == "ejabberd" else {}
        with (
            server.start(self._slapd, ldap_tls=way.ldap_tls, **options) as running,
            OrderedProcess("load.py", server.protocol) as load,
        ):
            load.ask(
                work="target",
                port=running.tls_port if way.tls else running.port,
                ca=str(self._slapd.ca) if way.tls else None,
                password_in_clear=way.tls if password_in_clear is None else password_in_clear,
            )
            yield Turn(self._slapd, running, load)


@dataclass(frozen=True, slots=True)
class Turn:
    """One server and the load generator."""

    slapd: Slapd
    server: Running
    load: OrderedProcess

    def ask(self, work: str, **order: Any) -> dict[str, Any]:
        return self.load.ask(work=work, **order)

    def measure(self, work: str, **order: Any) -> dict[str, Any]:
        """The rate, times in ms, and for one operation the CPU of all three in µs and what slapd did."""
        ldap = asyncio.run(operations_counted(self.slapd))
        used, ldap_used = self.server.cpu(), processor_seconds(self.slapd)
        answer = self.ask(work, **order)
        used, ldap_used = self.server.cpu() - used, processor_seconds(self.slapd) - ldap_used
        after = asyncio.run(operations_counted(self.slapd))
        count = answer["operations"]
        return {
            "operations": count,
            "seconds": round(answer["seconds"], 3),
            "per_second": round(count / answer["seconds"], 2),
            "p50_ms": round(answer["p50"] * 1e3, 3),
            "p99_ms": round(answer["p99"] * 1e3, 3),
            "server_cpu_us": round(used / count * 1e6, 1),
            "slapd_cpu_us": round(ldap_used / count * 1e6, 1),
            "load_cpu_us": round(answer["cpu"] / count * 1e6, 1),
            "ldap": {kind: round((after[kind] - ldap[kind]) / count, 2) for kind in after},
        } | ({"lost": answer["sent"] - count} if "sent" in answer else {})


def watch_lists(count: int) -> list[list[int]]:
    """Whom each of so many users watches: those beside them in a ring; the first ones `CHANGERS` more users.

    Two watch each other always, as in a roster. The last lists are those of the users whom many watch.
    """
    near = [each for each in range(-WATCHED // 2, WATCHED // 2 + 1) if each]
    lists = [[(number + each) % count for each in near] for number in range(count)]
    for number in range(WATCHERS):
        lists[number] += range(count, count + CHANGERS)
    return lists + [list(range(WATCHERS))] * CHANGERS


def version_of_ejabberd() -> str:
    done = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "ejabberd"], capture_output=True, text=True, check=True
    )
    return re.sub(r"-[^-]*$", "", done.stdout)
