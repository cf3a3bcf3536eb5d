"""The page that asked for all this, walked step by step as an administrator would, against a real slapd."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from quintet.directory import TASKS
from support import small
from support.slapd import Slapd

pytestmark = pytest.mark.real

CARD = "business-card"
FIVE = {task.value for task in TASKS}
MARK = b"quintet-"


@dataclass(frozen=True, slots=True)
class Administrator:
    """Someone at a terminal with a settings folder, who leaves the questions to `--yes`."""

    folder: Path

    def does(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "quintet", "--config", str(self.folder), *arguments],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "NO_COLOR": "1"},
        )
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done

    def asks(self, *arguments: str) -> Any:
        return json.loads(self.does(*arguments, "--json").stdout)

    def encrypted(self) -> set[str]:
        """What `connections` says."""
        return {each["task"] for each in self.asks("connections")["connections"] if each["encrypted"]}

    def overheard(self) -> dict[str, set[str]]:
        """What `eavesdrop` says; the bytes that it recorded must say the same."""
        capture = self.folder.parent / "wire.pcap"
        rows = self.asks("eavesdrop", "--record", str(capture), "--force")["connections"]
        wire = capture.read_bytes()
        if all(each["encrypted"] for each in rows):
            assert MARK not in wire
            assert b"o=example" not in wire
        assert any(each["names_visible"] for each in rows) is (MARK in wire)
        kinds = ("names", "values", "passwords")
        return {each["task"]: {kind for kind in kinds if each[f"{kind}_visible"]} for each in rows}


@pytest.fixture
def administrator(tmp_path: Path, small_slapd: Slapd) -> Administrator:
    """A folder as it is before encryption was set up: no trust store, all unencrypted, no account."""
    folder = tmp_path / "settings"
    folder.mkdir()
    filters = (
        'PersonResolveFilter="(&amp;(objectclass=inetOrgPerson)(|(cn=%s*)(sn=%s*)(mail=%s*)))"'
        ' UserDnSearchFilter="(&amp;(objectclass=inetOrgPerson)(|(uid=%s)(cn=%s)(mail=%s)))"'
    )
    (folder / "sametime.ini").write_text(
        "; ours since 2011\n[Config]\nST_COMMUNITY_ID=example\n[Directory]\n"
    )
    (folder / "StCommunityConfig.xml").write_text(
        "<StCommunityConfig>\n <!-- kept by hand -->\n <LDAP>\n"
        f'  <Connection HostName="localhost" Port="{small_slapd.port}" SSLEnabled="0"'
        f' SSLPort="{small_slapd.tls_port}" SearchOrder="1" PersonResolveBase="{small.PEOPLE}"'
        f' GroupResolveBase="{small.GROUPS}" PersonObjectClass="inetOrgPerson" {filters}/>\n'
        " </LDAP>\n</StCommunityConfig>\n"
    )
    (folder / "UserInfoConfig.xml").write_text(
        '<UserInformation>\n <Resources>\n  <Storage type="LDAP">\n'
        f'   <StorageDetails HostName="localhost" Port="{small_slapd.port}" SslEnabled="false"'
        f' SslPort="{small_slapd.tls_port}" BaseDN="{small.BASE}" Scope="2"'
        ' SearchFilter="(&amp;(objectclass=inetOrgPerson)(mail=%s))"/>\n'
        '   <Details><Detail Id="Name" FieldName="cn" Type="text/plain"/>'
        '<Detail Id="MailAddress" FieldName="mail" Type="text/plain"/></Details>\n'
        '  </Storage>\n </Resources>\n <ParamsSets><Set SetId="0" params="Name"/>'
        '<Set SetId="1" params="Name,MailAddress"/></ParamsSets>\n</UserInformation>\n'
    )
    return Administrator(folder)


def _fingerprint(server: Slapd) -> str:
    return x509.load_pem_x509_certificate(server.authority.pem).fingerprint(hashes.SHA256()).hex(":")


def test_the_seed_page_step_by_step(administrator: Administrator, small_slapd: Slapd) -> None:
    fetch = ("trust", "fetch", f"localhost:{small_slapd.tls_port}", "--accept", _fingerprint(small_slapd))

    assert administrator.encrypted() == set()
    administrator.does(*fetch)

    administrator.does("protect", "all", "--yes")
    assert administrator.encrypted() == FIVE
    overheard = administrator.overheard()
    assert {task for task, seen in overheard.items() if seen} == {CARD}

    administrator.does("protect", "passwords", "--yes")
    assert administrator.encrypted() == {"authenticate"}
    overheard = administrator.overheard()
    assert overheard["authenticate"] == set()
    assert all(overheard[task] == {"names", "values"} for task in FIVE - {"authenticate"})

    administrator.does("protect", "none", "--yes")
    assert administrator.encrypted() == set()
    overheard = administrator.overheard()
    assert overheard["authenticate"] == {"names", "passwords"}
    assert all(overheard[task] == {"names", "values"} for task in FIVE - {"authenticate"})

    administrator.does("protect", "all", "--cards", "--yes")
    assert administrator.encrypted() == FIVE | {CARD}
    assert all(seen == set() for seen in administrator.overheard().values())

    assert "; ours since 2011" in (administrator.folder / "sametime.ini").read_text()
    assert "<!-- kept by hand -->" in (administrator.folder / "StCommunityConfig.xml").read_text()
    check = administrator.asks("check")
    assert not [each for each in check["problems"] if each["severity"] == "error"]
