"""Changing several files at once: all of them or none, one command at a time.

Nothing is renamed before everything is on the disk. Should a rename fail after that, the files renamed before
it are put back.
"""

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

from quintet.files import PRIVATE

WAIT = 5.0


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A file's new content. `old` is what it was when the change was made up, None for a file that is new.

    `mode` is given to the new file; None keeps that of the old one, or means 0600.
    """

    path: Path
    old: bytes | None
    new: bytes
    mode: int | None = None


class RewriteError(Exception):
    """The files are as they were. `__cause__` is the operating system's error, where there is one."""


class FolderLockedError(Exception):
    """Another command is changing the same folder."""


@contextmanager
def only_one(folder: Path, *, wait: float | None = None) -> Iterator[None]:
    """Keeps other commands from changing the files of `folder` meanwhile.

    Waits `wait` seconds (`WAIT`) for one that does so now, then raises `FolderLockedError`. The lock is on the folder
    itself: it leaves no file behind, and ends with the process. Raises `RewriteError` without a folder.
    """
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise RewriteError(f"the folder {folder} cannot be opened: {error.strerror}") from error
    try:
        until = time.monotonic() + (WAIT if wait is None else wait)
        while not _locked(handle):
            if time.monotonic() >= until:
                raise FolderLockedError(
                    f"another command is changing the settings in {folder}; try again when it is done"
                )
            time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def rewrite(changes: Sequence[Rewrite], *, backup: bool = True) -> tuple[Path, ...]:
    """Puts all new contents in place; with `backup` the old files stay beside them as NAME.bak.

    Returns the backups. Raises `RewriteError`, and then every file is as it was.
    """
    steps: list[_Step] = []
    try:
        try:
            for change in changes:
                steps.append(_prepared(change))  # noqa: PERF401 - what is ready when one fails must be known
            _rename(steps)
        except BaseException:
            for step in steps:
                _forget(step.temporary, step.kept)
            raise
    except OSError as error:
        raise RewriteError(f"{_where(changes, error)}: {error.strerror}; every file is as it was") from error
    return tuple(_finish(steps, backup=backup))


@dataclass(frozen=True, slots=True)
class _Step:
    """A file that is ready: its new content in `temporary`, and the old file also under the name `kept`."""

    path: Path
    old: bytes | None
    temporary: Path
    kept: Path | None


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _prepared(change: Rewrite) -> _Step:
    path = change.path.resolve()
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    kept = Path(f"{name}.old") if change.old is not None else None
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(change.new)
            file.flush()
            os.fsync(file.fileno())
        mode = change.mode
        if kept is not None:
            old = path.stat()
            mode = stat.S_IMODE(old.st_mode) if mode is None else mode
            if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
                os.chown(temporary, old.st_uid, old.st_gid)
            _keep(path, kept)
        temporary.chmod(PRIVATE if mode is None else mode)
    except BaseException:
        _forget(temporary, kept)
        raise
    return _Step(path, change.old, temporary, kept)


def _keep(path: Path, kept: Path) -> None:
    """Gives the old file a second name; a copy where the file system has no hard links."""
    try:
        kept.hardlink_to(path)
    except OSError:
        shutil.copy2(path, kept)


def _rename(steps: Sequence[_Step]) -> None:
    for step in steps:
        now = step.path.read_bytes() if step.path.exists() else None
        if now != step.old:
            raise RewriteError(f"{step.path} was changed by someone else meanwhile; nothing was written")
    done: list[_Step] = []
    try:
        for step in steps:
            step.temporary.replace(step.path)
            done.append(step)
    except BaseException:
        for step in reversed(done):
            if step.kept is None:
                step.path.unlink()
            else:
                step.kept.replace(step.path)
        raise


def _finish(steps: Sequence[_Step], *, backup: bool) -> Iterator[Path]:
    for step in steps:
        if step.kept is None:
            continue
        if backup:
            named = step.path.with_name(step.path.name + ".bak")
            step.kept.replace(named)
            yield named
        else:
            step.kept.unlink()


def _forget(*paths: Path | None) -> None:
    for path in paths:
        if path is not None:
            with suppress(OSError):
                path.unlink(missing_ok=True)


def _where(changes: Sequence[Rewrite], error: OSError) -> str:
    if len(changes) == 1:
        return f"cannot write {changes[0].path}"
    folders = sorted({str(change.path.parent) for change in changes})
    return f"cannot write in {' and '.join(folders)}" if error.errno else "cannot write"
