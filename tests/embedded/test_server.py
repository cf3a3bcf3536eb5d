"""The embedded server answers as LDAP servers do."""

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import Certificates
from quintet.embedded.answers import Rules
from quintet.embedded.server import EmbeddedServer
from quintet.ldap import Entry, PagedResults, filters
from quintet.ldap.ldif import read_entries
from quintet.ldap.messages import (
    AbandonRequest,
    BindRequest,
    BindResponse,
    CompareRequest,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    Sasl,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    Simple,
    UnbindRequest,
    encode,
)
from quintet.ldap.sasl import scram
from quintet.ldap.sasl.channel_binding import ChannelBinding, of_certificate
from support.raw_client import RawClient, code

ENTRIES = tuple(
    read_entries(
        """
dn: o=example
objectClass: organization
o: example

dn: ou=people,o=example
objectClass: organizationalUnit
ou: people

dn: cn=Ann Lee,ou=people,o=example
objectClass: person
cn: Ann Lee
cn: Annie
sn: Lee
telephoneNumber: +44 1632 960-001
employeeNumber: 9
jpegPhoto:: //4B
userPassword: ann-secret
manager: CN=bob  ray, OU=People, O=Example

dn: cn=Bob Ray,ou=people,o=example
objectClass: person
cn: Bob Ray
sn: Ray
employeeNumber: 10
jpegPhoto:: //4C
userPassword: {SSHA}gVK8WC9YyFT1gMsQHTGCgT3sSv5zYWx0

dn: cn=Zoë Ax,ou=people,o=example
objectClass: person
cn: Zoë Ax
sn: Ax
userAccountControl: 514

dn: cn=staff,o=example
objectClass: groupOfNames
cn: staff
member: cn=Ann Lee,ou=people,o=example
member: cn=Bob Ray,ou=people,o=example
member: cn=Zoë Ax,ou=people,o=example
"""
    )
)
ANN, BOB, ZOE = (
    "cn=Ann Lee,ou=people,o=example",
    "cn=Bob Ray,ou=people,o=example",
    "cn=Zoë Ax,ou=people,o=example",
)
STAFF = "cn=staff,o=example"


@pytest.fixture
async def client() -> AsyncIterator[RawClient]:
    async with EmbeddedServer(ENTRIES) as server, RawClient(server.port) as client:
        yield client


def names(answer: list[Message]) -> list[str]:
    return [each.op.dn for each in answer if isinstance(each.op, SearchResultEntry)]


def entry(answer: list[Message]) -> dict[str, list[bytes]]:
    (found,) = [each.op for each in answer if isinstance(each.op, SearchResultEntry)]
    return found.attributes


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(cn=ann  LEE)", [ANN]),
        ("(commonName=annie)", [ANN]),
        ("(2.5.4.3=annie)", [ANN]),
        ("(cn=ZOË ax)", [ZOE]),
        ("(cn=*ë*)", [ZOE]),
        ("(cn=a*n*e)", [ANN]),
        ("(cn=an*)", [ANN]),
        ("(cn=*ray)", [BOB]),
        ("(cn=b*b ray)", [BOB]),
        ("(cn=bo*bob ray)", []),
        ("(cn~=bob ray)", [BOB]),
        ("(telephoneNumber=+441632960001)", [ANN]),
        ("(telephoneNumber=+44 1632*)", [ANN]),
        ("(employeeNumber>=10)", [BOB]),
        ("(employeeNumber<=9)", [ANN]),
        ("(manager=cn=Bob Ray,ou=people,o=example)", [ANN]),
        (r"(jpegPhoto=\ff\fe\01)", [ANN]),
        ("(jpegPhoto=*)", [ANN, BOB]),
        ("(&(objectClass=person)(!(employeeNumber=*)))", [ZOE]),
        ("(|(sn=lee)(sn=ray))", [ANN, BOB]),
        ("(|(sn=lee)(cn=*x))", [ANN, ZOE]),
        ("(&(objectClass=person)(sn=ax))", [ZOE]),
        ("(!(nonsense=x))", []),
        ("(|(nonsense=x)(sn=ax))", [ZOE]),
        ("(&)", ["o=example", "ou=people,o=example", ANN, BOB, ZOE, STAFF]),
        ("(|)", []),
        ("(userAccountControl:1.2.840.113556.1.4.803:=2)", [ZOE]),
        ("(userAccountControl:1.2.840.113556.1.4.803:=3)", []),
        ("(userAccountControl:1.2.840.113556.1.4.804:=3)", [ZOE]),
        ("(:caseIgnoreMatch:=ray)", [BOB]),
        ("(ou:dn:=people)", ["ou=people,o=example", ANN, BOB, ZOE]),
        ("(sn:=ray)", [BOB]),
        ("(sn:1.2.3:=ray)", []),
        (f"(memberOf={STAFF})", [ANN, BOB, ZOE]),
        ("(member=cn=zoË ax,ou=people,o=example)", [STAFF]),
        ("(member=*bob*)", []),
        ("(userPassword=ann-secret)", []),
        ("(userPassword=*)", []),
        (f"(entryDN={BOB})", [BOB]),
    ],
)
async def test_a_filter_finds_what_it_should(client: RawClient, text: str, found: list[str]) -> None:
    assert names(await client.find("o=example", text)) == found


