"""The page "Securing connections between Sametime servers and LDAP", step by step, with an editor alone.

Each step changes the files as the page words it. After each, `quintet check` and `quintet connections` run as
processes, and so does every task, through relays in front of a real slapd: the recorded bytes must agree with
what the page promises.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

import pytest

from quintet.directory import TASKS, Service
from support import certs, keytool, small
from support.command import Ran, run_program
from support.relay import Carried, Relay, in_thread
from support.slapd import Slapd

pytestmark = pytest.mark.real

INI, COMMUNITY, CARDS = "sametime.ini", "StCommunityConfig.xml", "UserInfoConfig.xml"
CARD = Service.BUSINESS_CARD
FIVE = frozenset(TASKS)
USER, USER_PASSWORD = "alice", "alice-secret"
_TLS_HANDSHAKE, _LDAP_MESSAGE = 0x16, 0x30

# Each task as a command, and what of it a listener would read.
COMMANDS: dict[Service, tuple[tuple[str, ...], bytes]] = {
    Service.RESOLVE_LOGIN: (("authenticate", USER, "--password-stdin"), b"Alice Adams"),
    Service.RESOLVE_NAMES: (("resolve", "Clark"), b"Carol Clark"),
    Service.BROWSE: (("browse", small.GROUPS), b"engineers"),
    Service.GROUP_CONTENT: (("members", small.group_dn("engineers")), b"Bob Brown"),
    CARD: (("card", "dave@example.com"), b"Dave Davis"),
}


@dataclass(frozen=True, slots=True)
class Installation:
    """The folder of a Sametime server whose LDAP connections lead through the two relays."""

    folder: Path
    plain: tuple[Relay, int]
    secure: tuple[Relay, int]

    def edit(self, file: str, old: str, new: str) -> None:
        """Replace a text that is there once, and save the file."""
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) == 1, (file, old)
        path.write_text(text.replace(old, new))

    def run(self, *arguments: str, typed: str = "") -> Ran:
        return run_program("--config", self.folder, *arguments, typed=typed)

    def recorded(self) -> list[Carried]:
        return [each for relay, _ in (self.plain, self.secure) for each in relay.connections]

    def codes(self) -> set[str]:
        """What `check` finds; there must be no error."""
        ran = self.run("check", "--json")
        assert ran.code == 0, ran.out
        return {each["code"] for each in ran.document["problems"]}

    def expect(self, encrypted: AbstractSet[Service], *, account_readable: bool) -> None:
        """Only the connections of these services are encrypted, by what is said and by what was sent."""
        before = len(self.plain[0].connections), len(self.secure[0].connections)
        ran = self.run("connections", "--json")
        assert ran.code == 0, ran.err
        rows = ran.document["connections"]
        assert {each["task"] for each in rows if each["encrypted"]} == {each.value for each in encrypted}
        ports = {each["task"]: int(each["address"].rpartition(":")[2]) for each in rows}
        for service in (*FIVE, CARD):
            assert ports[service.value] == (self.secure if service in encrypted else self.plain)[1]
        for (relay, _), first, starts_with, services in (
            (self.plain, before[0], _LDAP_MESSAGE, {*FIVE, CARD} - encrypted),
            (self.secure, before[1], _TLS_HANDSHAKE, encrypted),
        ):
            new = relay.connections[first:]
            assert all(each.sent[0] == starts_with for each in new)
            assert len(new) >= len(services)
            assert bool(new) is bool(services)
        self._expect_bytes(encrypted, account_readable=account_readable)

    def _expect_bytes(self, encrypted: AbstractSet[Service], *, account_readable: bool) -> None:
        for service, (arguments, told) in COMMANDS.items():
            before = {id(each) for each in self.recorded()}
            ran = self.run(*arguments, typed=f"{USER_PASSWORD}\n")
            assert ran.code == 0, (arguments, ran.err)
            wire = b"".join(each.bytes for each in self.recorded() if id(each) not in before)
            assert wire, arguments
            assert (told in wire) is (service not in encrypted), service
            if service is Service.RESOLVE_LOGIN:
                readable = USER_PASSWORD.encode() in wire
                assert readable is (Service.AUTHENTICATE not in encrypted)
        account = any(small.READER_PASSWORD.encode() in each.bytes for each in self.recorded())
        assert account is account_readable

    def forget(self) -> None:
        """Forget what was recorded until now."""
        for relay, _ in (self.plain, self.secure):
            relay.connections.clear()


@pytest.fixture
def install(tmp_path: Path) -> Iterator[Callable[..., Installation]]:
    """An installation as it is without a thought of encryption."""
    with contextlib.ExitStack() as stack:

        def install(server: Slapd, *, cards: str = CARDS) -> Installation:
            folder = tmp_path / "notesdata"
            folder.mkdir()
            plain = stack.enter_context(in_thread(server.port))
            secure = stack.enter_context(in_thread(server.tls_port))
            (folder / INI).write_text(
                "[Config]\nST_COMMUNITY_ID=example\n\n[Directory]\nDirectoryType=LDAP\n\n[Debug]\n"
            )
            (folder / COMMUNITY).write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<StCommunityConfig>
  <LDAP>
    <Connection HostName="localhost" Port="{plain[1]}" SSLEnabled="0" SSLPort="636" SearchOrder="1"
        BindEntryDn="{small.READER_DN}" BindEntryPwd="{small.READER_PASSWORD}"
        PersonResolveBase="{small.PEOPLE}" GroupResolveBase="{small.GROUPS}"
        PersonObjectClass="inetOrgPerson"
        PersonResolveFilter="(&amp;(objectclass=inetOrgPerson)(|(cn=%s*)(sn=%s*)(mail=%s*)))"
        UserDnSearchFilter="(&amp;(objectclass=inetOrgPerson)(|(uid=%s)(mail=%s)))"/>
  </LDAP>
</StCommunityConfig>
""")
            (folder / cards).write_text(f"""<?xml version="1.0" encoding="UTF-8"?>
<UserInformation>
  <Resources>
    <Storage type="LDAP">
      <StorageDetails HostName="localhost" Port="{plain[1]}" UserName="{small.READER_DN}"
          Password="{small.READER_PASSWORD}" SslEnabled="false" SslPort="636" BaseDN="{small.BASE}" Scope="2"
          SearchFilter="(&amp;(objectclass=inetOrgPerson)(mail=%s))"/>
      <Details>
        <Detail Id="Name" FieldName="cn" Type="text/plain"/>
        <Detail Id="MailAddress" FieldName="mail" Type="text/plain"/>
      </Details>
    </Storage>
  </Resources>
  <ParamsSets>
    <Set SetId="0" params="Name"/>
    <Set SetId="1" params="Name,MailAddress"/>
  </ParamsSets>
</UserInformation>
""")
            return Installation(folder, plain, secure)

        yield install


