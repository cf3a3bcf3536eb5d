"""`cost` against a real slapd: what is measured, what is told, and that no account is shown for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from quintet.admin.cost import Outcome, measure
from quintet.admin.cost.measuring import BURST
from quintet.config.load import load
from quintet.directory import TASKS, Protection
from support import small
from support.command import at_terminal
from support.folder import settings_folder
from support.relay import Relay
from support.slapd import Slapd

pytestmark = pytest.mark.real


OUTCOMES = [outcome.value for outcome in Outcome]


def _command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quintet", "--config", str(folder), "cost", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "80", "NO_COLOR": "1"},
    )


async def test_every_task_is_measured_at_every_level(tmp_path: Path, small_slapd: Slapd) -> None:
    measured = await measure(load(settings_folder(tmp_path / "s", small_slapd), {}), seconds=0.1, rate=1e6)
    assert [level.protection for level in measured.levels] == [
        Protection.NONE,
        Protection.PASSWORDS,
        Protection.ALL,
    ]
    for level in measured.levels:
        assert level.error is None
        assert set(level.bursts) == set(TASKS)
        assert all(len(burst.times_ms) == BURST for bursts in level.bursts.values() for burst in bursts)
    assert measured.handshake_ms is not None
    assert measured.operations == measured.rounds * 3 * len(TASKS) * BURST


async def test_measuring_the_clear_level_does_not_show_the_account(
    tmp_path: Path, small_slapd: Slapd, relay: Relay
) -> None:
    port = relay.to(small_slapd.port, label="clear")
    folder = settings_folder(tmp_path / "s", small_slapd, level="all", connection={"Port": str(port)})
    measured = await measure(load(folder, {}), seconds=0.1, rate=1e6)
    assert measured.levels[0].bursts
    crossed = b"".join(each.bytes for each in relay.of("clear"))
    assert b"inetOrgPerson" in crossed
    assert small.READER_PASSWORD.encode() not in crossed


async def test_a_level_that_cannot_be_opened_is_told_and_the_others_are_measured(
    tmp_path: Path, small_slapd: Slapd
) -> None:
    folder = settings_folder(
        tmp_path / "s", small_slapd, level="none", account=None, connection={"SSLPort": str(small_slapd.port)}
    )
    measured = await measure(load(folder, {}), seconds=0.1, rate=1e6)
    none, passwords, everything = measured.levels
    assert none.bursts
    assert passwords.error
    assert everything.error
    assert not everything.bursts


async def test_the_rate_is_kept(tmp_path: Path, small_slapd: Slapd) -> None:
    measured = await measure(load(settings_folder(tmp_path / "s", small_slapd), {}), seconds=0.1, rate=2000)
    assert measured.operations / measured.seconds <= 2000


def test_the_command_prints_one_document_and_writes_a_page(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd)
    page = tmp_path / "cost.html"
    done = _command(folder, "--json", "--seconds", "1", "--rate", "100000", "--html", str(page))
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document["levels"]) == {"none", "passwords", "all"}
    figures = document["levels"]["all"]["tasks"]["resolve-names"]
    assert {"per_second", "p50_ms", "p99_ms"} <= figures.keys()
    assert document["verdict"]
    assert document["differences"].keys() == {"searches", "sign-ins"}
    assert all(each["outcome"] in OUTCOMES for each in document["differences"].values())
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    again = _command(folder, "--seconds", "1", "--html", str(page))
    assert (again.returncode, again.stdout) == (2, "")


def test_the_table_fits_80_columns_and_ends_with_the_verdict(tmp_path: Path, small_slapd: Slapd) -> None:
    folder = settings_folder(tmp_path / "s", small_slapd)
    with at_terminal("--config", folder, "cost", "--seconds", "1", "--rate", "100000") as terminal:
        assert terminal.end(60) == 0
    table = [line for line in terminal.lines if line.startswith(" ")]
    assert max(map(len, table)) <= 80
    assert "handshake" in terminal.lines[-1]
