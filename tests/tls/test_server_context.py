"""A port of ours: the certificate that it shows, and whose certificates it accepts."""

import ssl
from pathlib import Path

import pytest

from quintet.secret import Secret
from quintet.tls import (
    NoSuchEntryError,
    SecurityLevel,
    StoreError,
    StoreKind,
    StoreLocation,
    StoreNotFoundError,
    TlsCheckError,
    TlsSettings,
    TlsSettingsError,
    make_server_context,
)
from support import certs, keytool
from support.certs import Issued


@pytest.fixture(scope="module")
def authority() -> Issued:
    return certs.authority()


def location(path: Path) -> StoreLocation:
    return StoreLocation(path, StoreKind.PKCS12, Secret(keytool.PASSWORD))


def server_settings(folder: Path, issued: Issued, **changes: object) -> TlsSettings:
    store = keytool.openssl_key_store(folder / "port.p12", issued)
    return TlsSettings(key_store=location(store), **changes)  # type: ignore[arg-type]


def trust(folder: Path, authority: Issued) -> StoreLocation:
    return location(keytool.trust_store(folder / "trust.p12", {"ca": authority}))


def client_context(folder: Path, authority: Issued, own: Issued | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=authority.pem.decode())
    if own is not None:
        context.load_cert_chain(*own.write(folder, "client"))
    return context


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> ssl.SSLObject:
    """The server's side after a handshake in memory. Raises what either side does."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    theirs = client.wrap_bio(to_client, to_server, server_hostname="localhost")
    ours = server.wrap_bio(to_server, to_client, server_side=True)
    open_sides = [theirs, ours]
    for _ in range(10):
        for side in tuple(open_sides):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            open_sides.remove(side)
        if not open_sides:
            return ours
    raise AssertionError("the handshake does not end")


def test_a_client_sees_the_certificate_of_the_key_store(tmp_path: Path, authority: Issued) -> None:
    settings = server_settings(tmp_path, certs.leaf(authority, *certs.LOCAL))
    ours = shake_hands(make_server_context(settings, ssl.CERT_NONE), client_context(tmp_path, authority))
    assert ours.version() == "TLSv1.3"


def test_versions_and_suites_are_those_of_the_settings(tmp_path: Path, authority: Issued) -> None:
    suite = "ECDHE-RSA-AES256-GCM-SHA384"
    settings = server_settings(
        tmp_path,
        certs.leaf(authority, *certs.LOCAL),
        maximum=ssl.TLSVersion.TLSv1_2,
        suites=(suite,),
    )
    ours = shake_hands(make_server_context(settings, ssl.CERT_NONE), client_context(tmp_path, authority))
    used = ours.cipher()
    assert used is not None
    assert (ours.version(), used[0]) == ("TLSv1.2", suite)


def test_c34_a_client_without_a_certificate_is_refused_where_one_is_needed(
    tmp_path: Path, authority: Issued
) -> None:
    settings = server_settings(
        tmp_path, certs.leaf(authority, *certs.LOCAL), trust_store=trust(tmp_path, authority)
    )
    client = client_context(tmp_path, authority)
    shake_hands(make_server_context(settings, ssl.CERT_OPTIONAL), client)
    with pytest.raises(ssl.SSLError):
        shake_hands(make_server_context(settings, ssl.CERT_REQUIRED), client)
    own = client_context(tmp_path, authority, certs.leaf(authority, "desk.example.com", client=True))
    shake_hands(make_server_context(settings, ssl.CERT_REQUIRED), own)


def test_a_clients_certificate_of_another_authority_is_refused(tmp_path: Path, authority: Issued) -> None:
    settings = server_settings(
        tmp_path, certs.leaf(authority, *certs.LOCAL), trust_store=trust(tmp_path, authority)
    )
    stranger = certs.leaf(certs.authority("Another authority"), "desk.example.com", client=True)
    client = client_context(tmp_path, authority, stranger)
    with pytest.raises(ssl.SSLError):
        shake_hands(make_server_context(settings, ssl.CERT_OPTIONAL), client)


@pytest.mark.parametrize(("name", "accepted"), [("desk.example.com", True), ("desk.other.org", False)])
def test_c35_only_listed_names_are_accepted_of_clients(
    tmp_path: Path, authority: Issued, name: str, accepted: bool
) -> None:
    settings = server_settings(
        tmp_path,
        certs.leaf(authority, *certs.LOCAL),
        trust_store=trust(tmp_path, authority),
        trusted_hosts=("*.example.com",),
    )
    client = client_context(tmp_path, authority, certs.leaf(authority, name, client=True))
    context = make_server_context(settings, ssl.CERT_REQUIRED)
    if accepted:
        shake_hands(context, client)
        return
    with pytest.raises(TlsCheckError):
        shake_hands(context, client)


def test_a_port_without_a_usable_key_is_not_made(tmp_path: Path, authority: Issued) -> None:
    with pytest.raises(StoreNotFoundError):
        make_server_context(TlsSettings(), ssl.CERT_NONE)
    with pytest.raises(NoSuchEntryError):
        make_server_context(TlsSettings(key_store=trust(tmp_path, authority)), ssl.CERT_NONE)
    broken = tmp_path / "broken.p12"
    broken.write_bytes(b"what is this?")
    with pytest.raises(StoreError):
        make_server_context(TlsSettings(key_store=location(broken)), ssl.CERT_NONE)
    settings = server_settings(tmp_path, certs.leaf(authority, *certs.LOCAL))
    with pytest.raises(StoreNotFoundError):
        make_server_context(settings, ssl.CERT_REQUIRED)


def test_c32_a_certificate_that_is_too_weak_for_the_level_is_not_shown(
    tmp_path: Path, authority: Issued
) -> None:
    weak = certs.rsa1024(authority, *certs.LOCAL)
    settings = server_settings(tmp_path, weak, level=SecurityLevel.SP800_131A_STRICT)
    with pytest.raises(TlsSettingsError):
        make_server_context(settings, ssl.CERT_NONE)
