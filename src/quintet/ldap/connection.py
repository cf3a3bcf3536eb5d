"""A connection to an LDAP server: many operations at once over one socket.

`connect` makes one. Every operation can be cancelled and has a time limit; both leave the connection usable,
except a bind that nobody answers, and a SASL bind or StartTLS that is cut short: then it is closed. Errors
are those of `errors`.
"""

# ruff: noqa: ASYNC109 (a time limit here is also a request to the server: abandon)

import asyncio
import ssl
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self, final

from quintet.ldap import _fast_codec
from quintet.ldap.address import dial
from quintet.ldap.ber import BerError
from quintet.ldap.controls import paged, read_paged
from quintet.ldap.errors import (
    NO_TEXT,
    ConnectError,
    ConnectionLostError,
    LdapError,
    LocalProtocolError,
    OperationTimeoutError,
    RemoteProtocolError,
    TlsError,
)
from quintet.ldap.filter_tree import Filter, Present
from quintet.ldap.limits import Address, Limits
from quintet.ldap.messages import (
    BASE_OBJECT,
    COMPARE_FALSE,
    COMPARE_TRUE,
    SASL_BIND_IN_PROGRESS,
    START_TLS,
    SUCCESS,
    WHO_AM_I,
    BindRequest,
    BindResponse,
    CompareRequest,
    CompareResponse,
    Control,
    ExtendedRequest,
    ExtendedResponse,
    Request,
    Sasl,
    SearchResultEntry,
    Simple,
)
from quintet.ldap.operations import (
    NEVER,
    AnswerOperation,
    Intermediate,
    SearchOperation,
    StreamOperation,
)
from quintet.ldap.protocol import LdapProtocol
from quintet.ldap.results import Page, SearchResult
from quintet.ldap.sasl import scram, scram_bind
from quintet.ldap.session import Answer, State
from quintet.ldap.trace import Trace

__all__ = ["Address", "Connection", "Limits", "Page", "SearchResult", "connect"]


async def connect(
    address: Address,
    *,
    tls: ssl.SSLContext | None = None,
    start_tls: bool = False,
    server_hostname: str | None = None,
    via: tuple[str, int] | None = None,
    timeout: float = 6.0,
    limits: Limits | None = None,
    trace: Trace | None = None,
) -> "Connection":
    """A connection, ready to use, within `timeout` seconds.

    With `tls` it is LDAPS; with `start_tls` as well, it begins in clear and is encrypted before it is handed
    out. Certificates are checked against `server_hostname`, by default the host of `address`; `via` dials
    elsewhere and changes nothing about that. Raises ConnectError, TlsError when TCP was not the trouble.
    """
    if start_tls and tls is None:
        raise LocalProtocolError("StartTLS needs an SSL context")
    loop = asyncio.get_running_loop()
    server, hostname = str(address), server_hostname or address.host
    limits = limits or Limits()
    wire = LdapProtocol(loop, server, limits, trace)
    connection = Connection(wire, address)
    host, port = via or (address.host, address.port)
    stage: type[ConnectError] = ConnectError
    try:
        async with asyncio.timeout(timeout):
            await loop.create_connection(lambda: wire, sock=await dial(host, port))
            stage = TlsError
            if tls is not None and not start_tls:
                await wire.upgrade(tls, hostname, agreed=False)
            elif tls is not None:
                await connection.start_tls(tls, hostname)
    except TimeoutError as error:
        wire.end(ConnectError("the time was up"))
        what = "no connection" if stage is ConnectError else "no TLS"
        raise stage(f"{what} within {timeout:g} s", server=server) from error
    except (ConnectError, RemoteProtocolError) as error:
        wire.end(error)
        raise
    except LdapError as error:
        wire.end(error)
        raise TlsError(f"no StartTLS: {error.message}", server=server) from error
    except (OSError, UnicodeError) as error:
        wire.end(ConnectError("no connection"))
        words = getattr(error, "strerror", None) or str(error)
        raise ConnectError(f"no connection: {words}", server=server) from error
    except BaseException:
        wire.end(ConnectError("given up"))
        raise
    return connection


