"""Memory does not grow with the number of operations made."""

import gc
import tracemalloc
from pathlib import Path

import pytest

from quintet.config.load import load
from quintet.directory.directory import Directory
from quintet.directory.errors import Refused
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

FEW = 40
NOISE = 64 * 1024  # caches that fill once, interned strings, tracemalloc's own


async def work(directory: Directory, times: int) -> None:
    for number in range(times):
        await directory.authenticate("alice", "alice-secret")
        await directory.resolve("smith")
        with pytest.raises(Refused):
            await directory.authenticate(f"nobody{number}", "secret")


def in_use() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def test_four_times_the_operations_take_no_more_memory(tmp_path: Path, small_slapd: Slapd) -> None:
    async with Directory(load(settings_folder(tmp_path, small_slapd), {})) as directory:
        await work(directory, FEW)
        tracemalloc.start()
        try:
            await work(directory, FEW)
            once = in_use()
            await work(directory, 3 * FEW)
            assert in_use() - once < NOISE
        finally:
            tracemalloc.stop()
