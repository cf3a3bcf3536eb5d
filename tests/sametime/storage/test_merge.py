"""Contact lists of two sessions become one."""

from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.storage.merge import merge_contact_lists, replace_contact

Groups = dict[str, dict[str, str]]


def text(groups: Groups, version: str = "3.1.3") -> str:
    lines = [f"Version={version}"]
    for group, contacts in groups.items():
        lines.append(f"G {group}2 {group} O")
        lines += [f"U {contact}1:: {name}," for contact, name in contacts.items()]
    return "".join(f"{line}\r\n" for line in lines)


names = st.sampled_from("abcdef")
groups = st.dictionaries(
    st.sampled_from(["Work", "Home", "Team"]), st.dictionaries(names, st.sampled_from("XYZ"))
)


def parsed(contact_list: str) -> Groups:
    found: Groups = {}
    current: dict[str, str] | None = None
    for line in contact_list.splitlines():
        if line.startswith("G "):
            current = found.setdefault(line[2:].split()[0][:-1], {})
        elif line.startswith("U "):
            assert current is not None, "a contact before the first group crashes clients"
            contact, _, name = line[2:].partition("::")
            current[contact[:-1]] = name.strip().rstrip(",")
    return found


@given(groups, groups)
def test_without_changes_of_the_other_side_it_is_what_was_sent(base: Groups, mine: Groups) -> None:
    assert parsed(merge_contact_lists(text(base), text(base), text(mine))) == mine


@given(groups, groups)
def test_without_changes_of_ones_own_it_stays_byte_for_byte(base: Groups, theirs: Groups) -> None:
    assert merge_contact_lists(text(base), text(theirs), text(base)) == text(theirs)


@given(groups, groups)
def test_the_same_changes_on_both_sides_are_made_once(base: Groups, both: Groups) -> None:
    assert merge_contact_lists(text(base), text(both), text(both)) == text(both)


@given(groups, groups, groups)
def test_every_contact_is_there_exactly_if_a_side_added_changed_or_both_left_it(
    base: Groups, theirs: Groups, mine: Groups
) -> None:
    merged = parsed(merge_contact_lists(text(base), text(theirs), text(mine)))
    for group in ("Work", "Home", "Team"):
        for contact in "abcdef":
            old, stored, new = (each.get(group, {}).get(contact) for each in (base, theirs, mine))
            expected = stored if new == old or (new is None and stored != old) else new
            assert merged.get(group, {}).get(contact) == expected


@given(groups, groups, groups)
def test_a_group_that_a_side_added_is_there_even_if_empty(base: Groups, theirs: Groups, mine: Groups) -> None:
    merged = parsed(merge_contact_lists(text(base), text(theirs), text(mine)))
    added = (theirs.keys() | mine.keys()) - base.keys()
    gone = (base.keys() - theirs.keys()) & (base.keys() - mine.keys())
    assert added <= merged.keys()
    assert not gone & merged.keys()


@given(groups, groups)
def test_without_a_base_nothing_is_removed(theirs: Groups, mine: Groups) -> None:
    merged = parsed(merge_contact_lists("", text(theirs), text(mine)))
    for side in (theirs, mine):
        for group, contacts in side.items():
            assert contacts.keys() <= merged[group].keys()


@given(st.text(), st.text(), st.text())
def test_any_text_is_merged_to_what_merges_to_itself(base: str, theirs: str, mine: str) -> None:
    merged = merge_contact_lists(base, theirs, mine)
    assert merge_contact_lists(merged, merged, merged) == merged


def lines(contact_list: str) -> set[tuple[str, str]]:
    """Each contact's line, by its group."""
    return {(group, contact) for group, contacts in parsed(contact_list).items() for contact in contacts}


