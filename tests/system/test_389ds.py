"""What a real 389 Directory Server says: the rows from S101 on of the design page hold.

Nothing here is about Quintet. The tests show that the server that others use is there and behaves as the page
docs/design/directory-servers.md has it, so that a new release cannot change a fact unseen.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import certs, dirsrv_sample, people
from support.accounts import Account, AccountState
from support.certs import Issued
from support.dirsrv import AnonymousAccess, DirectoryServer389, Readers, Scram
from support.ldap_tools import Found, Identity, search
from support.ldif import modify
from support.wire import (
    PASSWORD_POLICY,
    SEARCH_DONE,
    WHO_AM_I,
    Control,
    Wire,
    bind,
    cookie_of,
    equals,
    paged,
)

pytestmark = pytest.mark.real

STATES = [pytest.param(account, id=account.login) for account in dirsrv_sample.ACCOUNTS.values()]
ACTIVE = dirsrv_sample.ACCOUNTS[AccountState.ACTIVE]
SUBTREE = 2
PAGES = ("-E", "pr=40/noprompt")
NO_ANONYMOUS = "Anonymous access is not allowed"


@pytest.fixture
def wire(dirsrv: DirectoryServer389) -> Iterator[Wire]:
    """A connection bound as the service account."""
    with Wire(dirsrv.ldaps_uri, dirsrv.ca) as connection:
        assert connection.bind(dirsrv.service.dn, dirsrv.service.password).code == 0
        yield connection


@pytest.fixture(scope="module")
def changing(authority: Issued) -> Iterator[DirectoryServer389]:
    """A server that these tests may change; its passwords are cleartext."""
    with DirectoryServer389(authority=authority, scram=Scram.WORKS) as server:
        yield server


def find(
    server: DirectoryServer389,
    query: str,
    *attributes: str,
    base: str = dirsrv_sample.BASE,
    scope: str = "sub",
    options: tuple[str, ...] = (),
) -> Found:
    """A search by the service account."""
    place = (server.ldaps_uri, server.ca, server.service)
    return search(*place, base, query, *attributes, scope=scope, options=options)


def sasl(server: DirectoryServer389, login: str, password: str, mechanism: str = "SCRAM-SHA-256") -> str:
    """What OpenLDAP's client printed about a SASL bind."""
    command = ["ldapwhoami", "-Q", "-H", server.uri, "-Y", mechanism, "-U", login, "-w", password]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


# The server


def test_ldaps_is_verified_and_refused_under_another_authority(
    dirsrv: DirectoryServer389, tmp_path: Path
) -> None:
    found = search(dirsrv.ldaps_uri, dirsrv.ca, None, "", "(objectClass=*)", scope="base")
    assert (found.code, len(found.entries)) == (0, 1)
    other = tmp_path / "other.pem"
    other.write_bytes(certs.authority("Another CA").pem)
    assert search(dirsrv.ldaps_uri, other, None, "", scope="base").code == -1


def test_start_tls_protects_a_simple_bind(dirsrv: DirectoryServer389) -> None:
    identity, flags = dirsrv.service, ("-ZZ",)
    found = search(dirsrv.uri, dirsrv.ca, identity, dirsrv.base_dn, scope="base", options=flags)
    assert (found.code, found.dns) == (0, [dirsrv.base_dn])


def test_the_data_stay_when_the_server_is_started_again(changing: DirectoryServer389) -> None:
    changing.modify(modify(ACTIVE.dn, "replace", {"title": "Changed"}))
    changing.restart()
    assert find(changing, "(title=Changed)", "1.1").dns == [ACTIVE.dn]


def test_a_certificate_and_its_chain_are_shown(make_dirsrv: Callable[..., DirectoryServer389]) -> None:
    root = certs.authority("Root CA")
    between = certs.authority("Issuing CA", issuer=root)
    server = make_dirsrv(authority=root, certificate=certs.leaf(between, *certs.LOCAL))
    assert search(server.ldaps_uri, server.ca, None, "", scope="base").code == 0


# Without a bind


