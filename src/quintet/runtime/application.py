"""A running server put together: started, kept, given new settings while it works, and stopped."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, final

from quintet.cards.cards import Cards
from quintet.config.load import load
from quintet.config.settings import CardSettings, Settings
from quintet.config.stash_migration import stash_passwords
from quintet.diagnostics import SettingsError
from quintet.directory.directory import Directory
from quintet.directory.endpoint import FileFingerprint, stamps
from quintet.directory.errors import UnencryptedBindError
from quintet.directory.records import ConnectionStatus, State
from quintet.runtime import systemd
from quintet.runtime.event_log import EventLogger
from quintet.runtime.pidfile import announced
from quintet.runtime.status_socket import Running, answering, places

T = TypeVar("T")

DRAIN = 10.0
"""Seconds that requests under way have when the server stops."""

KEEP_EVERY = 30.0
"""Seconds between two attempts to open what is not open."""

_FIRST_ATTEMPT = 10.0
_NO_CARDS = CardSettings(storages=(), sets={})


@final
class Server:
    """The directory and the cards of one settings folder, which are there while the context is open.

    Entering raises SettingsError and UnencryptedBindError. A directory that is down does not hinder.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, debug: bool = False) -> None:
        self.folder = folder.resolve()
        self.telling = EventLogger(debug=debug)
        self._environ = environ
        self._changing = asyncio.Lock()
        self.settings = load(self.folder, environ)
        self._stamps = _stamps(self.settings)
        self._take(self.settings)
        self.directory = Directory(self.settings, trace=self.telling)
        self.cards = Cards(self.settings.cards or _NO_CARDS, trace=self.telling)

    async def __aenter__(self) -> Self:
        try:
            await self.directory.open()
            await self.cards.open()
        except BaseException:
            await asyncio.gather(self.directory.close(), self.cards.close())
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(self.directory.drain(DRAIN), self.cards.drain(DRAIN))

    async def connect(self) -> tuple[ConnectionStatus, ...]:
        """Open what is not open, even what failed a moment ago."""
        told = await asyncio.gather(self.directory.connect_all(), self.cards.connect_all())
        return (*told[0], *told[1])

    async def reload(self) -> bool:
        """Read the files again, and work with what they say from now on; False when they do not do.

        Then everything stays as it was, and the log tells why. What a change does not touch goes on.
        """
        async with self._changing:
            try:
                settings = await asyncio.to_thread(load, self.folder, self._environ)
                found = _stamps(settings)
                if (settings, found) == (self.settings, self._stamps):
                    return True
                await self.directory.reload(settings)
            except SettingsError as error:
                self.telling.problems(error.problems)
                self.telling.old_settings_stay("the new ones are wrong")
                return False
            except (UnencryptedBindError, OSError) as error:
                self.telling.old_settings_stay(str(error))
                return False
            self.settings, self._stamps = settings, found
            self._take(settings)
            await self.cards.reload(settings.cards or _NO_CARDS)
            self.telling.log.info("new settings", protection=self.directory.protection.name.lower())
            return True

    def connections(self) -> tuple[ConnectionStatus, ...]:
        return (*self.directory.status(), *self.cards.status())

    def running(self) -> Running:
        """What is told to those who watch."""
        protection = self.directory.protection.name.lower()
        return Running(os.getpid(), str(self.folder), protection, self.connections())

    def summary(self) -> str:
        """The state in a few words."""
        found = self.connections()
        working = sum(each.state is State.CONNECTED for each in found)
        return f"protection {self.directory.protection.name.lower()}, {working} of {len(found)} connections"

    def _take(self, settings: Settings) -> None:
        self.telling.traces = settings.traces
        self.telling.problems(settings.problems)


def _stamps(settings: Settings) -> tuple[FileFingerprint, ...]:
    """What the store files are now: another certificate in them is a change, too."""
    storages = settings.cards.storages if settings.cards else ()
    return tuple(each for tls in (settings.tls, *(s.tls for s in storages)) for each in stamps(tls))


# The process around it.


async def serve(folder: Path, environ: Mapping[str, str], *, debug: bool = False) -> None:
    """Serve until SIGTERM or SIGINT comes. SIGHUP reads the settings again, and so does time.

    `debug` logs every operation. Raises AlreadyRunningError, SettingsError, UnencryptedBindError.
    """
    stop, again = asyncio.Event(), asyncio.Event()
    telling = EventLogger()
    with (
        _signals({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: again}),
        ExitStack() as announcing,
    ):
        try:
            announcing.enter_context(announced(folder))
        except OSError as error:
            telling.log.warning("other commands cannot find this server", why=str(error))
        telling.problems(stash_passwords(folder, environ))
        async with AsyncExitStack() as stack:
            server = await _unless(stop, stack.enter_async_context(Server(folder, environ, debug=debug)))
            if server is not None:
                await stack.enter_async_context(_watched(server, environ))
                await _first_attempt(server, stop)
                await _work(server, stop, again)
            systemd.stopping()
            telling.log.info("stopping")


async def _work(server: Server, stop: asyncio.Event, again: asyncio.Event) -> None:
    systemd.ready(server.summary())
    server.telling.log.info("serving", folder=str(server.folder), state=server.summary(), pid=os.getpid())
    async with asyncio.TaskGroup() as group:
        work = [group.create_task(each) for each in (_reread(server, again), _keep(server), _be_alive())]
        await stop.wait()
        for each in work:
            each.cancel()


async def _reread(server: Server, again: asyncio.Event) -> None:
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(server.settings.directory.config_refresh_interval or None):
                await again.wait()
        asked = again.is_set()
        again.clear()
        if asked:
            systemd.reloading()
        try:
            await server.reload()
        except Exception as error:  # noqa: BLE001  # whatever is wrong with new settings, the old ones work
            server.telling.old_settings_stay(f"{type(error).__name__}: {error}")
        if asked:
            await server.connect()
            systemd.ready(server.summary())


async def _keep(server: Server) -> None:
    while True:
        server.telling.handshakes(server.connections())
        await asyncio.sleep(KEEP_EVERY)
        await server.connect()
        systemd.status(server.summary())


async def _be_alive() -> None:
    patience = systemd.watchdog()
    while patience is not None:
        systemd.alive()
        await asyncio.sleep(patience / 3)


async def _first_attempt(server: Server, stop: asyncio.Event) -> None:
    """Open all connections, but do not wait long for a directory that is down."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_ATTEMPT):
            await _unless(stop, server.connect())


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """Do the work, or give it up and give None when `stop` is set before it is done."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait((working, stopping))


@asynccontextmanager
async def _watched(server: Server, environ: Mapping[str, str]) -> AsyncIterator[None]:
    """Answer those who watch, where that is possible."""
    async with AsyncExitStack() as stack:
        failure: OSError | None = None
        for path in places(server.folder, environ):
            try:
                await stack.enter_async_context(answering(path, server.running))
            except OSError as error:
                failure = error
            else:
                break
        else:
            server.telling.log.warning("nobody can watch the connections", why=str(failure))
        yield


@contextmanager
def _signals(events: Mapping[signal.Signals, asyncio.Event]) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    for number, event in events.items():
        loop.add_signal_handler(number, event.set)
    try:
        yield
    finally:
        for number in events:
            loop.remove_signal_handler(number)
