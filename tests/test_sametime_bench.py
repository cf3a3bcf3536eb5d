"""What `script/bench --sametime` counts and claims, from figures made up here."""

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture(autouse=True)
def bench_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def module(name: str) -> Any:
    return importlib.import_module(name)


def work(**changes: float) -> dict[str, Any]:
    """A turn in which everything took 50 µs and nothing was lost."""
    figures = {"per_second": 20_000.0, "p50_ms": 5.0, "p99_ms": 9.0, "server_cpu_us": 50.0}
    other = {"slapd_cpu_us": 1.0, "load_cpu_us": 10.0, "lost": 0, "operations": 10_000, "seconds": 0.5}
    return figures | other | {"ldap": {"search": 1.0, "bind": 1.0}} | changes


def result() -> dict[str, Any]:
    """Both servers do the same, as well as is wanted."""
    ways = ("TLS clients, LDAPS", "unencrypted clients, LDAPS", "unencrypted clients, LDAP")
    servers = ("quintet", "ejabberd")
    cpu = {"quintet": 900.0, "ejabberd": 1000.0}
    sign_ins = [
        {"round": nth, "server": server, "way": way} | work(server_cpu_us=cpu[server])
        for nth in range(2)
        for way in ways
        for server in servers
    ]
    session = {"memory": 50 * 1024.0, "aged": [60_000.0, 60_100.0]}
    parts = {name: work() for name in ("presence", "updates", "messages_1", "messages_10")}
    return {
        "measured": "2026-01-01",
        "machine": {"processors": 2, "system": "Linux", "architecture": "x86_64", "load_average": 0.1},
        "software": {"ejabberd": "23.01"},
        "callers": 100,
        "size": {"rounds": 2, "sign_ins": 100, "sessions": 100},
        "sign_ins": sign_ins,
        "storm": work(),
        "sessions": [
            {"server": server, "way": way} | copy.deepcopy(session | parts)
            for way in ways[:2]
            for server in servers
        ],
    }


def missed(found: dict[str, Any]) -> list[str]:
    return [line.measure for line in module("community_table").goals(found) if line.met is False]


def of_quintet(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [row for row in found["sessions"] if row["server"] == "quintet"]


def test_goals_that_are_reached_are_not_called_missed() -> None:
    assert missed(result()) == []


def test_the_rate_of_sign_ins_is_compared_within_its_round() -> None:
    found = result()
    for row in found["sign_ins"]:
        if row["server"] == "quintet" and row["way"].startswith("TLS"):
            row["per_second"] = 19_000.0
    assert missed(found) == ["sign-ins to first presence, TLS clients, LDAPS"]


@pytest.mark.parametrize(
    ("key", "value", "begin"),
    [
        ("memory", 90 * 1024.0, "memory of a session"),
        ("aged", [60_000.0, 70_000.0], "growth"),
        ("presence", work(p99_ms=19.0), "presence until"),
        ("messages_1", work(lost=1), "messages between pairs, one"),
        ("messages_10", work(per_second=9_999.0), "messages between pairs, ten"),
    ],
)
def test_a_goal_that_is_missed_is_called_so(key: str, value: object, begin: str) -> None:
    found = result()
    for row in of_quintet(found):
        row[key] = value
    lines = missed(found)
    assert len(lines) == 2
    assert all(line.startswith(begin) for line in lines)


def test_users_who_would_not_be_back_in_three_minutes_miss_the_goal() -> None:
    found = result()
    found["storm"] = work(per_second=50.0, operations=1000)
    assert missed(found) == ["the storm, TLS clients, LDAPS"]


def test_the_tables_fill_the_readme_between_their_markers_alone() -> None:
    table = module("community_table")
    readme = "a\n<!-- sametime figures -->\nold\n<!-- end of sametime figures -->\nb\n"
    filled = table.fill(readme, result())
    assert filled.startswith("a\n<!-- sametime figures -->\n\n| measure |")
    assert filled.endswith("<!-- end of sametime figures -->\nb\n")
    assert "old" not in filled
    assert table.fill(filled, result()) == filled
    with pytest.raises(ValueError, match="README"):
        table.fill("nothing", result())


def test_the_readme_has_the_markers() -> None:
    readme = (BENCH.parent / "README.md").read_text(encoding="utf-8")
    assert module("community_table").fill(readme, result()) != readme


def test_users_watch_each_other_and_a_hundred_watch_those_who_change() -> None:
    community = module("community")
    lists = community.watch_lists(300)
    assert len(lists) == 300 + community.CHANGERS
    assert all(number in lists[each] for number, watched in enumerate(lists) for each in watched)
    assert all(number not in watched for number, watched in enumerate(lists))
    assert {len(watched) for watched in lists[100:300]} == {community.WATCHED}
    assert lists[300:] == [list(range(community.WATCHERS))] * community.CHANGERS


@pytest.mark.parametrize("cut", range(1, 24))
def test_a_stanza_that_comes_in_two_pieces_is_counted_once(cut: int) -> None:
    session = module("load_xmpp").XmppSession(1, None, 0)
    session.count(b"</presence>")
    stanza = b"<presence><a/></presence>"
    data = stanza * 3
    session._connection.on_data(data[: len(stanza) + cut])
    session._connection.on_data(data[len(stanza) + cut :])
    assert session.received == 3


@pytest.mark.parametrize("cut", range(1, 10))
def test_frames_of_one_size_are_counted_however_they_come(cut: int) -> None:
    session = module("load_sametime").SametimeSession(1, None, 0)
    session.count(5)
    data = bytes(15)
    session._connection.on_data(data[:cut])
    session._connection.on_data(data[cut:])
    assert session.received == 3
