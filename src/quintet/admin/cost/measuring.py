"""The three levels, measured in turn against a live directory, at a limited rate.

The unit is a burst: `BURST` operations of one task at one level, `AT_ONCE` of them in flight. Its rate is
what the connection can do; the pauses between bursts keep the average below the rate that the administrator
allows. A round goes through all levels and tasks, and each round begins with another level, so that a busy
minute of the server affects all of them.
"""

import asyncio
import secrets
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import cycle

from quintet.admin.levels import at_level
from quintet.admin.sampling import Sample, sample
from quintet.config import Settings
from quintet.directory import (
    TASKS,
    AmbiguousNameError,
    Directory,
    DirectoryError,
    Mode,
    Protection,
    Service,
    SslContextCache,
    UnknownNameError,
    endpoints_of,
)
from quintet.ldap import LdapError, connect
from quintet.ldap.address import dial

BURST = 32
AT_ONCE = 8
LEVELS = (Protection.NONE, Protection.PASSWORDS, Protection.ALL)
_PEOPLE = 25
_HANDSHAKES = 7
_LEAST_ROUNDS = 3

Operation = Callable[[], Awaitable[object]]
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Burst:
    """Operations per second, the time of each operation (ms), and this side's CPU time per operation (ms)."""

    per_second: float
    times_ms: tuple[float, ...]
    cpu_ms: float


@dataclass(slots=True)
class LevelMeasurement:
    """What was measured at one level. `error` is why it was not, `skipped` why single tasks were not."""

    protection: Protection
    bursts: dict[Service, list[Burst]] = field(default_factory=dict)
    error: str | None = None
    skipped: dict[Service, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Measured:
    """Everything measured. `handshake_ms` is the median of what TLS adds to opening a connection."""

    levels: tuple[LevelMeasurement, ...]
    handshake_ms: float | None
    rounds: int
    operations: int
    seconds: float


async def measure(
    settings: Settings, *, seconds: float = 30.0, rate: float = 200.0, progress: Progress = lambda _: None
) -> Measured:
    """Measure for about `seconds`, with at most `rate` operations per second on average.

    At least three rounds are made, however short the time. Sign-ins are binds for an entry that does not
    exist, so no account counts a failure. A level whose connections can't be opened has an `error`.
    """
    started = time.perf_counter()
    async with AsyncExitStack() as stack:
        levels, open_levels = await _open(settings, stack)
        people = await _sample(open_levels)
        plan = [(level, _operations(directory, people)) for level, directory in open_levels]
        for level, operations in plan:
            level.skipped = {
                task: "no entry to measure it with was found" for task in TASKS if task not in operations
            }
        handshake = await _handshake(settings)
        for _, operations in plan:
            for operation in operations.values():
                await _burst(operation)  # warms connections and caches up; not counted
        rounds, made = 0, 0
        while plan and (rounds < _LEAST_ROUNDS or time.perf_counter() - started < seconds):
            for level, operations in plan[rounds % len(plan) :] + plan[: rounds % len(plan)]:
                for task, operation in operations.items():
                    burst = await _burst(operation)
                    level.bursts.setdefault(task, []).append(burst)
                    made += BURST
                    await asyncio.sleep(max(0.0, started + made / rate - time.perf_counter()))
                    progress(min(1.0, (time.perf_counter() - started) / seconds))
            rounds += 1
    return Measured(tuple(levels), handshake, rounds, made, time.perf_counter() - started)


async def _open(
    settings: Settings, stack: AsyncExitStack
) -> tuple[list[LevelMeasurement], list[tuple[LevelMeasurement, Directory]]]:
    levels, opened = [], []
    for protection in LEVELS:
        level = LevelMeasurement(protection)
        levels.append(level)
        try:
            directory = await stack.enter_async_context(Directory(at_level(settings, protection)))
        except DirectoryError as error:
            level.error = str(error)
            continue
        failed = [row.error for row in await directory.connect_all() if row.failed]
        if failed:
            level.error = failed[0]
        else:
            opened.append((level, directory))
    return levels, opened


async def _sample(levels: Sequence[tuple[LevelMeasurement, Directory]]) -> Sample:
    for _, directory in levels:
        with suppress(DirectoryError):
            return await sample(directory, people=_PEOPLE)
    return Sample()


def _operations(directory: Directory, found: Sample) -> dict[Service, Operation]:
    """The operation for each task. Each call is for another person, so that no cache answers them all."""
    password = secrets.token_urlsafe(12)
    operations: dict[Service, Operation] = {Service.AUTHENTICATE: lambda: directory.bind_unknown(password)}
    if found.people:
        logins = cycle(person.mail or person.name for person in found.people)
        names = cycle(person.name for person in found.people)

        async def resolve_login() -> None:
            with suppress(UnknownNameError, AmbiguousNameError):
                await directory.resolve_login(next(logins))

        operations[Service.RESOLVE_LOGIN] = resolve_login
        operations[Service.RESOLVE_NAMES] = lambda: directory.resolve(next(names), groups=False)
    if found.place is not None:
        operations[Service.BROWSE] = lambda: directory.browse(found.place, page_size=20)
    if found.group is not None:
        group = found.group.dn
        operations[Service.GROUP_CONTENT] = lambda: directory.members(group, limit=20)
    return operations


async def _burst(operation: Operation) -> Burst:
    times: list[float] = []
    left = iter(range(BURST))

    async def work() -> None:
        for _ in left:
            began = time.perf_counter()
            await operation()
            times.append((time.perf_counter() - began) * 1000)

    cpu, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as workers:
        for _ in range(AT_ONCE):
            workers.create_task(work())
    elapsed = time.perf_counter() - began
    return Burst(BURST / elapsed, tuple(times), (time.process_time() - cpu) * 1000 / BURST)


async def _handshake(settings: Settings) -> float | None:
    """The median of what TLS adds to opening a connection, in ms; None where there is no TLS."""
    endpoint = endpoints_of(at_level(settings, Protection.ALL))[Service.RESOLVE_NAMES, 0]
    plain: list[float] = []
    encrypted: list[float] = []
    try:
        context = await SslContextCache().of(endpoint)
        for _ in range(_HANDSHAKES):
            async with _timed(plain):
                _, writer = await asyncio.open_connection(sock=await dial(endpoint.address))
            writer.transport.abort()
            async with _timed(encrypted):
                connection = await connect(
                    endpoint.address, tls=context, start_tls=endpoint.mode is Mode.STARTTLS
                )
            await connection.close()
    except (DirectoryError, LdapError, OSError):
        return None
    return statistics.median(encrypted) - statistics.median(plain)


@asynccontextmanager
async def _timed(into: list[float]) -> AsyncIterator[None]:
    began = time.perf_counter()
    yield
    into.append((time.perf_counter() - began) * 1000)
