"""The UserInfo servlet: business cards for clients and scripts (config 5.2 and 5.3, rows C76 to C78).

Old clients take the answer apart by lines, others by an XML reader; every answer suits both. A failure says
nothing of its reason, and its status is 200, since clients read the body.
"""

import base64
import functools
import re
from collections.abc import Iterable, Mapping

import structlog
from starlette.requests import Request
from starlette.responses import Response

from quintet.cards import ANONYMOUS, AUTHENTICATED, Card, Field
from quintet.directory import DirectoryError
from quintet.web.accounts import current_session
from quintet.web.content import Content, query_fields
from quintet.web.site import Site

PATH = "/servlet/UserInfoServlet"

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
FAILURE = HEAD + '<userinfo  error="UNKNOWN" />\n'

_MOST_PARAMETERS = 100
_LONGEST_USER = 1024
"""Bytes of `userId`, as of every name that users send."""

_HEADERS = ((b"content-type", b"text/xml; charset=UTF-8"), (b"vary", b"Cookie"))
_LINE_END = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is none of the characters of XML 1.0 (2.2)."""
_IN_ATTRIBUTES = {ord(each): f"&#{ord(each)};" for each in "\t\n\r\x85\u2028\u2029"} | {ord('"'): "&quot;"}
_log = structlog.get_logger()


async def servlet(request: Request, site: Site) -> Response:
    """Operations 1 (given details of a user), 2 (details in a set) and 3 (the values of a set for a user)."""
    signed_in = await current_session(site, request) is not None
    try:
        answer = await _answer(site, _parameters(request.scope["query_string"]), signed_in=signed_in)
    except (DirectoryError, ValueError) as error:
        _log.debug("no user info", kind=type(error).__name__)
        answer = FAILURE
    return Content(answer.encode(), *_HEADERS)


async def _answer(site: Site, given: Mapping[str, str], *, signed_in: bool) -> str:
    usual = AUTHENTICATED if signed_in else ANONYMOUS
    set_id = _number(given.get("setid", "")) if given.get("setid", "").strip() else usual
    if not signed_in:
        set_id = ANONYMOUS
    match given.get("operation", "").strip():
        case "1":
            only = _wanted(given)
            card = await site.cards.card(_user(given), only=only, authenticated=signed_in)
            return card_document(card)
        case "2":
            details = site.details_of_set(set_id)
            return (
                _document(None, ((each.id, Field("", each.type)) for each in details)) if details else FAILURE
            )
        case "3":
            card = await site.cards.card(_user(given), set_id=set_id, authenticated=signed_in)
            return card_document(card)
        case _:
            return FAILURE


def card_document(card: Card) -> str:
    """A card as the servlet writes it."""
    return _document(card.id, card.fields.items())


def _document(ident: str | None, fields: Iterable[tuple[str, Field]]) -> str:
    lines = ["<userinfo>"]
    if ident is not None:
        lines.append(f'<user id="{_attribute(ident)}"/>')
    lines += (f"{_start_tag(name, field.type)}{_value(field)}</field>" for name, field in fields)
    return HEAD + "\n".join(lines) + "\n</userinfo>\n"


@functools.lru_cache(256)
def _start_tag(name: str, kind: str) -> str:
    """Names and types are those of the settings."""
    return f'<field name="{_attribute(name)}" type="{_attribute(kind)}">'


def _value(field: Field) -> str:
    if isinstance(field.value, bytes):
        return base64.b64encode(field.value).decode()
    return _escaped(field.value if field.value.isprintable() else _LINE_END.sub(" ", field.value))


def _attribute(text: str) -> str:
    """Escaped so that a reader gets the very text: XML would make blanks of tabs and line breaks."""
    escaped = _escaped(text)
    return escaped if text.isprintable() and '"' not in text else escaped.translate(_IN_ATTRIBUTES)


def _escaped(text: str) -> str:
    """Printable text has neither line ends nor characters that XML lacks."""
    escaped = text
    if "&" in text or "<" in text or ">" in text:
        escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return escaped if escaped.isprintable() else _NOT_XML.sub("\ufffd", escaped)


def _parameters(query: bytes) -> dict[str, str]:
    """The parameters by their names in small letters (row C76); the first of repeated ones.

    Raises ValueError.
    """
    given: dict[str, str] = {}
    for name, value in query_fields(query, most=_MOST_PARAMETERS, errors="strict"):
        given.setdefault(name.casefold(), value)
    return given


def _user(given: Mapping[str, str]) -> str:
    user = given.get("userid", "")
    if not user.strip() or len(user.encode(errors="replace")) > _LONGEST_USER:
        raise ValueError("no user, or a name that is too long")
    return user


def _wanted(given: Mapping[str, str]) -> list[str]:
    """The Detail Ids of FIELD1, FIELD2 and on, without gaps."""
    wanted: list[str] = []
    while (name := f"field{len(wanted) + 1}") in given:
        wanted.append(given[name])
    return wanted


def _number(text: str) -> int:
    if not text.strip().isdecimal() or len(text) > 9:
        raise ValueError("not a set number")
    return int(text)
