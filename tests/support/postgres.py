"""A real PostgreSQL of one's own: unprivileged, in a temporary folder, on a free loopback port.

Only the process that was started here is ever stopped.
"""

import contextlib
import os
import pwd
import shutil
import signal

from support.certs import Issued
from support.server_process import ServerError, ServerProcess, TemporaryServer, free_ports, run

_FOLDERS = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin")
_READY_WITHIN = 30.0
_USERS = ("postgres", "nobody")
PASSWORD = "quintet-secret"


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((*_FOLDERS, "/usr/local/bin", "/usr/bin")))
    if found is None:
        raise ServerError(f"{name} is not installed (Debian's package postgresql)")
    return found


class Postgres(TemporaryServer):
    """A context manager: a cluster with the database and user `quintet`, which signs in by SCRAM.

    It listens at `host`, for clients in the same network.
    """

    name = "postgres"
    _stop_signal = signal.SIGINT  # a fast shutdown: connections are closed

    def __init__(self, host: str = "127.0.0.1") -> None:
        super().__init__()
        self.host = host
        self.port = 0
        self._databases = 0

    def new_database(self) -> str:
        """A new, empty database; its URL with the password."""
        self._databases += 1
        name = f"quintet{self._databases}"
        self.run_sql(f"CREATE DATABASE {name}")
        return f"postgresql://quintet:{PASSWORD}@{self.host}:{self.port}/{name}"

    def new_owned_database(self) -> str:
        """A new database of a role that may do nothing else, as our pages advise; its URL with the password.

        The role has the name of the database.
        """
        self._databases += 1
        name = f"quintet{self._databases}"
        self.run_sql(f"CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")
        self.run_sql(f"CREATE DATABASE {name} OWNER {name}")
        return f"postgresql://{name}:{PASSWORD}@{self.host}:{self.port}/{name}"

    def show_certificate(self, certificate: Issued) -> None:
        """Accept TLS, with this certificate, for new connections."""
        for path in certificate.write(self.folder / "data", "server"):
            if (user := self._user()) is not None:
                os.chown(path, user.pw_uid, user.pw_gid)
        for name, value in (("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key"), ("ssl", "on")):
            self.run_sql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.run_sql("SELECT pg_reload_conf()")

    def trust(self, user: str) -> None:
        """Ask a role, which need not exist yet, for no password."""
        file = self.folder / "data" / "pg_hba.conf"
        file.write_text(f"host all {user} {self.host}/32 trust\n{file.read_text()}")
        self.run_sql("SELECT pg_reload_conf()")

    @property
    def environ(self) -> dict[str, str]:
        """What makes PostgreSQL's own programs ask this server, as its superuser."""
        address = {"PGHOST": self.host, "PGPORT": str(self.port), "PGDATABASE": "postgres"}
        return {**address, "PGUSER": "quintet", "PGPASSWORD": PASSWORD}

    def disconnect(self, user: str) -> None:
        """End all connections of a role, and wait for their end."""
        self.run_sql(
            f"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = '{user}'"
        )

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser; what it prints, without headings. Raises ServerError."""
        server = ("-h", self.host, "-p", str(self.port), "-U", "quintet", "-d", database)
        options = ("-v", "ON_ERROR_STOP=1", "-At", "-c", statement)
        return run([_program("psql"), *server, *options], environ={"PGPASSWORD": PASSWORD})

    def _prepare(self) -> None:
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        user = self._user()
        if user is not None:
            for path in (self.folder, secret):
                os.chown(path, user.pw_uid, user.pw_gid)
        data = ("-D", str(self.folder / "data"), "-U", "quintet", "-E", "UTF8", "--locale=C", "-N")
        options = ("--auth=scram-sha-256", f"--pwfile={secret}")
        run([_program("initdb"), *data, *options], cwd=self.folder, user=user)
        with (self.folder / "data" / "pg_hba.conf").open("a") as file:
            file.write("host all all samenet scram-sha-256\n")

    def _choose(self) -> None:
        (self.port,) = free_ports(1, self.host)

    def _start(self, process: ServerProcess) -> None:
        command = [
            *(_program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)),
            *("-h", self.host, "-k", str(self.folder), "-F"),
            *("-c", "max_connections=50", "-c", "shared_buffers=16MB"),
        ]
        process.start(command, ready=self._answers, within=_READY_WITHIN)

    def _answers(self) -> bool:
        with contextlib.suppress(ServerError):
            self.run_sql("SELECT 1")
            return True
        return False

    def standby(self) -> "Standby":
        """A second server, not yet entered, that follows this one and can only be read."""
        return Standby(self)

    def _user(self) -> pwd.struct_passwd | None:
        """PostgreSQL refuses to run as root."""
        if os.geteuid():
            return None
        for name in _USERS:
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise ServerError("no unprivileged user to run PostgreSQL as")


class Standby(Postgres):
    """A server that follows another one. `promote` makes it one that can be written."""

    def __init__(self, primary: Postgres) -> None:
        super().__init__()
        self._primary = primary

    def _prepare(self) -> None:
        user = self._user()
        if user is not None:
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        server = ("-h", self._primary.host, "-p", str(self._primary.port), "-U", "quintet")
        command = [_program("pg_basebackup"), "-D", "data", "-R", "--checkpoint=fast", *server]
        run(command, cwd=self.folder, user=user, environ={"PGPASSWORD": PASSWORD})

    def promote(self) -> None:
        self.run_sql("SELECT pg_promote()")
