"""A file is replaced whole or not at all."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.files import replace_file


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@given(st.binary(max_size=2000), st.binary(max_size=2000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_the_new_bytes_are_there_and_nothing_else_is(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(old)
    replace_file(path, new)
    assert path.read_bytes() == new
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_is_private(tmp_path: Path) -> None:
    replace_file(tmp_path / "a", b"x")
    assert _mode(tmp_path / "a") == 0o600


def test_the_old_mode_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o640)
    replace_file(path, b"new")
    assert _mode(path) == 0o640


def test_the_backup_is_the_old_file_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    kept = replace_file(path, b"new", backup=True)
    assert kept == tmp_path / "a.bak"
    assert kept.read_bytes() == b"old"
    assert _mode(kept) == 0o600


def test_there_is_no_backup_of_a_file_that_was_not_there(tmp_path: Path) -> None:
    assert replace_file(tmp_path / "a", b"new", backup=True) is None
    assert list(tmp_path.iterdir()) == [tmp_path / "a"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(b"old")
    link = tmp_path / "link"
    link.symlink_to(target)
    replace_file(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


def test_a_failing_replacement_leaves_the_old_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def no_sync(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_sync)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, b"new", backup=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_grows_past_the_limit_leaves_the_old_one_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"old")
    program = (
        "import resource, signal, sys; from pathlib import Path; from quintet.files import replace_file\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try: replace_file(Path(sys.argv[1]), bytes(5000))\n"
        "except OSError: sys.exit(7)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert done.returncode == 7
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