def test_s102_the_root_dse_names_the_product_and_its_only_naming_context(dirsrv: DirectoryServer389) -> None:
    (root,) = search(dirsrv.uri, None, None, "", "(objectClass=*)", "*", "+", scope="base").entries
    assert root.text("vendorName") == ["389 Project"]
    assert root.text("vendorVersion")[0].startswith("389-Directory/2.")
    assert root.text("namingContexts") == root.text("defaultnamingcontext") == [dirsrv.base_dn]
    assert "1.2.840.113556.1.4.319" in root.text("supportedControl")
    assert PASSWORD_POLICY in root.text("supportedControl")
    assert "SCRAM-SHA-256" in root.text("supportedSASLMechanisms")


@pytest.mark.parametrize(
    ("mode", "codes"),
    [
        (AnonymousAccess.ON, (0, 0, 0)),
        (AnonymousAccess.ROOT_DSE, (0, 0, 48)),
        (AnonymousAccess.OFF, (48, 48, 48)),
    ],
)
def test_s103_anonymous_clients_may_do_all_or_read_the_root_dse_or_nothing(
    changing: DirectoryServer389, mode: AnonymousAccess, codes: tuple[int, ...]
) -> None:
    anonymous = {"nsslapd-allow-anonymous-access": mode.value}
    with changing.configured(anonymous), Wire(changing.uri) as wire:
        replies = [wire.bind("", ""), wire.search("")[-1], wire.search(changing.base_dn)[-1]]
    assert tuple(reply.code for reply in replies) == codes
    assert all(reply.text.startswith(NO_ANONYMOUS) for reply in replies if reply.code)


def test_s105_what_may_not_be_read_is_not_there_and_no_error(
    make_dirsrv: Callable[..., DirectoryServer389],
) -> None:
    server = make_dirsrv(readers=Readers.SERVICE_ACCOUNT)
    user = Identity(ACTIVE.dn, ACTIVE.password)
    for identity in (user, None):
        for base in (ACTIVE.dn, server.base_dn, f"ou=Nothing,{server.base_dn}"):
            for scope in ("base", "sub"):
                found = search(server.ldaps_uri, server.ca, identity, base, scope=scope)
                assert (found.code, found.entries) == (0, [])
    with Wire(server.ldaps_uri, server.ca) as wire:
        wire.bind(*(ACTIVE.dn, ACTIVE.password))
        assert wire.compare(ACTIVE.dn, "uid", "active").code == 50
    assert find(server, "(uid=active)", "1.1").dns == [ACTIVE.dn]


# Binds


def test_s104_a_dn_with_an_empty_password_is_refused(dirsrv: DirectoryServer389) -> None:
    answer = bind(dirsrv.ldaps_uri, dirsrv.ca, ACTIVE.dn, "")
    assert (answer.code, answer.text) == (53, "Unauthenticated binds are not allowed")


def test_s106_secure_binds_are_required_before_the_password_is_looked_at(
    changing: DirectoryServer389,
) -> None:
    with changing.configured({"nsslapd-require-secure-binds": "on"}):
        for password in (ACTIVE.password, "wrong"):
            answer = bind(changing.uri, None, ACTIVE.dn, password)
            assert (answer.code, answer.text) == (13, "Operation requires a secure connection")
        assert bind(changing.ldaps_uri, changing.ca, ACTIVE.dn, ACTIVE.password) == ACTIVE.right


