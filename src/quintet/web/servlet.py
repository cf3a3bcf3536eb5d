"""The UserInfo servlet: business cards for clients and scripts (config 5.2 and 5.3, rows C76 to C78).

Old clients take the answer apart by lines, others by an XML reader; every answer suits both. A failure says
nothing of its reason, and its status is 200, since clients read the body.
"""

import functools
import re
from collections.abc import Iterable, Mapping

import structlog
from pybase64 import b64encode_as_string
from starlette.requests import HTTPConnection

from quintet.cards import ANONYMOUS, AUTHENTICATED, Card, Field
from quintet.directory import DirectoryError
from quintet.web.accounts import current_session
from quintet.web.content import Content, FixedHeaders, query_fields
from quintet.web.site import Site

PATH = "/servlet/UserInfoServlet"

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
FAILURE = HEAD + '<userinfo  error="UNKNOWN" />\n'

_BEGIN = f"{HEAD}<userinfo>\n"
_END = "</userinfo>\n"
_MOST_PARAMETERS = 100
_LONGEST_USER = 1024
"""Bytes of `userId`, as of every name that users send."""

_XML = FixedHeaders((b"content-type", b"text/xml; charset=UTF-8"), (b"vary", b"Cookie"))
_LINE_END = re.compile("\r\n|[\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What is none of the characters of XML 1.0 (2.2). Printable text has none, and no line ends."""
_IN_ATTRIBUTES = {ord(each): f"&#{ord(each)};" for each in "\t\n\r\x85\u2028\u2029"} | {ord('"'): "&quot;"}
_log = structlog.get_logger()


async def servlet(request: HTTPConnection, site: Site) -> Content:
    """Operations 1 (given details of a user), 2 (details in a set) and 3 (the values of a set for a user)."""
    signed_in = await current_session(site, request) is not None
    answer = FAILURE
    try:
        given = _parameters(request.scope["query_string"])
        set_id = _set(given.get("setid", ""), signed_in=signed_in)
        match given.get("operation", "").strip():
            case "1":
                only = _wanted(given)
                card = await site.cards.card(_user(given), only=only, authenticated=signed_in)
                answer = card_document(card)
            case "2" if details := site.details_of_set(set_id):
                answer = _document(None, ((each.id, Field("", each.type)) for each in details))
            case "3":
                card = await site.cards.card(_user(given), set_id=set_id, authenticated=signed_in)
                answer = card_document(card)
    except (DirectoryError, ValueError) as error:
        _log.debug("no user info", kind=type(error).__name__)
    return Content(answer.encode(), _XML)


def card_document(card: Card) -> str:
    """A card as the servlet writes it."""
    return _document(card.id, card.fields.items())


def _document(ident: str | None, fields: Iterable[tuple[str, Field]]) -> str:
    lines = [_BEGIN if ident is None else f'{_BEGIN}<user id="{_attribute(ident)}"/>\n']
    for name, (value, kind) in fields:
        if isinstance(value, bytes):
            text = b64encode_as_string(value)
        elif value.isprintable():
            text = _escaped(value)
        else:
            text = _escaped(_NOT_XML.sub("\ufffd", _LINE_END.sub(" ", value)))
        lines.append(f"{_start_tag(name, kind)}{text}</field>\n")
    lines.append(_END)
    return "".join(lines)


@functools.lru_cache(256)
def _start_tag(name: str, kind: str) -> str:
    """Names and types are those of the settings."""
    return f'<field name="{_attribute(name)}" type="{_attribute(kind)}">'


def _attribute(text: str) -> str:
    """Escaped so that a reader gets the very text: XML would make blanks of tabs and line breaks."""
    if text.isprintable() and '"' not in text:
        return _escaped(text)
    return _NOT_XML.sub("\ufffd", _escaped(text)).translate(_IN_ATTRIBUTES)


def _escaped(text: str) -> str:
    if "&" in text or "<" in text or ">" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def _parameters(query: bytes) -> dict[str, str]:
    """The parameters by their names in small letters (row C76); the first of repeated ones.

    Raises ValueError.
    """
    fields = query_fields(query, most=_MOST_PARAMETERS, errors="strict")
    return {name.casefold(): value for name, value in reversed(fields)}


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


def _set(text: str, *, signed_in: bool) -> int:
    """The set that a caller gets: without sign-in none but set 0. Raises ValueError for what is no number."""
    text = text.strip()
    if text and (not text.isdecimal() or len(text) > 9):
        raise ValueError("not a set number")
    if not signed_in:
        return ANONYMOUS
    return int(text) if text else AUTHENTICATED
