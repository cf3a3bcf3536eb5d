"""The port for Sametime clients in the running server: started, given new settings, and asked by commands."""

import asyncio
import socket
import ssl
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Self, final

from quintet.config import Settings
from quintet.directory import Directory, FileFingerprint, SignInAttempts, fingerprints
from quintet.ldap import DN
from quintet.runtime.cluster import Cluster
from quintet.runtime.sametime_events import SametimeEventLogger
from quintet.runtime.status_socket import SametimeStatus
from quintet.sametime.serving import (
    LegacyClients,
    SametimeServer,
    SametimeSettings,
    SessionRow,
    SignInRule,
    StorageState,
)
from quintet.sametime.storage import DatabaseAddress
from quintet.tls import TlsSettings, make_server_context
from quintet.web import PortError

_USER_INFO = "/servlet/UserInfoServlet"


@dataclass(frozen=True, slots=True)
class PreparedSettings:
    """New settings, and the TLS context that they ask for; None without TLS."""

    settings: Settings
    context: ssl.SSLContext | None
    made_of: tuple[TlsSettings, int, tuple[FileFingerprint, ...]]


@final
class SametimePort:
    """A `SametimeServer` with the settings of a folder. Made by `open`."""

    def __init__(
        self, server: SametimeServer, prepared: PreparedSettings, shared: AsyncExitStack, *, alone: bool
    ) -> None:
        self.server = server
        self._prepared = prepared
        self._shared = shared
        self._alone = alone

    @classmethod
    async def open(
        cls,
        settings: Settings,
        directory: Directory,
        attempts: SignInAttempts,
        events: SametimeEventLogger,
        cluster: Cluster | None = None,
    ) -> Self:
        """Join the cluster, if there is one, and listen. `attempts` are those of all ports.

        Raises PortError, DatabaseUrlError, NodeNameError; StoreError or TlsSettingsError for the certificate.
        """
        database = DatabaseAddress.parse(settings.sametime.database.reveal(), settings.folder)
        prepared = await _prepare(settings, None)
        server = SametimeServer(
            server_settings(settings),
            directory,
            database,
            tls_context=prepared.context,
            trace=events,
            attempts=attempts,
            groups=cluster and cluster.group_contents(directory, settings.directory.refresh_interval),
        )
        async with AsyncExitStack() as stack:
            if cluster is not None:
                await stack.enter_async_context(cluster.joined(server))
            try:
                await server.start()
            except OSError as error:
                port, key = settings.sametime.port, "VPMX_PORT"
                raise PortError(settings.web.address, port, key, error, section="Debug") from error
            return cls(server, prepared, stack.pop_all(), alone=cluster is None)
        raise AssertionError

    async def close(self) -> None:
        await self.server.close()
        await self._shared.aclose()

    # New settings

    async def prepare(self, settings: Settings) -> PreparedSettings:
        """Make what new settings ask for, without using it yet. Raises as `open` does."""
        return await _prepare(settings, self._prepared)

    def apply(self, prepared: PreparedSettings) -> bool:
        """Use it. Connections stay open. False if some of the changes take effect only after a restart."""
        self._prepared = prepared
        return self.server.reconfigure(server_settings(prepared.settings), prepared.context)

    # What is asked

    def status(self) -> SametimeStatus:
        server = self.server
        return SametimeStatus(
            server.port, len(server.sessions()), server.tls_context is not None, server.database_available
        )

    @property
    def database_trouble(self) -> str:
        """What the database can't do; empty while it does everything."""
        state = self.server.database_state
        return "" if state is StorageState.AVAILABLE else state.value

    async def list_sessions(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        """The sessions, for the status socket."""
        return [asdict(each) for each in self.server.sessions()]

    async def list_everywhere(self, _: dict[str, Any]) -> dict[str, Any] | None:
        """The sessions of all nodes, a list of the values of `columns` each; None without a cluster."""
        if self._alone:
            return None
        found = await self.server.list_everywhere()
        return {
            "columns": SessionRow._fields,
            "rows": found.rows,
            "sessions": found.sessions,
            "asked": found.asked,
            "answered": found.answered,
        }

    async def end_sessions(self, request: dict[str, Any]) -> int:
        """How many sessions of `name` were ended."""
        return await self.server.end_sessions(str(request.get("name", "")))

    async def let_go(self, request: dict[str, Any]) -> dict[str, int]:
        """Close a share of the sessions, `percent`: how many, and of how many."""
        count = len(self.server.sessions())
        return {"closing": self.server.let_go(float(request.get("percent", 0)) / 100), "sessions": count}

    async def broadcast(self, request: dict[str, Any]) -> int:
        """In how many sessions `text` is shown."""
        return await self.server.broadcast(str(request.get("text", "")))


def server_settings(settings: Settings) -> SametimeSettings:
    """What the server needs of the settings."""
    port, web, directory = settings.sametime, settings.web, settings.directory
    node = port.node or socket.gethostname() or "quintet"
    labels = tuple(server.label for server in settings.servers)
    return SametimeSettings(
        address=web.address,
        port=port.port,
        server_name=node,
        node=node,
        legacy_clients=LegacyClients(port.legacy_clients),
        trusted_proxies=web.trusted_proxies,
        sign_ins=SignInRule(port.sign_ins),
        anonymous=port.anonymous,
        recheck_minutes=port.recheck_minutes,
        admin_group=web.admin_group or None,
        refresh_interval=directory.refresh_interval,
        search_order=labels if len(labels) > 1 else (),
        browse=directory.browse,
        browse_pages=port.browse_pages,
        file_transfer=port.file_transfer,
        largest_file_kb=port.largest_file,
        domains_allowed=directory.resolve_whitelist,
        domains_denied=directory.resolve_blacklist,
        user_info_url=f"{web.public_url}{_USER_INFO}" if web.public_url and settings.cards else None,
        first_contacts=tuple((str(group), _title(group)) for group in port.first_contacts),
        limits=port.limits,
    )


def _title(group: DN) -> str:
    """What a contact list calls a group: the first value of its DN."""
    value = group.rdns[0][0][1]
    return value if isinstance(value, str) else value.decode("utf-8", "replace")


async def _prepare(settings: Settings, before: PreparedSettings | None) -> PreparedSettings:
    tls, asked = settings.sametime.tls, settings.sametime.client_certificates
    made_of = (tls, int(asked), fingerprints(tls))
    if tls.key_store is None:
        return PreparedSettings(settings, None, made_of)
    if before is not None and before.made_of == made_of:
        return PreparedSettings(settings, before.context, made_of)
    # In a thread: a store may take a second of hashing to open.
    context = await asyncio.to_thread(make_server_context, tls, ssl.VerifyMode(asked))
    return PreparedSettings(settings, context, made_of)
