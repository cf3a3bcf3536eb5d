"""What a command is waiting for, on standard error while it waits, where that is a terminal."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any, TypeVar

from quintet.cli.show import err, printable
from quintet.directory import ConnectionState, ConnectionStatus

_T = TypeVar("_T")
_EVERY = 0.25


async def waiting_for_connections(
    work: Coroutine[Any, Any, _T], status: Callable[[], Iterable[ConnectionStatus]]
) -> _T:
    """The result of `work`; until then, the connections of `status` that are not open yet are shown."""
    return await waiting_for(work, lambda: _not_open(status()), "the connections")


async def waiting_for(work: Coroutine[Any, Any, _T], what: Callable[[], str], usual: str) -> _T:
    """The result of `work`; until then, `what` tells what is waited for; `usual` stands where it is empty."""
    console = err()
    if not console.is_terminal:
        return await work
    began = time.monotonic()
    working = asyncio.ensure_future(work)
    try:
        with console.status(f"waiting for {usual}") as shown:
            while not working.done():
                with suppress(TimeoutError):
                    async with asyncio.timeout(_EVERY):
                        await asyncio.wait((working,))
                seconds = time.monotonic() - began
                shown.update(printable(f"waiting for {what() or usual}, {seconds:.0f} s"))
        return await working
    finally:
        working.cancel()


def _not_open(found: Iterable[ConnectionStatus]) -> str:
    """For example: ldap.example.com:636 (resolve-names, browse)."""
    tasks: dict[str, list[str]] = {}
    for each in found:
        if each.state is not ConnectionState.CONNECTED and each.error is None:
            tasks.setdefault(each.address, []).append(each.service.value)
    return "; ".join(f"{address} ({', '.join(dict.fromkeys(names))})" for address, names in tasks.items())
