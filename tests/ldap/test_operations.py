"""What operations take is checked before anything is sent, and what servers answer before it is believed."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from quintet.ldap import (
    DN,
    Add,
    Address,
    Connection,
    ConnectionLostError,
    Control,
    Delete,
    Entry,
    FilterSyntaxError,
    InvalidCredentials,
    LocalProtocolError,
    ManageDsaIT,
    NotAllowedOnNonLeaf,
    OperationsError,
    PagedResults,
    PasswordExpired,
    Referral,
    RemoteProtocolError,
    ResultError,
    Scope,
    Template,
    UrlSyntaxError,
    connect,
    errors,
    parse,
)
from quintet.ldap.connection import Connecting
from quintet.ldap.messages import (
    AddRequest,
    AddResponse,
    BindRequest,
    BindResponse,
    CompareRequest,
    DeleteRequest,
    DeleteResponse,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    ModifyDNRequest,
    ModifyDNResponse,
    ModifyRequest,
    ModifyResponse,
    Operation,
    Result,
    SearchRequest,
    SearchResultDone,
    UnbindRequest,
    encode,
)
from quintet.ldap.trace import Received, Sent, TraceEvent
from support.peer import DONE, Peer, entry, served, serving, silence

Ask = Callable[[Connection], Awaitable[Any]]


async def nothing_but_the_end(peer: Peer) -> None:
    await peer.expect(UnbindRequest)


async def all_of(stream: Any) -> list[Entry]:
    return [each async for each in stream]


SEARCHES: list[Callable[..., Ask]] = [
    lambda *args, **more: lambda ldap: ldap.search(*args, **more),
    lambda *args, **more: lambda ldap: ldap.search_page(*args, page_size=5, **more),
    lambda *args, **more: lambda ldap: all_of(ldap.stream(*args, **more)),
    lambda *args, **more: lambda ldap: all_of(ldap.paged_search(*args, **more)),
]


@pytest.mark.parametrize("ask", SEARCHES, ids=["search", "search_page", "stream", "paged_search"])
async def test_a_search_with_wrong_types_or_values_is_never_sent(ask: Callable[..., Ask]) -> None:
    wrong_types: list[tuple[Any, ...]] = [
        (None, 2),
        (b"o=x", 2),
        (5, 2),
        ("o=x", "SUBTREE"),
        ("o=x", None),
        ("o=x", 2.0),
        ("o=x", True),
        ("o=x", 2, None),
        ("o=x", 2, 5),
        ("o=x", 2, Template("(cn=%s)")),
        ("o=x", 2, bytearray(b"\x87\x02cn")),
        ("o=x", 2, "(cn=*)", "cn"),
        ("o=x", 2, "(cn=*)", b"cn"),
        ("o=x", 2, "(cn=*)", [b"cn"]),
        ("o=x", 2, "(cn=*)", ["cn", 5]),
        ("o=x", 2, "(cn=*)", [["cn"]]),
        ("o=x", 2, "(cn=*)", 5),
        ("o=x", 2, "(cn=*)", None),
    ]
    wrong_values: list[tuple[Any, ...]] = [("o=x", 3), ("o=x", -1), ("o=x", 2**40)]
    bad_filters = [
        "(sn=Smith",
        "",
        "sn",
        b"(sn=Smith)",
        b"",
        b"\x30\x00",
        b"\x87\x05cn",
        b"\x87\x02cn\0",
        b"\xa3\x03\x04\x01x",
    ]
    async with served(nothing_but_the_end) as ldap:
        for arguments in wrong_types:
            with pytest.raises(TypeError):
                await ask(*arguments)(ldap)
        for arguments in wrong_values:
            with pytest.raises(ValueError, match="scope"):
                await ask(*arguments)(ldap)
        for tree in bad_filters:
            with pytest.raises(FilterSyntaxError):
                await ask("o=x", 2, tree)(ldap)
        for controls in ([None], ["1.2.3"], ManageDsaIT()):
            with pytest.raises(TypeError):
                await ask("o=x", 2, controls=controls)(ldap)
        assert (ldap.operations, ldap.in_flight, ldap.closed) == (0, 0, False)


@pytest.mark.parametrize(
    "more",
    [{"deref": 4}, {"size_limit": -1}, {"time_limit": 2**31}, {"deref": "never"}, {"types_only": "no"}],
)
async def test_limits_that_ldap_does_not_have_are_never_sent(more: dict[str, Any]) -> None:
    async with served(nothing_but_the_end) as ldap:
        with pytest.raises((TypeError, ValueError)):
            await ldap.search("o=x", 2, **more)
        with pytest.raises((TypeError, ValueError)):
            await all_of(ldap.stream("o=x", 2, **more))


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        (lambda ldap: ldap.add(None, {"cn": ["a"]}), TypeError),
        (lambda ldap: ldap.add("cn=a", [("cn", ["a"])]), TypeError),
        (lambda ldap: ldap.add("cn=a", {"cn": "a"}), TypeError),
        (lambda ldap: ldap.add("cn=a", {"cn": [1]}), TypeError),
        (lambda ldap: ldap.add("cn=a", {b"cn": ["a"]}), TypeError),
        (lambda ldap: ldap.add("cn=a", {"cn": []}), ValueError),
        (lambda ldap: ldap.add("cn=a", {"c n": ["a"]}), ValueError),
        (lambda ldap: ldap.add("cn=a", {"cn": ["\ud800"]}), LocalProtocolError),
        (lambda ldap: ldap.modify("cn=a", Add("cn", ["a"])), TypeError),
        (lambda ldap: ldap.modify("cn=a", [("add", "cn", ["a"])]), TypeError),
        (lambda ldap: ldap.modify("cn=a", None), TypeError),
        (lambda ldap: ldap.modify("cn=a", []), ValueError),
        (lambda ldap: ldap.modify(b"cn=a", [Delete("cn")]), TypeError),
        (lambda ldap: ldap.delete(None), TypeError),
        (lambda ldap: ldap.delete(""), ValueError),
        (lambda ldap: ldap.delete(DN()), ValueError),
        (lambda ldap: ldap.modify_dn("cn=a", None), TypeError),
        (lambda ldap: ldap.modify_dn("cn=a", "cn=b", new_superior=5), TypeError),
        (lambda ldap: ldap.compare("cn=a", "cn", None), TypeError),
        (lambda ldap: ldap.compare("cn=a", "c n", "a"), ValueError),
        (lambda ldap: ldap.compare("cn=a", b"cn", "a"), TypeError),
        (lambda ldap: ldap.extended(None), TypeError),
        (lambda ldap: ldap.extended("1.2", "text"), TypeError),
        (lambda ldap: ldap.extended("1.3.6.1.4.1.1466.20037"), LocalProtocolError),
        (lambda ldap: ldap.modify_password("cn=a", new=""), ValueError),
        (lambda ldap: ldap.modify_password("cn=a", old=b""), ValueError),
        (lambda ldap: ldap.modify_password("cn=a", new=5), TypeError),
        (lambda ldap: ldap.modify_password(5), TypeError),
        (lambda ldap: ldap.apply("dn: cn=a"), TypeError),
        (lambda ldap: ldap.perform(SearchRequest("", 0, parse("(cn=*)"))), TypeError),
        (lambda ldap: ldap.perform(UnbindRequest()), TypeError),
        (lambda ldap: ldap.bind("cn=a", None), TypeError),
        (lambda ldap: ldap.bind(None, "x"), TypeError),
        (lambda ldap: ldap.bind("cn=a", ""), LocalProtocolError),
        (lambda ldap: ldap.bind(DN(), "x"), LocalProtocolError),
        (lambda ldap: ldap.delete("cn=a", controls=["1.2"]), TypeError),
    ],
)
async def test_what_cannot_be_meant_is_never_sent(ask: Ask, error: type[Exception]) -> None:
    async with served(nothing_but_the_end) as ldap:
        with pytest.raises(error) as caught:
            await ask(ldap)
        assert type(caught.value) is error
        assert (ldap.operations, ldap.in_flight, ldap.closed) == (0, 0, False)


async def test_each_operation_is_the_request_that_it_should_be() -> None:
    asked: list[Message] = []
    answers: dict[type, Operation] = {
        AddRequest: AddResponse(Result()),
        BindRequest: BindResponse(Result()),
        DeleteRequest: DeleteResponse(Result()),
        ModifyDNRequest: ModifyDNResponse(Result()),
        ModifyRequest: ModifyResponse(Result()),
        ExtendedRequest: ExtendedResponse(Result()),
    }

    async def play(peer: Peer) -> None:
        while not isinstance((message := await peer.get()).op, UnbindRequest):
            asked.append(message)
            peer.put(message.id, answers[type(message.op)])

    events: list[TraceEvent] = []
    dn = DN.parse("cn=a,o=x")
    async with served(play, trace=events.append) as ldap:
        manage = ManageDsaIT()
        await ldap.add(dn, {"cn": ["a", b"\xff"], "sn": ("b",)}, controls=[manage])
        await ldap.modify(dn, iter([Add("cn", ["b"]), Delete("sn")]))
        await ldap.modify_dn(dn, "cn=b")
        await ldap.modify_dn("cn=b,o=x", DN.parse("cn=c"), delete_old_rdn=False, new_superior=DN.parse("o=y"))
        await ldap.delete(dn)
        assert await ldap.modify_password() is None
        assert await ldap.modify_password(dn, old="é", new=b"n") is None
        await ldap.bind(dn, b"secret")
    ops = [message.op for message in asked]
    assert ops[:5] == [
        AddRequest("cn=a,o=x", {"cn": [b"a", b"\xff"], "sn": [b"b"]}),
        ModifyRequest("cn=a,o=x", (Add("cn", ["b"]), Delete("sn"))),
        ModifyDNRequest("cn=a,o=x", "cn=b", True, None),
        ModifyDNRequest("cn=b,o=x", "cn=c", False, "o=y"),
        DeleteRequest("cn=a,o=x"),
    ]
    assert [message.controls for message in asked[:2]] == [(Control(manage.oid, True),), ()]
    assert ops[5] == ExtendedRequest("1.3.6.1.4.1.4203.1.11.1")
    assert isinstance(ops[6], ExtendedRequest)
    assert ops[6].value == b"\x30\x11\x80\x08cn=a,o=x\x81\x02\xc3\xa9\x82\x01n"
    verbs = [event.operation for event in events if isinstance(event, Sent)]
    assert verbs == ["add", "modify", "modify DN", "modify DN", "delete", "extended", "extended", "bind"]
    assert [event.code for event in events if isinstance(event, Received)] == [0] * 8


async def test_every_result_of_a_change_is_an_error_with_all_that_the_server_said() -> None:
    result = Result(66, "o=x", "subordinate objects must be deleted first", ("ldap://h/",))

    async def play(peer: Peer) -> None:
        message = await peer.expect(DeleteRequest)
        peer.writer.write(encode(Message(message.id, DeleteResponse(result), (PasswordExpired(),))))
        await peer.gone()

    async with served(play) as ldap:
        with pytest.raises(NotAllowedOnNonLeaf) as caught:
            await ldap.delete("cn=a,o=x")
        error = caught.value
        assert (error.result_code, error.matched_dn, error.diagnostic) == (66, "o=x", result.diagnostic)
        assert (error.operation, error.dn, error.server) == ("delete", "cn=a,o=x", str(ldap.address))
        assert error.referrals == ("ldap://h/",)
        assert PasswordExpired.find(error.controls) == PasswordExpired()
        assert error.hint


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (lambda ldap: ldap.add("cn=a", {"cn": ["a"]}), ModifyResponse(Result())),
        (lambda ldap: ldap.modify("cn=a", [Delete("cn")]), AddResponse(Result())),
        (lambda ldap: ldap.delete("cn=a"), ModifyDNResponse(Result())),
        (lambda ldap: ldap.modify_dn("cn=a", "cn=b"), DeleteResponse(Result())),
        (lambda ldap: ldap.who_am_i(), SearchResultDone(Result())),
        (lambda ldap: ldap.delete("cn=a"), entry(1)),
    ],
)
async def test_an_answer_to_something_else_closes_the_connection(ask: Ask, answer: Any) -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, answer)
        await peer.gone()

    async with served(play) as ldap:
        with pytest.raises(RemoteProtocolError):
            await ask(ldap)
        assert ldap.closed


@pytest.mark.parametrize("value", [b"", b"\x30", b"\x30\x05\x80\x03ab", b"\x04\x01x", b"\x30\x00x"])
async def test_a_malformed_answer_with_a_password_is_the_servers_fault(value: bytes) -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, ExtendedResponse(Result(), None, value))
        await peer.gone()

    async with served(play) as ldap:
        with pytest.raises(RemoteProtocolError) as caught:
            await ldap.modify_password("cn=a")
        assert caught.value.server == str(ldap.address)
        assert caught.value.__context__ is None


async def test_a_password_that_the_server_made_is_returned() -> None:
    async def play(peer: Peer) -> None:
        for value in (b"\x30\x08\x80\x06secr\xc3\xa9", b"\x30\x00", None):
            peer.put((await peer.get()).id, ExtendedResponse(Result(), None, value))
        await peer.gone()

    async with served(play) as ldap:
        assert [await ldap.modify_password() for _ in range(3)] == ["secré", None, None]


# Pages.


def pages_of(sizes: list[int], asked: list[tuple[int, bytes]]) -> Callable[[Peer], Awaitable[None]]:
    """A server whose pages have so many entries."""

    async def play(peer: Peer) -> None:
        left = list(sizes)
        while not isinstance((message := await peer.get()).op, UnbindRequest):
            page = PagedResults.find(message.controls)
            assert page is not None
            asked.append((page.size, page.cookie))
            peer.put(message.id, *map(entry, range(left.pop(0) if page.size else 0)))
            cookie = b"%d" % len(left) if left and page.size else b""
            answer = Message(message.id, DONE, (PagedResults(0, cookie, critical=False),))
            peer.writer.write(encode(answer))

    return play


async def test_a_paged_search_goes_through_all_pages_also_empty_ones() -> None:
    asked: list[tuple[int, bytes]] = []
    async with served(pages_of([2, 0, 1], asked)) as ldap:
        found = await all_of(ldap.paged_search("o=x", Scope.SUBTREE, "(cn=*)", iter(["cn"]), page_size=2))
    assert len(found) == 3
    assert asked == [(2, b""), (2, b"2"), (2, b"1")]


async def test_a_paged_search_that_is_left_tells_the_server_to_forget_it() -> None:
    asked: list[tuple[int, bytes]] = []
    async with served(pages_of([2, 2], asked)) as ldap:
        found = ldap.paged_search("o=x", Scope.SUBTREE, page_size=2)
        await anext(found)
        await found.aclose()
    assert asked == [(2, b""), (0, b"1")]


async def test_a_paged_search_that_is_left_on_its_last_page_asks_nothing_more() -> None:
    asked: list[tuple[int, bytes]] = []
    async with served(pages_of([2], asked)) as ldap:
        found = ldap.paged_search("o=x", Scope.SUBTREE, page_size=2)
        await anext(found)
        await found.aclose()
    assert asked == [(2, b"")]


async def test_a_paged_search_over_a_connection_that_is_lost_says_so() -> None:
    asked: list[tuple[int, bytes]] = []
    async with served(pages_of([1, 1], asked)) as ldap:
        found = ldap.paged_search("o=x", Scope.SUBTREE, page_size=1)
        await anext(found)
        await ldap.close()
        with pytest.raises(ConnectionLostError):
            await anext(found)


# Where to connect.


@pytest.mark.parametrize(
    ("target", "more", "error"),
    [
        ("http://h", {}, UrlSyntaxError),
        ("h:389", {}, UrlSyntaxError),
        ("ldap:///o=x", {}, UrlSyntaxError),
        ("ldap://h/????!x-secure", {}, UrlSyntaxError),
        (None, {}, TypeError),
        (("h", 389), {}, TypeError),
        ("ldaps://h", {"tls": True}, TypeError),
        ("ldaps://h", {"start_tls": True}, ValueError),
        ("ldapi:///", {"start_tls": True}, ValueError),
        (Address.unix("/run/ldapi"), {"start_tls": True}, ValueError),
    ],
)
def test_where_one_cannot_connect_is_refused_at_once(
    target: Any, more: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        connect(target, **more)


def test_a_context_is_never_left_unused() -> None:
    """With `ldap://` it would look as if the connection was encrypted."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for target in ("ldap://h", "ldapi:///", Address.unix("/run/ldapi")):
        with pytest.raises(ValueError, match=r"encrypted|TLS"):
            connect(target, tls=context)


