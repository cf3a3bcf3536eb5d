"""What `script/faults` says of rounds that are made up here, and what the page says of the last run."""

import importlib
import json
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def table(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    return importlib.import_module("faults_table")


def a_round(**changes: Any) -> dict[str, Any]:
    figures = dict.fromkeys(
        ("reconnects", "sent", "received", "conference_sent", "conference_received"), 1000
    )
    found = {
        "fault": "a crash",
        "held": True,
        "pairs": 20,
        "agreed_after": 1.5,
        "ended_after": 7.0,
        "lost": 0,
    }
    return found | figures | changes


def test_rounds_of_a_fault_are_one_row(table: Any) -> None:
    rounds = [
        a_round(),
        a_round(held=False, agreed_after=15.04, lost=2),
        a_round(fault="a drain", ended_after=0),
    ]
    crash, drain = table.summary(rounds)
    assert (crash["rounds"], crash["held"], crash["lost"], crash["sent"]) == (2, 1, 2, 2000)
    assert (crash["agreed_after"], crash["ended_after"]) == (15.04, 7.0)
    assert (drain["fault"], drain["rounds"], drain["held"]) == ("a drain", 1, 1)


def test_a_page_without_markers_is_refused(table: Any) -> None:
    with pytest.raises(ValueError, match="faults figures"):
        table.fill("a page", {})


def test_the_page_shows_the_last_run(table: Any) -> None:
    page = (ROOT / "docs" / "explanation" / "several-nodes.md").read_text(encoding="utf-8")
    result = json.loads((ROOT / "bench" / "results-faults.json").read_text(encoding="utf-8"))
    assert page == table.fill(page, result)
    assert all(each["held"] == each["rounds"] for each in result["faults"])
