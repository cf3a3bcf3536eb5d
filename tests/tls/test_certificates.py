"""What is told of certificates, and which level takes them (D38, D40)."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from quintet.tls.certificates import facts_of, fingerprint, has_issued, is_authority, is_self_signed
from quintet.tls.levels import check_strength
from quintet.tls.settings import SecurityLevel
from support import certs
from support.certs import Issued

CA = certs.authority()


def elliptic(kind: str, digest: certs.Hash) -> Issued:
    root = certs.authority(f"EC {kind}", kind=kind, digest=digest)
    return certs.leaf(root, *certs.LOCAL, kind=kind, digest=digest)


@pytest.mark.parametrize(
    ("make", "levels"),
    [
        (lambda: certs.leaf(CA, "a"), (0, 1, 2)),
        (lambda: certs.sha1(CA, "a"), (0, 1)),
        (lambda: certs.rsa1024(CA, "a"), (0, 1)),
        (lambda: elliptic("p256", hashes.SHA256()), (0, 1, 2, 3)),
        (lambda: elliptic("p384", hashes.SHA384()), (0, 1, 2, 3, 4)),
        (lambda: elliptic("p384", hashes.SHA256()), (0, 1, 2, 3)),
        (lambda: elliptic("p384", hashes.SHA512()), (0, 1, 2)),
        (lambda: CA, (0, 1, 2)),
    ],
    ids=["rsa2048", "sha1", "rsa1024", "p256", "p384", "p384-sha256", "p384-sha512", "root"],
)
def test_d38_the_levels_that_take_a_certificate(make: Callable[[], Issued], levels: tuple[int, ...]) -> None:
    certificate = make().certificate
    assert tuple(level for level in SecurityLevel if check_strength(certificate, level) is None) == levels


def test_d38_the_verdict_says_why() -> None:
    assert check_strength(certs.sha1(CA).certificate, SecurityLevel(2)) == (
        "it is signed with SHA-1, which level 2 forbids"
    )
    assert check_strength(certs.rsa1024(CA).certificate, SecurityLevel(2)) == (
        "its key is RSA 1024, but level 2 needs 2048 bits"
    )
    assert check_strength(CA.certificate, SecurityLevel(3)) == (
        "its key is RSA 2048, but level 3 allows EC P-256 or P-384 only"
    )


def test_the_signature_of_what_is_trusted_by_itself_does_not_count() -> None:
    old = certs.sha1(CA).certificate
    assert check_strength(old, SecurityLevel(2))
    assert check_strength(old, SecurityLevel(2), anchor=True) is None


@pytest.mark.real
def test_rsa_of_512_bits_is_refused_at_every_level(tmp_path: Path) -> None:
    making = ["openssl", "req", "-x509", "-newkey", "rsa:512", "-sha1", "-nodes", "-subj", "/CN=tiny"]
    made = subprocess.run([*making, "-keyout", tmp_path / "k"], check=True, capture_output=True)
    tiny = x509.load_pem_x509_certificate(made.stdout)
    assert all(check_strength(tiny, level) for level in SecurityLevel)


@pytest.mark.real
def test_md5_is_refused_at_every_level(tmp_path: Path) -> None:
    making = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-md5", "-nodes", "-subj", "/CN=old"]
    made = subprocess.run([*making, "-keyout", tmp_path / "k"], check=True, capture_output=True)
    old = x509.load_pem_x509_certificate(made.stdout)
    assert "MD5" in (check_strength(old, SecurityLevel(0), anchor=False) or "")


def test_the_facts_of_a_certificate() -> None:
    facts = facts_of(certs.leaf(CA, "ldap.example.com").certificate)
    assert facts.subject == "CN=ldap.example.com,O=Quintet Tests"
    assert facts.issuer == "CN=Quintet Test CA,O=Quintet Tests"
    assert (facts.key, facts.hash) == ("RSA 2048", "SHA-256")
    assert (facts.is_authority, facts.is_self_signed) == (False, False)
    assert str(facts.names) == "ldap.example.com"


def test_the_key_of_an_elliptic_curve_is_named() -> None:
    assert facts_of(elliptic("p256", hashes.SHA256()).certificate).key == "EC P-256"


def test_d40_days_left_go_below_zero() -> None:
    assert facts_of(certs.leaf(CA, "a", ends=10.5).certificate).days_left() == 10
    assert facts_of(certs.expired(CA).certificate).days_left() < 0


def test_a_root_is_an_authority_and_signed_by_itself() -> None:
    assert is_authority(CA.certificate)
    assert is_self_signed(CA.certificate)
    assert is_self_signed(certs.self_signed().certificate)


def test_who_issued_is_told_by_the_signature_not_by_the_name() -> None:
    leaf, namesake = certs.leaf(CA, "a"), certs.authority(use="namesake")
    assert has_issued(CA.certificate, leaf.certificate)
    assert has_issued(CA.certificate, certs.sha1(CA).certificate)
    assert not has_issued(namesake.certificate, leaf.certificate)


@pytest.mark.real
def test_the_fingerprint_is_as_openssl_prints_it(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(CA.pem)
    asking: list[str | Path] = [
        "openssl",
        "x509",
        "-noout",
        "-fingerprint",
        "-sha256",
        "-in",
        tmp_path / "ca.pem",
    ]
    printed = subprocess.run(asking, check=True, capture_output=True, text=True).stdout
    assert printed.strip().partition("=")[2] == fingerprint(CA.certificate)
