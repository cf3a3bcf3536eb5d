"""The listener over real sockets: what is too large, too slow or no HTTP, and how it ends."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Coroutine
from ipaddress import ip_network
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from conftest import Certificates
from quintet.config.web_settings import WebSettings
from quintet.proxy_protocol import SIGNATURE
from quintet.web import PortError, server
from quintet.web.content import Answer, Content, FixedHeaders
from quintet.web.problem import problem
from quintet.web.security import LARGEST_BODY, Guard, client_of, session_key, verify_key
from support.sametime_server import proxy_header, server_context

HEAD = b"GET / HTTP/1.1\r\nhost: localhost\r\n"
CLOSING = HEAD + b"connection: close\r\n\r\n"


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Reads the body, then answers with its size as a problem's detail."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await problem(418, str(size))(scope, receive, send)


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("a password stands here")


@pytest.fixture
async def port() -> AsyncIterator[int]:
    async with server.listening(Guard(echo, WebSettings), "127.0.0.1", 0, "QUINTET_HTTP_PORT") as listener:
        yield listener.port


async def tell(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the address of the client and the scheme."""
    await problem(418, f"{scope['client']} {scope['scheme']}")(scope, receive, send)


@pytest.fixture
async def behind_proxy() -> AsyncIterator[int]:
    """The port of a listener that trusts all proxies."""
    async with server.listening(tell, "127.0.0.1", 0, "X", trusted=lambda _: True) as listener:
        yield listener.port


