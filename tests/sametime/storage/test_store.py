"""Values with versions, on SQLite and on PostgreSQL."""

import asyncio
from contextlib import suppress

import pytest

from quintet.sametime.storage import (
    CONTACT_LIST,
    PRIVACY_LIST,
    VERSIONS,
    DatabaseAddress,
    SaveOutcome,
    TooManyValuesError,
    UnknownUserError,
    UnknownVersionError,
    UserExistsError,
    ValueStore,
    ValueTooLargeError,
    VersionedValue,
    VersionOrigin,
)
from quintet.storage import RejectedValueError

ALICE = "uid=alice,ou=people,dc=example,dc=org"
BOB = "uid=bob,ou=people,dc=example,dc=org"
TEXTS = 0x50


def contact_list(*names: str) -> bytes:
    """The value of a contact list with one group."""
    lines = ["Version=3.1.3", "G Work2 Work O", *(f"U uid={each}1:: {each}," for each in names)]
    text = "".join(f"{line}\r\n" for line in lines).encode()
    return len(text).to_bytes(2, "big") + text


async def current(store: ValueStore, user: str, key: int = CONTACT_LIST) -> bytes:
    return (await store.load(user, [key]))[key].value


async def test_what_was_never_stored_is_not_there(store: ValueStore) -> None:
    assert await store.load(ALICE, [CONTACT_LIST, TEXTS]) == {}


async def test_a_value_comes_back_byte_for_byte_with_its_version(store: ValueStore) -> None:
    value = bytes(range(256))
    saved = await store.save(ALICE, TEXTS, value)
    assert (saved.version, saved.outcome) == (1, SaveOutcome.SAVED)
    loaded = await store.load(ALICE, [TEXTS])
    assert (loaded[TEXTS].value, loaded[TEXTS].version) == (value, 1)


async def test_values_of_other_users_and_keys_stay_apart(store: ValueStore) -> None:
    await store.save(ALICE, 1, b"a1")
    await store.save(ALICE, 0xFFFFFFFF, b"a2")
    await store.save(BOB, 1, b"b1")
    assert {key: each.value for key, each in (await store.load(ALICE, [1, 0xFFFFFFFF])).items()} == {
        1: b"a1",
        0xFFFFFFFF: b"a2",
    }
    assert await current(store, BOB, 1) == b"b1"


async def test_rows_belong_to_the_id_however_it_is_spelled(store: ValueStore) -> None:
    await store.save("UID=Alice, OU=People, DC=example, DC=org", TEXTS, b"x")
    assert await current(store, ALICE, TEXTS) == b"x"


async def test_what_is_saved_unchanged_makes_no_version(store: ValueStore) -> None:
    await store.save(ALICE, TEXTS, b"x")
    assert (await store.save(ALICE, TEXTS, b"x", base=1)).outcome is SaveOutcome.UNCHANGED
    assert len(await store.history(ALICE, TEXTS)) == 1


async def test_a_save_on_the_version_that_was_loaded_is_no_conflict(store: ValueStore) -> None:
    first = await store.save(ALICE, CONTACT_LIST, contact_list("bob"), base=0)
    second = await store.save(ALICE, CONTACT_LIST, contact_list("carol"), base=first.version)
    assert second.outcome is SaveOutcome.SAVED
    assert await current(store, ALICE) == contact_list("carol")


async def test_two_sessions_that_add_contacts_have_both_afterwards(store: ValueStore) -> None:
    base = (await store.save(ALICE, CONTACT_LIST, contact_list("bob"))).version
    await store.save(ALICE, CONTACT_LIST, contact_list("bob", "carol"), base=base)
    second = await store.save(ALICE, CONTACT_LIST, contact_list("bob", "dave"), base=base)
    assert second.outcome is SaveOutcome.MERGED
    assert await current(store, ALICE) == contact_list("bob", "carol", "dave")


async def test_after_a_merge_a_session_removes_only_what_it_knew(store: ValueStore) -> None:
    base = (await store.save(ALICE, CONTACT_LIST, contact_list("bob"))).version
    await store.save(ALICE, CONTACT_LIST, contact_list("bob", "carol"), base=base)
    second = await store.save(ALICE, CONTACT_LIST, contact_list("bob", "dave"), base=base)
    third = await store.save(ALICE, CONTACT_LIST, contact_list("dave"), base=second.version)
    assert third.outcome is SaveOutcome.MERGED
    assert await current(store, ALICE) == contact_list("carol", "dave")


