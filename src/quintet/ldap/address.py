"""From a name to a connected socket: the addresses of the name are tried in turn, and soon side by side."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Iterable
from typing import Any

NEXT_ADDRESS = 0.25
"""Seconds after which the next address is tried beside one that does not answer (RFC 8305 section 5)."""

_Info = tuple[int, int, int, str, Any]


async def dial(host: str, port: int) -> socket.socket:
    """A socket that is connected to the first address that answers.

    Raises OSError, that of the first address when none answers, and UnicodeError for a name that is none.
    """
    loop = asyncio.get_running_loop()
    left = deque(await _addresses(loop, host, port))
    attempts: set[asyncio.Task[socket.socket]] = set()
    failure: BaseException | None = None
    try:
        while left or attempts:
            if left:
                attempts.add(loop.create_task(_connected(loop, left.popleft())))
            patience = NEXT_ADDRESS if left else None
            done, _ = await asyncio.wait(attempts, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                attempts.remove(attempt)
                if (error := attempt.exception()) is None:
                    return attempt.result()
                failure = failure or error
    finally:
        await _give_up(attempts)
    raise failure or OSError(f"{host} has no address")


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> Iterable[_Info]:
    try:  # an address in digits needs no name server, and no thread to wait for one
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)


async def _connected(loop: asyncio.AbstractEventLoop, info: _Info) -> socket.socket:
    family, kind, protocol, _, address = info
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        await loop.sock_connect(made, address)
    except OSError as error:  # asyncio's words for it are about calls
        made.close()
        raise OSError(error.errno, os.strerror(error.errno or 0)) from error
    except BaseException:
        made.close()
        raise
    return made


async def _give_up(attempts: Iterable[asyncio.Task[socket.socket]]) -> None:
    for attempt in attempts:
        attempt.cancel()
    for outcome in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()
