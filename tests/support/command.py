"""Running `quintet` as people and scripts do: with pipes, or at a terminal."""

import contextlib
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, final

PROGRAM = Path(sys.executable).with_name("quintet")
PLAIN = {
    "NO_COLOR": "1",
    "COLUMNS": "80",
    # Tests run beside each other and beside a server of the developer's own, so fixed ports stay shut.
    "STI__Config__QUINTET_HTTP_PORT": "0",
    "STI__Config__QUINTET_METRICS_PORT": "0",
    "STI__Debug__VPMX_PORT": "0",
}


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command left: its exit code and both outputs."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which must be one JSON document and nothing else."""
        return json.loads(self.out)


class Quintet(Protocol):
    """Runs one command line; `typed` is what comes in at standard input."""

    def __call__(self, *arguments: str | Path, typed: str = "") -> Ran: ...


def run_program(*arguments: str | Path, typed: str = "", environ: Mapping[str, str] | None = None) -> Ran:
    """Runs the installed program, as a shell does."""
    done = subprocess.run(
        [PROGRAM, *arguments],
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **PLAIN, **(environ or {})},
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def interruptible() -> None:
    """For `preexec_fn`: Ctrl-C ends the program, also where the tests run in the background and ignore it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@final
class Terminal:
    """A command at a terminal of 80 columns, from which its Ctrl-C comes, too."""

    def __init__(self, screen: int, process: subprocess.Popen[bytes]) -> None:
        self._screen = screen
        self._process = process
        self.shown = b""

    def until(self, wanted: str, seconds: float = 30) -> None:
        """Read what is shown until `wanted` is part of it."""
        deadline = time.monotonic() + seconds
        while wanted.encode() not in self.shown:
            ready, _, _ = select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"{wanted!r} was not shown: {self.shown!r}"
            self.shown += os.read(self._screen, 65536)

    def type(self, text: str) -> None:
        os.write(self._screen, text.encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self.type("\x03")

    def end(self, seconds: float = 30) -> int:
        """Read the rest; the exit code."""
        deadline = time.monotonic() + seconds
        with contextlib.suppress(OSError):  # EIO: the command has closed the terminal
            while select.select([self._screen], [], [], max(0.0, deadline - time.monotonic()))[0]:
                self.shown += os.read(self._screen, 65536)
        return self._process.wait(seconds)

    @property
    def lines(self) -> list[str]:
        """What was shown, without control sequences."""
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.shown.decode()).replace("\r", "").splitlines()


@contextmanager
def at_terminal(*arguments: str | Path, environ: Mapping[str, str] | None = None) -> Iterator[Terminal]:
    """Runs the installed program at a terminal, which is closed at the end."""
    screen, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [PROGRAM, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, **PLAIN, "TERM": "xterm", **(environ or {})},
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - no threads here
    )
    os.close(theirs)
    try:
        yield Terminal(screen, process)
    finally:
        process.kill()
        process.wait()
        os.close(screen)


def _take_terminal() -> None:
    interruptible()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
