"""The status of a running server's connections, on a Unix socket that only its owner can open.

A client that connects gets one JSON document. There is no request, and nothing can be changed.
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


def socket_paths(folder: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the socket can be: in the service's runtime directory, or beside the settings."""
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return tuple(Path(each) / SOCKET for each in (runtime, folder) if each)


@asynccontextmanager
async def serve_status(path: Path, status: Callable[[], Running]) -> AsyncIterator[None]:
    """Serve the status at `path` while the context lasts. The stale socket of a dead server is replaced.

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


async def read_status(folder: Path, environ: Mapping[str, str]) -> Running | None:
    """The status of the server of `folder`; None when none runs. Raises OSError, as when access is denied."""
    ours = socket_paths(folder, environ)
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


def _same(folder: Path, resolved: str) -> bool:
    return os.path.realpath(folder) == resolved


def encode(running: Running) -> bytes:
    return json.dumps(asdict(running), default=_value_of).encode()


def decode(data: bytes) -> Running:
    """Raises `StatusSocketError`."""
    try:
        document = json.loads(data)
        return Running(
            int(document["pid"]),
            str(document["folder"]),
            str(document["protection"]),
            tuple(_connection(each) for each in document["connections"]),
        )
    except (ValueError, KeyError, TypeError):
        raise StatusSocketError(errno.EPROTO, "the running server has another version; restart it") from None


def _connection(document: dict[str, Any]) -> ConnectionStatus:
    certificate = document["certificate"]
    parsed = {
        "service": Service(document["service"]),
        "state": ConnectionState(document["state"]),
        "certificate": certificate and Certificate(**certificate),
    }
    return ConnectionStatus(**document | parsed)


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
    """Removes the socket that is at `path` now, and no file that another process puts there later."""
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
    raise OSError(errno.EADDRINUSE, "another server listens there", str(path))
