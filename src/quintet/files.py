"""Writing files: atomically, several at once, and never through a symbolic link.

Theory of operation
-------------------
Every file that Quintet writes to keep goes through `write_files`, or `write_output` for a file that a command
line names. A change of files has four stages:

1. **Staged.** The new content of each file is in a temporary file beside it, synced to the disk, with the
   owner and the mode that the file will have. The old file has a second name: a hard link, or a copy where
   the file system has no links.
2. **Checked.** Each file still has the content that the change was made for. Readers have seen nothing yet.
3. **In place.** Each temporary file is renamed to its target. A new file gets its name by a link, which fails
   when the name is taken. When one step fails, the targets before it are put back from their second names.
4. **Finished.** The second names become `NAME.bak`, or are removed, and the folder is synced.

What always holds: a reader sees a whole file, old or new; and a caller has all new files, or a `WriteError`
and all old ones. A power failure within stage 3 can leave some files new and others old, each of them whole.

A rename replaces a symbolic link and does not follow it. So a link that appears after stage 1 directs no
write to another file; the refusal in stage 1 is for the administrator, whose link would become a file.
"""

import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

PRIVATE = 0o600
LOCK_WAIT = 5.0
"""Seconds that `locked` waits for another command."""

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_FIXES = {
    errno.EEXIST: "name another file, or remove this one first",
    errno.ELOOP: "use the path of the file that the link points to",
    errno.ESTALE: "run the command again",
    errno.EISDIR: "name a file",
    errno.ENOENT: "create the folder, or name another one",
}


class WriteError(OSError):
    """A file could not be written; every file of the change is as it was.

    `errno`, `strerror` and `filename` are those of an `OSError`; `fix` says what to do.
    """

    def __init__(self, number: int | None, reason: str, path: Path, fix: str | None = None) -> None:
        super().__init__(number, reason, str(path))
        self.fix = fix or _FIXES.get(number or 0, "check the folder's permissions and the free space")


class FolderLockedError(Exception):
    """Another command is changing files in the same folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another command is changing the files in {folder}")
        self.fix = "try again when it has finished"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file's new content. `old` is the content that the change was made for, None for a new file.

    `mode` is given to the new file; None keeps that of the old one, or means 0600.
    """

    path: Path
    old: bytes | None
    new: bytes
    mode: int | None = None

    @classmethod
    def of(cls, path: Path, new: bytes, *, mode: int | None = None) -> Self:
        """A change of what is there now. Raises `OSError`."""
        return cls(path, read_existing(path), new, mode)


def read_existing(path: Path) -> bytes | None:
    """The content of the file, None when there is none. Raises `OSError`."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def write_files(changes: Sequence[FileChange], *, backup: bool = True) -> tuple[Path, ...]:
    """Put all new contents in place, or none; with `backup` the old files stay beside them as `NAME.bak`.

    A new file written by root belongs to the owner of its folder. Returns the backups. Raises `WriteError`:
    for a symbolic link, for a file whose content is no longer `FileChange.old`, and for what the operating
    system refuses.
    """
    steps: list[_Step] = []
    try:
        for change in changes:
            with _about(change.path):
                steps.append(_staged(change))
        for step in steps:
            with _about(step.path):
                _check(step, backup=backup)
        _put_in_place(steps)
    except BaseException:
        for step in steps:
            _remove(step.temporary, step.second_name)
        raise
    backups = tuple(_finish(steps, backup=backup))
    for folder in {step.path.parent for step in steps}:
        _sync_folder(folder)
    return backups


def replace_file(path: Path, data: bytes, *, mode: int | None = None, backup: bool = False) -> Path | None:
    """Write one file, whatever is there. Returns the backup, if one was made. Raises `WriteError`.

    `mode`, `backup` and the rest are as in `write_files`.
    """
    with _about(path):
        change = FileChange.of(path, data, mode=mode)
    return next(iter(write_files([change], backup=backup)), None)


def check_output(path: Path, *, overwrite: bool) -> None:
    """Whether `write_output` would be refused: to know before long work. Raises `WriteError`."""
    if not path.parent.is_dir():
        raise WriteError(errno.ENOENT, f"there is no folder {path.parent}", path)
    if path.exists() and not path.is_file():
        raise WriteError(errno.EISDIR, "exists and is not a regular file", path)
    if not overwrite and os.path.lexists(path):
        kind = "is a symbolic link" if path.is_symlink() else "already exists"
        raise WriteError(errno.EEXIST, kind, path, "name another file, or overwrite it with --force")


def write_output(path: Path, data: bytes, *, overwrite: bool, mode: int = PRIVATE) -> None:
    """Write a file that a command line names. Without `overwrite` it must not exist.

    With it, an existing file is replaced, and a symbolic link is followed. Raises `WriteError`.
    """
    check_output(path, overwrite=overwrite)
    path = path.resolve() if overwrite else path
    with _about(path):
        temporary = _temporary(path, data, None, mode)
        try:
            if overwrite:
                temporary.replace(path)
            else:
                _create(temporary, path)
        finally:
            _remove(temporary)
    _sync_folder(path.parent)


@contextmanager
def locked(folder: Path, *, wait: float | None = None) -> Iterator[None]:
    """Keep other commands from changing the files of `folder` while the context lasts.

    Waits `wait` seconds (`LOCK_WAIT`) for another command, then raises `FolderLockedError`. The lock is on
    the folder itself: it leaves no file behind, and ends with the process. Raises `WriteError` without a
    folder.
    """
    with _about(folder):
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        until = time.monotonic() + (LOCK_WAIT if wait is None else wait)
        while not _try_lock(handle):
            if time.monotonic() >= until:
                raise FolderLockedError(folder)
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


@dataclass(frozen=True, slots=True)
class _Step:
    """A staged file: its new content in `temporary`, and the old file also under `second_name`."""

    path: Path
    old: bytes | None
    temporary: Path
    second_name: Path | None


@contextmanager
def _about(path: Path) -> Iterator[None]:
    """The operating system's errors become a `WriteError` about `path`."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        raise WriteError(error.errno, error.strerror or str(error), path) from error


