"""Names and passwords that were right a moment ago, for programs that send them with each request (Basic).

What is kept is an HMAC of the pair under a key that lives as long as the process, so that its memory shows no
password. Only pairs that the directory accepted are kept, for SECONDS; what was refused is asked again.
"""

import asyncio
import hmac
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import final

from quintet.directory import VerifiedPerson

SECONDS = 60.0
MOST = 10_000


@final
class RememberedPairs:
    """The pairs. `clock` tells seconds that only go forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._known: dict[bytes, tuple[VerifiedPerson, float, object]] = {}
        self._asking: dict[tuple[bytes, str], asyncio.Future[VerifiedPerson]] = {}

    async def check(
        self,
        name: str,
        password: str,
        ask: Callable[[], Awaitable[VerifiedPerson]],
        *,
        network: str,
        settings: object,
    ) -> VerifiedPerson:
        """Who has this name and password, from memory or from `ask`, whose errors are raised.

        Requests at the same time, from one `network`, with one pair ask once. What was learned with other
        `settings` is forgotten.
        """
        key = self._key(name, password)
        known = self._known.get(key)
        if known is not None and known[1] > self._clock() and known[2] is settings:
            return known[0]
        asking = self._asking.get((key, network))
        if asking is None:
            asking = asyncio.ensure_future(self._ask(key, ask, settings))
            self._asking[key, network] = asking
            asking.add_done_callback(lambda ended: self._ended((key, network), ended))
        return await asyncio.shield(asking)

    def __len__(self) -> int:
        return len(self._known)

    async def _ask(
        self, key: bytes, ask: Callable[[], Awaitable[VerifiedPerson]], settings: object
    ) -> VerifiedPerson:
        self._known.pop(key, None)
        found = await ask()
        while len(self._known) >= MOST:
            del self._known[next(iter(self._known))]
        self._known[key] = (found, self._clock() + SECONDS, settings)
        return found

    def _ended(self, which: tuple[bytes, str], ended: asyncio.Future[VerifiedPerson]) -> None:
        self._asking.pop(which, None)
        if not ended.cancelled():
            ended.exception()  # those who waited for it may be gone

    def _key(self, name: str, password: str) -> bytes:
        first, second = (each.encode(errors="surrogateescape") for each in (name, password))
        return hmac.digest(self._secret, len(first).to_bytes(4, "big") + first + second, "sha256")
