"""Directories over servers in memory, and over servers that answer by a script."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from quintet.directory.directory import Directory
from quintet.directory.events import Trace
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.messages import SearchRequest
from support.directories import server_settings, settings
from support.scripted import Script, scripted


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


@pytest.fixture
def against(stack: AsyncExitStack) -> Callable[..., Awaitable[tuple[Directory, list[SearchRequest]]]]:
    """Opens directories whose server answers by a script, and gives what it is asked."""

    async def start(
        script: Script, *, server: dict[str, Any] | None = None, trace: Trace | None = None, **options: Any
    ) -> tuple[Directory, list[SearchRequest]]:
        port, asked = await stack.enter_async_context(scripted(script))
        made = settings([server_settings(port, **(server or {}))], **options)
        return await stack.enter_async_context(Directory(made, trace=trace)), asked

    return start
