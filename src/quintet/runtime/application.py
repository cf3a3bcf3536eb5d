"""The running server: started, given new settings while it works, drained and stopped."""

import asyncio
import gc
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar, final

from quintet.cards import Cards
from quintet.config import Settings, load, stash_passwords
from quintet.diagnostics import SettingsError
from quintet.directory import (
    AttemptRules,
    Connections,
    ConnectionState,
    ConnectionStatus,
    Directory,
    Event,
    FileFingerprint,
    LocalAttempts,
    Trace,
    UnencryptedBindError,
    fingerprints,
)
from quintet.runtime import systemd
from quintet.runtime.event_log import EventLogger
from quintet.runtime.pidfile import pid_file
from quintet.runtime.status_socket import RequestHandler, Running, serve_status, socket_paths
from quintet.tls import StoreError, TlsSettingsError

if TYPE_CHECKING:
    from quintet.cluster import SharedAttempts
    from quintet.runtime.cluster import Cluster
    from quintet.runtime.sametime_port import SametimePort
    from quintet.runtime.tracing import Tracing
    from quintet.web.serving import Metrics

T = TypeVar("T")

DRAIN = 10.0
"""Seconds that requests in flight have when the server stops."""

RECONNECT_EVERY = 30.0
"""Seconds between two attempts to open connections that are down."""

_FIRST_ATTEMPT = 10.0
_TRACES_TO = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PORT = "sametime"
_THRESHOLDS = (10_000, 20, 20)


