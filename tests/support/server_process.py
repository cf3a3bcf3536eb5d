"""A server that a test started: in the foreground, in a process group of its own, and surely ended."""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_STOP_WITHIN = 10.0  # seconds
_POLL = 0.02
_PORTS = range(20000, 32000)  # below the ports that the kernel gives to outgoing connections
_SBIN = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"


class ServerError(Exception):
    """A server, or a program that prepares it, did not do what was asked; the message has its own words."""


class ServerProcess:
    """One server, which may be started again. Its output goes to a log.

    Standard input is a pipe that nobody writes to: a server that watches it ends when the tests are killed.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None, "this server does not run"
        return self._process.pid

    def start(self, command: Sequence[str], *, ready: Callable[[], bool], within: float) -> None:
        """Start, and wait until `ready` says so, for `within` seconds. Raises ServerError."""
        with self.log.open("ab") as log:
            begins = log.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd=self.log.parent,
                start_new_session=True,
            )
        deadline = time.monotonic() + within
        while not ready():
            if not self.running or time.monotonic() > deadline:
                self.stop()
                said = self.log.read_bytes()[begins:].decode(errors="replace")
                raise ServerError(f"{command[0]} did not start:\n{said}")
            time.sleep(_POLL)

    def stop(self) -> None:
        """An orderly end: SIGTERM to the process group, SIGKILL to what is left of it."""
        if self._process is not None:
            self._signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_WITHIN)
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the process group: a crash, or the end of a server whose data nobody needs."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.communicate()
            self._process = None

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)


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
    within: float = 300.0,
) -> str:
    """What a program printed. Raises ServerError when it failed."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=within,
        stdin=subprocess.DEVNULL,
        cwd=cwd,
        env={**os.environ, **(environ or {})},
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
    ports = [port for port in random.sample(_PORTS, k=100) if listenable(address, port)]
    return ports[:count]
