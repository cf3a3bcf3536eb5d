"""The listeners of the HTTP front, as the settings say: the interface of the package for who starts it."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import cast

from starlette.types import ASGIApp

from quintet.config import WebSettings
from quintet.tls import RenewableContext
from quintet.web.app import make_app
from quintet.web.bearer import Tokens
from quintet.web.monitoring import METHODS, Metrics, Phase, make_monitoring_app, route_of
from quintet.web.presence import Availability, PresenceState, PresenceView
from quintet.web.security import is_trusted_proxy
from quintet.web.server import Listener, listening
from quintet.web.sessions import (
    IDLE,
    LONGEST,
    MOST,
    MOST_PER_PERSON,
    RECHECK,
    Sessions,
    SessionStore,
    SessionsUnavailableError,
    WebSession,
    hashed,
    new_session,
)
from quintet.web.site import Site

__all__ = [
    "IDLE",
    "LONGEST",
    "METHODS",
    "MOST",
    "MOST_PER_PERSON",
    "RECHECK",
    "Availability",
    "Listening",
    "Metrics",
    "Phase",
    "PresenceState",
    "PresenceView",
    "SessionStore",
    "Sessions",
    "SessionsUnavailableError",
    "Site",
    "Tokens",
    "WebSession",
    "hashed",
    "new_session",
    "route_of",
    "serving",
]


Around = Callable[[ASGIApp], ASGIApp]


@dataclass(frozen=True, slots=True)
class Listening:
    """The URLs that are served, None for what is switched off."""

    http: str | None
    metrics: str | None
    tls: RenewableContext | None = None
    listener: Listener | None = None

    def renew(self, settings: WebSettings) -> None:
        """Show new connections the key of these settings. Raises `StoreError`, `TlsSettingsError`."""
        if self.tls is not None and settings.tls is not None:
            self.tls.renew(settings.tls)

    async def drain(self, seconds: Callable[[int], float]) -> None:
        """Close the HTTP port, and its connections over so many seconds. Health checks are still answered."""
        if self.listener is not None:
            await self.listener.drain(seconds)


@asynccontextmanager
async def serving(site: Site, metrics: Metrics, *around: Around) -> AsyncIterator[Listening]:
    """Serve while the context is open, with what stands `around` the application.

    Raises PortError; `StoreError` and `TlsSettingsError` for HTTPS.

    Health checks answer from the beginning to the very end, and are red until the caller says otherwise in
    `metrics.phase`, and again as soon as the context ends.
    """
    web = site.web
    async with AsyncExitStack() as stack:
        http = health = tls = listener = None
        if web.metrics_port:
            app = make_monitoring_app(metrics, lambda: site.web.ready_needs)
            key = "QUINTET_METRICS_PORT"
            checks = await stack.enter_async_context(
                listening(app, web.metrics_address, web.metrics_port, key)
            )
            health = f"http://{_host(web.metrics_address)}:{checks.port}"
        if web.port:
            guard = make_app(site)
            if web.tls is not None:
                tls = await asyncio.to_thread(RenewableContext, web.tls)
            listener = await stack.enter_async_context(
                listening(
                    functools.reduce(lambda app, each: each(app), around, cast("ASGIApp", guard)),
                    web.address,
                    web.port,
                    "QUINTET_HTTP_PORT",
                    tls and tls.context,
                    lambda address: is_trusted_proxy(address, site.web),
                    None if around else guard.answer,
                )
            )
            http = web.public_url or f"{'https' if tls else 'http'}://{_host(web.address)}:{listener.port}"
        try:
            yield Listening(http, health, tls, listener)
        finally:
            metrics.is_stopping()
            site.streams.close()
            if site.tokens is not None:
                await site.tokens.close()


def _host(address: str) -> str:
    if address in ("0.0.0.0", "::"):  # noqa: S104  # every address: the one that always works
        return "localhost"
    return f"[{address}]" if ":" in address else address
