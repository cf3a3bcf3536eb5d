"""All that the three files and the environment say, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from quintet.config.cluster_settings import ClusterSettings
from quintet.config.sametime_port import SametimePortSettings
from quintet.config.schema import CARDS, COMMUNITY, KNOWN_INI
from quintet.config.web_settings import WebSettings
from quintet.config.xml_schema import ANYWHERE
from quintet.diagnostics import Diagnostic, Place
from quintet.ldap import DN, Scope, Template
from quintet.secret import Secret
from quintet.tls import TlsSettings


@dataclass(frozen=True, slots=True)
class Account:
    """The account that a connection binds with. `name` is a DN or, for Active Directory, a mail form.

    `key` and `place` are those of the setting that names it.
    """

    name: str
    password: Secret
    key: str = field(default="", compare=False)
    place: Place | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """One `Connection` of StCommunityConfig.xml (config 3.2). An empty base is the whole directory.

    `hosts` are several names of one directory, in order of preference. `member_of` is set when
    `GroupMembership` names an attribute in place of a filter. `user_id_attribute` is None when the ID is
    the DN. `place` is that of the element, `places` are those of its settings.
    """

    hosts: tuple[str, ...]
    port: int
    ssl_port: int
    ssl_enabled: bool
    search_order: int
    account: Account | None
    person_base: DN
    person_scope: Scope
    person_filter: Template
    login_filter: Template
    person_class: str
    group_base: DN
    group_scope: Scope
    group_filter: Template
    group_class: str
    group_membership: Template | None
    member_of: str | None
    user_id_attribute: str | None
    name_attribute: str
    mail_attribute: str
    group_name_attribute: str
    group_member_attribute: str
    description_attribute: str | None = None
    group_description_attribute: str | None = None
    place: Place = field(default=Place(COMMUNITY), compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    @property
    def label(self) -> str:
        """The server as administrators know it: its configured host names."""
        return ",".join(self.hosts)

    def place_of(self, setting: str) -> Place:
        """Where a setting of the server is written; where it is not, the place of the server."""
        return self.places.get(setting, self.place)


def _usual(key: str) -> int:
    """The default of a number in the schema."""
    return int(KNOWN_INI[key.casefold()].default)


_INTERVALS = {name: 60.0 * int(setting.default) for name, setting in ANYWHERE.items()}


@dataclass(frozen=True, slots=True)
class DirectorySettings:
    r"""The `[Directory]` keys (config 2.9) and what goes with them. Intervals are seconds.

    `start_tls` (`QUINTET_START_TLS`): what is encrypted uses StartTLS on `Port`, not TLS on `SSLPort`.
    `allow_clear_service_bind` (`QUINTET_ALLOW_CLEAR_SERVICE_BIND`): as Sametime does under "only passwords".
    `guard_service_account`: a level is only being tried; the account's password is not sent unencrypted.
    `sasl_user` (`QUINTET_SASL_USER`): the account's user name for SCRAM, when it is not the first value of
    its DN.
    `allow_expired_passwords` (`QUINTET_ALLOW_EXPIRED_PASSWORDS`): the right password signs in also when it
    has expired or must be changed.
    `login_domains` (`QUINTET_LOGIN_DOMAINS`): removed from `DOMAIN\name`; in lower case.
    `sign_in_limit` (`QUINTET_SIGN_IN_LIMIT`), `sign_in_network_limit` (`QUINTET_SIGN_IN_NETWORK_LIMIT`):
    failures of a name from one network, and of one network, that block more; 0 for no limit.
    `mail_shortcut`: Sametime looks up mail addresses without the configured filter; Quintet does not.
    """

    only_passwords: bool = False
    start_tls: bool = False
    allow_clear_service_bind: bool = False
    guard_service_account: bool = False
    sasl_user: str | None = None
    allow_expired_passwords: bool = False
    login_domains: tuple[str, ...] = ()
    sign_in_limit: int = _usual("QUINTET_SIGN_IN_LIMIT")
    sign_in_network_limit: int = _usual("QUINTET_SIGN_IN_NETWORK_LIMIT")
    connections_per_task: int = _usual("ST_DB_LDAP_CONNECTIONS_NUMBER")
    bind_connections: int = 2 * _usual("ST_DB_LDAP_CONNECTIONS_NUMBER")
    pending_high: int = _usual("ST_DB_LDAP_PENDING_MAX")
    pending_low: int = _usual("ST_DB_LDAP_PENDING_LOW")
    max_results: int = _usual("ST_DB_LDAP_MAX_RESULTS")
    max_members: int = _usual("QUINTET_MAX_MEMBERS")
    browse: bool = True
    mail_shortcut: bool = True
    respray_interval: float | None = None
    operation_timeout: float = _usual("QUINTET_OPERATION_TIMEOUT")
    connect_timeout: float = _usual("QUINTET_CONNECT_TIMEOUT")
    refresh_interval: float = _INTERVALS["DirRefreshInterval"]
    config_refresh_interval: float = _INTERVALS["ConfigRefreshInterval"]
    resolve_blacklist: tuple[str, ...] = ()
    resolve_whitelist: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Which traces are on (config 2.10)."""

    ldap: bool = False
    tls: bool = False
    user_info: bool = False


@dataclass(frozen=True, slots=True)
class Detail:
    """One field of a business card (config 4.4). `attributes` are joined in order with `separator`."""

    id: str
    attributes: tuple[str, ...]
    type: str
    separator: str


@dataclass(frozen=True, slots=True)
class CardServer:
    """One `StorageDetails` of UserInfoConfig.xml (config 4.3).

    `start_tls` (`QUINTET_START_TLS`): with `ssl_enabled`, StartTLS on `port`, not TLS on `ssl_port`.
    """

    host: str
    port: int
    ssl_port: int
    ssl_enabled: bool
    account: Account | None
    base: DN
    scope: Scope
    filter: Template
    user_id_attribute: str | None
    person_class: str | None
    start_tls: bool = False
    place: Place = field(default=Place(CARDS), compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False, repr=False)

    def place_of(self, setting: str) -> Place:
        """Where a setting of the server is written; where it is not, the place of the server."""
        return self.places.get(setting, self.place)


@dataclass(frozen=True, slots=True)
class CardStorage:
    """One `Storage`: servers that share a mapping and a trust store, with `max_instances` connections."""

    servers: tuple[CardServer, ...]
    details: tuple[Detail, ...]
    tls: TlsSettings
    common_field: str
    max_instances: int = 1


@dataclass(frozen=True, slots=True)
class CardSettings:
    """UserInfoConfig.xml. `sets` maps a set number to Detail Ids; set 0 is for anonymous callers.

    `guard_account`: the level sends no password unencrypted, so the account's is not either.
    """

    storages: tuple[CardStorage, ...]
    sets: Mapping[int, tuple[str, ...]] = field(hash=False)
    search_only_by_common_field: bool = False
    search_timeout: float | None = None
    guard_account: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "sets", MappingProxyType(dict(self.sets)))


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything an administrator set, checked. `problems` are warnings and notes, never errors."""

    folder: Path
    servers: tuple[ServerSettings, ...]
    tls: TlsSettings
    directory: DirectorySettings
    cards: CardSettings | None
    traces: TraceSettings
    web: WebSettings = field(default_factory=WebSettings)
    sametime: SametimePortSettings = field(default_factory=SametimePortSettings)
    cluster: ClusterSettings | None = None
    problems: tuple[Diagnostic, ...] = field(default=(), compare=False)
