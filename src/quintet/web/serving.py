"""The listeners of the HTTP front, as the settings say: the interface of the package for who starts it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from quintet.web.app import make_app
from quintet.web.monitoring import Metrics, Phase, make_monitoring_app
from quintet.web.server import listening
from quintet.web.sessions import Sessions
from quintet.web.site import Site

__all__ = ["Listening", "Metrics", "Phase", "Sessions", "Site", "serving"]


@dataclass(frozen=True, slots=True)
class Listening:
    """The URLs that are served, None for what is switched off."""

    http: str | None
    metrics: str | None


@asynccontextmanager
async def serving(site: Site, metrics: Metrics) -> AsyncIterator[Listening]:
    """Serve while the context is open. Raises PortError.

    Health checks answer from the beginning to the very end, and are red until the caller says otherwise in
    `metrics.phase`, and again as soon as the context ends.
    """
    web = site.web
    async with AsyncExitStack() as stack:
        http = health = None
        if web.metrics_port:
            app = make_monitoring_app(metrics, lambda: site.web.ready_needs)
            key = "QUINTET_METRICS_PORT"
            port = await stack.enter_async_context(listening(app, web.metrics_address, web.metrics_port, key))
            health = f"http://{_host(web.metrics_address)}:{port}"
        if web.port:
            port = await stack.enter_async_context(
                listening(make_app(site), web.address, web.port, "QUINTET_HTTP_PORT")
            )
            http = web.public_url or f"http://{_host(web.address)}:{port}"
        try:
            yield Listening(http, health)
        finally:
            metrics.phase = Phase.DRAINING


def _host(address: str) -> str:
    if address in ("0.0.0.0", "::"):  # noqa: S104  # every address: the one that always works
        return "localhost"
    return f"[{address}]" if ":" in address else address
