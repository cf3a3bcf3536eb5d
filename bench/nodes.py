"""`script/bench --nodes`: several nodes of one community, with what they share in Redis.

What is measured and how: README.md. All of it is of one run, on the same processors: ratios are what counts.
The CPU of an operation is that of all nodes and of Redis.
"""

import argparse
import base64
import contextlib
import json
import os
import resource
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from community import CHANGERS
from community_servers import Running, quintet
from delay import Delay
from environment import environment
from nodes_table import MANY_WATCHERS, fill, section
from processes import OrderedProcess
from rich.console import Console
from server import bench_slapd, process_seconds

from support.postgres import Postgres
from support.redis_server import RedisServer
from support.slapd import Slapd

CALLERS = 20
PAIRS = 50
BURST = 10
WATCHERS = (1, 100)

_PAGE = Path(__file__).parent.parent / "docs" / "explanation" / "scaling.md"
_SETTLE = 3.0
_IDLE = 6.0
"""Seconds in which is counted what nodes ask of Redis without any user's doing."""
_SLOW: Final = 0.4
"""Seconds that the slow link adds to a round trip."""
_WAITING: Final = 15
"""Sign-ins over a fast and over a slow link."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured."""

    sessions: int
    changes: int
    talk_seconds: float
    sign_ins: int


