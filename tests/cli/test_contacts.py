"""`quintet contacts` on a database of its own."""

import asyncio
import stat
from pathlib import Path

import pytest

from quintet.sametime.storage import CONTACT_LIST, DatabaseAddress, ValueStore
from support.command import Quintet
from support.list_saver import encode

ALICE = "uid=alice,dc=org"
LIST = "Version=3.1.3\r\nG Work2 Work O\r\nU uid=bob,dc=org1:: Bob,\r\n"


@pytest.fixture
def stored(quintet: Quintet, tmp_path: Path) -> Path:
    """Alice has a contact list."""
    file = tmp_path / "alice.txt"
    file.write_bytes(LIST.encode())
    assert quintet("contacts", "import", file, "--user", ALICE).code == 0
    return tmp_path


def test_a_contact_list_is_imported_and_exported_byte_for_byte(quintet: Quintet, stored: Path) -> None:
    ran = quintet("contacts", "export", "UID=Alice, DC=org", "--to", stored / "out.txt")
    assert ran.code == 0
    assert (stored / "out.txt").read_bytes() == LIST.encode()
    assert stat.S_IMODE((stored / "out.txt").stat().st_mode) == 0o600


def test_everything_goes_to_another_database_by_standard_input(quintet: Quintet, stored: Path) -> None:
    lines = quintet("contacts", "export").out
    ran = quintet("contacts", "import", "-", "--database", "sqlite:///other.db", typed=lines)
    assert (ran.code, ran.err.strip()) == (0, "1 value stored.")
    assert quintet("contacts", "export", "--database", "sqlite:///other.db").out == lines


def test_a_url_that_cannot_be_used_is_2_without_its_password(quintet: Quintet) -> None:
    ran = quintet("contacts", "export", ALICE, "--database", "mysql://u:geheim@h/d")
    assert ran.code == 2
    assert "geheim" not in ran.err


def test_a_list_that_is_stored_is_replaced_only_when_told_to(quintet: Quintet, stored: Path) -> None:
    other = stored / "other.txt"
    other.write_bytes(b"Version=3.1.3\r\n")
    assert quintet("contacts", "import", other, "--user", ALICE).err.strip() == "0 values stored."
    assert quintet("contacts", "import", other, "--user", ALICE, "--replace").err.strip() == "1 value stored."


def test_an_old_version_is_listed_and_restored(quintet: Quintet, stored: Path) -> None:
    other = stored / "other.txt"
    other.write_bytes(b"Version=3.1.3\r\n")
    quintet("contacts", "import", other, "--user", ALICE, "--replace")
    versions = quintet("contacts", "history", ALICE, "--json").document["versions"]
    assert [(each["version"], each["origin"]) for each in versions] == [(2, "imported"), (1, "imported")]
    assert quintet("contacts", "history", ALICE).out.count("\n") == 3
    assert quintet("contacts", "restore", ALICE, "1").code == 0
    assert quintet("contacts", "export", ALICE).out.encode() == LIST.encode()
    assert quintet("contacts", "restore", ALICE, "99").code == 1


def test_nothing_stored_is_1(quintet: Quintet, stored: Path) -> None:
    ran = quintet("contacts", "history", "uid=nobody", "--json")
    assert (ran.code, ran.document["versions"]) == (1, [])
    assert quintet("contacts", "export", "uid=nobody").code == 1


def test_a_user_is_renamed_after_a_question(quintet: Quintet, stored: Path) -> None:
    new = "uid=alison,dc=org"
    assert quintet("contacts", "rename", ALICE, new, typed="n\n").code == 1
    assert quintet("contacts", "rename", ALICE, new, "--yes").code == 0
    assert quintet("contacts", "export", new).out.encode() == LIST.encode()
    assert quintet("contacts", "rename", ALICE, new, "--yes").code == 1
    assert quintet("contacts", "rename", new, " ", "--yes").code == 2


def test_a_malformed_file_is_2_with_its_line(quintet: Quintet, stored: Path) -> None:
    bad = stored / "bad.jsonl"
    bad.write_text('{"id": "a", "key": 1, "text": "x"}\nnonsense\n')
    ran = quintet("contacts", "import", bad)
    assert ran.code == 2
    assert "line 2" in ran.err
    assert quintet("contacts", "import", stored / "missing").code == 2


def test_a_database_that_does_not_answer_is_3(quintet: Quintet) -> None:
    ran = quintet("contacts", "export", "--database", "postgresql://u:geheim@127.0.0.1:1/d")
    assert ran.code == 3
    assert "geheim" not in ran.err
    assert "Traceback" not in ran.err


def test_without_an_option_the_database_of_the_settings_is_used(quintet: Quintet, stored: Path) -> None:
    lines = quintet("contacts", "export").out
    (stored / "sametime.ini").write_text("[Config]\nQUINTET_DATABASE=sqlite:///other.db\n", encoding="utf-8")
    assert quintet("contacts", "export").out == ""
    assert quintet("contacts", "import", "-", typed=lines).code == 0
    assert (stored / "other.db").exists()
    assert quintet("token", "create", "wiki", "--scope", "people").code == 0
    assert (
        quintet("token", "list", "--database", "sqlite:///quintet.db").err.strip() == "There are no tokens."
    )


def test_a_database_of_the_settings_that_can_not_be_used_is_2_and_no_other_is_used(
    quintet: Quintet, tmp_path: Path
) -> None:
    for url in ("mysql://u:geheim@h/d", "postgresql://u:geheim@db.example.org/d?sslmode=require"):
        (tmp_path / "sametime.ini").write_text(f"[Config]\nQUINTET_DATABASE={url}\n", encoding="utf-8")
        ran = quintet("contacts", "export")
        assert (ran.code, ran.out) == (2, "")
        assert "geheim" not in ran.err
    assert not (tmp_path / "quintet.db").exists()


def test_a_version_that_lost_a_conflict_is_marked(quintet: Quintet, tmp_path: Path) -> None:
    asyncio.run(_conflict(tmp_path))
    listed = quintet("contacts", "history", ALICE, "--json").document["versions"]
    assert [(each["version"], each["lost"]) for each in listed] == [
        (3, False),
        (2, True),
        (1, True),
    ]
    assert quintet("contacts", "history", ALICE).out.count("lost") == 2


async def _conflict(folder: Path) -> None:
    store = await ValueStore.open(DatabaseAddress.parse("", folder))
    for name in ("bob", "carol"):
        await store.save(ALICE, CONTACT_LIST, encode([name]), base=0)
    await store.close()
