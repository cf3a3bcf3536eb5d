r"""Where signing in may lead back to.

Browsers read addresses in their own way: `/\evil.example` and `https:/evil.example` are other hosts to them,
tabs and line ends are dropped, and what stands before `@` is no host. So only addresses that every parser
reads alike are accepted, and their origin must be one of those in the settings, as a whole.
"""

import re
from collections.abc import Collection

LONGEST = 2048

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,252})|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?(?P<rest>[/?#][!#$%&'()*+,\-./0-9:;=?@A-Z^_a-z|~\[\]]*)?"
)
_USUAL = {"http": "80", "https": "443"}


def return_origin(address: str, origins: Collection[str]) -> str | None:
    """The origin of an address that is accepted, as it is in `origins`; None for all others."""
    if len(address) > LONGEST:
        return None
    # Scheme and host compare without case; nothing that isn't ASCII matches.
    head, slashes, rest = address.partition("://")
    host, _, _ = rest.partition("/")
    found = _ADDRESS.fullmatch(f"{head.lower()}{slashes}{host.lower()}{rest[len(host) :]}")
    if found is None or not address.isascii():
        return None
    port = found["port"]
    usual = port is None or port == _USUAL[found["scheme"]]
    origin = f"{found['scheme']}://{found['host']}" + ("" if usual else f":{port}")
    return origin if origin in origins else None
