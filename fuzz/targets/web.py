"""What comes in URLs, and what values of the directory become in answers."""

import base64
from collections.abc import Iterator
from typing import Final
from xml.etree import ElementTree as ET

from fuzz.target import Target, halves, text_of
from quintet.cards.card import Card
from quintet.cards.fields import Field
from quintet.directory import browse
from quintet.directory.errors import InvalidPageTokenError
from quintet.web import servlet
from quintet.web.accounts import handle_of, ident_of
from quintet.web.links import mail_link, photo_path, telephone_link

# Parameters of the servlet


def _read_parameters(query: bytes) -> dict[str, str]:
    given = servlet._parameters(query)
    servlet._user(given)
    servlet._wanted(given)
    servlet._set(given.get("setid", "0"), signed_in=True)
    return given


def _check_parameters(given: dict[str, str]) -> None:
    assert all(name == name.casefold() for name in given)


_QUERIES: Final = (
    b"operation=3&userid=cn%3Da%2Co%3Dx&setid=0&Field1=Name&FIELD2=Photo",
    b"operation=1&userid=&setid=%31",
    b"userId=%C3%A9+b;x&userid=2&",
)

# Cards as XML


def _read_card(data: bytes) -> Card:
    first, second = halves(data)
    return Card(
        text_of(first), "cn=a", {text_of(first): Field(text_of(second), "text/plain"), "x": Field(data, "x")}
    )


def _check_card(card: Card) -> None:
    """It is well formed, whatever the directory says, and says the same where XML can."""
    root = ET.fromstring(servlet.card_document(card).encode("utf-8"))
    shown = [each.get("id" if each.tag == "user" else "name") for each in root]
    if servlet._NOT_XML.search(card.id) is None:
        assert shown == [card.id, *card.fields]


# Handles, photos and links


def _check_ident(ident: str) -> None:
    try:
        ident.encode()
    except UnicodeEncodeError:
        assert ident_of(handle_of(ident)) is None
    else:
        assert ident_of(handle_of(ident)) in (ident, None)
    assert ident_of(ident) is None or handle_of(ident_of(ident) or "") == ident
    assert photo_path(ident).isascii()
    for link in (mail_link(ident), telephone_link(ident)):
        assert link is None or (link.isascii() and link.isprintable() and '"' not in link)


# Page tokens


def _read_token(data: bytes) -> browse._Place:
    """A token, or what a token stands for, with the right check before it."""
    if data[:1] == b"\0":
        text = data[1:]
        token = base64.urlsafe_b64encode(browse._check(text) + text).decode().rstrip("=")
    else:
        token = text_of(data)
    return browse._read_token(token)


def _check_token(place: browse._Place) -> None:
    assert browse._read_token(browse._token(place)) == place


def _tokens() -> Iterator[bytes]:
    place = browse._Place(1, "ou=é,o=x", 2, 50)
    yield browse._token(place).encode()
    yield b"\x001 2 50 ou=x"


TARGETS: Final = (
    Target(
        "servlet",
        "parameters of the servlet",
        _read_parameters,
        (ValueError,),
        _check_parameters,
        lambda: _QUERIES,
    ),
    Target(
        "card-documents", "cards as XML", _read_card, (), _check_card, lambda: (b"cn=a,o=x\0<&>\x01\xff\r\n",)
    ),
    Target(
        "handles",
        "IDs in URLs, and links",
        text_of,
        (),
        _check_ident,
        lambda: (b"cn=a/b,o=x", b"Y249YQ", b"a@example.com", b"+49 (89) 1-2", "é@x".encode()),
    ),
    Target("page-tokens", "page tokens", _read_token, (InvalidPageTokenError,), _check_token, _tokens, 2048),
)
