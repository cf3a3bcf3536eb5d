"""What every command writes to a pipe: no value is folded or cut, nothing is padded, however narrow it is."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from quintet.cli.commands import COMMANDS
from support import certs, small
from support.command import Ran, run_program
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

UNIT = f"ou=A Department With a Long Name in a Building With a Longer One,{small.PEOPLE}"
PERSON = f"uid=longlegs,{UNIT}"
GROUP = f"cn=The Long Group of Those With Long Names,{UNIT}"
ACCOUNT = f"cn=An Account With a Long Name That Searches,{UNIT}"
ISSUER = "CN=An Authority With a Name That Is Longer Than the Screen,O=Quintet Tests"
LDIF = f"""
dn: {UNIT}
objectClass: organizationalUnit

dn: {PERSON}
objectClass: inetOrgPerson
cn: Long Legs
sn: Legs
uid: longlegs
userPassword: longlegs-secret

dn: {GROUP}
objectClass: groupOfNames
cn: The Long Group
member: {PERSON}

dn: {ACCOUNT}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: An Account With a Long Name That Searches
userPassword: account-secret
"""

CALLS: dict[tuple[str, ...], str] = {
    ("resolve", "Long Legs"): PERSON,
    ("members", GROUP): PERSON,
    ("groups", "longlegs"): GROUP,
    ("browse", UNIT): PERSON,
    ("card", "longlegs"): PERSON,
    ("authenticate", "longlegs", "--password-stdin"): PERSON,
    ("authenticate", "longlegs", "--password-stdin", "--explain"): PERSON,
    ("connections",): ACCOUNT,
    ("eavesdrop",): "",
    ("trust", "list"): ISSUER,
    ("trust", "fetch", "localhost:{tls_port}"): ISSUER,
    ("doctor",): "",
    ("check",): "",
    ("explain", "D9"): "",
    ("protect", "passwords", "--dry-run"): "",
}
"""Calls of commands, and a DN that each must show."""

ELSEWHERE = {"init", "cost", "contacts", "demo", "serve", "sessions", "broadcast", "drain", "limits", "token"}
"""Commands that show no DNs but by functions that the others use, too."""


@pytest.fixture(scope="module")
def server() -> Iterator[Slapd]:
    authority = certs.authority(ISSUER.split(",", maxsplit=1)[0].removeprefix("CN="))
    certificate = certs.leaf(authority, *certs.LOCAL)
    with Slapd(small.LDIF + LDIF.encode(), authority=authority, certificate=certificate) as slapd:
        yield slapd


@pytest.fixture(scope="module")
def folder(server: Slapd, tmp_path_factory: pytest.TempPathFactory) -> Path:
    account = (ACCOUNT, "account-secret")
    return settings_folder(
        tmp_path_factory.mktemp("piped") / "s", server, account=account, cards_encrypted=True
    )


def run(folder: Path, *arguments: str) -> Ran:
    narrow = {"COLUMNS": "40"}
    return run_program("--config", folder, *arguments, typed="longlegs-secret\n", environ=narrow)


def assert_fit_for_programs(written: str) -> None:
    lines = written.splitlines()
    assert [line for line in lines if line != line.rstrip(" ")] == []
    assert not re.search("[─│┃━╭]", written)


def test_every_command_is_looked_at() -> None:
    assert {call[0] for call in CALLS} == set(COMMANDS) - ELSEWHERE


@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_a_dn_is_whole_and_nothing_is_padded(folder: Path, server: Slapd, call: tuple[str, ...]) -> None:
    ran = run(folder, *(each.format(tls_port=server.tls_port) for each in call))
    assert ran.code in (0, 1), ran.err
    assert ran.out
    assert CALLS[call].casefold() in ran.out.casefold()
    assert_fit_for_programs(ran.out)
    assert_fit_for_programs(ran.err)


@pytest.mark.parametrize("command", ["doctor", "connections", "resolve"])
def test_a_dn_in_what_is_wrong_is_whole(
    server: Slapd, tmp_path: Path, trust_store: Path, command: str
) -> None:
    account = (ACCOUNT, "wrong-secret")
    folder = settings_folder(tmp_path / "s", server, store=trust_store, account=account)
    ran = run(folder, command, *(("x",) if command == "resolve" else ()))
    assert ran.code != 0
    if command == "doctor":
        assert ACCOUNT in ran.out
    assert_fit_for_programs(ran.out)
    assert_fit_for_programs(ran.err)


@pytest.fixture(scope="module")
def trust_store(folder: Path) -> Path:
    return folder / "ldaptruststore.p12"
