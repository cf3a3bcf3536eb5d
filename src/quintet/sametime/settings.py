"""How the Sametime port is set up: everything that an administrator decides, as one frozen value."""

import ipaddress
from dataclasses import dataclass, field
from enum import Enum

from quintet.config import ServerLimits
from quintet.sametime.community import SignInRule

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class LegacyClients(Enum):
    """Which clients may connect without TLS (`QUINTET_LEGACY_CLIENTS`)."""

    LOOPBACK = "loopback"
    """Those on this machine."""
    ALLOW = "allow"
    """All, if they sign in by RC2/128 (type 4), which a determined listener can read."""
    REFUSE = "refuse"
    """None."""


@dataclass(frozen=True, slots=True)
class SametimeSettings:
    """What the port offers, and to whom. Times are in seconds unless their name says otherwise.

    `server_name` is what clients know the server by; they watch it for what the server offers.
    `search_order` has the labels of the directory servers in their order; empty if there is only one.
    `refresh_interval` is `DirRefreshInterval`. `admin_group` is a group's DN or name. `first_contacts` are
    public groups (ID and title) that fill the list of a user who never stored one.
    """

    address: str = "0.0.0.0"  # noqa: S104 # a server is to be reached
    port: int = 1533
    server_name: str = "quintet"
    node: str = "quintet"
    legacy_clients: LegacyClients = LegacyClients.LOOPBACK
    trusted_proxies: tuple[Network, ...] = ()
    sign_ins: SignInRule = SignInRule.MANY
    anonymous: bool = False
    recheck_minutes: float = 60.0
    admin_group: str | None = None
    refresh_interval: float = 3600.0
    search_order: tuple[str, ...] = ()
    browse: bool = True
    browse_pages: bool = False
    file_transfer: bool = True
    largest_file_kb: int = 0
    domains_allowed: tuple[str, ...] = ()
    domains_denied: tuple[str, ...] = ()
    user_info_url: str | None = None
    first_contacts: tuple[tuple[str, str], ...] = ()
    limits: ServerLimits = field(default_factory=ServerLimits)