def test_s107_a_failed_bind_makes_the_connection_anonymous(wire: Wire) -> None:
    assert b"uid=reader" in wire.extended(WHO_AM_I).body
    assert wire.bind(ACTIVE.dn, "wrong").code == 49
    assert b"uid=" not in wire.extended(WHO_AM_I).body


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (ACTIVE.dn.upper().replace("DC=", "dc="), 0),
        ("uid=active , ou=People,dc=example,dc=org", 0),
        (f"uid=nobody,{dirsrv_sample.PEOPLE}", 49),
        ("uid=active,dc=other", 49),
        (dirsrv_sample.PEOPLE, 49),
        ("active", 49),
        ("not a dn", 34),
    ],
)
def test_s108_the_names_that_a_simple_bind_takes(dirsrv: DirectoryServer389, name: str, code: int) -> None:
    assert bind(dirsrv.ldaps_uri, dirsrv.ca, name, ACTIVE.password).code == code


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_s110_scram_works_on_cleartext_passwords(changing: DirectoryServer389, mechanism: str) -> None:
    assert sasl(changing, "active", ACTIVE.password, mechanism).startswith(f"dn: {ACTIVE.dn.lower()}")
    assert "Invalid credentials (49)" in sasl(changing, "active", "wrong", mechanism)
    locked = dirsrv_sample.ACCOUNTS[AccountState.LOCKED]
    assert locked.right.text in sasl(changing, locked.login, locked.password, mechanism)


def test_s111_scram_is_offered_and_fails_where_passwords_are_hashed(dirsrv: DirectoryServer389) -> None:
    assert "Invalid credentials (49)" in sasl(dirsrv, "active", ACTIVE.password)


def test_s112_scram_is_not_there_when_it_is_not_allowed(
    make_dirsrv: Callable[..., DirectoryServer389],
) -> None:
    server = make_dirsrv(scram=Scram.ABSENT)
    asked = ("(objectClass=*)", "supportedSASLMechanisms")
    (root,) = search(server.uri, None, None, "", *asked, scope="base").entries
    assert root.text("supportedSASLMechanisms") == ["EXTERNAL", "GSSAPI"]
    assert "Authentication method not supported (7)" in sasl(server, "active", ACTIVE.password)


@pytest.mark.parametrize("account", STATES)
def test_s120_each_account_state_answers_a_bind_as_recorded(
    dirsrv: DirectoryServer389, account: Account
) -> None:
    for password, expected in ((account.password, account.right), ("wrong", account.wrong)):
        assert bind(dirsrv.ldaps_uri, dirsrv.ca, account.dn, password) == expected
        with Wire(dirsrv.ldaps_uri, dirsrv.ca) as wire:
            unasked = wire.bind(account.dn, password)
        assert (unasked.code, unasked.text) == (expected.code, expected.text)
        assert tuple(control.oid for control in unasked.controls) == expected.controls
    if account.state is not AccountState.MUST_CHANGE_PASSWORD:
        identity = Identity(account.dn, account.password)
        seen = search(dirsrv.ldaps_uri, dirsrv.ca, identity, "", scope="base")
        assert (seen.code, seen.text) == (account.right.code, account.right.text)


def test_s124_failed_attempts_lock_an_account(changing: DirectoryServer389) -> None:
    dn = dirsrv_sample.person_dn(dirsrv_sample.LOCKABLE)
    for _ in range(dirsrv_sample.LOCKOUT_THRESHOLD):
        assert bind(changing.ldaps_uri, changing.ca, dn, "wrong").code == 49
    locked = dirsrv_sample.ACCOUNTS[AccountState.LOCKED]
    password = people.password_of(dirsrv_sample.LOCKABLE)
    assert bind(changing.ldaps_uri, changing.ca, dn, password) == locked.right


def test_s128_after_a_bind_with_a_password_that_must_be_changed_nothing_else_works(
    dirsrv: DirectoryServer389,
) -> None:
    account = dirsrv_sample.ACCOUNTS[AccountState.MUST_CHANGE_PASSWORD]
    with Wire(dirsrv.ldaps_uri, dirsrv.ca) as wire:
        assert wire.bind(account.dn, account.password).code == 0
        for reply in (wire.search(account.dn)[-1], wire.search("")[-1], wire.extended(WHO_AM_I)):
            assert (reply.code, reply.text) == (53, "")
            assert [control.oid for control in reply.controls] == ["2.16.840.1.113730.3.4.4"]


