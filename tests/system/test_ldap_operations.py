"""The public interface of `quintet.ldap` against a real slapd: what it reads, changes and says of itself."""

import contextlib
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from quintet.ldap import (
    DN,
    Add,
    Address,
    Assertion,
    AssertionFailed,
    AttributeOrValueExists,
    AuthorizationDenied,
    ConfidentialityRequired,
    Connection,
    ConstraintViolation,
    Delete,
    Entry,
    EntryAlreadyExists,
    Filter,
    Increment,
    InvalidCredentials,
    LdapOperations,
    LdapUrl,
    LocalProtocolError,
    ManageDsaIT,
    NamingViolation,
    NoHostReachableError,
    NoSuchAttribute,
    NoSuchObject,
    NotAllowedOnNonLeaf,
    ObjectClassViolation,
    PagedResults,
    PasswordPolicy,
    PasswordPolicyReason,
    PasswordPolicyResult,
    Pool,
    PostRead,
    PostReadResult,
    PreRead,
    PreReadResult,
    ProxiedAuthorization,
    Referral,
    Replace,
    ResultError,
    Scope,
    ServerKind,
    ServerSideSort,
    SizeLimitExceeded,
    SortKey,
    SortResult,
    SubtreeDelete,
    Template,
    TlsError,
    UnavailableCriticalExtension,
    UndefinedAttributeType,
    connect,
    ldif,
    parse,
)
from quintet.ldap.messages import START_TLS, BindRequest, ExtendedRequest, Simple
from support.slapd import Slapd
from support.small import BASE, GROUPS, PEOPLE, person_dn

pytestmark = pytest.mark.real

PERSONS = "(objectClass=inetOrgPerson)"
ANN = f"cn=Ann Lee,{PEOPLE}"
ANN_HAS: dict[str, list[str]] = {
    "objectClass": ["inetOrgPerson"],
    "cn": ["Ann Lee"],
    "sn": ["Lee"],
    "mail": ["ann@example.com"],
}


@pytest.fixture(scope="module")
def changing_slapd() -> Iterator[Slapd]:
    """A server whose entries tests change: each removes what it adds."""
    with Slapd(
        schemas=("core", "cosine", "inetorgperson", "nis"),
        modules=("back_mdb", "sssvlv", "ppolicy"),
        head="authz-policy to",
        extra=f"overlay sssvlv\noverlay ppolicy\nppolicy_default cn=policy,{BASE}\nsizelimit 5",
    ) as server:
        yield server


@pytest.fixture(params=["connection", "pool"])
async def ldap(request: pytest.FixtureRequest, changing_slapd: Slapd) -> AsyncIterator[LdapOperations]:
    async def bind(connection: Connection) -> None:
        await connection.bind(changing_slapd.admin_dn, changing_slapd.admin_password)

    if request.param == "pool":
        async with Pool(changing_slapd.url, size=2, prepare=bind) as pool:
            yield pool
    else:
        async with connect(changing_slapd.url) as connection:
            await bind(connection)
            yield connection


@pytest.fixture
async def ann(ldap: LdapOperations) -> AsyncIterator[LdapOperations]:
    """A connection to a server that has the entry `ANN`."""
    await ldap.add(ANN, ANN_HAS)
    yield ldap
    with contextlib.suppress(NoSuchObject):
        await ldap.delete(ANN)


async def read(ldap: LdapOperations, dn: str | DN, *attributes: str) -> Entry:
    (entry,) = await ldap.search(dn, Scope.BASE, attributes=attributes)
    return entry


# Where to connect.


async def test_a_url_says_where_and_whether_to_encrypt(changing_slapd: Slapd) -> None:
    tls = ssl.create_default_context(cafile=changing_slapd.ca)
    async with (
        connect(changing_slapd.url) as unencrypted,
        connect(changing_slapd.tls_url, tls=tls) as encrypted,
    ):
        assert (unencrypted.encrypted, encrypted.encrypted) == (False, True)
        assert encrypted.address == Address(changing_slapd.host, changing_slapd.tls_port)
    assert (unencrypted.closed, encrypted.closed) == (True, True)


