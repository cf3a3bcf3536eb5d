"""Several files change together or not at all."""

import os
import resource
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.admin.rewriting import FolderLockedError, Rewrite, RewriteError, only_one, rewrite


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


@pytest.fixture
def files(tmp_path: Path) -> list[Rewrite]:
    changes = []
    for name in ("a.ini", "b.xml", "c.xml"):
        path = tmp_path / name
        path.write_bytes(b"old " + name.encode())
        path.chmod(0o640)
        changes.append(Rewrite(path, path.read_bytes(), b"new " + name.encode()))
    return changes


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_all_files_change_and_the_old_ones_stay_beside_them(files: list[Rewrite], tmp_path: Path) -> None:
    backups = rewrite(files)
    assert {p.name for p in backups} == {"a.ini.bak", "b.xml.bak", "c.xml.bak"}
    assert content(tmp_path) == {
        f"{change.path.name}{suffix}": data
        for change in files
        for suffix, data in (("", change.new), (".bak", change.old))
    }


def test_modes_stay_unless_one_is_given(files: list[Rewrite]) -> None:
    rewrite([files[0], Rewrite(files[1].path, files[1].old, b"x", mode=0o600)])
    assert stat.S_IMODE(files[0].path.stat().st_mode) == 0o640
    assert stat.S_IMODE(files[1].path.stat().st_mode) == 0o600


def test_a_new_file_is_private(tmp_path: Path) -> None:
    assert rewrite([Rewrite(tmp_path / "new", None, b"x")]) == ()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o600


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"old")
    (tmp_path / "link").symlink_to("real")
    rewrite([Rewrite(tmp_path / "link", b"old", b"new")], backup=False)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_failing_rename_puts_the_earlier_ones_back(
    files: list[Rewrite], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(tmp_path)
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if target.name == "c.xml" and not self.name.endswith(".old"):
            raise OSError(5, "Input/output error", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(RewriteError, match=r"cannot write in .*Input/output error; every file is as it was"):
        rewrite([*files[:2], Rewrite(tmp_path / "new", None, b"x"), files[2]])
    assert content(tmp_path) == before


def test_a_file_that_someone_else_changed_is_not_overwritten(files: list[Rewrite], tmp_path: Path) -> None:
    files[2].path.write_bytes(b"theirs")
    before = content(tmp_path)
    with pytest.raises(RewriteError, match="changed by someone else"):
        rewrite(files)
    assert content(tmp_path) == before


def test_no_room_in_the_middle_leaves_every_file_whole(files: list[Rewrite], tmp_path: Path) -> None:
    before = content(tmp_path)

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        with pytest.raises(RewriteError, match=r"cannot write .*; every file is as it was"):
            rewrite([*files[:2], Rewrite(files[2].path, files[2].old, b"x" * 2000)])

    assert in_child(work) == 0
    assert content(tmp_path) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become someone who may not write here")
def test_a_folder_that_cannot_be_written_leaves_every_file_whole(
    files: list[Rewrite], tmp_path: Path
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
        with pytest.raises(RewriteError, match=r"cannot write in .*: Permission denied"):
            rewrite(files)

    assert in_child(work) == 0
    assert content(tmp_path) == before


def test_without_hard_links_the_old_file_is_copied(
    files: list[Rewrite], monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(self: Path, target: Path) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(Path, "hardlink_to", none)
    backups = rewrite(files)
    assert [p.read_bytes() for p in backups] == [change.old for change in files]


def test_a_second_command_is_refused_while_the_first_is_at_it(tmp_path: Path) -> None:
    with (
        only_one(tmp_path),
        pytest.raises(FolderLockedError, match="another command is changing"),
        only_one(tmp_path, wait=0),
    ):
        pass


def test_the_folder_is_free_again_afterwards(tmp_path: Path) -> None:
    with only_one(tmp_path):
        pass
    with only_one(tmp_path, wait=0):
        assert list(tmp_path.iterdir()) == []
