"""Directories over servers in memory."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from quintet.directory.directory import Directory
from quintet.embedded.server import EmbeddedServer
from support.directories import server_settings, settings


@pytest.fixture
def directory_of(stack: AsyncExitStack) -> Callable[..., Awaitable[Directory]]:
    """Opens directories over servers, in the order in which they are given."""

    async def start(
        *servers: EmbeddedServer | int, server: dict[str, Any] | None = None, **options: Any
    ) -> Directory:
        trace = options.pop("trace", None)
        ports = [each if isinstance(each, int) else each.port for each in servers]
        made = [server_settings(port, order=nth, **(server or {})) for nth, port in enumerate(ports, 1)]
        return await stack.enter_async_context(Directory(settings(made, **options), trace=trace))

    return start