def test_s131_a_role_can_disable_an_account_and_the_attribute_is_computed(dirsrv: DirectoryServer389) -> None:
    login = dirsrv_sample.ROLE_DISABLED
    dn = dirsrv_sample.person_dn(login)
    disabled = dirsrv_sample.ACCOUNTS[AccountState.DISABLED]
    assert bind(dirsrv.ldaps_uri, dirsrv.ca, dn, people.password_of(login)) == disabled.right
    assert find(dirsrv, "(nsAccountLock=true)", "1.1").dns == [disabled.dn, dn]


def test_s132_the_password_policy_control_has_lengths_in_the_long_form(dirsrv: DirectoryServer389) -> None:
    account = dirsrv_sample.ACCOUNTS[AccountState.LOCKED]
    with Wire(dirsrv.ldaps_uri, dirsrv.ca) as wire:
        reply = wire.bind(account.dn, "wrong", Control(PASSWORD_POLICY))
    assert [control.value for control in reply.controls] == [bytes.fromhex("308400000003810101")]


@pytest.mark.parametrize(
    ("login", "attribute", "value"),
    [
        ("disabled", "nsAccountLock", "true"),
        ("locked", "passwordRetryCount", "3"),
        ("locked", "accountUnlockTime", "20380101000000Z"),
        ("pwexpired", "passwordExpirationTime", "20100101000000Z"),
        ("mustchange", "passwordExpirationTime", "19700101000000Z"),
        ("inactive", "lastLoginTime", "20100101000000Z"),
        ("grace", "pwdPolicySubentry", "cn=Grace,cn=Policies,dc=example,dc=org"),
    ],
)
def test_s137_the_service_account_reads_the_state_from_the_entry(
    dirsrv: DirectoryServer389, login: str, attribute: str, value: str
) -> None:
    (entry,) = find(dirsrv, f"(uid={login})", attribute).entries
    assert list(entry.attributes.values()) == [[value.encode()]]


# Searches


@pytest.mark.parametrize("limit", ["server", "client"])
def test_s140_a_size_limit_cuts_a_search_and_of_paged_ones_those_whose_pages_are_not_smaller(
    changing: DirectoryServer389, limit: str
) -> None:
    of_server, of_client = ("50", 0) if limit == "server" else ("2000", 50)

    def pages(wire: Wire, size: int) -> tuple[int, int]:
        """How many entries came in pages of that size, and the result code at the end."""
        count, cookie = 0, b""
        while True:
            controls = (paged(size, cookie),)
            page = wire.search(dirsrv_sample.PEOPLE, "1.1", scope=SUBTREE, size=of_client, controls=controls)
            count += len(page) - 1
            cookie = cookie_of(page[-1]) if page[-1].code == 0 else b""
            if not cookie:
                return count, page[-1].code

    with changing.configured({"nsslapd-sizelimit": of_server}), Wire(changing.ldaps_uri, changing.ca) as wire:
        wire.bind(changing.service.dn, changing.service.password)
        plain = wire.search(dirsrv_sample.PEOPLE, "1.1", scope=SUBTREE, size=of_client)
        assert (len(plain) - 1, plain[-1].code) == (50, 4)
        everyone = len(
            find(changing, "(objectClass=*)", "1.1", base=dirsrv_sample.PEOPLE, options=PAGES).entries
        )
        assert [pages(wire, size) for size in (49, 50, 100)] == [(everyone, 0), (50, 4), (50, 4)]


def test_s141_a_page_is_continued_on_its_own_connection_only(dirsrv: DirectoryServer389, wire: Wire) -> None:
    cookies = [
        cookie_of(wire.search(dirsrv_sample.PEOPLE, scope=SUBTREE, controls=(paged(5),))[-1])
        for _ in range(12)
    ]
    again = [wire.search(dirsrv_sample.PEOPLE, scope=SUBTREE, controls=(paged(5, each),)) for each in cookies]
    assert [replies[-1].code for replies in again] == [0] * 12
    with Wire(dirsrv.ldaps_uri, dirsrv.ca) as other:
        (reply,) = other.search(dirsrv_sample.PEOPLE, scope=SUBTREE, controls=(paged(5, cookies[0]),))
    assert (reply.code, reply.text) == (12, "Simple Paged Results Search failed")


