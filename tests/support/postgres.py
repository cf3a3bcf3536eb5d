"""A real PostgreSQL of one's own: unprivileged, in a temporary folder, on a free loopback port.

Only the process that was started here is ever stopped.
"""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

_FOLDERS = ("/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin", "/usr/lib/postgresql/17/bin")
_READY_WITHIN = 30.0
_USERS = ("postgres", "nobody")
PASSWORD = "quintet-secret"


class PostgresFailedError(Exception):
    """initdb or postgres did not do what was asked; the message has their own words."""


def _program(name: str) -> str:
    found = shutil.which(name, path=os.pathsep.join((*_FOLDERS, "/usr/local/bin", "/usr/bin")))
    if found is None:
        raise PostgresFailedError(f"{name} is not installed (Debian's package postgresql)")
    return found


class Postgres:
    """A context manager: a cluster with the database and user `quintet`, which signs in by SCRAM."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._databases = 0

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix="quintet-postgres-")
        try:
            self._prepare()
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    @property
    def folder(self) -> Path:
        assert self._temporary is not None
        return Path(self._temporary.name)

    def new_database(self) -> str:
        """A new, empty database; its URL with the password."""
        self._databases += 1
        name = f"quintet{self._databases}"
        self.run_sql(f"CREATE DATABASE {name}")
        return f"postgresql://quintet:{PASSWORD}@{self.host}:{self.port}/{name}"

    def run_sql(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the superuser; what it prints, without headings."""
        done = subprocess.run(
            [
                *(_program("psql"), "-h", self.host, "-p", str(self.port), "-U", "quintet", "-d", database),
                *("-v", "ON_ERROR_STOP=1", "-At", "-c", statement),
            ],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PGPASSWORD": PASSWORD},
        )
        if done.returncode:
            raise PostgresFailedError(done.stderr)
        return done.stdout

    def start(self) -> None:
        """Start on the same port, with the same data."""
        with (self.folder / "log").open("ab") as log:
            process = self._process = subprocess.Popen[bytes](
                [
                    *(_program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)),
                    *("-h", self.host, "-k", str(self.folder), "-F"),
                    *("-c", "max_connections=50", "-c", "shared_buffers=16MB"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                **self._as_user(),
            )
        deadline = time.monotonic() + _READY_WITHIN
        while not self._answers():
            if process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise PostgresFailedError((self.folder / "log").read_text(errors="replace"))
            time.sleep(0.02)

    def stop(self) -> None:
        """A fast shutdown (SIGINT): connections are closed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(20)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """A hang (SIGSTOP) of the server and of what it started for each connection."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        processes = [self._process.pid, *map(int, children)]
        for each in processes:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)

    def _prepare(self) -> None:
        with socket.socket() as probe:
            probe.bind((self.host, 0))
            self.port = probe.getsockname()[1]
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        as_user = self._as_user()
        if as_user:
            for path in (self.folder, secret):
                os.chown(path, as_user["user"], as_user["group"])
        done = subprocess.run(
            [
                *(_program("initdb"), "-D", str(self.folder / "data"), "-U", "quintet"),
                *("--auth=scram-sha-256", f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "-N"),
            ],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **as_user,
        )
        if done.returncode:
            raise PostgresFailedError(f"initdb: {done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            return False
        with contextlib.suppress(PostgresFailedError):
            self.run_sql("SELECT 1")
            return True
        return False

    @staticmethod
    def _as_user() -> dict[str, Any]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid():
            return {}
        for name in _USERS:
            with contextlib.suppress(KeyError):
                found = pwd.getpwnam(name)
                return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": ()}
        raise PostgresFailedError("no unprivileged user to run PostgreSQL as")
