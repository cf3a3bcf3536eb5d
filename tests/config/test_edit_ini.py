"""sametime.ini is changed in place, and nothing but the one line."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.edit import get_key, remove_key, set_key
from quintet.config.ini import same_section
from quintet.config.source import EditError

FILE = b"""; the community server
[Config]
ST_COMMUNITY_ID = sametime
# a comment = with an equals sign

[directory]
DirectoryType=LDAP
st_db_ldap_ssl_only_for_passwords = 0 \t

[Debug]
VP_LDAP_TRACE=1
"""
FLAG = "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"


def test_only_the_value_of_an_existing_key_changes() -> None:
    changed = set_key(FILE, "Directory", FLAG, "1")
    assert changed == FILE.replace(b"passwords = 0 \t", b"passwords = 1 \t")


def test_a_key_that_is_right_already_changes_nothing() -> None:
    assert set_key(FILE, "DIRECTORY", FLAG, "0") == FILE


def test_a_new_key_goes_below_the_last_key_of_its_section() -> None:
    changed = set_key(FILE, "Config", "STLDAP_TLS_TRUST_STORE_TYPE", "p12")
    assert changed == FILE.replace(b"= sametime\n", b"= sametime\nSTLDAP_TLS_TRUST_STORE_TYPE=p12\n")


def test_a_new_key_goes_below_the_header_of_an_empty_section() -> None:
    assert set_key(b"[A]\n[B]\nx=1\n", "a", "key", "v") == b"[A]\nkey=v\n[B]\nx=1\n"


def test_a_new_section_goes_to_the_end_after_a_blank_line() -> None:
    assert (
        set_key(b"[A]\nx=1\n", "Directory", FLAG, "1") == b"[A]\nx=1\n\n[Directory]\n%s=1\n" % FLAG.encode()
    )


def test_a_new_section_in_an_empty_file_is_the_whole_file() -> None:
    assert set_key(b"", "A", "k", "v") == b"[A]\nk=v\n"


def test_a_last_line_without_its_end_gets_one_before_another_follows() -> None:
    assert set_key(b"[A]\r\nx=1", "A", "k", "v") == b"[A]\r\nx=1\r\nk=v\r\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_are_those_of_the_file(end: bytes) -> None:
    file = FILE.replace(b"\n", end)
    assert set_key(file, "Config", "NEW", "v") == set_key(FILE, "Config", "NEW", "v").replace(b"\n", end)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-8"])
def test_byte_order_mark_and_encoding_stay(encoding: str) -> None:
    file = "[Config]\nNAME=Zoë\n".encode(encoding)
    assert set_key(file, "Config", "PATH", "/wo/ö.p12") == "[Config]\nNAME=Zoë\nPATH=/wo/ö.p12\n".encode(
        encoding
    )


def test_bytes_that_are_no_utf8_stay_as_they_are() -> None:
    assert set_key(b"[A]\nname=Zo\xeb\n", "A", "k", "v") == b"[A]\nname=Zo\xeb\nk=v\n"


def test_the_value_in_effect_is_changed_when_a_key_is_repeated() -> None:
    assert set_key(b"[A]\nk=1\n[B]\nk=1\n[a]\nK=2\n", "A", "k", "3") == b"[A]\nk=1\n[B]\nk=1\n[a]\nK=3\n"


def test_removing_takes_every_line_that_sets_the_key_in_that_section() -> None:
    assert remove_key(b"[A]\nk=1\n;k=0\n[B]\nk=1\n[a]\nK=2\n", "A", "k") == b"[A]\n;k=0\n[B]\nk=1\n[a]\n"


def test_removing_a_key_that_is_only_in_another_section_changes_nothing() -> None:
    assert remove_key(FILE, "Config", FLAG) == FILE


def test_a_key_in_a_comment_is_no_key() -> None:
    assert get_key(b"[A]\n#k=1\n ;k=2\n", "A", "k") is None


@pytest.mark.parametrize("value", ["a\nb", "a\rb", "a\x00b", "a\u2028b", " a", "a "])
def test_a_value_that_a_line_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(EditError, match="value of k"):
        set_key(FILE, "A", "k", value)


@pytest.mark.parametrize(
    ("section", "key"), [("A]", "k"), ("A", "k=x"), ("A", ""), ("A", "#k"), ("A\n", "k")]
)
def test_a_name_that_would_break_the_file_is_refused(section: str, key: str) -> None:
    with pytest.raises(EditError, match="cannot be a name"):
        set_key(FILE, section, key, "v")


def test_a_letter_that_the_encoding_lacks_is_refused() -> None:
    with pytest.raises(EditError, match="which has no 'ж'"):
        set_key(b"[A]\nname=Zo\xeb\n", "A", "k", "ж")


_names = st.sampled_from(["Config", "CONFIG", "Directory", "Debug-StUsers", "debug_stusers"])
_keys = st.sampled_from(["KEY", "key", "OTHER", "ST_TLS_MIN"])
_values = (
    st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), max_size=20)
    .map(str.strip)
    .filter(str.isprintable)
)
_blank = st.sampled_from(["", " ", "\t", "  "])
_line = st.one_of(
    st.builds("{}{}{}={}{}{}".format, _blank, _keys, _blank, _blank, _values, _blank),
    st.builds("{}[{}]{}".format, _blank, _names, _blank),
    st.builds("{}{}{}".format, _blank, st.sampled_from(";#"), _values),
    _blank,
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=20),
)
_files = st.builds(
    lambda lines, end, last: end.join(lines) + last,
    st.lists(_line, max_size=12),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\n"]),
).map(str.encode)


def others(file: bytes, section: str, key: str) -> list[tuple[str, str, str | None]]:
    """What the file says about every other key."""
    return [
        (s, k, get_key(file, s, k))
        for s in ("Config", "Directory", "Debug-StUsers")
        for k in ("KEY", "OTHER", "ST_TLS_MIN")
        if (same_section(s), k.casefold()) != (same_section(section), key.casefold())
    ]


@given(_files, _names, _keys, _values)
def test_after_setting_the_value_is_read_back_and_all_others_are_as_before(
    file: bytes, section: str, key: str, value: str
) -> None:
    changed = set_key(file, section, key, value)
    assert get_key(changed, section, key) == value
    assert others(changed, section, key) == others(file, section, key)
    assert set_key(changed, section, key, value) == changed


@given(_files, _names, _keys, _values)
def test_setting_touches_one_line_or_adds_at_most_three(
    file: bytes, section: str, key: str, value: str
) -> None:
    before = file.splitlines()
    after = set_key(file, section, key, value).splitlines()
    kept = [line for line in before if line in after]
    assert len(before) - len(kept) <= 1
    assert 0 <= len(after) - len(before) <= 3


@given(_files, _names, _keys)
def test_after_removing_the_key_is_gone_and_all_others_are_as_before(
    file: bytes, section: str, key: str
) -> None:
    changed = remove_key(file, section, key)
    assert get_key(changed, section, key) is None
    assert others(changed, section, key) == others(file, section, key)
    assert remove_key(changed, section, key) == changed
