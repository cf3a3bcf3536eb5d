"""Connections to Valkey and to Sentinels: found, opened, authenticated, bounded in what they read.

It speaks RESP 2 by redis-py's `Connection`, which packs commands and parses answers. Opening it, TLS and
greeting are here: certificates are verified with the project's own contexts, and the greeting is one round
trip.
"""

import asyncio
import os
import re
import socket
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, final

from redis._parsers import _AsyncRESP2Parser
from redis.asyncio import Connection
from redis.exceptions import AuthenticationError, RedisError, ResponseError
from redis.exceptions import ConnectionError as LostError

from quintet.cluster.valkey import Argument
from quintet.config import ValkeyAddress
from quintet.directory import FileFingerprint, fingerprints
from quintet.secret import Secret
from quintet.tls import CrlError, Presented, StoreError, TlsSettings, TlsSettingsError, explain, make_context

CONNECT: Final = 3.0
"""Seconds that opening or greeting may take."""
_CHUNK: Final = 64 * 1024
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
_OLDEST = {"Redis": (6, 2), "Valkey": (7, 2)}


class UnsuitableValkeyError(Exception):
    """The server answers, and can't be used: `message` says why, `fix` what to do.

    `passing`: it may be another one soon, as a replica that becomes the master.
    """

    def __init__(self, message: str, fix: str, *, passing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.passing = passing


class LinkEndedError(Exception):
    """A connection can't be used any more; the message says why."""


@dataclass(frozen=True, slots=True)
class ServerInfo:
    """What a server says of itself. Texts are empty where it hides them.

    `id` is that of the process and of its data: with another one, anything may have been lost.
    """

    id: str = ""
    product: str = "Redis"
    version: str = ""
    role: str = ""
    mode: str = ""

    @classmethod
    def of(cls, *sections: object) -> Self:
        """From the answers of INFO; those that are errors are hidden."""
        found: dict[str, str] = {}
        for section in sections:
            text = section.decode("utf-8", "replace") if isinstance(section, bytes) else ""
            found |= dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        valkey = found.get("valkey_version", "")
        ids = [found[name] for name in ("run_id", "master_replid") if name in found]
        return cls(
            ":".join(ids),
            "Valkey" if valkey else "Redis",
            valkey or found.get("redis_version", ""),
            found.get("role", ""),
            found.get("redis_mode") or found.get("server_mode") or "",
        )

    def check(self) -> None:
        """Raises UnsuitableValkeyError. What is hidden is not checked."""
        if self.mode == "sentinel":
            fix = "write rediss+sentinel://HOST:26379/NAME in QUINTET_CLUSTER"
            raise UnsuitableValkeyError("it is a Sentinel, which keeps no data", fix)
        if self.mode == "cluster":
            fix = "use a server that is not in cluster mode, or Sentinel"
            raise UnsuitableValkeyError("it runs as Redis Cluster, which is not supported", fix)
        version, oldest = _VERSION.match(self.version), _OLDEST[self.product]
        if version is not None and (int(version[1]), int(version[2])) < oldest:
            message = f"{self.product} {self.version} is too old"
            raise UnsuitableValkeyError(message, f"install {self.product} {oldest[0]}.{oldest[1]} or later")
        if self.role not in ("", "master"):
            fix = "name the master in QUINTET_CLUSTER, or its Sentinels"
            raise UnsuitableValkeyError("it is a replica, which is read-only", fix, passing=True)


@final
class Oversize:
    """Stands for a value that was too large to be read."""


OVERSIZE: Final = Oversize()


class _BoundedParser(_AsyncRESP2Parser):
    """Keeps no value that is larger than `largest`: it is thrown away as it comes, and is OVERSIZE."""

    largest = 0

    async def _read(self, length: int) -> Any:
        if length <= self.largest:
            return await super()._read(length)
        assert self._stream is not None, "it is connected"
        left = length + 2
        while left > 0:
            chunk = await self._stream.read(min(left, _CHUNK))
            if not chunk:
                raise LostError("closed")
            left -= len(chunk)
        return OVERSIZE


@final
class Link(Connection):
    """One connection. `open` must have succeeded before anything is written or read."""

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None, *, largest: int) -> None:
        super().__init__(
            host=host,
            port=port,
            protocol=2,
            parser_class=_BoundedParser,
            socket_timeout=None,
            encoding_errors="surrogatepass",
        )
        assert isinstance(self._parser, _BoundedParser)
        self._parser.largest = largest
        self._tls = tls

    async def open(self, within: float) -> None:
        """Connect, with TLS where there is a context. Raises OSError, ssl.SSLError and TimeoutError."""
        async with asyncio.timeout(within):
            name = self.host if self._tls else None
            self._reader, self._writer = await asyncio.open_connection(
                self.host, self.port, ssl=self._tls, server_hostname=name
            )
        self._parser.on_connect(self)  # type: ignore[no-untyped-call]  # redis-py has no types for it

    def write(self, commands: Iterable[Sequence[Argument]]) -> None:
        """Send commands without waiting."""
        assert self._writer is not None, "the link is open"
        self._writer.writelines(self.pack_commands(commands))

    @property
    def unsent(self) -> int:
        """Bytes that the network has not taken yet."""
        return self._writer.transport.get_write_buffer_size() if self._writer else 0

    async def ask(self, *commands: Sequence[Argument], within: float) -> list[Any]:
        """The answers, errors of the server among them. Raises RedisError and TimeoutError."""
        self.write(commands)
        async with asyncio.timeout(within):
            return [await self.answer() for _ in commands]

    async def answer(self) -> Any:
        """The next answer; one of Valkey's errors is returned. Raises LostError."""
        try:
            return await self.read_response(disconnect_on_error=False)
        except (AuthenticationError, ResponseError) as error:
            return error

    async def greet(self, address: ValkeyAddress, within: float) -> ServerInfo:
        """Authenticate, choose the database, and ask who it is. Raises RedisError and TimeoutError."""
        commands: list[Sequence[Argument]] = [("INFO", "server"), ("INFO", "replication")]
        if address.database:
            commands.insert(0, ("SELECT", address.database))
        found = await self.ask(*_auth(address.user, address.password), *commands, within=within)
        for each in found[:-2]:
            if isinstance(each, RedisError):
                raise each
        return ServerInfo.of(*found[-2:])

    async def find_master(self, address: ValkeyAddress, within: float) -> tuple[str, int] | None:
        """Where this Sentinel says that the master is; None if it does not know. Raises as `greet`.

        A Sentinel is given the user and the password of the data, and need not know them.
        """
        question = ("SENTINEL", "GET-MASTER-ADDR-BY-NAME", address.master)
        *_, found = await self.ask(*_auth(address.user, address.password), question, within=within)
        if isinstance(found, RedisError):
            raise found
        match found:
            case [bytes() as host, bytes() as port] if port.isdigit():
                return host.decode("utf-8", "replace"), int(port)
        return None

    def shut(self) -> None:
        """Close at once."""
        self._parser.on_disconnect()  # type: ignore[no-untyped-call]  # as in open
        self._close()  # type: ignore[no-untyped-call]  # as in open


