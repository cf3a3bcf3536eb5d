"""What a real Active Directory domain controller (Samba) says: the rows S1 to S99 of the design page hold.

Nothing here is about Quintet. The tests show that the server that others use is there and behaves as the page
docs/design/directory-servers.md has it, so that a new release cannot change a fact unseen.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support import ad_sample, certs, people
from support.accounts import Account
from support.ldap_tools import Found, Identity, search
from support.ldif import modify
from support.samba_ad import PortsTakenError, SambaAD
from support.wire import (
    EXTENDED_RESPONSE,
    SEARCH_DONE,
    WHO_AM_I,
    Control,
    Reply,
    Wire,
    bind,
    cookie_of,
    equals,
    paged,
)

pytestmark = pytest.mark.real

STATES = [pytest.param(account, id=account.login) for account in ad_sample.ACCOUNTS.values()]
ACTIVE = next(iter(ad_sample.ACCOUNTS.values()))
UNAUTHENTICATED = "00002020: Operation unavailable without authentication"
UNENCRYPTED = "BindSimple: Transport encryption required."
SUBTREE = 2
ENABLED_PEOPLE = (
    "(&(objectCategory=person)(objectClass=user)(!(userAccountControl:1.2.840.113556.1.4.803:=2)))"
)


@pytest.fixture
def wire(samba_ad: SambaAD) -> Iterator[Wire]:
    """A connection bound as the service account."""
    with Wire(samba_ad.ldaps_uri, samba_ad.ca) as connection:
        assert connection.bind(samba_ad.service.dn, samba_ad.service.password).code == 0
        yield connection


def find(
    server: SambaAD, query: str, *attributes: str, base: str = ad_sample.BASE, scope: str = "sub"
) -> Found:
    """A search by the service account."""
    identity = server.service
    return search(server.ldaps_uri, server.ca, identity, base, query, *attributes, scope=scope)


# The server


def test_ldaps_is_verified_by_the_address_and_refused_under_another_authority(
    samba_ad: SambaAD, tmp_path: Path
) -> None:
    found = search(samba_ad.ldaps_uri, samba_ad.ca, None, "", "(objectClass=*)", scope="base")
    assert (found.code, len(found.entries)) == (0, 1)
    other = tmp_path / "other.pem"
    other.write_bytes(certs.authority("Another CA").pem)
    assert search(samba_ad.ldaps_uri, other, None, "", scope="base").code == -1


def test_start_tls_protects_a_simple_bind(samba_ad: SambaAD) -> None:
    identity, flags = samba_ad.service, ("-ZZ",)
    found = search(samba_ad.uri, samba_ad.ca, identity, samba_ad.base_dn, scope="base", options=flags)
    assert (found.code, found.dns) == (0, [samba_ad.base_dn])


def test_two_domain_controllers_run_at_once(samba_ad: SambaAD, samba_ad_unencrypted: SambaAD) -> None:
    assert samba_ad.host != samba_ad_unencrypted.host
    for server in (samba_ad, samba_ad_unencrypted):
        assert find(server, "(sAMAccountName=active)", "1.1").dns == [ACTIVE.dn]


def test_a_taken_address_is_told(samba_ad: SambaAD) -> None:
    with pytest.raises(PortsTakenError), SambaAD(host=samba_ad.host):
        pass


def test_the_certificate_is_of_any_kind(make_samba_ad: Callable[..., SambaAD]) -> None:
    server = make_samba_ad(issue=certs.expired)
    assert search(server.ldaps_uri, server.ca, None, "", scope="base").code == -1


def test_the_data_stay_when_the_server_is_started_again(make_samba_ad: Callable[..., SambaAD]) -> None:
    server = make_samba_ad()
    server.modify(modify(ACTIVE.dn, "replace", {"title": "Changed"}))
    server.restart()
    assert find(server, "(title=Changed)", "1.1").dns == [ACTIVE.dn]


# Without a bind


def test_s2_the_root_dse_is_open_and_names_active_directory(samba_ad: SambaAD) -> None:
    found = search(samba_ad.uri, None, None, "", "(objectClass=*)", "*", "+", scope="base")
    (root,) = found.entries
    assert "1.2.840.113556.1.4.800" in root.text("supportedCapabilities")
    assert root.text("defaultNamingContext") == [samba_ad.base_dn]
    assert root.text("vendorName") == ["Samba Team (https://www.samba.org)"]
    assert set(root.text("namingContexts")) == {
        samba_ad.base_dn,
        f"CN=Configuration,{samba_ad.base_dn}",
        f"CN=Schema,CN=Configuration,{samba_ad.base_dn}",
        f"DC=DomainDnsZones,{samba_ad.base_dn}",
        f"DC=ForestDnsZones,{samba_ad.base_dn}",
    }
    assert root.text("supportedSASLMechanisms") == ["GSS-SPNEGO", "GSSAPI", "NTLM"]
    assert {"supportedExtension", "supportedFeatures", "vendorVersion"}.isdisjoint(root.attributes)


@pytest.mark.parametrize("base", [ad_sample.BASE, f"CN=Configuration,{ad_sample.BASE}", "", "OU=Nothing"])
def test_s6_an_anonymous_search_is_refused_with_an_operations_error(samba_ad: SambaAD, base: str) -> None:
    found = search(samba_ad.ldaps_uri, samba_ad.ca, None, base, "(cn=a*)")
    assert (found.code, found.text, found.entries) == (1, UNAUTHENTICATED, [])


def test_s7_an_anonymous_compare_is_answered(samba_ad: SambaAD) -> None:
    asked = {"active@example.com": 6, "another@example.com": 5}
    with Wire(samba_ad.uri) as wire:
        assert {value: wire.compare(ACTIVE.dn, "mail", value).code for value in asked} == asked


def test_s8_an_anonymous_bind_succeeds_and_opens_nothing(samba_ad: SambaAD) -> None:
    with Wire(samba_ad.uri) as wire:
        assert wire.bind("", "").code == 0
        assert wire.search(samba_ad.base_dn)[-1].code == 1


# Binds


def test_s9_a_simple_bind_over_an_unencrypted_connection_is_refused_before_the_password_is_looked_at(
    samba_ad: SambaAD, samba_ad_unencrypted: SambaAD
) -> None:
    for password in (ACTIVE.password, "wrong"):
        answer = bind(samba_ad.uri, None, ACTIVE.dn, password)
        assert (answer.code, answer.text) == (8, UNENCRYPTED)
    assert bind(samba_ad_unencrypted.uri, None, ACTIVE.dn, ACTIVE.password) == ACTIVE.right


def test_s10_a_dn_with_an_empty_password_is_a_failure_and_no_anonymous_bind(samba_ad: SambaAD) -> None:
    assert bind(samba_ad.ldaps_uri, samba_ad.ca, ACTIVE.dn, "") == ad_sample.WRONG


def test_s11_a_failed_bind_leaves_the_earlier_identity_in_force(samba_ad: SambaAD, wire: Wire) -> None:
    assert wire.bind(ACTIVE.dn, "wrong").code == 49
    assert wire.search(samba_ad.base_dn)[-1].code == 0


@pytest.mark.parametrize(
    ("name", "code"),
    [
        (ACTIVE.dn, 0),
        (ACTIVE.dn.lower(), 0),
        (r"CORP\active", 0),
        (r"corp\ACTIVE", 0),
        ("active@corp.example.com", 0),
        ("corp.example.com/People/State active", 0),
        (r"corp.example.com\active", 49),
        ("active", 49),
        ("State Active", 49),
        ("active@example.com", 49),
        (r"OTHER\active", 49),
    ],
)
def test_s19_the_names_that_a_simple_bind_takes(samba_ad: SambaAD, name: str, code: int) -> None:
    assert bind(samba_ad.ldaps_uri, samba_ad.ca, name, ACTIVE.password).code == code


@pytest.mark.parametrize("name", ["rita.different@example.com", "rdiff@corp.example.com", r"CORP\rdiff"])
def test_s19_a_user_principal_name_and_the_implicit_one_both_bind(samba_ad: SambaAD, name: str) -> None:
    assert bind(samba_ad.ldaps_uri, samba_ad.ca, name, people.password_of("rdiff")).code == 0


@pytest.mark.parametrize("account", STATES)
def test_s20_each_account_state_answers_a_bind_as_recorded(samba_ad: SambaAD, account: Account) -> None:
    for password, expected in ((account.password, account.right), ("wrong", account.wrong)):
        assert bind(samba_ad.ldaps_uri, samba_ad.ca, account.dn, password) == expected
        seen = search(samba_ad.ldaps_uri, samba_ad.ca, Identity(account.dn, password), "", scope="base")
        assert (seen.code, seen.text) == (expected.code, expected.text)


@pytest.mark.parametrize(
    "dn",
    [
        f"CN=Nobody,{ad_sample.PEOPLE}",
        "CN=State active,DC=other",
        f"CN=krbtgt,{ad_sample.USERS}",
        f"CN=Guest,{ad_sample.USERS}",
        f"CN=PC-0001,{ad_sample.COMPUTERS}",
        ad_sample.group_dn("Engineering"),
    ],
)
def test_s21_who_is_not_there_and_who_has_no_password_look_like_a_wrong_password(
    samba_ad: SambaAD, dn: str
) -> None:
    assert bind(samba_ad.ldaps_uri, samba_ad.ca, dn, "wrong") == ad_sample.WRONG


@pytest.mark.parametrize("dn", [f"CN=Reader 0001,{ad_sample.CONTACTS}", ad_sample.PEOPLE, "not a dn="])
def test_s21_what_is_no_security_principal_has_a_code_of_its_own(samba_ad: SambaAD, dn: str) -> None:
    answer = bind(samba_ad.ldaps_uri, samba_ad.ca, dn, "wrong")
    assert (answer.code, answer.text) == (49, ad_sample.WRONG.text.replace("data 52e", "data 1f"))


def test_s23_failed_attempts_lock_an_account(make_samba_ad: Callable[..., SambaAD]) -> None:
    server = make_samba_ad()
    dn = ad_sample.state_dn(ad_sample.LOCKABLE)
    for _ in range(ad_sample.LOCKOUT_THRESHOLD):
        assert bind(server.ldaps_uri, server.ca, dn, "wrong") == ad_sample.WRONG
    locked = bind(server.ldaps_uri, server.ca, dn, people.password_of(ad_sample.LOCKABLE))
    assert "data 775" in locked.text


@pytest.mark.parametrize(
    ("login", "expected"),
    [
        ("active", {"userAccountControl": "512", "msDS-User-Account-Control-Computed": "0"}),
        ("disabled", {"userAccountControl": "514", "msDS-User-Account-Control-Computed": "0"}),
        ("locked", {"userAccountControl": "512", "msDS-User-Account-Control-Computed": "16"}),
        ("expired", {"accountExpires": "129067776000000000", "msDS-User-Account-Control-Computed": "0"}),
        ("pwexpired", {"msDS-User-Account-Control-Computed": "8388608"}),
        ("mustchange", {"pwdLastSet": "0", "msDS-User-Account-Control-Computed": "8388608"}),
        ("smartcard", {"userAccountControl": "262656", "msDS-User-Account-Control-Computed": "0"}),
    ],
)
def test_s33_the_service_account_reads_the_state_from_the_entry(
    samba_ad: SambaAD, login: str, expected: dict[str, str]
) -> None:
    (entry,) = find(samba_ad, f"(sAMAccountName={login})", *expected).entries
    assert {name: entry.text(name) for name in expected} == {
        name: [value] for name, value in expected.items()
    }


# Searches


@pytest.mark.parametrize(
    ("base", "code"),
    [("", 32), (f"OU=Nothing,{ad_sample.BASE}", 32), ("DC=other,DC=com", 32), ("DC=com", 32), ("no dn", 34)],
)
def test_s40_a_base_that_is_not_there_is_an_error(samba_ad: SambaAD, base: str, code: int) -> None:
    assert find(samba_ad, "(cn=a*)", base=base).code == code


@pytest.mark.parametrize(
    ("base", "dn"),
    [
        ("<SID=S-1-5-32-544>", f"CN=Administrators,CN=Builtin,{ad_sample.BASE}"),
        (f"<WKGUID=a9d1ca15768811d1aded00c04fd8d5cd,{ad_sample.BASE}>", ad_sample.USERS),
    ],
)
def test_s41_a_base_may_be_a_sid_or_a_well_known_container(samba_ad: SambaAD, base: str, dn: str) -> None:
    assert find(samba_ad, "(objectClass=*)", "1.1", base=base, scope="base").dns == [dn]


def test_s41_a_base_may_be_an_object_guid(samba_ad: SambaAD) -> None:
    (entry,) = find(samba_ad, "(sAMAccountName=active)", "objectGUID").entries
    (guid,) = entry.attributes["objectGUID"]
    assert find(samba_ad, "(objectClass=*)", "1.1", base=f"<GUID={guid.hex()}>", scope="base").dns == [
        ACTIVE.dn
    ]


def test_s42_only_a_search_of_the_whole_domain_gives_referrals(samba_ad: SambaAD) -> None:
    partitions = ("CN=Configuration", "DC=DomainDnsZones", "DC=ForestDnsZones")
    urls = [f"ldaps://{ad_sample.REALM}/{name},{samba_ad.base_dn}" for name in partitions]
    assert find(samba_ad, "(sAMAccountName=active)", "1.1").referrals == urls
    level = find(samba_ad, "(objectClass=*)", "1.1", scope="one").referrals
    assert level == [f"{url}??base" for url in urls]
    assert find(samba_ad, "(sAMAccountName=active)", "1.1", base=ad_sample.PEOPLE).referrals == []


def test_s43_a_size_limit_is_ignored(samba_ad: SambaAD, wire: Wire) -> None:
    replies = wire.search(ad_sample.CONTACTS, "1.1", scope=SUBTREE, size=5)
    assert (len(replies), replies[-1].code) == (ad_sample.CONTACT_COUNT + 2, 0)
    paging = wire.search(ad_sample.CONTACTS, "1.1", scope=SUBTREE, size=3, controls=(paged(5),))
    assert (len(paging), paging[-1].code) == (6, 0)


def test_s44_of_the_paged_searches_of_a_connection_the_last_ten_can_go_on(wire: Wire) -> None:
    def page(cookie: bytes = b"") -> Reply:
        return wire.search(ad_sample.CONTACTS, "1.1", scope=SUBTREE, controls=(paged(5, cookie),))[-1]

    cookies = [cookie_of(page()) for _ in range(12)]
    assert [page(cookie).code for cookie in cookies] == [53, 53] + [0] * 10


def test_s44_a_page_is_not_continued_on_another_connection(samba_ad: SambaAD, wire: Wire) -> None:
    cookie = cookie_of(wire.search(ad_sample.CONTACTS, scope=SUBTREE, controls=(paged(5),))[-1])
    with Wire(samba_ad.ldaps_uri, samba_ad.ca) as other:
        other.bind(samba_ad.service.dn, samba_ad.service.password)
        again = other.search(ad_sample.CONTACTS, scope=SUBTREE, controls=(paged(5, cookie),))
    assert [reply.code for reply in again] == [53]


@pytest.mark.parametrize(
    ("asked", "answered", "count"),
    [
        ("member", "member", ad_sample.CONTACT_COUNT),
        ("member;range=0-1499", "member;range=0-1499", 1500),
        ("member;range=1500-2999", "member;range=1500-*", ad_sample.CONTACT_COUNT - 1500),
        ("member;range=1500-*", "member;range=1500-*", ad_sample.CONTACT_COUNT - 1500),
    ],
)
def test_s45_ranges_of_values_are_given_when_they_are_asked_for_and_only_then(
    samba_ad: SambaAD, asked: str, answered: str, count: int
) -> None:
    (group,) = find(samba_ad, f"(cn={ad_sample.BIG_GROUP})", asked, base=ad_sample.GROUPS).entries
    assert {name: len(values) for name, values in group.attributes.items()} == {answered: count}


def test_s45_a_range_beyond_the_end_is_no_values(samba_ad: SambaAD) -> None:
    query, asked = f"(cn={ad_sample.BIG_GROUP})", "member;range=1600-*"
    (group,) = find(samba_ad, query, asked, base=ad_sample.GROUPS).entries
    assert group.attributes == {}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("(cn=STATE ACTIVE)", True),
        ("(cn=state  active)", True),
        ("(cn=Double Blank)", True),
        ("(cn=JÜRGEN M*)", True),
        ("(cn=Jurgen M*)", False),
        ("(cn=josé*)", False),
        ("(cn=jose\N{COMBINING ACUTE ACCENT}*)", True),
        ("(sn=Gross)", False),
        ("(commonName=State active)", False),
        ("(surname=Active)", False),
        ("(cn;lang-en=State active)", False),
    ],
)
def test_s47_how_values_and_attribute_names_match(samba_ad: SambaAD, query: str, found: bool) -> None:
    answer = find(samba_ad, query, "1.1", base=ad_sample.PEOPLE)
    assert (answer.code, bool(answer.entries)) == (0, found)


def test_s49_oids_name_attributes_in_the_list_and_in_filters_only_beside_one_in_the_list(
    samba_ad: SambaAD,
) -> None:
    assert find(samba_ad, "(2.5.4.3=State active)", "sn").entries == []
    (entry,) = find(samba_ad, "(2.5.4.3=State active)", "2.5.4.4", "commonName").entries
    assert entry.attributes == {"sn": [b"Active"]}


def test_s48_an_unknown_attribute_matches_nothing_and_its_opposite_everything(samba_ad: SambaAD) -> None:
    assert find(samba_ad, "(noSuchAttribute=x)", "1.1").dns == []
    everything = sorted(find(samba_ad, "(objectClass=*)", "1.1").dns)
    assert sorted(find(samba_ad, "(!(noSuchAttribute=x))", "1.1").dns) == everything


def test_s52_the_chain_rule_finds_groups_through_nesting_and_cycles(samba_ad: SambaAD) -> None:
    query = f"(member:1.2.840.113556.1.4.1941:={ad_sample.staff_dn(0)})"
    found = {dn.partition(",OU=")[0] for dn in find(samba_ad, query, "1.1").dns}
    assert found == {
        "CN=Engineering",
        "CN=All Employees",
        "CN=Everything",
        "CN=Circle A",
        "CN=Circle B",
        r"CN=Research\, \"odd\" \#1 (x*)",
    }


def test_s53_computers_are_users_and_persons_and_only_filters_tell_them_from_people(
    samba_ad: SambaAD,
) -> None:
    def matching(query: str) -> set[str]:
        return set(find(samba_ad, query, "1.1").dns)

    machines = matching("(objectClass=computer)")
    assert len(machines) == ad_sample.COMPUTER_COUNT + 2  # the domain controller, a managed service account
    assert machines < matching("(objectClass=user)")
    assert machines < matching("(objectClass=person)")
    people_only = matching("(&(objectCategory=person)(objectClass=user))")
    assert not machines & people_only
    contacts = matching("(objectCategory=person)") - people_only
    assert len(contacts) == ad_sample.CONTACT_COUNT
    disabled = people_only - matching(ENABLED_PEOPLE)
    assert disabled == {
        f"CN=krbtgt,{ad_sample.USERS}",
        f"CN=Guest,{ad_sample.USERS}",
        ad_sample.state_dn("disabled"),
        ad_sample.person_dn("Info Desk"),
    }
    assert people_only - matching("(sAMAccountType=805306368)") == {f"CN=PARTNER$,{ad_sample.USERS}"}


def test_s55_a_primary_group_has_no_member_and_its_people_are_found_by_its_token(samba_ad: SambaAD) -> None:
    (group,) = find(samba_ad, f"(cn={ad_sample.PRIMARY_GROUP})", "member", "primaryGroupToken").entries
    assert "member" not in group.attributes
    (token,) = group.text("primaryGroupToken")
    contractors = {ad_sample.contractor_dn(number + 1) for number in range(ad_sample.CONTRACTOR_COUNT)}
    assert set(find(samba_ad, f"(primaryGroupID={token})", "1.1").dns) == contractors
    (contractor,) = find(samba_ad, "(sAMAccountName=contractor1)", "memberOf").entries
    assert contractor.text("memberOf") == [f"CN=Domain Users,{ad_sample.USERS}"]


def test_s56_token_groups_are_there_for_one_entry_at_a_time(samba_ad: SambaAD) -> None:
    dn = ad_sample.contractor_dn(1)
    assert find(samba_ad, "(sAMAccountName=contractor1)", "tokenGroups").code == 1
    (entry,) = find(samba_ad, "(objectClass=*)", "tokenGroups", base=dn, scope="base").entries
    sids = {value.hex() for value in entry.attributes["tokenGroups"]}
    query = f"(|(cn={ad_sample.PRIMARY_GROUP})(cn=Domain Users)(&(cn=Users)(objectClass=group)))"
    groups = find(samba_ad, query, "objectSid").entries
    assert sids == {group.attributes["objectSid"][0].hex() for group in groups}


def test_s57_the_token_is_given_only_when_it_is_asked_for_and_is_not_searchable(samba_ad: SambaAD) -> None:
    (group,) = find(samba_ad, f"(cn={ad_sample.PRIMARY_GROUP})", "*").entries
    assert "primaryGroupToken" not in group.attributes
    assert find(samba_ad, "(primaryGroupToken=513)", "1.1").dns == []


def test_s60_the_deleted_are_members_of_nothing(samba_ad: SambaAD) -> None:
    gone = ad_sample.person_dn("Former Colleague")
    assert find(samba_ad, f"(sAMAccountName={ad_sample.LEAVER})", "1.1").dns == []
    (group,) = find(samba_ad, "(cn=All Employees)", "member", base=ad_sample.GROUPS).entries
    assert gone not in group.text("member")


@pytest.mark.parametrize("login", people.ODD_NAMES)
def test_s61_a_dn_with_an_odd_name_reads_the_entry_and_binds(samba_ad: SambaAD, login: str) -> None:
    (returned,) = find(samba_ad, f"(sAMAccountName={login})", "1.1").dns
    assert find(samba_ad, "(objectClass=*)", "1.1", base=returned, scope="base").dns == [returned]
    for dn in (returned, ad_sample.odd_dn(login)):
        assert bind(samba_ad.ldaps_uri, samba_ad.ca, dn, people.password_of(login)).code == 0


def test_s61_the_server_has_its_own_way_to_write_dns(samba_ad: SambaAD) -> None:
    (group,) = find(samba_ad, "(cn=Odd Names)", "member", base=ad_sample.GROUPS).entries
    written = {dn.removesuffix(f",{ad_sample.PEOPLE}") for dn in group.text("member")}
    assert written >= {
        r"CN=Lee\, Jr.\, Kim",
        r"CN=Ann\3B R\+D \3D \<Desk 4\>",
        r"CN=\<script\>alert(1)\</script\>",
        r"CN=\#1 Help Desk",
        r"CN=Jane \"JJ\" Jones",
        r"CN=Back\\Slash Account",
        "CN=Double  Blank",
    }
    assert find(samba_ad, "(sAMAccountName=twin)", "1.1").dns == [ad_sample.conflict_dn()]


def test_s62_a_base_with_other_blanks_and_case_is_the_same_entry(samba_ad: SambaAD) -> None:
    found = find(
        samba_ad, "(objectClass=*)", base=f"cn=double blank,ou=people,{ad_sample.BASE}", scope="base"
    )
    assert found.dns == [ad_sample.odd_dn("blanks")]


def test_s66_the_global_catalog_searches_without_a_base(samba_ad: SambaAD) -> None:
    uri = f"ldaps://{samba_ad.host}:{samba_ad.catalog_ldaps_port}"
    found = search(uri, samba_ad.ca, samba_ad.service, "", "(sAMAccountName=active)", "mail")
    assert [entry.text("mail") for entry in found.entries] == [["active@example.com"]]


# The protocol


def test_s3_who_am_i_is_not_known(wire: Wire) -> None:
    assert wire.extended(WHO_AM_I).code == 2


def test_s14_a_search_request_above_256000_bytes_ends_the_connection(wire: Wire) -> None:
    small = wire.search(ad_sample.PEOPLE, "1.1", scope=SUBTREE, query=equals("cn", "x" * 250_000))
    assert [reply.code for reply in small] == [0]
    with pytest.raises(EOFError):
        wire.search(ad_sample.PEOPLE, "1.1", scope=SUBTREE, query=equals("cn", "x" * 260_000))


def test_s16_an_idle_connection_is_closed_without_a_word(make_samba_ad: Callable[..., SambaAD]) -> None:
    server = make_samba_ad()
    limits = {"lDAPAdminLimits": ("InitRecvTimeout=1", "MaxConnIdleTime=1")}
    server.modify(modify(ad_sample.QUERY_POLICY, "replace", limits))
    server.restart()
    with Wire(server.ldaps_uri, server.ca) as wire, pytest.raises(EOFError):
        wire.receive()


@pytest.mark.parametrize("oid", ["1.2.3.4", "2.16.840.1.113730.3.4.2", "1.3.6.1.4.1.4203.1.10.1"])
def test_s18_an_unknown_critical_control_is_refused_by_the_wrong_kind_of_response(
    wire: Wire, oid: str
) -> None:
    critical = wire.search(ACTIVE.dn, "1.1", controls=(Control(oid, critical=True),))
    assert [(reply.tag, reply.code) for reply in critical] == [(EXTENDED_RESPONSE, 12)]
    ignored = wire.search(ACTIVE.dn, "1.1", controls=(Control(oid),))
    assert (ignored[-1].tag, ignored[-1].code) == (SEARCH_DONE, 0)


# The sample


def test_the_sample_has_some_three_hundred_people_who_can_sign_in(samba_ad: SambaAD) -> None:
    enabled = find(samba_ad, ENABLED_PEOPLE, "sAMAccountName", "mail", "thumbnailPhoto").entries
    assert len(enabled) == 316
    assert len([entry for entry in enabled if "thumbnailPhoto" in entry.attributes]) > 30
    assert len([entry for entry in enabled if "mail" not in entry.attributes]) > 20
    logins = [login for entry in enabled for login in entry.text("sAMAccountName")]
    assert len([login for login in logins if re.fullmatch(r"[a-z]+\d+", login)]) >= people.HEADCOUNT
    password = people.password_of(people.staff_login(200))
    assert bind(samba_ad.ldaps_uri, samba_ad.ca, ad_sample.staff_dn(200), password).code == 0
