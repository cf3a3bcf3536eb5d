"""A connection to an LDAP server: many operations at once over one socket.

`connect` makes one. Every operation can be cancelled and has a time limit; both leave the connection usable,
except a bind that nobody answers, after which it is closed. Errors are those of `errors`.
"""

# ruff: noqa: ASYNC109 (a time limit here is also a request to the server: abandon)

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from types import TracebackType
from typing import Self, final

from quintet.ldap import channel_binding, fast, scram
from quintet.ldap.ber import BerError
from quintet.ldap.controls import paged, read_paged
from quintet.ldap.errors import (
    AuthMethodNotSupported,
    ConnectFailed,
    LdapError,
    Misuse,
    PeerViolation,
    ResultError,
    TlsFailed,
)
from quintet.ldap.filter_tree import Filter, Present
from quintet.ldap.limits import Address, Limits
from quintet.ldap.messages import (
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
from quintet.ldap.pending import (
    NEVER,
    FinalResponse,
    Intermediate,
    PendingAnswer,
    PendingSearch,
    PendingStream,
)
from quintet.ldap.results import Page, SearchResult
from quintet.ldap.trace import Trace
from quintet.ldap.wire import NO_TEXT, Wire

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
    elsewhere and changes nothing about that. Raises ConnectFailed, TlsFailed when TCP was not the trouble.
    """
    if start_tls and tls is None:
        raise Misuse("StartTLS needs an SSL context")
    loop = asyncio.get_running_loop()
    server, hostname = str(address), server_hostname or address.host
    limits = limits or Limits()
    wire = Wire(loop, server, limits, trace)
    connection = Connection(wire, address)
    host, port = via or (address.host, address.port)
    stage: type[ConnectFailed] = ConnectFailed
    try:
        async with asyncio.timeout(timeout):
            await loop.create_connection(lambda: wire, host, port)
            stage = TlsFailed
            if tls is not None and not start_tls:
                await wire.upgrade(tls, hostname, agreed=False)
            elif tls is not None:
                await connection.start_tls(tls, hostname)
    except TimeoutError as error:
        wire.end(ConnectFailed("the time was up"))
        what = "no connection" if stage is ConnectFailed else "no TLS"
        raise stage(f"{what} within {timeout:g} s", server=server) from error
    except (ConnectFailed, PeerViolation) as error:
        wire.end(error)
        raise
    except LdapError as error:
        wire.end(error)
        raise TlsFailed(f"no StartTLS: {error.what}", server=server) from error
    except (OSError, UnicodeError) as error:
        wire.end(ConnectFailed("no connection"))
        words = getattr(error, "strerror", None) or str(error)
        raise ConnectFailed(f"no connection: {words}", server=server) from error
    except BaseException:
        wire.end(ConnectFailed("given up"))
        raise
    return connection


@final
class Connection:
    """Made by `connect`. As a context manager it closes itself."""

    def __init__(self, wire: Wire, address: Address) -> None:
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

    async def bind(self, dn: str, password: str | bytes, *, timeout: float | None = None) -> None:
        """Simple bind. A name without a password is Misuse: it would pass for anonymous (RFC 4513 5.1.2)."""
        secret = password.encode() if isinstance(password, str) else password
        if bool(dn) != bool(secret):
            raise Misuse(
                "a bind with a name needs a password, and a password a name", operation="bind", dn=dn
            )
        await self._bind(dn, Simple(secret), timeout)

    async def bind_anonymous(self, *, timeout: float | None = None) -> None:
        await self._bind("", Simple(b""), timeout)

    async def bind_external(self, authzid: str = "", *, timeout: float | None = None) -> None:
        """As whom TLS's client certificate says (RFC 4422 appendix A)."""
        await self._bind("", Sasl("EXTERNAL", authzid.encode()), timeout)

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
            raise Misuse("SCRAM needs a user and a password", operation="bind")
        offered = () if mechanism is not None else await self._sasl_mechanisms(timeout)
        certificate = self.peer_certificate
        binding = channel_binding.of_certificate(certificate) if certificate is not None else None
        chosen = mechanism or scram.choose(offered, bound=binding is not None)
        if chosen is None:
            raise AuthMethodNotSupported(
                "the server offers no SCRAM", server=self._wire.server, operation="bind", dn=user
            )
        plus_offered = f"{chosen}-PLUS" in offered if mechanism is None else None

        async def attempt(binding: channel_binding.Binding | None) -> None:
            client = scram.Client(
                chosen, user, password, authzid=authzid, binding=binding, plus_offered=plus_offered
            )
            await self._scram(client, user, timeout)

        try:
            try:
                await attempt(binding)
            except ResultError as error:
                if binding is None or _OPENLDAPS_BINDING not in error.diagnostic:
                    raise
                await attempt(channel_binding.as_openldap(binding))
        except scram.ScramUnfit as error:
            raise Misuse(str(error), operation="bind", dn=user) from error
        except scram.ScramFailed as error:
            failed = PeerViolation(str(error), server=self._wire.server, operation="bind", dn=user)
            self._wire.end(failed)
            raise failed from error

    async def _scram(self, client: scram.Client, user: str, timeout: float | None) -> None:
        answer = await self._sasl_step(client, client.first(), user, timeout)
        if answer.result.code != SASL_BIND_IN_PROGRESS:
            raise scram.ScramFailed("the server was content without a proof")
        challenge = client.challenge(answer.server_credentials or b"")
        if challenge.iterations > _QUICK_ITERATIONS:
            salted = await asyncio.to_thread(client.salted, challenge)
        else:
            salted = client.salted(challenge)
        answer = await self._sasl_step(client, client.final(salted), user, timeout)
        client.verify(answer.server_credentials or b"")
        if answer.result.code == SASL_BIND_IN_PROGRESS:  # its proof came before its verdict
            answer = await self._sasl_step(client, b"", user, timeout)
            if answer.result.code == SASL_BIND_IN_PROGRESS:
                raise scram.ScramFailed("the server does not come to an end")

    async def _sasl_step(
        self, client: scram.Client, credentials: bytes, user: str, timeout: float | None
    ) -> BindResponse:
        return await self._bind(user, Sasl(client.mechanism, credentials), timeout, name="", steps=True)

    async def _sasl_mechanisms(self, timeout: float | None) -> tuple[str, ...]:
        root = await self.search("", 0, _ANYTHING, ("supportedSASLMechanisms",), timeout=timeout)
        values = [
            value
            for entry in root.entries
            for name, found in entry.attributes.items()
            if name.lower() == "supportedsaslmechanisms"
            for value in found
        ]
        return tuple(value.decode("ascii", "replace").upper() for value in values)

    async def _bind(
        self,
        dn: str,
        authentication: Simple | Sasl,
        timeout: float | None,
        *,
        name: str | None = None,
        steps: bool = False,
    ) -> BindResponse:
        request = BindRequest(dn if name is None else name, authentication)
        answer = await self._ask("bind", dn, request, timeout, at_once=True)
        assert isinstance(answer, BindResponse)
        if answer.result.code != SUCCESS and not (steps and answer.result.code == SASL_BIND_IN_PROGRESS):
            raise self._result_error("bind", dn, answer)
        return answer

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
        error's `partial`. More than `max_entries` (else `Limits.entries`) is LimitReached.
        """
        wire, limits = self._wire, self._limits
        try:
            frame = fast.search_frame(
                base, scope, tuple(attributes), deref, size_limit, time_limit, types_only
            )
        except UnicodeError as error:
            raise Misuse(NO_TEXT, operation="search") from error
        now = wire.last_used = self._loop.time()
        deadline = now + (limits.timeout if timeout is None else timeout)
        tree = filter if type(filter) is bytes else _encoded(filter)
        pending = PendingSearch(
            self._loop,
            base,
            deadline,
            limits.entries if max_entries is None else max_entries,
            limits.collected,
            intermediate,
        )
        wire.begin_search(pending, frame, tree, tuple(controls) if controls else ())
        try:
            return await pending.future
        except asyncio.CancelledError:
            wire.give_up(pending)
            raise
        except ResultError as error:
            error.server = wire.server
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
    ) -> AsyncGenerator[SearchResultEntry, None]:
        """Entries one by one, in bounded memory: a slow reader slows the server down.

        `timeout` is for each wait for the server. Search references are added to `references`. Leave early
        with `contextlib.aclosing`, and the search is abandoned.
        """
        wire = self._wire
        frame = fast.search_frame(base, scope, tuple(attributes), deref, size_limit, time_limit, types_only)
        tree = _encoded(filter)
        seconds = self._limits.timeout if timeout is None else timeout
        pending = PendingStream(self._loop, base, references)
        wire.begin_search(pending, frame, tree, tuple(controls))
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
            if pending.outcome.server is None:
                pending.outcome.server = wire.server
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
            raise PeerViolation(
                f"the control for pages is broken: {error}",
                server=self._wire.server,
                operation="search",
                dn=base,
            ) from error
        return Page(found.entries, following, found.references, estimate)

    # The others.

    async def compare(
        self, dn: str, attribute: str, value: str | bytes, *, timeout: float | None = None
    ) -> bool:
        """Whether the attribute has the value, as the server compares."""
        asserted = value.encode() if isinstance(value, str) else value
        answer = await self._ask("compare", dn, CompareRequest(dn, attribute, asserted), timeout)
        assert isinstance(answer, CompareResponse)
        if answer.result.code not in (COMPARE_TRUE, COMPARE_FALSE):
            raise self._result_error("compare", dn, answer)
        return answer.result.code == COMPARE_TRUE

    async def extended(
        self,
        oid: str,
        value: bytes | None = None,
        *,
        timeout: float | None = None,
        intermediate: Intermediate | None = None,
    ) -> ExtendedResponse:
        """Any extended operation but StartTLS. Intermediate responses go to `intermediate`."""
        if oid == START_TLS:
            raise Misuse("StartTLS has a method of its own", operation="extended")
        answer = await self._ask(
            "extended", None, ExtendedRequest(oid, value), timeout, intermediate=intermediate
        )
        assert isinstance(answer, ExtendedResponse)
        if answer.result.code != SUCCESS:
            raise self._result_error("extended", None, answer)
        return answer

    async def who_am_i(self, *, timeout: float | None = None) -> str:
        """The authorization identity, `dn:...` or `u:...`; empty for anonymous (RFC 4532)."""
        answer = await self.extended(WHO_AM_I, timeout=timeout)
        return (answer.value or b"").decode("utf-8", "surrogateescape")

    async def start_tls(
        self, context: ssl.SSLContext, server_hostname: str | None = None, *, timeout: float | None = None
    ) -> None:
        """Encrypt from here on (RFC 4511 4.14). Nothing else may be under way.

        Raises ResultError when the server refuses (the connection stays as it was), TlsFailed when TLS does
        not come about (then it is closed).
        """
        if self.encrypted:
            raise Misuse("this connection is encrypted already", operation="StartTLS")
        deadline = self._deadline(timeout)
        answer = await self._ask("StartTLS", None, ExtendedRequest(START_TLS), timeout, at_once=True)
        if answer.result.code != SUCCESS:
            raise self._result_error("StartTLS", None, answer)
        try:
            async with asyncio.timeout_at(deadline):
                await self._wire.upgrade(context, server_hostname or self.address.host, agreed=True)
        except TimeoutError as error:
            raise TlsFailed("the handshake took too long", server=self._wire.server) from error

    async def close(self) -> None:
        """Unbind and close, in `Limits.close` seconds at most. What is under way ends with ConnectionLost."""
        await self._wire.close()

    # What can be seen.

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
        transport = self._wire.transport
        return transport.get_extra_info("ssl_object") if transport is not None else None

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

    def _deadline(self, timeout: float | None) -> float:
        now = self._wire.last_used = self._loop.time()
        return now + (self._limits.timeout if timeout is None else timeout)

    async def _ask(
        self,
        verb: str,
        dn: str | None,
        request: Request,
        timeout: float | None,
        *,
        at_once: bool = False,
        intermediate: Intermediate | None = None,
    ) -> FinalResponse:
        """Send a request that has one answer. Unless `at_once`, it takes its turn behind others."""
        wire = self._wire
        deadline = self._deadline(timeout)
        pending = PendingAnswer(self._loop, verb, dn, deadline, intermediate)
        try:
            wire.begin(pending, request, at_once=at_once)
        except LdapError as error:
            error.server, error.operation, error.dn = wire.server, verb, dn
            raise
        except UnicodeError as error:
            raise Misuse(NO_TEXT, operation=verb) from error
        try:
            return await pending.future
        except asyncio.CancelledError:
            wire.give_up(pending)
            raise

    def _result_error(self, verb: str, dn: str | None, answer: FinalResponse) -> ResultError:
        result = answer.result
        return ResultError.of(
            result.code,
            result.diagnostic,
            matched_dn=result.matched_dn,
            referrals=result.referrals,
            server=self._wire.server,
            operation=verb,
            dn=dn,
        )


_ANYTHING = Present("objectClass").encode()

_OPENLDAPS_BINDING = "Expected: ldap"

_QUICK_ITERATIONS = 20_000
"""About ten milliseconds. More are hashed in a thread, so that the loop goes on."""


def _encoded(tree: Filter | bytes) -> bytes:
    return tree if isinstance(tree, bytes) else tree.encode()
