"""Quintet's own connection: plain awaits, from as many tasks as may be in flight."""

import asyncio
import ssl
from collections.abc import Callable, Iterator

from worker import ATTRIBUTES, BASE, IN_FLIGHT, Target, expect, serve

from quintet.ldap.connection import Address, Connection, connect
from quintet.ldap.filters import Template

_SUBTREE = 2


class Quintet:
    def __init__(self, target: Target) -> None:
        self._loop = asyncio.new_event_loop()
        self._filter = Template("(uid=%s)")
        self._connection = self._loop.run_until_complete(_connect(target))

    def search_until(self, people: Iterator[str], more: Callable[[], bool]) -> int:
        return self._loop.run_until_complete(self._search(people, more))

    async def _search(self, people: Iterator[str], more: Callable[[], bool]) -> int:
        done = 0

        async def one_after_another() -> None:
            nonlocal done
            while more():
                name = next(people)
                found = await self._connection.search(BASE, _SUBTREE, self._filter.encode(name), ATTRIBUTES)
                expect(len(found.entries), found.entries[0].attributes["mail"][0], name)
                done += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(IN_FLIGHT):
                group.create_task(one_after_another())
        return done

    def close(self) -> None:
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()


async def _connect(target: Target) -> Connection:
    context = ssl.create_default_context(cafile=target.ca) if target.tls else None
    address = Address(target.host, target.tls_port if target.tls else target.port)
    connection = await connect(address, tls=context)
    await connection.bind(target.user, target.password)
    return connection


if __name__ == "__main__":
    serve(Quintet)
