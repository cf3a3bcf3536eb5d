"""How often one network or one account may ask.

Names of accounts are kept as hashes. Counters are of fixed size, whatever is sent.
"""

import hashlib
import ipaddress
from typing import final

from limits import RateLimitItem, parse
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

PER_PAIR = parse("10 per 5 minutes")
"""Attempts to sign in to one account from one network."""
PER_ACCOUNT = parse("100 per hour")
"""Attempts to sign in to one account: high, so that others can hardly lock its owner out."""
PER_NETWORK = parse("60 per 5 minutes")
"""Attempts to sign in from one network, whatever the account."""
PER_SESSION = parse("600 per minute")
"""Requests of one session to the API and the pages."""


@final
class RateLimits:
    """The counters. Each method counts the attempt, and returns whether it is within the limits."""

    def __init__(self) -> None:
        self._windows = SlidingWindowCounterRateLimiter(MemoryStorage())

    async def may_sign_in(self, name: str, address: Address | None) -> bool:
        account, network = _hashed(name), network_of(address)
        checks: tuple[tuple[RateLimitItem, tuple[str, ...]], ...] = (
            (PER_NETWORK, ("network", network)),
            (PER_PAIR, ("pair", account, network)),
            (PER_ACCOUNT, ("account", account)),
        )
        for item, key in checks:  # an attempt that an earlier limit refuses is not counted by later ones
            if not await self._windows.hit(item, *key):
                return False
        return True

    async def may_ask(self, session: str) -> bool:
        return await self._windows.hit(PER_SESSION, "session", session)


def network_of(address: Address | None) -> str:
    """The address; of IPv6 the /64, which one machine has as a whole."""
    if address is None:
        return "unknown"
    if address.version == 4:
        return str(address)
    return str(ipaddress.ip_network((address, 64), strict=False))


def _hashed(name: str) -> str:
    return hashlib.sha256(name.strip().casefold().encode(errors="replace")).hexdigest()[:32]
