"""Passwords come out of their protection, or are refused for a reason that the log can name."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.sametime.credentials import (
    AnonymousCredentials,
    AuthType,
    CredentialProblem,
    LoginCredentials,
    PasswordCredentials,
    TokenCredentials,
    UnreadableCredentials,
    read_credentials,
)
from quintet.sametime.wire import rc2
from quintet.sametime.wire.codec import opaque, u16, u32
from quintet.sametime.wire.diffie_hellman import PRIME, KeyPair
from quintet.sametime.wire.messages import HandshakeAck, Login, decode
from support import sametime_vectors as vectors
from support.sametime_client import protect

KEYS = KeyPair.from_private(vectors.SERVER_PRIVATE)
CLIENT = KeyPair.from_private(vectors.CLIENT_PRIVATE)
ACK = HandshakeAck(0, vectors.MAGIC, KEYS.public)
PROTECTED = [AuthType.PLAIN, AuthType.RC2_40, AuthType.RC2_128]


def problem(auth_type: AuthType, data: bytes) -> CredentialProblem:
    credentials = read_credentials(auth_type, data, KEYS, vectors.MAGIC)
    assert isinstance(credentials, UnreadableCredentials)
    assert credentials.auth_type is auth_type
    return credentials.problem


@pytest.mark.parametrize("vector", [vectors.V4, vectors.V5, vectors.V6], ids=["plain", "RC2/40", "RC2/128"])
def test_the_password_of_a_vector_is_recovered(vector: vectors.Vector) -> None:
    login = decode(vector.content)
    assert isinstance(login, Login)
    credentials = read_credentials(login.auth_type, login.auth_data, KEYS, vectors.MAGIC)
    assert credentials == PasswordCredentials(AuthType(login.auth_type), b"secret")


@pytest.mark.parametrize("auth_type", PROTECTED)
@given(st.binary(max_size=200))
def test_a_password_of_any_bytes_is_recovered(auth_type: AuthType, password: bytes) -> None:
    data = protect(auth_type, password, ACK, CLIENT)
    assert read_credentials(auth_type, data, KEYS, vectors.MAGIC) == PasswordCredentials(auth_type, password)


@pytest.mark.parametrize("auth_type", PROTECTED)
@pytest.mark.parametrize(
    "password", [b"", b"x" * 10_240, b"\xff\xfe", b"a\0b"], ids=["empty", "10 KiB", "no UTF-8", "NUL"]
)
def test_a_strange_password_is_handed_on_as_it_is(auth_type: AuthType, password: bytes) -> None:
    data = protect(auth_type, password, ACK, CLIENT)
    assert read_credentials(auth_type, data, KEYS, vectors.MAGIC) == PasswordCredentials(auth_type, password)


@pytest.mark.parametrize(
    ("data", "password"),
    [
        (b"secret", b"secret"),
        (b"\x00\x06secret", b"secret"),
        (b"\x00\x05secret", b"\x00\x05secret"),
        (b"\x00\x00", b""),
        (b"", b""),
        (b"x", b"x"),
    ],
)
def test_a_plain_password_may_come_with_its_count_or_bare(data: bytes, password: bytes) -> None:
    credentials = read_credentials(AuthType.PLAIN, data, KEYS, vectors.MAGIC)
    assert credentials == PasswordCredentials(AuthType.PLAIN, password)


@pytest.mark.parametrize("auth_type", PROTECTED)
def test_a_password_never_shows_in_a_repr(auth_type: AuthType) -> None:
    data = protect(auth_type, b"hunter2", ACK, CLIENT)
    assert "hunter2" not in repr(read_credentials(auth_type, data, KEYS, vectors.MAGIC))


def test_types_0_and_2_are_readable_by_any_listener() -> None:
    readable = {each for each in PROTECTED if PasswordCredentials(each, b"x").is_readable_by_listeners}
    assert readable == {AuthType.PLAIN, AuthType.RC2_40}


def test_anonymous_login_brings_nothing() -> None:
    assert read_credentials(3, b"whatever", KEYS, vectors.MAGIC) == AnonymousCredentials()


@pytest.mark.parametrize("auth_type", [1, 5, 6, 7, 8, 9, 10, 0xFFFF])
def test_what_has_no_known_layout_is_handed_on_for_a_validator(auth_type: int) -> None:
    assert read_credentials(auth_type, b"token", KEYS, vectors.MAGIC) == TokenCredentials(auth_type, b"token")
    assert "token'" not in repr(TokenCredentials(auth_type, b"token"))


@pytest.mark.parametrize("auth_type", [AuthType.RC2_40, AuthType.RC2_128])
def test_protected_passwords_cut_anywhere_are_unreadable(auth_type: AuthType) -> None:
    data = protect(auth_type, b"secret", ACK, CLIENT)
    found = {problem(auth_type, data[:size]) for size in range(len(data))}
    assert CredentialProblem.WRONG_MAGIC not in found


@pytest.mark.parametrize("value", [0, 1, PRIME - 1, PRIME])
def test_a_weak_public_key_is_unreadable(value: int) -> None:
    data = u16(1) + opaque(value.to_bytes(64, "big")) + opaque(bytes(16))
    assert problem(AuthType.RC2_128, data) is CredentialProblem.WEAK_KEY


def test_a_public_key_without_its_leading_zeros_is_read() -> None:
    plain = u32(vectors.MAGIC) + u16(6) + b"secret"
    secret = rc2.encrypt(KEYS.rc2_key(b"\x05"), plain)
    credentials = read_credentials(4, u16(1) + opaque(b"\x05") + opaque(secret), KEYS, vectors.MAGIC)
    assert credentials == PasswordCredentials(AuthType.RC2_128, b"secret")


def test_a_login_replayed_on_another_connection_is_unreadable() -> None:
    data = protect(AuthType.RC2_128, b"secret", HandshakeAck(0, vectors.MAGIC + 1, KEYS.public), CLIENT)
    assert problem(AuthType.RC2_128, data) is CredentialProblem.WRONG_MAGIC


def test_a_login_for_another_key_is_unreadable() -> None:
    ack = HandshakeAck(0, vectors.MAGIC, KeyPair.from_private(99).public)
    data = protect(AuthType.RC2_128, b"secret", ack, CLIENT)
    assert problem(AuthType.RC2_128, data) is CredentialProblem.UNDECIPHERABLE


def test_a_ciphertext_of_no_blocks_is_unreadable() -> None:
    assert problem(AuthType.RC2_40, opaque(b"12345") + opaque(b"")) is CredentialProblem.UNDECIPHERABLE


def test_a_key_of_no_bytes_is_unreadable() -> None:
    assert problem(AuthType.RC2_40, opaque(b"") + opaque(bytes(8))) is CredentialProblem.UNDECIPHERABLE


def test_a_password_that_claims_more_bytes_than_it_has_is_unreadable() -> None:
    plain = u32(vectors.MAGIC) + u16(600) + b"secret"
    secret = rc2.encrypt(KEYS.rc2_key(CLIENT.public), plain)
    data = u16(1) + opaque(CLIENT.public) + opaque(secret)
    assert problem(AuthType.RC2_128, data) is CredentialProblem.MALFORMED


@given(st.integers(0, 0xFFFF), st.binary(max_size=120))
def test_any_bytes_are_some_kind_of_credentials(auth_type: int, data: bytes) -> None:
    credentials = read_credentials(auth_type, data, KEYS, vectors.MAGIC)
    assert isinstance(credentials, get_args(LoginCredentials))
