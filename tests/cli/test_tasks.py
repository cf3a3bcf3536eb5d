"""The tasks and the card from the command line, against a real slapd: what is printed, and the exit codes."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support import keytool, small
from support.command import Quintet, Ran
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

ALICE = {
    "kind": "person",
    "id": small.person_dn("alice"),
    "dn": small.person_dn("alice"),
    "name": "Alice Adams",
    "mail": "alice@example.com",
    "description": None,
    "server": "localhost",
}
SECRETS = ("alice-secret", "not-her-password", small.READER_PASSWORD, keytool.PASSWORD)


@pytest.fixture
def ask(quintet: Quintet, sound_folder: Path) -> Quintet:
    """Runs a command on the sound folder. No output may ever hold a secret or a traceback."""

    def run(*arguments: str | Path, typed: str = "") -> Ran:
        ran = quintet("--config", sound_folder, *arguments, typed=typed)
        assert not any(secret in ran.out + ran.err for secret in SECRETS)
        assert "Traceback" not in ran.err
        return ran

    return run


def sign_in(ask: Quintet, name: str, password: str, *options: str) -> Ran:
    return ask("authenticate", name, "--password-stdin", *options, typed=f"{password}\n")


def test_authenticate_prints_the_person(ask: Quintet) -> None:
    ran = sign_in(ask, "alice", "alice-secret", "--json")
    assert (ran.code, ran.document) == (0, {"person": ALICE})
    assert "Alice Adams" in sign_in(ask, "alice", "alice-secret").out


@pytest.mark.parametrize("password", ["not-her-password", "", " ", "alice-secret "])
def test_authenticate_refuses_a_wrong_password_with_1(ask: Quintet, password: str) -> None:
    ran = sign_in(ask, "alice", password, "--json")
    assert (ran.code, ran.document) == (1, {"person": None})


@pytest.mark.parametrize("typed", ["\ufeffalice-secret\r\n", "alice-secret", "alice-secret\nnext line\n"])
def test_the_password_is_the_first_line_as_windows_writes_it_too(ask: Quintet, typed: str) -> None:
    assert ask("authenticate", "alice", "--password-stdin", typed=typed).code == 0


def test_standard_input_without_a_line_is_2(ask: Quintet) -> None:
    ran = ask("authenticate", "alice", "--password-stdin", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert "standard input is empty" in ran.err


def test_an_unknown_name_and_a_wrong_password_look_the_same(ask: Quintet) -> None:
    wrong, unknown = (sign_in(ask, name, "not-her-password") for name in ("alice", "nobody"))
    assert wrong.err.replace("alice", "X") == unknown.err.replace("nobody", "X")
    assert (wrong.code, wrong.out) == (unknown.code, unknown.out) == (1, "")


def test_without_a_terminal_the_password_is_not_asked_for(ask: Quintet) -> None:
    ran = ask("authenticate", "alice", typed="alice-secret\n")
    assert (ran.code, ran.out) == (2, "")
    assert "--password-stdin" in ran.err


def test_resolve_finds_people_and_groups(ask: Quintet) -> None:
    ran = ask("resolve", "alice@example.com", "--json")
    assert (ran.code, ran.document) == (0, {"matches": [ALICE], "exact": True, "complete": True})
    groups = ask("resolve", "e", "--groups", "--json").document["matches"]
    assert {each["kind"] for each in groups} == {"group"}
    assert {each["name"] for each in groups} == {"engineers", "everybody"}
    assert {each["mail"] for each in groups} == {None}
    people = ask("resolve", "e", "--people", "--json").document["matches"]
    assert {each["name"] for each in people} == {"Erin Evans"}


def test_resolve_prints_a_table(ask: Quintet) -> None:
    ran = ask("resolve", "smith")
    assert ran.code == 0
    assert {"John", "Johanna"} <= set(re.findall(r"\w+", ran.out))


@pytest.mark.parametrize("name", ["zzz", "*", "", "(cn=*)", "\0", "x" * 5000])
def test_resolve_without_a_match_is_1(ask: Quintet, name: str) -> None:
    ran = ask("resolve", name, "--json")
    assert (ran.code, ran.document["matches"], ran.document["exact"]) == (1, [], False)


@pytest.mark.parametrize("key", ["ST_RESOLVE_BLACKLIST", "ST_RESOLVE_WHITELIST"])
def test_c83_a_name_that_is_not_looked_up_is_told_from_one_that_nobody_has(
    quintet: Quintet, small_slapd: Slapd, tmp_path: Path, key: str
) -> None:
    domain = "example.com" if key == "ST_RESOLVE_BLACKLIST" else "elsewhere.example"
    folder = settings_folder(tmp_path, small_slapd, level="none", account=None, config={key: domain})
    ran = quintet("--config", folder, "resolve", "alice@example.com", "--json")
    assert (ran.code, ran.document) == (1, {"matches": [], "exact": False, "complete": True})
    assert key in ran.err
    assert "not looked up" in ran.err
    assert "not looked up" not in quintet("--config", folder, "resolve", "zzz").err


def test_c40_nobody_found_while_a_server_is_down_is_3_and_an_incomplete_answer(
    quintet: Quintet, small_slapd: Slapd, tmp_path: Path
) -> None:
    with Slapd() as down:
        gone = settings_folder(tmp_path / "gone", down, connection={"SearchOrder": "2"})
    folder = settings_folder(tmp_path / "settings", small_slapd, account=None)
    path, other = folder / "StCommunityConfig.xml", (gone / "StCommunityConfig.xml").read_text()
    second = re.search(r"<Connection [^>]*/>", other.replace("localhost", "127.0.0.1"))
    assert second is not None
    path.write_text(path.read_text().replace("  </LDAP>", f"    {second[0]}\n  </LDAP>"))
    ran = quintet("--config", folder, "resolve", "zzz", "--json")
    assert (ran.code, ran.document) == (3, {"matches": [], "exact": False, "complete": False})
    assert "127.0.0.1 could not be reached" in ran.err
    found = quintet("--config", folder, "resolve", "alice@example.com", "--json")
    assert (found.code, found.document) == (0, {"matches": [ALICE], "exact": True, "complete": False})
    assert "127.0.0.1 could not be reached" in found.err


def test_browse_goes_down_page_by_page(ask: Quintet) -> None:
    assert ask("browse").code == 0
    names: list[str] = []
    page: list[str] = []
    while True:
        document = ask("browse", small.PEOPLE, "--page-size", "4", *page, "--json").document
        assert len(document["entries"]) <= 4
        names += [entry["name"] for entry in document["entries"]]
        if document["next"] is None:
            break
        page = ["--page", document["next"]]
    assert {"Alice Adams", "José Núñez"} <= set(names)
    assert len(names) == len(set(names)) == 10


def test_browse_entries_have_kind_dn_and_name(ask: Quintet) -> None:
    entries = ask("browse", small.BASE, "--json").document["entries"]
    assert {"kind": "container", "dn": small.PEOPLE, "name": "people"} in entries


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("ou=nowhere,o=example",), 1),
        (("o=elsewhere",), 1),
        (("no dn at all",), 1),
        ((small.PEOPLE, "--page", "x"), 2),
        ((small.PEOPLE, "--page-size", "0"), 2),
        ((small.PEOPLE, "--page-size", "1001"), 2),
    ],
)
def test_browse_says_what_cannot_be_browsed(ask: Quintet, arguments: tuple[str, ...], code: int) -> None:
    ran = ask("browse", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err


def test_an_empty_name_to_browse_is_no_name_and_not_the_top(ask: Quintet) -> None:
    ran = ask("browse", "", "--json")
    assert (ran.code, ran.document) == (1, {"entries": [], "next": None})
    assert "an empty name" in ran.err
    assert "the top" not in ran.err


@pytest.mark.parametrize("group", ["everybody", small.group_dn("everybody")])
def test_members_by_name_or_dn_with_nested_groups_opened(ask: Quintet, group: str) -> None:
    ran = ask("members", group, "--json")
    assert ran.code == 0
    assert ran.document["group"]["dn"] == small.group_dn("everybody")
    assert ALICE in ran.document["members"]
    assert len(ran.document["members"]) == 6
    assert (ran.document["truncated"], ran.document["missing"]) == (False, [])


def test_members_that_are_not_there_are_told(ask: Quintet) -> None:
    document = ask("members", "ghosts", "--json").document
    assert document["missing"] == [small.person_dn("nobody")]
    ran = ask("members", "ghosts")
    assert small.person_dn("nobody") in ran.err
    assert "Alice Adams" in ran.out


def test_members_of_an_unknown_group_is_1(ask: Quintet) -> None:
    ran = ask("members", "nobodies", "--json")
    assert (ran.code, ran.document["group"], ran.document["members"]) == (1, None, [])
    assert "nobodies" in ran.err


def test_card_has_the_fields_of_the_set(ask: Quintet) -> None:
    ran = ask("card", "alice", "--json")
    assert ran.code == 0
    assert ran.document == {
        "id": small.person_dn("alice"),
        "fields": {
            "MailAddress": "alice@example.com",
            "Name": "Alice Adams",
            "Title": "Engineer",
            "Telephone": "+49 30 1000",
        },
    }
    assert ask("card", "alice", "--set", "0", "--json").document["fields"] == {"Name": "Alice Adams"}
    assert "Engineer" in ask("card", small.person_dn("alice")).out


def test_card_of_nobody_is_1(ask: Quintet) -> None:
    ran = ask("card", "nobody", "--json")
    assert (ran.code, ran.document) == (1, {"id": None, "fields": {}})


def test_a_photo_that_is_not_there_is_1_and_no_file(ask: Quintet, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    ran = ask("card", "alice", "--photo", path, "--json")
    assert (ran.code, path.exists()) == (1, False)
    assert ran.document["fields"]["Name"] == "Alice Adams"


def test_a_photo_is_written_for_nobody_else_to_read(quintet: Quintet, slapd: Slapd, tmp_path: Path) -> None:
    folder = settings_folder(tmp_path / "settings", slapd, level="none", account=None)
    path = tmp_path / "photo.jpg"
    assert quintet("--config", folder, "card", "jsmith", "--photo", path).code == 0
    assert path.read_bytes().startswith(b"\xff\xd8\xff")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_there_is_replaced_by_a_photo_only_by_force(
    quintet: Quintet, slapd: Slapd, tmp_path: Path
) -> None:
    folder = settings_folder(tmp_path / "settings", slapd, level="none", account=None)
    path = tmp_path / "photo.jpg"
    path.write_text("mine")
    refused = quintet("--config", folder, "card", "jsmith", "--photo", path, "--json")
    assert (refused.code, refused.out, path.read_text()) == (2, "", "mine")
    assert "--force" in refused.err
    assert quintet("--config", folder, "card", "jsmith", "--photo", path, "--force").code == 0
    assert path.read_bytes().startswith(b"\xff\xd8\xff")


@pytest.mark.parametrize("target", ["no/photo.jpg", ".", "/dev/null"])
def test_where_no_photo_can_be_written_nothing_is_printed(ask: Quintet, tmp_path: Path, target: str) -> None:
    path = tmp_path / target
    ran = ask("card", "alice", "--photo", path, "--force", "--json")
    assert (ran.code, ran.out) == (2, "")
    assert str(path) in ran.err
    assert "Errno" not in ran.err


def test_what_a_directory_says_cannot_steer_the_terminal(
    quintet: Quintet, make_slapd: Callable[..., Slapd], tmp_path: Path
) -> None:
    """Escape sequences, line breaks and Rich's markup in names are shown, not obeyed."""
    evil = "\x1b[31mEvil\x1b]0;owned\x07\n[bold]Mallory[/bold] [/] \u202ecod.exe"
    ldif = small.LDIF.replace(b"cn:: " + b"", b"cn:: ")
    entry = small._entry(
        f"uid=mallory,{small.PEOPLE}",
        [
            ("objectClass", "inetOrgPerson"),
            ("uid", "mallory"),
            ("sn", "Mallory"),
            ("cn", evil),
            ("mail", "mallory@example.com"),
            ("title", evil),
        ],
    )
    server = make_slapd(ldif + b"\n" + entry.encode())
    folder = settings_folder(tmp_path / "settings", server, level="none", account=None)
    for arguments in (
        ("resolve", "mallory@example.com"),
        ("browse", small.PEOPLE),
        ("card", "mallory"),
        ("resolve", "mallory@example.com", "--json"),
    ):
        ran = quintet("--config", folder, *arguments)
        assert ran.code == 0
        assert not set("\x1b\x07\u202e") & set(ran.out + ran.err)
        assert "[bold]Mallory[/bold]" in ran.out
