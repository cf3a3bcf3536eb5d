"""The listeners of the HTTP front, as the settings say."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from quintet.web.app import make_app
from quintet.web.server import listening
from quintet.web.site import Site


@dataclass(frozen=True, slots=True)
class Listening:
    """The URLs that are served, None for what is switched off."""

    http: str | None
    metrics: str | None


@asynccontextmanager
async def serving(site: Site) -> AsyncIterator[Listening]:
    """Serve while the context is open. Raises PortError."""
    web = site.web
    async with AsyncExitStack() as stack:
        http: str | None = None
        if web.port:
            port = await stack.enter_async_context(
                listening(make_app(site), web.address, web.port, "QUINTET_HTTP_PORT")
            )
            http = web.public_url or f"http://{_host(web.address)}:{port}"
        yield Listening(http, None)


def _host(address: str) -> str:
    if address in ("0.0.0.0", "::"):  # noqa: S104  # every address: the one that always works
        return "localhost"
    return f"[{address}]" if ":" in address else address