@given(groups, groups, groups)
def test_a_line_that_either_side_added_is_never_lost_and_one_that_was_removed_is_gone(
    base: Groups, theirs: Groups, mine: Groups
) -> None:
    old, stored, new = (lines(text(each)) for each in (base, theirs, mine))
    merged = lines(merge_contact_lists(text(base), text(theirs), text(mine)))
    assert (stored - old) | (new - old) <= merged
    untouched = {
        (group, contact)
        for group, contact in old
        if base[group][contact] == theirs.get(group, {}).get(contact)
    }
    assert not (untouched - new) & merged, "one side removed it, the other did not touch it"
    assert merged <= old | stored | new


@given(groups, groups, groups)
def test_what_both_sides_did_not_both_change_is_the_same_in_either_order(
    base: Groups, theirs: Groups, mine: Groups
) -> None:
    one = parsed(merge_contact_lists(text(base), text(theirs), text(mine)))
    other = parsed(merge_contact_lists(text(base), text(mine), text(theirs)))
    assert one.keys() == other.keys()
    for group, contacts in one.items():
        assert contacts.keys() == other[group].keys()
        for contact, name in contacts.items():
            old, stored, new = (each.get(group, {}).get(contact) for each in (base, theirs, mine))
            if old in (stored, new) or stored == new:
                assert name == other[group][contact]


@given(groups, groups, groups)
def test_a_merge_that_is_made_again_changes_nothing(base: Groups, theirs: Groups, mine: Groups) -> None:
    merged = merge_contact_lists(text(base), text(theirs), text(mine))
    assert merge_contact_lists(text(mine), merged, text(mine)) == merged
    assert merge_contact_lists(text(theirs), text(theirs), merged) == merged or parsed(merged) == parsed(
        merge_contact_lists(text(theirs), text(theirs), merged)
    )
    again = merge_contact_lists(text(base), merged, text(mine))
    assert parsed(again) == parsed(merged)


def test_an_alias_and_the_state_of_a_group_are_changed_by_either_side() -> None:
    base = "G Work2 Work O\r\nU uid=a1:: A,\r\nU uid=b1:: B,\r\n"
    theirs = base.replace("A,", "A,boss")
    mine = base.replace("Work O", "Work C")
    expected = "G Work2 Work C\r\nU uid=a1:: A,boss\r\nU uid=b1:: B,\r\n"
    assert merge_contact_lists(base, theirs, mine) == expected


def test_ids_are_one_contact_in_any_case() -> None:
    base = "G Work2 Work O\r\nU uid=a,;ou=x1:: A,\r\n"
    theirs = "G Work2 Work O\r\nU UID=A,;ou=X1:: A,\r\n"
    assert merge_contact_lists(base, theirs, base).count("U ") == 1


def test_lines_of_unknown_kinds_stay() -> None:
    base = "Version=3.1.3\r\nG Work2 Work O\r\n"
    theirs = base + "X something new\r\n"
    mine = base + "U uid=a1:: A,\r\n"
    merged = merge_contact_lists(base, theirs, mine)
    assert "X something new" in merged
    assert "U uid=a1:: A," in merged


def test_a_large_list_is_merged_quickly() -> None:
    base = text({f"g{g}": {f"uid=u{g}x{u}": "Name" for u in range(50)} for g in range(20)})
    assert merge_contact_lists(base, base, base) == base


def test_an_id_is_replaced_wherever_it_is_however_it_is_spelled() -> None:
    before = "G cn=old,;dc=x3 Old O\r\nG Work2 Work O\r\nU CN=Old,dc=X1:: Old;Name,\r\nU cn=older1:: B,\r\n"
    after, count = replace_contact(before, "cn=old,dc=x", "cn=new name,dc=x")
    assert count == 2
    assert after == (
        "G cn=new;name,dc=x3 Old O\r\nG Work2 Work O\r\n"
        "U cn=new;name,dc=x1:: Old;Name,\r\nU cn=older1:: B,\r\n"
    )


def test_a_list_without_the_id_stays_byte_for_byte() -> None:
    before = "Version=3.1.3\n G Work2  Work O\r"
    assert replace_contact(before, "cn=old", "cn=new") == (before, 0)
