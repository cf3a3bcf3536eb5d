"""Sametime IDs by their meaning: what tells users and groups apart, however a client writes their id.

An ID is a DN or the value of an attribute. Clients keep IDs for years and send them in any case and spacing,
so everything here is kept under the ID's key, and sent to a client in the client's own bytes (P73).
"""

import hashlib
from functools import lru_cache
from typing import Final

from quintet.ldap import DN, DNSyntaxError, escape_dn_value
from quintet.ldap.dn import fold, type_key

_CACHED: Final = 20_000
_CACHED_LENGTH: Final = 512


def id_key(identifier: str) -> str:
    """A text that is equal for IDs of the same meaning: DNs compare as such, others without case and spacing.

    Takes any text. An ID that is not a valid DN is compared as plain text.
    """
    return _cached(identifier) if len(identifier) <= _CACHED_LENGTH else _key(identifier)


def id_digest(identifier: str) -> str:
    """SHA-256 of the key in hexadecimal: an ID of any length as a name of 64 characters."""
    return hashlib.sha256(id_key(identifier).encode("utf-8", "surrogatepass")).hexdigest()


def _key(identifier: str) -> str:
    try:
        name = DN.parse(identifier)
        if name:
            return ",".join("+".join(sorted(map(_pair, rdn))) for rdn in name.rdns)
    except (DNSyntaxError, UnicodeEncodeError):
        pass
    return fold(identifier)


_cached = lru_cache(_CACHED)(_key)


def _pair(pair: tuple[str, str | bytes]) -> str:
    kind, value = pair
    return f"{type_key(kind)}=" + (
        escape_dn_value(fold(value)) if isinstance(value, str) else "#" + value.hex()
    )
