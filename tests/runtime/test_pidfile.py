"""A running server is found by its lock, and told to reload."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

import pytest

from quintet.runtime.pidfile import PID_FILE, AlreadyRunningError, pid_file, reload_running, running


def test_nothing_runs_on_a_fresh_folder(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    assert reload_running(tmp_path) is None


def test_the_server_is_found_while_it_runs_and_its_file_goes_with_it(tmp_path: Path) -> None:
    with pid_file(tmp_path):
        assert running(tmp_path) == os.getpid()
    assert running(tmp_path) is None
    assert not (tmp_path / PID_FILE).exists()


def test_a_second_server_is_refused_and_told_of_the_first(tmp_path: Path) -> None:
    with (
        pid_file(tmp_path),
        pytest.raises(AlreadyRunningError, match=f"process {os.getpid()}"),
        pid_file(tmp_path),
    ):
        pass


def test_a_left_over_pid_file_is_no_server(tmp_path: Path) -> None:
    (tmp_path / PID_FILE).write_text(f"{os.getppid()}\n1\n")
    assert running(tmp_path) is None
    with pid_file(tmp_path):
        assert running(tmp_path) == os.getpid()


@pytest.mark.parametrize("content", ["", "1\n", "-1\n", "0\n", "x\n", "4194305000\n12\n", "½\n"])
def test_a_pid_file_that_names_no_such_process_is_no_server(tmp_path: Path, content: str) -> None:
    with pid_file(tmp_path):
        (tmp_path / PID_FILE).write_text(content)
        assert running(tmp_path) is None


def test_a_process_that_has_the_number_of_another_time_is_no_server(tmp_path: Path) -> None:
    with pid_file(tmp_path):
        (tmp_path / PID_FILE).write_text(f"{os.getpid()}\n1\n")
        assert running(tmp_path) is None


def test_the_running_server_gets_the_signal(tmp_path: Path) -> None:
    got: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        got.append(number)

    before = signal.signal(signal.SIGHUP, note)
    try:
        with pid_file(tmp_path):
            assert reload_running(tmp_path) == os.getpid()
    finally:
        signal.signal(signal.SIGHUP, before)
    assert got == [signal.SIGHUP]


def test_a_server_that_was_killed_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from quintet.runtime.pidfile import pid_file\n"
        "with pid_file(pathlib.Path(sys.argv[1])):\n"
        "    print('up', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == b"up\n"
        assert running(tmp_path) == server.pid
        server.kill()
    assert (tmp_path / PID_FILE).exists()
    assert running(tmp_path) is None