async def test_start_tls_encrypts_what_a_url_begins_unencrypted(changing_slapd: Slapd) -> None:
    tls = ssl.create_default_context(cafile=changing_slapd.ca)
    async with connect(changing_slapd.url, tls=tls, start_tls=True) as connection:
        assert connection.encrypted


@pytest.mark.parametrize("start_tls", [False, True])
async def test_without_a_context_the_authorities_of_the_system_are_trusted_and_no_others(
    changing_slapd: Slapd, start_tls: bool
) -> None:
    with pytest.raises(TlsError) as caught:
        await connect(changing_slapd.url if start_tls else changing_slapd.tls_url, start_tls=start_tls)
    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)


async def test_without_a_context_the_host_name_is_checked(
    changing_slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(changing_slapd.ca))
    via = (changing_slapd.host, changing_slapd.tls_port)
    async with connect("ldaps://localhost", via=via) as connection:
        assert connection.encrypted
    with pytest.raises(TlsError):
        await connect("ldaps://ldap.other.example", via=via)


async def test_a_unix_socket_tells_who_is_at_it(changing_slapd: Slapd) -> None:
    async with connect(changing_slapd.socket_url) as connection:
        await connection.bind_external()
        assert "cn=peercred,cn=external,cn=auth" in await connection.who_am_i()
        assert not connection.encrypted


async def test_an_address_may_be_a_unix_socket(changing_slapd: Slapd) -> None:
    async with await connect(Address.unix(str(changing_slapd.socket))) as connection:
        assert await connection.who_am_i() == ""
        with pytest.raises(NoSuchObject) as caught:
            await connection.search("o=nowhere", Scope.BASE)
        assert caught.value.server == str(changing_slapd.socket)


async def test_a_pool_changes_no_connection_for_all_its_users(changing_slapd: Slapd) -> None:
    async with Pool(changing_slapd.url) as pool:
        for request in (BindRequest("", Simple(b"")), ExtendedRequest(START_TLS)):
            with pytest.raises(LocalProtocolError):
                await pool.perform(request)
        with pytest.raises(LocalProtocolError):
            await pool.extended(START_TLS)


