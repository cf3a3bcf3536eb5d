"""LDAP URLs (RFC 4516): `ldap://host:port/dn?attributes?scope?filter?extensions`, also `ldaps` and `ldapi`.

They say where to connect, and name searches: servers send them as referrals.
"""

import re
from dataclasses import dataclass
from typing import Final, final
from urllib.parse import quote, unquote_to_bytes

from quintet.ldap.address import Address
from quintet.ldap.arguments import Scope
from quintet.ldap.errors import FilterSyntaxError, UrlSyntaxError
from quintet.ldap.filters import Filter, parse

PORTS: Final = {"ldap": 389, "ldaps": 636}
"""The port where a URL names none."""

LDAPI_PATH: Final = "/var/run/slapd/ldapi"
"""The socket where an `ldapi` URL names none: that of OpenLDAP on Debian."""

_LONGEST = 65_536
_SCOPES = {"base": Scope.BASE, "one": Scope.ONE_LEVEL, "sub": Scope.SUBTREE}
_SCOPE_NAMES = {scope: name for name, scope in _SCOPES.items()}

# ldapurl = scheme COLON SLASH SLASH [host [COLON port]] [SLASH dn [QUESTION ... ]]
_URL = re.compile(r"(?P<scheme>[A-Za-z]+)://(?P<server>[^/]*)(?:/(?P<rest>.*))?", re.DOTALL)
_SERVER = re.compile(
    r"(?:\[(?P<literal>[0-9A-Fa-f:.]+(?:%[^\]]+)?)\]|(?P<name>[^\[\]@:]*))(?::(?P<port>[0-9]{0,5}))?"
)
_EXTENSION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)*")
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_SAFE = "=+;:@!$&'()*/"
"""What needs no percent sign in any part; the comma only where it separates nothing."""


@dataclass(frozen=True, slots=True)
class UrlExtension:
    """An extension of an LDAP URL (RFC 4516 section 2).

    Attributes:
        name: Its name or OID.
        value: Its value; None without one.
        critical: Whether the URL must not be used by a client that does not know the extension.
    """

    name: str
    value: str | None = None
    critical: bool = False

    def __str__(self) -> str:
        value = "" if self.value is None else "=" + _quoted(self.value)
        return f"{'!' if self.critical else ''}{self.name}{value}"


@final
@dataclass(frozen=True, slots=True)
class LdapUrl:
    """An LDAP URL. `LdapUrl.parse` makes one from text, and `str(url)` is the text.

    Attributes:
        scheme: `ldap`, `ldaps` or `ldapi`.
        host: The host name or IP address, or the path of the socket for `ldapi`; empty if the URL names none.
        port: The port; None for the usual one.
        dn: Where to search.
        attributes: The attributes to return; empty for all.
        scope: How far to search. None if the URL does not say: that is the base, but in a search reference
            the scope of the search that led to it (RFC 4511 section 4.5.3).
        filter: What to search for. None if the URL does not say: that is every entry, but in a search
            reference the filter of the search that led to it.
        extensions: What else the URL asks for.
    """

    scheme: str = "ldap"
    host: str = ""
    port: int | None = None
    dn: str = ""
    attributes: tuple[str, ...] = ()
    scope: Scope | None = None
    filter: Filter | None = None
    extensions: tuple[UrlExtension, ...] = ()

    @staticmethod
    def parse(text: str) -> "LdapUrl":
        """A URL from its text.

        Args:
            text: For example `ldap://ldap.example.com/o=example?cn,mail?sub?(sn=Lee)`.

        Returns:
            The URL, with every part decoded.

        Raises:
            UrlSyntaxError: The text is not an LDAP URL; `position` says where.
        """
        return _parse(text)

    @property
    def address(self) -> Address:
        """Where to connect. Raises UrlSyntaxError if the URL names no host or has a critical extension."""
        for extension in self.extensions:
            if extension.critical:
                raise UrlSyntaxError(
                    f"the URL has the critical extension {extension.name!r}, which is not supported"
                )
        if self.scheme == "ldapi":
            return Address.unix(self.host or LDAPI_PATH)
        if not self.host:
            raise UrlSyntaxError("the URL names no host")
        return Address(self.host, self.port or PORTS[self.scheme])

    def __str__(self) -> str:
        host = self.host
        if self.scheme == "ldapi":
            host = quote(host, safe="", errors="surrogateescape")
        elif ":" in host:
            host = f"[{host.replace('%', '%25')}]"
        else:
            host = quote(host, safe="", errors="surrogateescape")
        port = f":{self.port}" if self.port is not None else ""
        parts = [
            _quoted(self.dn, ","),
            ",".join(_quoted(each) for each in self.attributes),
            _SCOPE_NAMES[self.scope] if self.scope is not None else "",
            _quoted(str(self.filter), ",") if self.filter is not None else "",
            ",".join(map(str, self.extensions)),
        ]
        while parts and not parts[-1]:
            parts.pop()
        return f"{self.scheme}://{host}{port}" + ("/" + "?".join(parts) if parts else "")


