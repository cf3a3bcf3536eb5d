"""Where the connections of a task go: every value that decides them, so that a reload is a comparison.

Which connection is encrypted is decided by `Protection.encrypts`, and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from quintet.config import Account, DirectorySettings, ServerSettings, Settings
from quintet.directory.services import Protection, Service
from quintet.directory.settings_help import COMMUNITY, SettingsHelp
from quintet.ldap.dn import DN
from quintet.ldap.limits import Address
from quintet.tls.settings import StoreLocation, TlsSettings


class Mode(Enum):
    """How the bytes travel."""

    CLEAR = "clear"
    LDAPS = "TLS"
    STARTTLS = "StartTLS"


class Binding(Enum):
    """How a new connection makes itself known."""

    NONE = "none"
    """Not at all: people's own binds follow."""

    ANONYMOUS = "anonymous"
    SIMPLE = "simple"
    """The account's name and password, as they are."""

    HIDDEN = "hidden"
    """The account without showing its password: SCRAM; else anonymous, if that may read; else not at all."""


FileFingerprint = tuple[str, int, int]
"""A file, its time of change in nanoseconds and its size: what it was when the endpoint was made."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One host for the connections of one task.

    `clear_password`: a password may cross although the mode is `CLEAR`: the administrator chose so.
    `bases` are what an anonymous connection must be able to read. `stores` changes when a store file does.
    `origin` is where all this is set.
    """

    label: str
    server: str
    address: Address
    mode: Mode
    profile: TlsSettings
    account: Account | None = None
    binding: Binding = Binding.ANONYMOUS
    clear_password: bool = False
    sasl_user: str | None = None
    bases: tuple[DN, ...] = ()
    stores: tuple[FileFingerprint, ...] = ()
    origin: SettingsHelp = COMMUNITY

    @property
    def encrypted(self) -> bool:
        return self.mode is not Mode.CLEAR

    @property
    def port_key(self) -> str:
        """The setting that the port comes from."""
        return self.origin.tls_port if self.mode is Mode.LDAPS else "Port"


@dataclass(frozen=True, slots=True)
class PoolConfig:
    """What one pool is made from. `endpoints` are hosts of one directory, in order of preference.

    `exclusive`: one operation at a time on a connection, as binds want it. `connections` are opened when
    there is use for them, and `most` under load; what is above `connections` goes again when it is idle.
    Times are in seconds.
    """

    endpoints: tuple[Endpoint, ...]
    exclusive: bool = False
    connections: int = 1
    most: int = 1
    pending_high: int = 60
    pending_low: int = 30
    connect_timeout: float = 6.0
    operation_timeout: float = 30.0
    lifetime: float | None = None
    idle_probe: float = 60.0

    @property
    def label(self) -> str:
        return self.endpoints[0].label

    @property
    def server(self) -> str:
        return self.endpoints[0].server


_GROWTH = 4


def protection_of(server: ServerSettings, directory: DirectorySettings) -> Protection:
    """The level that holds for this server: `SSLEnabled` is set for each, the flag for all."""
    return Protection.of(ssl_enabled=server.ssl_enabled, only_passwords=directory.only_passwords)


def weakest(settings: Settings) -> Protection:
    """The level of the server that encrypts least."""
    levels = [protection_of(server, settings.directory) for server in settings.servers]
    return min(levels, key=lambda level: len(level.value), default=Protection.NONE)


def pool_configs(settings: Settings) -> dict[tuple[Service, int], PoolConfig]:
    """The pool of each task at each server; servers are counted in their order."""
    stores = stamps(settings.tls)
    return {
        (task, nth): pool_config(settings, server, task, stores)
        for nth, server in enumerate(settings.servers)
        for task in Service
    }


def pool_config(
    settings: Settings, server: ServerSettings, task: Service, stores: tuple[FileFingerprint, ...]
) -> PoolConfig:
    directory = settings.directory
    binds = task is Service.AUTHENTICATE
    connections = directory.bind_connections if binds else directory.connections_per_task
    return PoolConfig(
        endpoints=tuple(_endpoints(settings, server, task, stores)),
        exclusive=binds,
        connections=connections,
        most=_GROWTH * connections if binds else connections,
        pending_high=directory.pending_high,
        pending_low=directory.pending_low,
        connect_timeout=directory.connect_timeout,
        operation_timeout=directory.operation_timeout,
        lifetime=directory.respray_interval,
    )


def _endpoints(
    settings: Settings, server: ServerSettings, task: Service, stores: tuple[FileFingerprint, ...]
) -> Iterator[Endpoint]:
    directory = settings.directory
    protection = protection_of(server, directory)
    encrypted = protection.encrypts(task)
    if not encrypted:
        mode, port = Mode.CLEAR, server.port
    elif directory.start_tls:
        mode, port = Mode.STARTTLS, server.port
    else:
        mode, port = Mode.LDAPS, server.ssl_port
    binding = _binding(server, directory, task, protection)
    for host in server.hosts:
        yield Endpoint(
            label=task.value,
            server=server.label,
            address=Address(host, port),
            mode=mode,
            profile=settings.tls if encrypted else TlsSettings(),
            account=None if task is Service.AUTHENTICATE else server.account,
            binding=binding,
            clear_password=not encrypted and (protection is Protection.NONE or binding is Binding.SIMPLE),
            sasl_user=directory.sasl_user,
            bases=tuple(dict.fromkeys((server.person_base, server.group_base))),
            stores=stores if encrypted else (),
        )


def _binding(
    server: ServerSettings, directory: DirectorySettings, task: Service, protection: Protection
) -> Binding:
    """Reference 1.2, the trap: under "only passwords" the account's password must not cross in clear."""
    if task is Service.AUTHENTICATE:
        return Binding.NONE
    if server.account is None:
        return Binding.ANONYMOUS
    if protection.encrypts(task):
        return Binding.SIMPLE
    if directory.guard_service_account:
        return Binding.HIDDEN
    chosen = protection is Protection.NONE or directory.allow_clear_service_bind
    return Binding.SIMPLE if chosen else Binding.HIDDEN


def stamps(profile: TlsSettings) -> tuple[FileFingerprint, ...]:
    """What the store files of a profile are now; a file that cannot be seen has zeros."""
    return tuple(_stamp(ref) for ref in (profile.trust_store, profile.key_store) if ref is not None)


def _stamp(ref: StoreLocation) -> FileFingerprint:
    try:
        found = ref.path.stat()
    except OSError:
        return str(ref.path), 0, 0
    return str(ref.path), found.st_mtime_ns, found.st_size
