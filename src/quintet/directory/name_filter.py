"""A name as people type it, and the filter that it fills."""

from collections.abc import Callable

from quintet.ldap.errors import FilterSyntaxError

LONGEST_NAME = 1024
"""Octets. Nobody's name is longer, and a server may close the connection over a huge filter."""


def name_filter(fill: Callable[[str], bytes], name: str) -> bytes | None:
    """The filter for a name as typed; None for a name that is never searched for."""
    name = name.strip()
    try:
        if not 0 < len(name.encode("utf-8", "surrogateescape")) <= LONGEST_NAME:
            return None
        return fill(name)
    except (FilterSyntaxError, UnicodeError):
        return None
