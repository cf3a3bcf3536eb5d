"""Ctrl-C ends a command with 130, at every question and while it runs, and leaves nothing half done."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.command import PLAIN, PROGRAM, at_terminal, interruptible
from support.folder import settings_folder
from support.serving import Serving
from support.slapd import Slapd

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_slapd: Slapd) -> Path:
    return settings_folder(tmp_path_factory.mktemp("settings"), small_slapd, level="none", account=None)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("arguments", "answered", "question"),
    [
        (("authenticate", "alice"), "", "Password of alice:"),
        (("eavesdrop", "--sign-in", "alice"), "", "Send it? [y/N]:"),
        (("eavesdrop", "--sign-in", "alice"), "y\n", "Password of alice:"),
        (("protect", "all"), "", "Write this? [y/N]:"),
        (("trust", "create", "--store", "new.p12"), "", "Password of new.p12:"),
        (("trust", "create", "--store", "new.p12"), "secret\n", "Repeat:"),
        (("trust", "remove", "ldap"), "", "? [y/N]:"),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, tuple) else "",
)
def test_at_a_question(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], answered: str,
    question: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    before = contents(folder)
    with at_terminal("--config", folder, *arguments) as terminal:
        for answer in answered.splitlines(keepends=True):
            terminal.until(":")
            terminal.type(answer)
        terminal.until(question)
        terminal.interrupt()
        assert terminal.end() == 130
    assert b"Traceback" not in terminal.shown
    assert b"Nothing was changed" not in terminal.shown
    assert contents(folder) == before
    assert list(tmp_path.iterdir()) == []


def test_at_each_question_of_init(tmp_path: Path, small_slapd: Slapd) -> None:
    questions = (
        "LDAP server:",
        "port [389]:",
        "port [636]:",
        "Import the certificate? [y/N]:",
        "anonymous):",
    )
    answers = ("localhost\n", f"{small_slapd.port}\n", f"{small_slapd.tls_port}\n", "y\n")
    for stop in range(len(questions)):
        with at_terminal("--config", tmp_path, "init") as terminal:
            for question, answer in zip(questions[:stop], answers, strict=False):
                terminal.until(question)
                terminal.type(answer)
            terminal.until(questions[stop])
            terminal.interrupt()
            assert terminal.end() == 130, questions[stop]
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Accepts connections, and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(30)
        yield server


@pytest.mark.parametrize(
    "command",
    [
        ("connections",),
        ("resolve", "alice"),
        ("card", "alice"),
        ("doctor",),
        ("eavesdrop",),
        ("cost",),
        ("protect", "passwords"),
        ("connections", "--watch"),
        ("serve",),
        ("init", "--host", "127.0.0.1", "--port", "{port}", "--tls-port", "{port}", "--yes"),
        ("trust", "fetch", "127.0.0.1:{port}"),
    ],
    ids=" ".join,
)
def test_while_a_server_does_not_answer(
    folder: Path, tmp_path: Path, silent: socket.socket, small_slapd: Slapd, command: tuple[str, ...]
) -> None:
    port = str(silent.getsockname()[1])
    for name, data in contents(folder).items():
        ours = data.replace(f'Port="{small_slapd.port}"'.encode(), f'Port="{port}"'.encode())
        (tmp_path / name).write_bytes(ours.replace(b'"localhost"', b'"127.0.0.1"'))
    if command[0] == "init":
        for path in tmp_path.iterdir():
            path.unlink()
    process = subprocess.Popen(
        [PROGRAM, "--config", tmp_path, *(each.format(port=port) for each in command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | PLAIN,
        preexec_fn=interruptible,  # noqa: PLW1509 - no threads here
    )
    with silent.accept()[0]:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert b"Traceback" not in err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_server_ends_in_order(folder: Path, number: signal.Signals, code: int) -> None:
    running = Serving(folder)
    try:
        running.until("serving")
        running.send(number)
        assert running.until("stopping")
    finally:
        ended = running.end(None)
    assert ended == code


def test_a_demo_that_is_kept(tmp_path: Path) -> None:
    with at_terminal("demo", "--keep", tmp_path / "demo") as terminal:
        terminal.until("Ctrl-C stops it.")
        terminal.interrupt()
        assert terminal.end() == 130
    assert b"Traceback" not in terminal.shown
