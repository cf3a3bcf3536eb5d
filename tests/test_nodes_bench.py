"""What `script/bench --nodes` counts and claims, from figures made up here."""

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("nodes_table")


def work(**changes: Any) -> dict[str, Any]:
    figures = {
        "operations": 100,
        "per_second": 1000.0,
        "cpu_us": 50.0,
        "seconds": 2.0,
        "lost": 0,
        "redis_cpu_us": 10.0,
    }
    return figures | {"redis": {"calls publish": 100.0, "total_reads_processed": 211.0}} | changes


def result() -> dict[str, Any]:
    """Everything is just as good as is wanted."""
    keys = ("presence_1", "presence_100", "messages_1", "messages_10")
    node: dict[str, Any] = {"sign_in": work(), "fan_out": work(), "idle_reads_per_second": 5.0}
    node |= {"node_memory": 10_000.0, "redis_memory": 1000.0, "idle_redis_cpu": 0.0001}
    node |= {f"{key}_within": work() for key in keys}
    node |= {f"{key}_between": work(per_second=400.0, cpu_us=140.0) for key in keys}
    alone = {"node_memory": 9000.0, "sign_in": work(redis={}), "fan_out": work(redis={})}
    alone |= {"messages_10_within": work(redis={})}
    nodes = {"0": alone, "1": node, "2": copy.deepcopy(node), "4": copy.deepcopy(node)}
    return {
        "measured": "2026-01-01",
        "machine": {"processors": 2, "system": "Linux", "architecture": "x86_64", "load_average": 0.1},
        "software": {"redis-server": "7.0"},
        "size": {"sessions": 100},
        "nodes": nodes,
        "sign_in_waits": 2.1,
    }


def missed(table: Any, found: dict[str, Any]) -> list[str]:
    return [line.measure for line in table.goals(found) if not line.met]


def test_goals_that_are_reached_are_not_called_missed(table: Any) -> None:
    assert missed(table, result()) == []


@pytest.mark.parametrize(
    ("count", "key", "value", "begin"),
    [
        ("2", "presence_1_between", work(cpu_us=151.0), "presence change for one"),
        ("2", "presence_100_between", work(per_second=330.0), "presence change for 100"),
        ("2", "messages_1_between", work(lost=1), "message, one"),
        ("2", "messages_10_between", work(cpu_us=200.0), "message, ten"),
        ("4", "fan_out", work(redis={"calls publish": 200.0}), "publications"),
        ("4", "redis_memory", 1025.0, "memory in Redis"),
    ],
)
def test_a_goal_that_is_missed_is_called_so(
    table: Any, count: str, key: str, value: object, begin: str
) -> None:
    found = result()
    found["nodes"][count][key] = value
    (line,) = missed(table, found)
    assert line.startswith(begin)


def test_a_sign_in_that_waits_for_more_than_two_round_trips_misses_the_goal(table: Any) -> None:
    (line,) = missed(table, result() | {"sign_in_waits": 2.9})
    assert line.startswith("round trips")


def test_reads_without_users_are_not_those_of_a_sign_in(table: Any) -> None:
    # 211 reads, of which one asked how many there were, and 5 a second are of leases.
    assert table.reads(result()["nodes"]["2"]) == 2.0


def test_the_page_has_the_figures_between_its_markers(table: Any) -> None:
    page = "a\n<!-- nodes figures -->\nold\n<!-- end of nodes figures -->\nb\n"
    filled = table.fill(page, result())
    assert filled.startswith("a\n<!-- nodes figures -->\n\n| measure |")
    assert "old" not in filled
    assert table.fill(filled, result()) == filled
    with pytest.raises(ValueError, match="nodes figures"):
        table.fill("nothing", result())


def test_scaling_has_the_markers(table: Any) -> None:
    page = (BENCH.parent / "docs" / "explanation" / "scaling.md").read_text(encoding="utf-8")
    assert table.fill(page, result()) != page


def test_a_community_of_one_node_sends_no_messages_between_nodes_and_each_change_to_one(table: Any) -> None:
    load = table.Load.of(3600, result())
    assert (load.nodes, load.messages) == (1, 0)
    assert load.deliveries == table.CHANGES


def test_what_is_shared_grows_with_users_and_what_a_node_does_does_not(table: Any) -> None:
    small, large = (table.Load.of(users, result()) for users in (500_000, 1_000_000))
    assert large.nodes == 2 * small.nodes == 100
    assert large.redis_cpu == pytest.approx(2 * small.redis_cpu, rel=0.05)
    assert large.node_cpu == pytest.approx(small.node_cpu, rel=0.05)
    assert large.redis_memory == 2 * small.redis_memory
