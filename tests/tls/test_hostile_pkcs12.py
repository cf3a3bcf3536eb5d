"""What an attacker could put into a `.p12` to be believed wrongly, or to keep us busy for hours."""

import hashlib
import hmac
import time
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from quintet.tls.stores import (
    DamagedStoreError,
    KeyEntry,
    StoreTooCostlyError,
    UnsupportedStoreError,
    WrongStorePasswordError,
    der,
    new_store,
    pbe,
    pkcs12,
    read_store,
    write_store,
)
from support import certs
from support.keytool import PASSWORD
from support.stores import CA, LEAF, MIDDLE, OWN

DATA = der.tlv(der.OID, der.oid("1.2.840.113549.1.7.1"))
SHA1 = der.sequence(der.tlv(der.OID, der.oid("1.3.14.3.2.26")), der.tlv(der.NULL))


def bag(kind: int, value: bytes, *, alias: str = "", key_id: bytes | None = None) -> bytes:
    """One unencrypted bag, of the key (1) or certificate (3) kind."""
    attributes = [_attribute("1.2.840.113549.1.9.20", der.tlv(der.BMP_STRING, alias.encode("utf-16-be")))]
    if key_id is not None:
        attributes.append(_attribute("1.2.840.113549.1.9.21", der.octet_string(key_id)))
    oid = der.tlv(der.OID, der.oid(f"1.2.840.113549.1.12.10.1.{kind}"))
    return der.sequence(oid, der.tlv(der.CONTEXT_0, value), der.tlv(der.SET, *attributes))


def _attribute(oid: str, value: bytes) -> bytes:
    return der.sequence(der.tlv(der.OID, der.oid(oid)), der.tlv(der.SET, value))


def certificate_bag(issued: certs.Issued, **attributes: Any) -> bytes:
    data = der.tlv(der.CONTEXT_0, der.octet_string(issued.der))
    return bag(3, der.sequence(der.tlv(der.OID, der.oid("1.2.840.113549.1.9.22.1")), data), **attributes)


def key_bag(issued: certs.Issued, **attributes: Any) -> bytes:
    pkcs8 = issued.key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return bag(1, pkcs8, **attributes)


def clear_p12(*bags: bytes) -> bytes:
    """A `.p12` without encryption and digest."""
    inner = der.sequence(DATA, der.tlv(der.CONTEXT_0, der.octet_string(der.sequence(*bags))))
    outer = der.sequence(DATA, der.tlv(der.CONTEXT_0, der.octet_string(der.sequence(inner))))
    return der.sequence(der.integer(3), outer)


def test_a_name_that_is_no_bmp_string_is_read_as_well() -> None:
    """RFC 2985 5.5.1 wants a BMPString; some writers do not."""
    bmp = certificate_bag(OWN, alias="ab")
    name = der.tlv(der.BMP_STRING, "ab".encode("utf-16-be"))
    for other in (der.tlv(der.UTF8_STRING, "näm".encode()), der.tlv(0x14, b"n\xe4me")):
        assert len(other) == len(name)
        (entry,) = read_store(clear_p12(bmp.replace(name, other)), "").trusted
        assert entry.alias.startswith("näm")


def test_a_file_that_asks_for_hours_of_hashing_is_refused() -> None:
    content = der.sequence()
    rounds = der.integer(2_000_000_000)
    mac = der.sequence(der.sequence(SHA1, der.octet_string(bytes(20))), der.octet_string(b"salt"), rounds)
    plain = der.sequence(DATA, der.tlv(der.CONTEXT_0, der.octet_string(content)))
    with pytest.raises(StoreTooCostlyError):
        read_store(der.sequence(der.integer(3), plain, mac), PASSWORD)


def test_each_digest_that_a_key_is_made_of_is_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbe, "MOST_ROUNDS", 3_000)
    algorithm = der.sequence(
        der.tlv(der.OID, der.oid("1.2.840.113549.1.12.1.3")),
        der.sequence(der.octet_string(b"salt"), der.integer(1_001)),
    )
    with pytest.raises(StoreTooCostlyError):
        pbe.Password("secret").decrypt(der.parse(algorithm), bytes(8))


def test_a_digest_of_many_blocks_is_paid_for_by_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbe, "MOST_ROUNDS", 10_000)
    derivation = der.sequence(
        der.tlv(der.OID, der.oid("1.2.840.113549.1.5.12")),
        der.sequence(der.octet_string(b"salt"), der.integer(1_000), der.integer(1_000)),
    )
    hmac = der.sequence(der.tlv(der.OID, der.oid("1.2.840.113549.2.7")), der.tlv(der.NULL))
    pbmac1 = der.sequence(der.tlv(der.OID, der.oid("1.2.840.113549.1.5.14")), der.sequence(derivation, hmac))
    mac = der.sequence(der.sequence(pbmac1, der.octet_string(bytes(20))), der.octet_string(b""))
    with pytest.raises(StoreTooCostlyError):
        pbe.Password("secret").matches(der.parse(mac), b"")