@final
class LinkOpener:
    """Opens connections to the server at an address, through Sentinel where it names one.

    `tls` counts where the address is encrypted. `largest` is that of the largest value, in bytes.
    """

    def __init__(self, address: ValkeyAddress, tls: TlsSettings, *, largest: int) -> None:
        self._address = address
        self._tls = tls
        self._largest = largest
        self._sentinels = list(address.hosts)
        self._context: tuple[tuple[FileFingerprint, ...], ssl.SSLContext] | None = None

    async def open(self, count: int) -> tuple[ServerInfo, list[Link]]:
        """Some connections to one server. Raises what `explained` explains."""
        context = await self._tls_context()
        host, port = await self._located(context)
        server, links = ServerInfo(), list[Link]()
        try:
            for _ in range(count):
                link = Link(host, port, context, largest=self._largest)
                await link.open(CONNECT)
                links.append(link)
                found = await link.greet(self._address, CONNECT)
                found.check()
                _check_same(found, server if len(links) > 1 else found)
                server = found
        except BaseException:
            for link in links:
                link.shut()
            raise
        return server, links

    async def _located(self, context: ssl.SSLContext | None) -> tuple[str, int]:
        """Where the data are: the configured host, or the master that a Sentinel names."""
        if not self._address.master:
            return self._address.hosts[0]
        failure: Exception | None = None
        for host, port in tuple(self._sentinels):
            link = Link(host, port, context, largest=self._largest)
            try:
                await link.open(CONNECT)
                found = await link.find_master(self._address, CONNECT)
            except (RedisError, OSError) as error:
                failure = error
                continue
            finally:
                link.shut()
            if found is not None:
                self._sentinels.remove((host, port))
                self._sentinels.insert(0, (host, port))
                return found
        if failure is not None:
            raise failure
        raise UnsuitableValkeyError(
            f"no Sentinel knows a master {self._address.master}",
            "correct the name in QUINTET_CLUSTER; it is that of sentinel monitor",
            passing=True,
        )

    async def _tls_context(self) -> ssl.SSLContext | None:
        """The context for what the stores hold now. In a thread: a store may take a second to open."""
        if not self._address.encrypted:
            return None
        found = await asyncio.to_thread(fingerprints, self._tls)
        if self._context is None or self._context[0] != found:
            self._context = found, await asyncio.to_thread(make_context, self._tls)
        return self._context[1]


def _check_same(server: ServerInfo, before: ServerInfo) -> None:
    if server.id != before.id:
        raise LinkEndedError("two connections reached different servers")


def explained(error: Exception, address: ValkeyAddress, tls: TlsSettings) -> tuple[str, str]:
    """What went wrong with a connection, and what to do about it, which may be empty. Without a secret."""
    match error:
        case UnsuitableValkeyError() | StoreError() | TlsSettingsError() | CrlError():
            return error.message, error.fix or ""
        case LinkEndedError():
            return str(error), ""
        case AuthenticationError():
            return "Valkey refuses the user or the password", "correct both in QUINTET_CLUSTER"
        case ssl.SSLError():
            host, port = address.hosts[0]
            found = explain(error, host=host, port=port, settings=tls, trust=None, presented=Presented())
            return found.message, found.fix
        case TimeoutError():
            return "the connection timed out", "check that Valkey runs and that a firewall lets it through"
        case RedisError():
            return "the connection was lost", ""
        case OSError():
            known = not isinstance(error, socket.gaierror) and error.errno  # asyncio's texts vary
            reason = os.strerror(error.errno) if known and error.errno else error.strerror
            return reason or "no connection could be made", "check the address and that Valkey runs"
    return type(error).__name__, ""


def _auth(user: str, password: Secret) -> list[Sequence[Argument]]:
    if not password:
        return []
    return [("AUTH", user, password.reveal()) if user else ("AUTH", password.reveal())]
