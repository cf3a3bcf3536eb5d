"""The difference that is shown tells what changes, and no password."""

import pytest

from quintet.admin.differences import difference


def test_the_changed_line_is_shown_with_its_surroundings() -> None:
    shown = difference("sametime.ini", b"[A]\nx=1\ny=2\n", b"[A]\nx=1\ny=3\n")
    assert shown.splitlines() == [
        "--- sametime.ini",
        "+++ sametime.ini",
        "@@ -1,3 +1,3 @@",
        " [A]",
        " x=1",
        "-y=2",
        "+y=3",
    ]


def test_nothing_is_shown_for_an_unchanged_file() -> None:
    assert difference("a.xml", b"<a/>", b"<a/>") == ""


def test_a_new_file_is_compared_with_nothing() -> None:
    assert difference("sametime.ini", None, b"[A]\n").startswith("--- /dev/null\n+++ sametime.ini")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sametime.ini", "[C]\nSTLDAP_TLS_TRUST_STORE_PASSWORD = hush#1\n"),
        ("sametime.ini", "[C]\r\nst_password=hush\r\n"),
        ("a.xml", "<a BindEntryPassword='hush'/>"),
        ("a.xml", '<a\n BindEntryPwd = "hu\nsh"/>'),
        ("a.xml", "<a Password='hush' UserEncodedAuth='aHVzaA==hush'/>"),
        ("a.xml", "<a><BindPassword>hush</BindPassword></a>"),
        ("a.xml", "<a><BindPassword x='1' value='hush'/></a>"),
        ("a.xml", "<a KeyStorePassword='hush' b='c'/>"),
    ],
)
def test_passwords_are_masked(name: str, text: str) -> None:
    changed = text.replace("\n", "\n\n", 1) if "\n" in text else text.replace("<a", "<a new='1'", 1)
    shown = difference(name, text.encode(), changed.encode())
    assert shown
    assert "hu" not in shown
    assert "***" in shown


def test_what_only_sounds_like_a_password_is_shown() -> None:
    old = b"[Directory]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=0\nX_PASSWORD_STASH_FILE=a.sth\n"
    shown = difference("sametime.ini", old, old.replace(b"S=0", b"S=1"))
    assert "+ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1" in shown
    assert "a.sth" in shown


def test_a_change_of_a_password_alone_is_told_without_it() -> None:
    assert "only a password changes" in difference("a.xml", b"<a Password='x'/>", b"<a Password='y'/>")
