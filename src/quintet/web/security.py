"""Who asks, over what, and whether a request may be believed (OWASP ASVS 5.0 V3, V4).

`client_of` reads the connection and, from trusted proxies alone, their headers. `Guard` stands around the
whole application: it checks `Host`, bounds bodies, sets the security headers, and turns faults into a
plain answer.
"""

import asyncio
import contextlib
import functools
import hmac
import ipaddress
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import final
from urllib.parse import parse_qs

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quintet.config import Network, WebSettings
from quintet.directory import IpAddress
from quintet.web.content import HSTS, USUAL_HEADERS, Answer, Content, head_of
from quintet.web.problem import problem, sessions_unavailable
from quintet.web.sessions import SessionsUnavailableError, hashed, verify_id

LARGEST_BODY = 64 * 1024
"""Bytes. No form and no document that Quintet reads is near that."""
BODY_WITHIN = 10.0
"""Seconds in which a body must arrive."""

ANY_HOST = ("/servlet/", "/photos/")
"""Below these paths clients use whatever host name they were given (config 5.2)."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
"""The Content-Security-Policy of pages: no inline code, nothing from elsewhere."""

_TRACES_OF_PROXIES = frozenset(
    (b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip")
)
_CLIENT = "client"
"""Where a head keeps who asks, beside the settings by which that was found out; by names of cookies it keeps
the hashes of their sessions' IDs."""
_log = structlog.get_logger()

Observe = Callable[[str, str, int, float], None]
"""Gets path, method, status and seconds of a request."""
DirectHandler = Callable[[HTTPConnection], Awaitable[Answer]]
"""Answers a request without reading its body."""


@dataclass(frozen=True, slots=True)
class HttpPeer:
    """The other side. `secure`: HTTPS, to us or to a trusted proxy. `local`: this machine, no proxy."""

    address: IpAddress | None
    secure: bool
    local: bool


def client_of(request: HTTPConnection, settings: WebSettings) -> HttpPeer:
    """Who asks. `X-Forwarded-…` counts only when a trusted proxy connects."""
    known = head_of(request.scope).known
    found: tuple[WebSettings, HttpPeer] | None = known.get(_CLIENT)
    if found is None or found[0] is not settings:
        found = known[_CLIENT] = (settings, _client_of(request, settings))
    return found[1]


def _client_of(request: HTTPConnection, settings: WebSettings) -> HttpPeer:
    address = request.scope["client"]
    text = address[0] if address else ""
    secure = request.scope["scheme"] == "https"
    if not is_trusted_proxy(text, settings):
        relayed = not _TRACES_OF_PROXIES.isdisjoint(head_of(request.scope).headers)
        return _peer(text, secure=secure, relayed=relayed)
    peer = _parsed(text)
    # Each proxy adds the address that it saw at the end; what is before the first untrusted one is hearsay.
    for text in reversed(",".join(request.headers.getlist("x-forwarded-for")).split(",")):
        found = _parsed(text.strip())
        if found is None:
            break
        peer = found
        if not _within(peer, settings.trusted_proxies):
            break
    protocols = ",".join(request.headers.getlist("x-forwarded-proto")).split(",")
    return HttpPeer(peer, secure or protocols[-1].strip().casefold() == "https", local=False)


@functools.lru_cache(4096)
def _peer(address: str, *, secure: bool, relayed: bool) -> HttpPeer:
    """The other side of a connection that comes from no trusted proxy."""
    found = _parsed(address)
    return HttpPeer(found, secure, local=found is not None and found.is_loopback and not relayed)


def is_from_trusted_proxy(request: HTTPConnection, settings: WebSettings) -> bool:
    """Whether one of `QUINTET_TRUSTED_PROXIES` connects, so that what it adds to requests is believed."""
    return request.client is not None and is_trusted_proxy(request.client.host, settings)


def is_trusted_proxy(address: str, settings: WebSettings) -> bool:
    """Whether the address is one of `QUINTET_TRUSTED_PROXIES`."""
    if not settings.trusted_proxies:
        return False
    peer = _parsed(address)
    return peer is not None and _within(peer, settings.trusted_proxies)


def may_sign_in_here(client: HttpPeer, settings: WebSettings) -> bool:
    """Whether a password may be sent over this connection."""
    return client.secure or client.local or settings.allow_unencrypted_sign_in


def origin_of(request: HTTPConnection, settings: WebSettings) -> str:
    """The origin under which browsers reach us (RFC 6454)."""
    if settings.public_url:
        return settings.public_url
    scheme = "https" if client_of(request, settings).secure else "http"
    return f"{scheme}://{request.headers.get('host', '').casefold()}"


