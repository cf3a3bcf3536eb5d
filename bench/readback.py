"""`script/bench --timing`, third part: what it costs to read the bound entry back under "only passwords"."""

import asyncio
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quintet.config import load
from quintet.directory import Directory
from support.folder import LEVELS, settings_folder
from support.slapd import Slapd

_ROUNDS = 7
_SIGN_INS = 400
_AT_ONCE = 40


@dataclass(frozen=True, slots=True)
class SignInCost:
    """Sign-ins at one level: requests to the server, CPU of the client in microseconds, and milliseconds."""

    level: str
    requests: float
    cpu: float
    milliseconds: float


def measure_read_back(tell: Callable[[str], None]) -> list[SignInCost]:
    """The three levels in turn, medians of several rounds."""
    tell("Sign-ins at the three levels")
    with Slapd(stats=False) as server:
        folders = {
            level: settings_folder(server.folder / level, server, level=level, account=None)
            for level in LEVELS
        }
        rounds = [[asyncio.run(_sign_ins(level, folders[level])) for level in LEVELS] for _ in range(_ROUNDS)]
    return [
        SignInCost(
            level,
            statistics.median(each.requests for each in found),
            statistics.median(each.cpu for each in found),
            statistics.median(each.milliseconds for each in found),
        )
        for level, found in zip(LEVELS, zip(*rounds, strict=True), strict=True)
    ]


async def _sign_ins(level: str, folder: Path) -> SignInCost:
    async with Directory(load(folder, os.environ)) as directory:
        await directory.connect_all()
        await _batch(directory)
        before = sum(row.operations for row in directory.status())
        cpu, wall = time.thread_time(), time.perf_counter()
        for _ in range(_SIGN_INS // _AT_ONCE):
            await _batch(directory)
        cpu, wall = time.thread_time() - cpu, time.perf_counter() - wall
        requests = sum(row.operations for row in directory.status()) - before
    return SignInCost(level, requests / _SIGN_INS, 1e6 * cpu / _SIGN_INS, 1e3 * wall / _SIGN_INS)


async def _batch(directory: Directory) -> None:
    names = [("alice", "bob", "carol", "dave")[nth % 4] for nth in range(_AT_ONCE)]
    await asyncio.gather(*(directory.authenticate(name, f"{name}-secret") for name in names))
