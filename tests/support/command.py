"""Running `quintet` as people and scripts do."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

PROGRAM = Path(sys.executable).with_name("quintet")
PLAIN = {
    "NO_COLOR": "1",
    "COLUMNS": "80",
    # Tests run beside each other and beside a server of the developer's own, so fixed ports stay shut.
    "STI__Config__QUINTET_HTTP_PORT": "0",
    "STI__Config__QUINTET_METRICS_PORT": "0",
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
