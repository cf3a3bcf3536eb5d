"""The connection against a server that a test plays by hand: order, limits, faults and how things end."""

import asyncio
import contextlib
import ssl

import pytest

from quintet.ldap import PagedResults, ber
from quintet.ldap.connection import Address, Limits, connect
from quintet.ldap.errors import (
    ClientLimitError,
    ConnectError,
    ConnectionLostError,
    InvalidCredentials,
    LocalProtocolError,
    OperationTimeoutError,
    Referral,
    RemoteProtocolError,
    SizeLimitExceeded,
    TlsError,
)
from quintet.ldap.messages import (
    NOTICE_OF_DISCONNECTION,
    START_TLS,
    AbandonRequest,
    BindRequest,
    BindResponse,
    CompareResponse,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    IntermediateResponse,
    Message,
    Result,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    SearchResultReference,
    UnbindRequest,
    encode,
)
from quintet.ldap.trace import Closed, Received, Sent, TraceEvent
from support.peer import ANY, DONE, Peer, entry, served, serving, silence


async def test_many_searches_are_under_way_at_once_and_answered_in_any_order() -> None:
    async def play(peer: Peer) -> None:
        asked = [await peer.expect(SearchRequest) for _ in range(5)]
        for message in reversed(asked):
            peer.put(message.id, entry(message.id), DONE)
        await peer.gone()

    async with served(play) as connection:
        found = await asyncio.gather(*(connection.search("", 2, ANY) for _ in range(5)))
        assert [each.entries for each in found] == [[entry(number)] for number in range(1, 6)]
        assert (connection.operations, connection.in_flight) == (5, 0)


async def test_requests_of_one_turn_leave_in_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served(silence) as connection:
        transport = connection._wire.transport
        writes: list[bytes] = []
        monkeypatch.setattr(transport, "write", writes.append)
        tasks = [asyncio.create_task(connection.search("", 2, ANY)) for _ in range(5)]
        await asyncio.sleep(0)  # the searches begin
        await asyncio.sleep(0)  # and their turn is over
        assert len(writes) == 1
        assert writes[0].count(encode(Message(1, SearchRequest("", 2, ANY)))[5:]) == 5
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_what_is_read_at_once_has_room_for_several_answers_while_much_is_under_way() -> None:
    sizes = (1, 2000, 1)

    async def play(peer: Peer) -> None:
        asked = [(await peer.expect(SearchRequest)).id for _ in range(120)]
        for nth, size in enumerate(sizes):
            for number in asked[30 * nth : 30 * (nth + 1)]:
                peer.put(number, entry(number, size), DONE)
            await peer.expect(AbandonRequest)
        await peer.gone()

    async with served(play, limits=Limits(pending_high=200)) as connection:
        searches = [asyncio.create_task(connection.search("", 2, ANY)) for _ in range(120)]
        room: list[int] = []
        for nth in range(len(sizes)):
            await asyncio.gather(*searches[30 * nth : 30 * (nth + 1)])
            room.append(len(connection._wire.get_buffer(-1)))
            searches[-1 - nth].cancel()
        await asyncio.gather(*searches[-len(sizes) :], return_exceptions=True)
        for each in searches:
            each.cancel()
        await asyncio.gather(*searches, return_exceptions=True)
    assert room[0] == 8 * 1024
    assert room[0] < room[1] <= 64 * 1024
    assert room[2] < room[1]


async def test_above_the_high_mark_operations_wait_until_the_low_mark() -> None:
    seen: list[int] = []

    async def play(peer: Peer) -> None:
        seen.extend([(await peer.expect(SearchRequest)).id for _ in range(6)])
        assert connection.in_flight == 6
        for number in (1, 2):
            peer.put(number, DONE)
        compare = asyncio.create_task(peer.get())
        done, _ = await asyncio.wait([compare], timeout=0.05)
        assert not done, "it began while four were under way"
        peer.put(3, DONE)
        seen.append((await compare).id)
        for number in (4, 5, 6, 7):
            peer.put(number, DONE)
        await peer.gone()

    async with served(play, limits=Limits(pending_high=6, pending_low=3)) as connection:
        await asyncio.gather(*(connection.search("", 2, ANY) for _ in range(7)))
        assert seen == [1, 2, 3, 4, 5, 6, 7]


