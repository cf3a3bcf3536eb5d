"""From an entry's attributes to the fields of a card (reference 4.4)."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import structlog

from quintet.cards.photos import PhotoError, photo_type
from quintet.config import Detail

_log = structlog.get_logger()

Attributes = Mapping[str, Sequence[bytes]]
"""An entry's attributes, as the server spells them."""

_POSTAL_ADDRESSES = frozenset({"postaladdress", "homepostaladdress", "registeredaddress"})
_ESCAPED = re.compile(r"\\(24|5[Cc])")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: text, or the octets of a picture. `type` is what the value is, such as `image/gif`."""

    value: str | bytes
    type: str


def fields_of(details: Sequence[Detail], attributes: Attributes) -> dict[str, Field]:
    """The fields that have a value, by Detail Id, in the order of `details`."""
    values = _by_name(attributes)
    made = ((detail.id, _field(detail, values)) for detail in details)
    return {ident: field for ident, field in made if field is not None}


def link_of(detail: Detail, attributes: Attributes) -> str:
    """The value by which other repositories know the person: that of the first attribute that has one."""
    return next(_texts(detail, _by_name(attributes)), "")


def is_picture(detail: Detail) -> bool:
    return detail.type.casefold().startswith("image/")


def _by_name(attributes: Attributes) -> dict[str, Sequence[bytes]]:
    """Values by lower-case name. One with options (`cn;lang-ja`) counts where there is none without."""
    found = {name.lower(): values for name, values in attributes.items() if values}
    for name, values in tuple(found.items()):
        found.setdefault(name.partition(";")[0], values)
    return found


def _field(detail: Detail, values: Mapping[str, Sequence[bytes]]) -> Field | None:
    if is_picture(detail):
        return _picture(detail, values)
    joined = detail.separator.join(_texts(detail, values))
    return Field(joined, detail.type) if joined else None


def _texts(detail: Detail, values: Mapping[str, Sequence[bytes]]) -> Iterator[str]:
    """What the attributes of a detail say, in their order; those that say nothing are left out."""
    texts = (_text(name.lower(), values.get(name.lower(), ())) for name in detail.attributes)
    return (text for text in texts if text)


def _text(name: str, values: Sequence[bytes]) -> str:
    """The first value that says something."""
    for value in values:
        text = value.decode(errors="replace").strip()
        if text:
            return _lines(text) if name in _POSTAL_ADDRESSES else text
    return ""


def _lines(address: str) -> str:
    """A postal address with its lines apart: `$` ends one, unless it is escaped (RFC 4517 3.3.28)."""
    lines = (_ESCAPED.sub(lambda found: chr(int(found[1], 16)), line).strip() for line in address.split("$"))
    return "\n".join(line for line in lines if line)


def _picture(detail: Detail, values: Mapping[str, Sequence[bytes]]) -> Field | None:
    for name in detail.attributes:
        for data in values.get(name.lower(), ()):
            if not data:
                continue
            try:
                return Field(bytes(data), photo_type(data))
            except PhotoError as unfit:
                _log.warning("a photo is left out", field=detail.id, attribute=name, why=str(unfit))
    return None
