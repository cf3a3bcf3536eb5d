"""The tables of `script/bench --nodes`, in Markdown. It uses the standard library alone."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from figures import number, table

MOST_RATIO = 3.0
MOST_ROUND_TRIPS = 2.0
MOST_MEMORY = 1024
_NOISE = 0.3
"""Of a round trip: the time of a sign-in varies by so much."""

USERS = (10_000, 50_000, 100_000, 250_000, 500_000, 1_000_000)
USERS_OF_A_NODE = 10_000
SIGN_INS, CHANGES, MESSAGES, WATCHERS = 1, 4, 20, 20
"""Of a user: sign-ins, changes of the status and messages in the busiest hour, and how many watch."""

MANY_WATCHERS = 1000
_KIB, _MIB = 1024, 1024 * 1024

_MARKED = re.compile(r"(?<=<!-- nodes figures -->\n).*?(?=<!-- end of nodes figures -->)", re.DOTALL)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Line:
    """One goal, what was measured, and whether it is met."""

    measure: str
    measured: str
    goal: str
    met: bool

    @property
    def cells(self) -> tuple[str, ...]:
        return self.measure, self.measured, f"{self.goal} ({'met' if self.met else 'missed'})"


def fill(page: str, result: Row) -> str:
    """The page with these figures between its markers. Raises ValueError without those."""
    if not _MARKED.search(page):
        raise ValueError("the page has no <!-- nodes figures --> and <!-- end of nodes figures -->")
    return _MARKED.sub(lambda _: f"\n{section(result)}\n\n", page)


def section(result: Row) -> str:
    """The goals, what operations cost on 1, 2 and 4 nodes, and how it was measured."""
    headings = ("measure", "measured", "goal")
    return "\n\n".join(
        (
            table(headings, (line.cells for line in goals(result))),
            _costs(result),
            _how(result),
            _scaled(result),
        )
    )


def goals(result: Row) -> list[Line]:
    """Every goal of the cluster."""
    two, four = result["nodes"]["2"], result["nodes"]["4"]
    lines = [
        _ratio(label, two[f"{key}_between"], two[f"{key}_within"])
        for key, label in (
            ("presence_1", "presence change for one watcher"),
            ("presence_100", "presence change for 100 watchers"),
            ("messages_1", "message, one at a time"),
            ("messages_10", "message, ten at a time"),
        )
    ]
    changes = four["fan_out"]["operations"]
    published = four["fan_out"]["redis"].get("calls publish", 0) / changes
    lines.append(
        Line(
            "publications for a change that 1,000 watchers on 4 nodes see, each of which a node gets once",
            number(published),
            "1",
            published <= 1.05,
        )
    )
    trips = result["sign_in_waits"]
    lines.append(
        Line(
            "round trips to Redis that a client waits for until it is signed in, with its status and its view"
            f" (in all Redis is sent something {number(reads(two))} times)",
            number(trips),
            f"at most {MOST_ROUND_TRIPS:g}",
            trips <= MOST_ROUND_TRIPS + _NOISE,
        )
    )
    memory = max(result["nodes"][count]["redis_memory"] for count in ("1", "2", "4"))
    lines.append(
        Line(
            "memory in Redis for a session",
            f"{memory / _KIB:.2f} KiB",
            "at most 1 KiB",
            memory <= MOST_MEMORY,
        )
    )
    return lines


@dataclass(frozen=True, slots=True)
class Load:
    """What a community of so many users needs in its busiest hour, by calculation from what was measured.

    CPU is in processors: 1 is all of one, which is the most that Valkey uses of its machine, and a node.
    """

    users: int
    nodes: int
    deliveries: float
    messages: float
    redis_cpu: float
    node_cpu: float
    redis_memory: float

    @classmethod
    def of(cls, users: int, result: Row) -> Self:
        """The load of so many users, spread evenly."""
        two, four = result["nodes"]["2"], result["nodes"]["4"]
        nodes = -(-users // USERS_OF_A_NODE)
        sign_ins, changes, messages = (users * each / 3600 for each in (SIGN_INS, CHANGES, MESSAGES))
        elsewhere = 1 - 1 / nodes
        watching = nodes * (1 - elsewhere**WATCHERS)  # nodes at which at least one of the watchers is
        one, many, said = two["presence_1_between"], four["fan_out"], two["messages_1_between"]
        change = _redis(two, "presence_1_between")
        delivery = max(0.0, (_redis(four, "fan_out") - change) / 2)  # to 4 nodes instead of 2
        shared = (
            sign_ins * _redis(two, "sign_in")
            + changes * (change + max(0.0, watching - 2) * delivery)
            + messages * elsewhere * _redis(two, "messages_1_between")
        )
        shown = _own(many) / MANY_WATCHERS  # of nodes, for one of the watchers
        own = (
            sign_ins * _own(two["sign_in"]) + changes * (_own(one) + WATCHERS * shown) + messages * _own(said)
        )
        return cls(
            users,
            nodes,
            changes * watching,
            messages * elsewhere,
            shared / 1e6 + nodes * four["idle_redis_cpu"] / 4,
            own / 1e6 / nodes,
            users * four["redis_memory"],
        )


def _redis(found: Row, key: str) -> float:
    """CPU of Redis for one operation in µs, without what leases and records use in the same time."""
    row = found[key]
    idle = found["idle_redis_cpu"] * row["seconds"] / row["operations"] * 1e6
    return max(0.0, float(row["redis_cpu_us"] - idle))


def _own(row: Row) -> float:
    """CPU of the nodes alone, in µs."""
    return float(row["cpu_us"] - row["redis_cpu_us"])


def _scaled(result: Row) -> str:
    headings = (
        "users",
        "nodes",
        "presence, sent to nodes/s",
        "messages between nodes/s",
        "CPU of a node",
        "CPU of Valkey",
        "memory of Valkey",
    )
    rows = (
        (
            f"{each.users:,}",
            f"{each.nodes}",
            f"{each.deliveries:,.0f}",
            f"{each.messages:,.0f}",
            f"{each.node_cpu:.0%}",
            f"{each.redis_cpu:.0%}",
            f"{each.redis_memory / _MIB:,.0f} MiB",
        )
        for each in (Load.of(users, result) for users in USERS)
    )
    return table(headings, rows)


def reads(found: Row) -> float:
    """Times that Redis read for a sign-in, without those for leases: waited for or not.

    A batch of commands that arrives at once is read at once.
    """
    sign_in = found["sign_in"]
    count = sign_in["redis"]["total_reads_processed"] - 1  # the question how many there were
    idle = found["idle_reads_per_second"] * sign_in["seconds"]
    return float((count - idle) / sign_in["operations"])


def _ratio(label: str, between: Row, within: Row) -> Line:
    cpu = between["cpu_us"] / within["cpu_us"]
    rate = within["per_second"] / between["per_second"]
    measured = (
        f"{number(cpu)} times the CPU ({between['cpu_us']:,.0f} to {within['cpu_us']:,.0f} µs),"
        f" {number(rate)} times the time"
    )
    lost = between.get("lost", 0)
    if lost:
        measured += f", {lost} lost"
    met = cpu <= MOST_RATIO and rate <= MOST_RATIO and not lost
    return Line(f"{label}, between two nodes to within one", measured, f"at most {MOST_RATIO:g}", met)


def _costs(result: Row) -> str:
    rows = []
    for count, found in result["nodes"].items():
        cells = [
            "on its own" if count == "0" else count,
            f"{found['node_memory'] / _KIB:.1f}",
            f"{found['redis_memory'] / _KIB:.2f}" if "redis_memory" in found else "",
            *(
                _cpu(found[key]) if key in found else ""
                for key in (
                    "sign_in",
                    "messages_10_within",
                    "messages_10_between",
                    "presence_100_between",
                    "fan_out",
                )
            ),
        ]
        rows.append(cells)
    headings = (
        "nodes",
        "KiB a session in its node",
        "KiB a session in Redis",
        "CPU µs: sign-in",
        "message within a node",
        "message to another node",
        "change, 100 watchers",
        "change, 1,000 watchers",
    )
    return table(headings, rows)


def _cpu(row: Row) -> str:
    """Of nodes and Redis, and of Redis alone."""
    of_redis = row.get("redis_cpu_us", 0.0)
    return f"{row['cpu_us']:,.0f}" + (f" ({of_redis:,.0f})" if of_redis else "")


def _how(result: Row) -> str:
    machine, size = result["machine"], result["size"]
    software = ", ".join(f"{name} {version}" for name, version in result["software"].items())
    return (
        f"Measured on {result['measured']} with {machine['processors']} processors ({machine['system']},"
        f" {machine['architecture']}; load average before the run {machine['load_average']:g}): {software}."
        f" Unencrypted clients; {size['sessions']:,} sessions. Nodes, Redis, `slapd` and the load generator"
        " share the processors. CPU is that of all nodes and of Redis (in parentheses: of Redis alone) for"
        " one operation."
        " [How it is measured](../../bench/README.md)."
    )