async def test_an_operation_whose_turn_does_not_come_times_out_unsent() -> None:
    async def play(peer: Peer) -> None:
        await peer.expect(SearchRequest)
        await peer.expect(UnbindRequest)

    async with served(play, limits=Limits(pending_high=1, pending_low=0)) as connection:
        first = asyncio.create_task(connection.search("", 2, ANY))
        await asyncio.sleep(0)
        with pytest.raises(OperationTimeoutError, match="turn"):
            await connection.search("", 2, ANY, timeout=0.01)
        assert connection.operations == 1
        await connection.close()
        with pytest.raises(ConnectionLostError):
            await first


async def test_a_waiting_operation_that_is_cancelled_is_never_sent() -> None:
    async def play(peer: Peer) -> None:
        await peer.expect(SearchRequest)
        peer.put(1, DONE)
        assert (await peer.expect(SearchRequest)).op.base == "third"  # type: ignore[union-attr]
        peer.put(2, DONE)
        await peer.expect(UnbindRequest)

    async with served(play, limits=Limits(pending_high=1, pending_low=0)) as connection:
        tasks = [asyncio.create_task(connection.search(base, 2, ANY)) for base in ("", "second", "third")]
        await asyncio.sleep(0)
        tasks[1].cancel()
        done = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)


async def test_a_search_out_of_time_is_abandoned_and_the_connection_is_good() -> None:
    async def play(peer: Peer) -> None:
        late = await peer.expect(SearchRequest)
        assert (await peer.expect(AbandonRequest)).op == AbandonRequest(late.id)
        again = await peer.expect(SearchRequest)
        peer.put(late.id, entry(1), DONE)
        peer.put(again.id, entry(2), DONE)
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(OperationTimeoutError) as caught:
            await connection.search("o=x", 2, ANY, timeout=0.01)
        assert (caught.value.operation, caught.value.dn) == ("search", "o=x")
        assert caught.value.server == str(connection.address)
        assert (await connection.search("", 2, ANY)).entries == [entry(2)]


async def test_a_cancelled_search_is_abandoned_and_the_connection_is_good() -> None:
    async def play(peer: Peer) -> None:
        first = await peer.expect(SearchRequest)
        task.cancel()
        assert (await peer.expect(AbandonRequest)).op == AbandonRequest(first.id)
        peer.put((await peer.expect(SearchRequest)).id, DONE)
        await peer.gone()

    async with served(play) as connection:
        task = asyncio.create_task(connection.search("", 2, ANY))
        with pytest.raises(asyncio.CancelledError):
            await task
        await connection.search("", 2, ANY)


async def test_deadlines_are_kept_each_for_its_own() -> None:
    async with served(silence) as connection:
        long = asyncio.create_task(connection.search("", 2, ANY, timeout=0.06))
        await asyncio.sleep(0)
        with pytest.raises(OperationTimeoutError):
            await connection.search("", 2, ANY, timeout=0.01)
        assert not long.done()
        with pytest.raises(OperationTimeoutError):
            await long


async def test_a_bind_without_an_answer_ends_the_connection() -> None:
    async with served(silence) as connection:
        with pytest.raises(OperationTimeoutError):
            await connection.bind("cn=a", "x", timeout=0.01)
        assert connection.closed
        assert "in time" in str(connection.close_reason)


async def test_after_a_cancelled_bind_one_can_bind_again() -> None:
    async def play(peer: Peer) -> None:
        first = await peer.expect(BindRequest)
        task.cancel()
        peer.put(first.id, BindResponse(Result(49)))
        peer.put((await peer.expect(BindRequest)).id, BindResponse(Result()))
        await peer.gone()

    answered = asyncio.Event()

    def watch(event: TraceEvent) -> None:
        if isinstance(event, Received):
            answered.set()

    async with served(play, trace=watch) as connection:
        task = asyncio.create_task(connection.bind("cn=a", "x"))
        with pytest.raises(asyncio.CancelledError):
            await task
        await answered.wait()
        await connection.bind("cn=b", "y")


