"""Sign-in for other applications: their proxy asks here who makes a request, and whether it may pass.

`/auth/verify/nginx/{application}` answers what nginx's `auth_request` understands: 200, 401 and 403.
`/auth/verify/forward/{application}` is for proxies that hand the answer on to the browser (Traefik, Caddy),
so it leads to the page for signing in as well. Every answer has all four `Remote-…` headers: a proxy that
copies them then replaces whatever the client sent under these names.

The application is named by the proxy's own configuration, and never by the request that is judged.
"""

import base64
import binascii
import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import suppress
from urllib.parse import quote

import structlog
from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, Response

from quintet.config import ApplicationSettings, GroupName, application_name
from quintet.directory import (
    AuthenticationError,
    DirectoryError,
    Group,
    TooManyAttemptsError,
    VerifiedPerson,
    network_of,
    parsed,
)
from quintet.web.accounts import LONGEST_NAME, check_password, rechecked
from quintet.web.content import Answer, Content, FixedHeaders
from quintet.web.return_address import return_origin
from quintet.web.security import client_of, is_from_trusted_proxy, may_sign_in_here, verify_key
from quintet.web.site import Site

NGINX = "/auth/verify/nginx/"
FORWARD = "/auth/verify/forward/"
"""Below them is the application's name."""

LARGEST = 3 * 1024
"""Bytes of the four headers. Proxies and applications give all headers of a request 4 or 8 KiB."""

_NAMES = ("remote-user", "remote-name", "remote-email", "remote-groups")
_ACCEPTED = FixedHeaders()
_NOBODY = tuple((name.encode(), b"") for name in _NAMES)
_ASCII = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_LONGEST_BASIC = 8192
_HTML = re.compile(r"(?:^|,)\s*text/html\s*(?:;(?!\s*q=0(?:\.0*)?\s*(?:,|$))[^,]*)?(?:,|$)", re.IGNORECASE)
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>No access</title>
</head>
<body>
<main>
<h1>No access</h1>
<p>{message}</p>
{link}
</main>
</body>
</html>
"""
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_log = structlog.get_logger()


class AccessRefusedError(Exception):
    """The person may not use the application. `reason` is for the log, `message` for the person."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.message = message


_NOT_A_MEMBER = "You are signed in, but you are not in a group that may use this application."
_FAULT = (
    "This application is not available to you at the moment. Your administrator finds the reason in the log."
)


async def verify_nginx(request: HTTPConnection, site: Site) -> Answer:
    """200, 401 with the address of the page for signing in, or 403."""
    answer = await _judged(request, site)
    if answer is not None:
        return answer
    return _unknown(request, site, 401, _single(request, "x-original-url"))


async def verify_forward(request: HTTPConnection, site: Site) -> Answer:
    """200, 401, 403, or a redirect to the page for signing in, for browsers."""
    answer = await _judged(request, site)
    if answer is not None:
        return answer
    parts = [_single(request, f"x-forwarded-{part}") for part in ("proto", "host", "uri")]
    address = "{}://{}{}".format(*parts) if all(parts) else None
    reads_pages = _single(request, "x-forwarded-method") == "GET" and _accepts_html(request)
    leads_there = reads_pages and bool(site.web.public_url) and "authorization" not in request.headers
    return _unknown(request, site, 302 if leads_there else 401, address)


async def denied(_: HTTPConnection, site: Site) -> Response:
    """The page for those who may not use an application, for proxies that do not hand on a 403's body."""
    return _refusal(site, _NOT_A_MEMBER)


def _application(request: HTTPConnection, site: Site) -> ApplicationSettings | None:
    return site.web.application(application_name(request.scope["path"].split("/", 4)[4]))


async def _judged(request: HTTPConnection, site: Site) -> Answer | None:
    """The answer for a user who is known; None for others."""
    application = _application(request, site)
    if application is None:
        _log.warning("access refused", reason="there is no such section [Application-NAME]")
        return _refusal(site, _FAULT)
    try:
        person = await _person(request, site, application)
        return None if person is None else _accepted(application, person)
    except AccessRefusedError as error:
        _log.warning("access refused", application=application.name, reason=error.reason)
        return _refusal(site, error.message)


async def _person(
    request: HTTPConnection, site: Site, application: ApplicationSettings
) -> VerifiedPerson | None:
    key = verify_key(request, site.web)
    session = None if key is None else await site.sessions.find_verified(key)
    if session is not None:
        session = await rechecked(site, session)
    if session is not None:
        return session.verified
    header = _single(request, "authorization")
    return await _basic(request, site, header) if application.basic and header else None


async def _basic(request: HTTPConnection, site: Site, header: str) -> VerifiedPerson | None:
    pair = _pair(header)
    if pair is None:
        return None
    client = client_of(request, site.web)
    if not may_sign_in_here(client, site.web):
        raise AccessRefusedError("a password came over an unencrypted connection", _FAULT)
    try:
        return await site.pairs.check(
            *pair,
            lambda: check_password(site, request, *pair),
            network=network_of(client.address),
            settings=site.web,
        )
    except AuthenticationError:
        return None
    except TooManyAttemptsError:
        raise AccessRefusedError(
            "too many attempts to sign in", "Too many attempts. Wait a few minutes."
        ) from None
    except DirectoryError:
        raise AccessRefusedError("the directory can't be reached", _FAULT) from None


