"""Keys of sametime.ini about a community of several servers: which Valkey, its keys, its name."""

import base64
import binascii
import errno
import os
import re
import stat
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import unquote

from quintet.config.ini_values import IniValues
from quintet.config.parsers import Value, invalid
from quintet.config.schema import CLUSTER_PREFIXES, KNOWN_INI
from quintet.config.tls_keys import read_tls
from quintet.diagnostics import Diagnostics, Finding, Severity
from quintet.secret import Secret
from quintet.tls import TlsSettings

_KEY = 32
_MOST_KEYS = 16
_LARGEST_KEY_FILE = 16 * 1024
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_URL = re.compile(
    r"(?P<kind>[A-Za-z+]+)://(?:(?P<user>[^@]*)@)?(?P<hosts>[^/?#@]*)(?P<path>(?:/[^/?#]*){0,3})"
)
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::([0-9]{1,5}))?")
_PORT, _SENTINEL_PORT = 6379, 26379
_SENTINEL = "sentinel"
_EXAMPLES = "rediss://USER:PASSWORD@HOST:6379 or rediss+sentinel://USER:PASSWORD@HOST:26379,HOST:26379/NAME"
_FORBIDDEN = stat.S_IWGRP | stat.S_IXGRP | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class ValkeyAddress:
    """Where Valkey is: its host, or its Sentinels and the `master` that they watch.

    `hosts` are names or addresses with their ports, several only with a `master`. An empty `user` is the
    default one. `database` is its number.
    """

    hosts: tuple[tuple[str, int], ...]
    encrypted: bool = False
    master: str = ""
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))
    database: int = 0

    @property
    def local(self) -> bool:
        """Whether nothing leaves this machine. With Sentinel it is unknown where the master will be."""
        return not self.master and all(_is_loopback(host) for host, _ in self.hosts)

    def __str__(self) -> str:
        hosts = ",".join(f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in self.hosts)
        return f"{self.master} of Sentinel {hosts}" if self.master else hosts


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """What this server shares with others. `keys` are 32 bytes in base64 each; the first one encrypts."""

    address: ValkeyAddress
    keys: tuple[Secret, ...]
    community: str = KNOWN_INI["quintet_community"].default
    tls: TlsSettings = field(default_factory=TlsSettings)


def read_cluster(values: IniValues, folder: Path, findings: Diagnostics) -> ClusterSettings | None:
    """The settings of the cluster; None for a server on its own. Relative paths count from `folder`."""
    read = values.reader(findings)
    value = read.value("QUINTET_CLUSTER")
    allowed = read.flag("QUINTET_ALLOW_UNENCRYPTED_CLUSTER")
    community = _name(values, "QUINTET_COMMUNITY", findings)
    _name(values, "QUINTET_NODE", findings)
    if value is None:
        return None
    try:
        address = parse_valkey_url(value.text.strip())
    except ValueError as error:
        fix = f"write it like {_EXAMPLES}"
        findings.add(Finding.Q150, value.place, value.key, f"{value.key}: {error}", fix)
        return None
    if not (address.encrypted or address.local):
        message = f"{value.key}: the connections to {address} are not encrypted"
        severity = Severity.WARNING if allowed else Severity.ERROR
        findings.add(Finding.Q152, value.place, value.key, message, severity=severity)
    tls = read_tls(values, folder, findings, CLUSTER_PREFIXES) if address.encrypted else TlsSettings()
    if address.encrypted and tls.trust_store is None:
        message = f"{value.key}: no trust store is set, so the certificate of {address} cannot be verified"
        findings.add(Finding.Q154, value.place, "QUINTET_CLUSTER_TLS_TRUST_STORE_FILE", message)
    if not _is_postgresql(read.text("QUINTET_DATABASE")):
        message = f"{value.key} is set, and contact lists are in a file of this server"
        database = values.get("QUINTET_DATABASE") or value
        findings.add(Finding.Q153, database.place, "QUINTET_DATABASE", message)
    return ClusterSettings(address, _keys(values, folder, value, findings), community, tls)


