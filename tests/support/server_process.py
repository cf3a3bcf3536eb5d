"""A server that a test started: in the foreground, in a process group of its own, and surely ended.

`ServerProcess` starts, stops and freezes one server program. `TemporaryServer` is what the real servers that
tests use (slapd, 389 Directory Server, Samba, PostgreSQL) have in common: a context manager with a temporary
folder, which holds everything that the server reads and writes. `support.serving` has `quintet serve`.
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from pwd import struct_passwd
from types import TracebackType
from typing import Any, ClassVar, Self

from support.waiting import wait_until

_STOP_WITHIN = 20.0  # seconds
_PORTS = range(20000, 32000)  # below the ports that the kernel gives to outgoing connections
_SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class ServerError(Exception):
    """A server, or a program that prepares it, did not do what was asked; the message has its own words."""


class ServerProcess:
    """One server, which may be started again. Its output goes to a log.

    Standard input is a pipe that nothing is written to: a server that watches it ends when the tests are
    killed. `stop_signal` asks the server for an orderly end. `user` runs it; None is the user of the tests.
    """

    def __init__(
        self,
        log: Path,
        *,
        stop_signal: signal.Signals = signal.SIGTERM,
        user: struct_passwd | None = None,
    ) -> None:
        self.log = log
        self._stop_signal = stop_signal
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it is not started"
        return self._process.pid

    def start(
        self,
        command: Sequence[str],
        *,
        ready: Callable[[], bool],
        within: float,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Start, and wait until `ready` says so, for `within` seconds. Raises ServerError.

        `environ` is added to the environment of the tests.
        """
        with self.log.open("ab") as log:
            begins = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                env={**os.environ, **(environ or {})},
                start_new_session=True,
                **_as(self._user),
            )
        # A server that has ended is not the one that answers: another one listens on its port.
        started = wait_until(lambda: not self.running or ready(), seconds=within) and self.running
        if not started:
            self.stop()
            said = self.log.read_bytes()[begins:].decode(errors="replace")
            raise ServerError(f"{' '.join(map(str, command))} did not start:\n{said}")

    def send(self, number: signal.Signals) -> None:
        """Send the server itself a signal; nothing when it has ended."""
        if self._process is not None:
            self._process.send_signal(number)

    def stop(self) -> None:
        """An orderly end: `stop_signal` to the process group, SIGKILL to what is left of it."""
        if self._process is not None:
            self._signal(self._stop_signal)
            self.wait()

    def wait(self) -> int | None:
        """Wait for its end, and kill what is left of it; the exit code, None when it had to be killed."""
        code = None
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                code = self._process.wait(_STOP_WITHIN)
            self.kill()
        return code

    def kill(self) -> None:
        """SIGKILL to the process group: a crash, or the end of a server whose data nobody needs."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """A hang (SIGSTOP) of the server and of the processes that it started.

        The kernel still accepts connections; they get no answer.
        """
        assert self._process is not None
        leader = self._process.pid
        children = Path(f"/proc/{leader}/task/{leader}/children").read_text().split()
        processes = [leader, *map(int, children)]
        for each in processes:
            os.kill(each, signal.SIGSTOP)
        try:
            yield
        finally:
            for each in processes:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(each, signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


class TemporaryServer(ABC):
    """A context manager: entering prepares the server's files in a temporary folder and starts the server.

    A server has `_prepare` (its files), `_choose` (its address, and what depends on it) and `_start`.
    """

    name: ClassVar[str]
    """Names the folder and the log."""
    _attempts: ClassVar[int] = 3
    """How often an address is chosen: another program may take it before the server does."""
    _orderly: ClassVar[bool] = True
    """Whether leaving ends the server in order: for one that leaves other things than its folder."""
    _stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self) -> None:
        self._process: ServerProcess | None = None
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    @property
    def folder(self) -> Path:
        assert self._temporary is not None, f"this {self.name} is not entered"
        return Path(self._temporary.name)

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.running

    def __enter__(self) -> Self:
        self._temporary = tempfile.TemporaryDirectory(prefix=f"quintet-{self.name}-")
        try:
            self._process = ServerProcess(
                self.folder / f"{self.name}.log", stop_signal=self._stop_signal, user=self._user()
            )
            self._prepare()
            self._start_at_free_address()
            self._started()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            if self._orderly:
                self._process.stop()
            else:
                self._process.kill()
            self._process = None
        if self._temporary is not None:
            self._clean_up()
            self._temporary.cleanup()
            self._temporary = None

    @property
    def pid(self) -> int:
        return self._server.pid

    def start(self) -> None:
        """Start on the same address, with the same data."""
        self._start(self._server)

    def stop(self) -> None:
        """An orderly end: the server finishes what it does and closes; the data are kept."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """A crash (SIGKILL): connections break in the middle of whatever they did."""
        if self._process is not None:
            self._process.kill()

    def restart(self) -> None:
        """Start again on the same address with the same data; stops it first when it runs."""
        self.stop()
        self.start()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """A hang: connections are accepted, and get no answer."""
        with self._server.frozen():
            yield

    def log(self) -> str:
        """What the server wrote so far, every start included."""
        return self._server.log.read_text(errors="replace")

    @property
    def _server(self) -> ServerProcess:
        assert self._process is not None, f"this {self.name} is not entered"
        return self._process

    def _start_at_free_address(self) -> None:
        for _ in range(self._attempts - 1):
            self._choose()
            with contextlib.suppress(ServerError):
                self.start()
                return
        self._choose()
        self.start()

    @abstractmethod
    def _prepare(self) -> None: ...

    @abstractmethod
    def _choose(self) -> None: ...

    @abstractmethod
    def _start(self, process: ServerProcess) -> None: ...

    def _started(self) -> None:  # noqa: B027  not every server needs it
        """What is done to the server once, after its first start."""

    def _clean_up(self) -> None:  # noqa: B027  not every server needs it
        """What is done when the server has ended, before its folder is removed."""

    def _user(self) -> struct_passwd | None:
        """Who runs the server, if not the user of the tests."""
        return None


def _as(user: struct_passwd | None) -> dict[str, Any]:
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": ()}


def check_packages(packages: Mapping[str, str]) -> None:
    """Raise ServerError when a program, or a file by its pattern, is missing; `packages` says whose it is."""
    missing = []
    for what, package in packages.items():
        found = any(Path("/").glob(what[1:])) if what.startswith("/") else shutil.which(what, path=_SBIN)
        missing += [] if found else [package]
    if missing:
        raise ServerError(
            f"packages are missing: apt-get install --no-install-recommends {' '.join(missing)}"
        )


def program(name: str) -> str:
    """The path of a program, administrators' folders included."""
    return shutil.which(name, path=_SBIN) or name


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    user: struct_passwd | None = None,
    within: float = 300.0,
) -> str:
    """What a program printed. Raises ServerError when it failed."""
    done: subprocess.CompletedProcess[str] = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=within,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
        **_as(user),
    )
    if done.returncode:
        raise ServerError(f"{' '.join(command[:3])}: {done.stdout}{done.stderr}")
    return done.stdout


def listenable(address: str, port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind((address, port))
        probe.listen()
        return True
    return False


def free_ports(count: int, address: str = "127.0.0.1") -> list[int]:
    """Ports on which a server could listen now."""
    free = (port for port in random.sample(_PORTS, k=200) if listenable(address, port))
    ports = list(islice(free, count))
    if len(ports) < count:
        raise ServerError(f"no {count} free ports on {address}")
    return ports