async def exchange(port: int, *sent: bytes) -> bytes:
    """What the server answers until it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for each in sent:
            writer.write(each)
            await writer.drain()
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


async def test_a_request_is_answered_with_the_headers_of_every_answer(port: int) -> None:
    answer = await exchange(port, HEAD + b"connection: close\r\n\r\n")
    assert status(answer) == 418
    for header in (
        b"x-content-type-options: nosniff",
        b"referrer-policy: no-referrer",
        b"cache-control: no-store",
    ):
        assert header in answer
    assert b"server:" not in answer


SMUGGLED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        b"content-length: 5\r\ntransfer-encoding: chunked\r\n",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n",
        b"content-length: +5\r\n",
        b"content-length: 5, 5\r\n",
        b"transfer-encoding: chunked, identity\r\n",
        b"transfer-encoding : chunked\r\n",
        b"transfer-encoding:\x0bchunked\r\n",
    ],
)
async def test_a_body_whose_end_is_doubtful_is_refused_and_hides_no_request(port: int, lines: bytes) -> None:
    answer = await exchange(port, b"POST / HTTP/1.1\r\nhost: localhost\r\n" + lines + b"\r\n" + SMUGGLED)
    assert status(answer) == 400
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_a_head_without_an_end_is_refused_by_its_size(port: int) -> None:
    answer = await exchange(port, HEAD, *(b"a: " + b"b" * 8192 + b"\r\n" for _ in range(5)))
    assert status(answer) in (400, 431)


async def test_a_whole_head_that_is_too_large_is_refused(port: int) -> None:
    answer = await exchange(port, HEAD + b"a: " + b"b" * server.LARGEST_HEAD + b"\r\n\r\n")
    assert status(answer) in (400, 431)


async def test_a_head_that_takes_too_long_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "HEAD_WITHIN", 0.05)
    assert status(await exchange(port, HEAD)) == 408
    assert await exchange(port) == b""


async def test_a_body_that_takes_too_long_is_refused(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet.web.security.BODY_WITHIN", 0.05)
    answer = await exchange(port, HEAD + b"connection: close\r\ncontent-length: 10\r\n\r\nabc")
    assert status(answer) == 408


@pytest.mark.parametrize(
    "body",
    [
        b"content-length: %d\r\n\r\n" % (LARGEST_BODY + 1),
        b"transfer-encoding: chunked\r\n\r\n" + b"8000\r\n" + b"x" * 0x8000 + b"\r\n8001\r\n" + b"x" * 0x8001,
    ],
)
async def test_a_body_that_is_too_large_is_refused(port: int, body: bytes) -> None:
    assert status(await exchange(port, HEAD + b"connection: close\r\n" + body)) == 413


@pytest.mark.parametrize(
    "sent", [b"\x16\x03\x01\x02\x00\x01", b"hello\r\n\r\n", b"GET / HTTP/1.1\r\n\0: a\r\n\r\n"]
)
async def test_what_is_no_http_is_refused(port: int, sent: bytes) -> None:
    assert status(await exchange(port, sent)) == 400


@pytest.mark.parametrize("hosts", [b"", b"host: evil.example\r\n", b"host: localhost\r\nhost: localhost\r\n"])
async def test_another_host_is_refused(port: int, hosts: bytes) -> None:
    assert status(await exchange(port, b"GET / HTTP/1.1\r\nconnection: close\r\n" + hosts + b"\r\n")) == 421


async def test_a_fault_is_answered_without_its_text() -> None:
    async with server.listening(Guard(broken, WebSettings), "127.0.0.1", 0, "X") as listener:
        answer = await exchange(listener.port, HEAD + b"connection: close\r\n\r\n")
    assert status(answer) == 500
    assert b"password" not in answer


async def test_a_port_that_is_in_use_is_named_with_its_setting(port: int) -> None:
    with pytest.raises(PortError) as raised:
        async with server.listening(echo, "127.0.0.1", port, "QUINTET_HTTP_PORT"):
            pass
    assert (raised.value.port, raised.value.key) == (port, "QUINTET_HTTP_PORT")


async def test_a_slow_client_does_not_keep_others_waiting(port: int) -> None:
    _, waiting = await asyncio.open_connection("127.0.0.1", port)
    waiting.write(HEAD + b"content-length: 10\r\n\r\na")
    assert status(await exchange(port, HEAD + b"connection: close\r\n\r\n")) == 418
    waiting.close()


# Behind a proxy


@pytest.mark.parametrize("cut", [0, 1, 16, 20, 28])
async def test_the_client_is_the_one_of_whom_a_trusted_proxy_tells(behind_proxy: int, cut: int) -> None:
    sent = proxy_header("203.0.113.7", 4711) + CLOSING
    answer = await exchange(behind_proxy, sent[:cut], sent[cut:])
    assert b"('203.0.113.7', 4711) http" in answer


async def test_a_proxy_that_checks_the_server_itself_is_the_client(behind_proxy: int) -> None:
    answer = await exchange(behind_proxy, SIGNATURE + b"\x20\x00\x00\x00" + CLOSING)
    assert b"('127.0.0.1', " in answer


async def test_a_trusted_proxy_need_not_send_a_header(behind_proxy: int) -> None:
    assert b"('127.0.0.1', " in await exchange(behind_proxy, CLOSING)


@pytest.mark.parametrize(
    "sent",
    [b"\r\n" + CLOSING, SIGNATURE + b"\x21\x11\xff\xff" + bytes(70_000), SIGNATURE + b"\x21\x11\x00\x02ab"],
    ids=["none", "huge", "short"],
)
async def test_a_malformed_header_closes_the_connection_without_an_answer(
    behind_proxy: int, sent: bytes
) -> None:
    assert await exchange(behind_proxy, sent + CLOSING) == b""


async def test_a_header_that_does_not_come_is_waited_for_a_while(
    behind_proxy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "HEAD_WITHIN", 0.05)
    for sent in ((), (SIGNATURE[:5],), (proxy_header("203.0.113.7", 1)[:20],)):
        assert await exchange(behind_proxy, *sent) == b""


async def test_a_header_from_elsewhere_is_refused(port: int) -> None:
    assert status(await exchange(port, proxy_header("203.0.113.7", 4711) + CLOSING)) == 400


async def test_the_header_comes_before_tls(tmp_path: Path, certificates: Certificates) -> None:
    trusting = ssl.create_default_context(cadata=certificates.ca.pem.decode())
    shown = server_context(tmp_path, certificates.server)
    async with server.listening(tell, "127.0.0.1", 0, "X", shown, lambda _: True) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(proxy_header("2001:db8::7", 4711))
        await writer.start_tls(trusting, server_hostname="localhost")
        writer.write(CLOSING)
        async with asyncio.timeout(10):
            assert b"('2001:db8::7', 4711) https" in await reader.read()
        writer.close()


# The end


async def test_a_drained_listener_refuses_connections_and_closes_those_that_are_open_one_by_one() -> None:
    loop = asyncio.get_running_loop()
    closed: list[float] = []

    async def until_closed(reader: asyncio.StreamReader) -> None:
        async with asyncio.timeout(10):
            await reader.read()
        closed.append(loop.time())

    async with server.listening(tell, "127.0.0.1", 0, "X") as listener:
        streams = [await asyncio.open_connection("127.0.0.1", listener.port) for _ in range(4)]
        for reader, writer in streams:
            writer.write(HEAD + b"\r\n")
            await reader.readuntil(b"\r\n\r\n")
        watching = [asyncio.create_task(until_closed(reader)) for reader, _ in streams]
        began = loop.time()
        await listener.drain(lambda count: count / 10)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", listener.port)
        await asyncio.gather(*watching)
        assert 0.2 < max(closed) - began < 5
        for _, writer in streams:
            writer.close()


async def test_a_response_without_an_end_is_cut_off_some_seconds_after_its_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "DRAIN", 0.1)

    async def stream(_: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"first", "more_body": True})
        while (await receive())["type"] != "http.disconnect":
            pass

    async with server.listening(stream, "127.0.0.1", 0, "X") as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(HEAD + b"\r\n")
        await reader.readuntil(b"first")
        await listener.drain(lambda _: 0)
        async with asyncio.timeout(10):
            assert b"0\r\n\r\n" not in await reader.read()
        writer.close()


# How answers are written


class Written(asyncio.Transport):
    """Notes what is written at once, and that it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> None:
        self.pieces.append(bytes(data))

    def close(self) -> None:
        self.pieces.append(b"(closed)")


