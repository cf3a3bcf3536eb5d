"""Where the connections of each service go, and how: all that decides it, so that a reload is a comparison.

Whether a task's connections are encrypted is decided by `Protection.encrypts`, and nowhere else.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from quintet.config import (
    Account,
    CardServer,
    CardSettings,
    CardStorage,
    DirectorySettings,
    ServerSettings,
    Settings,
)
from quintet.directory.services import TASKS, Protection, Service
from quintet.ldap import DN, Address, Limits, PoolConfig
from quintet.tls import TlsSettings

_COLLECTED = 32 * 1024 * 1024
"""Bytes of one answer. No service needs as many; a server that sends more must not fill our memory."""

_GROWTH = 4
_CARD_TIMEOUT = 30.0


class Mode(Enum):
    """How the bytes are sent."""

    UNENCRYPTED = "clear"
    LDAPS = "TLS"
    STARTTLS = "StartTLS"


class Binding(Enum):
    """How a new connection is bound."""

    NONE = "none"
    """Not at all: users' own binds follow."""

    ANONYMOUS = "anonymous"
    SIMPLE = "simple"
    """By the account's name and password, as they are."""

    HIDDEN = "hidden"
    """Without sending the password: by SCRAM, else anonymously if that can read, else not at all."""


FileFingerprint = tuple[str, int, int]
"""A file, its time of change in nanoseconds and its size: what it was when the endpoint was made."""


@dataclass(frozen=True, slots=True)
class SettingsHelp:
    """Where an administrator sets what an endpoint is made of: a settings file, its keys, and other ways."""

    file: str
    tls_port: str
    account: str
    encrypting: str
    scram: str

    @property
    def ways_out(self) -> str:
        return (
            f"Ways out: {self.encrypting}; {self.scram}; let anonymous connections read the bases; or set"
            " QUINTET_ALLOW_CLEAR_SERVICE_BIND=1 in [Directory] to send the account's password unencrypted"
        )

    @property
    def only_way_out(self) -> str:
        """For Active Directory, which has neither SCRAM nor anonymous searches (rows S5 and S6)."""
        return (
            f"On Active Directory {self.encrypting}: it has neither SCRAM nor anonymous searches. Else"
            " QUINTET_ALLOW_CLEAR_SERVICE_BIND=1 in [Directory] sends the account's password unencrypted"
        )

    def check(self, keys: str) -> str:
        return f"Check {keys} in {self.file}"


COMMUNITY = SettingsHelp(
    file="StCommunityConfig.xml",
    tls_port="SSLPort",
    account="BindEntryDn and BindEntryPassword",
    encrypting="encrypt all (quintet protect all)",
    scram="let the server offer SASL SCRAM to the account (QUINTET_SASL_USER names its user)",
)
_USER_INFO = SettingsHelp(
    file="UserInfoConfig.xml",
    tls_port="SslPort",
    account="UserName and Password, or UserEncodedAuth",
    encrypting="encrypt the cards, too (quintet protect LEVEL --cards)",
    scram="let the server offer SASL SCRAM to the account",
)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The connections of one service at one server, whose `addresses` are in order of preference.

    `pool` is how many there are, and for how long. `bases` are what an anonymous connection must be able to
    read. `stores` changes when a store file does. `help` is where all this is set.
    """

    service: Service
    server: str
    addresses: tuple[Address, ...]
    mode: Mode
    tls: TlsSettings
    pool: PoolConfig
    account: Account | None = None
    binding: Binding = Binding.ANONYMOUS
    sasl_user: str | None = None
    bases: tuple[DN, ...] = ()
    stores: tuple[FileFingerprint, ...] = ()
    help: SettingsHelp = COMMUNITY

    @property
    def encrypted(self) -> bool:
        return self.mode is not Mode.UNENCRYPTED

    @property
    def account_unencrypted(self) -> bool:
        """Whether the account's password may be sent unencrypted: the administrator chose so."""
        return not self.encrypted and self.binding is Binding.SIMPLE

    @property
    def address(self) -> Address:
        """The preferred one."""
        return self.addresses[0]

    @property
    def port_key(self) -> str:
        """The setting that the port comes from."""
        return self.help.tls_port if self.mode is Mode.LDAPS else "Port"

    @property
    def hosts(self) -> "tuple[Endpoint, ...]":
        """The same with each of its addresses alone."""
        return tuple(replace(self, addresses=(address,)) for address in self.addresses)


def protection_of(server: ServerSettings, directory: DirectorySettings) -> Protection:
    """The level that holds for this server: `SSLEnabled` is set for each, the flag for all."""
    return Protection.of(ssl_enabled=server.ssl_enabled, only_passwords=directory.only_passwords)


