"""The load generator: one process, any number of clients. Takes orders on standard input, answers in JSON.

load.py sametime|xmpp

An order is {"work": ...} and what that work needs; the clients that signed in stay until "leave". Each client
waits for each answer before it goes on, and each is another user.
"""

import asyncio
import gc
import importlib
import importlib.util
import json
import resource
import ssl
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from load_sametime import SametimeSession
from load_xmpp import XmppSession

from quintet.sametime.credentials import AuthType

Session = SametimeSession | XmppSession
Answer = dict[str, Any]

_SLICE = 100


class Load:
    """The clients of one server."""

    def __init__(self, protocol: str) -> None:
        self._protocol = protocol
        self._sessions: dict[int, Session] = {}
        self._context: ssl.SSLContext | None = None
        self._port = 0
        self._auth_type: AuthType | None = None

    async def obey(self, order: dict[str, Any]) -> Answer:
        works: dict[str, Callable[..., Awaitable[Answer]]] = {
            "target": self._target,
            "sign in": self._sign_in,
            "storm": self._storm,
            "messages": self._messages,
            "presence": self._presence,
            "age": self._age,
            "watch": self._watch,
            "leave": self._leave,
        }
        work = works[order.pop("work")]
        gc.collect()
        gc.freeze()
        cpu = time.process_time()
        answer = await work(**order)
        return answer | {"cpu": time.process_time() - cpu}

    async def _target(self, port: int, ca: str | None, password_in_clear: bool) -> Answer:
        """Where clients go from now on; without `ca`, without TLS."""
        self._port = port
        self._context = ssl.create_default_context(cafile=ca) if ca else None
        self._auth_type = AuthType.PLAIN if password_in_clear else None
        return {}

    async def _sign_in(self, users: Sequence[int], callers: int, watched: Sequence[Sequence[int]]) -> Answer:
        """Sign these users in, and let them watch others. Only the first part is timed."""

        async def operation(number: int) -> None:
            await self._add(number).sign_in()

        answer = await _timed(users, callers, operation)
        if watched:

            async def watch(at: int) -> None:
                await self._sessions[users[at]].greet(watched[at])

            await _timed(range(len(users)), callers, watch)
        return answer

    async def _storm(self, users: Sequence[int], callers: int) -> Answer:
        resolved = 0

        async def operation(number: int) -> None:
            nonlocal resolved
            session = self._add(number)
            assert isinstance(session, SametimeSession)
            resolved += await session.storm()

        return await _timed(users, callers, operation) | {"resolved": resolved}

    async def _messages(self, pairs: Sequence[Sequence[int]], seconds: float, in_a_turn: int) -> Answer:
        """In each pair the first user talks to the second: so many messages at once, then waits for all."""
        talks: list[tuple[Any, Any]] = [(self._sessions[one], self._sessions[other]) for one, other in pairs]
        for one, other in talks:
            await one.open_talk(other)
        clock = time.perf_counter
        began = clock()
        end = began + seconds
        times: list[float] = []
        sent = 0

        async def talk(one: Any, other: Any) -> None:
            nonlocal sent
            expected = 0
            while (before := clock()) < end:
                one.say(in_a_turn)
                sent += in_a_turn
                expected += in_a_turn
                await other.until_received(expected)
                times.append(clock() - before)

        async with asyncio.TaskGroup() as group:
            for each in talks:
                group.create_task(talk(*each))
        took = clock() - began
        received = sum(other.received for _, other in talks)
        return _answer(received, took, times) | {"sent": sent}

    async def _presence(self, changers: Sequence[int], watchers: Sequence[int], changes: int) -> Answer:
        """These users change the status, one after the other: until the last watcher has it."""
        sources: list[Any] = [self._sessions[each] for each in changers]
        seen: list[Any] = [self._sessions[each] for each in watchers]
        for each in seen:
            each.watch_updates()
        times: list[float] = []
        clock = time.perf_counter
        began = clock()
        for nth in range(1, changes + 1):
            before = clock()
            sources[nth % len(sources)].change_status(nth // len(sources))
            for each in seen:
                await each.until_received(nth)
            times.append(clock() - before)
        return _answer(changes, clock() - began, times)

    async def _age(self, users: Sequence[int], nth: int, updates: int) -> Answer:
        """Every user changes the status. Each gets so many updates of others, and the own one.

        The next slice of users waits for the middle of the last one.
        """
        updates += 1
        sessions: list[Any] = [self._sessions[each] for each in users]
        for each in sessions:
            each.watch_updates()
        clock = time.perf_counter
        began = clock()
        times: list[float] = []
        for at in range(0, len(sessions), _SLICE):
            before = clock()
            some = sessions[at : at + _SLICE]
            for each in some:
                each.change_status(nth)
            await some[len(some) // 2].until_received(updates)
            times.append(clock() - before)
        for each in sessions:
            await each.until_received(updates)
        return _answer(sum(each.received for each in sessions), clock() - began, times)

    async def _watch(self, users: Sequence[int], watched: Sequence[int]) -> Answer:
        """Let these users watch others. They take notice of messages again."""
        for each in users:
            session: Any = self._sessions[each]
            session.listen()
            await session.greet(watched)
        return {}

    async def _leave(self) -> Answer:
        for each in self._sessions.values():
            each.close()
        self._sessions.clear()
        await asyncio.sleep(0)
        return {}

    def _add(self, number: int) -> Session:
        session: Session
        if self._protocol == "xmpp":
            session = XmppSession(number, self._context, self._port)
        else:
            session = SametimeSession(number, self._context, self._port, auth_type=self._auth_type)
        self._sessions[number] = session
        return session


async def _timed(numbers: Iterable[int], callers: int, operation: Callable[[int], Awaitable[None]]) -> Answer:
    """So many callers do this, one after another, for all the numbers."""
    times: list[float] = []
    clock = time.perf_counter
    left = iter(numbers)

    async def caller() -> None:
        for number in left:
            before = clock()
            await operation(number)
            times.append(clock() - before)

    began = clock()
    async with asyncio.TaskGroup() as group:
        for _ in range(callers):
            group.create_task(caller())
    return _answer(len(times), clock() - began, times)


def _answer(operations: int, seconds: float, times: list[float]) -> Answer:
    times.sort()
    p50, p99 = (times[len(times) * percent // 100] for percent in (50, 99))
    return {"operations": operations, "seconds": seconds, "p50": p50, "p99": p99}


async def _serve(protocol: str) -> None:
    load = Load(protocol)
    reader = asyncio.StreamReader(limit=16 * 1024 * 1024)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print(json.dumps({"ready": True}), flush=True)
    while line := await reader.readline():
        print(json.dumps(await load.obey(json.loads(line))), flush=True)


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    found = importlib.util.find_spec("uvloop")
    factory = importlib.import_module("uvloop").new_event_loop if found else None
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(sys.argv[1]))


if __name__ == "__main__":
    main()
