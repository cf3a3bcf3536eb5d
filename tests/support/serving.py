"""`quintet serve` as a process of its own, with HTTP."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
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
