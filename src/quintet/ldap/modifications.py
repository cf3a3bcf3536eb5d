"""What `modify` does: `Add`, `Delete`, `Replace` and `Increment` (RFC 4511 section 4.6, RFC 4525)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, final

from quintet.ldap import ber
from quintet.ldap.arguments import Value, attribute_name, value_list
from quintet.ldap.results import shown_values


@dataclass(frozen=True, slots=True, init=False, repr=False)
class Modification:
    """One change to one attribute. The classes below say which.

    Attributes:
        name: The attribute.
        values: Its values as bytes.
    """

    name: str
    values: tuple[bytes, ...]

    operation: ClassVar[int]
    """The number of the operation in `ModifyRequest`."""

    def _set(self, name: str, values: tuple[bytes, ...]) -> None:
        object.__setattr__(self, "name", attribute_name(name))
        object.__setattr__(self, "values", values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({shown_values({self.name: self.values})})"


@final
class Add(Modification):
    """Add values to an attribute, and the attribute to the entry where it has none.

    The server refuses a value that is already there with `AttributeOrValueExists`.

    Args:
        name: The attribute, such as `mail`.
        values: The values, `str` (sent as UTF-8) or `bytes`; at least one.

    Raises:
        TypeError: `values` is a single `str` or `bytes`, or one of them is neither.
        ValueError: There are no values, or `name` is not an attribute description.
    """

    __slots__ = ()
    operation = 0

    def __init__(self, name: str, values: Iterable[Value]) -> None:
        self._set(name, value_list(name, values))
        if not self.values:
            raise ValueError(f"Add({name!r}) needs at least one value")


@final
class Delete(Modification):
    """Delete values of an attribute, or the attribute as a whole.

    The server refuses what is not there with `NoSuchAttribute`; `Replace` with no values does not fail.

    Args:
        name: The attribute, such as `mail`.
        values: The values to delete, `str` (sent as UTF-8) or `bytes`; None for all of them. An empty list is
            an error: it would delete everything, which is seldom what a program meant that computed it.

    Raises:
        TypeError: `values` is a single `str` or `bytes`, or one of them is neither.
        ValueError: `values` is empty, or `name` is not an attribute description.
    """

    __slots__ = ()
    operation = 1

    def __init__(self, name: str, values: Iterable[Value] | None = None) -> None:
        self._set(name, () if values is None else value_list(name, values))
        if values is not None and not self.values:
            raise ValueError(f"to delete all values of {name!r}, leave `values` out")


@final
class Replace(Modification):
    """Replace all values of an attribute.

    Args:
        name: The attribute, such as `mail`.
        values: The new values, `str` (sent as UTF-8) or `bytes`. With none, the entry has no such attribute
            afterwards, whether it had one or not.

    Raises:
        TypeError: `values` is a single `str` or `bytes`, or one of them is neither.
        ValueError: `name` is not an attribute description.
    """

    __slots__ = ()
    operation = 2

    def __init__(self, name: str, values: Iterable[Value]) -> None:
        self._set(name, value_list(name, values))


@final
class Increment(Modification):
    """Add a number to an attribute that holds one, in one step (RFC 4525).

    Servers that can do this list `1.3.6.1.1.14` in `RootDSE.features`.

    Args:
        name: The attribute, such as `uidNumber`.
        by: What to add; may be negative.

    Raises:
        TypeError: `by` is not an int.
        ValueError: `name` is not an attribute description.
    """

    __slots__ = ()
    operation = 3

    def __init__(self, name: str, by: int = 1) -> None:
        if type(by) is not int:
            raise TypeError(f"Increment({name!r}) takes an int, not {type(by).__name__}")
        self._set(name, (b"%d" % by,))


def encode_attribute(name: str, values: Iterable[bytes]) -> bytes:
    """A `PartialAttribute` (RFC 4511 section 4.1.7)."""
    return ber.tlv(
        0x30,
        ber.octet_string(name.encode("utf-8", "surrogateescape")),
        ber.tlv(0x31, *map(ber.octet_string, values)),
    )


def read_attribute(reader: ber.Reader) -> tuple[str, list[bytes]]:
    """The content of a `PartialAttribute`. Raises BerError."""
    name, inside, values = reader.text(), reader.inside(0x31), []
    while inside:
        values.append(inside.octet_string())
    return name, values


def encode_modification(modification: Modification) -> bytes:
    attribute = encode_attribute(modification.name, modification.values)
    return ber.tlv(0x30, ber.enumerated(modification.operation), attribute)


def read_modification(reader: ber.Reader) -> Modification:
    """The content of a `change` in a modify request. Raises BerError."""
    operation = reader.integer(0x0A)
    name, values = read_attribute(reader.inside())
    try:
        match operation:
            case Add.operation:
                return Add(name, values)
            case Delete.operation:
                return Delete(name, values or None)
            case Replace.operation:
                return Replace(name, values)
            case Increment.operation:
                (by,) = values
                return Increment(name, int(by))
    except ValueError as error:
        raise ber.BerError("a malformed modification") from error
    raise ber.BerError(f"{operation} is not the number of a modification")
