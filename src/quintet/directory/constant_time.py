"""How long a refusal takes: as long for a name that nobody has as for a wrong password.

A server hashes nothing for an entry that does not exist, so its answer would come sooner, and tell.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import final

FIRST_REFUSALS = 0.3
"""Seconds for every refusal until somebody has signed in: until then nobody knows what a password costs."""

_REMEMBERED = 64


@final
class ConstantTimeRefusal:
    """What binds for real entries took lately. Times are of `now`, in seconds.

    A bind that succeeds hashes as well, so it will do as long as none was refused. That some may be delayed
    by the server makes refusals the better measure. Refusals alone are none: whoever repeats a name would
    see by the first sample whether it is somebody's.
    """

    def __init__(
        self,
        *,
        now: Callable[[], float] = time.perf_counter,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self.now = now
        self._sleep = sleep
        self._accepted: deque[float] = deque(maxlen=_REMEMBERED)
        self._refused: deque[float] = deque(maxlen=_REMEMBERED)

    def accepted(self, began: float) -> None:
        """Somebody's bind, which began then, has succeeded."""
        self._accepted.append(self.now() - began)

    async def refused(self, began: float) -> None:
        """Somebody's bind, which began then, was refused. Returns when the person may know."""
        self._refused.append(self.now() - began)
        if not self._accepted:
            await self._until(began + FIRST_REFUSALS)

    async def nobody(self, began: float) -> None:
        """A bind that began then was nobody's. Returns when one of somebody's might have been refused."""
        known = (self._refused or self._accepted) if self._accepted else (FIRST_REFUSALS,)
        await self._until(began + random.choice(known))  # noqa: S311 (one of many, not a secret)

    async def _until(self, moment: float) -> None:
        left = moment - self.now()
        if left > 0:
            await self._sleep(left)
