"""Keys of sametime.ini about HTTP: where Quintet listens and which proxies it trusts (section `[Config]`)."""

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import urlsplit

from quintet.config.applications import ApplicationSettings, read_applications
from quintet.config.ini_values import IniValues
from quintet.config.parsers import SettingsReader, invalid
from quintet.config.schema import KNOWN_INI
from quintet.diagnostics import Diagnostics
from quintet.tls import TlsSettings

T = TypeVar("T")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_DOMAIN = re.compile(r"[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})+")

READY_NEEDS = ("directory", "cards", "database", "cluster")
"""What `QUINTET_READY_NEEDS` may name."""


def _usual(key: str) -> str:
    return KNOWN_INI[key.casefold()].default


@dataclass(frozen=True, slots=True)
class WebSettings:
    """The HTTP front. A port of 0 is not opened.

    `public_url` is the base of absolute links as `scheme://host[:port]`, empty when it is not set.
    `trusted_proxies` are the networks whose `X-Forwarded-…` is believed. `allow_unencrypted_sign_in`:
    passwords are accepted over unencrypted HTTP from other machines, too. `ready_needs` are the parts without
    which `/readyz` is red. `admin_group` is the name or DN of the administrators' group, empty for none.
    `allow_unencrypted_groups`: groups grant something also where they come over unencrypted connections.
    `return_origins` are those to which signing in may lead back. `cookie_domain` is the domain of the cookie
    for `applications`, empty for the host alone. `tls` is that of HTTPS, None for unencrypted HTTP.
    """

    address: str = _usual("QUINTET_ADDRESS")
    port: int = int(_usual("QUINTET_HTTP_PORT"))
    metrics_address: str = _usual("QUINTET_METRICS_ADDRESS")
    metrics_port: int = int(_usual("QUINTET_METRICS_PORT"))
    public_url: str = ""
    trusted_proxies: tuple[Network, ...] = ()
    allow_unencrypted_sign_in: bool = False
    people_pages: bool = True
    ready_needs: tuple[str, ...] = ()
    admin_group: str = ""
    allow_unencrypted_groups: bool = False
    return_origins: tuple[str, ...] = ()
    cookie_domain: str = ""
    applications: tuple[ApplicationSettings, ...] = ()
    tls: TlsSettings | None = None

    @property
    def grants(self) -> bool:
        """Whether anything is granted by groups and attributes of people."""
        return bool(self.admin_group or self.applications)

    def application(self, name: str) -> ApplicationSettings | None:
        return next((each for each in self.applications if each.name == name), None)


def read_web(values: IniValues, findings: Diagnostics) -> WebSettings:
    """The settings of HTTP. What can't be read is reported, and its default is used."""
    read = values.reader(findings)
    return WebSettings(
        address=_one(read, "QUINTET_ADDRESS", findings, _address, "an IP address"),
        port=read.number("QUINTET_HTTP_PORT"),
        metrics_address=_one(read, "QUINTET_METRICS_ADDRESS", findings, _address, "an IP address"),
        metrics_port=read.number("QUINTET_METRICS_PORT"),
        public_url=_one(
            read, "QUINTET_PUBLIC_URL", findings, origin_of_url, "a URL like https://people.example.com"
        ),
        trusted_proxies=_each(read, "QUINTET_TRUSTED_PROXIES", findings, ipaddress.ip_network, "IP networks"),
        allow_unencrypted_sign_in=read.flag("QUINTET_ALLOW_UNENCRYPTED_SIGN_IN"),
        people_pages=read.flag("QUINTET_PEOPLE_PAGES"),
        ready_needs=_each(
            read, "QUINTET_READY_NEEDS", findings, _part, f"a list of {', '.join(READY_NEEDS)}"
        ),
        admin_group=read.text("QUINTET_ADMIN_GROUP"),
        allow_unencrypted_groups=read.flag("QUINTET_ALLOW_UNENCRYPTED_GROUPS"),
        return_origins=_each(
            read, "QUINTET_RETURN_ORIGINS", findings, origin_of_url, "origins like https://wiki.example.com"
        ),
        cookie_domain=_one(
            read, "QUINTET_COOKIE_DOMAIN", findings, _domain, "a domain of two or more labels"
        ),
        applications=read_applications(values, findings),
    )


def _one(
    read: SettingsReader, name: str, findings: Diagnostics, parse: Callable[[str], str], expected: str
) -> str:
    text = read.text(name)
    try:
        return parse(text) if text else text
    except ValueError:
        value = read.value(name)
        assert value is not None, "the default of the schema is valid"
        invalid(value, expected, findings)
        return _usual(name)


def _each(
    read: SettingsReader, name: str, findings: Diagnostics, parse: Callable[[str], T], expected: str
) -> tuple[T, ...]:
    try:
        return tuple(parse(each) for each in read.words(name))
    except ValueError:
        value = read.value(name)
        assert value is not None, "an absent list is empty"
        invalid(value, expected, findings)
        return ()


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text.removeprefix("[").removesuffix("]")))


def _domain(text: str) -> str:
    name = text.casefold().removeprefix(".").removesuffix(".")
    if not _DOMAIN.fullmatch(name) or name.rpartition(".")[2].isdecimal():
        raise ValueError(text)
    return name


def _part(text: str) -> str:
    if text.casefold() not in READY_NEEDS:
        raise ValueError(text)
    return text.casefold()


def origin_of_url(text: str) -> str:
    """`scheme://host[:port]` in small letters (RFC 6454 6.1). Raises ValueError for anything else."""
    if not text.isascii() or any(ord(each) <= 0x20 or each in "\\@?#" for each in text):
        raise ValueError(text)
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/"):
        raise ValueError(text)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = 443 if parts.scheme == "https" else 80
    port = f":{parts.port}" if parts.port not in (None, usual) else ""
    return f"{parts.scheme}://{host}{port}"
