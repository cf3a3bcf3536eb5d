"""How often one session may ask."""

from typing import final

from limits import parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

PER_SESSION = parse("600 per minute")
"""Requests of one session to the API and the pages."""


@final
class Limits:
    """The counters. Their size is fixed, whatever is sent."""

    def __init__(self) -> None:
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def may_ask(self, session: str) -> bool:
        """Count a request of this session, and say whether it is within the limit."""
        return await self._windows.hit(PER_SESSION, "session", session)
