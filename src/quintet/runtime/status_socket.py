"""The status of a running server's connections, at a Unix socket that only its owner can open.

A client that connects gets one JSON document; there is no request and nothing to change.
"""

import asyncio
import errno
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from quintet.directory import Certificate, ConnectionState, ConnectionStatus, Service

SOCKET = "quintet.sock"
RUNTIME_FOLDER = Path("/run/quintet")
"""Where the socket is under the unit in `deploy`."""

_PATIENCE = 5.0
_MOST_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Running:
    """A running server: its process, the folder of its settings, its level, and every connection."""

    pid: int
    folder: str
    protection: str
    connections: tuple[ConnectionStatus, ...]


class StatusSocketError(OSError):
    """The process at the socket is not a server of this version."""


def places(folder: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the socket may be: in the service's own folder, or beside the settings."""
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return tuple(Path(each) / SOCKET for each in (runtime, folder) if each)


@asynccontextmanager
async def answering(path: Path, status: Callable[[], Running]) -> AsyncIterator[None]:
    """Answer at `path` while the context lasts. A stale socket of a dead server is replaced.

    Raises OSError.
    """

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                writer.write(encode(status()))
                await writer.drain()
        writer.close()

    with _bound(path) as sock:
        remove = _remover(path)
        server = await asyncio.start_unix_server(answer, sock=sock)
        try:
            yield
        finally:
            remove()
            server.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await server.wait_closed()


async def ask(folder: Path, environ: Mapping[str, str]) -> Running | None:
    """The status of the server of `folder`; None when none runs. Raises OSError when access is denied."""
    ours = places(folder, environ)
    for path in (*ours, RUNTIME_FOLDER / SOCKET):
        try:
            async with asyncio.timeout(_PATIENCE):
                reader, writer = await asyncio.open_unix_connection(path)
                try:
                    data = await reader.read(_MOST_BYTES)
                    while more := await reader.read(_MOST_BYTES):
                        data += more
                finally:
                    writer.close()
        except (FileNotFoundError, ConnectionError):
            continue
        except PermissionError:
            if path in ours:
                raise
            continue  # another user's server, most likely of another folder
        found = decode(data)
        if _same(folder, found.folder):
            return found
    return None


def _same(folder: Path, told: str) -> bool:
    return os.path.realpath(folder) == told


def encode(running: Running) -> bytes:
    return json.dumps(asdict(running), default=_value_of).encode()


def decode(data: bytes) -> Running:
    """Raises `StatusSocketError`."""
    try:
        told = json.loads(data)
        return Running(
            int(told["pid"]),
            str(told["folder"]),
            str(told["protection"]),
            tuple(_connection(each) for each in told["connections"]),
        )
    except (ValueError, KeyError, TypeError):
        raise StatusSocketError(errno.EPROTO, "the running server has another version; restart it") from None


def _connection(told: dict[str, Any]) -> ConnectionStatus:
    shown = told["certificate"]
    return ConnectionStatus(
        **told
        | {
            "service": Service(told["service"]),
            "state": ConnectionState(told["state"]),
            "certificate": Certificate(**shown) if shown is not None else None,
        }
    )


def _value_of(member: Enum) -> Any:
    return member.value


def _bound(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    mask = os.umask(0o177)
    try:
        _remove_stale(path)
        sock.bind(str(path))
    except BaseException:
        sock.close()
        raise
    finally:
        os.umask(mask)
    return sock


def _remover(path: Path) -> Callable[[], None]:
    """Removes what is at `path` now, and nothing that may stand there later."""
    made = path.stat()

    def remove() -> None:
        with suppress(OSError):
            if os.path.samestat(made, path.stat()):
                path.unlink()

    return remove


def _remove_stale(path: Path) -> None:
    if not path.is_socket():
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise OSError(errno.EADDRINUSE, "another server answers there", str(path))