@final
class Application:
    """The directory and the cards of one settings folder, open while the context is.

    Entering raises SettingsError and UnencryptedBindError, but not for a directory that is down.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], *, debug: bool = False) -> None:
        self.folder = folder.resolve()
        self.events = EventLogger(debug=debug)
        self._environ = environ
        self._changing = asyncio.Lock()
        self.settings = load(self.folder, environ)
        self.attempts: LocalAttempts | SharedAttempts = LocalAttempts(trace=self.tell)
        self._fingerprints = _fingerprints(self.settings)
        self._apply(self.settings)
        self.listeners: list[Trace] = [self.events]
        self.renewers: list[Callable[[Settings], None]] = []
        """Get new settings before they are used, in a thread, and may refuse them."""
        self.drains: list[Callable[[], Awaitable[None]]] = []
        """Close a port, and its connections little by little, before everything else ends."""
        self._connections = Connections(self.settings, trace=self.tell)
        self.directory = Directory(self._connections)
        self.cards = Cards(self._connections)
        self.cluster: Cluster | None = None
        self.sametime: SametimePort | None = None
        self.rejection = ""
        """Why new settings are not in use; empty when none were rejected."""
        self.requests: dict[str, RequestHandler] = {
            "reload": self._reload,
            "limits": self._list_limits,
            "clear-limits": self._clear_limits,
        }

    async def __aenter__(self) -> Self:
        await self._connections.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._connections.drain(DRAIN)

    async def connect(self) -> tuple[ConnectionStatus, ...]:
        """Open the connections that are down, even those that failed a moment ago."""
        return await self._connections.connect_all()

    async def reload(self) -> bool:
        """Read the files again and apply them; False when they have errors.

        Then the settings in use stay, and the log says why. What a change does not touch stays open.
        """
        async with self._changing:
            try:
                settings = await asyncio.to_thread(load, self.folder, self._environ)
                found = _fingerprints(settings)
                if (settings, found) == (self.settings, self._fingerprints):
                    self.rejection = ""
                    return True
                for renew in self.renewers:
                    await asyncio.to_thread(renew, settings)
                prepared = await self.sametime.prepare(settings) if self.sametime else None
                await self._connections.reload(settings)
            except SettingsError as error:
                self.rejection = str(error)
                self.events.problems(error.problems)
                self.events.settings_rejected("the new settings have errors")
                return False
            except (UnencryptedBindError, StoreError, TlsSettingsError, OSError) as error:
                self.rejection = str(error)
                self.events.settings_rejected(self.rejection)
                return False
            if _ports(settings) != _ports(self.settings):
                self.events.log.warning(
                    "changed addresses, ports and cluster settings take effect after a restart"
                )
            if self.sametime and prepared and not self.sametime.apply(prepared):
                self.events.log.warning(
                    "some changed settings of Sametime clients take effect after a restart"
                )
            self.settings, self._fingerprints, self.rejection = settings, found, ""
            self._apply(settings)
            if self.cluster and settings.cluster:
                self.cluster.renew(settings.cluster)
            self.events.log.info("new settings", protection=self.directory.protection.name.lower())
            return True

    def connections(self) -> tuple[ConnectionStatus, ...]:
        return self._connections.status()

    def running(self) -> Running:
        """The answer of the status socket."""
        protection = self.directory.protection.name.lower()
        sametime = self.sametime.status() if self.sametime else None
        return Running(os.getpid(), str(self.folder), protection, self.connections(), sametime)

    async def _reload(self, _: dict[str, Any]) -> dict[str, Any]:
        """Reload, and open what is down."""
        applied = await self.reload()
        await self.connect()
        return {"applied": applied, "reason": self.rejection}

    async def _list_limits(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        """The failed sign-ins that count, for the status socket."""
        return [asdict(each) | {"scope": each.scope.value} for each in await self.attempts.counts()]

    async def _clear_limits(self, request: dict[str, Any]) -> int:
        """How many records of the name or address `wanted` were cleared; of all without one."""
        wanted = request.get("wanted")
        return await self.attempts.clear(None if wanted is None else str(wanted))

    def summary(self) -> str:
        """The state in a few words."""
        found = self.connections()
        working = sum(each.state is ConnectionState.CONNECTED for each in found)
        return f"protection {self.directory.protection.name.lower()}, {working} of {len(found)} connections"

    def tell(self, event: Event) -> None:
        """Pass an event on to all listeners."""
        for each in self.listeners:
            each(event)

    def _apply(self, settings: Settings) -> None:
        self.events.traces = settings.traces
        self.attempts.rules = AttemptRules.of(settings.directory)
        self.events.problems(settings.problems)


def _fingerprints(settings: Settings) -> tuple[FileFingerprint, ...]:
    """The state of the store files: a new certificate in them is a change of the settings."""
    storages = settings.cards.storages if settings.cards else ()
    https = (settings.web.tls,) if settings.web.tls else ()
    found = (settings.tls, settings.sametime.tls, *(each.tls for each in storages), *https)
    return tuple(each for tls in found for each in fingerprints(tls))


def _ports(settings: Settings) -> tuple[object, ...]:
    web = settings.web
    ports = (web.address, web.port, web.metrics_address, web.metrics_port, settings.sametime.port)
    return (*ports, web.tls is not None, settings.cluster and replace(settings.cluster, keys=()))


# The process around it.


async def serve(
    folder: Path,
    environ: Mapping[str, str],
    *,
    debug: bool = False,
    on_ready: Callable[[Running], None] | None = None,
) -> signal.Signals:
    """Serve until SIGTERM or SIGINT, and return which. SIGHUP reloads the settings.

    They are also reloaded every `config_refresh_interval`. `debug` logs every operation. `on_ready` is called
    once, when requests are served. Raises
    AlreadyRunningError, SettingsError, UnencryptedBindError, PortError, StoreError, TlsSettingsError,
    DatabaseUrlError, UnsuitableValkeyError, NodeNameError.
    """
    stop, reload = asyncio.Event(), asyncio.Event()
    received: list[signal.Signals] = []
    events = EventLogger()
    with (
        _signal_handlers({signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload}, received),
        ExitStack() as running,
    ):
        try:
            running.enter_context(pid_file(folder))
        except OSError as error:
            events.log.warning("no pid file: other commands can't find this server", reason=str(error))
        events.problems(stash_passwords(folder, environ))
        async with AsyncExitStack() as stack:
            application = await _or_stopped(
                stop, stack.enter_async_context(Application(folder, environ, debug=debug))
            )
            if application is not None:
                await stack.enter_async_context(_status_socket(application, environ))
                await stack.enter_async_context(_cluster(application))
                tracing = await stack.enter_async_context(_tracing(application, environ))
                http = await stack.enter_async_context(_http(application, tracing))
                await _first_attempt(application, stop)
                await stack.enter_async_context(_sametime(application, http))
                if http is not None:
                    http.is_ready()
                if on_ready is not None:
                    on_ready(application.running())
                with rare_collections():
                    await _run(application, stop, reload)
                systemd.stopping()
                events.log.info("stopping")
                if http is not None:
                    http.is_stopping()  # before the ports close, so that a balancer looks elsewhere
                await asyncio.gather(*(drain() for drain in application.drains))
    return next(each for each in received if each is not signal.SIGHUP)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Look for reference cycles less often while the context is open, and never among what was there before.

    Python looks whenever there are 700 more objects. A request in flight has a hundred or more, so it looks
    all the time, and everything it finds is in use: what a request needs is freed when it ends.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


async def _run(application: Application, stop: asyncio.Event, reload: asyncio.Event) -> None:
    systemd.ready(application.summary())
    application.events.log.info(
        "serving", folder=str(application.folder), state=application.summary(), pid=os.getpid()
    )
    async with asyncio.TaskGroup() as group:
        work = [
            group.create_task(each)
            for each in (_reload_loop(application, reload), _reconnect_loop(application), _watchdog_loop())
        ]
        await stop.wait()
        for each in work:
            each.cancel()


async def _reload_loop(application: Application, reload: asyncio.Event) -> None:
    while True:
        with suppress(TimeoutError):
            async with asyncio.timeout(application.settings.directory.config_refresh_interval or None):
                await reload.wait()
        asked = reload.is_set()
        reload.clear()
        if asked:
            systemd.reloading()
        try:
            await application.reload()
        except Exception as error:  # noqa: BLE001  # the settings in use still work
            application.events.settings_rejected(f"{type(error).__name__}: {error}")
        if asked:
            await application.connect()
            systemd.ready(application.summary())


async def _reconnect_loop(application: Application) -> None:
    while True:
        application.events.handshakes(application.connections())
        await asyncio.sleep(RECONNECT_EVERY)
        await application.connect()
        systemd.status(application.summary())


async def _watchdog_loop() -> None:
    patience = systemd.watchdog()
    while patience is not None:
        systemd.alive()
        await asyncio.sleep(patience / 3)


async def _first_attempt(application: Application, stop: asyncio.Event) -> None:
    """Open all connections, without waiting long for a directory that is down."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_FIRST_ATTEMPT):
            await _or_stopped(stop, application.connect())


