"""Programs that show a bearer token (RFC 6750) in place of a session's cookie.

Browsers send no such header by themselves, so no other site can make them use one.
"""

import asyncio
from typing import final

from starlette.requests import HTTPConnection

from quintet.storage import BearerToken, DatabaseAddress, TokenStore


@final
class Tokens:
    """The tokens of a community, in the database at `address`, which is opened by the first use.

    Requests that come while it is being opened wait for the same attempt, and share its failure.
    """

    def __init__(self, address: DatabaseAddress) -> None:
        self._address = address
        self._opening: asyncio.Task[TokenStore] | None = None

    async def find(self, text: str) -> BearerToken | None:
        """The token with this text, if it is valid. Raises StorageError."""
        opening = self._opening
        if opening is None or (opening.done() and (opening.cancelled() or opening.exception())):
            opening = self._opening = asyncio.create_task(TokenStore.open(self._address))
        return await (await asyncio.shield(opening)).find(text)

    async def close(self) -> None:
        if self._opening is not None:
            self._opening.cancel()
            (opened,) = await asyncio.gather(self._opening, return_exceptions=True)
            if isinstance(opened, TokenStore):
                await opened.close()


def shown_token(request: HTTPConnection) -> str | None:
    """The text that a request shows as a bearer token; None for a request without one."""
    headers = request.headers.getlist("authorization")
    scheme, _, text = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
    return text.strip() if scheme.casefold() == "bearer" else None
