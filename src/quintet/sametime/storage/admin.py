"""What administrators do with stored values: export, import, history, restore, rename.

An export is one JSON object a line: the Sametime ID, the key of the value, and the value, as text where it is
one (P98) and in base64 where it is not. Contact lists may also be exported and imported as their text.
"""

import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from quintet.sametime.errors import MalformedMessageError, UnencodableValueError
from quintet.sametime.ids import id_key
from quintet.sametime.services.contact_list import parse_contact_list
from quintet.sametime.services.storage import text_of, value_of
from quintet.sametime.storage.errors import InvalidImportError, UnknownUserError
from quintet.sametime.storage.merge import replace_contact
from quintet.sametime.storage.store import CONTACT_LIST, PRIVACY_LIST, ValueStore, VersionOrigin
from quintet.sametime.wire.blocks import PrivacyInfo
from quintet.sametime.wire.codec import WireReader

LONGEST_LINE: Final = 32 * 1024 * 1024
_LAST_KEY: Final = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class ExportedValue:
    """One value of one user. It never shows in a repr."""

    user_id: str
    key: int
    value: bytes = field(repr=False)

    def to_json(self) -> str:
        """One line without its end."""
        document: dict[str, str | int] = {"id": self.user_id, "key": self.key}
        text = _text_alone(self.value)
        if text is None:
            document["base64"] = base64.b64encode(self.value).decode()
        else:
            document["text"] = text
        return json.dumps(document, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class RenameReport:
    """What a rename changed: whether the user had values, and in how many lists of others the ID stood."""

    values: bool
    contact_lists: int
    privacy_lists: int


async def export_contact_list(store: ValueStore, user_id: str) -> str:
    """The text of a user's contact list. Raises UnknownUserError if none is stored."""
    found = (await store.load(user_id, [CONTACT_LIST])).get(CONTACT_LIST)
    if found is None:
        raise UnknownUserError(f"no contact list is stored for {user_id}", fix=_FIX)
    try:
        return text_of(found.value)
    except MalformedMessageError:
        return found.value.decode("utf-8", "surrogateescape")


async def export_all(store: ValueStore) -> AsyncIterator[ExportedValue]:
    """Everything that is stored, user by user."""
    after: str | None = ""
    while after is not None:
        rows, after = await store.page(after=after)
        for user_id, key, value in rows:
            yield ExportedValue(user_id, key, value.value)


def read_export(lines: Iterable[str]) -> Iterator[ExportedValue]:
    """The values in an export; blank lines are skipped. Raises InvalidImportError."""
    for number, line in enumerate(lines, 1):
        if len(line) > LONGEST_LINE:
            raise InvalidImportError(number, "the line is too long")
        if line.strip():
            yield _read_line(number, line)


async def import_values(store: ValueStore, values: Iterable[ExportedValue], *, replace_all: bool) -> int:
    """Store the values; how many. Without `replace_all` those that exist already stay as they are.

    Raises InvalidImportError, ValueTooLargeError, TooManyValuesError; what was stored before stays stored.
    """
    count = 0
    for each in values:
        if not replace_all and each.key in await store.load(each.user_id, [each.key]):
            continue
        await store.save(each.user_id, each.key, each.value, origin=VersionOrigin.IMPORTED)
        count += 1
    return count


def contact_list_value(text: str) -> bytes:
    """The value of a contact list with this text. Raises InvalidImportError."""
    try:
        parse_contact_list(text)
        return value_of(text)
    except (MalformedMessageError, UnencodableValueError) as error:
        raise InvalidImportError(None, str(error)) from error


async def rename_user(store: ValueStore, old_id: str, new_id: str) -> RenameReport:
    """Give a user another Sametime ID: in the user's own values, and in the lists of all others.

    Raises UserExistsError, and UnknownUserError if the old ID stands nowhere.
    """
    try:
        await store.rename(old_id, new_id)
    except UnknownUserError:
        report = await _rename_in_lists(store, old_id, new_id, own_values=False)
        if not report.contact_lists and not report.privacy_lists:
            raise
        return report
    return await _rename_in_lists(store, old_id, new_id, own_values=True)


async def _rename_in_lists(store: ValueStore, old_id: str, new_id: str, *, own_values: bool) -> RenameReport:
    contacts = privacy = 0
    after: str | None = ""
    while after is not None:
        rows, after = await store.page([CONTACT_LIST, PRIVACY_LIST], after)
        for user_id, key, value in rows:
            change = _in_contact_list if key == CONTACT_LIST else _in_privacy_list
            changed = change(value.value, old_id, new_id)
            if changed is not None:
                await store.save(user_id, key, changed, base=value.version, origin=VersionOrigin.RENAMED)
                contacts += key == CONTACT_LIST
                privacy += key == PRIVACY_LIST
    return RenameReport(own_values, contacts, privacy)


def _in_contact_list(value: bytes, old_id: str, new_id: str) -> bytes | None:
    try:
        text, count = replace_contact(text_of(value), old_id, new_id)
        return value_of(text) if count else None
    except (MalformedMessageError, UnencodableValueError):
        return None


def _in_privacy_list(value: bytes, old_id: str, new_id: str) -> bytes | None:
    old = id_key(old_id)
    try:
        privacy = PrivacyInfo.read(WireReader(value))
    except MalformedMessageError:
        return None
    if not any(id_key(each.user) == old for each in privacy.users):
        return None
    users = [replace(each, user=new_id) if id_key(each.user) == old else each for each in privacy.users]
    return replace(privacy, users=tuple(users)).encode()


_FIX: Final = "Give the Sametime ID as clients receive it (quintet resolve shows it)"


def _text_alone(value: bytes) -> str | None:
    """The text, if the value is nothing but a text in UTF-8."""
    try:
        text = text_of(value)
        text.encode()
    except (MalformedMessageError, UnicodeEncodeError):
        return None
    return text if value_of(text) == value else None


def _read_line(number: int, line: str) -> ExportedValue:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidImportError(number, "expected a JSON object") from None
    if not isinstance(document, dict):
        raise InvalidImportError(number, "expected a JSON object")
    user_id, key = document.get("id"), document.get("key")
    if not isinstance(user_id, str) or not user_id.strip() or not _is_storable(user_id):
        raise InvalidImportError(number, 'expected a Sametime ID as "id"')
    if not isinstance(key, int) or isinstance(key, bool) or not PRIVACY_LIST <= key <= _LAST_KEY:
        raise InvalidImportError(number, f'expected a number from {PRIVACY_LIST} to {_LAST_KEY} as "key"')
    return ExportedValue(user_id, key, _read_value(number, document))


def _is_storable(text: str) -> bool:
    """Whether every database takes it: no NUL, and no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _read_value(number: int, document: dict[str, object]) -> bytes:
    text, encoded = document.get("text"), document.get("base64")
    try:
        if isinstance(text, str) and encoded is None:
            return value_of(text)
        if isinstance(encoded, str) and text is None:
            return base64.b64decode(encoded, validate=True)
    except UnencodableValueError as error:
        raise InvalidImportError(number, str(error)) from None
    except ValueError:  # of malformed base64, and of characters other than ASCII
        raise InvalidImportError(number, 'the value of "base64" is malformed') from None
    raise InvalidImportError(number, 'expected the value as either "text" or "base64"')