async def test_a_search_during_a_bind_is_misuse() -> None:
    async def play(peer: Peer) -> None:
        first = await peer.expect(BindRequest)
        with pytest.raises(LocalProtocolError):
            await connection.search("", 2, ANY)
        peer.put(first.id, BindResponse(Result()))
        await peer.gone()

    async with served(play) as connection:
        await connection.bind("cn=a", "x")


@pytest.mark.parametrize(("dn", "password"), [("cn=a", ""), ("cn=a", b""), ("", "x")])
async def test_a_name_without_a_password_never_reaches_the_wire(dn: str, password: str) -> None:
    async def play(peer: Peer) -> None:
        await peer.expect(UnbindRequest)

    async with served(play) as connection:
        with pytest.raises(LocalProtocolError):
            await connection.bind(dn, password)


async def test_a_refused_bind_tells_who_where_and_why_but_no_password() -> None:
    async def play(peer: Peer) -> None:
        result = Result(49, "", "80090308: LdapErr: DSID-0C09, comment: AcceptSecurityContext, data 533, v3")
        peer.put((await peer.expect(BindRequest)).id, BindResponse(result))
        await peer.gone()

    events: list[TraceEvent] = []
    async with served(play, trace=events.append) as connection:
        with pytest.raises(InvalidCredentials, match="disabled") as caught:
            await connection.bind("cn=a", "hunter2")
        assert caught.value.dn == "cn=a"
        assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.__dict__} {events}"


async def test_partial_entries_come_with_the_error() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, entry(1), SearchResultDone(Result(4)))
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(SizeLimitExceeded) as caught:
            await connection.search("o=x", 2, ANY)
        assert caught.value.partial is not None
        assert caught.value.partial.entries == [entry(1)]
        assert caught.value.server == str(connection.address)


async def test_references_are_told_and_counted_and_not_followed() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, SearchResultReference(("ldap://a/", "ldap://b/")), entry(1), DONE)
        await peer.gone()

    async with served(play) as connection:
        found = await connection.search("", 2, ANY)
        assert found.references == ["ldap://a/", "ldap://b/"]
        assert connection.references == 1


async def test_a_referral_is_an_error_with_its_addresses() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, SearchResultDone(Result(10, "", "", ("ldap://a/",))))
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(Referral) as caught:
            await connection.search("", 2, ANY)
        assert caught.value.referrals == ("ldap://a/",)


@pytest.mark.parametrize("limits", [Limits(entries=3), Limits(collected=150)], ids=["entries", "bytes"])
async def test_a_search_that_brings_too_much_is_abandoned(limits: Limits) -> None:
    async def play(peer: Peer) -> None:
        first = await peer.expect(SearchRequest)
        peer.put(first.id, *map(entry, range(20)))
        assert (await peer.expect(AbandonRequest)).op == AbandonRequest(first.id)
        peer.put((await peer.expect(SearchRequest)).id, entry(1), DONE)
        await peer.gone()

    async with served(play, limits=limits) as connection:
        with pytest.raises(ClientLimitError) as caught:
            await connection.search("o=x", 2, ANY)
        assert (caught.value.operation, caught.value.dn) == ("search", "o=x")
        assert (await connection.search("", 2, ANY)).entries == [entry(1)]


async def test_intermediate_responses_go_to_who_asked_for_them() -> None:
    middle = IntermediateResponse("1.2", b"x")

    async def play(peer: Peer) -> None:
        for _ in range(2):
            peer.put((await peer.get()).id, middle, ExtendedResponse(Result(), None, b"v"))
        await peer.gone()

    async with served(play) as connection:
        heard: list[IntermediateResponse] = []
        assert (await connection.extended("1.1", intermediate=heard.append)).value == b"v"
        assert (await connection.extended("1.1")).value == b"v"
        assert heard == [middle]


async def test_compare_says_yes_and_no() -> None:
    async def play(peer: Peer) -> None:
        for code in (6, 5):
            peer.put((await peer.get()).id, CompareResponse(Result(code)))
        await peer.gone()

    async with served(play) as connection:
        assert await connection.compare("cn=a", "cn", "a")
        assert not await connection.compare("cn=a", "cn", "b")