def _quoted(text: str, safe: str = "") -> str:
    return quote(text, safe=_SAFE + safe, errors="surrogateescape")


def _parse(text: str) -> LdapUrl:
    if not isinstance(text, str):
        raise TypeError(f"a URL is str, not {type(text).__name__}")
    if len(text) > _LONGEST:
        raise UrlSyntaxError(f"a URL of more than {_LONGEST} characters")
    found = _URL.fullmatch(text)
    scheme = found["scheme"].lower() if found else ""
    if found is None or scheme not in (*PORTS, "ldapi"):
        raise UrlSyntaxError("expected ldap://, ldaps:// or ldapi://")
    host, port = _server(found["server"], found.start("server"), scheme)
    parts = (found["rest"] or "").split("?", 4)
    at = [found.start("rest")]
    for part in parts:
        at.append(at[-1] + len(part) + 1)
    dn, attributes, scope, tree, extensions = (*parts, "", "", "", "")[:5]
    if scope and scope.lower() not in _SCOPES:
        raise UrlSyntaxError("expected base, one or sub", at[2])
    return LdapUrl(
        scheme,
        host,
        port,
        _decoded(dn, at[0]),
        tuple(_decoded(each, at[1]) for each in attributes.split(",")) if attributes else (),
        _SCOPES[scope.lower()] if scope else None,
        _filter(tree, at[3]) if tree else None,
        tuple(_extension(each, at[4]) for each in extensions.split(",")) if extensions else (),
    )


def _server(text: str, at: int, scheme: str) -> tuple[str, int | None]:
    if scheme == "ldapi":
        return _decoded(text, at), None
    found = _SERVER.fullmatch(text)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or (port is not None and not 0 < port < 65536) or _CONTROL.search(text):
        raise UrlSyntaxError("expected HOST or HOST:PORT", at)
    if found["literal"]:
        return found["literal"].replace("%25", "%"), port
    host = _decoded(found["name"], at)
    if _CONTROL.search(host) or any(char in host for char in "/?#[]@:"):
        raise UrlSyntaxError("expected HOST or HOST:PORT", at)
    return host, port


def _decoded(text: str, at: int) -> str:
    if (bad := _BAD_PERCENT.search(text)) is not None:
        raise UrlSyntaxError("expected two hexadecimal digits after '%'", at + bad.start())
    try:
        return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    except UnicodeEncodeError as error:
        raise UrlSyntaxError("half of a surrogate pair", at + error.start) from None


def _filter(text: str, at: int) -> Filter:
    try:
        return parse(_decoded(text, at))
    except FilterSyntaxError as error:
        raise UrlSyntaxError(f"the filter of the URL: {error.message}", at) from error


def _extension(text: str, at: int) -> UrlExtension:
    name, separator, value = text.removeprefix("!").partition("=")
    if not _EXTENSION_NAME.fullmatch(name):
        raise UrlSyntaxError("expected the name of an extension", at)
    return UrlExtension(name, _decoded(value, at) if separator else None, text.startswith("!"))
