"""bonsai on asyncio. One search at a time: its connection hangs when two coroutines search at once."""

import asyncio
import importlib
from collections.abc import Callable, Iterator
from typing import Any

from worker import ATTRIBUTES, BASE, Target, expect, serve

bonsai = importlib.import_module("bonsai")


class Bonsai:
    def __init__(self, target: Target) -> None:
        self._loop = asyncio.new_event_loop()
        client = bonsai.LDAPClient(target.url)
        client.set_credentials("SIMPLE", user=target.user, password=target.password)
        if target.tls:
            client.set_ca_cert(target.ca)
            client.set_cert_policy("demand")
        self._connection = self._loop.run_until_complete(_connect(client))

    def search_until(self, people: Iterator[str], more: Callable[[], bool]) -> int:
        return self._loop.run_until_complete(self._search(people, more))

    async def _search(self, people: Iterator[str], more: Callable[[], bool]) -> int:
        done = 0
        while more():
            name = next(people)
            found = await self._connection.search(
                BASE, bonsai.LDAPSearchScope.SUBTREE, f"(uid={name})", ATTRIBUTES
            )
            expect(len(found), found[0]["mail"][0], name)
            done += 1
        return done

    def close(self) -> None:
        self._connection.close()
        self._loop.close()


async def _connect(client: Any) -> Any:
    return await client.connect(is_async=True)


if __name__ == "__main__":
    serve(Bonsai)
