"""The pid file of the server that runs with a settings folder, and the signal that makes it reload.

A server holds a lock on its pid file while it runs. A pid file without that lock is stale, and no signal is
sent to the process that has its number now.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PID_FILE = "quintet.pid"


class AlreadyRunningError(Exception):
    """Another server runs with the same settings folder."""

    def __init__(self, folder: Path, pid: int | None) -> None:
        super().__init__(f"a server is already running with {folder}" + (f" (process {pid})" if pid else ""))
        self.folder = folder
        self.pid = pid


@contextmanager
def pid_file(folder: Path) -> Iterator[None]:
    """Make this process the server of `folder` while the context lasts.

    Raises `AlreadyRunningError`, and `OSError` when the file can't be written or is a symbolic link.
    """
    path = folder / PID_FILE
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    try:
        if not _lock(handle, fcntl.LOCK_EX):
            raise AlreadyRunningError(folder, running(folder))
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"{os.getpid()}\n{_started(os.getpid())}\n".encode(), 0)
        yield
        if _is_same(handle, path):
            path.unlink()
    finally:
        os.close(handle)


def running(folder: Path) -> int | None:
    """The process id of the server of `folder`, or None when none runs here."""
    try:
        handle = os.open(folder / PID_FILE, os.O_RDONLY)
    except OSError:
        return None
    try:
        if _lock(handle, fcntl.LOCK_SH):
            return None
        number, _, started = os.pread(handle, 100, 0).decode("ascii", "replace").strip().partition("\n")
    finally:
        os.close(handle)
    if not number.isdecimal() or int(number) <= 1 or started != _started(int(number)):
        return None
    return int(number)


def reload_running(folder: Path) -> int | None:
    """Send SIGHUP to the server of `folder`; its process id, or None when none runs here.

    Raises `PermissionError` when it runs as another user.
    """
    pid = running(folder)
    if pid is None:
        return None
    try:
        os.kill(pid, signal.SIGHUP)
    except ProcessLookupError:
        return None
    return pid


def _lock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same(handle: int, path: Path) -> bool:
    with suppress(OSError):
        return os.path.samestat(os.fstat(handle), path.stat())
    return False


def _started(pid: int) -> str:
    """When the process started, by the kernel's clock; empty without /proc.

    A number from another container, or one that was reused, belongs to a process with another start time.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]
