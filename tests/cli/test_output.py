"""A table for a terminal, plain lines for everything else; and no value is ever folded, cut or padded."""

import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.text import Text

from quintet.cli.show import print_fields, print_table
from support import small
from support.command import Quintet, at_terminal
from support.folder import settings_folder
from support.slapd import Slapd

LONG = "CN=Dr. Extraordinarily Long-Name,OU=A Department With a Long Name,OU=Sites,DC=corp,DC=example,DC=com"
_VALUES = st.one_of(st.none(), st.integers(), st.text(max_size=60))


@pytest.fixture
def at_80_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "80")


@given(st.lists(st.tuples(_VALUES, _VALUES, _VALUES), max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_elsewhere_a_row_is_a_line_with_tabs_and_no_padding(
    capsys: pytest.CaptureFixture[str], rows: list[tuple[object, ...]]
) -> None:
    capsys.readouterr()
    print_table(("kind", "name"), rows, below={"dn": "name"})
    lines = capsys.readouterr().out.split("\n")
    assert lines[0] == "kind\tname\tdn"
    assert lines[-1] == ""
    values = [line.split("\t") for line in lines[1:-1]]
    assert [[value == "" for value in row] for row in values] == [
        [value in (None, "") for value in row] for row in rows
    ]


def test_a_value_of_several_lines_is_one_line_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("alias", "key"), [("a", Text("RSA 2048\nSHA-256"))])
    assert capsys.readouterr().out == "alias\tkey\na\tRSA 2048 SHA-256\n"


def test_fields_are_a_line_each_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("Name", "Ada"), ("Title", None)])
    assert capsys.readouterr().out == "Name\tAda\nTitle\t\n"


@pytest.mark.usefixtures("at_80_columns")
class TestAtATerminal:
    def test_columns_stand_below_each_other_and_a_dn_below_its_name(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [("person", "Zoë", None, LONG), ("group", "All", "all@example.com", "All")]
        print_table(("kind", "name", "mail"), rows, below={"dn": "name"})
        assert capsys.readouterr().out.splitlines() == [
            "",
            " kind     name   mail",
            " ───────────────────────────────",
            " person   Zoë    –",
            f"          {LONG}",
            " group    All    all@example.com",
            "",
        ]

    def test_numbers_stand_at_the_right(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(("task", "ops/s"), [("a", "5"), ("b", "1234")], right=("ops/s",))
        assert capsys.readouterr().out.splitlines()[3:5] == [" a          5", " b       1234"]

    def test_the_last_column_may_go_on_beyond_the_screen(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(("state", "bound as"), [("connected", LONG)])
        assert f" connected   {LONG}" in capsys.readouterr().out.splitlines()

    def test_what_is_too_wide_is_a_block_for_each_row(self, capsys: pytest.CaptureFixture[str]) -> None:
        print_table(("certificate", "valid"), [(Text(f"{LONG}\nby itself"), "yes")] * 2)
        assert capsys.readouterr().out.splitlines() == [
            "",
            *[f" certificate   {LONG}", "               by itself", " valid         yes", ""] * 2,
        ]

    @given(st.lists(st.tuples(_VALUES, _VALUES), max_size=4))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_every_value_is_whole(
        self, capsys: pytest.CaptureFixture[str], rows: list[tuple[object, ...]]
    ) -> None:
        capsys.readouterr()
        print_table(("a", "b"), rows)
        shown = capsys.readouterr().out
        assert all(
            value in shown for row in rows for value in row if isinstance(value, str) and value.isalnum()
        )


@pytest.mark.real
def test_long_dns_are_whole_at_a_terminal_and_in_a_pipe(
    quintet: Quintet, make_slapd: Callable[..., Slapd], tmp_path: Path
) -> None:
    unit = "ou=" + "a department with a very long name " * 3 + ",ou=people,o=example"
    dn = f"uid=long,{unit}"
    server = make_slapd(
        small.LDIF
        + f"\ndn: {unit}\nobjectClass: organizationalUnit\n".encode()
        + f"\ndn: {dn}\nobjectClass: inetOrgPerson\ncn: Long Dn\nsn: Dn\nuid: long\n".encode()
    )
    folder = settings_folder(tmp_path / "s", server, level="none", account=None)
    piped = quintet("--config", folder, "resolve", "Long Dn").out
    found = piped.splitlines()[1].split("\t")[3]
    assert found.lower().replace(" ", "") == dn.lower().replace(" ", "")
    with at_terminal("--config", folder, "resolve", "Long Dn") as terminal:
        assert terminal.end() == 0
    assert any(line.strip() == found for line in terminal.lines)


@pytest.mark.real
@pytest.mark.parametrize(
    "command", [("connections",), ("resolve", "a"), ("browse",), ("card", "alice"), ("eavesdrop",)]
)
def test_no_command_draws_or_pads_in_a_pipe(
    quintet: Quintet, sound_folder: Path, command: tuple[str, ...]
) -> None:
    ran = quintet("--config", sound_folder, *command)
    assert ran.code == 0
    assert not re.search("[─│┃━╭]|  |[ ]$", ran.out, re.MULTILINE)
    assert "\t" in ran.out


@pytest.fixture
def silent() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.real
@pytest.mark.parametrize("command", [("connections",), ("protect", "passwords", "--yes")])
def test_a_command_shows_which_server_it_waits_for(
    tmp_path: Path, small_slapd: Slapd, silent: int, command: tuple[str, ...]
) -> None:
    folder = settings_folder(
        tmp_path, small_slapd, level="none", account=None, connection={"Port": str(silent)}, host="127.0.0.1"
    )
    with at_terminal("--config", folder, *command) as terminal:
        terminal.until(f"waiting for 127.0.0.1:{silent} (")
        terminal.until("resolve-names")
        terminal.interrupt()
        assert terminal.end() == 130