@pytest.mark.parametrize(
    ("scope", "store", "self_signed", "cards"),
    [("ST", "truststore.p12", False, CARDS), ("STLDAP", "ldaptruststore.jks", True, "userinfoconfig.xml")],
    ids=["global-scope-p12-ca", "individual-scope-jks-self-signed"],
)
def test_every_step_with_an_editor(
    install: Callable[..., Installation],
    make_slapd: Callable[..., Slapd],
    scope: str,
    store: str,
    cards: str,
    *,
    self_signed: bool,
) -> None:
    certificate = certs.self_signed(*certs.LOCAL) if self_signed else None
    authority = certificate or certs.authority()
    server = make_slapd(authority=authority, certificate=certificate, sasl=True, anonymous_read=False)
    sametime = install(server, cards=cards)
    secure_port = sametime.secure[1]

    # "Encrypt no data": "This is the default setting".
    assert sametime.codes() <= {"D42"}
    assert ("D42" in sametime.codes()) is (cards != CARDS)
    sametime.expect(set(), account_readable=True)
    sametime.forget()

    # "You must already have created the TLS Trust Store", and "You must configure the sametime.ini settings".
    path = sametime.folder / store
    keytool.trust_store(path, {"another": certs.authority("Another CA")})
    trust = {"TYPE": path.suffix[1:], "FILE": str(path), "PASSWORD": keytool.PASSWORD}
    lines = "".join(f"{scope}_TLS_TRUST_STORE_{key}={value}\n" for key, value in trust.items())
    sametime.edit(INI, "ST_COMMUNITY_ID=example\n", f"ST_COMMUNITY_ID=example\n{lines}")
    sametime.expect(set(), account_readable=True)

    # Before the certificate is imported, encryption fails, and nothing is sent unencrypted instead.
    sametime.forget()
    sametime.edit(COMMUNITY, 'SSLEnabled="0" SSLPort="636"', f'SSLEnabled="1" SSLPort="{secure_port}"')
    assert sametime.run("connections").code == 3
    assert sametime.run("authenticate", USER, "--password-stdin", typed=USER_PASSWORD).code == 3
    assert USER_PASSWORD.encode() not in b"".join(each.bytes for each in sametime.recorded())

    # "Import the LDAP server's certificate into the trust store", and "Update the stconfig.nsf": the secure
    # port and "SSL Enabled", which stand in StCommunityConfig.xml.
    keytool.trust_store(path, {"ldap": authority})
    sametime.forget()
    assert "D6" in sametime.codes()
    sametime.expect(FIVE, account_readable=False)

    # "Update the userinfoconfig.xml": "Enabling Encryption" of business cards.
    sametime.edit(cards, 'SslEnabled="false" SslPort="636"', f'SslEnabled="true" SslPort="{secure_port}"')
    properties = f'<SslProperties KeyStorePath="{path}" KeyStorePassword="{keytool.PASSWORD}"/>'
    sametime.edit(cards, "      <Details>", f"      {properties}\n      <Details>")
    assert "D6" not in sametime.codes()
    sametime.expect(FIVE | {CARD}, account_readable=False)

    # "Encrypt only password related operations".
    sametime.forget()
    sametime.edit(INI, "[Directory]\n", "[Directory]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n")
    assert "D41" not in sametime.codes()
    sametime.expect({Service.AUTHENTICATE, CARD}, account_readable=False)

    # Back to "Encrypt no data".
    sametime.edit(INI, "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n", "")
    sametime.edit(COMMUNITY, 'SSLEnabled="1"', 'SSLEnabled="0"')
    sametime.expect({CARD}, account_readable=True)