async def test_both_sides_of_a_conflict_are_kept(store: ValueStore) -> None:
    base = (await store.save(ALICE, CONTACT_LIST, contact_list("bob"))).version
    theirs, mine = contact_list("bob", "carol"), contact_list("dave")
    await store.save(ALICE, CONTACT_LIST, theirs, base=base)
    await store.save(ALICE, CONTACT_LIST, mine, base=base)
    history = await store.history(ALICE, CONTACT_LIST)
    kept = {(await store.read_version(ALICE, CONTACT_LIST, each.version)).value for each in history}
    assert {theirs, mine} < kept
    assert [each.origin for each in history] == [
        VersionOrigin.MERGED,
        VersionOrigin.CLIENT,
        VersionOrigin.CLIENT,
        VersionOrigin.CLIENT,
    ]


async def test_of_other_values_the_last_one_wins_and_the_other_is_kept(store: ValueStore) -> None:
    base = (await store.save(ALICE, TEXTS, b"one")).version
    await store.save(ALICE, TEXTS, b"two", base=base)
    third = await store.save(ALICE, TEXTS, b"three", base=base)
    assert third.outcome is SaveOutcome.REPLACED
    assert await current(store, ALICE, TEXTS) == b"three"
    assert (await store.read_version(ALICE, TEXTS, 2)).value == b"two"


async def test_a_contact_list_that_is_no_text_is_not_merged(store: ValueStore) -> None:
    base = (await store.save(ALICE, CONTACT_LIST, contact_list("bob"))).version
    await store.save(ALICE, CONTACT_LIST, contact_list("carol"), base=base)
    junk = b"\xff\xffnot as long as it says"
    assert (await store.save(ALICE, CONTACT_LIST, junk, base=base)).outcome is SaveOutcome.REPLACED
    assert await current(store, ALICE) == junk


async def test_a_list_of_more_lines_than_contacts_can_have_is_not_merged(address: DatabaseAddress) -> None:
    store = await ValueStore.open(address)
    try:
        await store.save(ALICE, CONTACT_LIST, contact_list("carol"), base=0)
        text = b"G a2 a O\n" + b"a\n" * 8001
        mine = len(text).to_bytes(2, "big") + text
        assert (await store.save(ALICE, CONTACT_LIST, mine, base=0)).outcome is SaveOutcome.REPLACED
    finally:
        await store.close()


async def test_a_merge_that_would_exceed_the_limit_is_not_made(store: ValueStore) -> None:
    await store.save(ALICE, CONTACT_LIST, contact_list(*(f"a{nth:04}" for nth in range(120))), base=0)
    mine = contact_list(*(f"b{nth:04}" for nth in range(120)))
    assert (await store.save(ALICE, CONTACT_LIST, mine, base=0)).outcome is SaveOutcome.REPLACED
    assert await current(store, ALICE) == mine


async def test_a_base_that_is_not_kept_any_more_removes_nothing(store: ValueStore) -> None:
    await store.save(ALICE, CONTACT_LIST, contact_list("old"))
    for nth in range(VERSIONS + 1):
        await store.save(ALICE, CONTACT_LIST, contact_list("old", f"n{nth}"))
    await store.save(ALICE, CONTACT_LIST, contact_list("mine"), base=1)
    assert await current(store, ALICE) == contact_list("old", f"n{VERSIONS}", "mine")


async def test_the_last_ten_versions_are_kept(store: ValueStore) -> None:
    for nth in range(15):
        await store.save(ALICE, TEXTS, b"%d" % nth)
    history = await store.history(ALICE, TEXTS)
    assert [each.version for each in history] == list(range(15, 5, -1))
    assert [each.current for each in history] == [True] + [False] * 9
    with pytest.raises(UnknownVersionError):
        await store.read_version(ALICE, TEXTS, 5)


async def test_an_old_version_is_restored_as_a_new_one(store: ValueStore) -> None:
    await store.save(ALICE, TEXTS, b"good")
    await store.save(ALICE, TEXTS, b"bad")
    await store.restore(ALICE, TEXTS, 1)
    assert await current(store, ALICE, TEXTS) == b"good"
    assert (await store.history(ALICE, TEXTS))[0].origin is VersionOrigin.RESTORED


async def test_a_value_that_is_too_large_changes_nothing(store: ValueStore) -> None:
    await store.save(ALICE, TEXTS, b"x")
    with pytest.raises(ValueTooLargeError) as raised:
        await store.save(ALICE, TEXTS, b"x" * 4097)
    assert (raised.value.size, raised.value.limit) == (4097, 4096)
    assert await current(store, ALICE, TEXTS) == b"x"


async def test_a_user_has_a_bounded_number_of_values(store: ValueStore) -> None:
    for key in range(5):
        await store.save(ALICE, key, b"x")
    with pytest.raises(TooManyValuesError):
        await store.save(ALICE, 5, b"x")
    await store.save(ALICE, 4, b"y")
    await store.save(ALICE, PRIVACY_LIST, b"z")
    assert set(await store.load(ALICE, range(-1, 10))) == {-1, 0, 1, 2, 3, 4}


