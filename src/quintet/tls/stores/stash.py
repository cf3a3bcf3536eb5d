"""Stash files: the password of a store, kept out of the settings (config 2.5).

A stash obfuscates its password and does not encrypt it: everyone who can read the file has it. So it is
written for its owner only, and `exposed` tells when other users can read it. GSKit's classic format is read,
too.
"""

import base64
import binascii
import errno
import stat
from pathlib import Path

from quintet.files import FileChange, WriteError, write_files
from quintet.secret import Secret
from quintet.tls.stores.errors import StashError, StashNotFoundError

_MAGIC = b"QUINTET-STASH-1\n"
_MASK = 0x5A
_GSKIT_MASK = 0xF5
_GSKIT_SIZES = (128, 129, 193)
_MOST_BYTES = 65_536


def read_stash(path: Path) -> Secret:
    """The password in the stash. Raises `StashError`."""
    try:
        if path.exists() and not path.is_file():
            raise StashError("it is not a regular file", "name the stash file itself", path)
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise StashNotFoundError(
            "the stash file does not exist", "set the password beside it once, to create it", path
        ) from None
    except (OSError, ValueError) as error:
        raise StashError(
            f"the stash file cannot be read: {_words(error)}", "check its owner and mode", path
        ) from None
    password = _own(data) if data.startswith(_MAGIC) else _gskit(data)
    if password is None:
        raise StashError(
            "it is not a stash file, or damaged",
            "remove it and set the password beside it once, to recreate it",
            path,
        )
    return Secret(password)


def write_stash(path: Path, password: Secret) -> None:
    """Makes the stash, readable by its owner only. Raises `StashError`, also when the file exists already.

    Where the file system has hard links, a reader never finds a part of it.
    """
    masked = bytes(byte ^ _MASK for byte in password.reveal().encode("utf-8", "surrogatepass"))
    data = _MAGIC + base64.b64encode(masked) + b"\n"
    if len(data) > _MOST_BYTES:
        raise StashError(
            "the password is too long for a stash file", "choose one of fewer than 40,000 bytes", path
        )
    try:
        write_files([FileChange(path, None, data)])
    except WriteError as error:
        if error.errno == errno.EEXIST:
            raise StashError(
                "the stash file exists already", "remove it first, if it is to be recreated", path
            ) from None
        raise StashError(f"the stash file cannot be written: {error.strerror}", error.fix, path) from None


def exposed(path: Path) -> bool:
    """Whether other users than the owner can read the file."""
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except (OSError, ValueError):
        return False


def _own(data: bytes) -> str | None:
    if not data.endswith(b"\n", len(_MAGIC)):
        return None  # truncated
    try:
        masked = base64.b64decode(data[len(_MAGIC) :].strip(), validate=True)
        return bytes(byte ^ _MASK for byte in masked).decode("utf-8", "surrogatepass")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _gskit(data: bytes) -> str | None:
    """GSKit's format: the password, a zero byte and padding, each byte XOR 0xF5."""
    if len(data) not in _GSKIT_SIZES:
        return None
    text, end, _ = bytes(byte ^ _GSKIT_MASK for byte in data).partition(b"\0")
    if not end or not text or not text.isascii() or not text.decode("ascii").isprintable():
        return None
    return text.decode("ascii")


def _words(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)
