"""bonsai on asyncio. One search at a time: its connection hangs when two coroutines search at once."""

import asyncio
import importlib
from typing import Any

from people import BASE
from worker import ATTRIBUTES, Target, expect, in_callers, serve

bonsai = importlib.import_module("bonsai")


class Bonsai:
    def __init__(self, target: Target) -> None:
        self._runner = asyncio.Runner()
        client = bonsai.LDAPClient(target.url)
        client.set_credentials("SIMPLE", user=target.user, password=target.password)
        if target.tls:
            client.set_ca_cert(target.ca)
            client.set_cert_policy("demand")
        self._connection = self._runner.run(_connect(client))
        self.works = {"search": in_callers(self._runner, self._search, callers=1)}

    async def _search(self, name: str) -> None:
        found = await self._connection.search(
            BASE, bonsai.LDAPSearchScope.SUBTREE, f"(uid={name})", ATTRIBUTES
        )
        expect(len(found), found[0]["mail"][0], name)

    def close(self) -> None:
        self._connection.close()
        self._runner.close()


async def _connect(client: Any) -> Any:
    return await client.connect(is_async=True)


if __name__ == "__main__":
    serve(Bonsai)