@final
class Connection:
    """Made by `connect`. As a context manager it closes itself."""

    def __init__(self, wire: LdapProtocol, address: Address) -> None:
        self._wire = wire
        self._loop = wire.loop
        self._limits = wire.limits
        self.address = address
        self.opened_at = wire.loop.time()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self.closed else "encrypted" if self.encrypted else "in clear"
        return f"<Connection to {self.address}, {state}>"

    # Binding.

    async def bind(
        self,
        dn: str,
        password: str | bytes,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> tuple[Control, ...]:
        """Simple bind; the controls of the answer, such as warnings of a password policy.

        A name without a password is LocalProtocolError: it would pass for anonymous (RFC 4513 5.1.2).
        """
        secret = _octets(password, "bind")
        if bool(dn) != bool(secret):
            raise LocalProtocolError(
                "a bind with a name needs a password, and a password a name", operation="bind", dn=dn
            )
        answer = await self._ask("bind", dn, BindRequest(dn, Simple(secret)), timeout, controls=controls)
        return answer.controls

    async def bind_anonymous(self, *, timeout: float | None = None) -> None:
        await self._ask("bind", "", BindRequest("", Simple(b"")), timeout)

    async def bind_external(self, authzid: str = "", *, timeout: float | None = None) -> None:
        """As whom TLS's client certificate says (RFC 4422 appendix A)."""
        external = BindRequest("", Sasl("EXTERNAL", _octets(authzid, "bind")))
        with self._closed_if_cut_short("a SASL bind", State.BINDING):
            await self._ask("bind", "", external, timeout)

    async def bind_scram(
        self,
        user: str,
        password: str | bytes,
        *,
        mechanism: str | None = None,
        authzid: str = "",
        timeout: float | None = None,
    ) -> None:
        """SASL SCRAM (RFC 5802): the password does not cross the wire, and the server proves its knowledge.

        Without `mechanism` the best that the server offers is taken, bound to TLS where both sides can.
        """
        if not user or not password:
            raise LocalProtocolError("SCRAM needs a user and a password", operation="bind")
        seconds = self._limits.timeout if timeout is None else timeout
        wire = self._wire

        async def step(credentials: Sasl) -> BindResponse:
            request = BindRequest("", credentials)
            answer = await self._ask("bind", user, request, seconds, good=(SUCCESS, SASL_BIND_IN_PROGRESS))
            assert isinstance(answer.op, BindResponse)
            return answer.op

        try:
            with self._closed_if_cut_short("a SASL bind", State.BINDING):
                async with asyncio.timeout(seconds):
                    await scram_bind.bind(
                        step,
                        user,
                        password,
                        offered=None if mechanism is not None else await self._sasl_mechanisms(seconds),
                        mechanism=mechanism,
                        authzid=authzid,
                        certificate=self.peer_certificate,
                    )
        except scram.ScramError as error:
            failed = RemoteProtocolError(str(error), server=wire.server, operation="bind", dn=user)
            wire.end(failed)
            raise failed from error
        except TimeoutError as error:
            late = OperationTimeoutError("the time was up", server=wire.server, operation="bind", dn=user)
            raise late from error
        except LdapError as error:
            if error.operation is None:
                error.server, error.operation, error.dn = wire.server, "bind", user
            raise

    async def _sasl_mechanisms(self, timeout: float) -> tuple[str, ...]:
        root = await self.search("", BASE_OBJECT, _ANYTHING, ("supportedSASLMechanisms",), timeout=timeout)
        values = [
            value
            for entry in root.entries
            for name, found in entry.attributes.items()
            if name.lower() == "supportedsaslmechanisms"
            for value in found
        ]
        return tuple(value.decode("ascii", "replace").upper() for value in values)

    # Searching.

    async def search(
        self,
        base: str,
        scope: int,
        filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
        attributes: Sequence[str] = (),
        *,
        size_limit: int = 0,
        time_limit: int = 0,
        deref: int = 0,
        types_only: bool = False,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        max_entries: int | None = None,
        intermediate: Intermediate | None = None,
    ) -> SearchResult:
        """All entries at once. `filter` may be BER already (`Filter.encode`, `Template.encode`).

        Search references are told, not followed. Any result but success is raised; what had come is in the
        error's `partial`. More than `max_entries` (else `Limits.entries`) is ClientLimitError.
        """
        wire, limits = self._wire, self._limits
        frame = _fast_codec.search_frame(
            base, scope, tuple(attributes), deref, size_limit, time_limit, types_only
        )
        now = wire.last_used = self._loop.time()
        future: asyncio.Future[SearchResult] = self._loop.create_future()
        pending = SearchOperation(
            future,
            wire.server,
            base,
            now + (limits.timeout if timeout is None else timeout),
            frame,
            filter if type(filter) is bytes else _encoded(filter),
            tuple(controls) if controls else (),
            limits.entries if max_entries is None else max_entries,
            limits.collected,
            intermediate,
        )
        wire.begin(pending)
        try:
            return await future
        except asyncio.CancelledError:
            wire.give_up(pending)
            raise

    async def stream(
        self,
        base: str,
        scope: int,
        filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
        attributes: Sequence[str] = (),
        *,
        size_limit: int = 0,
        time_limit: int = 0,
        deref: int = 0,
        types_only: bool = False,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        references: list[str] | None = None,
        intermediate: Intermediate | None = None,
    ) -> AsyncGenerator[SearchResultEntry, None]:
        """Entries one by one, in bounded memory: a slow reader slows the server down.

        `timeout` is for each wait for the server. Search references are added to `references`. Leave early
        with `contextlib.aclosing`, and the search is abandoned. Other operations on this connection get their
        answers behind those entries that `Limits.stream_most` has no room for: read on, or use another one.
        """
        wire = self._wire
        frame = _fast_codec.search_frame(
            base, scope, tuple(attributes), deref, size_limit, time_limit, types_only
        )
        seconds = self._limits.timeout if timeout is None else timeout
        tree = _encoded(filter)
        pending = StreamOperation(
            self._loop, wire.server, base, frame, tree, tuple(controls), references, intermediate
        )
        wire.begin(pending)
        try:
            while True:
                while (entry := pending.next()) is not None:
                    wire.pace()
                    yield entry
                if pending.over:
                    break
                pending.deadline = self._loop.time() + seconds
                wire.watch(pending.deadline)
                await pending.wait()
                pending.deadline = NEVER
        finally:
            wire.leave_stream(pending)
            wire.last_used = self._loop.time()
        if pending.outcome is not None:
            raise pending.outcome

    async def search_page(
        self,
        base: str,
        scope: int,
        filter: Filter | bytes,  # noqa: A002 (LDAP's own word)
        attributes: Sequence[str] = (),
        *,
        page_size: int,
        cookie: bytes = b"",
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> Page:
        """One page of a search (RFC 2696); the page's cookie asks for the next."""
        asked = (*controls, paged(page_size, cookie))
        found = await self.search(base, scope, filter, attributes, controls=asked, timeout=timeout)
        try:
            estimate, following = read_paged(found.controls) or (0, b"")
        except BerError as error:
            raise RemoteProtocolError(
                f"the control for pages is broken: {error}",
                server=self._wire.server,
                operation="search",
                dn=base,
            ) from error
        return Page(found.entries, following, found.references, estimate)

    # The others.

    async def compare(
        self,
        dn: str,
        attribute: str,
        value: str | bytes,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
    ) -> bool:
        """Whether the attribute has the value, as the server compares."""
        request = CompareRequest(dn, attribute, _octets(value, "compare"))
        good = (COMPARE_TRUE, COMPARE_FALSE)
        answer = await self._ask("compare", dn, request, timeout, controls=controls, good=good)
        assert isinstance(answer.op, CompareResponse)
        return answer.op.result.code == COMPARE_TRUE

    async def extended(
        self,
        oid: str,
        value: bytes | None = None,
        *,
        controls: Sequence[Control] = (),
        timeout: float | None = None,
        intermediate: Intermediate | None = None,
    ) -> ExtendedResponse:
        """Any extended operation but StartTLS. Intermediate responses go to `intermediate`."""
        if oid == START_TLS:
            raise LocalProtocolError("StartTLS has a method of its own", operation="extended")
        request = ExtendedRequest(oid, value)
        answer = await self._ask(
            "extended", None, request, timeout, controls=controls, intermediate=intermediate
        )
        assert isinstance(answer.op, ExtendedResponse)
        return answer.op

    async def who_am_i(self, *, timeout: float | None = None) -> str:
        """The authorization identity, `dn:...` or `u:...`; empty for anonymous (RFC 4532)."""
        answer = await self.extended(WHO_AM_I, timeout=timeout)
        return (answer.value or b"").decode("utf-8", "surrogateescape")

    async def start_tls(
        self, context: ssl.SSLContext, server_hostname: str | None = None, *, timeout: float | None = None
    ) -> None:
        """Encrypt from here on (RFC 4511 4.14). Nothing else may be under way.

        Raises ResultError when the server refuses (the connection stays as it was), TlsError when TLS does
        not come about (then it is closed).
        """
        if self.encrypted:
            raise LocalProtocolError("this connection is encrypted already", operation="StartTLS")
        wire = self._wire
        deadline = self._loop.time() + (self._limits.timeout if timeout is None else timeout)
        try:
            with self._closed_if_cut_short("StartTLS", State.STARTING_TLS, State.TLS_AGREED):
                await self._ask("StartTLS", None, ExtendedRequest(START_TLS), timeout)
                async with asyncio.timeout_at(deadline):
                    await wire.upgrade(context, server_hostname or self.address.host, agreed=True)
        except TimeoutError as error:
            raise TlsError("the handshake took too long", server=wire.server) from error

    async def close(self) -> None:
        """Unbind and close, in `Limits.close` seconds at most. What is under way ends with ConnectionLostError."""
        await self._wire.close()

    # What can be seen.

    @property
    def protocol(self) -> LdapProtocol:
        """What operations are sent through; for the pool."""
        return self._wire

    @property
    def closed(self) -> bool:
        return self._wire.over

    @property
    def close_reason(self) -> LdapError | None:
        """Why it is closed; None while it is open, or when we closed it."""
        return self._wire.reason

    @property
    def in_flight(self) -> int:
        """How many operations wait for their answer; those that wait for their turn are not among them."""
        return len(self._wire.pending)

    @property
    def operations(self) -> int:
        """How many were sent."""
        return self._wire.operations

    @property
    def references(self) -> int:
        """How many search references came."""
        return self._wire.references

    @property
    def last_used(self) -> float:
        """When an operation last began, in loop time."""
        return self._wire.last_used

    @property
    def ssl_object(self) -> ssl.SSLObject | None:
        return self._wire.ssl_object

    @property
    def encrypted(self) -> bool:
        return self.ssl_object is not None

    @property
    def tls_version(self) -> str | None:
        found = self.ssl_object
        return found.version() if found is not None else None

    @property
    def cipher(self) -> str | None:
        """The cipher suite, by OpenSSL's name."""
        found = self.ssl_object
        suite = found.cipher() if found is not None else None
        return suite[0] if suite is not None else None

    @property
    def peer_certificate(self) -> bytes | None:
        """The server's certificate in DER."""
        found = self.ssl_object
        return found.getpeercert(True) if found is not None else None

    # Inside.

    @contextmanager
    def _closed_if_cut_short(self, what: str, *states: State) -> Iterator[None]:
        """Close when what takes several steps ends before the last: nobody knows what comes next."""
        try:
            yield
        except LocalProtocolError:
            raise  # nothing was sent
        except BaseException:
            if self._wire.session.state in states:
                self._wire.end(ConnectionLostError(f"{what} was cut short"))
            raise

    async def _ask(
        self,
        verb: str,
        dn: str | None,
        request: Request,
        timeout: float | None,
        *,
        controls: Sequence[Control] = (),
        good: tuple[int, ...] = (SUCCESS,),
        intermediate: Intermediate | None = None,
    ) -> Answer:
        """Send a request that has one answer, which must be `good`.

        What must be alone on the connection does not take its turn behind others: it is refused at once.
        """
        wire = self._wire
        now = wire.last_used = self._loop.time()
        deadline = now + (self._limits.timeout if timeout is None else timeout)
        pending = AnswerOperation(
            self._loop, wire.server, verb, dn, deadline, request, tuple(controls), good, intermediate
        )
        wire.begin(pending, at_once=isinstance(request, BindRequest) or verb == "StartTLS")
        try:
            return await pending.future
        except asyncio.CancelledError:
            wire.give_up(pending)
            raise


_ANYTHING = Present("objectClass").encode()


def _encoded(tree: Filter | bytes) -> bytes:
    return tree if isinstance(tree, bytes) else tree.encode()


def _octets(text: str | bytes, operation: str) -> bytes:
    """The octets of what may be a secret: an error must not lead back to it."""
    if isinstance(text, bytes):
        return text
    with suppress(UnicodeError):
        return text.encode()
    raise LocalProtocolError(NO_TEXT, operation=operation)
