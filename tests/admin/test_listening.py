"""What a listener reads out of recorded bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.disclosure import MASK, Canaries, Disclosure, listen
from quintet.admin.proxy import Chunk, Direction, Recording
from quintet.directory import Service
from quintet.ldap import messages
from quintet.ldap.filters import parse

_MARKS = Canaries("marked-name-7f3a", "marked-password-91bc")
_TLS_HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"


def _heard(to_server: bytes = b"", to_client: bytes = b"") -> Disclosure:
    chunks = [Chunk(0.0, Direction.TO_SERVER, to_server), Chunk(0.1, Direction.TO_CLIENT, to_client)]
    return listen(Recording(Service.BROWSE, ("127.0.0.1", 1), ("ldap.example.com", 389), chunks), _MARKS)


def _message(op: messages.Operation, number: int = 1) -> bytes:
    return messages.encode(messages.Message(number, op))


def _bind(password: bytes) -> bytes:
    return _message(messages.BindRequest("cn=ada,o=example", messages.Simple(password)))


def test_a_simple_bind_gives_away_name_and_password_but_the_evidence_masks_it() -> None:
    heard = _heard(_bind(b"open sesame"))
    assert (heard.encrypted, heard.names, heard.passwords) == (False, True, True)
    assert MASK in heard.evidence[0]
    assert "cn=ada,o=example" in heard.evidence[0]
    assert "sesame" not in str(heard)


def test_an_anonymous_bind_gives_away_nothing() -> None:
    heard = _heard(_message(messages.BindRequest("", messages.Simple(b""))))
    assert (heard.names, heard.passwords, heard.values) == (False, False, False)


def test_a_search_gives_away_names_and_filters_but_no_password() -> None:
    heard = _heard(_message(messages.SearchRequest("o=example", 2, parse("(cn=ada)"))))
    assert (heard.names, heard.filters, heard.values, heard.passwords) == (True, True, False, False)
    assert "(cn=ada)" in heard.evidence[0]


def test_asking_what_a_server_can_do_gives_away_nothing() -> None:
    heard = _heard(_message(messages.SearchRequest("", 0, parse("(objectClass=*)"))))
    assert (heard.names, heard.filters, heard.values, heard.passwords) == (False, False, False, False)


def test_an_entry_gives_away_values() -> None:
    entry = messages.SearchResultEntry(
        "cn=ada,o=example", {"mail": [b"ada@example.com"], "userPassword": [b"x1y2z3"]}
    )
    heard = _heard(to_client=_message(entry))
    assert (heard.names, heard.values) == (True, True)
    assert "ada@example.com" in heard.evidence[0]
    assert "x1y2z3" not in str(heard)


def test_scram_gives_away_no_password() -> None:
    heard = _heard(_message(messages.BindRequest("", messages.Sasl("SCRAM-SHA-256", b"n,,n=reader,r=abc"))))
    assert not heard.passwords


def test_sasl_plain_gives_the_password_away() -> None:
    heard = _heard(_message(messages.BindRequest("", messages.Sasl("PLAIN", b"\0reader\0open sesame"))))
    assert heard.passwords
    assert "sesame" not in str(heard)


def test_tls_gives_away_nothing() -> None:
    heard = _heard(_TLS_HELLO + bytes(range(256)), _TLS_HELLO)
    assert heard.encrypted
    assert (heard.names, heard.filters, heard.values, heard.passwords) == (False, False, False, False)
    assert heard.bytes_seen == 256 + 2 * len(_TLS_HELLO)


def test_after_start_tls_the_connection_counts_as_encrypted() -> None:
    heard = _heard(_message(messages.ExtendedRequest(messages.START_TLS)) + _TLS_HELLO)
    assert heard.encrypted
    assert not heard.names


def test_what_is_said_before_start_tls_is_heard() -> None:
    heard = _heard(
        _bind(b"too early") + _message(messages.ExtendedRequest(messages.START_TLS), 2) + _TLS_HELLO
    )
    assert heard.encrypted
    assert heard.passwords


@pytest.mark.parametrize(
    ("mark", "names", "passwords"), [(_MARKS.name, True, False), (_MARKS.password, False, True)]
)
def test_a_mark_is_found_in_bytes_that_are_no_ldap(mark: str, names: bool, passwords: bool) -> None:
    heard = _heard(b"\x16\x03 garbage " + mark.encode())
    assert (heard.names, heard.passwords) == (names, passwords)
    assert mark not in str(heard)


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_any_bytes_can_be_listened_to(to_server: bytes, to_client: bytes) -> None:
    assert _heard(to_server, to_client).bytes_seen == len(to_server) + len(to_client)
