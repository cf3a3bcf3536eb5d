"""`quintet connections --watch`: a live table of the running server's connections."""

import asyncio
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from contextlib import AsyncExitStack, nullcontext, suppress
from pathlib import Path
from typing import final

from rich import box
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from quintet.cards import Cards
from quintet.cli.show import encryption, out, print_line, print_table, printable, text
from quintet.config import Settings
from quintet.directory import ConnectionStatus, Directory
from quintet.runtime import Running, read_status

_EVERY = 1.0


async def watch_connections(
    folder: Path, environ: Mapping[str, str], settings: Callable[[], Settings]
) -> None:
    """Show the connections of the server that runs on `folder` until Ctrl-C.

    If no server runs, or it may not be asked, this command opens its own connections and says so.
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
            cards = await self._stack.enter_async_context(Cards(settings)) if settings.cards else None
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
                _print(found, origin)
            shown = found, origin
            with suppress(TimeoutError):
                async with asyncio.timeout(_EVERY):
                    await stop.wait()


async def _look(folder: Path, environ: Mapping[str, str], ours: _Ours) -> tuple[Running, str]:
    try:
        found = await read_status(folder, environ)
    except OSError as error:
        why = f"The running server can't be asked ({error.strerror or error})"
    else:
        if found is not None:
            return found, f"Running server, process {found.pid}"
        why = "No server is running with this folder"
    return await ours.running(), f"{why}: these are this command's own connections"


_HEADINGS = ("connection", "address", "encryption", "state", "completed", "in flight", "reconnects")


def _row(each: ConnectionStatus) -> tuple[Text, ...]:
    values = (each.state.value, each.operations, each.in_flight, each.reconnects)
    return text(each.service.value), text(each.address), encryption(each), *map(text, values)


def _head(found: Running, origin: str) -> Text:
    return Text.assemble(printable(origin), "\nProtection: ", (printable(found.protection), "bold"))


def _picture(found: Running, origin: str) -> RenderableType:
    """What fits the screen, as it is drawn anew each time."""
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in _HEADINGS:
        made.add_column(heading, overflow="fold", no_wrap=heading != "address")
    for each in found.connections:
        made.add_row(*_row(each))
    return Group(_head(found, origin), made, *_errors(found.connections))


def _print(found: Running, origin: str) -> None:
    print_line(_head(found, origin))
    print_table(_HEADINGS, map(_row, found.connections))
    for each in _errors(found.connections):
        print_line(each)


def _errors(found: Iterable[ConnectionStatus]) -> list[Text]:
    return [
        Text(printable(each), style)
        for each, style in dict.fromkeys(
            (words, style)
            for status in found
            for words, style in ((status.error, "bold red"), (status.note, "yellow"))
            if words is not None
        )
    ]
