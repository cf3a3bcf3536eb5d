"""How TLS shall be done: a frozen value, made from settings and turned into a context elsewhere."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path

from quintet.diagnostics import Place
from quintet.secret import Secret


class StoreKind(Enum):
    """The file formats of trust and key stores. `.pfx` is PKCS#12 under its other name."""

    PKCS12 = "p12"
    JKS = "jks"


class SecurityLevel(IntEnum):
    """The least strength of algorithms and certificates (reference 2.7)."""

    NONE = 0
    SP800_131A_TRANSITION = 1
    SP800_131A_STRICT = 2
    SUITE_B_128 = 3
    SUITE_B_192 = 4


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an effective value came from: the key as it is written, and its place."""

    key: str
    place: Place


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """A store file and how to open it. `password` is None when the stash shall give it."""

    path: Path
    kind: StoreKind
    password: Secret | None = None
    stash: Path | None = None


@dataclass(frozen=True, slots=True)
class SettingNames:
    """What the settings of a connection are called where an administrator writes them: cures name these.

    `prefix` is that of its TLS keys; None where it has none, and only host and store can be set.
    """

    host: str = "the server's host name"
    store: str = "the TLS keys of sametime.ini"
    prefix: str | None = "STLDAP_TLS_"


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """Everything that decides a TLS connection, apart from the host.

    `suites` are OpenSSL names of TLS 1.2 and older, in order of preference; empty means our defaults.
    `suites_13` likewise for TLS 1.3. `trusted_hosts` are names (with wildcards by component), of which one
    must match the certificate, beside the configured host name. `origins` tells for each field name
    where it came from, `keys` where it would have to be changed.
    """

    trust_store: StoreLocation | None = None
    key_store: StoreLocation | None = None
    key_label: str | None = None
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
    suites: tuple[str, ...] = ()
    suites_13: tuple[str, ...] = ()
    level: SecurityLevel = SecurityLevel.NONE
    fips: bool = False
    trusted_hosts: tuple[str, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict, compare=False, hash=False)
    keys: SettingNames = field(default=SettingNames(), compare=False)


def version_name(version: ssl.TLSVersion) -> str:
    """A version as people call it: "TLS 1.2"."""
    return {"TLSv1": "TLS 1.0", "SSLv3": "SSLv3"}.get(
        version.name, version.name.replace("TLSv", "TLS ").replace("_", ".")
    )
