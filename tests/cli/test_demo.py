"""The demo shows all levels as they are, and what it tells people to try works, sign-in included."""

import os
import re
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.cli.demo import UNIT
from quintet.embedded import sample
from quintet.runtime.pidfile import PID_FILE
from support import meanwhile_abi as abi
from support.command import PLAIN, PROGRAM, Quintet, at_terminal, interruptible, run_program
from support.meanwhile import Connected, MeanwhileClient

FIVE = {"authenticate", "resolve-login", "resolve-names", "browse", "group-content"}


def test_the_demo_encrypts_at_each_level_what_the_level_says(quintet: Quintet) -> None:
    ran = quintet("demo", "--json")
    assert (ran.code, ran.err) == (0, "")
    encrypted = {
        level["protection"]: {row["task"] for row in level["connections"] if row["encrypted"]}
        for level in ran.document["levels"]
    }
    assert encrypted == {"all": {*FIVE, "business-card"}, "passwords": {"authenticate"}, "none": set()}
    for level in ran.document["levels"]:
        assert set(level["answers"]) == {*FIVE, "business-card"}
        assert all(row["state"] == "connected" for row in level["connections"])


def test_the_demo_prints_a_table_for_each_level(quintet: Quintet) -> None:
    ran = quintet("demo", "--once")
    assert (ran.code, ran.err) == (0, "")
    assert [word for word in ("all", "passwords", "none") if f"Protection {word}" in ran.out] == [
        "all",
        "passwords",
        "none",
    ]
    assert ran.out.rstrip().endswith("quintet demo")
    assert max(len(line) for line in ran.out.splitlines()) <= 80
    assert sample.password_of("jsmith") not in ran.out


def test_settings_that_are_there_are_never_overwritten(quintet: Quintet, tmp_path: Path) -> None:
    (tmp_path / "sametime.ini").write_text("precious")
    ran = quintet("demo", "--keep", tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert [path.name for path in tmp_path.iterdir()] == ["sametime.ini"]


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path, list[str]]]:
    """`quintet demo --keep`, its folder, and the commands that it told people to try."""
    folder = tmp_path / "demo settings"
    process = subprocess.Popen(
        [PROGRAM, "demo", "--keep", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **PLAIN},
        preexec_fn=interruptible,  # noqa: PLW1509 - no threads here
    )
    assert process.stdout is not None
    assert process.stderr is not None
    commands = []
    for line in process.stdout:
        if line.startswith("  "):
            commands.append(line.strip())
        if line.startswith("Ctrl-C"):
            break
    try:
        yield process, folder, commands
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.skipif(not abi.is_installed(), reason="needs Debian's libmeanwhile1")
def test_a_sametime_client_signs_in_with_what_it_prints(tmp_path: Path) -> None:
    with at_terminal("demo") as terminal:
        terminal.until("Ctrl-C stops it.", 60)
        shown = "\n".join(terminal.lines)
        port = int(re.findall(r"sign in at localhost, port (\d+)", shown)[0])
        accounts = re.findall(r"^ *(\w+) +(\S+-Quintet1) *$", shown, re.MULTILINE)
        assert len(accounts) == 2
        (folder,) = re.findall(r"QUINTET_CONFIG=(\S+)", shown)
        with Connected("127.0.0.1", port) as line:
            clients = [MeanwhileClient(name, password) for name, password in accounts]
            for each in clients:
                line.connect(each)
            line.pump(lambda: all(each.is_started for each in clients))
            listed = run_program("--config", folder, "sessions", "--json")
            assert len(listed.document["sessions"]) == 2
            terminal.interrupt()
            line.pump(lambda: not any(line.is_connected(each) for each in clients), 30)
        assert terminal.end() == 130
    assert b"Traceback" not in terminal.shown
    assert not Path(folder).exists()


def test_once_and_keep_are_not_combined(quintet: Quintet, tmp_path: Path) -> None:
    ran = quintet("demo", "--once", "--keep", tmp_path / "new")
    assert (ran.code, ran.out) == (2, "")
    assert not (tmp_path / "new").exists()


def test_every_command_that_it_tells_to_try_works(
    kept: tuple[subprocess.Popen[str], Path, list[str]],
) -> None:
    process, folder, commands = kept
    assert len(commands) >= 8
    assert commands[0] == f"export QUINTET_CONFIG={shlex.quote(str(folder))}"
    done = subprocess.run(
        ["bash", "-ec", "\n".join(commands)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **PLAIN},
    )
    assert done.returncode == 0, done.stderr
    assert "John Smith" in done.stdout
    assert UNIT in done.stdout
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in said
    assert str(folder) in said


def test_the_settings_that_it_leaves_are_closed_to_others(
    kept: tuple[subprocess.Popen[str], Path, list[str]],
) -> None:
    _, folder, _ = kept
    settings = [path for path in folder.iterdir() if path.name != PID_FILE]
    assert len(settings) > 3
    assert {path.stat().st_mode & 0o077 for path in (folder, *settings)} == {0}
