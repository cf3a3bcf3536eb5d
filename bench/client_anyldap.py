"""anyldap, in pure Python on AnyIO: python-ldap's interface, awaited, with searches pipelined by hand.

Pipelined it is a little faster than with many tasks that each await one search. It keeps one order: the next
answer that it returns is that of the oldest request.
"""

import asyncio
import importlib
import ssl
import time
from collections.abc import Iterator

from people import BASE
from worker import ATTRIBUTES, CALLERS, Target, expect, serve

ldap = importlib.import_module("anyldap.ldap")


class Anyldap:
    def __init__(self, target: Target) -> None:
        self._runner = asyncio.Runner()
        context = ssl.create_default_context(cafile=target.ca) if target.tls else None
        self._ldap = ldap.initialize(target.url, ssl_context=context)
        self._runner.run(self._ldap.simple_bind_s(target.user, target.password))
        self.works = {"search": lambda names, times: self._runner.run(self._searches(names, times))}

    async def _searches(self, names: Iterator[str], times: list[float]) -> None:
        clock = time.perf_counter
        waiting: dict[int, tuple[str, float]] = {}
        more = True
        while True:
            while more and len(waiting) < CALLERS:
                name = next(names, None)
                if name is None:
                    more = False
                    break
                began = clock()
                sent = await self._ldap.search_ext(BASE, ldap.SCOPE_SUBTREE, f"(uid={name})", ATTRIBUTES)
                waiting[sent] = name, began
            if not waiting:
                return
            _, found, answered, _ = await self._ldap.result3(ldap.RES_ANY, 1)
            name, began = waiting.pop(answered)
            expect(len(found), found[0][1]["mail"][0], name)
            times.append(clock() - began)

    def close(self) -> None:
        self._runner.run(self._ldap.unbind_s())
        self._runner.close()


if __name__ == "__main__":
    serve(Anyldap)
