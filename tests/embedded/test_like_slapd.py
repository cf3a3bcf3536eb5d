"""The embedded server beside a real slapd: the same organisation, the same questions, the same answers."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from quintet.embedded import sample
from quintet.embedded.server import EmbeddedServer
from quintet.ldap.dn import DN
from quintet.ldap.filters import Equality
from quintet.ldap.messages import CompareRequest, Message, SearchResultEntry
from support.raw_client import RawClient, code
from support.slapd import Slapd

pytestmark = pytest.mark.real

SOMEBODY = next(entry for entry in sample.entries() if b"blee" in entry.attributes.get("uid", ()))


@dataclass(frozen=True, slots=True)
class Both:
    ours: RawClient
    real: RawClient


@pytest.fixture
async def both(slapd: Slapd) -> AsyncIterator[Both]:
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(EmbeddedServer(sample.entries()))
        ours = await stack.enter_async_context(RawClient(server.port))
        real = await stack.enter_async_context(RawClient(slapd.port))
        for client in (ours, real):
            assert await client.bind(sample.READER, sample.READER_PASSWORD) == 0
        yield Both(ours, real)


Seen = dict[DN, dict[str, set[bytes]]]


def seen(answer: list[Message]) -> tuple[int, Seen]:
    entries = (each.op for each in answer if isinstance(each.op, SearchResultEntry))
    return code(answer), {
        DN.parse(entry.dn): {name.lower(): set(values) for name, values in entry.attributes.items()}
        for entry in entries
    }


@pytest.mark.parametrize(
    "text",
    [
        "(uid=blee)",
        "(cn=john  SMITH)",
        "(cn=john smith)",
        "(2.5.4.3=John Smith)",
        r"(cn=Night\2aShift Lead)",
        r"(cn=#1 help desk)",
        r"(cn=Lee, Barry*)",
        r'(cn=jane "jj"*)',
        r"(cn=Back\5cSlash*)",
        "(cn=jürgen groß)",
        "(cn=JÜRGEN  groß)",
        "(cn=αλέξης ζορμπάς)",
        "(cn=山田*)",
        "(sn=*ö*)",
        "(sn=m*ll*r)",
        "(givenName=*ne)",
        "(mail=an*@example.com)",
        "(telephoneNumber=+441632960003)",
        "(telephoneNumber=*960 00*)",
        "(&(objectClass=inetOrgPerson)(!(jpegPhoto=*)))",
        "(&(objectclass=organizationalPerson)(|(cn=li*)(givenname=li*)(sn=li*)(mail=li*)))",
        "(&(objectClass=groupOfNames)(cn=c*))",
        str(Equality("member", SOMEBODY.dn.encode())),
        str(Equality("member", SOMEBODY.dn.upper().encode())),
        "(uniqueMember=*)",
        "(!(objectClass=person))",
        "(!(nonsense=x))",
        "(|(nonsense=x)(uid=jsmith))",
        "(&(nonsense=x)(uid=jsmith))",
        "(cn:caseExactMatch:=John Smith)",
        "(cn:caseExactMatch:=john smith)",
        "(cn:caseIgnoreMatch:=john smith)",
        "(:caseIgnoreMatch:=nobody at all)",
        "(ou:dn:=research)",
        "(&(uid=blee)(objectClass=*))",
        "(|)",
    ],
)
async def test_a_filter_finds_the_same(both: Both, text: str) -> None:
    ours = seen(await both.ours.find(sample.BASE, text, "cn", "mail"))
    assert ours == seen(await both.real.find(sample.BASE, text, "cn", "mail"))


@pytest.mark.parametrize(
    ("base", "scope"),
    [
        (sample.BASE, 0),
        (sample.BASE, 1),
        (sample.PEOPLE.upper(), 1),
        (r"ou=Legal\2c Risk and Audit," + sample.PEOPLE, 2),
        (r"ou=Zürich  Branch," + sample.PEOPLE, 2),
        (f"ou=nowhere,{sample.PEOPLE}", 2),
        ("o=elsewhere", 0),
    ],
)
async def test_a_base_and_scope_find_the_same(both: Both, base: str, scope: int) -> None:
    ours = seen(await both.ours.find(base, "(objectClass=*)", scope=scope))
    real = seen(await both.real.find(base, "(objectClass=*)", scope=scope))
    for entry in real[1].values():
        entry.pop("userpassword", None)
    assert ours == real


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("cn", b"lee,  bruce jr."),
        ("cn", b"somebody else"),
        ("mobile", b"1"),
        ("seeAlso", b"o=example"),
        ("telephoneNumber", b"+44-1632-960000"),
    ],
)
async def test_a_comparison_gives_the_same(both: Both, attribute: str, value: bytes) -> None:
    request = CompareRequest(SOMEBODY.dn, attribute, value)
    assert code(await both.ours.ask(request)) == code(await both.real.ask(request))


@pytest.mark.parametrize(
    ("name", "password"),
    [
        (SOMEBODY.dn, sample.password_of("blee")),
        (SOMEBODY.dn, "wrong"),
        (SOMEBODY.dn, ""),
        ("", ""),
        ("cn=nobody,o=example", "x"),
        ("nonsense", "x"),
        (sample.BASE, "x"),
    ],
)
async def test_a_bind_ends_the_same(both: Both, name: str, password: str) -> None:
    assert await both.ours.bind(name, password) == await both.real.bind(name, password)