@pytest.mark.parametrize(
    ("base", "scope", "found"),
    [
        ("O=Example", 0, ["o=example"]),
        ("o=example", 1, ["ou=people,o=example", STAFF]),
        ("ou=people,o=example", 2, ["ou=people,o=example", ANN, BOB, ZOE]),
        ("", 1, ["o=example"]),
        ("", 2, ["o=example", "ou=people,o=example", ANN, BOB, ZOE, STAFF]),
    ],
)
@pytest.mark.parametrize("text", ["(objectClass=*)", "(|(objectClass=person)(ou=*)(o=example)(member=*))"])
async def test_a_scope_bounds_a_search(
    client: RawClient, base: str, scope: int, found: list[str], text: str
) -> None:
    assert names(await client.find(base, text, scope=scope)) == found


async def test_an_index_keeps_to_the_scope(client: RawClient) -> None:
    assert names(await client.find("o=example", "(sn=lee)", scope=1)) == []
    assert names(await client.find("ou=people,o=example", "(sn=lee)", scope=1)) == [ANN]
    assert names(await client.find(ANN, "(sn=lee)", scope=0)) == [ANN]


async def test_attributes_come_as_asked_for(client: RawClient) -> None:
    everything = entry(await client.find(ANN, "(cn=*)", scope=0))
    assert set(everything) == {
        "objectClass",
        "cn",
        "sn",
        "telephoneNumber",
        "employeeNumber",
        "jpegPhoto",
        "manager",
    }
    assert entry(await client.find(ANN, "(cn=*)", "1.1", scope=0)) == {}
    assert entry(await client.find(ANN, "(cn=*)", "COMMONNAME", "nothing", scope=0)) == {
        "cn": [b"Ann Lee", b"Annie"]
    }
    operational = entry(await client.find(ANN, "(cn=*)", "+", scope=0))
    assert set(operational) == {"entryUUID", "entryDN", "hasSubordinates", "memberOf"}
    assert entry(await client.find(ANN, "(cn=*)", "userPassword", scope=0)) == {}


async def test_types_only_leaves_the_values_out(client: RawClient) -> None:
    request = SearchRequest(BOB, 0, filters.parse("(cn=*)"), ("sn",), types_only=True)
    assert entry(await client.ask(request)) == {"sn": []}


async def test_a_missing_base_names_the_nearest_entry(client: RawClient) -> None:
    answer = await client.find("cn=x,ou=none,ou=people,o=example", "(cn=*)")
    assert code(answer) == 32
    assert isinstance(answer[-1].op, SearchResultDone)
    assert answer[-1].op.result.matched_dn == "ou=people,o=example"
    assert code(await client.find("nonsense", "(cn=*)")) == 34


async def test_the_root_tells_what_the_server_can_do(client: RawClient) -> None:
    root = entry(await client.find("", "(objectClass=*)", "+", scope=0))
    assert root["namingContexts"] == [b"o=example"]
    assert root["supportedLDAPVersion"] == [b"3"]
    assert b"1.3.6.1.4.1.1466.20037" not in root["supportedExtension"]
    assert set(entry(await client.find("", "(objectClass=*)", scope=0))) == {"objectClass"}


@pytest.mark.parametrize(
    ("name", "password", "result"),
    [
        ("", "", 0),
        (ANN, "ann-secret", 0),
        (ANN.upper(), "ann-secret", 0),
        (BOB, "secret", 0),
        (BOB, "Secret", 49),
        (ANN, "", 53),
        (ZOE, "x", 49),
        ("cn=nobody,o=example", "x", 49),
        ("nonsense", "x", 34),
    ],
)
async def test_binds_need_the_right_password(
    client: RawClient, name: str, password: str, result: int
) -> None:
    assert await client.bind(name, password) == result


