"""Odd certificates never cause an exception other than those that are documented, and each is explained."""

import base64
import hashlib
import ssl
import struct
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from quintet.tls.certificates import (
    MalformedCertificateError,
    authority_fault,
    by_subject,
    facts_of,
    find_path,
    has_sound_extensions,
    load_certificate,
    public_key_info,
    server_fault,
)
from quintet.tls.context import make_context
from quintet.tls.diagnosis import Reason, explain
from quintet.tls.inspect import Presented
from quintet.tls.levels import check_strength
from quintet.tls.settings import SecurityLevel, TlsSettings
from quintet.tls.stores import (
    NoSuchEntryError,
    Store,
    TrustedEntry,
    UnsupportedStoreError,
    der,
    new_store,
    read_store,
    seen_by_java,
    seen_by_sametime,
    write_store,
)
from support import certs, odd
from support.certs import Issued
from support.keytool import PASSWORD

Serve = Callable[..., AbstractContextManager[int]]
Hands = Callable[..., Awaitable[Any]]

CA = certs.authority()
TRUST = new_store().with_trusted("ca", CA.certificate)
GOOD = certs.leaf(CA, *certs.LOCAL)
ODD = {what: odd.edited(GOOD, CA, *edits) for what, edits in odd.EDITS.items()}
ODD_CA = {what: odd.edited(CA, CA, *edits) for what, edits in odd.EDITS.items() if what != "no issuer"}
CODES = range(100)
"""OpenSSL's codes of verification."""


def check_all_questions(certificate: x509.Certificate) -> None:
    """Calls all that Quintet asks of a certificate."""
    facts = facts_of(certificate)
    assert facts.subject
    assert facts.issuer
    assert facts.days_left() is not None
    for asked in (authority_fault, server_fault, public_key_info, has_sound_extensions):
        asked(certificate)
    for level in SecurityLevel:
        check_strength(certificate, level)
        check_strength(certificate, level, anchor=False)
    find_path([certificate, CA.certificate], by_subject([CA.certificate, certificate]), datetime.now(UTC))
    store = Store(TRUST.kind, trusted=(TrustedEntry("odd", certificate),))
    assert seen_by_java(store) >= seen_by_sametime(store)


def check_all_explanations(certificate: x509.Certificate) -> None:
    """Explains every verdict of OpenSSL on a chain of it."""
    for code in CODES:
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_code, error.verify_message = code, "odd"
        for chain in ((certificate,), (certificate, CA.certificate), (GOOD.certificate, certificate)):
            presented = Presented(chain)
            told = explain(error, host="h", port=1, settings=TlsSettings(), trust=TRUST, presented=presented)
            assert told.subject
            assert told.fix


@pytest.mark.parametrize("what", ODD)
def test_an_odd_certificate_is_read_or_refused_as_malformed(what: str) -> None:
    for data in (ODD[what], ODD_CA.get(what, ODD[what])):
        try:
            certificate = load_certificate(data)
        except MalformedCertificateError:
            continue
        check_all_questions(certificate)
        check_all_explanations(certificate)


@given(at=st.floats(0, 1, exclude_max=True), patch=st.binary(min_size=1, max_size=5), cut=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_damaged_certificate_is_read_or_refused_as_malformed(at: float, patch: bytes, cut: bool) -> None:
    data = bytearray(GOOD.der)
    place = int(at * len(data))
    data[place : place + (0 if cut else len(patch))] = patch
    with suppress(MalformedCertificateError):
        check_all_questions(load_certificate(bytes(data)))


class Served(Issued):
    """A certificate to serve that cryptography need not be able to read."""

    data: bytes

    @classmethod
    def made(cls, data: bytes) -> "Served":
        served = cls(GOOD.certificate, GOOD.key)
        object.__setattr__(served, "data", data)
        return served

    @property
    def chain_pem(self) -> bytes:
        body = base64.encodebytes(self.data)
        return b"-----BEGIN CERTIFICATE-----\n" + body + b"-----END CERTIFICATE-----\n"


def can_be_served(data: bytes) -> bool:
    """Whether OpenSSL reads the certificate, and its key is the one that the server has."""
    with tempfile.TemporaryDirectory() as folder:
        paths = Served.made(data).write(Path(folder), "odd")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*paths)
        except ssl.SSLError:
            return False
    return True


