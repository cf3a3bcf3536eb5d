"""`quintet token`: create, list, revoke."""

import json
from pathlib import Path

import pytest

from support.command import Quintet


def test_a_token_is_shown_once_and_listed_without_its_secret(quintet: Quintet, tmp_path: Path) -> None:
    database = ("--database", f"sqlite:///{tmp_path}/a.db")
    made = quintet("token", "create", "wiki", "--scope", "people", "--scope", "admin", *database)
    assert made.code == 0
    (shown,) = made.out.split()
    assert shown.startswith("quintet_")
    listed = quintet("token", "list", *database, "--json")
    (row,) = listed.document["tokens"]
    assert (row["name"], row["scopes"], row["used"]) == ("wiki", ["admin", "people"], None)
    assert shown not in listed.out
    assert shown.split("_")[1] == row["id"]
    assert quintet("token", "revoke", row["id"], *database).code == 0
    assert quintet("token", "revoke", row["id"], *database).code == 1
    assert json.loads(quintet("token", "list", *database, "--json").out) == {"tokens": []}


def test_json_has_the_token_and_when_it_expires(quintet: Quintet, tmp_path: Path) -> None:
    database = ("--database", f"sqlite:///{tmp_path}/a.db")
    made = quintet("token", "create", "a", "--scope", "people", "--days", "1", "--json", *database)
    assert set(made.document) == {"token", "id", "name", "scopes", "created", "expires", "used"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "a"),
        ("create", "a", "--scope", "everything"),
        ("create", "a", "--scope", "people", "--days", "0"),
        ("list", "--database", "mysql://x"),
    ],
)
def test_a_command_line_that_can_not_be_carried_out_is_exit_2(
    quintet: Quintet, arguments: tuple[str, ...]
) -> None:
    ran = quintet("token", *arguments)
    assert ran.code == 2
    assert "Traceback" not in ran.err


def test_a_database_that_is_away_is_exit_3(quintet: Quintet, tmp_path: Path) -> None:
    assert quintet("token", "list", "--database", f"sqlite:///{tmp_path}/no/a.db").code == 3