async def _or_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """The result of the work; None, and the work cancelled, when `stop` is set first."""
    working, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        working.cancel()
        stopping.cancel()
        await asyncio.wait((working, stopping))


@asynccontextmanager
async def _status_socket(application: Application, environ: Mapping[str, str]) -> AsyncIterator[None]:
    """Serve the status socket, where one can be opened."""
    async with AsyncExitStack() as stack:
        failure: OSError | None = None
        for path in socket_paths(application.folder, environ):
            try:
                await stack.enter_async_context(serve_status(path, application.running, application.requests))
            except OSError as error:
                failure = error
            else:
                break
        else:
            application.events.log.warning(
                "no status socket: quintet connections --watch can't read this server's status",
                reason=str(failure),
            )
        yield


@asynccontextmanager
async def _tracing(application: Application, environ: Mapping[str, str]) -> "AsyncIterator[Tracing | None]":
    """Traces where an endpoint for them is set; nothing of them is imported where none is."""
    if not any(map(environ.get, _TRACES_TO)) or environ.get("OTEL_SDK_DISABLED", "").casefold() == "true":
        yield None
        return
    from quintet.runtime.tracing import TracingUnavailableError, open_tracing  # noqa: PLC0415  # an extra

    try:
        tracing = open_tracing()
    except TracingUnavailableError as error:
        application.events.log.warning(
            "no traces: install quintet[otel], or unset the endpoint for traces", reason=str(error)
        )
        yield None
        return
    application.listeners.append(tracing)
    try:
        yield tracing
    finally:
        await asyncio.to_thread(tracing.close)


@asynccontextmanager
async def _cluster(application: Application) -> AsyncIterator[None]:
    """Connect to what this server shares with others, where it does. Raises what `Cluster.open` does."""
    settings = application.settings.cluster
    if settings is None:
        yield
        return
    from quintet.cluster import examine_valkey  # noqa: PLC0415  # its libraries take time to import
    from quintet.runtime.cluster import Cluster  # noqa: PLC0415

    async with Cluster.open(settings) as cluster:
        application.cluster = cluster
        assert isinstance(application.attempts, LocalAttempts), "it is the first one"
        application.attempts = cluster.attempts(application.attempts, application.tell)
        if cluster.valkey.up:
            application.events.problems(await examine_valkey(settings))
        yield