async def test_a_connection_can_be_awaited_or_entered_and_is_closed_after_that() -> None:
    async with serving(silence) as address:
        url = f"ldap://{address}/o=ignored"
        closed = []
        for connecting in (connect(url), await connect(address), await asyncio.create_task(connect(url))):
            async with connecting as connection:
                assert connection.address == address
                closed.append(connection.closed)
            closed.append(connection.closed)
        assert closed == [False, True] * 3


async def test_what_is_neither_awaited_nor_entered_can_be_closed() -> None:
    connecting = connect("ldap://h")
    assert isinstance(connecting, Connecting)
    connecting.close()
    with pytest.raises(RuntimeError):
        await connecting


# Errors.

RESULT_ERRORS = {
    kind.code: kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, ResultError)
}


@pytest.mark.parametrize("code", sorted(set(RESULT_ERRORS) - {-1}))
def test_each_result_code_has_its_class(code: int) -> None:
    error = ResultError.of(code, "said by the server")
    assert type(error) is RESULT_ERRORS[code]
    assert (error.result_code, error.code) == (code, code)
    assert f"(result {code})" in str(error)
    assert "said by the server" in str(error)


def test_the_result_codes_of_rfc_4511_all_have_a_class() -> None:
    errors_of_rfc_4511 = {1, 2, 3, 4, 7, 8, 10, 11, 12, 13, *range(16, 22), 32, 33, 34, 36, *range(48, 55)}
    errors_of_rfc_4511 |= {*range(64, 70), 71, 80}
    assert errors_of_rfc_4511 <= set(RESULT_ERRORS)
    assert type(ResultError.of(4711)) is ResultError


def test_a_hint_is_part_of_the_text_unless_the_server_gives_the_reason() -> None:
    assert str(OperationsError()) == (
        "operations error (result 1); on Active Directory: a bind is required before searching"
    )
    told = InvalidCredentials(
        "80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext error, data 775, v3839"
    )
    assert told.reason is not None
    assert told.reason in str(told)
    assert (InvalidCredentials.hint or "") not in str(told)
    assert Referral(referrals=["ldap://h/"]).referrals == ("ldap://h/",)


async def test_compare_takes_names_in_every_form() -> None:
    async def play(peer: Peer) -> None:
        message = await peer.expect(CompareRequest)
        assert message.op == CompareRequest("cn=a,o=x", "cn;lang-de", "é".encode())
        peer.put(message.id, DONE)
        await peer.gone()

    async with served(play) as ldap:
        with pytest.raises(RemoteProtocolError):
            await ldap.compare(DN.parse("cn=a,o=x"), "cn;lang-de", "é")
