"""Memory does not grow with the number of operations made."""

import gc
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest

from quintet.config.load import load
from quintet.directory import AuthenticationError, Directory
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

TIMES = 40
ROUNDS = 5
NOISE = 16 * 1024  # in the quietest round; whatever each operation leaves behind is in every round


async def work(directory: Directory, times: int) -> None:
    for number in range(times):
        await directory.authenticate("alice", "alice-secret")
        await directory.resolve("smith")
        with pytest.raises(AuthenticationError):
            await directory.authenticate(f"nobody{number}", "secret")


def in_use() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_operations_leave_nothing_behind(tmp_path: Path, small_slapd: Slapd) -> None:
    """Caches fill once, tables grow now and then; a leak shows in every round, so the least growth counts."""
    async with Directory(load(settings_folder(tmp_path, small_slapd), {})) as directory:
        await work(directory, TIMES)
        tracemalloc.start()
        try:
            used = []
            for _ in range(ROUNDS + 1):
                await work(directory, TIMES)
                used.append(in_use())
        finally:
            tracemalloc.stop()
    assert min(after - before for before, after in pairwise(used)) < NOISE