def parse_valkey_url(url: str) -> ValkeyAddress:
    """The address in a URL. The message of the ValueError for any other text holds no part of it."""
    found = _URL.fullmatch(url) if url.isascii() and len(url) <= 2048 else None
    if found is None:
        raise ValueError("it is not a URL of Valkey")
    kind, _, extra = found["kind"].lower().partition("+")
    if extra == "cluster":
        raise ValueError("Redis Cluster (several masters) is not supported; name one server, or Sentinels")
    if kind not in ("redis", "rediss", "valkey", "valkeys") or extra not in ("", _SENTINEL):
        raise ValueError("it names a kind of server that is not supported")
    usual = _SENTINEL_PORT if extra else _PORT
    hosts = tuple(_host(each, usual) for each in found["hosts"].split(","))
    if len(hosts) > 1 and not extra:
        raise ValueError("it names several servers, which needs Sentinel; Redis Cluster is not supported")
    parts = [unquote(each) for each in found["path"].split("/")[1:]]
    master = parts.pop(0) if extra and parts else ""
    if extra and not _NAME.fullmatch(master):
        raise ValueError("it does not name the master that the Sentinels watch")
    database = parts.pop(0) if parts else ""
    if any(parts) or not (database.isdecimal() or not database) or len(database) > 5:
        raise ValueError("what follows the host is not the number of a database")
    user, colon, password = (found["user"] or "").partition(":")
    if user and not colon:
        raise ValueError("it has a user without a password")
    encrypted = kind in ("rediss", "valkeys")
    secret = Secret(unquote(password))
    return ValkeyAddress(hosts, encrypted, master, unquote(user), secret, int(database or 0))


def _host(text: str, usual: int) -> tuple[str, int]:
    found = _HOST.fullmatch(text)
    if found is None or not 0 < int(found[2] or usual) <= 65_535:
        raise ValueError("it names no valid host and port")
    host = found[1].strip("[]")
    if ":" in host:
        try:
            ip_address(host)
        except ValueError:
            raise ValueError("it names no valid host and port") from None
    return host, int(found[2] or usual)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _is_postgresql(url: str) -> bool:
    return url.partition(":")[0].partition("+")[0].lower() in ("postgresql", "postgres")


def _name(values: IniValues, key: str, findings: Diagnostics) -> str:
    """A name that can be part of keys in Valkey."""
    value = values.get(key)
    if value is not None and not value.blank:
        if _NAME.fullmatch(value.text.strip()):
            return value.text.strip()
        invalid(value, "up to 64 letters, digits, dots, hyphens and underscores", findings)
    return KNOWN_INI[key.casefold()].default


def _keys(values: IniValues, folder: Path, cluster: Value, findings: Diagnostics) -> tuple[Secret, ...]:
    value = values.get("QUINTET_CLUSTER_KEY_FILE")
    if value is None or value.blank:
        message = f"{cluster.key} is set, and QUINTET_CLUSTER_KEY_FILE is not"
        findings.add(Finding.Q151, cluster.place, "QUINTET_CLUSTER_KEY_FILE", message)
        return ()
    path = folder / value.text.strip()
    try:
        return read_cluster_keys(path)
    except ValueError as error:
        findings.add(Finding.Q151, value.place, value.key, f"{path}: {error}")
    except OSError as error:
        findings.add(Finding.Q151, value.place, value.key, f"{path}: {error.strerror or error}")
    return ()


def read_cluster_keys(path: Path) -> tuple[Secret, ...]:
    """The keys in a key file, the first one first. Raises OSError, and ValueError without any part of a key.

    Blank lines and those that begin with # do not count.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is not a regular file")
    with path.open("rb") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        data = file.read(_LARGEST_KEY_FILE + 1)
    if mode & _FORBIDDEN:
        raise ValueError(f"other users may read or change it (mode {mode:04o}); it needs mode 0600")
    if len(data) > _LARGEST_KEY_FILE:
        raise ValueError(f"it has more than {_LARGEST_KEY_FILE} bytes")
    keys: list[Secret] = []
    for number, line in enumerate(data.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith(b"#"):
            continue
        try:
            key = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise ValueError(f"line {number} is not base64") from None
        if len(key) != _KEY:
            raise ValueError(f"line {number} has {len(key)} bytes; a key has {_KEY}")
        keys.append(Secret(text.decode("ascii")))
    if not keys or len(keys) > _MOST_KEYS:
        raise ValueError(f"it has {len(keys)} keys; it needs 1 to {_MOST_KEYS}")
    if len(set(keys)) < len(keys):
        raise ValueError("it has a key twice")
    return tuple(keys)