async def test_pages_are_asked_for_by_their_cookie() -> None:
    async def play(peer: Peer) -> None:
        for cookie, following in ((b"", b"next"), (b"next", b"")):
            message = await peer.get()
            assert PagedResults.find(message.controls) == PagedResults(2, cookie)
            answer = Message(message.id, DONE, (PagedResults(7, following, critical=False),))
            peer.put(message.id, entry(1))
            peer.writer.write(encode(answer))
        await peer.gone()

    async with served(play) as connection:
        page = await connection.search_page("", 2, ANY, page_size=2)
        assert (page.cookie, page.estimate, len(page.entries)) == (b"next", 7, 1)
        assert (await connection.search_page("", 2, ANY, page_size=2, cookie=page.cookie)).cookie == b""


# Streams


async def test_a_stream_hands_on_entries_one_by_one() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, entry(1), SearchResultReference(("ldap://a/",)), entry(2), DONE)
        await peer.gone()

    async with served(play) as connection:
        references: list[str] = []
        found = [each async for each in connection.stream("", 2, ANY, references=references)]
        assert (found, references) == ([entry(1), entry(2)], ["ldap://a/"])


async def test_a_slow_reader_of_a_stream_slows_the_server_down() -> None:
    async def play(peer: Peer) -> None:
        message = await peer.get()
        for number in range(2000):
            peer.put(message.id, entry(number, 10_000))
            await peer.writer.drain()
            sent.append(number)
        peer.put(message.id, DONE)
        await peer.gone()

    sent: list[int] = []
    limits = Limits(stream_buffer=50_000)
    async with served(play, limits=limits) as connection:
        count = 0
        async with contextlib.aclosing(connection.stream("", 2, ANY)) as stream:
            async for each in stream:
                assert each.dn == f"cn={count}"
                assert sum(each.buffered for each in connection._wire._streams) < 50_000 + 2 * 65536
                count += 1
        assert count == 2000


async def test_who_asks_between_two_entries_of_a_stream_is_answered() -> None:
    async def play(peer: Peer) -> None:
        stream = await peer.get()
        peer.put(stream.id, *(entry(number, 1000) for number in range(100)))
        other = await peer.get()
        peer.put(other.id, entry(7), DONE)
        peer.put(stream.id, DONE)
        await peer.gone()

    async with served(play, limits=Limits(stream_buffer=2000)) as connection:
        count = 0
        async for _ in connection.stream("", 2, ANY):
            if not count:
                assert (await connection.search("", 2, ANY, timeout=5)).entries == [entry(7)]
            count += 1
        assert count == 100


async def test_a_stream_that_is_over_and_half_read_stops_nobody() -> None:
    async def play(peer: Peer) -> None:
        stream = await peer.get()
        peer.put(stream.id, *(entry(number, 1000) for number in range(100)), DONE)
        for _ in range(100):
            peer.put((await peer.get()).id, entry(7), DONE)
        await peer.gone()

    async with served(play, limits=Limits(stream_buffer=2000)) as connection:
        async for _ in connection.stream("", 2, ANY):
            assert (await connection.search("", 2, ANY, timeout=5)).entries == [entry(7)]


async def test_leaving_a_stream_early_abandons_it() -> None:
    async def play(peer: Peer) -> None:
        message = await peer.expect(SearchRequest)
        peer.put(message.id, entry(1), entry(2))
        assert (await peer.expect(AbandonRequest)).op == AbandonRequest(message.id)
        await peer.gone()

    async with served(play) as connection:
        async with contextlib.aclosing(connection.stream("", 2, ANY)) as stream:
            async for _ in stream:
                break
        assert connection.in_flight == 0


async def test_a_stream_that_stalls_is_out_of_time() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, entry(1))
        await peer.expect(AbandonRequest)
        await peer.gone()

    async with served(play) as connection:
        async with contextlib.aclosing(connection.stream("", 2, ANY, timeout=0.02)) as stream:
            assert await anext(stream) == entry(1)
            with pytest.raises(OperationTimeoutError):
                await anext(stream)
        assert not connection.closed