async def test_a_pool_encrypts_where_its_url_says_so_and_trusts_the_system(
    changing_slapd: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = [changing_slapd.tls_url, changing_slapd.url]
    async with Pool(changing_slapd.tls_url) as pool:
        with pytest.raises(NoHostReachableError) as caught:
            await pool.who_am_i()
    assert isinstance(caught.value.__cause__, TlsError)
    monkeypatch.setenv("SSL_CERT_FILE", str(changing_slapd.ca))
    async with Pool(hosts) as pool, pool.connection() as connection:
        assert connection.encrypted
    async with Pool(hosts[::-1]) as pool, pool.connection() as connection:
        assert not connection.encrypted
    async with Pool(changing_slapd.socket_url) as pool:
        assert await pool.who_am_i() == ""
    for wrong in (changing_slapd.url, changing_slapd.socket_url):
        with pytest.raises(ValueError, match=r"TLS|encrypted"):
            Pool(wrong, tls=ssl.create_default_context())


# Searching.


@pytest.mark.parametrize(
    "filter_",
    [
        "(uid=jose)",
        "uid=jose",
        parse("(uid=jose)"),
        parse("(uid=jose)").encode(),
        bytes(parse("(uid=jose)").encode()),
        Template("(uid=%s)").encode("jose"),
        Template("(uid=%s)").filter("jose"),
        parse("(uid=jose)") & ~parse("(uid=bob)"),
    ],
    ids=lambda given: type(given).__name__,
)
async def test_a_filter_may_be_text_or_a_tree_or_a_filled_template_or_ber(
    ldap: LdapOperations, filter_: str | Filter | bytes
) -> None:
    for base in (PEOPLE, DN.parse(PEOPLE)):
        (entry,) = await ldap.search(base, Scope.SUBTREE, filter_, ["cn"])
        assert (entry.dn, entry.text("commonName")) == (person_dn("jose"), "José Núñez")


async def test_scopes(ldap: LdapOperations) -> None:
    found = {scope: {entry.dn for entry in await ldap.search(BASE, scope, size_limit=0)} for scope in (0, 1)}
    assert found[0] == {BASE}
    assert PEOPLE in found[1]
    assert BASE not in found[1]
    assert person_dn("bob") not in found[1]
    async with contextlib.aclosing(ldap.stream(BASE, Scope.SUBTREE)) as stream:
        assert person_dn("bob") in {entry.dn async for entry in stream}


async def test_pages_get_past_the_size_limit_of_the_server(
    changing_slapd: Slapd, ldap: LdapOperations
) -> None:
    async with connect(changing_slapd.url) as reader:
        with pytest.raises(SizeLimitExceeded) as caught:
            await reader.search(PEOPLE, Scope.SUBTREE, PERSONS)
        assert caught.value.partial is not None
        assert len(caught.value.partial.entries) == 5
    whole = {entry.dn for entry in await ldap.search(PEOPLE, Scope.SUBTREE, PERSONS)}
    found = [entry.dn async for entry in ldap.paged_search(PEOPLE, Scope.SUBTREE, PERSONS, page_size=3)]
    assert len(found) == len(whole) > 5
    assert set(found) == whole


async def test_a_paged_search_that_is_left_early_leaves_the_connection_good(ldap: LdapOperations) -> None:
    async with contextlib.aclosing(ldap.paged_search(PEOPLE, Scope.SUBTREE, PERSONS, page_size=2)) as pages:
        await anext(pages)
    found = [entry async for entry in ldap.paged_search(PEOPLE, Scope.SUBTREE, PERSONS, ["1.1"], page_size=2)]
    assert len(found) > 2
    assert all(entry.attributes == {} for entry in found)


async def test_the_server_sorts(ldap: LdapOperations) -> None:
    for reverse in (False, True):
        key = SortKey("sn", "caseIgnoreOrderingMatch", reverse)
        sort = ServerSideSort(key, SortKey("cn", "2.5.13.3"), critical=True)
        found = await ldap.search(PEOPLE, Scope.SUBTREE, PERSONS, ["sn"], controls=[sort])
        names = [entry.texts("sn")[0].casefold() for entry in found]
        assert names == sorted(names, reverse=reverse)
        assert SortResult.find(found.controls) == SortResult(0)


async def test_what_cannot_be_sorted_by_is_refused(ldap: LdapOperations) -> None:
    with pytest.raises(NoSuchAttribute):
        await ldap.search(PEOPLE, Scope.SUBTREE, PERSONS, controls=[ServerSideSort("noSuchAttribute")])


async def test_compare(ldap: LdapOperations) -> None:
    assert await ldap.compare(DN.parse(person_dn("bob")), "userid", "BOB")
    assert not await ldap.compare(person_dn("bob"), "uid", b"alice")
    with pytest.raises(NoSuchAttribute):
        await ldap.compare(person_dn("bob"), "description", "x")


# Changing.


async def test_an_entry_is_added_and_deleted(ldap: LdapOperations) -> None:
    dn = DN.parse(PEOPLE).child("cn", 'Lee, "Ann" +#1')
    assert (
        await ldap.add(dn, {"objectClass": ["person"], "cn": ['Lee, "Ann" +#1'], "sn": [b"L\xc3\xa9"]}) == ()
    )
    entry = await read(ldap, dn)
    assert (DN.parse(entry.dn), entry.text("sn"), entry.get("CN")) == (dn, "Lé", [b'Lee, "Ann" +#1'])
    await ldap.delete(dn)
    with pytest.raises(NoSuchObject):
        await read(ldap, dn)


async def test_what_cannot_be_added_says_why(changing_slapd: Slapd, ann: LdapOperations) -> None:
    with pytest.raises(EntryAlreadyExists) as caught:
        await ann.add(ANN, ANN_HAS)
    assert (caught.value.result_code, caught.value.operation, caught.value.dn) == (68, "add", ANN)
    assert caught.value.server == f"{changing_slapd.host}:{changing_slapd.port}"
    with pytest.raises(ObjectClassViolation):
        await ann.add(f"cn=x,{PEOPLE}", {"objectClass": ["person"], "cn": ["x"]})
    with pytest.raises(UndefinedAttributeType):
        await ann.add(f"cn=x,{PEOPLE}", {"objectClass": ["person"], "cn": ["x"], "sn": ["x"], "shoe": ["9"]})
    with pytest.raises(NoSuchObject) as missing:
        await ann.add(f"cn=x,ou=nowhere,{BASE}", ANN_HAS)
    assert missing.value.matched_dn == BASE


async def test_anonymous_may_not_change_anything(changing_slapd: Slapd) -> None:
    async with connect(changing_slapd.url) as anonymous:
        for change in (
            anonymous.add(ANN, ANN_HAS),
            anonymous.modify(person_dn("bob"), [Add("description", ["x"])]),
            anonymous.delete(person_dn("bob")),
            anonymous.modify_dn(person_dn("bob"), "uid=x"),
        ):
            with pytest.raises(ResultError) as caught:
                await change
            assert caught.value.result_code in (8, 50)


async def test_changes_are_made_in_order(ann: LdapOperations) -> None:
    await ann.modify(
        ANN,
        [
            Add("mail", ["lee@example.com", b"al@example.com"]),
            Delete("mail", ["ann@example.com"]),
            Replace("description", ["first"]),
            Replace("description", ["second"]),
            Add("title", ["Engineer"]),
            Delete("title"),
            Replace("telephoneNumber", []),
        ],
    )
    entry = await read(ann, ANN)
    assert sorted(entry.texts("mail")) == ["al@example.com", "lee@example.com"]
    assert entry.text("description") == "second"
    assert (entry.text("title"), entry.get("telephoneNumber")) == (None, [])


async def test_all_changes_are_made_or_none(ann: LdapOperations) -> None:
    with pytest.raises(NoSuchAttribute) as caught:
        await ann.modify(ANN, [Add("description", ["x"]), Delete("title")])
    assert (caught.value.operation, caught.value.dn) == ("modify", ANN)
    assert (await read(ann, ANN)).text("description") is None
    with pytest.raises(AttributeOrValueExists):
        await ann.modify(ANN, [Add("mail", ["ann@example.com"])])
    with pytest.raises(NamingViolation):
        await ann.modify(ANN, [Replace("cn", ["Another"])])
    with pytest.raises(ObjectClassViolation):
        await ann.modify(ANN, [Delete("sn")])


async def test_a_number_is_incremented(ldap: LdapOperations) -> None:
    dn = f"uid=counter,{PEOPLE}"
    has = {"objectClass": ["account", "posixAccount"], "uid": ["counter"], "cn": ["c"]}
    await ldap.add(dn, has | {"uidNumber": ["1000"], "gidNumber": ["7"], "homeDirectory": ["/"]})
    try:
        await ldap.modify(dn, [Increment("uidNumber"), Increment("gidNumber", -3)])
        entry = await read(ldap, dn)
        assert (entry.text("uidNumber"), entry.text("gidNumber")) == ("1001", "4")
    finally:
        await ldap.delete(dn)


async def test_an_entry_is_renamed_and_moved(ann: LdapOperations) -> None:
    await ann.modify_dn(ANN, "cn=Ann Ray", delete_old_rdn=False)
    renamed = f"cn=Ann Ray,{PEOPLE}"
    assert sorted((await read(ann, renamed)).texts("cn")) == ["Ann Lee", "Ann Ray"]
    await ann.modify_dn(renamed, DN.parse("cn=Ann Lee"), new_superior=DN.parse(GROUPS))
    moved = f"cn=Ann Lee,{GROUPS}"
    assert (await read(ann, moved)).texts("cn") == ["Ann Lee"]
    with pytest.raises(EntryAlreadyExists):
        await ann.modify_dn(moved, "cn=sales")
    await ann.modify_dn(moved, "cn=Ann Lee", new_superior=PEOPLE)


async def test_an_entry_with_others_below_is_not_deleted(ldap: LdapOperations) -> None:
    with pytest.raises(NotAllowedOnNonLeaf) as caught:
        await ldap.delete(PEOPLE)
    assert (caught.value.result_code, caught.value.operation) == (66, "delete")
    with pytest.raises(UnavailableCriticalExtension):
        await ldap.delete(PEOPLE, controls=[SubtreeDelete()])


async def test_the_entry_before_and_after_comes_with_the_answer(ldap: LdapOperations) -> None:
    controls = await ldap.add(ANN, ANN_HAS, controls=[PostRead(["entryUUID", "mail"])])
    after = PostReadResult.find(controls)
    assert after is not None
    assert after.entry.text("mail") == "ann@example.com"
    assert after.entry.text("entryUUID")
    controls = await ldap.modify(
        ANN, [Replace("mail", ["new@example.com"])], controls=[PreRead(["mail"]), PostRead(["mail"])]
    )
    before, after = PreReadResult.find(controls), PostReadResult.find(controls)
    assert before is not None
    assert after is not None
    assert (before.entry.text("mail"), after.entry.text("mail")) == ("ann@example.com", "new@example.com")
    deleted = PreReadResult.find(await ldap.delete(ANN, controls=[PreRead()]))
    assert deleted is not None
    assert DN.parse(deleted.entry.dn) == DN.parse(ANN)


async def test_an_assertion_decides_whether_it_is_done(ann: LdapOperations) -> None:
    with pytest.raises(AssertionFailed) as caught:
        await ann.modify(ANN, [Delete("mail")], controls=[Assertion("(mail=other@example.com)")])
    assert caught.value.result_code == 122
    await ann.modify(ANN, [Delete("mail")], controls=[Assertion(parse("(mail=ann@example.com)"))])
    assert (await read(ann, ANN)).get("mail") == []


async def test_referral_entries_are_managed(ldap: LdapOperations) -> None:
    dn = f"ou=away,{BASE}"
    has = {"objectClass": ["referral", "extensibleObject"], "ou": ["away"], "ref": ["ldap://far.example/o=x"]}
    manage = [ManageDsaIT()]
    await ldap.add(dn, has, controls=manage)
    try:
        with pytest.raises(Referral) as caught:
            await ldap.search(dn, Scope.BASE)
        (url,) = map(LdapUrl.parse, caught.value.referrals)
        assert (url.host, url.dn, url.address) == ("far.example", "o=x", Address("far.example", 389))
        found = await ldap.search(BASE, Scope.ONE_LEVEL, "(ou=away)")
        assert [LdapUrl.parse(each).host for each in found.references] == ["far.example"]
        (entry,) = await ldap.search(dn, Scope.BASE, attributes=["ref"], controls=manage)
        assert entry.texts("ref") == ["ldap://far.example/o=x"]
    finally:
        await ldap.delete(dn, controls=manage)


async def test_another_user_is_acted_for(changing_slapd: Slapd, ldap: LdapOperations) -> None:
    bob = person_dn("bob")
    await ldap.modify(bob, [Replace("authzTo", [f"dn:{person_dn('carol')}"])], controls=[ManageDsaIT()])
    try:
        async with connect(changing_slapd.url) as proxy:
            await proxy.bind(bob, "bob-secret")
            carol = ProxiedAuthorization(DN.parse(person_dn("carol")))
            answer = await proxy.extended("1.3.6.1.4.1.4203.1.11.3", controls=[carol])
            assert answer.value == f"dn:{person_dn('carol')}".encode()
            alice = ProxiedAuthorization(f"dn:{person_dn('alice')}")
            with pytest.raises(AuthorizationDenied):
                await proxy.extended("1.3.6.1.4.1.4203.1.11.3", controls=[alice])
    finally:
        await ldap.modify(bob, [Delete("authzTo")])


# Passwords.


@pytest.fixture
async def policy(ann: LdapOperations) -> AsyncIterator[LdapOperations]:
    """`ANN` has a password, under a policy: at least 8 characters, none twice, not to be locked out."""
    dn = f"cn=policy,{BASE}"
    has = {
        "objectClass": ["organizationalRole", "pwdPolicy"],
        "cn": ["policy"],
        "pwdAttribute": ["userPassword"],
    }
    rules = {
        "pwdMinLength": ["8"],
        "pwdInHistory": ["3"],
        "pwdCheckQuality": ["2"],
        "pwdExpireWarning": ["200"],
    }
    await ann.modify_password(ANN, new="first-secret")
    await ann.add(dn, has | rules | {"pwdMaxAge": ["100"], "pwdAllowUserChange": ["TRUE"]})
    yield ann
    await ann.delete(dn)


async def test_a_password_is_changed(changing_slapd: Slapd, ann: LdapOperations) -> None:
    assert await ann.modify_password(ANN, new="first-secret") is None
    async with connect(changing_slapd.url) as own:
        await own.bind(DN.parse(ANN), b"first-secret")
        assert await own.modify_password(old="first-secret", new="söcond-secret") is None
        with pytest.raises(ResultError):
            await own.modify_password(old="first-secret", new="third-secret")
        await own.bind(ANN, "söcond-secret")
        made = await own.modify_password()
        assert made
        await own.bind(ANN, made)
        with pytest.raises(InvalidCredentials):
            await own.bind(ANN, "söcond-secret")


async def test_the_password_policy_says_why_it_refuses(changing_slapd: Slapd, policy: Connection) -> None:
    async with connect(changing_slapd.url) as own:
        result = PasswordPolicyResult.find(await own.bind(ANN, "first-secret", controls=[PasswordPolicy()]))
        assert result is not None
        assert result.reason is None
        with pytest.raises(ConstraintViolation) as caught:
            await own.modify_password(old="first-secret", new="short", controls=[PasswordPolicy()])
        refusal = PasswordPolicyResult.find(caught.value.controls)
        assert refusal is not None
        assert refusal.reason is PasswordPolicyReason.PASSWORD_TOO_SHORT
        await own.modify_password(old="first-secret", new="second-secret")
        soon = PasswordPolicyResult.find(await own.bind(ANN, "second-secret", controls=[PasswordPolicy()]))
        assert soon is not None
        assert soon.expires_in is not None
        assert 0 < soon.expires_in <= 100


# What the server says of itself.


async def test_the_root_dse(ldap: LdapOperations) -> None:
    root = await ldap.root_dse()
    assert root.kind is ServerKind.OPENLDAP
    assert root.naming_contexts == (DN.parse(BASE),)
    assert {PagedResults.OID, ServerSideSort.OID, Assertion.OID, ManageDsaIT.OID} <= root.controls
    assert "1.3.6.1.4.1.4203.1.11.1" in root.extensions
    assert "1.3.6.1.1.14" in root.features
    assert root.default_naming_context is None


# LDIF.


async def test_what_is_exported_as_ldif_can_be_imported(ann: LdapOperations, tmp_path: Path) -> None:
    file = tmp_path / "export.ldif"
    with file.open("wb") as out:
        async for entry in ann.paged_search(BASE, Scope.SUBTREE, page_size=4):
            out.writelines(ldif.write([entry]))
    with file.open("rb") as exported:
        entries = {entry.dn: entry for entry in ldif.read_entries(exported)}
    assert entries[person_dn("jose")].text("cn") == "José Núñez"
    assert len(entries) == len([entry async for entry in ann.stream(BASE, Scope.SUBTREE)])
    await ann.delete(ANN)
    await ann.apply(entries[ANN])
    assert (await read(ann, ANN)) == entries[ANN]


async def test_changes_in_ldif_are_applied(ann: LdapOperations) -> None:
    changes = f"""version: 1
dn: cn=New,{PEOPLE}
changetype: add
objectClass: person
cn: New
sn:: TMOp

dn: {ANN}
control: 1.3.6.1.1.12 true:: {b64encode(Assertion("(sn=Lee)").value or b"").decode()}
changetype: modify
replace: description
description: changed
-
add: mail
mail: second@example.com
-
delete: mail
mail: ann@example.com
-

dn: cn=New,{PEOPLE}
changetype: modrdn
newrdn: cn=Newer
deleteoldrdn: 1

dn: cn=Newer,{PEOPLE}
changetype: delete
"""
    for record in ldif.read(changes):
        await ann.apply(record)
    entry = await read(ann, ANN)
    assert (entry.text("description"), entry.texts("mail")) == ("changed", ["second@example.com"])
    for gone in (f"cn=New,{PEOPLE}", f"cn=Newer,{PEOPLE}"):
        with pytest.raises(NoSuchObject):
            await read(ann, gone)


# Errors.


async def test_a_server_that_wants_encryption_says_so(make_slapd: Callable[..., Slapd]) -> None:
    server = make_slapd(head="security simple_bind=128")
    async with connect(server.url) as connection:
        with pytest.raises(ConfidentialityRequired) as caught:
            await connection.bind(person_dn("alice"), "alice-secret")
    assert caught.value.result_code == 13
    assert caught.value.hint