async def test_a_failed_bind_leaves_nobody_bound(client: RawClient) -> None:
    async def whoami() -> bytes | None:
        (answer,) = await client.ask(ExtendedRequest("1.3.6.1.4.1.4203.1.11.3"))
        assert isinstance(answer.op, ExtendedResponse)
        return answer.op.value

    await client.bind(ANN, "ann-secret")
    assert await whoami() == f"dn:{ANN}".encode()
    await client.bind(ANN, "wrong")
    assert await whoami() == b""


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-1"])
@pytest.mark.parametrize("user", ["Annie", ANN])
async def test_scram_proves_both_sides(client: RawClient, mechanism: str, user: str) -> None:
    assert await scram_bind(client, scram.ScramClient(mechanism, user, "ann-secret")) == 0
    (answer,) = await client.ask(ExtendedRequest("1.3.6.1.4.1.4203.1.11.3"))
    assert isinstance(answer.op, ExtendedResponse)
    assert answer.op.value == f"dn:{ANN}".encode()


@pytest.mark.parametrize(("user", "password"), [("Annie", "wrong"), ("nobody", "x"), ("Bob Ray", "secret")])
async def test_scram_fails_for_wrong_and_for_hashed_passwords(
    client: RawClient, user: str, password: str
) -> None:
    assert await scram_bind(client, scram.ScramClient("SCRAM-SHA-256", user, password)) == 49


async def test_scram_can_be_left_out() -> None:
    async with EmbeddedServer(ENTRIES, rules=Rules(scram=False)) as server, RawClient(server.port) as client:
        root = entry(await client.find("", "(objectClass=*)", "+", scope=0))
        assert "supportedSASLMechanisms" not in root
        assert await scram_bind(client, scram.ScramClient("SCRAM-SHA-256", "Annie", "ann-secret")) == 7


async def test_scram_binds_to_tls(
    tls: tuple[ssl.SSLContext, ssl.SSLContext], certificates: Certificates
) -> None:
    async with EmbeddedServer(ENTRIES, tls=tls[0], certificate=certificates.server.der) as server:
        assert server.tls_port is not None
        async with RawClient(server.tls_port, tls[1]) as client:
            root = entry(await client.find("", "(objectClass=*)", "supportedSASLMechanisms", scope=0))
            assert b"SCRAM-SHA-256-PLUS" in root["supportedSASLMechanisms"]
            assert client.peer_certificate is not None
            binding = of_certificate(client.peer_certificate)
            assert binding is not None
            bound = scram.ScramClient("SCRAM-SHA-256-PLUS", "Annie", "ann-secret", binding=binding)
            assert await scram_bind(client, bound) == 0
            wrong = scram.ScramClient(
                "SCRAM-SHA-256-PLUS", "Annie", "ann-secret", binding=ChannelBinding(binding.name, b"x" * 32)
            )
            assert await scram_bind(client, wrong) == 49


async def scram_bind(client: RawClient, exchange: scram.ScramClient) -> int:
    """The result code in the end; the server's proof is checked on the way."""
    first = await client.ask(BindRequest("", Sasl(exchange.mechanism, exchange.first())))
    if code(first) != 14:
        return code(first)
    assert isinstance(first[0].op, BindResponse)
    salted = exchange.salted(exchange.challenge(first[0].op.server_credentials or b""))
    last = await client.ask(BindRequest("", Sasl(exchange.mechanism, exchange.final(salted))))
    assert isinstance(last[0].op, BindResponse)
    if code(last) == 0:
        exchange.verify(last[0].op.server_credentials or b"")
    return code(last)


async def test_other_versions_and_mechanisms_are_refused(client: RawClient) -> None:
    assert code(await client.ask(BindRequest("", Simple(b""), 2))) == 2
    assert code(await client.ask(BindRequest("", Sasl("GSSAPI")))) == 7


@pytest.mark.parametrize(
    ("name", "attribute", "value", "result"),
    [
        (ANN, "sn", b"LEE", 6),
        (ANN, "sn", b"ray", 5),
        (STAFF, "member", BOB.lower().encode(), 6),
        (ANN, "mail", b"x", 16),
        (ANN, "userPassword", b"ann-secret", 16),
        ("cn=nobody,o=example", "sn", b"x", 32),
    ],
)
async def test_compare(client: RawClient, name: str, attribute: str, value: bytes, result: int) -> None:
    assert code(await client.ask(CompareRequest(name, attribute, value))) == result


