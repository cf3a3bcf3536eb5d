"""Stash files (config 2.5)."""

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from quintet.secret import Secret
from quintet.tls.stores import StashError
from quintet.tls.stores.stash import exposed, read_stash, write_stash


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_c23_c24_what_was_stashed_is_read(tmp_path: Path, password: str) -> None:
    path = tmp_path / "a.sth"
    path.unlink(missing_ok=True)
    write_stash(path, Secret(password))
    assert read_stash(path) == Secret(password)


def test_c23_a_stash_is_for_its_owner_only_and_alone_in_the_folder(tmp_path: Path) -> None:
    path = tmp_path / "a.sth"
    write_stash(path, Secret("pw"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    assert not exposed(path)


def test_the_password_is_not_to_be_seen_at_a_glance(tmp_path: Path) -> None:
    path = tmp_path / "a.sth"
    write_stash(path, Secret("hush-hush"))
    assert b"hush" not in path.read_bytes()


def test_c23_a_stash_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "a.sth"
    write_stash(path, Secret("first"))
    with pytest.raises(StashError):
        write_stash(path, Secret("second"))
    assert read_stash(path) == Secret("first")
    assert list(tmp_path.iterdir()) == [path]


def test_c23_what_a_crash_left_behind_does_not_stop_the_stash(tmp_path: Path) -> None:
    path = tmp_path / "a.sth"
    (tmp_path / f".a.sth.{os.getpid()}.new").write_bytes(b"")
    write_stash(path, Secret("pw"))
    assert read_stash(path) == Secret("pw")


@pytest.fixture
def without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a FAT or some network file systems."""

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)


@pytest.mark.usefixtures("without_links")
def test_c23_a_file_system_without_links_has_its_stash_as_well(tmp_path: Path) -> None:
    path = tmp_path / "a.sth"
    write_stash(path, Secret("pw"))
    assert read_stash(path) == Secret("pw")
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(StashError):
        write_stash(path, Secret("second"))
    assert read_stash(path) == Secret("pw")


@pytest.mark.usefixtures("without_links")
def test_c23_a_disk_that_fills_up_leaves_no_part_of_a_stash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full_disk(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(StashError):
        write_stash(tmp_path / "a.sth", Secret("pw"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_c25_a_stash_that_others_can_read_is_noticed(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.sth"
    write_stash(path, Secret("pw"))
    path.chmod(mode)
    assert exposed(path)


@pytest.mark.parametrize("size", [129, 193])
def test_the_stash_of_gskit_is_read_as_a_courtesy(tmp_path: Path, size: int) -> None:
    path = tmp_path / "key.sth"
    path.write_bytes(bytes(byte ^ 0xF5 for byte in b"passw0rd".ljust(size, b"\0")))
    assert read_stash(path) == Secret("passw0rd")


def test_a_stash_that_is_cut_off_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.sth"
    write_stash(path, Secret("password"))
    whole = path.read_bytes()
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        with pytest.raises(StashError):
            read_stash(path)


def test_a_missing_stash_is_told(tmp_path: Path) -> None:
    with pytest.raises(StashError):
        read_stash(tmp_path / "none.sth")


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(StashError):
        read_stash(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(StashError):
        write_stash(tmp_path / "none" / "a.sth", Secret("pw"))


def test_a_password_too_long_to_be_read_back_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(StashError):
        write_stash(tmp_path / "a.sth", Secret("x" * 100_000))


@given(st.binary(max_size=120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_other_files_are_no_stash(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "a.sth"
    for start in (b"", b"QUINTET-STASH-1\n!"):
        assume(start or not data.startswith(b"QUINTET-STASH-1\n"))
        path.write_bytes(start + data)
        with pytest.raises(StashError):
            read_stash(path)
