"""How long the command `quintet --help` takes, from its start to its end."""

import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

RUNS = 20
WANTED = 0.15


@dataclass(frozen=True, slots=True)
class Startup:
    """Seconds, and how many runs there were.

    `cpu` is the median of the CPU time, which depends less on how busy the machine is.
    """

    least: float
    median: float
    cpu: float
    runs: int


def measure_startup(runs: int = RUNS) -> Startup:
    """Run the command that is installed beside this interpreter; a first run, not counted, fills caches."""
    command = [str(Path(sys.executable).with_name("quintet")), "--help"]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    times, cpu = [], []
    for _ in range(1 + runs):
        used, began = _children(), time.perf_counter()
        subprocess.run(command, env=environ, stdout=subprocess.DEVNULL, check=True)
        times.append(time.perf_counter() - began)
        cpu.append(_children() - used)
    return Startup(min(times[1:]), statistics.median(times[1:]), statistics.median(cpu[1:]), runs)


def _children() -> float:
    """CPU seconds of processes that were started here and have ended."""
    times = os.times()
    return times.children_user + times.children_system