async def test_pages_come_one_after_the_other(client: RawClient) -> None:
    found, cookie = [], b""
    sizes = []
    request = SearchRequest("o=example", 2, filters.parse("(cn=*)"), ("1.1",))
    while True:
        answer = await client.ask(request, PagedResults(3, cookie))
        page = names(answer)
        found += page
        sizes.append(len(page))
        read = PagedResults.find(answer[-1].controls)
        assert read is not None
        cookie = read.cookie
        if not cookie:
            break
    assert sizes == [3, 1]
    assert found == [ANN, BOB, ZOE, STAFF]


async def test_a_cookie_is_good_once_and_for_its_search_alone(client: RawClient) -> None:
    request = SearchRequest("o=example", 2, filters.parse("(cn=*)"))
    read = PagedResults.find((await client.ask(request, PagedResults(1)))[-1].controls)
    assert read is not None
    other = SearchRequest("o=example", 2, filters.parse("(sn=*)"))
    assert code(await client.ask(other, PagedResults(1, read.cookie))) == 53
    assert code(await client.ask(request, PagedResults(1, read.cookie))) == 53


async def test_limits_end_a_search_with_what_was_found(client: RawClient) -> None:
    answer = await client.ask(SearchRequest("o=example", 2, filters.parse("(cn=*)"), size_limit=2))
    assert len(names(answer)) == 2
    assert code(answer) == 4
    exact = await client.ask(SearchRequest("o=example", 2, filters.parse("(cn=*)"), size_limit=4))
    assert code(exact) == 0


async def test_the_servers_own_size_limit_counts_too() -> None:
    async with EmbeddedServer(ENTRIES, rules=Rules(size_limit=1)) as server, RawClient(server.port) as client:
        assert code(await client.find("o=example", "(cn=*)")) == 4


async def test_an_unknown_critical_control_is_refused(client: RawClient) -> None:
    request = SearchRequest("o=example", 0, filters.parse("(o=*)"))
    assert code(await client.ask(request, Control("1.2.3", critical=True))) == 12
    assert code(await client.ask(request, Control("1.2.3"))) == 0


async def test_long_attributes_come_in_ranges() -> None:
    rules = Rules(range_limit=2)
    async with EmbeddedServer(ENTRIES, rules=rules) as server, RawClient(server.port) as client:
        first = entry(await client.find(STAFF, "(cn=*)", "member", scope=0))
        assert first == {"member;range=0-1": [ANN.encode(), BOB.encode()]}
        last = entry(await client.find(STAFF, "(cn=*)", "member;range=2-*", scope=0))
        assert last == {"member;range=2-*": [ZOE.encode()]}
        assert entry(await client.find(ANN, "(cn=*)", "cn", scope=0)) == {"cn": [b"Ann Lee", b"Annie"]}


async def test_nobody_searches_before_a_bind_where_that_is_not_allowed() -> None:
    async with (
        EmbeddedServer(ENTRIES, rules=Rules(anonymous=False)) as server,
        RawClient(server.port) as client,
    ):
        assert await client.bind("", "") == 48
        assert code(await client.find("o=example", "(cn=*)")) == 8
        assert code(await client.ask(CompareRequest(ANN, "sn", b"lee"))) == 8
        assert names(await client.find("", "(objectClass=*)", scope=0)) == [""]
        assert await client.bind(ANN, "ann-secret") == 0
        assert names(await client.find("o=example", "(sn=lee)")) == [ANN]


async def test_hidden_attributes_show_to_bound_accounts_only() -> None:
    rules = Rules(hidden=frozenset({"sn"}))
    async with EmbeddedServer(ENTRIES, rules=rules) as server, RawClient(server.port) as client:
        assert names(await client.find("o=example", "(sn=lee)")) == []
        assert "sn" not in entry(await client.find(ANN, "(cn=*)", scope=0))
        await client.bind(ANN, "ann-secret")
        assert entry(await client.find("o=example", "(sn=lee)", "sn")) == {"sn": [b"Lee"]}


async def test_referrals_are_told_or_shown_when_managed() -> None:
    entries = [
        *ENTRIES,
        Entry("ou=away,o=example", {"objectClass": [b"referral"], "ref": [b"ldap://far/o=x"]}),
    ]
    async with EmbeddedServer(entries) as server, RawClient(server.port) as client:
        answer = await client.find("o=example", "(objectClass=referral)")
        assert answer[0].op == SearchResultReference(("ldap://far/o=x",))
        request = SearchRequest("o=example", 2, filters.parse("(objectClass=referral)"))
        assert names(await client.ask(request, Control("2.16.840.1.113730.3.4.2"))) == ["ou=away,o=example"]


