"""The doctor changes nothing, asks little, and comes to an end whatever happens."""

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quintet.admin.doctor import groups, handshakes, people, roots, stores
from quintet.admin.doctor.checks import Checks
from quintet.admin.doctor.roots import Root, check_kind
from quintet.admin.doctor.sites import sites_of
from quintet.diagnostics import Finding, Severity
from quintet.embedded.faults import AnswerWith, Delay, Fault, Faults, Silence, failing
from quintet.embedded.server import EmbeddedServer
from support import directories
from support.slapd import Slapd

pytestmark = pytest.mark.real

Make = Callable[..., Path]


def _contents(folder: Path) -> dict[str, str]:
    return {each.name: hashlib.sha256(each.read_bytes()).hexdigest() for each in folder.iterdir()}


def _clear_folder(folder: Path, port: int) -> Path:
    folder.mkdir()
    (folder / "sametime.ini").write_text("[Config]\n")
    (folder / "StCommunityConfig.xml").write_text(
        f'<C><LDAP><Connection HostName="127.0.0.1" Port="{port}" SSLEnabled="0" SearchOrder="1"'
        ' PersonResolveBase="o=example" GroupResolveBase="o=example" PersonObjectClass="inetOrgPerson"'
        ' UserDnSearchFilter="(uid=%s)"/></LDAP></C>'
    )
    return folder


async def test_it_changes_no_file_and_no_entry(make_folder: Make, slapd: Slapd, doctor: Any) -> None:
    folder = make_folder(level="passwords", cards_encrypted=False)
    before, said = _contents(folder), len(slapd.log())

    await doctor.codes(folder)

    assert _contents(folder) == before
    operations = slapd.log()[said:]
    assert not any(f" {verb} dn=" in operations for verb in ("MOD", "ADD", "DEL", "MODRDN"))


async def test_its_load_is_bounded(make_folder: Make, slapd: Slapd, doctor: Any) -> None:
    said = len(slapd.log())

    await doctor.codes(make_folder())

    operations = slapd.log()[said:]
    assert operations.count(" SRCH base=") < 80
    assert operations.count(" ACCEPT from ") < 12


@pytest.mark.parametrize(
    ("module", "function"),
    [(stores, "examine"), (people, "examine"), (groups, "examine"), (roots, "read_root")],
)
async def test_a_check_that_fails_does_not_stop_the_others(
    make_folder: Make, doctor: Any, monkeypatch: pytest.MonkeyPatch, module: Any, function: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(module, function, broken)
    if function == "read_root":
        monkeypatch.setattr("quintet.admin.doctor.examination.read_root", broken)
    folder = make_folder(connection={"OrganizationName": "x", "EmailAttribute": "rfc822name"})

    found = await doctor.codes(folder)

    assert {"D24", "Q91"} <= found
    assert "Q23" in found or module is people


async def test_a_server_that_falls_silent_ends_the_check(
    tmp_path: Path, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handshakes, "PATIENCE", 0.2)
    faults = failing(Silence(), "search")
    async with EmbeddedServer(directories.small_entries(), faults=faults) as server, asyncio.timeout(5):
        codes = await doctor.codes(_clear_folder(tmp_path / "settings", server.port))

    assert codes == {"D8", "Q90"}


async def test_a_search_that_takes_long_lacks_an_index(
    tmp_path: Path, doctor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The searches before: two for the root, one each for the base, a sample, mail, and all people."""
    monkeypatch.setattr(people, "_SLOW", 0.2)
    faults = Faults((Fault(Delay(0.5), "search", after=7, times=1),))
    async with EmbeddedServer(directories.small_entries(), faults=faults) as server:
        codes = await doctor.codes(_clear_folder(tmp_path / "settings", server.port))

    assert codes == {"Q14", "Q24"}
    assert "PersonResolveFilter takes" in doctor.one("Q24").found


def test_a_server_without_pages_is_told() -> None:
    checks = Checks()

    for site in sites_of(directories.settings([directories.server_settings(389)])):
        check_kind(site, Root(pages=False), checks)

    assert [each.code for each in checks.found] == [Finding.Q27]


# Servers that let no anonymous client search, which is how Active Directory and Samba come.


@pytest.mark.parametrize("open_root", [True, False])
@pytest.mark.parametrize("code", [1, 8, 48, 53])
async def test_a_server_that_requires_a_bind_is_an_error_that_names_the_account(
    tmp_path: Path, doctor: Any, code: int, open_root: bool
) -> None:
    answer = AnswerWith(code, "a successful bind must be completed first")
    faults = Faults((Fault(answer, "search", after=2 if open_root else 0),))
    async with EmbeddedServer(directories.small_entries(), faults=faults) as server:
        codes = await doctor.codes(_clear_folder(tmp_path / "settings", server.port))

    assert codes == {"Q14", "Q31"}
    found = doctor.one("Q31")
    assert (found.severity, found.key, "BindEntryDn" in found.fix) == (Severity.ERROR, "BindEntryDn", True)
    assert found.place.line == 1


BLANKS = (
    "dn: uid=ann,ou=two  blanks,o=example\nobjectClass: inetOrgPerson\nuid: ann\ncn: Ann\nsn: B\nmail:"
    " a@x.org"
)
UNIT = "dn: ou=two  blanks,o=example\nobjectClass: organizationalUnit\nou: two  blanks\n"


@pytest.mark.parametrize("found_again", [True, False])
async def test_d43_a_dn_with_two_blanks_in_a_row_must_be_found_again(
    tmp_path: Path, doctor: Any, found_again: bool
) -> None:
    """The searches before: one for the handshake, two for the root, one each for the base and a sample."""
    faults = Faults((Fault(AnswerWith(32), "search", after=5, times=0 if found_again else 1),))
    async with EmbeddedServer(directories.small_entries(UNIT, BLANKS), faults=faults) as server:
        codes = await doctor.codes(_clear_folder(tmp_path / "settings", server.port))

    assert ("D43" in codes) is not found_again