@asynccontextmanager
async def _http(application: Application, tracing: "Tracing | None") -> "AsyncIterator[Metrics | None]":
    """Serve HTTP where a port is set; yields the metrics, None without HTTP. Raises PortError."""
    web = application.settings.web
    if not (web.port or web.metrics_port):
        yield None
        return
    # its libraries take half a second to import
    from quintet.runtime.web_presence import CommunityPresence  # noqa: PLC0415
    from quintet.storage import DatabaseAddress  # noqa: PLC0415
    from quintet.web.serving import Metrics, Sessions, Site, Tokens, serving  # noqa: PLC0415

    url = application.settings.sametime.database.reveal()
    database = DatabaseAddress.parse(url, application.folder)
    cluster = application.cluster
    sessions = cluster.web_sessions() if cluster else Sessions()
    metrics = Metrics(application.connections, sessions)
    application.listeners.append(metrics)
    site = Site(
        application.directory,
        application.cards,
        lambda: application.settings,
        sessions,
        tokens=Tokens(database),
        attempts=application.attempts,
        observe=metrics.observe,
        requests=application.requests,
        rejected=lambda: application.rejection,
        presence=lambda: application.sametime and CommunityPresence(application.sametime.server),
    )
    if cluster is not None:
        from quintet.runtime.cluster_metrics import ClusterMetrics  # noqa: PLC0415

        site = replace(site, form_keys=lambda: cluster.form_keys)
        metrics.registry.register(ClusterMetrics(cluster.valkey.counts))
        metrics.parts["cluster"] = lambda: cluster.valkey.reason
    application.listeners.append(site.activity)
    if application.settings.sametime.port:
        metrics.vital.add(_PORT)
        metrics.parts[_PORT] = lambda: "" if application.sametime else "not listening"
    async with serving(site, metrics, *((tracing.around,) if tracing else ())) as found:
        application.renewers.append(lambda settings: found.renew(settings.web))
        limits = application.settings.sametime.limits
        application.drains.append(lambda: found.drain(limits.closing_seconds))
        application.events.log.info("listening", http=found.http, metrics=found.metrics)
        yield metrics


@asynccontextmanager
async def _sametime(application: Application, metrics: "Metrics | None") -> AsyncIterator[None]:
    """Serve Sametime clients where a port is set. Raises what `SametimePort.open` does."""
    settings = application.settings
    if not settings.sametime.port:
        yield
        return
    from quintet.runtime.sametime_events import SametimeEventLogger  # noqa: PLC0415  # as below
    from quintet.runtime.sametime_port import SametimePort  # noqa: PLC0415  # SQL takes half a second to import

    port = await SametimePort.open(
        settings, application.directory, application.attempts, SametimeEventLogger(), application.cluster
    )
    server = port.server
    if metrics is not None:
        from quintet.runtime.sametime_metrics import SametimeMetrics  # noqa: PLC0415

        metrics.registry.register(SametimeMetrics(server))
        metrics.parts[_PORT] = lambda: "" if server.is_listening else "not listening"
        metrics.parts["database"] = lambda: port.database_trouble
    application.sametime = port
    application.requests |= {
        "sessions": port.list_sessions,
        "all-sessions": port.list_everywhere,
        "end-sessions": port.end_sessions,
        "broadcast": port.broadcast,
        "drain": port.let_go,
    }
    application.drains.append(server.drain)
    application.events.log.info(
        "listening for Sametime clients",
        port=server.port,
        tls=server.tls_context is not None,
        without_tls=settings.sametime.legacy_clients,
    )
    try:
        yield
    finally:
        await port.close()


@contextmanager
def _signal_handlers(
    events: Mapping[signal.Signals, asyncio.Event], received: list[signal.Signals]
) -> Iterator[None]:
    """Set the event of each signal that arrives, and add the signal to `received`."""

    def handle(number: signal.Signals) -> None:
        received.append(number)
        events[number].set()

    loop = asyncio.get_running_loop()
    for number in events:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in events:
            loop.remove_signal_handler(number)