def weakest(settings: Settings) -> Protection:
    """The level of the server that encrypts least."""
    levels = [protection_of(server, settings.directory) for server in settings.servers]
    return min(levels, key=lambda level: len(level.value), default=Protection.NONE)


def endpoints_of(settings: Settings) -> dict[tuple[Service, int], Endpoint]:
    """The endpoint of each task at each server, then those of the cards; servers are counted from 0."""
    stores = fingerprints(settings.tls)
    found = {
        (service, nth): _endpoint(settings, server, service, stores)
        for nth, server in enumerate(settings.servers)
        for service in TASKS
    }
    cards = card_endpoints(settings.cards) if settings.cards else ()
    return found | {(Service.BUSINESS_CARD, nth): endpoint for nth, endpoint in enumerate(cards)}


def _endpoint(
    settings: Settings, server: ServerSettings, service: Service, stores: tuple[FileFingerprint, ...]
) -> Endpoint:
    directory = settings.directory
    protection = protection_of(server, directory)
    encrypted = protection.encrypts(service)
    if not encrypted:
        mode, port = Mode.UNENCRYPTED, server.port
    elif directory.start_tls:
        mode, port = Mode.STARTTLS, server.port
    else:
        mode, port = Mode.LDAPS, server.ssl_port
    binds = service is Service.AUTHENTICATE
    size = directory.bind_connections if binds else directory.connections_per_task
    return Endpoint(
        service=service,
        server=server.label,
        addresses=tuple(Address(host, port) for host in server.hosts),
        mode=mode,
        tls=settings.tls if encrypted else TlsSettings(),
        pool=PoolConfig(
            size=size,
            max_size=_GROWTH * size if binds else size,
            exclusive=binds,
            limits=Limits(
                pending_high=directory.pending_high,
                pending_low=directory.pending_low,
                timeout=directory.operation_timeout,
                collected=_COLLECTED,
            ),
            connect_timeout=directory.connect_timeout,
            lifetime=directory.respray_interval,
            unencrypted_passwords=binds and protection is Protection.NONE,
        ),
        account=None if binds else server.account,
        binding=_binding(server, directory, service, protection),
        sasl_user=directory.sasl_user,
        bases=tuple(dict.fromkeys((server.person_base, server.group_base))),
        stores=stores if encrypted else (),
    )


def _binding(
    server: ServerSettings, directory: DirectorySettings, service: Service, protection: Protection
) -> Binding:
    """Row C59: under PASSWORDS the service account's password must not be sent unencrypted, either."""
    if service is Service.AUTHENTICATE:
        return Binding.NONE
    if server.account is None:
        return Binding.ANONYMOUS
    if protection.encrypts(service):
        return Binding.SIMPLE
    if directory.guard_service_account:
        return Binding.HIDDEN
    chosen = protection is Protection.NONE or directory.allow_clear_service_bind
    return Binding.SIMPLE if chosen else Binding.HIDDEN


def card_endpoints(settings: CardSettings) -> Iterator[Endpoint]:
    """One for each server of the business cards, by UserInfoConfig.xml alone (rows C6 and C65)."""
    for storage in settings.storages:
        for server in storage.servers:
            yield _card_endpoint(settings, storage, server)


def _card_endpoint(settings: CardSettings, storage: CardStorage, server: CardServer) -> Endpoint:
    encrypted = server.ssl_enabled
    if server.account is None:
        binding = Binding.ANONYMOUS
    else:
        binding = Binding.HIDDEN if settings.guard_account and not encrypted else Binding.SIMPLE
    return Endpoint(
        service=Service.BUSINESS_CARD,
        server=server.host,
        addresses=(Address(server.host, server.ssl_port if encrypted else server.port),),
        mode=Mode.LDAPS if encrypted else Mode.UNENCRYPTED,
        tls=storage.tls if encrypted else TlsSettings(),
        pool=PoolConfig(
            size=storage.max_instances,
            limits=Limits(timeout=settings.search_timeout or _CARD_TIMEOUT, collected=_COLLECTED),
        ),
        account=server.account,
        binding=binding,
        bases=(server.base,),
        stores=fingerprints(storage.tls) if encrypted else (),
        help=_USER_INFO,
    )


def fingerprints(tls: TlsSettings) -> tuple[FileFingerprint, ...]:
    """What the store and CRL files of the settings are now; a file that cannot be seen has zeros."""
    return tuple(_fingerprint(path) for path in tls.files)


def _fingerprint(path: Path) -> FileFingerprint:
    try:
        found = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), found.st_mtime_ns, found.st_size