FULL = Size(sessions=4000, changes=300, talk_seconds=5, sign_ins=300)
QUICK = Size(sessions=1200, changes=60, talk_seconds=2, sign_ins=100)


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write the result where the options say."""
    size = QUICK if options.quick else FULL
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    result = environment(("quintet", "redis"))
    result["size"] = {name: getattr(size, name) for name in Size.__slots__}
    result["nodes"] = {}
    console = Console()
    with console.status("Starting slapd") as status, bench_slapd(options.threads) as slapd:
        for count in (0, 1, 2, 4):
            status.update(f"{count} nodes" if count else "A server on its own")
            with _cluster(slapd, count) as cluster:
                result["software"].update(cluster.versions())
                result["nodes"][str(count)] = _measure(cluster, size, status.update)
        status.update("What a sign-in waits for")
        result["sign_in_waits"] = _sign_in_waits(slapd)
    print(section(result))
    if options.readme:
        _PAGE.write_text(fill(_PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Cluster:
    """Some nodes, their Redis (None for a server on its own), and the load generator."""

    nodes: Sequence[Running]
    redis: RedisServer | None
    redis_pid: int
    load: OrderedProcess

    def sign_in(self, users: Sequence[int], node: int, *, callers: int = CALLERS) -> None:
        """Sign users in at a node."""
        self.aim(node)
        self.load.ask(work="sign in", users=users, callers=callers, watched=[])

    def aim(self, node: int) -> None:
        """New clients come to this node from now on."""
        self.load.ask(work="target", port=self.nodes[node].port, ca=None, password_in_clear=False)

    def watch(self, users: Sequence[int], watched: Sequence[int]) -> None:
        """Let them watch others, and wait until all of them see these as online."""
        self.load.ask(work="watch", users=users, watched=watched)
        time.sleep(_SETTLE)

    def leave(self) -> None:
        """All clients are gone, and so are their sessions."""
        self.load.ask(work="leave")
        time.sleep(_SETTLE)

    def cpu(self) -> float:
        """Of the nodes and of Redis, in seconds."""
        return sum(each.cpu() for each in self.nodes) + self.redis_cpu()

    def redis_cpu(self) -> float:
        return process_seconds(self.redis_pid) if self.redis_pid else 0.0

    def info(self) -> dict[str, float]:
        """The numbers that Redis tells of itself; what it counted of a command is `calls NAME`."""
        if self.redis is None:
            return {}
        text = self.redis.run("INFO", "everything")
        assert isinstance(text, bytes)
        return _numbers(text.decode())

    def versions(self) -> dict[str, str]:
        if self.redis is None:
            return {}
        text = self.redis.run("INFO", "server")
        assert isinstance(text, bytes)
        found = dict(line.split(":", 1) for line in text.decode().splitlines() if ":" in line)
        return {"redis-server": found["redis_version"]}

    def measure(self, work: str, **order: Any) -> dict[str, Any]:
        """The rate, the times in ms, the CPU of an operation in µs, and what Redis counted for one."""
        before, used, shared = self.info(), self.cpu(), self.redis_cpu()
        answer = self.load.ask(work=work, **order)
        used, shared = self.cpu() - used, self.redis_cpu() - shared
        after = self.info()
        count = answer["operations"]
        return {
            "operations": count,
            "per_second": round(count / answer["seconds"], 1),
            "p50_ms": round(answer["p50"] * 1e3, 3),
            "p99_ms": round(answer["p99"] * 1e3, 3),
            "cpu_us": round(used / count * 1e6, 1),
            "redis_cpu_us": round(shared / count * 1e6, 1),
            "load_cpu_us": round(answer["cpu"] / count * 1e6, 1),
            "seconds": round(answer["seconds"], 2),
            "redis": {key: after[key] - before.get(key, 0) for key in sorted(after) if _counts(key)},
        } | ({"lost": answer["sent"] - count} if "sent" in answer else {})


def _measure(cluster: Cluster, size: Size, tell: Callable[[str], None]) -> dict[str, Any]:
    count = len(cluster.nodes)
    other = count - 1
    found: dict[str, Any] = {}
    tell(f"{count} nodes: what is asked of Redis without users, and for a sign-in")
    before = cluster.info()
    time.sleep(_IDLE)
    after = cluster.info()
    found["idle_reads_per_second"] = (
        (after["total_reads_processed"] - before["total_reads_processed"]) / _IDLE if after else 0.0
    )
    cluster.aim(0)
    users = list(range(size.sign_ins))
    found["sign_in"] = cluster.measure("sign in", users=users, callers=1, watched=[])
    cluster.leave()

    tell(f"{count} nodes: {size.sessions:,} sessions")
    resident, held = [each.resident() for each in cluster.nodes], cluster.info()
    slices = [list(range(size.sessions))[node::count] for node in range(count)]
    for node, users in enumerate(slices):
        cluster.sign_in(users, node)
    time.sleep(_SETTLE)
    found["node_memory"] = (
        sum(each.resident() - was for each, was in zip(cluster.nodes, resident, strict=True)) / size.sessions
    )
    if held:
        found["redis_memory"] = (cluster.info()["used_memory"] - held["used_memory"]) / size.sessions

    shared = cluster.redis_cpu()
    time.sleep(_IDLE)
    found["idle_redis_cpu"] = (cluster.redis_cpu() - shared) / _IDLE
    for where, node in (("within", 0), *((("between", other),) if other else ())):
        own, its = slices[0], slices[node]
        pairs = [(own[each], its[PAIRS + each]) for each in range(PAIRS)]
        for in_a_turn in (1, BURST):
            tell(f"{count} nodes: messages {where}")
            found[f"messages_{in_a_turn}_{where}"] = cluster.measure(
                "messages", pairs=pairs, seconds=size.talk_seconds, in_a_turn=in_a_turn
            )
            pairs = [(own[2 * PAIRS + each], its[3 * PAIRS + each]) for each in range(PAIRS)]
        for nth, watchers in enumerate(WATCHERS):
            tell(f"{count} nodes: presence {where}, {watchers} watchers")
            changers = own[nth * CHANGERS : (nth + 1) * CHANGERS]
            seen = its[4 * PAIRS : 4 * PAIRS + watchers]
            cluster.watch(seen, changers)
            found[f"presence_{watchers}_{where}"] = cluster.measure(
                "presence", changers=changers, watchers=seen, changes=size.changes
            )
    tell(f"{count} nodes: {MANY_WATCHERS:,} watchers on all of them")
    changers = slices[0][:CHANGERS]
    seen = [number for each in slices for number in each[-(MANY_WATCHERS // count) :]]
    cluster.watch(seen, changers)
    found["fan_out"] = cluster.measure(
        "presence", changers=changers, watchers=seen, changes=size.changes // 3
    )
    return found


def _sign_in_waits(slapd: Slapd) -> float:
    """Round trips to Redis that a client waits for: by what a slow link adds to the time of a sign-in."""
    with Delay() as delay, _cluster(slapd, 1, delay) as cluster:
        cluster.aim(0)
        times = []
        for nth, seconds in enumerate((0.0, _SLOW)):
            delay.seconds = seconds / 2
            users = list(range(nth * _WAITING, (nth + 1) * _WAITING))
            times.append(cluster.load.ask(work="sign in", users=users, callers=1, watched=[])["p50"])
    return float((times[1] - times[0]) / _SLOW)


def _numbers(text: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        if name.startswith("cmdstat_"):
            name, value = (
                f"calls {name.removeprefix('cmdstat_')}",
                value.partition(",")[0].removeprefix("calls="),
            )
        with contextlib.suppress(ValueError):
            found[name] = float(value)
    return found


def _counts(key: str) -> bool:
    return key.startswith("calls ") or key in {"total_reads_processed", "total_net_output_bytes"}


@contextlib.contextmanager
def _cluster(slapd: Slapd, count: int, delay: Delay | None = None) -> Iterator[Cluster]:
    """So many nodes, for 0 a server on its own. `delay` is between nodes and Redis."""
    with contextlib.ExitStack() as stack:
        redis, pid = None, 0
        config = {"QUINTET_HTTP_PORT": "0", "QUINTET_METRICS_PORT": "0"}
        if count:
            redis = stack.enter_context(RedisServer())
            pid = redis.pid
            config |= {
                "QUINTET_CLUSTER": delay.before(redis) if delay else redis.url,
                "QUINTET_CLUSTER_KEY_FILE": str(_key_file(redis.folder)),
                "QUINTET_DATABASE": stack.enter_context(Postgres()).new_database(),
            }
        names: list[Mapping[str, str]] = [
            config | {"QUINTET_NODE": f"node-{nth}"} for nth in range(max(1, count))
        ]
        nodes = [stack.enter_context(quintet(slapd, ldap_tls=False, config=each)) for each in names]
        load = stack.enter_context(OrderedProcess("load.py", "sametime"))
        yield Cluster(nodes, redis, pid, load)


def _key_file(folder: Path) -> Path:
    path = folder / "cluster.key"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(32)))
    return path
