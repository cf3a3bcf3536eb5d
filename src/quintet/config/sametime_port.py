"""The keys of sametime.ini about the port for Sametime clients: who may sign in, how, and the bounds.

The address, the trusted proxies and the administrators' group are those of `web_settings`.
"""

from dataclasses import dataclass, field
from enum import IntEnum
from urllib.parse import urlsplit

from quintet.config.ini_values import IniValues
from quintet.config.parsers import SettingsReader, invalid
from quintet.config.schema import KNOWN_INI, PORT_PREFIXES
from quintet.config.server_limits import ServerLimits, limits_table
from quintet.diagnostics import Diagnostics, Finding
from quintet.ldap import DN, DNSyntaxError
from quintet.secret import Secret
from quintet.tls import TlsSettings

_NO_DATABASE = Secret("")
_KINDS = ("sqlite", "postgresql", "postgres")
_EXAMPLES = "sqlite:///quintet.db or postgresql://USER:PASSWORD@HOST/DATABASE"


class ClientCertificates(IntEnum):
    """Whether clients are asked for a certificate (`TLS_CLIENT_AUTH`)."""

    NONE = 0
    WANT = 1
    NEED = 2


def _usual(key: str) -> str:
    return KNOWN_INI[key.casefold()].default


@dataclass(frozen=True, slots=True)
class SametimePortSettings:
    """The port for Sametime clients. A port of 0 is not opened.

    `tls` has the port's own key and certificate; without a key store there is no TLS. `legacy_clients` and
    `sign_ins` are words of the schema. `database` is a URL, empty for a file beside the settings.
    `first_contacts` are public groups. `node` is empty for the machine's name. `largest_file` is in KB, 0 for
    no limit.
    """

    port: int = int(_usual("VPMX_PORT"))
    tls: TlsSettings = field(default_factory=TlsSettings)
    client_certificates: ClientCertificates = ClientCertificates.NONE
    legacy_clients: str = _usual("QUINTET_LEGACY_CLIENTS")
    sign_ins: str = _usual("QUINTET_SIGN_INS")
    anonymous: bool = False
    recheck_minutes: int = int(_usual("QUINTET_RECHECK_MINUTES"))
    database: Secret = _NO_DATABASE
    first_contacts: tuple[DN, ...] = ()
    node: str = ""
    browse_pages: bool = False
    file_transfer: bool = True
    largest_file: int = int(_usual("QUINTET_MAX_FILE_KB"))
    limits: ServerLimits = field(default_factory=ServerLimits)


def read_port(values: IniValues, findings: Diagnostics) -> SametimePortSettings:
    """The settings of the port but for `tls`. What can't be read is reported, and its default is used."""
    read = values.reader(findings)
    limits = {each.name: read.number(each.setting) for each in limits_table()}
    return SametimePortSettings(
        port=read.number("VPMX_PORT"),
        client_certificates=_client_certificates(values, read),
        legacy_clients=_word(read, "QUINTET_LEGACY_CLIENTS"),
        sign_ins=_word(read, "QUINTET_SIGN_INS"),
        anonymous=read.flag("QUINTET_ANONYMOUS_USERS"),
        recheck_minutes=read.number("QUINTET_RECHECK_MINUTES"),
        database=_database(read, findings),
        first_contacts=_groups(read, findings),
        node=read.text("QUINTET_NODE"),
        browse_pages=read.flag("QUINTET_BROWSE_PAGES"),
        file_transfer=read.flag("QUINTET_FILE_TRANSFER"),
        largest_file=read.number("QUINTET_MAX_FILE_KB"),
        limits=ServerLimits(**limits),
    )


def _word(read: SettingsReader, name: str) -> str:
    return read.choice(name, {word: word for word in KNOWN_INI[name.casefold()].choices})


def _client_certificates(values: IniValues, read: SettingsReader) -> ClientCertificates:
    for prefix in PORT_PREFIXES:
        if values.get(f"{prefix}TLS_CLIENT_AUTH") is not None:
            return ClientCertificates(read.number(f"{prefix}TLS_CLIENT_AUTH"))
    return ClientCertificates.NONE


def _database(read: SettingsReader, findings: Diagnostics) -> Secret:
    value = read.value("QUINTET_DATABASE")
    if value is None:
        return _NO_DATABASE
    problem = _url_problem(value.text.strip())
    if problem is not None:
        message = f"{value.key} {problem}"
        findings.add(Finding.Q110, value.place, value.key, message, f"write it like {_EXAMPLES}")
        return _NO_DATABASE
    return Secret(value.text.strip())


def _groups(read: SettingsReader, findings: Diagnostics) -> tuple[DN, ...]:
    value = read.value("QUINTET_FIRST_CONTACTS")
    found = []
    for part in value.text.split(";") if value else ():
        try:
            dn = DN.parse(part.strip())
        except DNSyntaxError:
            assert value is not None
            invalid(value, "DNs of groups, separated by ;", findings, code=Finding.Q62, text=part)
            continue
        if dn.rdns:
            found.append(dn)
    return tuple(found)


def _url_problem(url: str) -> str | None:
    """What is wrong with a database URL, without any secret part; None for one that can be used."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    kind = parts.scheme.partition("+")[0]
    if not kind or "://" not in url:
        return "is not a URL"
    if kind not in _KINDS:
        return "names a kind of database that is not supported"
    if kind == "sqlite":
        return _file_problem(parts.netloc, parts.path)
    return None if parts.path.strip("/") else "names no database"


def _file_problem(host: str, path: str) -> str | None:
    if host:
        return "has two slashes where SQLite needs three"
    return "names no file" if path in ("", "/", "/:memory:") else None
