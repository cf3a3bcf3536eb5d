"""What `script/bench --web` claims, from figures made up here."""

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCH = Path(__file__).parent.parent / "bench"


@pytest.fixture
def web_table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(BENCH))
    return importlib.import_module("web_table")


def result(measured: float) -> dict[str, Any]:
    turn = {"per_second": 1000.0, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_us": 100.0}
    route = {"path": "/servlet/UserInfoServlet", "level": "all", "wanted": 0.5, "by_rate": 0.4}
    route |= {"measured": measured, "met": measured >= 0.5, "core": turn, "web": turn}
    return {
        "measured": "2026-01-01",
        "machine": {"processors": 2, "system": "Linux", "architecture": "x86_64", "load_average": 0.1},
        "software": {"starlette": "1"},
        "callers": 64,
        "rounds": 2,
        "seconds_per_turn": 0.5,
        "routes": [route],
        "empty": {"starlette": turn, "fastapi": turn},
    }


@pytest.mark.parametrize(("measured", "missed"), [(0.5, False), (0.49, True)])
def test_a_goal_that_is_missed_is_called_so(web_table: Any, measured: float, missed: bool) -> None:
    assert ("0.5, missed |" in web_table.section(result(measured))) is missed


def test_the_frameworks_own_rates_are_named(web_table: Any) -> None:
    rows = web_table.section(result(1.0)).splitlines()
    assert {"starlette", "fastapi"} <= {word.casefold() for row in rows[3:5] for word in row.split()}


def test_the_figures_stand_between_the_markers_and_nowhere_else(web_table: Any) -> None:
    marked = "a\n<!-- web figures -->\nold\n<!-- end of web figures -->\nb\n"
    filled = web_table.fill(marked, result(1.0))
    assert "old" not in filled
    assert (filled[:2], filled[-2:]) == ("a\n", "b\n")
    assert web_table.fill(filled, result(1.0)) == filled
    with pytest.raises(ValueError, match="web figures"):
        web_table.fill("a\nb\n", result(1.0))