# How it ends


async def test_close_unbinds_and_ends_what_is_under_way() -> None:
    async def play(peer: Peer) -> None:
        await peer.expect(SearchRequest)
        closing.set()
        await peer.expect(UnbindRequest)
        assert await peer.reader.read() == b""

    closing = asyncio.Event()
    async with served(play) as connection:
        task = asyncio.create_task(connection.search("o=x", 2, ANY))
        await closing.wait()
        await connection.close()
        with pytest.raises(ConnectionLostError, match="closed"):
            await task
        assert (connection.closed, connection.close_reason) == (True, None)
        with pytest.raises(ConnectionLostError):
            await connection.search("", 2, ANY)


@pytest.mark.parametrize(
    "garbage",
    [b"HTTP/1.1 400\r\n\r\n", b"\x30\x80", encode(Message(99, DONE)), b"\x30\x84\x7f\xff\xff\xff"],
    ids=["HTTP", "indefinite length", "wrong id", "two gigabytes"],
)
async def test_a_peer_that_breaks_the_protocol_is_left(garbage: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.get()
        peer.writer.write(garbage)
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(RemoteProtocolError) as caught:
            await connection.search("o=x", 2, ANY)
        assert (caught.value.operation, caught.value.dn) == ("search", "o=x")
        assert isinstance(connection.close_reason, RemoteProtocolError)


async def test_half_an_answer_and_the_end_is_a_lost_connection() -> None:
    async def play(peer: Peer) -> None:
        await peer.get()
        peer.writer.write(encode(Message(1, entry(1)))[:10])

    async with served(play) as connection:
        with pytest.raises(ConnectionLostError, match="closed the connection"):
            await connection.search("", 2, ANY)
        assert isinstance(connection.close_reason, ConnectionLostError)


async def test_a_notice_of_disconnection_is_the_reason() -> None:
    async def play(peer: Peer) -> None:
        await peer.get()
        peer.put(0, ExtendedResponse(Result(52, "", "maintenance"), NOTICE_OF_DISCONNECTION))
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(ConnectionLostError, match="maintenance"):
            await connection.search("", 2, ANY)
        assert "maintenance" in str(connection.close_reason)


async def test_the_words_of_a_notice_are_fit_for_a_log() -> None:
    words = "\x1b[2J\nA LINE OF ITS OWN" + "x" * 100_000

    async def play(peer: Peer) -> None:
        await peer.get()
        peer.put(0, ExtendedResponse(Result(52, "", words), NOTICE_OF_DISCONNECTION))
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(ConnectionLostError) as caught:
            await connection.search("", 2, ANY)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 600


async def test_a_server_that_never_closes_is_not_waited_for() -> None:
    async def play(peer: Peer) -> None:
        transport = peer.writer.transport
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        await stop.wait()

    stop = asyncio.Event()
    async with serving(play) as address:
        connection = await connect(address, limits=Limits(close=0.05))
        async with asyncio.timeout(5):
            await connection.close()
        stop.set()


async def test_nobody_there_is_connect_failed() -> None:
    async with serving(silence) as address:
        pass
    with pytest.raises(ConnectError) as caught:
        await connect(address)
    assert not isinstance(caught.value, TlsError)
    assert isinstance(caught.value.__cause__, OSError)
    assert str(address) in str(caught.value)


async def test_a_name_that_does_not_resolve_is_connect_failed() -> None:
    with pytest.raises(ConnectError):
        await connect(Address("no-such-host.invalid", 389))


async def test_a_host_name_that_is_none_is_connect_failed() -> None:
    with pytest.raises(ConnectError):
        await connect(Address("a" * 70 + ".example", 389))


async def test_no_handshake_in_time_is_tls_failed() -> None:
    async with serving(silence) as address:
        with pytest.raises(TlsError, match="timed out"):
            await connect(address, tls=ssl.create_default_context(), timeout=0.05)


async def test_something_else_than_tls_is_tls_failed_with_its_cause() -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.read(10)
        peer.writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await peer.gone()

    async with serving(play) as address:
        with pytest.raises(TlsError) as caught:
            await connect(address, tls=ssl.create_default_context())
        assert isinstance(caught.value.__cause__, ssl.SSLError)


async def test_an_end_in_the_handshake_is_tls_failed() -> None:
    async def play(peer: Peer) -> None:
        await peer.reader.read(10)

    async with serving(play) as address:
        with pytest.raises(TlsError):
            await connect(address, tls=ssl.create_default_context())


async def test_a_server_without_start_tls_is_tls_failed() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.expect(ExtendedRequest)).id, ExtendedResponse(Result(2, "", "unsupported")))
        await peer.gone()

    async with serving(play) as address:
        with pytest.raises(TlsError, match="unsupported"):
            await connect(address, tls=ssl.create_default_context(), start_tls=True)


