"""Standard streams that are closed, not in UTF-8, full, or closed by the reader."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from quintet.cli.exit_codes import ExitCode
from support import small
from support.command import PLAIN, PROGRAM, Ran, at_terminal, run_program

pytestmark = pytest.mark.real


def through_shell(folder: Path, line: str) -> Ran:
    """Runs `$q ...` in a shell, which can close streams and join commands."""
    done = subprocess.run(
        ["bash", "-c", line],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **PLAIN, "q": str(PROGRAM), "QUINTET_CONFIG": str(folder)},
    )
    assert "Traceback" not in done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["resolve", "e"], 0),
        (["browse", small.PEOPLE], 0),
        (["members", "everybody"], 0),
        (["card", small.person_dn("jose")], 0),
        (["connections"], 0),
        (["members", "gr\u00fc\u00dfe \u2013 \u6f22"], 1),
        (["--config", "no \u6f22", "check"], 2),
        (["no \u6f22"], 2),
        (["--help"], 0),
    ],
)
def test_what_is_printed_suits_every_encoding(
    sound_folder: Path, encoding: str, arguments: list[str], code: int
) -> None:
    done = subprocess.run(
        [PROGRAM, *arguments],
        capture_output=True,
        encoding=encoding,
        timeout=60,
        check=False,
        env={**os.environ, **PLAIN, "QUINTET_CONFIG": str(sound_folder), "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == code, done.stderr
    assert done.stdout + done.stderr
    assert "\u2013" not in done.stdout


def test_what_ascii_lacks_is_escaped(sound_folder: Path) -> None:
    environ = {"QUINTET_CONFIG": str(sound_folder), "PYTHONIOENCODING": "ascii"}
    rows = run_program("browse", small.PEOPLE, environ=environ).out
    assert "Jos\\xe9" in rows
    assert rows.isascii()
    with at_terminal("browse", small.PEOPLE, environ=environ) as terminal:
        assert terminal.end() == 0
    assert any("Jos\\xe9" in line for line in terminal.lines)
    assert b"".join(terminal.shown.splitlines()).isascii()


@pytest.mark.parametrize(
    "command", [["members", "everybody"], ["members", "everybody", "--json"], ["--help"]]
)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_who_leaves_ends_the_command_as_sigpipe_does(
    sound_folder: Path, command: list[str], stream: str
) -> None:
    """And not with 1, which would be an answer: no."""
    if stream == "stderr":
        command = ["members", "nobodies"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as gone:
        done = subprocess.run(
            [PROGRAM, "--config", sound_folder, *command],
            stdout=gone if stream == "stdout" else subprocess.PIPE,
            stderr=gone if stream == "stderr" else subprocess.PIPE,
            timeout=60,
            check=False,
            env={**os.environ, **PLAIN},
        )
    assert done.returncode == ExitCode.OUTPUT_CLOSED == 128 + signal.SIGPIPE
    assert not done.stdout
    assert not done.stderr


def test_a_result_without_a_place_is_2_and_said(sound_folder: Path) -> None:
    for command in ("resolve alice", "resolve alice --json", "--version", "connections"):
        for place in (">&-", ">/dev/full"):
            ran = through_shell(sound_folder, f"$q {command} {place}")
            assert (ran.code, ran.out) == (ExitCode.USAGE, "")
            assert "standard output can't be written" in ran.err


def test_remarks_without_a_place_are_lost_and_the_answer_is_not(sound_folder: Path) -> None:
    assert through_shell(sound_folder, "$q members nobodies 2>&-").code == ExitCode.NO
    ran = through_shell(sound_folder, "$q resolve alice --json 2>&- <&-")
    assert (ran.code, ran.document["matches"][0]["name"]) == (ExitCode.DONE, "Alice Adams")


@pytest.mark.parametrize("password", ["--password-stdin", ""])
def test_a_closed_standard_input_holds_no_password(sound_folder: Path, password: str) -> None:
    ran = through_shell(sound_folder, f"$q authenticate alice {password} <&-")
    assert (ran.code, ran.out) == (ExitCode.USAGE, "")
    assert "standard input is empty" in ran.err if password else "no terminal to ask" in ran.err
