"""What a setting is: its name, kind, bounds, default and meaning. The tables of them are in `schema`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any


class Kind(Enum):
    """What a value looks like, as an administrator reads it."""

    FLAG = "0 or 1"
    NUMBER = "whole number"
    SECONDS = "seconds"
    MINUTES = "minutes"
    PORT = "port"
    TEXT = "text"
    SECRET = "password"  # noqa: S105 - a kind of value, not a value
    ENCODED = "base64"
    PATH = "path"
    LIST = "comma-separated list"
    HOST = "host name"
    HOSTS = "host names, comma-separated"
    DN = "DN"
    FILTER = "LDAP filter"
    ATTRIBUTE = "attribute name"
    CHOICE = "one of"
    GROUPS = "names or DNs of groups, semicolon-separated"
    DATABASE = "database URL"
    CLUSTER = "URL of Valkey or Redis"

    @property
    def is_secret(self) -> bool:
        """Whether a value is never shown."""
        return self in (Kind.SECRET, Kind.DATABASE, Kind.CLUSTER)


@dataclass(frozen=True, slots=True)
class Setting:
    """A key of sametime.ini, or an attribute of an XML element.

    `default` is as an administrator would write it, empty for none. The first of `sections` is the documented
    one; XML settings have none. `aliases` are other names in use. `bounds` are the least and the greatest
    number. `unused` tells why Quintet does not act on the setting, and is empty when it does; one that is
    `quiet` belongs to another part of Sametime, so that check does not mention it. `security`: a misspelling
    of it could leave connections less protected than intended.
    """

    name: str
    kind: Kind
    meaning: str
    default: str = ""
    bounds: tuple[int, int] = (0, 10**9)
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    source: str = ""
    security: bool = False
    unused: str = ""
    quiet: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return (self.name, *self.aliases)


def names_of(settings: Iterable[Setting]) -> frozenset[str]:
    """All names and aliases, in small letters: names compare without case (row C43)."""
    return frozenset(name.casefold() for setting in settings for name in setting.names)


def security_names(settings: Iterable[Setting]) -> frozenset[str]:
    """Names of which a misspelling could leave connections less protected than intended."""
    return frozenset(name for setting in settings if setting.security for name in setting.names)


def group(source: str, *settings: Setting, **common: Any) -> tuple[Setting, ...]:
    """Settings that have their source in common, and what else is given."""
    return tuple(replace(setting, source=source, **common) for setting in settings)
