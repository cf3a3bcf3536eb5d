"""The demo shows all levels as they are, and what it tells people to try works."""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.cli.demo import UNIT
from quintet.embedded import sample
from support.command import PLAIN, PROGRAM, Quintet, interruptible

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
    ran = quintet("demo")
    assert (ran.code, ran.err) == (0, "")
    assert [word for word in ("all", "passwords", "none") if f"Protection {word}" in ran.out] == [
        "all",
        "passwords",
        "none",
    ]
    assert "demo --keep" in ran.out
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
    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}
