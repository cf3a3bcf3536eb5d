"""Fuzzing one target for some time: its folder, the process, and what libFuzzer said of it in the end."""

import hashlib
import re
import resource
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final, final

from fuzz.target import Target
from fuzz.targets import HOMES

_MEMORY: Final = 2048
"""Megabytes that the process may use. More is a crash."""

_HANG: Final = 60
"""Seconds after which an input that does not come back is a crash, on a busy machine as well."""

_STARTING: Final = 600
"""Seconds that a process may take in addition to its time, for its imports and its last input."""

_STATUS = re.compile(r"^#(\d+)\s.*? cov: (\d+) ft: (\d+) corp: (\d+)/", re.MULTILINE)
_EXECUTED = re.compile(r"^stat::number_of_executed_units: (\d+)", re.MULTILINE)
_SECONDS = re.compile(r"^Done \d+ runs in (\d+) second", re.MULTILINE)


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a target.

    `seconds` are those of the clock without the start, `cpu` those of the processor with it: fewer, where the
    machine is busy. `edges` and `features` are libFuzzer's measures of coverage. `ran` is false when the
    process could not start or was ended; then `log` tells why.
    """

    name: str
    seconds: float
    cpu: float
    executions: int
    edges: int
    features: int
    inputs: int
    crashes: tuple[Path, ...]
    log: Path
    ran: bool


def fuzz(target: Target, seconds: int, folder: Path) -> Outcome:
    """Fuzz `target`. `folder` keeps its corpus, which the next run continues, its crashes and its log."""
    corpus, seeds, crashes = folder / "corpus", folder / "seeds", folder / "crashes"
    shutil.rmtree(seeds, ignore_errors=True)
    for each in (corpus, seeds, crashes):
        each.mkdir(parents=True, exist_ok=True)
    for seed in target.seeds():
        (seeds / hashlib.sha256(seed).hexdigest()[:20]).write_bytes(seed)
    known = set(crashes.iterdir())
    log = folder / "log"
    command = (
        *(sys.executable, "-m", "fuzz.worker", HOMES[target.name], target.name),
        f"-max_total_time={seconds}",
        f"-max_len={target.longest}",
        f"-rss_limit_mb={_MEMORY}",
        f"-timeout={_HANG}",
        f"-artifact_prefix={crashes}/",
        "-print_final_stats=1",
        str(corpus),
        str(seeds),
    )
    begun, used = monotonic(), _cpu()
    with log.open("wb") as file:
        try:
            code = subprocess.run(
                command, stdout=file, stderr=file, timeout=seconds + _STARTING, check=False
            ).returncode
        except subprocess.TimeoutExpired:
            code = -1
    found = sorted(set(crashes.iterdir()) - known)
    return _outcome(target.name, log, monotonic() - begun, _cpu() - used, found, code)


def _cpu() -> float:
    """Seconds of processor time of the processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _outcome(name: str, log: Path, elapsed: float, cpu: float, crashes: list[Path], code: int) -> Outcome:
    text = log.read_text(encoding="utf-8", errors="replace")
    *_, (executions, edges, features, inputs) = [("0",) * 4, *_STATUS.findall(text)]
    executed, seconds = _EXECUTED.findall(text), _SECONDS.findall(text)
    return Outcome(
        name,
        float(seconds[-1]) if seconds else elapsed,
        cpu,
        int(executed[-1] if executed else executions),
        int(edges),
        int(features),
        int(inputs),
        tuple(crashes),
        log,
        code == 0 or bool(crashes),
    )
