"""Files change whole or not at all, several at once, and never through a link."""

import errno
import os
import resource
import signal
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quintet.files import (
    FileChange,
    FolderLockedError,
    WriteError,
    check_output,
    locked,
    replace_file,
    write_files,
    write_output,
)


def in_child(work: Callable[[], None]) -> int:
    """Runs `work` in a process of its own, where limits and rights can be given up. Its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - the parent shall see any failure as the exit code
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def files(tmp_path: Path) -> list[FileChange]:
    changes = []
    for name in ("a.ini", "b.xml", "c.xml"):
        path = tmp_path / name
        path.write_bytes(b"old " + name.encode())
        path.chmod(0o640)
        changes.append(FileChange.of(path, b"new " + name.encode()))
    return changes


def test_all_files_change_and_the_old_ones_stay_as_backups(files: list[FileChange], tmp_path: Path) -> None:
    backups = write_files(files)
    assert {p.name for p in backups} == {"a.ini.bak", "b.xml.bak", "c.xml.bak"}
    assert content(tmp_path) == {
        f"{change.path.name}{suffix}": data
        for change in files
        for suffix, data in (("", change.new), (".bak", change.old))
    }


def test_without_a_backup_nothing_else_is_left(files: list[FileChange], tmp_path: Path) -> None:
    assert write_files(files, backup=False) == ()
    assert content(tmp_path) == {change.path.name: change.new for change in files}


@given(st.binary(max_size=2000), st.binary(max_size=2000))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
def test_every_content_is_written_as_it_is(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(old)
    assert replace_file(path, new) is None
    assert content(tmp_path) == {"a": new}


def test_modes_stay_unless_one_is_given(files: list[FileChange]) -> None:
    write_files([files[0], FileChange.of(files[1].path, b"x", mode=0o600)])
    assert mode_of(files[0].path) == 0o640
    assert mode_of(files[1].path) == 0o600


def test_a_backup_has_the_mode_of_the_old_file(files: list[FileChange], tmp_path: Path) -> None:
    write_files([FileChange.of(files[0].path, b"x", mode=0o644)])
    assert mode_of(tmp_path / "a.ini.bak") == 0o640


def test_a_new_file_is_private_and_has_no_backup(tmp_path: Path) -> None:
    assert write_files([FileChange(tmp_path / "new", None, b"x")]) == ()
    assert mode_of(tmp_path / "new") == 0o600
    assert content(tmp_path) == {"new": b"x"}


@pytest.mark.parametrize("kind", ["a file", "nothing", "a folder"])
def test_a_link_is_refused_whatever_it_points_to(tmp_path: Path, kind: str) -> None:
    if kind == "a file":
        (tmp_path / "real").write_bytes(b"old")
    elif kind == "a folder":
        (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to("real")
    for old in (b"old", None):
        with pytest.raises(WriteError) as refused:
            write_files([FileChange(link, old, b"new")])
        assert (refused.value.errno, refused.value.filename) == (errno.ELOOP, str(link))
    assert link.is_symlink()
    assert kind != "a file" or (tmp_path / "real").read_bytes() == b"old"


def test_a_backup_is_not_written_through_a_link(files: list[FileChange], tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"other")
    (tmp_path / "a.ini.bak").symlink_to("other")
    write_files(files[:1])
    assert (tmp_path / "other").read_bytes() == b"other"
    assert not (tmp_path / "a.ini.bak").is_symlink()


def test_a_folder_where_the_backup_goes_is_found_before_anything_changes(
    files: list[FileChange], tmp_path: Path
) -> None:
    (tmp_path / "c.xml.bak").mkdir()
    with pytest.raises(WriteError) as refused:
        write_files(files)
    assert refused.value.errno == errno.EISDIR
    assert [change.path.read_bytes() for change in files] == [change.old for change in files]


def test_a_failing_rename_puts_the_earlier_ones_back(
    files: list[FileChange], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(tmp_path)
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target.name == "c.xml" and not self.name.endswith(".old"):
            raise OSError(errno.EIO, "Input/output error", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(WriteError) as failed:
        write_files([*files[:2], FileChange(tmp_path / "new", None, b"x"), files[2]])
    assert (failed.value.errno, failed.value.filename) == (errno.EIO, str(tmp_path / "c.xml"))
    assert content(tmp_path) == before


def test_a_file_that_another_program_changed_is_not_overwritten(
    files: list[FileChange], tmp_path: Path
) -> None:
    files[2].path.write_bytes(b"theirs")
    before = content(tmp_path)
    with pytest.raises(WriteError) as refused:
        write_files(files)
    assert refused.value.errno == errno.ESTALE
    assert content(tmp_path) == before


def test_a_file_that_another_program_removed_is_not_made_again(
    files: list[FileChange], tmp_path: Path
) -> None:
    files[2].path.unlink()
    before = content(tmp_path)
    with pytest.raises(WriteError) as refused:
        write_files(files)
    assert refused.value.errno == errno.ESTALE
    assert content(tmp_path) == before


def test_a_new_file_does_not_replace_one_that_appeared(files: list[FileChange], tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"theirs")
    before = content(tmp_path)
    with pytest.raises(WriteError) as refused:
        write_files([*files, FileChange(tmp_path / "new", None, b"x")])
    assert refused.value.errno == errno.EEXIST
    assert content(tmp_path) == before


@pytest.mark.parametrize("links", [True, False])
def test_of_many_who_create_one_file_at_once_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", no_links)
    made: list[bytes] = []
    refused: list[int | None] = []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        data = bytes([number]) * 10_000
        start.wait()
        try:
            write_output(tmp_path / "new", data, overwrite=False)
        except WriteError as error:
            refused.append(error.errno)
        else:
            made.append(data)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [content(tmp_path)] == [{"new": data} for data in made]
    assert refused == [errno.EEXIST] * 7


def no_links(self: Path, target: Path) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


def test_without_hard_links_a_new_file_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(self: Path, target: Path) -> Path:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(WriteError):
        write_files([FileChange(tmp_path / "new", None, b"x")])
    assert list(tmp_path.iterdir()) == []


def test_without_hard_links_the_old_file_is_copied(
    files: list[FileChange], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "hardlink_to", no_links)
    backups = write_files(files)
    assert [p.read_bytes() for p in backups] == [change.old for change in files]


def test_no_room_in_the_middle_leaves_every_file_whole(files: list[FileChange], tmp_path: Path) -> None:
    before = content(tmp_path)

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(WriteError) as failed:
            write_files([*files[:2], FileChange.of(files[2].path, b"x" * 2000)])
        assert failed.value.errno == errno.EFBIG

    assert in_child(work) == 0
    assert content(tmp_path) == before


def test_a_disk_that_fails_at_the_end_leaves_the_old_file_and_nothing_else(
    files: list[FileChange], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(tmp_path)

    def no_sync(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_sync)
    with pytest.raises(WriteError) as failed:
        write_files(files)
    assert failed.value.errno == errno.ENOSPC
    assert content(tmp_path) == before


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@as_root
def test_a_folder_that_cannot_be_written_leaves_every_file_whole(
    files: list[FileChange], tmp_path: Path
) -> None:
    before = content(tmp_path)

    def work() -> None:
        tmp_path.chmod(0o555)
        for above in tmp_path.parents:
            if above.stat().st_uid == 0 and str(above).startswith("/tmp/"):
                above.chmod(0o755)
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        with pytest.raises(WriteError) as failed:
            write_files(files)
        assert failed.value.errno == errno.EACCES

    assert in_child(work) == 0
    assert content(tmp_path) == before


@as_root
def test_the_owner_stays_and_a_new_file_belongs_to_the_owner_of_the_folder(
    files: list[FileChange], tmp_path: Path
) -> None:
    os.chown(files[0].path, 1234, 1235)
    os.chown(tmp_path, 4321, 4322)
    write_files([files[0], FileChange(tmp_path / "new", None, b"x")])
    owners = {name: (s.st_uid, s.st_gid) for name in ("a.ini", "new") if (s := (tmp_path / name).stat())}
    assert owners == {"a.ini": (1234, 1235), "new": (4321, 4322)}


def test_an_output_is_new_and_private(tmp_path: Path) -> None:
    write_output(tmp_path / "a", b"x", overwrite=False)
    assert mode_of(tmp_path / "a") == 0o600
    assert content(tmp_path) == {"a": b"x"}


def test_an_output_does_not_overwrite_unless_told_to(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(WriteError) as refused:
        check_output(tmp_path / "a", overwrite=False)
    assert refused.value.errno == errno.EEXIST
    with pytest.raises(WriteError) as refused:
        write_a(tmp_path)
    assert refused.value.errno == errno.EEXIST
    assert content(tmp_path) == {"a": b"old"}
    write_output(tmp_path / "a", b"new", overwrite=True)
    assert content(tmp_path) == {"a": b"new"}


def write_a(folder: Path) -> None:
    write_output(folder / "a", b"new", overwrite=False)


@pytest.mark.parametrize("target", ["there", "missing"])
def test_an_output_follows_a_link_only_when_told_to_overwrite(tmp_path: Path, target: str) -> None:
    (tmp_path / "there").write_bytes(b"old")
    (tmp_path / "a").symlink_to(target)
    with pytest.raises(WriteError) as refused:
        write_a(tmp_path)
    assert refused.value.errno == errno.EEXIST
    assert (tmp_path / "there").read_bytes() == b"old"
    assert not (tmp_path / "missing").exists()
    write_output(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").is_symlink()
    assert (tmp_path / target).read_bytes() == b"new"


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_an_output_replaces_nothing_but_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    with pytest.raises(WriteError) as refused:
        write_output(path, b"x", overwrite=True)
    assert refused.value.errno == errno.EISDIR


def test_an_output_needs_a_folder(tmp_path: Path) -> None:
    with pytest.raises(WriteError) as refused:
        check_output(tmp_path / "none" / "a", overwrite=True)
    assert refused.value.errno == errno.ENOENT


def test_a_second_command_is_refused_while_the_first_changes_the_folder(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderLockedError), locked(tmp_path, wait=0):
        pass


def test_a_lock_ends_with_its_context_and_leaves_no_file(tmp_path: Path) -> None:
    with locked(tmp_path):
        pass
    with locked(tmp_path, wait=0):
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_missing_or_a_file_cannot_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for name in ("none", "file"):
        with pytest.raises(WriteError), locked(tmp_path / name):
            pass
