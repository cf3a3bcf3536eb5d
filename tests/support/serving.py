"""`quintet serve` as a process of its own, with HTTP."""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from typing import IO, Any

from support.command import PLAIN, PROGRAM

_SOON = 20.0


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


@contextmanager
def serve(folder: Path, **environ: str) -> Iterator[dict[str, str]]:
    """`quintet serve`; yields what it logs when it listens, and expects exit code 0 at the end."""
    process = subprocess.Popen(
        [PROGRAM, "--config", folder, "serve"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **PLAIN, **environ},
    )
    assert process.stderr is not None
    listens: Queue[dict[str, Any]] = Queue()
    log: list[str] = []
    reader = threading.Thread(target=_read, args=(process.stderr, log, listens))
    reader.start()
    try:
        yield listens.get(timeout=_SOON)
    finally:
        process.terminate()
        try:
            process.wait(_SOON)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        process.stderr.close()
    assert process.returncode == 0, "".join(log)


def _read(lines: IO[str], log: list[str], listens: Queue[dict[str, Any]]) -> None:
    """Read the log to its end, so that the server never waits for a reader."""
    for line in lines:
        log.append(line)
        if line.startswith("{") and (event := json.loads(line))["event"] == "listening":
            listens.put(event)


class Serving:
    """`quintet serve` as a child of ours; its log is read event by event."""

    def __init__(self, folder: Path, *options: str, **environ: str) -> None:
        self.folder = folder
        self.text = ""
        self._events: Queue[dict[str, Any]] = Queue()
        self._process = subprocess.Popen(
            [PROGRAM, "--config", folder, "serve", *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **PLAIN, **environ},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self.text += line
                if line.startswith("{"):
                    self._events.put(json.loads(line))

    def until(self, event: str) -> dict[str, Any]:
        """The next event of this name."""
        while True:
            try:
                found = self._events.get(timeout=_SOON)
            except Empty:
                raise AssertionError(f"{event!r} was not logged:\n{self.text}") from None
            if found["event"] == event:
                return found

    def send(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self, number: signal.Signals | None = signal.SIGTERM) -> int:
        """The exit code."""
        if number is not None and self._process.poll() is None:
            self._process.send_signal(number)
        try:
            code = self._process.wait(_SOON)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join()
        return code
