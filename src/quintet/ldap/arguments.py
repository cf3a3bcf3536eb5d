"""What callers give to operations: checked and converted before anything is sent.

A wrong type is a TypeError, a wrong value a ValueError, and text that UTF-8 cannot carry a
LocalProtocolError. No message repeats a value: it may be a password.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from enum import IntEnum

from quintet.ldap.attributes import DESCRIPTION
from quintet.ldap.ber import MAX_INT
from quintet.ldap.dn import DN
from quintet.ldap.errors import NO_TEXT, LocalProtocolError

Value = str | bytes
"""A value of an attribute. `str` is sent as UTF-8."""

Name = str | DN
"""A DN, as text or parsed. Text is sent as it is: what it means is for the server to say."""


class Scope(IntEnum):
    """How far below its base a search looks (RFC 4511 section 4.5.1.2)."""

    BASE = 0
    """The base alone."""

    ONE_LEVEL = 1
    """The entries directly below the base, without the base."""

    SUBTREE = 2
    """The base and everything below it."""


class Deref(IntEnum):
    """Where a search follows aliases (RFC 4511 section 4.5.1.3)."""

    NEVER = 0
    """Nowhere: an alias is an entry like any other."""

    SEARCHING = 1
    """Below the base."""

    FINDING = 2
    """In finding the base."""

    ALWAYS = 3
    """Everywhere."""


_DESCRIPTION = re.compile(DESCRIPTION)


def dn_text(dn: Name, what: str = "a DN") -> str:
    if isinstance(dn, str):
        return dn
    if isinstance(dn, DN):
        return str(dn)
    raise TypeError(f"{what} is str or DN, not {type(dn).__name__}")


def attribute_name(name: str) -> str:
    if not isinstance(name, str):
        raise TypeError(f"the name of an attribute is str, not {type(name).__name__}")
    if not _DESCRIPTION.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of an attribute")
    return name


def value_bytes(value: Value, what: str = "a value", operation: str | None = None) -> bytes:
    """The bytes of a value; surrogates stand for bytes that are not UTF-8 (PEP 383)."""
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str):
        raise TypeError(f"{what} is str or bytes, not {type(value).__name__}")
    # Python's error holds the text, so ours must not be raised while that one is handled.
    with suppress(UnicodeEncodeError):
        return value.encode("utf-8", "surrogateescape")
    raise LocalProtocolError(NO_TEXT, operation=operation)


def value_list(name: str, values: Iterable[Value]) -> tuple[bytes, ...]:
    if isinstance(values, str | bytes | bytearray | memoryview):
        raise TypeError(f"the values of {name!r} are a list: a single value goes into brackets")
    if not isinstance(values, Iterable):
        raise TypeError(f"the values of {name!r} are a list, not {type(values).__name__}")
    return tuple(value_bytes(value, f"each value of {name!r}") for value in values)


def attribute_values(attributes: Mapping[str, Iterable[Value]]) -> dict[str, list[bytes]]:
    """The attributes of a new entry. Each has at least one value (RFC 4511 section 4.7)."""
    if not isinstance(attributes, Mapping):
        raise TypeError(f"attributes are a dict of lists, not {type(attributes).__name__}")
    found = {attribute_name(name): [*value_list(name, values)] for name, values in attributes.items()}
    for name, values in found.items():
        if not values:
            raise ValueError(f"{name!r} has no values: leave it out of the new entry")
    return found


def attribute_names(names: Iterable[str]) -> tuple[str, ...]:
    if isinstance(names, str | bytes):
        raise TypeError("attributes are a list of names: a single name goes into brackets")
    return tuple(names)


def check_search(
    base: str,
    scope: int,
    attributes: tuple[str, ...],
    deref: int,
    size_limit: int,
    time_limit: int,
    types_only: bool,
) -> None:
    """What is in a search request besides the filter."""
    if not isinstance(base, str):
        raise TypeError(f"the base is str or DN, not {type(base).__name__}")
    for name in attributes:
        if not isinstance(name, str):
            raise TypeError(f"the name of an attribute is str, not {type(name).__name__}")
    for what, number, most in (
        ("scope", scope, max(Scope)),
        ("deref", deref, max(Deref)),
        ("size_limit", size_limit, MAX_INT),
        ("time_limit", time_limit, MAX_INT),
    ):
        if not isinstance(number, int) or isinstance(number, bool):
            raise TypeError(f"{what} is an int, not {type(number).__name__}")
        if not 0 <= number <= most:
            raise ValueError(f"{what} is {number}, which is not between 0 and {most}")
    if not isinstance(types_only, bool):
        raise TypeError(f"types_only is a bool, not {type(types_only).__name__}")
