"""CRLs: what is revoked is refused, and so is what cannot be checked."""

import datetime as dt
import os
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from hypothesis import given
from hypothesis import strategies as st

from quintet.tls.context import ChainError, make_context
from quintet.tls.diagnosis import Explanation, Reason, explain
from quintet.tls.revocation import CrlError, read_crls, stale
from quintet.tls.settings import TlsSettings
from quintet.tls.stores import new_store
from support import certs
from support.certs import Issued

Serve = Callable[..., AbstractContextManager[int]]
Hands = Callable[..., Awaitable[Any]]
Refused = Callable[..., Awaitable[Explanation]]

ROOT = certs.authority()
MIDDLE = certs.authority("Intermediate", issuer=ROOT)
LEAF = certs.leaf(MIDDLE, *certs.LOCAL)
TRUST = new_store().with_trusted("root", ROOT.certificate)


def crl(
    issuer: Issued,
    *revoked: Issued,
    starts: float = -1,
    ends: float = 7,
    encoding: serialization.Encoding = serialization.Encoding.PEM,
) -> bytes:
    """A CRL; `starts` and `ends` are days from now."""
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(now + dt.timedelta(starts)).next_update(now + dt.timedelta(ends))
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number)
        builder = builder.add_revoked_certificate(entry.revocation_date(now - dt.timedelta(1)).build())
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(encoding)


@pytest.fixture
def connected(serve: Serve, shake_hands: Hands, tmp_path: Path) -> Callable[..., Awaitable[str]]:
    """Connects to a server with a chain of three, with these CRLs; the version agreed on."""

    async def connect(*lists: bytes, issued: Issued = LEAF) -> str:
        file = tmp_path / "all.crl"
        file.write_bytes(b"".join(lists))
        with serve(issued) as port:
            version: str = (await shake_hands(make_context(TlsSettings(crl_file=file), trust=TRUST), port))[0]
            return version

    return connect


@pytest.fixture
def refused(connected: Callable[..., Awaitable[str]], tmp_path: Path) -> Refused:
    """The explanation of a refusal."""

    async def refuse(*lists: bytes, issued: Issued = LEAF) -> Explanation:
        with pytest.raises(ChainError) as raised:
            await connected(*lists, issued=issued)
        settings = TlsSettings(crl_file=tmp_path / "all.crl")
        return explain(raised.value, host="h", port=636, settings=settings, trust=TRUST)

    return refuse


async def test_a_chain_of_which_nothing_is_revoked_is_accepted(connected: Any) -> None:
    assert await connected(crl(ROOT), crl(MIDDLE)) == "TLSv1.3"


async def test_text_between_the_crls_does_no_harm(connected: Any) -> None:
    version = await connected(b"# root\n", crl(ROOT), b"\n# intermediate\n", crl(MIDDLE), b"\n")
    assert version == "TLSv1.3"


async def test_a_revoked_server_is_refused(refused: Refused) -> None:
    told = await refused(crl(ROOT), crl(MIDDLE, LEAF))
    assert (told.reason, told.subject) == (Reason.REVOKED, "CN=localhost,O=Quintet Tests")
    assert f"{dt.datetime.now(dt.UTC) - dt.timedelta(1):%Y-%m-%d}" in told.message


async def test_a_revoked_intermediate_is_refused(refused: Refused) -> None:
    told = await refused(crl(ROOT, MIDDLE), crl(MIDDLE))
    assert (told.reason, told.subject) == (Reason.REVOKED, "CN=Intermediate,O=Quintet Tests")


async def test_a_missing_crl_refuses_and_its_issuer_is_named(refused: Refused) -> None:
    told = await refused(crl(ROOT))
    assert (told.reason, told.subject) == (Reason.NO_CRL, "CN=localhost,O=Quintet Tests")
    assert "CN=Intermediate" in told.message
    told = await refused(crl(MIDDLE))
    assert told.reason is Reason.NO_CRL
    assert "CN=Quintet Test CA" in told.message


async def test_a_crl_that_was_not_renewed_in_time_refuses(refused: Refused) -> None:
    told = await refused(crl(ROOT), crl(MIDDLE, starts=-9, ends=-2))
    assert (told.reason, told.subject) == (Reason.CRL_OUT_OF_DATE, "CN=Intermediate,O=Quintet Tests")


async def test_a_crl_of_the_future_refuses(refused: Refused) -> None:
    told = await refused(crl(ROOT), crl(MIDDLE, starts=2))
    assert (told.reason, told.subject) == (Reason.CRL_OUT_OF_DATE, "CN=Intermediate,O=Quintet Tests")


async def test_a_crl_that_another_key_signed_refuses(refused: Refused) -> None:
    namesake = certs.authority("Intermediate", issuer=ROOT, use="namesake")
    told = await refused(crl(ROOT), crl(namesake))
    assert told.reason in (Reason.CRL_OUT_OF_DATE, Reason.NO_CRL)


async def test_a_certificate_in_the_crl_file_does_not_become_trusted(refused: Refused) -> None:
    other = certs.authority("Elsewhere")
    lists = (crl(ROOT), crl(MIDDLE), crl(other), other.pem)
    told = await refused(*lists, issued=certs.leaf(other, *certs.LOCAL))
    assert told.reason in (Reason.UNKNOWN_ISSUER, Reason.MISSING_INTERMEDIATE)


def test_one_crl_in_der_is_read(tmp_path: Path) -> None:
    (tmp_path / "ca.crl").write_bytes(crl(ROOT, encoding=serialization.Encoding.DER))
    (found,) = read_crls(tmp_path / "ca.crl")
    assert found.issuer == ROOT.certificate.subject


@pytest.mark.parametrize(
    "data", [b"", b"hello", ROOT.pem, crl(ROOT)[:-60], crl(ROOT).replace(b"M", b"!"), b"\x30\x03\x02\x01\x00"]
)
def test_what_holds_no_crl_is_an_error_with_its_file(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "ca.crl").write_bytes(data)
    with pytest.raises(CrlError, match=r"ca\.crl") as raised:
        make_context(TlsSettings(crl_file=tmp_path / "ca.crl"), trust=TRUST)
    assert raised.value.fix


def test_a_missing_file_a_folder_and_a_pipe_are_errors(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "none.crl", tmp_path, tmp_path / "pipe"):
        with pytest.raises(CrlError):
            read_crls(path)


@given(st.binary(max_size=200))
def test_any_bytes_are_crls_or_an_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.crl"
    for start in (b"", b"\x30", b"-----BEGIN X509 CRL-----\n"):
        path.write_bytes(start + data)
        with pytest.raises(CrlError):
            read_crls(path)


def test_stale_crls_are_those_whose_next_update_is_over(tmp_path: Path) -> None:
    (tmp_path / "ca.crl").write_bytes(crl(ROOT, ends=-0.5) + crl(MIDDLE))
    (found,) = stale(read_crls(tmp_path / "ca.crl"))
    assert found.issuer == ROOT.certificate.subject