def test_s142_an_unknown_critical_control_is_refused(wire: Wire) -> None:
    (reply,) = wire.search(dirsrv_sample.BASE, controls=(Control("1.2.3.4", critical=True),))
    assert (reply.tag, reply.code) == (SEARCH_DONE, 12)


def test_s143_a_request_above_2_mib_ends_the_connection(wire: Wire) -> None:
    query = equals("cn", "x" * 2_000_000)
    assert wire.search(dirsrv_sample.PEOPLE, scope=SUBTREE, query=query)[-1].code == 0
    with pytest.raises(EOFError):
        wire.search(dirsrv_sample.PEOPLE, scope=SUBTREE, query=equals("cn", "x" * 2_200_000))


@pytest.mark.parametrize("scope", ["sub", "one"])
def test_s145_a_blank_base_is_the_default_naming_context(dirsrv: DirectoryServer389, scope: str) -> None:
    found = find(dirsrv, "(ou=People)", "1.1", base="", scope=scope)
    assert (found.code, found.dns) == (0, [dirsrv_sample.PEOPLE])


@pytest.mark.parametrize(
    ("base", "code"), [(f"ou=Nothing,{dirsrv_sample.BASE}", 32), ("dc=other", 32), ("bad", 32), ("no dn", 34)]
)
def test_s146_a_base_that_is_not_there_is_an_error(dirsrv: DirectoryServer389, base: str, code: int) -> None:
    assert find(dirsrv, "(objectClass=*)", base=base).code == code


def test_s147_language_tags_come_with_their_attribute(dirsrv: DirectoryServer389) -> None:
    query = f"(uid={dirsrv_sample.TAGGED})"
    (entry,) = find(dirsrv, query, "cn", "displayName").entries
    assert set(entry.attributes) == {
        *("cn", "cn;lang-ja", "cn;lang-ja;phonetic"),
        *("displayName;lang-en", "displayName;lang-ja"),
    }
    (tagged,) = find(dirsrv, query, "cn;lang-ja").entries
    assert set(tagged.attributes) == {"cn;lang-ja", "cn;lang-ja;phonetic"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("(displayName=山田*)", True),
        ("(cn;lang-ja=山田*)", True),
        ("(cn;lang-ja=Taro*)", False),
        ("(cn=TARO  YAMADA)", True),
        ("(2.5.4.3=Taro Yamada)", True),
        ("(commonName=Taro Yamada)", True),
        ("(surname=Yamada)", True),
        ("(rfc822Mailbox=TAGGED@EXAMPLE.ORG)", True),
        ("(nosuch=x)", False),
    ],
)
def test_s147_s148_how_values_and_attribute_names_match(
    dirsrv: DirectoryServer389, query: str, found: bool
) -> None:
    answer = find(dirsrv, query, "1.1")
    assert (answer.code, dirsrv_sample.person_dn(dirsrv_sample.TAGGED) in answer.dns) == (0, found)


def test_s148_an_attribute_comes_under_the_name_that_was_asked_for(dirsrv: DirectoryServer389) -> None:
    (entry,) = find(dirsrv, "(uid=active)", "2.5.4.4", "commonName", "rfc822mailbox", "USERID").entries
    assert set(entry.attributes) == {"2.5.4.4", "commonName", "rfc822mailbox", "USERID"}


@pytest.mark.parametrize("login", people.ODD_NAMES)
def test_s149_a_dn_with_an_odd_name_reads_the_entry_and_binds(dirsrv: DirectoryServer389, login: str) -> None:
    (returned,) = find(dirsrv, f"(uid={login})", "1.1").dns
    assert find(dirsrv, "(objectClass=*)", "1.1", base=returned, scope="base").dns == [returned]
    for dn in (returned, dirsrv_sample.odd_dn(login)):
        assert bind(dirsrv.ldaps_uri, dirsrv.ca, dn, people.password_of(login)).code == 0


