"""`quintet connections --watch`: the connections of the running server, else those of the command."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.command import PLAIN, PROGRAM, run_program
from support.folder import settings_folder
from support.serving import Serving
from support.slapd import Slapd

pytestmark = pytest.mark.real


@pytest.fixture
def folder(tmp_path: Path, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path / "s", small_slapd, cards_encrypted=True)


@contextmanager
def program(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A program that runs until it is interrupted."""
    with subprocess.Popen(
        [PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, **PLAIN},
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def until(running: subprocess.Popen[str], wanted: str) -> list[str]:
    """The lines up to the one with `wanted` in it."""
    lines: list[str] = []
    for line in running.stdout or ():
        lines.append(line)
        if wanted in line:
            return lines
    raise AssertionError(f"{wanted!r} did not come: {lines}")


def test_it_shows_the_running_servers_connections_until_ctrl_c(folder: Path) -> None:
    server = Serving(folder)
    try:
        server.until("serving")
        with program("--config", folder, "connections", "--watch") as watching:
            lines = until(watching, "business-card")
            assert lines[0].strip() == f"Running server, process {server.pid}"
            assert lines[2].split("\t")[:2] == ["connection", "address"]
            watching.send_signal(signal.SIGINT)
            assert watching.wait(10) == 130
    finally:
        server.end()


def test_without_a_server_it_shows_its_own_connections_and_says_so(folder: Path) -> None:
    with program("--config", folder, "connections", "--watch") as watching:
        lines = until(watching, "business-card")
        assert "No server is running with this folder" in lines[0]
        assert any("TLSv1.3" in line for line in lines)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(10) == 130


def test_a_table_that_changes_is_no_json_document(folder: Path) -> None:
    ran = run_program("--config", folder, "connections", "--watch", "--json")
    assert (ran.code, ran.out) == (2, "")