async def test_head_and_body_of_an_answer_are_written_together_and_nothing_waits_for_long() -> None:
    under = Written()
    transport = server._JoinedWrites(under, server._EndOfTurn())
    transport.write(b"head,")
    transport.write(b"body")
    assert under.pieces == [b"head,body"]
    transport.write(b"head of a stream")
    assert under.pieces[1:] == []
    await asyncio.sleep(0)
    assert under.pieces[1:] == [b"head of a stream"]
    transport.write(b"last")
    transport.close()
    await asyncio.sleep(0)
    assert under.pieces[2:] == [b"last", b"(closed)"]


async def test_a_whole_answer_before_the_end_is_written_before_the_end() -> None:
    under, end_of_turn = Written(), server._EndOfTurn()
    first, second = (server._JoinedWrites(under, end_of_turn) for _ in range(2))
    first.write(b"one,")
    second.write(b"two")
    first.close()
    assert under.pieces == [b"one,", b"(closed)"]
    await asyncio.sleep(0)
    assert under.pieces == [b"one,", b"(closed)", b"two"]


async def test_each_of_several_requests_that_come_together_is_answered_in_order(port: int) -> None:
    bodies = (b"a" * 3, b"b" * 20, b"")
    heads = (HEAD + b"content-length: %d\r\n\r\n" % len(each) + each for each in bodies)
    answer = await exchange(port, b"".join(heads) + CLOSING)
    found = [answer.index(b'"detail":"%d"' % len(each)) for each in bodies]
    assert found == sorted(found)
    assert answer.count(b"HTTP/1.1 418 ") == 4


# Answers without ASGI's messages


DIRECT = HEAD.replace(b" / ", b" /direct ")
_NO_MORE = FixedHeaders()


class Directly:
    """Answers below /direct itself; /direct/slow after `go_on`, /direct/split with two headers in one."""

    def __init__(self) -> None:
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()

    def __call__(self, scope: Scope) -> Coroutine[None, None, Answer] | None:
        return self._answer(scope) if scope["path"].startswith("/direct") else None

    async def _answer(self, scope: Scope) -> Answer:
        self.begun.set()
        if scope["path"] == "/direct/slow":
            await self.go_on.wait()
        if scope["path"] == "/direct/fault":
            raise RuntimeError
        extra = b"a\r\nset-cookie: b" if scope["path"] == "/direct/split" else b"a"
        text = f"{scope['method']} {scope['path']} {scope['query_string']} {scope['client'][0]}"
        return Content(text.encode(), _NO_MORE, (b"x-extra", extra))


@pytest.fixture
def directly() -> Directly:
    return Directly()


@pytest.fixture
async def both(directly: Directly) -> AsyncIterator[server.Listener]:
    async with server.listening(Guard(echo, WebSettings), "127.0.0.1", 0, "X", direct=directly) as listener:
        yield listener


async def test_a_request_without_a_body_is_answered_directly(both: server.Listener) -> None:
    asked = b"GET /direct/%41%2fb?c=%41 HTTP/1.1\r\nhost: localhost\r\n\r\n"
    answer = await exchange(both.port, asked, CLOSING)
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"connection" not in head
    assert rest.startswith(b"GET /direct/A/b b'c=%41' 127.0.0.1HTTP/1.1 418 ")


async def test_the_answer_to_head_has_no_body(both: server.Listener) -> None:
    answer = await exchange(both.port, DIRECT.replace(b"GET", b"HEAD") + b"\r\n", CLOSING)
    assert b"content-length: 26\r\n" in answer
    assert answer.partition(b"\r\n\r\n")[2].startswith(b"HTTP/1.1 418 ")