def _staged(change: FileChange) -> _Step:
    path = change.path
    if path.is_symlink():
        raise WriteError(errno.ELOOP, f"is a symbolic link to {path.readlink()}", path)
    if change.old is None:
        return _Step(path, None, _temporary(path, change.new, None, change.mode), None)
    if not path.exists():
        raise _changed(path)
    temporary = _temporary(path, change.new, path.stat(), change.mode)
    second_name = temporary.with_name(f"{temporary.name}.old")
    try:
        _keep(path, second_name)
    except BaseException:
        _remove(temporary, second_name)
        raise
    return _Step(path, change.old, temporary, second_name)


def _temporary(path: Path, data: bytes, old: os.stat_result | None, mode: int | None) -> Path:
    """A file beside `path` with the content, owner and mode that `path` will have."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            _give(handle, path.parent, old)
            kept = PRIVATE if old is None else stat.S_IMODE(old.st_mode)
            os.fchmod(handle, kept if mode is None else mode)
            os.fsync(handle)
    except BaseException:
        _remove(temporary)
        raise
    return temporary


def _give(handle: int, folder: Path, old: os.stat_result | None) -> None:
    """The owner of the old file; of a new one that root writes, the owner of the folder, who will read it."""
    if old is None and os.geteuid() == 0:
        old = folder.stat()
    if old is not None and (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(handle, old.st_uid, old.st_gid)


def _keep(path: Path, second_name: Path) -> None:
    try:
        second_name.hardlink_to(path)
    except OSError:
        shutil.copy2(path, second_name)


def _check(step: _Step, *, backup: bool) -> None:
    now = read_existing(step.path)
    if step.old is None and now is not None:
        raise WriteError(errno.EEXIST, "already exists", step.path)
    if now != step.old:
        raise _changed(step.path)
    if backup and step.old is not None and _backup_of(step.path).is_dir():
        raise WriteError(errno.EISDIR, "is a folder; the backup has this name", _backup_of(step.path))


def _changed(path: Path) -> WriteError:
    return WriteError(errno.ESTALE, "was changed by another program in the meantime", path)


def _backup_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.bak")


def _put_in_place(steps: Sequence[_Step]) -> None:
    done: list[_Step] = []
    try:
        for step in steps:
            with _about(step.path):
                if step.second_name is None:
                    _create(step.temporary, step.path)
                else:
                    step.temporary.replace(step.path)
            done.append(step)
    except BaseException:
        for step in reversed(done):
            if step.second_name is None:
                step.path.unlink()
            else:
                step.second_name.replace(step.path)
        raise


def _create(temporary: Path, path: Path) -> None:
    """Give the file its name. Fails, as renaming would not, when there is one of that name."""
    try:
        path.hardlink_to(temporary)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # Without links the name is taken first, so that nothing is overwritten: an empty file for a moment.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE))
        try:
            temporary.replace(path)
        except BaseException:
            path.unlink()
            raise
    else:
        temporary.unlink()


def _finish(steps: Sequence[_Step], *, backup: bool) -> Iterator[Path]:
    for step in steps:
        if step.second_name is None:
            continue
        if backup:
            step.second_name.replace(_backup_of(step.path))
            yield _backup_of(step.path)
        else:
            step.second_name.unlink()


def _remove(*paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """After this a new name survives a power failure; some file systems can't do it, and need not."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
