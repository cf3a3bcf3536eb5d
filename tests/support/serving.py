"""`quintet serve` as a process of its own, whose log is read event by event."""

import json
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from support.command import PLAIN, PROGRAM
from support.server_process import ServerProcess, free_ports
from support.waiting import wait_until

SOON = 20.0  # seconds


def free_port() -> int:
    (port,) = free_ports(1)
    return port


class Serving:
    """`quintet serve`, with these options and variables. The caller calls `end`.

    `inside` begins the command line, for a server that runs in a namespace.
    """

    def __init__(self, folder: Path, *options: str, inside: Sequence[str] = (), **environ: str) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="quintet-serve-")
        self._log = Path(self._temporary.name) / "serve.log"
        self._read = 0
        self._code: int | None = None
        self._ended = False
        self._text = ""
        self._process = ServerProcess(self._log)
        command = [*inside, str(PROGRAM), "--config", str(folder), "serve", *options]
        # What it does when it cannot start is what some tests are about.
        self._process.start(command, ready=lambda: True, within=SOON, environ=PLAIN | environ)
        self.pid = self._process.pid

    @property
    def text(self) -> str:
        """Everything that it wrote so far, on both outputs."""
        return self._text if self._ended else self._log.read_text(errors="replace")

    def until(self, event: str) -> dict[str, Any]:
        """The next event of this name."""
        found: list[dict[str, Any]] = []

        def logged() -> bool:
            # In this order, so that the last words of a server that has ended are read.
            ended = not self._process.running
            found.extend(self._next(event))
            return bool(found) or ended

        wait_until(logged, seconds=SOON)
        assert found, f"{event!r} was not logged:\n{self.text}"
        return found[0]

    def send(self, number: signal.Signals) -> None:
        self._process.send(number)

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int | None:
        """The exit code, after this signal; None when it had to be killed. It may be called again."""
        if not self._ended:
            if number is not None:
                self._process.send(number)
            self._code = self._process.wait()
            self._text, self._ended = self.text, True
            self._temporary.cleanup()
        return self._code

    def _next(self, event: str) -> list[dict[str, Any]]:
        """At most one event; it and those before it are read then."""
        lines = [line for line in self.text.splitlines(keepends=True) if line.endswith("\n")]
        for line in lines[self._read :]:
            self._read += 1
            if line.startswith("{") and (found := json.loads(line))["event"] == event:
                return [found]
        return []


@contextmanager
def serve(folder: Path, **environ: str) -> Iterator[dict[str, str]]:
    """`quintet serve`; yields what it logs when it listens, and expects exit code 0 at the end."""
    running = Serving(folder, **environ)
    try:
        yield running.until("listening")
    finally:
        code = running.end()
    assert code == 0, running.text
