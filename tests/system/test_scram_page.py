"""The page on SCRAM in OpenLDAP: users bind by SCRAM at a slapd with its lines, and not without them."""

import re
from pathlib import Path

import pytest

from quintet.ldap import InvalidCredentials, connect
from support.slapd import Slapd
from support.small import person_dn

PAGE = Path(__file__).parent.parent.parent / "docs" / "how-to" / "offer-scram-in-openldap.md"
LINES = re.findall(r"```text\n +(.+)\n", PAGE.read_text(encoding="utf-8"))


def configured(slapd: Slapd) -> list[str]:
    """The lines of the page that are in the server's configuration, by their first word."""
    lines = (slapd.folder / "slapd.conf").read_text(encoding="utf-8").splitlines()
    return [line.split()[0] for line in LINES if line in lines]


async def test_a_user_binds_by_scram_with_the_lines_of_the_page() -> None:
    with Slapd(sasl=True) as slapd:
        assert configured(slapd) == ["password-hash", "authz-regexp"]
        async with connect(slapd.url) as ldap:
            await ldap.bind_scram("alice", "alice-secret")
            assert await ldap.who_am_i() == f"dn:{person_dn('alice')}"


async def test_no_user_binds_by_scram_without_them() -> None:
    with Slapd() as slapd:
        assert configured(slapd) == []
        async with connect(slapd.url) as ldap:
            with pytest.raises(InvalidCredentials):
                await ldap.bind_scram("alice", "alice-secret")