@pytest.mark.parametrize(
    "sent",
    [
        DIRECT + b"content-length: 1\r\n\r\na",
        DIRECT + b"transfer-encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        DIRECT + b"expect: 100-continue\r\n\r\n",
        DIRECT + b"connection: close\r\n\r\n",
        DIRECT.replace(b"1.1", b"1.0") + b"connection: keep-alive\r\n\r\n",
        DIRECT.replace(b"1.1", b"1.0") + b"proxy-connection: keep-alive\r\n\r\n",
        DIRECT.replace(b"/direct", b"/other") + b"\r\n",
    ],
    ids=["body", "chunked", "expect", "close", "1.0", "1.0 by a proxy", "path"],
)
async def test_all_others_are_answered_by_the_application(both: server.Listener, sent: bytes) -> None:
    answer = await exchange(both.port, sent, CLOSING)
    assert b" 200 " not in answer
    assert b"HTTP/1.1 418 " in answer


async def test_what_is_answered_directly_has_one_task_for_each_connection(both: server.Listener) -> None:
    known = asyncio.all_tasks()
    reader, writer = await asyncio.open_connection("127.0.0.1", both.port)
    for number in range(5):
        path = b"/direct/%d" % number
        assert path in await asked(reader, writer, DIRECT.replace(b"/direct", path) + b"\r\n")
        assert len(asyncio.all_tasks() - known) == 1
    ours = asyncio.all_tasks() - known
    writer.close()
    async with asyncio.timeout(10):
        await asyncio.gather(*ours)


async def asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, sent: bytes) -> bytes:
    """The body of the answer to a request on a connection that stays open."""
    writer.write(sent)
    return await answer_to(reader, b"GET")


async def answer_to(reader: asyncio.StreamReader, method: bytes) -> bytes:
    async with asyncio.timeout(10):
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        return await reader.readexactly(0 if method == b"HEAD" else int(length[1]))


async def closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    async with asyncio.timeout(10):
        await writer.wait_closed()


TRUSTING = WebSettings(trusted_proxies=(ip_network("127.0.0.1"),))
HEADERS = st.lists(
    st.sampled_from(
        [
            b"cookie: quintet=a",
            b"cookie: quintet=b",
            b"cookie: quintet-verify=a; quintet=c",
            b"x-forwarded-for: 192.0.2.1",
            b"x-forwarded-for: 192.0.2.2",
            b"x-forwarded-proto: https",
        ]
    ),
    max_size=3,
)
REQUESTS = st.tuples(HEADERS, st.sampled_from([b"", b"trailer"]), st.sampled_from([WebSettings(), TRUSTING]))


@settings(max_examples=30, deadline=None)
@given(st.lists(REQUESTS, min_size=2, max_size=6))
def test_a_request_is_judged_by_its_own_headers_whatever_came_before_on_the_connection(
    requests: list[tuple[list[bytes], bytes, WebSettings]],
) -> None:
    in_use = WebSettings()

    async def who(request: HTTPConnection) -> Answer:
        keys = session_key(request, in_use), verify_key(request, in_use)
        return Content(f"{client_of(request, in_use)} {keys}".encode(), _NO_MORE)

    def direct(scope: Scope) -> Coroutine[None, None, Answer]:
        return who(HTTPConnection(scope))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await direct(scope))(scope, receive, send)

    async def answers() -> None:
        nonlocal in_use
        async with server.listening(app, "127.0.0.1", 0, "X", direct=direct) as listener:
            kept = await asyncio.open_connection("127.0.0.1", listener.port)
            for headers, end, now in requests:
                in_use = now
                head = HEAD + b"".join(each + b"\r\n" for each in headers)
                sent = head + b"\r\n"
                if end:  # a cookie after the body counts for nothing, here and later
                    sent = head + b"transfer-encoding: chunked\r\n\r\n0\r\ncookie: quintet=d\r\n\r\n"
                new = await asyncio.open_connection("127.0.0.1", listener.port)
                assert await asked(*kept, sent) == await asked(*new, head + b"\r\n")
                await closed(new[1])
            await closed(kept[1])

    asyncio.run(answers())


KINDS = st.sampled_from(
    [
        (b"GET", b"/direct", b""),
        (b"GET", b"/direct/slow", b""),
        (b"HEAD", b"/direct", b""),
        (b"GET", b"/other", b""),
        (b"POST", b"/direct", b"content-length: 3\r\n\r\nabc"),
        (b"POST", b"/direct", b"transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nvia: a\r\n\r\n"),
    ]
)


