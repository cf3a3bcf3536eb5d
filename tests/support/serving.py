"""`quintet serve` as a process of its own, with HTTP."""

import json
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.command import PLAIN, PROGRAM


def free_port() -> int:
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return int(each.getsockname()[1])


@contextmanager
def serve(folder: Path, **environ: str) -> Iterator[dict[str, str]]:
    """`quintet serve`; yields what it logs when it listens."""
    process = subprocess.Popen(
        [PROGRAM, "--config", folder, "serve"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **PLAIN, **environ},
    )
    patience = threading.Timer(20, process.kill)
    patience.start()
    try:
        assert process.stderr is not None
        events = (json.loads(line) for line in process.stderr if line.startswith("{"))
        yield next(each for each in events if each["event"] == "listening")
    finally:
        patience.cancel()
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 0