async def test_a_response_injected_before_tls_is_refused() -> None:
    async def play(peer: Peer) -> None:
        message = await peer.expect(ExtendedRequest)
        peer.put(message.id, ExtendedResponse(Result(), START_TLS), BindResponse(Result()))
        await peer.gone()

    async with serving(play) as address:
        with pytest.raises(RemoteProtocolError):
            await connect(address, tls=ssl.create_default_context(), start_tls=True)


async def test_via_dials_elsewhere_and_keeps_the_name() -> None:
    async with serving(silence) as address:
        there = Address("ldap.example", 636)
        async with await connect(there, via=(address.host, address.port)) as connection:
            assert connection.address == there


async def test_a_trace_tells_what_happened_without_secrets() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, entry(1), DONE)
        await peer.gone()

    events: list[TraceEvent] = []
    async with served(play, trace=events.append) as connection:
        await connection.search("", 2, ANY)
    kinds = [type(each) for each in events]
    assert kinds == [Sent, Received, Received, Closed]
    assert [each.code for each in events if isinstance(each, Received)] == [None, 0]


async def test_text_that_utf8_cannot_carry_is_misuse_and_harms_nothing() -> None:
    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, DONE)
        await peer.gone()

    async with served(play) as connection:
        for ask in (
            lambda: connection.search("cn=\ud800", 2, ANY),
            lambda: connection.compare("cn=\ud800", "cn", "x"),
            lambda: connection.bind("cn=\ud800", "x"),
        ):
            with pytest.raises(LocalProtocolError, match="surrogate"):
                await ask()
        await connection.search("", 2, ANY)


async def test_a_secret_that_utf8_cannot_carry_stays_out_of_every_error() -> None:
    async with served(silence) as connection:
        for ask in (
            lambda: connection.bind("cn=a", "hunter2\ud800"),
            lambda: connection.bind_external("hunter2\ud800"),
            lambda: connection.compare("cn=a", "userPassword", "hunter2\ud800"),
        ):
            with pytest.raises(LocalProtocolError) as caught:
                await ask()
            error: BaseException | None = caught.value
            while error is not None:
                assert "hunter2" not in f"{error!r} {vars(error)} {error.args}"
                error = error.__cause__ or error.__context__


async def test_every_error_of_an_operation_tells_where_it_happened() -> None:
    async def play(peer: Peer) -> None:
        message = await peer.expect(BindRequest)
        await refused.wait()
        peer.put(message.id, BindResponse(Result()))
        await peer.gone()

    refused = asyncio.Event()
    async with served(play) as connection:
        bind = asyncio.create_task(connection.bind("cn=a", "x"))
        await asyncio.sleep(0)
        with pytest.raises(LocalProtocolError) as caught:
            await connection.search("o=x", 2, ANY)
        places = [caught.value]
        with pytest.raises(LocalProtocolError) as caught:
            await anext(connection.stream("o=x", 2, ANY))
        places.append(caught.value)
        refused.set()
        await bind
        await connection.close()
        with pytest.raises(ConnectionLostError) as lost:
            await connection.search("o=x", 2, ANY)
    for error in (*places, lost.value):
        assert (error.server, error.operation, error.dn) == (str(connection.address), "search", "o=x")


