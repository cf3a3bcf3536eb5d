"""The clients' processes, as the measurement sees them."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from worker import Answer, Target

HERE = Path(__file__).parent


class OrderedProcess:
    """A process that obeys orders: `command` is a script beside this file, and its arguments.

    It ends with its standard input. Raises SystemExit when the process ends by itself.
    """

    def __init__(self, *command: str) -> None:
        script, *arguments = command
        self._process = subprocess.Popen(
            [sys.executable, HERE / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()

    def ask(self, **order: Any) -> dict[str, Any]:
        """What came of an order."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._line())
        return answer

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self._process.args!r} ended with {self._process.wait()}")
        return line


class Worker(OrderedProcess):
    """A client's process, which `command` names, and the server that it asks."""

    def __init__(self, command: tuple[str, ...], target: Target) -> None:
        script, *arguments = command
        super().__init__(script, target.as_argument(), *arguments)

    def order(self, work: str, *, seed: int, seconds: float = 0.0, operations: int | None = None) -> Answer:
        """Let the client work for so many seconds, or until so many operations are done."""
        return Answer(**self.ask(work=work, seed=seed, seconds=seconds, operations=operations))