async def test_renaming_takes_values_and_history_along(store: ValueStore) -> None:
    for value in (b"one", b"two"):
        await store.save(ALICE, TEXTS, value)
    await store.rename(ALICE, BOB)
    assert await store.load(ALICE, [TEXTS]) == {}
    assert await current(store, BOB, TEXTS) == b"two"
    assert (await store.read_version(BOB, TEXTS, 1)).value == b"one"
    assert await store.user_id(BOB) == BOB


async def test_renaming_to_another_spelling_changes_the_spelling(store: ValueStore) -> None:
    await store.save(ALICE, TEXTS, b"x")
    await store.rename(ALICE, ALICE.upper())
    assert await store.user_id(ALICE) == ALICE.upper()
    assert await current(store, ALICE, TEXTS) == b"x"


async def test_renaming_overwrites_nobody(store: ValueStore) -> None:
    await store.save(ALICE, TEXTS, b"a")
    await store.save(BOB, TEXTS, b"b")
    with pytest.raises(UserExistsError):
        await store.rename(ALICE, BOB)
    assert await current(store, ALICE, TEXTS) == b"a"
    assert await current(store, BOB, TEXTS) == b"b"


async def test_renaming_an_unknown_user_is_refused(store: ValueStore) -> None:
    with pytest.raises(UnknownUserError):
        await store.rename(ALICE, BOB)


async def test_deleting_leaves_nothing(store: ValueStore) -> None:
    await store.save(ALICE, TEXTS, b"a")
    await store.delete(ALICE)
    assert await store.load(ALICE, [TEXTS]) == {}
    assert await store.history(ALICE, TEXTS) == ()
    with pytest.raises(UnknownUserError):
        await store.delete(ALICE)


async def test_pages_bring_every_value_once(store: ValueStore) -> None:
    for nth in range(7):
        await store.save(f"uid=u{nth}", CONTACT_LIST, b"%d" % nth)
        await store.save(f"uid=u{nth}", TEXTS, b"t")
    found: list[tuple[str, int, VersionedValue]] = []
    after: str | None = ""
    while after is not None:
        rows, after = await store.page([CONTACT_LIST], after, size=3)
        found += rows
    assert sorted((user, value.value) for user, _, value in found) == [
        (f"uid=u{nth}", b"%d" % nth) for nth in range(7)
    ]


async def test_many_loads_at_once_get_what_is_theirs(store: ValueStore) -> None:
    for nth in range(30):
        await store.save(f"uid=u{nth}", CONTACT_LIST, b"%d" % nth)
    answers = await asyncio.gather(*(store.load(f"uid=u{nth}", [CONTACT_LIST]) for nth in range(40)))
    assert [each.get(CONTACT_LIST) and each[CONTACT_LIST].value for each in answers] == [
        *(b"%d" % nth for nth in range(30)),
        *[None] * 10,
    ]


async def test_saves_at_the_same_time_lose_no_contact(store: ValueStore) -> None:
    base = (await store.save(ALICE, CONTACT_LIST, contact_list("bob"))).version
    lists = [contact_list("bob", f"n{nth}") for nth in range(8)]
    await asyncio.gather(*(store.save(ALICE, CONTACT_LIST, each, base=base) for each in lists))
    stored = await current(store, ALICE)
    assert all(b"U uid=n%d1::" % nth in stored for nth in range(8))


async def test_first_saves_at_the_same_time_lose_no_contact(store: ValueStore) -> None:
    lists = [contact_list(f"n{nth}") for nth in range(6)]
    await asyncio.gather(*(store.save(ALICE, CONTACT_LIST, each, base=0) for each in lists))
    stored = await current(store, ALICE)
    assert all(b"U uid=n%d1::" % nth in stored for nth in range(6))


async def test_two_nodes_share_one_database(store: ValueStore, address: DatabaseAddress) -> None:
    other = await ValueStore.open(address)
    try:
        base = (await store.save(ALICE, CONTACT_LIST, contact_list("bob"))).version
        await other.save(ALICE, CONTACT_LIST, contact_list("bob", "carol"), base=base)
        await store.save(ALICE, CONTACT_LIST, contact_list("bob", "dave"), base=base)
        assert await current(other, ALICE) == contact_list("bob", "carol", "dave")
    finally:
        await other.close()


async def test_an_id_that_the_database_does_not_take_does_not_make_it_unavailable(store: ValueStore) -> None:
    """PostgreSQL takes no NUL. What one user can't store must not keep all others from storing."""
    with suppress(RejectedValueError):
        await store.save("uid=a\0b", TEXTS, b"x")
    await store.check_saving()
    assert await store.user_id(ALICE) is None, "the check leaves nothing"


async def test_ids_of_any_length_and_bytes_are_kept(store: ValueStore) -> None:
    for user in ("cn=" + "x" * 16_000, "Zoë 'quoted\"; --", "日本"):
        await store.save(user, TEXTS, b"x")
        assert await store.user_id(user) == user
