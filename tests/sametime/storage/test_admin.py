"""What administrators do with stored values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.services.storage import value_of
from quintet.sametime.storage import (
    CONTACT_LIST,
    PRIVACY_LIST,
    InvalidImportError,
    UnknownUserError,
    UserExistsError,
    ValueStore,
    VersionOrigin,
)
from quintet.sametime.storage.admin import (
    ExportedValue,
    RenameReport,
    contact_list_value,
    export_all,
    export_contact_list,
    import_values,
    read_export,
    rename_user,
)
from quintet.sametime.wire.blocks import PrivacyInfo, UserItem

ALICE, BOB, CAROL = (f"uid={name},dc=org" for name in ("alice", "bob", "carol"))
LIST = f"Version=3.1.3\r\nG Work2 Work O\r\nU {BOB}1:: Bob,\r\n"
PRIVACY = PrivacyInfo(deny=True, users=(UserItem("UID=Bob, DC=org"), UserItem(CAROL)))

values = st.builds(
    ExportedValue,
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip),
    st.integers(-1, 0xFFFFFFFF),
    st.binary(max_size=50)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map(value_of),
)


@given(st.lists(values))
def test_what_is_exported_is_read_again(exported: list[ExportedValue]) -> None:
    assert list(read_export([each.to_json() + "\n" for each in exported])) == exported


def test_a_text_is_exported_readably() -> None:
    document = json.loads(ExportedValue("uid=zoë", 0, value_of("héllo")).to_json())
    assert document == {"id": "uid=zoë", "key": 0, "text": "héllo"}


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        '{"id": "", "key": 0, "text": ""}',
        '{"id": "a", "key": -2, "text": ""}',
        '{"id": "a", "key": 4294967296, "text": ""}',
        '{"id": "a", "key": true, "text": ""}',
        '{"id": "a", "key": 0}',
        '{"id": "a", "key": 0, "text": "", "base64": ""}',
        '{"id": "a", "key": 0, "base64": "?"}',
        '{"id": "a", "key": 0, "text": "\\u0000"}',
        '{"id": "a", "key": 0, "base64": "\u00e9"}',
        '{"id": "a", "key": 0, "text": "\\ud800"}',
        '{"id": "a\\ud800", "key": 0, "text": ""}',
        '{"id": "a\\u0000", "key": 0, "text": ""}',
        "[" * 100_000,
    ],
)
def test_a_malformed_line_is_told_by_its_number(line: str) -> None:
    good = ExportedValue("a", 0, b"").to_json()
    with pytest.raises(InvalidImportError) as raised:
        list(read_export([good, "\n", line]))
    assert raised.value.line == 3


@pytest.mark.parametrize("text", ["U uid=a1:: A,\r\n", "G x\r\n", "x" * 70_000, "\0"])
def test_a_text_that_is_no_contact_list_is_not_imported(text: str) -> None:
    with pytest.raises(InvalidImportError):
        contact_list_value(text)


async def test_everything_is_exported_and_imported_elsewhere(store: ValueStore) -> None:
    await store.save(ALICE, CONTACT_LIST, value_of(LIST))
    await store.save(ALICE, PRIVACY_LIST, PRIVACY.encode())
    await store.save(BOB, 0x50, b"\xff\xfe")
    exported = [each async for each in export_all(store)]
    assert len(exported) == 3
    for user in (ALICE, BOB):
        await store.delete(user)
    lines = [each.to_json() for each in exported]
    assert await import_values(store, read_export(lines), replace_all=False) == 3
    assert [each async for each in export_all(store)] == exported
    assert (await store.history(ALICE, CONTACT_LIST))[0].origin is VersionOrigin.IMPORTED


async def test_an_import_replaces_only_when_told_to(store: ValueStore) -> None:
    await store.save(ALICE, CONTACT_LIST, value_of(LIST))
    other = [ExportedValue(ALICE.upper(), CONTACT_LIST, value_of("")), ExportedValue(BOB, 1, b"x")]
    assert await import_values(store, other, replace_all=False) == 1
    assert await export_contact_list(store, ALICE) == LIST
    assert await import_values(store, other, replace_all=True) == 2
    assert await export_contact_list(store, ALICE) == ""
    assert (await store.read_version(ALICE, CONTACT_LIST, 1)).value == value_of(LIST)


async def test_a_list_that_was_never_stored_is_not_exported(store: ValueStore) -> None:
    with pytest.raises(UnknownUserError):
        await export_contact_list(store, ALICE)


async def test_a_renamed_user_is_renamed_in_the_lists_of_all(store: ValueStore) -> None:
    await store.save(BOB, CONTACT_LIST, value_of(LIST.replace(BOB, ALICE)))
    await store.save(ALICE, CONTACT_LIST, value_of(LIST))
    await store.save(CAROL, CONTACT_LIST, value_of(LIST.replace(BOB, ALICE)))
    await store.save(CAROL, PRIVACY_LIST, PRIVACY.encode())
    new = "uid=robert brown,dc=org"
    assert await rename_user(store, "UID=bob,dc=ORG", new) == RenameReport(True, 1, 1)
    assert await export_contact_list(store, new) == LIST.replace(BOB, ALICE)
    assert await export_contact_list(store, ALICE) == LIST.replace(BOB, "uid=robert;brown,dc=org")
    privacy = (await store.load(CAROL, [PRIVACY_LIST]))[PRIVACY_LIST].value
    assert privacy == PrivacyInfo(deny=True, users=(UserItem(new), UserItem(CAROL))).encode()
    assert (await store.history(ALICE, CONTACT_LIST))[0].origin is VersionOrigin.RENAMED


async def test_an_id_that_stands_only_in_lists_of_others_is_renamed_there(store: ValueStore) -> None:
    await store.save(ALICE, CONTACT_LIST, value_of(LIST))
    assert await rename_user(store, BOB, CAROL) == RenameReport(False, 1, 0)


async def test_an_id_that_stands_nowhere_is_not_renamed(store: ValueStore) -> None:
    await store.save(ALICE, CONTACT_LIST, b"\xff\xffjunk")
    await store.save(ALICE, PRIVACY_LIST, b"\1\xff")
    with pytest.raises(UnknownUserError):
        await rename_user(store, BOB, CAROL)


async def test_a_rename_to_a_user_with_values_changes_nothing(store: ValueStore) -> None:
    await store.save(ALICE, CONTACT_LIST, value_of(LIST))
    await store.save(BOB, CONTACT_LIST, value_of(""))
    with pytest.raises(UserExistsError):
        await rename_user(store, BOB, ALICE)
    assert await export_contact_list(store, ALICE) == LIST