def test_s149_the_server_writes_dns_in_its_own_way_and_loses_blanks(dirsrv: DirectoryServer389) -> None:
    (group,) = find(dirsrv, "(cn=Odd Names)", "member").entries
    written = {dn.removesuffix(f",{dirsrv_sample.PEOPLE}") for dn in group.text("member")}
    assert written >= {
        r"cn=Lee\2C Jr.\2C Kim",
        r"cn=Ann\3B R\2BD \3D \3CDesk 4\3E",
        r"cn=\3Cscript\3Ealert(1)\3C/script\3E",
        r"cn=\231 Help Desk",
        r"cn=Jane \22JJ\22 Jones",
        r"cn=Back\5CSlash Account",
        "cn=Double Blank",
    }
    (blanks,) = find(dirsrv, "(uid=blanks)", "cn").entries
    assert blanks.text("cn") == ["Double  Blank"]


def test_s150_a_name_of_two_values_is_one_entry_in_either_order(dirsrv: DirectoryServer389) -> None:
    other = f"uid={dirsrv_sample.MULTIPLE}+cn=Max Multiple,{dirsrv_sample.PEOPLE}"
    found = find(dirsrv, "(objectClass=*)", "1.1", base=other, scope="base")
    assert found.dns == [dirsrv_sample.multiple_dn()]


def test_s151_groups_of_five_classes_name_their_members_in_four_ways(dirsrv: DirectoryServer389) -> None:
    kinds = {
        "groupOfNames": "member",
        "groupOfUniqueNames": "uniqueMember",
        "posixGroup": "memberUid",
        "group": "member",
        "groupOfURLs": "memberURL",
    }
    for kind, attribute in kinds.items():
        groups = find(dirsrv, f"(&(objectClass={kind})({attribute}=*))", "1.1", base=dirsrv_sample.GROUPS)
        assert groups.entries, kind


def test_s151_a_unique_member_with_an_identifier_is_not_found_by_its_dn(dirsrv: DirectoryServer389) -> None:
    dn = dirsrv_sample.staff_dn(0)
    group = dirsrv_sample.group_dn("Unique Identifiers")
    assert group not in find(dirsrv, f"(uniqueMember={dn})", "1.1").dns
    assert group in find(dirsrv, f"(uniqueMember={dn}#'0101'B)", "1.1").dns


def test_s152_member_of_is_not_there_and_roles_are(dirsrv: DirectoryServer389) -> None:
    (entry,) = find(dirsrv, f"(uid={people.staff_login(1)})", "memberOf", "nsRole").entries
    assert {name: entry.text(name) for name in entry.attributes} == {
        "nsRole": ["cn=sellers,dc=example,dc=org"]
    }
    assert find(dirsrv, "(objectClass=nsRoleDefinition)", "1.1").dns == []
    assert len(find(dirsrv, "(&(objectClass=ldapSubentry)(objectClass=nsRoleDefinition))", "1.1").dns) == 4


def test_s154_a_container_says_how_many_entries_are_in_it(dirsrv: DirectoryServer389) -> None:
    asked = ("numSubordinates", "hasSubordinates")
    (entry,) = find(dirsrv, "(objectClass=*)", *asked, base=dirsrv_sample.GROUPS, scope="base").entries
    below = find(dirsrv, "(objectClass=*)", "1.1", base=dirsrv_sample.GROUPS, scope="one").entries
    assert (entry.text(asked[0]), entry.text(asked[1])) == ([str(len(below))], ["TRUE"])


# The sample


def test_the_sample_has_some_three_hundred_people(dirsrv: DirectoryServer389) -> None:
    found = find(dirsrv, "(objectClass=inetOrgPerson)", "mail", "jpegPhoto").entries
    assert len(found) == 308
    assert len([entry for entry in found if "jpegPhoto" in entry.attributes]) > 30
    assert len([entry for entry in found if "mail" not in entry.attributes]) > 15
    assert [entry.text("mail") for entry in found if len(entry.attributes.get("mail", [])) == 2] == [
        ["two.mails@example.org", "second.mail@example.org"]
    ]
    password = people.password_of(people.staff_login(200))
    assert bind(dirsrv.ldaps_uri, dirsrv.ca, dirsrv_sample.staff_dn(200), password).code == 0
