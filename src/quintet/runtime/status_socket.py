"""What a running server answers, and the orders that it takes, on a Unix socket that only its owner can open.

A client sends one line, a JSON object with the name of a request and its arguments, and gets one JSON
document: the status, or the folder of the server and the answer to the request.
"""

import asyncio
import errno
import json
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

from quintet.directory import Certificate, ConnectionState, ConnectionStatus, Service

T = TypeVar("T")

SOCKET = "quintet.sock"
RUNTIME_FOLDER = Path("/run/quintet")
"""Where the socket is under the unit in `deploy`."""

_PATIENCE = 5.0
_MOST_BYTES = 64 * 1024 * 1024
_LONGEST_REQUEST = 64 * 1024
_STATUS = "status"

RequestHandler = Callable[[dict[str, Any]], Awaitable[Any]]
"""Carries out a request with its arguments; the answer can be written as JSON."""


@dataclass(frozen=True, slots=True)
class SametimeStatus:
    """The port for Sametime clients: how many are signed in, and whether TLS and the database are there."""

    port: int
    sessions: int
    tls: bool
    database: bool


@dataclass(frozen=True, slots=True)
class Running:
    """A running server: its process, the folder of its settings, its level, and every connection.

    `sametime` is None where the port for Sametime clients is not open.
    """

    pid: int
    folder: str
    protection: str
    connections: tuple[ConnectionStatus, ...]
    sametime: SametimeStatus | None = None


_OTHER_VERSION = "the running server has another version; restart it"


class StatusSocketError(OSError):
    """The process at the socket is not a server of this version."""


class RequestUnavailableError(OSError):
    """The running server does not do what it was asked for."""


def socket_paths(folder: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where the socket can be: in the service's runtime directory, or beside the settings."""
    runtime = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return tuple(Path(each) / SOCKET for each in (runtime, folder) if each)


@asynccontextmanager
async def serve_status(
    path: Path, status: Callable[[], Running], requests: Mapping[str, RequestHandler] | None = None
) -> AsyncIterator[None]:
    """Serve the status, and what else is asked, at `path` while the context lasts.

    `requests` may grow meanwhile. The stale socket of a dead server is replaced. Raises OSError.
    """
    known = {} if requests is None else requests

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, TimeoutError, ValueError, TypeError):
            async with asyncio.timeout(_PATIENCE):
                if _may_ask(writer):
                    writer.write(await _answer(await reader.readline(), status, known))
                    await writer.drain()
        writer.close()

    with _bound(path) as sock:
        remove = _remover(path)
        server = await asyncio.start_unix_server(answer, sock=sock, limit=_LONGEST_REQUEST)
        try:
            yield
        finally:
            remove()
            server.close()
            with suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE):
                    await server.wait_closed()


async def _answer(
    line: bytes, status: Callable[[], Running], requests: Mapping[str, RequestHandler]
) -> bytes:
    """The document for a request. Raises ValueError for what is no request."""
    request = json.loads(line)
    if not isinstance(request, dict):
        raise TypeError("a request is an object")
    name = request.pop("request", None)
    running = status()
    if name == _STATUS:
        return encode(running)
    handler = requests.get(str(name))
    document = {"pid": running.pid, "folder": running.folder, "known": handler is not None}
    if handler is not None:
        document["answer"] = await handler(request)
    return json.dumps(document).encode()


def _may_ask(writer: asyncio.StreamWriter) -> bool:
    """Whether the process at the other end is our user's, or root's: the socket's mode already says so."""
    sock = writer.get_extra_info("socket")
    if sock is None or not hasattr(socket, "SO_PEERCRED"):
        return True
    _, user, _ = struct.unpack("3i", sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return user in (0, os.geteuid())


async def read_status(folder: Path, environ: Mapping[str, str]) -> Running | None:
    """The status of the server of `folder`; None when none runs. Raises OSError, as when access is denied."""

    def found(data: bytes) -> Running | None:
        running = decode(data)
        return running if _same(folder, running.folder) else None

    return await _ask(folder, environ, {"request": _STATUS}, found)


@dataclass(frozen=True, slots=True)
class Answered:
    """What a running server answered to a request."""

    answer: Any


async def ask_running(
    folder: Path, environ: Mapping[str, str], request: str, **arguments: str
) -> Answered | None:
    """Ask the server of `folder`; None when none runs. Raises OSError, as when access is denied."""

    def found(data: bytes) -> Answered | None:
        try:
            document = json.loads(data)
            ours, known = _same(folder, document["folder"]), document["known"]
        except (ValueError, KeyError, TypeError):
            raise StatusSocketError(errno.EPROTO, _OTHER_VERSION) from None
        if not ours:
            return None
        if not known:
            raise RequestUnavailableError(errno.EOPNOTSUPP, "the running server does not know this request")
        return Answered(document["answer"])

    return await _ask(folder, environ, {"request": request, **arguments}, found)


async def _ask(
    folder: Path, environ: Mapping[str, str], request: Mapping[str, str], found: Callable[[bytes], T | None]
) -> T | None:
    """What `found` makes of the first document that is meant for the folder."""
    ours = socket_paths(folder, environ)
    for path in (*ours, RUNTIME_FOLDER / SOCKET):
        try:
            async with asyncio.timeout(_PATIENCE):
                data = await _exchange(path, json.dumps(request).encode() + b"\n")
        except (FileNotFoundError, ConnectionError):
            continue
        except PermissionError:
            if path in ours:
                raise
            continue  # another user's server, most likely of another folder
        result = found(data)
        if result is not None:
            return result
    return None


async def _exchange(path: Path, line: bytes) -> bytes:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        with suppress(ConnectionError):  # one that answers without a question: it has another version
            writer.write(line)
            await writer.drain()
        data = await reader.read(_MOST_BYTES)
        while more := await reader.read(_MOST_BYTES):
            data += more
        return data
    finally:
        writer.close()


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
            SametimeStatus(**document["sametime"]) if document["sametime"] else None,
        )
    except (ValueError, KeyError, TypeError):
        raise StatusSocketError(errno.EPROTO, _OTHER_VERSION) from None


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