SERVED = [what for what, data in ODD.items() if can_be_served(data)]


def test_most_oddities_can_be_served() -> None:
    assert {"version 4", "version 1 with extensions", "x400Address", "no subject"} <= set(SERVED)


@pytest.mark.parametrize("what", SERVED)
async def test_a_server_with_an_odd_certificate_is_trusted_or_refused_in_the_handshake(
    serve: Serve, shake_hands: Hands, what: str
) -> None:
    """Nothing but an `ssl.SSLError` leaves the handshake: asyncio would print anything else and go on."""
    with serve(Served.made(ODD[what])) as port:
        try:
            await shake_hands(make_context(TlsSettings(), trust=TRUST), port)
        except ssl.SSLError as error:
            told = explain(error, host="localhost", port=port, settings=TlsSettings(), trust=TRUST)
            assert told.subject
            assert told.reason is not Reason.OTHER


# In stores


def jks_of(*entries: tuple[str, bytes], password: str = PASSWORD) -> bytes:
    """A `.jks` of trusted certificates, whatever bytes they are."""
    body = b"\xfe\xed\xfe\xed" + struct.pack(">II", 2, len(entries))
    for alias, data in entries:
        body += struct.pack(">I", 2) + struct.pack(">H", len(alias)) + alias.encode() + bytes(8)
        body += b"\0\5X.509" + struct.pack(">I", len(data)) + data
    return body + hashlib.sha1(password.encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()


def p12_of(*entries: tuple[str, bytes]) -> bytes:
    """A `.p12` of trusted certificates without encryption and MAC, whatever bytes they are."""
    bags = []
    for alias, data in entries:
        wrapped = der.tlv(der.CONTEXT_0, der.octet_string(data))
        value = der.sequence(der.tlv(der.OID, der.oid("1.2.840.113549.1.9.22.1")), wrapped)
        name = der.tlv(der.SET, der.tlv(der.BMP_STRING, alias.encode("utf-16-be")))
        described = der.sequence(der.tlv(der.OID, der.oid("1.2.840.113549.1.9.20")), name)
        kind = der.tlv(der.OID, der.oid("1.2.840.113549.1.12.10.1.3"))
        bags.append(der.sequence(kind, der.tlv(der.CONTEXT_0, value), der.tlv(der.SET, described)))
    plain = der.tlv(der.OID, der.oid("1.2.840.113549.1.7.1"))
    inner = der.sequence(plain, der.tlv(der.CONTEXT_0, der.octet_string(der.sequence(*bags))))
    outer = der.sequence(plain, der.tlv(der.CONTEXT_0, der.octet_string(der.sequence(inner))))
    return der.sequence(der.integer(3), outer)


@pytest.mark.parametrize("make", [jks_of, p12_of])
@pytest.mark.parametrize("what", ODD)
def test_an_odd_certificate_in_a_store_leaves_the_others_usable(
    make: Callable[..., bytes], what: str
) -> None:
    store = read_store(make(("odd one", ODD_CA.get(what, ODD[what])), ("good", CA.der)), PASSWORD)
    assert "good" in [entry.alias for entry in store.trusted]
    readable = "odd one" in [entry.alias for entry in store.trusted]
    assert readable is not any(each.alias == "odd one" and each.reason for each in store.unreadable)
    assert ("T126" in [note.code for note in store.notes]) is not readable
    make_context(TlsSettings(), trust=store)


@pytest.mark.parametrize("make", [jks_of, p12_of])
def test_an_entry_that_cannot_be_read_is_not_lost_by_a_change_but_can_be_removed(
    make: Callable[..., bytes],
) -> None:
    store = read_store(make(("odd one", ODD["version 4"]), ("good", CA.der)), PASSWORD)
    with pytest.raises(UnsupportedStoreError, match="odd one"):
        write_store(store, PASSWORD)
    left = read_store(write_store(store.without("Odd One"), PASSWORD), PASSWORD)
    assert [entry.alias for entry in left.trusted] == ["good"]


def test_a_store_of_nothing_readable_trusts_nobody() -> None:
    store = read_store(jks_of(("odd one", ODD["version 4"])), PASSWORD)
    with pytest.raises(NoSuchEntryError):
        make_context(TlsSettings(), trust=store)