async def test_those_who_wait_for_their_turn_wait_through_a_bind() -> None:
    async def play(peer: Peer) -> None:
        message = await peer.expect(BindRequest)
        peer.put(message.id, BindResponse(Result()))
        peer.put((await peer.expect(SearchRequest)).id, DONE)
        await peer.gone()

    async with served(play) as connection:
        connection._wire.pause_writing()
        search = asyncio.create_task(connection.search("", 2, ANY))
        await asyncio.sleep(0)
        bind = asyncio.create_task(connection.bind("cn=a", "x"))
        await asyncio.sleep(0)
        connection._wire.resume_writing()
        await asyncio.gather(bind, search)


async def test_when_time_is_up_for_all_those_who_wait_are_not_sent() -> None:
    async def play(peer: Peer) -> None:
        kinds = [type((await peer.get()).op) for _ in range(5)]
        assert kinds == [SearchRequest, SearchRequest, AbandonRequest, AbandonRequest, UnbindRequest]

    async with served(play, limits=Limits(pending_high=2, pending_low=1)) as connection:
        tasks = [asyncio.create_task(connection.search("", 2, ANY, timeout=0.02)) for _ in range(6)]
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(each, OperationTimeoutError) for each in outcomes)
        assert sum("turn" in str(each) for each in outcomes) == 4


async def test_controls_go_with_every_operation_and_come_with_its_answer() -> None:
    sent, came = Control("1.2.3", True, b"x"), Control("1.2.4", False, b"y")

    async def play(peer: Peer) -> None:
        for op in (
            BindResponse(Result()),
            CompareResponse(Result(6)),
            ExtendedResponse(Result(), "1.2"),
            BindResponse(Result(49)),
        ):
            message = await peer.get()
            assert message.controls == (sent,)
            peer.writer.write(encode(Message(message.id, op, (came,))))
        await peer.gone()

    async with served(play) as connection:
        assert await connection.bind("cn=a", "x", controls=[sent]) == (came,)
        assert await connection.compare("cn=a", "cn", "a", controls=[sent])
        await connection.extended("1.2", controls=[sent])
        with pytest.raises(InvalidCredentials) as caught:
            await connection.bind("cn=a", "y", controls=[sent])
        assert caught.value.controls == (came,)


async def test_writes_that_pile_up_hold_new_operations_back() -> None:
    async def play(peer: Peer) -> None:
        for _ in range(2):
            peer.put((await peer.get()).id, DONE)
        await peer.gone()

    async with served(play) as connection:
        connection._wire.pause_writing()
        task = asyncio.create_task(connection.search("", 2, ANY))
        await asyncio.sleep(0)
        assert connection.operations == 0
        connection._wire.resume_writing()
        await task
        await connection.search("", 2, ANY)


def test_marks_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="below"):
        Limits(pending_high=5, pending_low=5)


def test_an_address_is_written_as_people_do() -> None:
    assert (str(Address("a", 1)), str(Address("::1", 1))) == ("a:1", "[::1]:1")


@pytest.mark.parametrize("value", [b"", b"\x30\x80", ber.sequence(b"\x02\x01\x05")])
async def test_a_broken_control_for_pages_is_the_peers_fault(value: bytes) -> None:
    async def play(peer: Peer) -> None:
        message = await peer.get()
        broken = Control(PagedResults.OID, False, value)
        peer.writer.write(encode(Message(message.id, DONE, (broken,))))
        await peer.gone()

    async with served(play) as connection:
        with pytest.raises(RemoteProtocolError) as caught:
            await connection.search_page("o=x", 2, ANY, page_size=1)
        assert (caught.value.server, caught.value.operation, caught.value.dn) == (
            str(connection.address),
            "search",
            "o=x",
        )


async def test_attributes_count_for_the_memory_that_they_take() -> None:
    many = SearchResultEntry("cn=a", {f"a{number}": [] for number in range(1000)})

    async def play(peer: Peer) -> None:
        peer.put((await peer.get()).id, many, DONE)
        await peer.gone()

    async with served(play, limits=Limits(collected=50_000)) as connection:
        with pytest.raises(ClientLimitError, match="bytes"):
            await connection.search("", 2, ANY)