@pytest.fixture
def tls(tmp_path: Path, certificates: Certificates) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's context, and a client's that trusts it."""
    certificate, key = certificates.server.write(tmp_path, "server")
    ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ours.load_cert_chain(certificate, key)
    theirs = ssl.create_default_context(cadata=certificates.ca.pem.decode())
    return ours, theirs


async def test_tls_from_the_first_byte(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with EmbeddedServer(ENTRIES, tls=tls[0], rules=Rules(secure_binds=True)) as server:
        assert server.tls_port is not None
        async with RawClient(server.tls_port, tls[1]) as client:
            assert await client.bind(ANN, "ann-secret") == 0
            assert await client.start_tls(tls[1]) == 1


async def test_start_tls(tls: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    async with EmbeddedServer(ENTRIES, tls=tls[0], rules=Rules(secure_binds=True)) as server:
        async with RawClient(server.port) as client:
            assert await client.bind(ANN, "ann-secret") == 13
            assert await client.start_tls(tls[1]) == 0
            assert await client.bind(ANN, "ann-secret") == 0
        assert server.counts["start_tls"] == 1


async def test_what_came_in_clear_behind_start_tls_is_thrown_away(
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
) -> None:
    search = SearchRequest("o=example", 2, filters.parse("(cn=*)"))
    start = ExtendedRequest("1.3.6.1.4.1.1466.20037")
    async with EmbeddedServer(ENTRIES, tls=tls[0]) as server, RawClient(server.port) as client:
        client.send_bytes(encode(Message(1, start)) + encode(Message(2, search)))
        assert code([await client.receive()]) == 0
        await client.secure(tls[1])
        assert names(await client.find("o=example", "(sn=lee)")) == [ANN]
        assert server.counts["search"] == 1


async def test_start_tls_is_refused_without_a_certificate(client: RawClient) -> None:
    assert await client.start_tls(ssl.create_default_context()) == 2


async def test_requests_side_by_side_are_all_answered(client: RawClient) -> None:
    sent = {client.send(SearchRequest("o=example", 2, filters.parse("(sn=lee)"))) for _ in range(600)}
    found, ended = dict[int, str](), dict[int, int]()
    while len(ended) < len(sent):
        message = await client.receive()
        if isinstance(message.op, SearchResultEntry):
            assert message.id not in {*found, *ended}
            found[message.id] = message.op.dn
        else:
            ended[message.id] = code([message])
    assert found == dict.fromkeys(sent, ANN)
    assert ended == dict.fromkeys(sent, 0)


async def test_the_server_counts() -> None:
    async with EmbeddedServer(ENTRIES) as server:
        async with RawClient(server.port) as client:
            await client.bind(ANN, "ann-secret")
            await client.find("o=example", "(cn=*)")
            client.send(AbandonRequest(2))
            client.send(UnbindRequest())
            assert await client.rest() == b""
        assert server.counts == {"connections": 1, "bind": 1, "search": 1, "abandon": 1, "unbind": 1}
        await server.disconnect()
        assert server.connected == 0


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x00\x05hello",
        b"\x30\x80\x00\x00",
        b"\x30\x84\xff\xff\xff\xff",
        b"\x30\x85\x00\x00\x00\x00\x01",
        b"\x30\x03\x02\x01\x01",
        b"\x30\x05\x02\x01\x00\x42\x00",
        b"\x30\x0c\x02\x01\x01\x61\x07\x0a\x01\x00\x04\x00\x04\x00",
    ],
)
async def test_garbage_ends_the_connection_with_a_notice(client: RawClient, data: bytes) -> None:
    client.send_bytes(data)
    notice = await client.receive()
    assert notice.id == 0
    assert isinstance(notice.op, ExtendedResponse)
    assert notice.op.oid == "1.3.6.1.4.1.1466.20036"
    assert await client.rest() == b""


@given(st.binary(max_size=300))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_bytes_stop_the_server(data: bytes) -> None:
    async with EmbeddedServer(ENTRIES[:2]) as server:
        async with RawClient(server.port) as bad:
            bad.send_bytes(data)
        async with RawClient(server.port) as good:
            assert names(await good.find("o=example", "(ou=people)")) == ["ou=people,o=example"]


async def test_a_port_can_be_asked_for_again() -> None:
    async with EmbeddedServer(ENTRIES) as first:
        port = first.port
    async with EmbeddedServer(ENTRIES, port=port) as second, RawClient(second.port) as client:
        assert second.port == port
        assert await client.bind("", "") == 0


def test_two_entries_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two entries"):
        EmbeddedServer([*ENTRIES, Entry("O=EXAMPLE", {"o": [b"example"]})])
