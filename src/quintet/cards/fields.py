"""From an entry's attributes to the fields of a card (config 4.4), photos included (config 4.6)."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple, final

import structlog

from quintet.config import Detail
from quintet.directory import attribute_key

_log = structlog.get_logger()

Attributes = Mapping[str, Sequence[bytes]]
"""An entry's attributes, as the server spells them."""

PHOTO_LIMIT = 45 * 1024
"""Photos of so many bytes and more are left out: clients do not show them."""

_PHOTOS = ((b"\xff\xd8\xff", "image/jpeg"), (b"GIF87a", "image/gif"), (b"GIF89a", "image/gif"))
_POSTAL_ADDRESSES = frozenset({"postaladdress", "homepostaladdress", "registeredaddress"})
_ESCAPED = re.compile(r"\\(24|5[Cc])")


class Field(NamedTuple):
    """One field: text, or the bytes of a picture. `type` is what the value is, such as `image/gif`."""

    value: str | bytes
    type: str


class PhotoError(ValueError):
    """The picture cannot be shown; the message says why."""


@final
class CardFields:
    """Makes the fields of some Details from entries. `ids` are their Ids."""

    def __init__(self, details: Sequence[Detail]) -> None:
        self._details = tuple(
            (detail, tuple(map(_description, detail.attributes)), is_picture(detail)) for detail in details
        )
        self.ids = frozenset(detail.id for detail in details)
        self.attributes = tuple(dict.fromkeys(name for detail in details for name in detail.attributes))

    def of(self, attributes: Attributes) -> dict[str, Field]:
        """The fields that have a value, by Detail Id, in the order of the Details."""
        values = _by_description(attributes)
        made: dict[str, Field] = {}
        for detail, names, picture in self._details:
            if picture:
                if (photo := _photo(detail, names, values)) is not None:
                    made[detail.id] = photo
                continue
            texts = [text for name in names if name in values and (text := _first(name, values[name]))]
            if texts:
                made[detail.id] = Field(detail.separator.join(texts), detail.type)
        return made

    def sources(self, attributes: Attributes) -> dict[str, tuple[str, ...]]:
        """The attributes that each field is made of, by Detail Id, as the settings spell them."""
        values = _by_description(attributes)
        found: dict[str, tuple[str, ...]] = {}
        for detail, names, picture in self._details:
            has = [
                spelled
                for spelled, name in zip(detail.attributes, names, strict=True)
                if (_photo(detail, (name,), values) if picture else _first(name, values.get(name, ())))
            ]
            if has:
                found[detail.id] = tuple(has[:1] if picture else has)
        return found

    def link(self, attributes: Attributes) -> str:
        """The value by which other repositories know the person: that of the first attribute that has one."""
        values = _by_description(attributes)
        texts = (_first(name, values.get(name, ())) for _, names, _ in self._details for name in names)
        return next(filter(None, texts), "")


def is_picture(detail: Detail) -> bool:
    return detail.type.casefold().startswith("image/")


def photo_type(data: bytes) -> str:
    """The type that the first bytes tell, whatever the settings say. Raises PhotoError."""
    if len(data) >= PHOTO_LIMIT:
        raise PhotoError(f"it has {len(data)} bytes, and must have fewer than {PHOTO_LIMIT}")
    for beginning, kind in _PHOTOS:
        if data.startswith(beginning):
            return kind
    raise PhotoError("it is neither JPEG nor GIF")


def _description(name: str) -> str:
    """What stands for the name of an attribute; options count where they are given (`cn;lang-ja`)."""
    return name.lower() if ";" in name else attribute_key(name)


def _by_description(attributes: Attributes) -> dict[str, Sequence[bytes]]:
    """Values by name. One with options (`cn;lang-ja`) counts where there is none without."""
    found: dict[str, Sequence[bytes]] = {}
    with_options: list[tuple[str, Sequence[bytes]]] = []
    for name, values in attributes.items():
        if not values:
            continue
        if ";" in name:
            with_options.append((name, values))
        else:
            found[attribute_key(name)] = values
    for name, values in with_options:
        found[name.lower()] = values
        found.setdefault(attribute_key(name), values)
    return found


def _first(name: str, values: Sequence[bytes]) -> str:
    """The first value that is not blank."""
    for value in values:
        text = value.decode(errors="replace").strip()
        if text:
            return _lines(text) if name in _POSTAL_ADDRESSES else text
    return ""


def _lines(address: str) -> str:
    """A postal address with its lines apart: `$` ends one, unless it is escaped (RFC 4517 3.3.28)."""
    lines = (_ESCAPED.sub(lambda found: chr(int(found[1], 16)), line).strip() for line in address.split("$"))
    return "\n".join(line for line in lines if line)


def _photo(detail: Detail, names: Sequence[str], values: Mapping[str, Sequence[bytes]]) -> Field | None:
    for name in names:
        for data in values.get(name, ()):
            if not data:
                continue
            try:
                return Field(bytes(data), photo_type(data))
            except PhotoError as unfit:
                _log.warning("a photo is left out", field=detail.id, attribute=name, why=str(unfit))
    return None
