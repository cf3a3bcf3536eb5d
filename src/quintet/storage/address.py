"""Where values are kept: from the URL in the settings to a file, or to a PostgreSQL server and its TLS.

A URL may have fewer parameters than drivers know: one that a driver takes for a password must not be shown,
and a TLS mode that verifies nothing must not look as if it did.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Self

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from quintet.storage.errors import DatabaseUrlError, StorageUnavailableError

DEFAULT_FILE: Final = "quintet.db"

_PARAMETERS: Final = frozenset({"sslmode", "sslrootcert", "host", "target_session_attrs", "passfile"})
_TLS_MODES: Final = {"disable": None, "verify-ca": False, "verify-full": True}
_EXAMPLES: Final = "Use sqlite:///quintet.db or postgresql://USER:PASSWORD@HOST/DATABASE"


class DatabaseKind(Enum):
    SQLITE = "sqlite"
    POSTGRESQL = "postgresql"


@dataclass(frozen=True, slots=True)
class DatabaseTls:
    """How the server's certificate is verified.

    `roots` is a PEM file with CA certificates, None for those of the system. `names_host`: the certificate
    must name the host.
    """

    roots: str | None = None
    names_host: bool = True

    def context(self) -> ssl.SSLContext:
        """Raises StorageUnavailableError for a file that cannot be used."""
        try:
            context = ssl.create_default_context(cafile=self.roots)
        except OSError as error:  # of a missing file, and of one that is not PEM
            raise StorageUnavailableError(
                f"{self.roots} cannot be used to verify the database server ({error.strerror})",
                fix="sslrootcert names a PEM file with the CA certificate of the server",
            ) from error
        context.check_hostname = self.names_host
        return context


@dataclass(frozen=True, slots=True)
class DatabaseAddress:
    """Where values are kept. `location` is a file's path, or asyncpg's URL, which may hold a password.

    Without `tls` the connection to PostgreSQL is unencrypted; over a Unix socket it is in any case.
    """

    kind: DatabaseKind
    location: str
    tls: DatabaseTls | None = None

    @classmethod
    def parse(cls, url: str, folder: Path) -> Self:
        """The address in a URL; relative paths are below `folder`. Empty is a SQLite file there.

        `sqlite:///FILE`, `postgresql://USER:PASSWORD@HOST/DATABASE?sslmode=verify-full&sslrootcert=FILE`.
        Without `sslmode` it is `verify-full`, and `disable` for a host that is this machine. Raises
        DatabaseUrlError, which never shows the password.
        """
        if not url.strip():
            return cls(DatabaseKind.SQLITE, str(folder / DEFAULT_FILE))
        try:
            parsed = make_url(url.strip())
        except (ArgumentError, ValueError):
            raise DatabaseUrlError("the database is not given as a URL", fix=_EXAMPLES) from None
        name = parsed.drivername.partition("+")[0]
        if name == "sqlite":
            if not parsed.database or parsed.database == ":memory:":
                raise DatabaseUrlError("the SQLite URL names no file", fix=_EXAMPLES)
            return cls(DatabaseKind.SQLITE, str(folder / parsed.database))
        if name in ("postgresql", "postgres"):
            plain, tls = _postgresql(parsed, folder)
            return cls(DatabaseKind.POSTGRESQL, plain.render_as_string(hide_password=False), tls)
        raise DatabaseUrlError(f"databases of the kind {name!r} are not supported", fix=_EXAMPLES)

    @property
    def shown(self) -> str:
        """The address for logs and messages, without the password."""
        if self.kind is DatabaseKind.SQLITE:
            return self.location
        return make_url(self.location).render_as_string(hide_password=True)

    def __repr__(self) -> str:
        return f"DatabaseAddress({self.kind.name}, {self.shown!r})"


def _postgresql(url: URL, folder: Path) -> tuple[URL, DatabaseTls | None]:
    query = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    if not query.keys() <= _PARAMETERS:
        allowed = ", ".join(sorted(_PARAMETERS))
        raise DatabaseUrlError(
            "the database URL has a parameter that is not supported", fix=f"Use only {allowed}"
        )
    if "@" in (url.host or ""):
        raise DatabaseUrlError(
            "the database URL has several @", fix="Write an @ in the user name or in the password as %40"
        )
    mode, roots = query.pop("sslmode", None), query.pop("sslrootcert", None)
    if mode is not None and mode not in _TLS_MODES:
        raise DatabaseUrlError(
            "the sslmode of the database URL does not verify the server, or is unknown",
            fix="Use sslmode=verify-full with sslrootcert=FILE; sslmode=disable does not encrypt",
        )
    if "passfile" in query:
        query["passfile"] = str(folder / query["passfile"])
    hosts = query.get("host", url.host or "").split(",")
    names_host = _TLS_MODES[mode] if mode else (None if _are_here(hosts) else True)
    tls = None
    if names_host is not None:
        tls = DatabaseTls(str(folder / roots) if roots else None, names_host)
    return url.set(drivername="postgresql", query=query), tls


def _are_here(hosts: Sequence[str]) -> bool:
    """Whether all hosts are Unix sockets or loopback addresses."""
    return all(each.startswith("/") or _is_loopback(each) for each in hosts)


def _is_loopback(host: str) -> bool:
    """`host` may have a port: 127.0.0.1:5432, [::1]:5432."""
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
