"""A listener of a `Valkey` that remembers what it heard, and can be waited for."""

import asyncio
from collections.abc import Callable


class HeardEvents:
    """Implements `ValkeyEvents`. `what` has the events without their times, in their order."""

    def __init__(self) -> None:
        self.what: list[tuple[object, ...]] = []
        self.ticks = 0
        self.on_connected: Callable[[], None] = lambda: None
        self._heard = asyncio.Event()

    def connected(self, server: str, now: float) -> None:
        self._add("connected", server)
        self.on_connected()

    def disconnected(self, now: float) -> None:
        self._add("disconnected")

    def confirmed(self, channel: str, now: float) -> None:
        self._add("confirmed", channel)

    def published(self, channel: str, data: bytes, now: float) -> None:
        self._add("published", channel, data)

    def entry(self, stream: str, entry_id: str, data: bytes, now: float) -> None:
        self._add("entry", stream, data)

    def tick(self, now: float) -> None:
        self.ticks += 1
        self._heard.set()

    def names(self) -> list[object]:
        return [each[0] for each in self.what]

    async def until(self, condition: Callable[[], object], seconds: float = 10.0) -> None:
        """Wait until the condition holds after something was heard; what never comes fails the test."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._heard.clear()
                await self._heard.wait()

    async def heard(self, *event: object, seconds: float = 10.0) -> None:
        """Wait until this event was heard."""
        await self.until(lambda: event in self.what, seconds)

    def _add(self, *event: object) -> None:
        self.what.append(event)
        self._heard.set()
