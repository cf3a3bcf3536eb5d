"""A slow link to Redis: all that passes in either direction takes some time longer."""

import asyncio
import threading
from types import TracebackType
from typing import Self

from support.redis_server import RedisServer


class Delay:
    """A context manager with an event loop in a thread. `seconds`, for each direction, may be changed."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def before(self, redis: RedisServer) -> str:
        """The URL by which this Redis is reached slowly."""

        async def listen() -> int:
            server = await self._loop.create_server(lambda: _Near(self, redis), "127.0.0.1", 0)
            port: int = server.sockets[0].getsockname()[1]
            return port

        port = asyncio.run_coroutine_threadsafe(listen(), self._loop).result(10)
        return redis.url.replace(f":{redis.port}", f":{port}")

    def pass_on(self, transport: asyncio.WriteTransport, data: bytes) -> None:
        self._loop.call_later(self.seconds, transport.write, data)


class _Far(asyncio.Protocol):
    """The connection to Redis."""

    def __init__(self, delay: Delay, near: asyncio.Transport) -> None:
        self._delay = delay
        self._near = near

    def data_received(self, data: bytes) -> None:
        self._delay.pass_on(self._near, data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._near.close()


class _Near(asyncio.Protocol):
    """The connection of a node."""

    def __init__(self, delay: Delay, redis: RedisServer) -> None:
        self._delay = delay
        self._redis = redis

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.pause_reading()
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        self._far, _ = await loop.create_connection(
            lambda: _Far(self._delay, self._transport), self._redis.host, self._redis.port
        )
        self._transport.resume_reading()

    def data_received(self, data: bytes) -> None:
        self._delay.pass_on(self._far, data)

    def connection_lost(self, _error: Exception | None) -> None:
        self._far.close()