def test_both_readings_of_an_empty_password_pay_from_one_purse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pbe, "MOST_ROUNDS", 1_500)
    mac = der.sequence(
        der.sequence(SHA1, der.octet_string(bytes(20))), der.octet_string(b"salt"), der.integer(1_000)
    )
    plain = der.sequence(DATA, der.tlv(der.CONTEXT_0, der.octet_string(der.sequence())))
    with pytest.raises(StoreTooCostlyError):
        read_store(der.sequence(der.integer(3), plain, mac), "")


def test_a_local_id_does_not_give_a_key_the_certificate_of_another() -> None:
    data = clear_p12(
        key_bag(OWN, key_id=b"1"), certificate_bag(LEAF, key_id=b"1"), certificate_bag(OWN, key_id=b"2")
    )
    (entry,) = read_store(data, "").keys
    assert entry.certificate == OWN.certificate


def test_among_certificates_of_one_key_the_local_id_chooses() -> None:
    renewed = certs.self_signed(kind="p256")
    data = clear_p12(
        key_bag(OWN, key_id=b"2"), certificate_bag(OWN, key_id=b"1"), certificate_bag(renewed, key_id=b"2")
    )
    (entry,) = read_store(data, "").keys
    assert entry.certificate == renewed.certificate


def test_a_key_whose_local_id_names_nothing_but_another_keys_certificate_has_none() -> None:
    store = read_store(clear_p12(key_bag(OWN, key_id=b"1"), certificate_bag(LEAF, key_id=b"1")), "")
    assert (store.keys, store.others) == ((), 1)


def test_thousands_of_entries_of_one_alias_are_told_apart_in_a_moment() -> None:
    data = clear_p12(*[certificate_bag(OWN, alias="same")] * 2_000)
    begun = time.process_time()
    store = read_store(data, "")
    assert time.process_time() - begun < 5
    assert len({entry.alias for entry in store.trusted}) == 2_000
    assert store.trusted[-1].alias == "same-2000"


def test_more_keys_than_anybody_needs_are_refused() -> None:
    assert len(read_store(clear_p12(*[key_bag(OWN)] * 100, certificate_bag(OWN)), "").keys) == 100
    with pytest.raises(StoreTooCostlyError, match=r"more than 100 keys; .*keytool"):
        read_store(clear_p12(*[key_bag(OWN)] * 101, certificate_bag(OWN)), "")


def test_a_hundred_large_keys_are_read_in_a_moment() -> None:
    """To check the numbers of one takes seconds. Any number will do for primes here."""
    p, q = (1 << 4096) - 1, (1 << 4096) - 3
    public = rsa.RSAPublicNumbers(65537, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, 3, 3, 3, 3, public)
    large = certs.Issued(OWN.certificate, numbers.private_key(unsafe_skip_rsa_key_validation=True))
    begun = time.process_time()
    assert read_store(clear_p12(*[key_bag(large)] * 100), "").others == 100
    assert time.process_time() - begun < 2


def test_a_chain_longer_than_any_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pkcs12, "_LONGEST_CHAIN", 1)
    data = clear_p12(key_bag(LEAF), certificate_bag(LEAF), certificate_bag(MIDDLE), certificate_bag(CA))
    with pytest.raises(StoreTooCostlyError, match="more than 1 certificates"):
        read_store(data, "")


def test_a_bag_of_countless_attributes_is_refused() -> None:
    attribute = der.sequence(der.tlv(der.OID, b"\x2a"), der.tlv(der.SET))
    value = der.tlv(der.CONTEXT_0, der.sequence())
    bag = der.sequence(der.tlv(der.OID, b"\x2a"), value, der.tlv(der.SET, attribute * 21))
    with pytest.raises(DamagedStoreError, match="more than 20 attributes"):
        read_store(clear_p12(bag), PASSWORD)


# PBMAC1 (RFC 9579)


def pbmac1(key_length: int | None, mac: str = "1.2.840.113549.2.9", digest: str = "sha256") -> bytes:
    """An empty store that PBMAC1 guards."""
    content = der.sequence()
    size = (der.integer(key_length),) if key_length is not None else ()
    prf = der.sequence(der.tlv(der.OID, der.oid("1.2.840.113549.2.11")), der.tlv(der.NULL))
    derivation = der.sequence(
        der.tlv(der.OID, der.oid("1.2.840.113549.1.5.12")),
        der.sequence(der.octet_string(b"saltsalt"), der.integer(2048), *size, prf),
    )
    scheme = der.sequence(der.tlv(der.OID, der.oid(mac)), der.tlv(der.NULL))
    oid = der.tlv(der.OID, der.oid("1.2.840.113549.1.5.14"))
    algorithm = der.sequence(oid, der.sequence(derivation, scheme))
    key = hashlib.pbkdf2_hmac("sha512", PASSWORD.encode(), b"saltsalt", 2048, key_length or 32)
    value = der.octet_string(hmac.digest(key, content, digest))
    guarded = der.sequence(DATA, der.tlv(der.CONTEXT_0, der.octet_string(content)))
    return der.sequence(
        der.integer(3),
        guarded,
        der.sequence(der.sequence(algorithm, value), der.octet_string(b"-"), der.integer(1)),
    )