def test_the_secure_port_as_port_is_told_under_only_passwords(
    install: Callable[..., Installation], make_slapd: Callable[..., Slapd]
) -> None:
    """The page says to set the connection to the secure port; read literally, that is `Port` (row D41)."""
    server = make_slapd(sasl=True, anonymous_read=False)
    sametime = install(server)
    store = keytool.trust_store(sametime.folder / "trust.p12", {"ldap": server.authority})
    sametime.edit(
        INI,
        "[Config]\n",
        f"[Config]\nST_TLS_TRUST_STORE_FILE={store}\nST_TLS_TRUST_STORE_PASSWORD={keytool.PASSWORD}\n",
    )
    plain, secure = sametime.plain[1], sametime.secure[1]
    sametime.edit(
        COMMUNITY,
        f'Port="{plain}" SSLEnabled="0" SSLPort="636"',
        f'Port="{secure}" SSLEnabled="1" SSLPort="{secure}"',
    )
    assert "D41" not in sametime.codes()
    sametime.expect(FIVE, account_readable=False)

    sametime.forget()
    sametime.edit(INI, "[Directory]\n", "[Directory]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n")
    assert "D41" in _all_codes(sametime)
    ran = sametime.run("connections", "--json")
    assert ran.code == 3
    assert "D41" in ran.err, "it is told before connecting, too (row C94)"
    states = {each["task"]: each["error"] is None for each in ran.document["connections"]}
    assert {name for name, well in states.items() if well} == {"authenticate", "business-card"}
    assert USER_PASSWORD.encode() not in b"".join(each.bytes for each in sametime.recorded())

    sametime.edit(COMMUNITY, f'Port="{secure}" SSLEnabled', f'Port="{plain}" SSLEnabled')
    assert "D41" not in sametime.codes()
    sametime.expect({Service.AUTHENTICATE}, account_readable=False)


def test_only_the_line_of_the_page_protects_passwords(
    install: Callable[..., Installation], make_slapd: Callable[..., Slapd]
) -> None:
    """The page does not repeat that SSL must be enabled; the line alone is enough, with a warning."""
    server = make_slapd(sasl=True, anonymous_read=False)
    sametime = install(server)
    store = keytool.trust_store(sametime.folder / "trust.p12", {"ldap": server.authority})
    sametime.edit(
        INI,
        "[Config]\n",
        f"[Config]\nST_TLS_TRUST_STORE_FILE={store}\nST_TLS_TRUST_STORE_PASSWORD={keytool.PASSWORD}\n",
    )
    sametime.edit(COMMUNITY, 'SSLPort="636"', f'SSLPort="{sametime.secure[1]}"')
    sametime.edit(INI, "[Directory]\n", "[Directory]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS=1\n")
    assert "Q80" in sametime.codes()
    sametime.expect({Service.AUTHENTICATE}, account_readable=False)


def _all_codes(sametime: Installation) -> set[str]:
    return {each["code"] for each in json.loads(sametime.run("check", "--json").out)["problems"]}
