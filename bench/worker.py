"""One client in one process: takes orders on standard input, answers each with one line of JSON.

An order names the work, such as "search" or "sign-in", and for how long or how often to do it. All clients do
the same work on the same people, check every answer, and note how long each operation took.
"""

import asyncio
import gc
import json
import os
import random
import resource
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import cycle, islice, takewhile
from typing import Literal, Protocol

from people import PEOPLE, mail, uid

ATTRIBUTES = ["cn", "mail", "telephoneNumber"]
CALLERS = 64
THREADS = 16
_SAMPLE = 20_000

Level = Literal["all", "passwords", "none"]
LEVELS: tuple[Level, ...] = ("all", "passwords", "none")

Work = Callable[[Iterator[str], list[float]], None]
"""Does one operation for each uid from the iterator, and appends the seconds that each took to the list."""


@dataclass(frozen=True, slots=True)
class Target:
    """The server to ask, and how. `ca` is a PEM file; `folder` has Quintet's settings, if they are needed."""

    host: str
    port: int
    tls_port: int
    ca: str
    level: Level
    user: str
    password: str
    folder: str = ""

    def as_argument(self) -> str:
        """For the command line of a process."""
        return json.dumps(asdict(self))

    @property
    def tls(self) -> bool:
        """Whether searches are encrypted."""
        return self.level == "all"

    @property
    def url(self) -> str:
        """Where searches go."""
        return self._url(tls=self.tls)

    @property
    def bind_url(self) -> str:
        """Where users' passwords go."""
        return self._url(tls=self.level != "none")

    def _url(self, *, tls: bool) -> str:
        return f"ldaps://{self.host}:{self.tls_port}" if tls else f"ldap://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an order. `cpu` is this process's, `p50` and `p99` are of one operation; all in seconds.

    `memory` is what the process has in use, in bytes.
    """

    operations: int
    seconds: float
    cpu: float
    p50: float
    p99: float
    memory: int


class WrongAnswerError(Exception):
    """An operation returned something else than was asked for."""


class Client(Protocol):
    """What is measured: the work that it can do, by name."""

    @property
    def works(self) -> Mapping[str, Work]: ...

    def close(self) -> None: ...


def expect(entries: int, found: str | bytes | None, name: str) -> None:
    """Complain unless there was one entry, and it has the mail address of `name`."""
    wanted: str | bytes = mail(name).encode() if isinstance(found, bytes) else mail(name)
    if entries != 1 or found != wanted:
        raise WrongAnswerError(f"{entries} entries, mail {found!r}; expected one with {wanted!r}")


def in_sequence(operation: Callable[[str], object]) -> Work:
    """One operation after another."""

    def work(names: Iterator[str], times: list[float]) -> None:
        clock = time.perf_counter
        for name in names:
            began = clock()
            operation(name)
            times.append(clock() - began)

    return work


def in_threads(operations: Sequence[Callable[[str], object]]) -> Work:
    """A thread for each of the operations, which do the same over connections of their own."""

    def work(names: Iterator[str], times: list[float]) -> None:
        with ThreadPoolExecutor(len(operations)) as pool:
            started = [pool.submit(in_sequence(operation), names, times) for operation in operations]
        for each in started:
            each.result()

    return work


def in_callers(
    runner: asyncio.Runner, operation: Callable[[str], Awaitable[object]], callers: int = CALLERS
) -> Work:
    """So many tasks, each of which awaits one operation after another."""

    async def caller(names: Iterator[str], times: list[float]) -> None:
        clock = time.perf_counter
        for name in names:
            began = clock()
            await operation(name)
            times.append(clock() - began)

    async def work(names: Iterator[str], times: list[float]) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(callers):
                group.create_task(caller(names, times))

    return lambda names, times: runner.run(work(names, times))


def serve(connect: Callable[[Target], Client], *, processor: int | None = None) -> None:
    """Obey orders until the input ends: {"work": w, "seed": n} with "seconds" or "operations".

    The process keeps to one processor, the last one if none is given. Threads of one interpreter that meet at
    its lock across processors spend up to twice the CPU time, which would make the peer that uses threads
    look slower than it can be.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0)) if processor is None else processor})
    client = connect(Target(**json.loads(sys.argv[1])))
    try:
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            print(json.dumps(_obey(client, **json.loads(line))), flush=True)
    finally:
        client.close()


def _obey(
    client: Client, work: str, seed: int, seconds: float = 0.0, operations: int | None = None
) -> dict[str, float]:
    chosen = random.Random(seed)
    sample = cycle([uid(chosen.randrange(PEOPLE)) for _ in range(_SAMPLE)])
    times: list[float] = []
    do = client.works[work]
    gc.collect()
    clock = time.perf_counter
    cpu, began = time.process_time(), clock()
    end = began + seconds
    names = takewhile(lambda _: clock() < end, sample) if operations is None else islice(sample, operations)
    do(names, times)
    took, cpu = clock() - began, time.process_time() - cpu
    times.sort()
    p50, p99 = (times[len(times) * percent // 100] for percent in (50, 99))
    done = len(times)
    del times
    gc.collect()
    return {
        "operations": done,
        "seconds": took,
        "cpu": cpu,
        "p50": p50,
        "p99": p99,
        "memory": _resident(),
    }


def _resident() -> int:
    """Bytes of memory that this process has in use now."""
    with open("/proc/self/statm", encoding="ascii") as statm:  # noqa: PTH123 (measured, so as plain as can be)
        return int(statm.read().split()[1]) * resource.getpagesize()