@settings(max_examples=60, deadline=None)
@given(st.lists(KINDS, min_size=1, max_size=8), st.lists(st.integers(0, 700), max_size=6))
def test_requests_in_any_pieces_are_answered_all_and_in_their_order(
    kinds: list[tuple[bytes, bytes, bytes]], cuts: list[int]
) -> None:
    sent = b"".join(
        b"%s %s?%d HTTP/1.1\r\nhost: localhost\r\n%s" % (method, path, number, rest or b"\r\n")
        for number, (method, path, rest) in enumerate(kinds)
    )
    places = sorted({0, len(sent), *(min(cut, len(sent)) for cut in cuts)})
    pieces = [sent[start:end] for start, end in pairwise(places)]

    async def numbered(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive()).get("more_body"):
            pass
        await Content(_said(scope), _NO_MORE)(scope, receive, send)

    async def later(scope: Scope) -> Answer:
        if scope["path"] == "/direct/slow":
            await asyncio.sleep(0)
        return Content(_said(scope), _NO_MORE)

    def direct(scope: Scope) -> Coroutine[None, None, Answer] | None:
        return later(scope) if scope["path"].startswith("/direct") else None

    async def answers() -> list[bytes]:
        async with server.listening(numbered, "127.0.0.1", 0, "X", direct=direct) as listener:
            reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
            found = [await answer_to(reader, method) for method, _, _ in kinds]
            await closed(writer)
            return found

    expected = [
        b"" if method == b"HEAD" else b"%s %s %d" % (method, path, number)
        for number, (method, path, _) in enumerate(kinds)
    ]
    assert asyncio.run(answers()) == expected


def _said(scope: Scope) -> bytes:
    return f"{scope['method']} {scope['path']} {scope['query_string'].decode()}".encode()


async def test_the_answer_to_the_first_request_comes_first_however_long_it_takes(
    both: server.Listener, directly: Directly
) -> None:
    slow = DIRECT.replace(b"/direct", b"/direct/slow") + b"\r\n"
    asking = asyncio.create_task(exchange(both.port, slow + DIRECT + b"\r\n" + CLOSING))
    await directly.begun.wait()
    directly.go_on.set()
    answer = await asking
    assert answer.index(b"GET /direct/slow") < answer.index(b"HTTP/1.1 418 ")
    assert answer.count(b"HTTP/1.1 418 ") == 2


@pytest.mark.parametrize("path", [b"/direct/split", b"/direct/fault"])
async def test_what_is_no_answer_closes_the_connection(both: server.Listener, path: bytes) -> None:
    assert await exchange(both.port, DIRECT.replace(b"/direct", path) + b"\r\n") == b""


async def test_an_answer_in_flight_is_sent_before_a_drained_connection_ends(
    both: server.Listener, directly: Directly
) -> None:
    asking = asyncio.create_task(exchange(both.port, DIRECT.replace(b"/direct", b"/direct/slow") + b"\r\n"))
    await directly.begun.wait()
    await both.drain(lambda _: 0)
    directly.go_on.set()
    answer = await asking
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"127.0.0.1")


async def test_a_client_that_is_gone_is_no_fault(both: server.Listener, directly: Directly) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", both.port)
    writer.write(DIRECT.replace(b"/direct", b"/direct/slow") + b"\r\n")
    await directly.begun.wait()
    writer.transport.abort()
    directly.go_on.set()
    assert b"HTTP/1.1 200 " in await exchange(both.port, DIRECT + b"\r\n", CLOSING)


async def test_more_connections_than_the_most_are_refused(
    both: server.Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1)
    assert b" 200 " not in await exchange(both.port, DIRECT + b"\r\n", CLOSING)


async def test_a_connection_is_closed_after_a_while_without_requests_but_not_during_one(
    both: server.Listener, directly: Directly, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_AFTER", 0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", both.port)
    writer.write(DIRECT + b"\r\n")
    await reader.readuntil(b"127.0.0.1")
    directly.begun.clear()
    writer.write(DIRECT.replace(b"/direct", b"/direct/slow") + b"\r\n")
    await directly.begun.wait()
    idle = await exchange(both.port, DIRECT + b"\r\n")
    assert idle.count(b"HTTP/1.1 200 ") == 1
    directly.go_on.set()
    async with asyncio.timeout(10):
        assert (await reader.read()).count(b"HTTP/1.1 200 ") == 1
    writer.close()