def is_same_origin(request: HTTPConnection, settings: WebSettings) -> bool:
    """Whether a request that changes something comes from our own pages, or from a program that says so.

    Browsers set `Sec-Fetch-Site`; older ones, and programs, set `Origin`. Without both it is refused.
    """
    site, origins = request.headers.get("sec-fetch-site"), request.headers.getlist("origin")
    if site is not None:
        return site == "same-origin"
    return len(origins) == 1 and origins[0].casefold() == origin_of(request, settings)


# Forms.


async def form_fields(request: Request) -> dict[str, str]:
    """The fields of an HTML form, the first of repeated ones; the guard bounds the body."""
    body = (await request.body()).decode("latin-1")
    try:
        fields = parse_qs(body, keep_blank_values=True, errors="strict", max_num_fields=10)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def is_same_secret(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not say where they differ."""
    return hmac.compare_digest(one.encode(errors="replace"), other.encode(errors="replace"))


# The session's cookie.


def cookie_name(*, secure: bool) -> str:
    """`__Host-` binds the cookie to this very host (RFC 6265bis 4.1.3.2); without TLS browsers refuse it."""
    return "__Host-quintet" if secure else "quintet"


def session_key(request: HTTPConnection, settings: WebSettings) -> str | None:
    """What the session of the cookie is found by. Two cookies of its name are none: another site set one."""
    return _key_of_cookie(request, cookie_name(secure=client_of(request, settings).secure))


def verify_key(request: HTTPConnection, settings: WebSettings) -> str | None:
    """What the session of the cookie for `/auth/verify` is found by."""
    return _key_of_cookie(request, verify_cookie_name(secure=client_of(request, settings).secure))


def _key_of_cookie(request: HTTPConnection, name: str) -> str | None:
    known = head_of(request.scope).known
    if name not in known:
        ident = cookie_of(request, name)
        known[name] = None if ident is None else hashed(ident)
    key: str | None = known[name]
    return key


def cookie_of(request: HTTPConnection, name: str) -> str | None:
    """The value of the one cookie of this name."""
    wanted, found = name.encode(), None
    for each in head_of(request.scope).headers.get(b"cookie", b"").split(b";"):
        known, equals, value = each.strip().partition(b"=")
        if known == wanted and equals:
            if found is not None:
                return None
            found = value
    return None if found is None else found.decode("latin-1")


def form_cookie_name(*, secure: bool) -> str:
    """The cookie that the form for signing in belongs to."""
    return "__Host-quintet-form" if secure else "quintet-form"


def form_cookie(value: str, *, secure: bool) -> str:
    """The `Set-Cookie` of a form; it ends with the browser."""
    flag = "; Secure" if secure else ""
    return f"{form_cookie_name(secure=secure)}={value}; Path=/; HttpOnly; SameSite=Lax{flag}"


def verify_cookie_name(*, secure: bool) -> str:
    """The cookie for `/auth/verify`. It may have a `Domain`, so it can't be bound to the host."""
    return "__Secure-quintet-verify" if secure else "quintet-verify"


def set_session_cookies(headers: MutableHeaders, ident: str, settings: WebSettings, *, secure: bool) -> None:
    """Keep a session in the browser; with an empty ID, remove it.

    The second cookie goes to other applications, which can do nothing with it but ask `/auth/verify`. With
    the cookies go the pages that the browser keeps; other cookies of the domain are not ours to clear.
    """
    if not ident:
        headers["clear-site-data"] = '"cache", "storage"'
    end = ("; Secure" if secure else "") + ("" if ident else "; Max-Age=0")
    usual = f"; Path=/; HttpOnly; SameSite=Lax{end}"
    domain = f"; Domain={settings.cookie_domain}" if settings.cookie_domain else ""
    headers.append("set-cookie", f"{cookie_name(secure=secure)}={ident}{usual}")
    if settings.applications:
        second = verify_id(ident) if ident else ""
        headers.append("set-cookie", f"{verify_cookie_name(secure=secure)}={second}{domain}{usual}")


# Around everything.


class _BodyTooLargeError(Exception):
    """The body has more than LARGEST_BODY bytes."""


@final
class Guard:
    """The application with what holds for every request.

    `direct` finds the handler of a request that needs no ASGI messages, if there is one; `app` gets all
    others.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Callable[[], WebSettings],
        observe: Observe | None = None,
        direct: Callable[[Scope], DirectHandler | None] = lambda _: None,
    ) -> None:
        self._app = app
        self._direct = direct
        self._settings = settings
        self._observe = observe
        self._own_names = frozenset({"localhost", socket.gethostname().casefold()})

    def answer(self, scope: Scope) -> Coroutine[None, None, Answer] | None:
        """The whole answer to a request whose body is not wanted; None for what `__call__` alone answers."""
        handler = self._direct(scope)
        return None if handler is None else self._answer(scope, handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        answer = self.answer(scope)
        if answer is not None:
            await (await answer)(scope, receive, send)
            return
        settings = self._settings()
        begun = False
        started = time.perf_counter()
        secure = client_of(HTTPConnection(scope), settings).secure
        headers = head_of(scope).headers
        has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"

        async def dressed(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                headers = message["headers"] = list(message.get("headers", ()))
                _dress(headers, secure=secure)
                self._count(scope, message["status"], started)
            await send(message)

        refusal = self._refusal(scope, settings)
        if refusal is not None:
            await refusal(scope, receive, dressed)
            return
        try:
            await self._app(scope, _Body(receive, has_body=has_body), dressed)
        except (_BodyTooLargeError, TimeoutError) as error:
            status = 413 if isinstance(error, _BodyTooLargeError) else 408
            if not begun:
                await problem(status)(scope, receive, dressed)
        except Exception as error:  # the outermost place: whatever it is, it is logged and answered
            failed = _failed(scope, error)
            if begun:
                raise
            await failed(scope, receive, dressed)

    async def _answer(self, scope: Scope, handler: DirectHandler) -> Answer:
        settings = self._settings()
        started = time.perf_counter()
        request = HTTPConnection(scope)
        secure = client_of(request, settings).secure
        answer: Answer | None = self._refusal(scope, settings)
        if answer is None:
            try:
                answer = await handler(request)
            except SessionsUnavailableError:
                answer = sessions_unavailable()
            except Exception as error:  # noqa: BLE001  # logged and answered, as above
                answer = _failed(scope, error)
        if isinstance(answer, Content):
            answer.secure = secure
        else:
            _dress(answer.raw_headers, secure=secure)
        self._count(scope, answer.status_code, started)
        return answer

    def _count(self, scope: Scope, status: int, started: float) -> None:
        if self._observe:
            self._observe(scope["path"], scope["method"], status, time.perf_counter() - started)

    def _refusal(self, scope: Scope, settings: WebSettings) -> JSONResponse | None:
        headers = head_of(scope).headers
        if not scope["path"].startswith(ANY_HOST):
            host = headers.get(b"host", b",")
            if b"," in host or not self._is_ours(host.decode("latin-1"), settings):
                return problem(421, "this server is not known under that host name")
        length = headers.get(b"content-length")
        return None if length is None or _is_size_of_body(length) else problem(413)

    def _is_ours(self, host: str, settings: WebSettings) -> bool:
        """The host of `QUINTET_PUBLIC_URL`; without it the names of this machine, and addresses.

        A page of another site can reach us under a name of its own (DNS rebinding), but not under an address.
        """
        host = host.casefold()
        if settings.public_url and host == settings.public_url.partition("://")[2]:
            return True
        name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
        address = _parsed(name.removeprefix("[").removesuffix("]"))
        if settings.public_url:
            return name == "localhost" or (address is not None and address.is_loopback)
        return name in self._own_names or address is not None


def _is_size_of_body(length: bytes) -> bool:
    return length.isdigit() and len(length) <= 10 and int(length) <= LARGEST_BODY


def _dress(headers: list[tuple[bytes, bytes]], *, secure: bool) -> None:
    """Add what every answer has."""
    present = dict(headers)
    headers += [each for each in USUAL_HEADERS if each[0] not in present]
    if secure:
        headers.append(HSTS)


def _failed(scope: Scope, error: Exception) -> JSONResponse:
    _log.exception("a request failed", path=scope["path"].split("/")[1][:40], kind=type(error).__name__)
    return problem(500)


@final
class _Body:
    """`receive` of a request, with bounds on size and time."""

    def __init__(self, receive: Receive, *, has_body: bool) -> None:
        self._receive = receive
        self._size = 0
        self._until = asyncio.get_running_loop().time() + BODY_WITHIN if has_body else None

    async def __call__(self) -> Message:
        async with asyncio.timeout_at(self._until) if self._until else contextlib.nullcontext():
            message = await self._receive()
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            if self._size > LARGEST_BODY:
                raise _BodyTooLargeError
            if not message.get("more_body", False):
                self._until = None
        return message


@functools.lru_cache(4096)
def _parsed(text: str) -> IpAddress | None:
    try:
        found = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return mapped or found


def _within(address: IpAddress, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
