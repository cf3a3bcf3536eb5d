"""`quintet connections --watch`: a table that follows the connections of the running server."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, nullcontext, suppress
from pathlib import Path
from typing import final

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from quintet.cards.cards import Cards
from quintet.cli.show import encryption, out, printable, table, text
from quintet.config import Settings
from quintet.directory.directory import Directory
from quintet.directory.records import ConnectionStatus
from quintet.runtime.status_socket import Running, ask

_EVERY = 1.0


async def watch_connections(
    folder: Path, environ: Mapping[str, str], settings: Callable[[], Settings]
) -> None:
    """Show the connections of the server that runs on `folder` until Ctrl-C.

    Where none runs, or none that may be asked, connections of our own are opened, and that is said.
    Raises what `settings` and `Directory.open` raise.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGINT, stop.set)
    try:
        async with AsyncExitStack() as stack:
            ours = _Ours(folder, settings, stack)
            await _follow(folder, environ, ours, stop)
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@final
class _Ours:
    """Connections of this command, opened when they are first asked for."""

    def __init__(self, folder: Path, settings: Callable[[], Settings], stack: AsyncExitStack) -> None:
        self._folder = folder
        self._settings = settings
        self._stack = stack
        self._opened: tuple[Directory, Cards | None] | None = None

    async def running(self) -> Running:
        if self._opened is None:
            settings = self._settings()
            directory = await self._stack.enter_async_context(Directory(settings))
            cards = await self._stack.enter_async_context(Cards(settings.cards)) if settings.cards else None
            self._opened = directory, cards
        directory, cards = self._opened
        found = await directory.connect_all()
        if cards is not None:
            found += await cards.connect_all()
        return Running(os.getpid(), str(self._folder), directory.protection.name.lower(), found)


async def _follow(folder: Path, environ: Mapping[str, str], ours: _Ours, stop: asyncio.Event) -> None:
    console = out()
    live = Live(console=console, auto_refresh=False) if console.is_terminal else None
    shown: object = None
    with live or nullcontext():
        while not stop.is_set():
            found, origin = await _look(folder, environ, ours)
            if live is not None:
                live.update(_picture(found, origin), refresh=True)
            elif (found, origin) != shown:
                console.print(_picture(found, origin))
            shown = found, origin
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await stop.wait()


async def _look(folder: Path, environ: Mapping[str, str], ours: _Ours) -> tuple[Running, str]:
    try:
        found = await ask(folder, environ)
    except OSError as error:
        why = f"The running server cannot be asked ({error.strerror or error})"
    else:
        if found is not None:
            return found, f"The running server, process {found.pid}"
        why = "No server runs on this folder"
    return await ours.running(), f"{why}: these are connections of this command's own"


def _picture(found: Running, origin: str) -> RenderableType:
    made = table("connection", "address", "encryption", "state", "done", "now", "again")
    for each in found.connections:
        made.add_row(
            text(each.task),
            text(each.address),
            encryption(each),
            text(each.state.value),
            text(each.operations),
            text(each.in_flight),
            text(each.reconnects),
        )
    head = Text.assemble(printable(origin), "\nProtection: ", (printable(found.protection), "bold"))
    return Group(head, made, *_errors(found.connections))


def _errors(found: Iterable[ConnectionStatus]) -> list[Text]:
    return [
        Text.assemble((f"{printable(each)}", style))
        for each, style in dict.fromkeys(
            (words, style)
            for status in found
            for words, style in ((status.error, "bold red"), (status.remark, "yellow"))
            if words is not None
        )
    ]
