"""Where a server is, and from there to a connected socket.

The IP addresses of a host are tried in turn, and soon side by side (RFC 8305, "happy eyeballs").
"""

import asyncio
import os
import socket
import threading
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is. With TLS, its certificate is checked against `host`.

    Attributes:
        host: A host name or an IP address.
        port: The TCP port.
        path: The path of a Unix socket, in place of host and port; empty for TCP.
    """

    host: str
    port: int
    path: str = ""

    @staticmethod
    def unix(path: str) -> "Address":
        """The address of a Unix socket.

        Args:
            path: Where the socket is in the file system.

        Returns:
            The address.
        """
        return Address("", 0, path)

    def __str__(self) -> str:
        if self.path:
            return self.path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


NEXT_ADDRESS = 0.25
"""Seconds after which the next address is tried beside one that does not answer (RFC 8305 section 5)."""

_Info = tuple[int, int, int, str, Any]


async def dial(address: Address) -> socket.socket:
    """A socket that is connected to the first IP address that answers, or to the Unix socket.

    Raises OSError, that of the first IP address if none answers, and UnicodeError for what is not a host
    name.
    """
    loop = asyncio.get_running_loop()
    if address.path:
        return await _connected(loop, (socket.AF_UNIX, socket.SOCK_STREAM, 0, "", address.path))
    left = deque(await _addresses(address.host, address.port))
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
    raise failure or OSError(f"{address.host} has no IP address")


async def _addresses(host: str, port: int) -> Iterable[_Info]:
    try:  # an IP address needs no name server, and no thread to wait for one
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await look_up(host, port)


async def look_up(host: str, port: int | None) -> list[_Info]:
    """Ask the name service, in a thread that nothing waits for: the caller's time limit holds.

    An executor's threads would be waited for when the loop ends and again when the process does, and a name
    server that does not answer takes longer than any limit of ours. Raises OSError, and UnicodeError for what
    is not a host name.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[_Info]] = loop.create_future()

    def tell(found: list[Any] | Exception) -> None:
        if answer.done():
            return  # the caller was cancelled
        if isinstance(found, Exception):
            answer.set_exception(found)
        else:
            answer.set_result(found)

    def work() -> None:
        found: list[Any] | Exception
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as error:  # noqa: BLE001 (raised where it is awaited)
            found = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(tell, found)

    threading.Thread(target=work, name="look up a host", daemon=True).start()
    return await answer


async def _connected(loop: asyncio.AbstractEventLoop, info: _Info) -> socket.socket:
    family, kind, protocol, _, address = info
    made = socket.socket(family, kind, protocol)
    try:
        made.setblocking(False)
        await loop.sock_connect(made, address)
    except OSError as error:  # asyncio's message is about the call
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
