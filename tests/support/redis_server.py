"""A real Redis of one's own: in a temporary folder, on a free loopback port. Debian's package redis-server.

`RedisServer` may have TLS, an ACL user, and be a replica; `Sentinel` watches one. Only the processes that
were started here are ever stopped.
"""

import contextlib
import socket
from pathlib import Path
from typing import Final

from support.certs import Issued
from support.server_process import ServerError, ServerProcess, TemporaryServer, free_ports, program
from support.waiting import wait_until

_READY_WITHIN = 15.0
PASSWORD: Final = "quintet-secret"
"""Of the ACL user `quintet`, and of the default user where one is asked for."""


class RedisServer(TemporaryServer):
    """A context manager. `start`, `stop`, `kill`, `restart` and `frozen` are those of every server here.

    `certificate` switches TLS on (and the port without TLS off). `password` is that of the default user.
    `acl` are rules of the user `quintet`, whose password is PASSWORD. `replica_of` is another one's port.
    `keep` keeps the data over a restart. `options` are further lines of redis.conf. A `host` other than
    loopback needs a password.
    """

    name = "redis-server"

    def __init__(
        self,
        *options: str,
        certificate: Issued | None = None,
        password: str = "",
        acl: str = "",
        replica_of: int = 0,
        keep: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        super().__init__()
        self.host = host
        self.port = 0
        self._certificate = certificate
        self._password = password
        self._options = list(options)
        if acl:
            self._options.append(f"user quintet on >{PASSWORD} {acl}")
        if password:
            self._options += [f"requirepass {password}", f"masterauth {password}"]
        if replica_of:
            self._options.append(f"replicaof {self.host} {replica_of}")
        if keep:
            self._options += ["appendonly yes", "appendfsync always"]

    @property
    def url(self) -> str:
        """As in QUINTET_CLUSTER, with the password of the default user."""
        kind = "rediss" if self._certificate else "redis"
        secret = f":{self._password}@" if self._password else ""
        host = "localhost" if self._certificate else self.host
        return f"{kind}://{secret}{host}:{self.port}"

    def run(self, *command: str | bytes | int) -> object:
        """The answer to a command, given by the default user without TLS. Raises ServerError."""
        with contextlib.closing(socket.create_connection((self.host, self.port), timeout=10.0)) as connection:
            reader = connection.makefile("rb")
            if self._password:
                connection.sendall(_packed("AUTH", self._password))
                _read(reader)
            connection.sendall(_packed(*command))
            return _read(reader)

    def _prepare(self) -> None:
        lines = [
            *(
                "save ''",
                "appendonly no",
                "daemonize no",
                f"dir {self.folder}",
                "maxmemory-policy noeviction",
            ),
            *("repl-diskless-sync-delay 0", "repl-ping-replica-period 1"),
            *self._options,
        ]
        if self._certificate is not None:
            certificate, key = self._certificate.write(self.folder, "server")
            lines += [f"tls-cert-file {certificate}", f"tls-key-file {key}", "tls-auth-clients no"]
            lines += [f"tls-ca-cert-file {certificate}"]
        self._configuration.write_text("\n".join(lines) + "\n")

    @property
    def _configuration(self) -> Path:
        return self.folder / "redis.conf"

    def _choose(self) -> None:
        (self.port,) = free_ports(1, self.host)

    def _start(self, process: ServerProcess) -> None:
        tls = self._certificate is not None
        ports = ("--port", "0" if tls else str(self.port), *(("--tls-port", str(self.port)) if tls else ()))
        command = [program("redis-server"), str(self._configuration), "--bind", self.host, *ports]
        process.start(command, ready=self._answers, within=_READY_WITHIN)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, ServerError):
            if self._certificate is not None:
                socket.create_connection((self.host, self.port), timeout=1.0).close()
                return True
            return self.run("PING") == b"PONG"
        return False


class Sentinel(TemporaryServer):
    """A context manager: a Sentinel that watches `server` as `mymaster`, and finds it down after a second."""

    name = "redis-sentinel"

    def __init__(self, server: RedisServer) -> None:
        super().__init__()
        self.host = "127.0.0.1"
        self.port = 0
        self._server_watched = server

    @property
    def url(self) -> str:
        return f"redis+sentinel://{self.host}:{self.port}/mymaster"

    def run(self, *command: str | int) -> object:
        """The answer to a command. Raises ServerError."""
        with contextlib.closing(socket.create_connection((self.host, self.port), timeout=10.0)) as connection:
            connection.sendall(_packed(*command))
            return _read(connection.makefile("rb"))

    def wait_for_replicas(self, count: int) -> None:
        """Until it knows the replicas, so that it can choose one. Raises ServerError."""

        def known() -> bool:
            found = self.run("SENTINEL", "REPLICAS", "mymaster")
            return isinstance(found, list) and len(found) == count and b"slave" in found[0]

        if not wait_until(known, seconds=20.0):
            raise ServerError("the sentinel knows no replica")

    def _prepare(self) -> None:
        watched = self._server_watched
        (self.folder / "sentinel.conf").write_text(
            f"dir {self.folder}\n"
            f"sentinel monitor mymaster {watched.host} {watched.port} 1\n"
            "sentinel down-after-milliseconds mymaster 1000\n"
            "sentinel failover-timeout mymaster 5000\n"
        )

    def _choose(self) -> None:
        (self.port,) = free_ports(1, self.host)

    def _start(self, process: ServerProcess) -> None:
        configuration = str(self.folder / "sentinel.conf")
        where = ("--bind", self.host, "--port", str(self.port))
        command = [program("redis-server"), configuration, "--sentinel", *where]
        process.start(command, ready=self._answers, within=_READY_WITHIN)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError, ServerError):
            return self.run("PING") == b"PONG"
        return False


def _packed(*command: str | bytes | int) -> bytes:
    parts = [each if isinstance(each, bytes) else str(each).encode() for each in command]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(each), each) for each in parts)


def _read(reader: object) -> object:
    line = reader.readline().rstrip(b"\r\n")  # type: ignore[attr-defined]
    kind, rest = line[:1], line[1:]
    match kind:
        case b"+":
            return rest
        case b":":
            return int(rest)
        case b"$":
            return None if rest == b"-1" else reader.read(int(rest) + 2)[:-2]  # type: ignore[attr-defined]
        case b"*":
            return None if rest == b"-1" else [_read(reader) for _ in range(int(rest))]
    raise ServerError(line.decode(errors="replace"))
