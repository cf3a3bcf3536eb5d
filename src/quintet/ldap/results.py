"""What a server answers with: entries, controls, result codes, and what a whole search brought."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import final

from quintet.ldap.attributes import SECRETS, description_keys, type_key

_RANGE = re.compile(r"range=[0-9]{1,10}-([0-9]{1,10})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Control:
    """Something added to a request or to an answer (RFC 4511 section 4.1.11).

    `quintet.ldap` has a class for each control that it knows, such as `PagedResults`; any other can be given
    like this, with its value encoded.

    Attributes:
        oid: What kind of control it is.
        critical: Whether a server that does not know it must refuse the request.
        value: Its value, mostly in BER; None for a control that has none. No `repr` shows it.
    """

    oid: str
    critical: bool = False
    value: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """How an operation ended (RFC 4511 section 4.1.9).

    Attributes:
        code: The result code; 0 is success.
        matched_dn: The nearest entry above one that does not exist.
        diagnostic: The server's own text, in no particular form.
        referrals: LDAP URLs of servers that have the answer.
    """

    code: int = 0
    matched_dn: str = ""
    diagnostic: str = ""
    referrals: tuple[str, ...] = ()


@final
class Entry:
    """What a search finds (RFC 4511 section 4.5.2).

    `get`, `text` and `texts` take any spelling of an attribute's name: `CN`, `commonName` and `2.5.4.3` all
    find `cn`. Options that only say how values are transferred do not count: `userCertificate` finds
    `userCertificate;binary`, and `member` finds the part that Active Directory sends as `member;range=0-1499`
    (see `next_range`). Other options make a different attribute: `cn` does not find `cn;lang-de`, which has
    to be named.

    Two entries are equal if their DNs, as text, and their attributes are equal; controls do not count.

    Attributes:
        dn: The DN as the server writes it; `DN.parse(entry.dn)` gives its parts. Bytes that are not UTF-8 are
            surrogates (PEP 383).
        attributes: The values of each attribute, under its name as the server spells it.
    """

    # Not a frozen dataclass: that takes twice as long to make, and a search makes thousands. The controls of
    # an entry, which are rare, are in a slot that is empty where there are none.
    __slots__ = ("_controls", "attributes", "dn")
    __match_args__ = ("dn", "attributes")

    def __init__(self, dn: str, attributes: dict[str, list[bytes]]) -> None:
        self.dn = dn
        self.attributes = attributes

    @property
    def controls(self) -> tuple[Control, ...]:
        """The controls that came with this entry."""
        try:
            return self._controls
        except AttributeError:
            return ()

    def with_controls(self, controls: tuple[Control, ...]) -> "Entry":
        """The same entry with other controls.

        Args:
            controls: What `controls` of the new entry gives.

        Returns:
            A new entry, which shares its attributes with this one.
        """
        copy = Entry(self.dn, self.attributes)
        copy._controls = controls
        return copy

    def get(self, name: str) -> list[bytes]:
        """The values of an attribute.

        Args:
            name: The attribute, in any spelling, with its options if it has any.

        Returns:
            The values in the order in which they came; an empty list if there are none, or none to be read.
        """
        return self.attributes.get(name) or self._find(name)

    def text(self, name: str) -> str | None:
        """The first value of an attribute as text.

        Args:
            name: The attribute, in any spelling, with its options if it has any.

        Returns:
            The value, with U+FFFD in place of bytes that are not UTF-8; None if there is no value.
        """
        values = self.get(name)
        return values[0].decode("utf-8", "replace") if values else None

    def texts(self, name: str) -> list[str]:
        """The values of an attribute as text.

        Args:
            name: The attribute, in any spelling, with its options if it has any.

        Returns:
            The values in the order in which they came, with U+FFFD in place of bytes that are not UTF-8.
        """
        return [value.decode("utf-8", "replace") for value in self.get(name)]

    def next_range(self, name: str) -> str | None:
        """What to ask for next when a server sends the values of an attribute in parts.

        Active Directory sends 1,500 values of `member` at once, as `member;range=0-1499`. Read the same entry
        again with the attribute that this method gives, until it gives None.

        Args:
            name: The attribute without a range, in any spelling.

        Returns:
            For example `member;range=1500-*`; None if all values have come.
        """
        wanted = type_key(name)
        for each in self.attributes:
            kind, _, options = each.partition(";")
            if type_key(kind) == wanted and (found := _RANGE.fullmatch(options)) is not None:
                return f"{kind};range={int(found[1]) + 1}-*"
        return None

    def _find(self, name: str) -> list[bytes]:
        """The values by the name of the type, else by the type itself, whatever its name is."""
        wanted_name, wanted_type = description_keys(name)
        by_name: list[bytes] = []
        by_type: list[bytes] = []
        for each, values in self.attributes.items():
            its_name, its_type = description_keys(each)
            if its_name == wanted_name:
                by_name += values
            elif its_type == wanted_type:
                by_type += values
        return by_name or by_type

    def __eq__(self, other: object) -> bool:
        if type(other) is not Entry:
            return NotImplemented
        return self.dn == other.dn and self.attributes == other.attributes

    __hash__ = None  # type: ignore[assignment]  # it can be changed, as a list can

    def __repr__(self) -> str:
        return f"Entry({self.dn!r}, {shown_values(self.attributes)})"

    _controls: tuple[Control, ...]


def shown_values(attributes: Mapping[str, Sequence[bytes]]) -> str:
    """The attributes for a `repr`: without the values of those that hold passwords and the like."""
    shown = (
        f"{name!r}: {'...' if type_key(name.partition(';')[0]) in SECRETS else list(values)}"
        for name, values in attributes.items()
    )
    return f"{{{', '.join(shown)}}}"


@dataclass(slots=True)
class SearchResult:
    """What a search brought. Iterating over it gives the entries.

    Attributes:
        entries: The entries in the order in which they came.
        references: LDAP URLs of where else to search (RFC 4511 section 4.5.3). They are not followed.
        result: How the search ended.
        controls: The controls of the last answer.
    """

    entries: list[Entry] = field(default_factory=list)
    references: list[str] = field(default_factory=list)
    result: Result = field(default_factory=Result)
    controls: tuple[Control, ...] = ()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)


@dataclass(frozen=True, slots=True)
class SearchPage:
    """One page of a search (RFC 2696). Iterating over it gives the entries.

    Attributes:
        entries: The entries in the order in which they came.
        cookie: What asks for the next page; empty for the last page.
        references: LDAP URLs of where else to search.
        estimate: How many entries the server expects there to be; 0 if it does not say.
    """

    entries: list[Entry]
    cookie: bytes
    references: list[str]
    estimate: int = 0

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)
