"""Writing a file whole or not at all."""

import os
import shutil
import stat
import tempfile
from pathlib import Path

PRIVATE = 0o600


def replace_file(path: Path, data: bytes, *, mode: int | None = None, backup: bool = False) -> Path | None:
    """Put `data` at `path` in one step: a reader sees the old file or the new one, never a part.

    The new file gets `mode`, or the mode of the file it replaces, or 0600. With `backup`, the old file stays
    beside it as `NAME.bak` (same mode), and that path is returned. A symbolic link is followed, so that the
    file it names is replaced and the link stays. Raises `OSError`; the old file is then untouched.
    """
    path = path.resolve()
    old = path.stat() if path.exists() else None
    if mode is None:
        mode = stat.S_IMODE(old.st_mode) if old else PRIVATE
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if old is not None:
            _keep_owner(temporary, old)
        temporary.chmod(mode)
        kept = _back_up(path) if backup and old is not None else None
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return kept


def _keep_owner(temporary: Path, old: os.stat_result) -> None:
    if (old.st_uid, old.st_gid) != (os.geteuid(), os.getegid()):
        os.chown(temporary, old.st_uid, old.st_gid)


def _back_up(path: Path) -> Path:
    kept = path.with_name(path.name + ".bak")
    handle, name = tempfile.mkstemp(prefix=f".{kept.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        shutil.copy2(path, temporary)
        temporary.replace(kept)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return kept


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
