"""Programs that show a bearer token (RFC 6750) in place of a session's cookie.

Browsers send no such header by themselves, so no other site can make them use one.
"""

import asyncio
from typing import final

from starlette.requests import Request

from quintet.storage import BearerToken, DatabaseAddress, TokenStore


@final
class Tokens:
    """The tokens of a community, in the database at `address`, which is opened by the first use."""

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address
        self._store: TokenStore | None = None
        self._opening = asyncio.Lock()

    async def find(self, text: str) -> BearerToken | None:
        """The token with this text, if it is valid. Raises StorageError."""
        async with self._opening:
            if self._store is None:
                self._store = await TokenStore.open(self._address)
        return await self._store.find(text)

    async def close(self) -> None:
        if self._store is not None:
            await self._store.close()


def shown_token(request: Request) -> str | None:
    """The text that a request shows as a bearer token; None for a request without one."""
    headers = request.headers.getlist("authorization")
    scheme, _, text = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    return text.strip() if scheme.casefold() == "bearer" else None
