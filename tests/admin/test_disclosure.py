"""What is readable in recorded bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.disclosure import MASK, Canaries, Disclosure, examine_recording
from quintet.admin.proxy import Chunk, Direction, Recording
from quintet.directory import Service
from quintet.ldap import messages
from quintet.ldap.filters import parse

_CANARIES = Canaries("canary-name-7f3a", "canary-password-91bc")
_TLS_HELLO = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00"


def _found(to_server: bytes = b"", to_client: bytes = b"") -> Disclosure:
    chunks = [Chunk(0.0, Direction.TO_SERVER, to_server), Chunk(0.1, Direction.TO_CLIENT, to_client)]
    return examine_recording(
        Recording(Service.BROWSE, ("127.0.0.1", 1), ("ldap.example.com", 389), chunks), _CANARIES
    )


def _message(op: messages.Operation, number: int = 1) -> bytes:
    return messages.encode(messages.Message(number, op))


def _bind(password: bytes) -> bytes:
    return _message(messages.BindRequest("cn=ada,o=example", messages.Simple(password)))


def test_a_simple_bind_discloses_name_and_password_but_the_evidence_masks_it() -> None:
    found = _found(_bind(b"open sesame"))
    assert (found.encrypted, found.names, found.passwords) == (False, True, True)
    assert MASK in found.evidence[0]
    assert "cn=ada,o=example" in found.evidence[0]
    assert "sesame" not in str(found)


def test_an_anonymous_bind_discloses_nothing() -> None:
    found = _found(_message(messages.BindRequest("", messages.Simple(b""))))
    assert (found.names, found.passwords, found.values) == (False, False, False)


def test_a_search_discloses_names_and_filters_but_no_password() -> None:
    found = _found(_message(messages.SearchRequest("o=example", 2, parse("(cn=ada)"))))
    assert (found.names, found.filters, found.values, found.passwords) == (True, True, False, False)
    assert "(cn=ada)" in found.evidence[0]


def test_asking_what_a_server_can_do_discloses_nothing() -> None:
    found = _found(_message(messages.SearchRequest("", 0, parse("(objectClass=*)"))))
    assert (found.names, found.filters, found.values, found.passwords) == (False, False, False, False)


def test_an_entry_discloses_values() -> None:
    entry = messages.SearchResultEntry(
        "cn=ada,o=example", {"mail": [b"ada@example.com"], "userPassword": [b"x1y2z3"]}
    )
    found = _found(to_client=_message(entry))
    assert (found.names, found.values) == (True, True)
    assert "ada@example.com" in found.evidence[0]
    assert "x1y2z3" not in str(found)


def test_scram_discloses_no_password() -> None:
    found = _found(_message(messages.BindRequest("", messages.Sasl("SCRAM-SHA-256", b"n,,n=reader,r=abc"))))
    assert not found.passwords


def test_sasl_plain_discloses_the_password() -> None:
    found = _found(_message(messages.BindRequest("", messages.Sasl("PLAIN", b"\0reader\0open sesame"))))
    assert found.passwords
    assert "sesame" not in str(found)


def test_tls_discloses_nothing() -> None:
    found = _found(_TLS_HELLO + bytes(range(256)), _TLS_HELLO)
    assert found.encrypted
    assert (found.names, found.filters, found.values, found.passwords) == (False, False, False, False)
    assert found.bytes_seen == 256 + 2 * len(_TLS_HELLO)


def test_after_start_tls_the_connection_counts_as_encrypted() -> None:
    found = _found(_message(messages.ExtendedRequest(messages.START_TLS)) + _TLS_HELLO)
    assert found.encrypted
    assert not found.names


def test_what_is_sent_before_start_tls_is_readable() -> None:
    found = _found(
        _bind(b"too early") + _message(messages.ExtendedRequest(messages.START_TLS), 2) + _TLS_HELLO
    )
    assert found.encrypted
    assert found.passwords


@pytest.mark.parametrize(
    ("canary", "names", "passwords"), [(_CANARIES.name, True, False), (_CANARIES.password, False, True)]
)
def test_a_canary_is_found_in_bytes_that_are_not_ldap(canary: str, names: bool, passwords: bool) -> None:
    found = _found(b"\x16\x03 garbage " + canary.encode())
    assert (found.names, found.passwords) == (names, passwords)
    assert canary not in str(found)


@given(st.binary(max_size=500), st.binary(max_size=500))
def test_any_bytes_can_be_examined(to_server: bytes, to_client: bytes) -> None:
    assert _found(to_server, to_client).bytes_seen == len(to_server) + len(to_client)