@pytest.mark.parametrize("key_length", [20, 32, 64, 256])
def test_pbmac1_is_read_and_guards(key_length: int) -> None:
    data = pbmac1(key_length)
    assert read_store(data, PASSWORD).encoding.digest == "PBMAC1"
    with pytest.raises(WrongStorePasswordError):
        read_store(data, PASSWORD + "x")


@pytest.mark.parametrize("key_length", [None, 1, 19, 1025])
def test_pbmac1_without_a_key_length_or_with_one_that_is_easily_guessed_is_refused(
    key_length: int | None,
) -> None:
    with pytest.raises(UnsupportedStoreError, match="PBMAC1"):
        read_store(pbmac1(key_length), PASSWORD)


def test_pbmac1_with_a_hash_that_the_rfc_does_not_name_is_refused_for_that() -> None:
    data = pbmac1(32, "1.2.840.113549.2.13", "sha512_256")
    with pytest.raises(UnsupportedStoreError, match="PBMAC1"):
        read_store(data, PASSWORD)


# Bounds


@pytest.mark.parametrize("rounds", [10_000_000, 2**31])
def test_a_small_file_that_asks_for_millions_of_rounds_is_refused_at_once(rounds: int) -> None:
    """In 1.2 kB: the MAC, the certificates, or a key may ask for them."""
    digest = der.sequence(
        der.sequence(SHA1, der.octet_string(bytes(20))), der.octet_string(b"salt"), der.integer(rounds)
    )
    plain = der.sequence(DATA, der.tlv(der.CONTEXT_0, der.octet_string(der.sequence())))
    pbe = der.tlv(der.OID, der.oid("1.2.840.113549.1.12.1.3"))
    algorithm = der.sequence(pbe, der.sequence(der.octet_string(b"salt"), der.integer(rounds)))
    kind = der.tlv(der.OID, der.oid("1.2.840.113549.1.7.6"))
    sealed = der.sequence(DATA, algorithm, der.tlv(0x80, bytes(1024)))
    part = der.sequence(kind, der.tlv(der.CONTEXT_0, der.sequence(der.integer(0), sealed)))
    content = der.octet_string(der.sequence(part))
    key = bag(2, der.sequence(algorithm, der.octet_string(bytes(1024))))
    for data in (
        der.sequence(der.integer(3), plain, digest),
        der.sequence(der.integer(3), der.sequence(DATA, der.tlv(der.CONTEXT_0, content))),
        clear_p12(key),
    ):
        begun = time.perf_counter()
        with pytest.raises(StoreTooCostlyError):
            read_store(data, PASSWORD)
        assert time.perf_counter() - begun < 0.05


def test_a_store_of_more_entries_than_any_is_refused() -> None:
    with pytest.raises(StoreTooCostlyError):
        read_store(clear_p12(*[certificate_bag(OWN)] * 2_001), "")


def test_a_store_of_a_hundred_keys_of_ours_can_be_opened_again() -> None:
    keys = tuple(KeyEntry(str(number), OWN.key, OWN.certificate) for number in range(100))
    for legacy in (True, False):
        store = replace(new_store(), keys=keys)
        assert len(read_store(write_store(store, PASSWORD, legacy=legacy), PASSWORD).keys) == 100


# Passwords


@pytest.mark.parametrize("password", ["", PASSWORD])
def test_a_key_that_has_a_password_of_its_own_leaves_the_rest_usable(password: str) -> None:
    """Java before 8 wrote such files. The MAC tells that the store's own password is right."""
    mine = write_store(replace(new_store(), keys=(KeyEntry("mine", OWN.key, OWN.certificate),)), "other")
    content = der.parse(mine).sequence()[1].sequence()[1].children()[0].octet_string()
    parts = [der.tlv(each.tag, each.content) for each in der.parse(content).sequence()]
    joined = der.sequence(parts[1])
    mac = pbe.Password(password).mac(joined, legacy=True)
    outer = der.sequence(DATA, der.tlv(der.CONTEXT_0, der.octet_string(joined)))
    store = read_store(der.sequence(der.integer(3), outer, mac), password)
    assert store.keys == ()
    assert [each.alias for each in store.unreadable] == ["mine"]