def _pair(header: str) -> tuple[str, str] | None:
    """Name and password (RFC 7617), None for what is none."""
    scheme, _, value = header.partition(" ")
    if scheme.casefold() != "basic" or len(value) > _LONGEST_BASIC:
        return None
    with suppress(binascii.Error, ValueError):
        name, colon, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
        if colon and name.strip() and password and len(name.encode()) <= LONGEST_NAME:
            return name, password
    return None


def _accepted(application: ApplicationSettings, verified: VerifiedPerson) -> Content | None:
    """200 with the headers, for a user who may use the application; None for who must sign in again."""
    headers = remote_headers(application, verified)
    return None if headers is None else Content(b"", _ACCEPTED, *headers)


def remote_headers(
    application: ApplicationSettings, verified: VerifiedPerson
) -> list[tuple[bytes, bytes]] | None:
    """What the application learns of the person; None for who must sign in again.

    Raises AccessRefusedError.
    """
    if verified.groups is None:
        raise AccessRefusedError(
            "groups and attributes did not come over an encrypted connection, so nothing is granted by them"
            " (QUINTET_ALLOW_UNENCRYPTED_GROUPS)",
            _FAULT,
        )
    if application.required and not any(_in(each, application.required) for each in verified.groups):
        raise AccessRefusedError("the person is in none of the required groups", _NOT_A_MEMBER)
    values = verified.attributes.get(application.user_attribute)
    if values is None:  # the settings were changed after this sign-in
        return None
    headers = _headers(application, verified, _user(application, values))
    if sum(len(name) + len(value) for name, value in headers) > LARGEST:
        raise AccessRefusedError(f"the Remote headers have more than {LARGEST} bytes", _FAULT)
    return headers


def _user(application: ApplicationSettings, values: Sequence[str]) -> str:
    """The value of `Remote-User`: one, and one that arrives as it is. Else two people could become one."""
    attribute = application.user_attribute
    if len(values) != 1:
        raise AccessRefusedError(
            f"the entry has {len(values)} values of {attribute}, and must have one", _FAULT
        )
    if not values[0] or values[0] != _clean(values[0]) or "\ufffd" in values[0]:
        raise AccessRefusedError(f"{attribute} has characters or blanks that no header can have", _FAULT)
    return values[0]


def _headers(
    application: ApplicationSettings, verified: VerifiedPerson, user: str
) -> list[tuple[bytes, bytes]]:
    sent = (_clean(each.name) for each in verified.groups or () if _in(each, application.sent))
    person = verified.person
    values = (user, _clean(person.name), _clean(person.mail or ""))
    safe = _ASCII if application.percent else None
    return [
        *((name.encode(), _encoded(value, safe)) for name, value in zip(_NAMES, values, strict=False)),
        (_NAMES[3].encode(), b",".join(_encoded_group(each, safe) for each in dict.fromkeys(sent))),
    ]


def _encoded(text: str, safe: str | None) -> bytes:
    return text.encode() if safe is None else quote(text, safe=safe).encode()


def _encoded_group(name: str, safe: str | None) -> bytes:
    """A comma separates two names, so one inside a name is encoded, and the sign that encodes."""
    if safe is not None:
        return quote(name, safe=safe.replace(",", "")).encode()
    return name.replace("%", "%25").replace(",", "%2C").encode()


def _clean(text: str) -> str:
    """Without what no header can have: control characters, ends of lines, blanks around it."""
    return "".join(each for each in text if unicodedata.category(each) not in _UNSEEN).strip()


def _in(group: Group, names: Iterable[GroupName]) -> bool:
    dn = parsed(group.dn)
    return any(each.is_group(group.name, dn) for each in names)


# Answers to those who may not pass.


def _unknown(request: HTTPConnection, site: Site, status: int, address: str | None) -> Response:
    """For a user who is not signed in: the page for that, which leads back to `address` if it may."""
    application = _application(request, site)
    answer = Response(status_code=status)
    if site.web.public_url:
        believed = address if address and is_from_trusted_proxy(request, site.web) else ""
        origin = return_origin(believed, site.web.return_origins) if believed else None
        query = f"?return={quote(believed, safe='')}" if origin else ""
        answer.headers["location"] = f"{site.web.public_url}/sign-in{query}"
    if status == 401 and application is not None and application.basic:
        answer.headers["www-authenticate"] = 'Basic realm="Quintet", charset="UTF-8"'
    answer.raw_headers += _NOBODY
    return answer


def _refusal(site: Site, message: str) -> Response:
    link = ""
    if site.web.public_url:
        url = html.escape(site.web.public_url)
        link = f'<p><a href="{url}/sign-in">Sign in as another person</a></p>'
    page = _PAGE.format(message=html.escape(message), link=link)
    answer = HTMLResponse(page, 403, {"content-security-policy": _POLICY})
    answer.raw_headers += _NOBODY
    return answer


def _single(request: HTTPConnection, name: str) -> str | None:
    """The value of a header that is there once."""
    values = request.headers.getlist(name)
    return values[0] if len(values) == 1 else None


def _accepts_html(request: HTTPConnection) -> bool:
    return _HTML.search(",".join(request.headers.getlist("accept"))) is not None
