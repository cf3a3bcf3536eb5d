"""`quintet serve` with HTTP: it answers, and a port in use is a clear error."""

import json
import os
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.command import PLAIN, PROGRAM, run_program

pytestmark = pytest.mark.real


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


@contextmanager
def serve(folder: Path, **environ: str) -> Iterator[dict[str, str]]:
    """`quintet serve`; yields what it logs when it listens."""
    process = subprocess.Popen(
        [PROGRAM, "--config", folder, "serve"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **PLAIN, **environ},
    )
    patience = threading.Timer(20, process.kill)
    patience.start()
    try:
        assert process.stderr is not None
        events = (json.loads(line) for line in process.stderr if line.startswith("{"))
        yield next(each for each in events if each["event"] == "listening")
    finally:
        patience.cancel()
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0


def test_it_serves_business_cards_and_ends_in_order(folder: Path) -> None:
    port = str(free_port())
    with serve(folder, STI__Config__QUINTET_HTTP_PORT=port) as told:
        assert told["http"] == f"http://localhost:{port}"
        with urllib.request.urlopen(
            f"{told['http']}/servlet/UserInfoServlet?operation=3&userId=helpdesk"
        ) as answer:
            assert b'<field name="Name" type="text/plain">#1 Help Desk</field>' in answer.read()


def test_a_port_in_use_is_exit_2_and_names_the_setting(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ran = run_program("--config", folder, "serve", environ={"STI__Config__QUINTET_HTTP_PORT": port})
    assert ran.code == 2
    assert "QUINTET_HTTP_PORT" in ran.err
    assert "Traceback" not in ran.err
