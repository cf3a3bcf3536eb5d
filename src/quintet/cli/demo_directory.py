"""A directory to try things on: the sample organisation on loopback, with TLS, and settings for it.

Everything is made on the spot: an authority, a certificate by it, a trust store, the three files.
"""

import secrets
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from quintet.config import (
    CARDS,
    COMMUNITY,
    INI,
    SametimePortSettings,
    WebSettings,
    render_cards,
    render_community,
    render_ini,
)
from quintet.directory import Protection
from quintet.embedded import EmbeddedServer, sample
from quintet.files import replace_file
from quintet.tls import new_store, save_store

STORE = "ldaptruststore.p12"
HOST = "localhost"
LOOPBACK = "127.0.0.1"
ADMINISTRATORS = "Finance Team"
"""The group of the first user whom `quintet demo` names, and not of the second."""
_VALID_DAYS = 90


@dataclass(frozen=True, slots=True)
class DemoDirectory:
    """A running directory with LDAP on `port` and LDAPS on `tls_port`; `authority` issued its certificate."""

    port: int
    tls_port: int
    authority: x509.Certificate


@asynccontextmanager
async def demo_directory() -> AsyncIterator[DemoDirectory]:
    """Serves the sample organisation on free ports of loopback while the context is open."""
    authority, context = _certificates()
    async with EmbeddedServer(sample.entries(), tls=context) as server:
        assert server.tls_port is not None
        yield DemoDirectory(server.port, server.tls_port, authority)


def write_store(folder: Path, directory: DemoDirectory) -> str:
    """Makes the trust store in `folder`; its password."""
    password = secrets.token_urlsafe(12)
    store = new_store().with_trusted("quintet demo authority", directory.authority)
    save_store(folder / STORE, store, password)
    return password


@dataclass(frozen=True, slots=True)
class DemoPorts:
    """The ports of the server on loopback, for Sametime clients and for browsers."""

    sametime: int
    http: int

    @classmethod
    def free(cls) -> Self:
        """The usual ports, and others in place of those that are in use."""
        return cls(_free_port(SametimePortSettings().port), _free_port(WebSettings().port))


def _free_port(usual: int) -> int:
    for port in (usual, 0):
        with suppress(OSError), socket.create_server((LOOPBACK, port)) as found:
            return int(found.getsockname()[1])
    return usual


def write_files(
    folder: Path,
    directory: DemoDirectory,
    level: Protection,
    password: str,
    ports: DemoPorts | None = None,
) -> None:
    """Writes the three files for `level`, readable by their owner only: they hold passwords."""
    for name, content in (
        (INI, _ini(level, password, ports)),
        (COMMUNITY, _community(directory, level)),
        (CARDS, _cards(directory, level, password)),
    ):
        replace_file(folder / name, content.encode())


def _ini(level: Protection, password: str, ports: DemoPorts | None) -> str:
    trust = {"TYPE": "p12", "FILE": STORE, "PASSWORD": password}
    keys = {f"STLDAP_TLS_TRUST_STORE_{name}": value for name, value in trust.items()}
    if level is Protection.PASSWORDS:
        keys["ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"] = "1"
    if ports is not None:
        keys |= {
            "QUINTET_ADDRESS": LOOPBACK,
            "QUINTET_ADMIN_GROUP": ADMINISTRATORS,
            # So that the connections page can be seen at each level: all of it is on this machine.
            "QUINTET_ALLOW_UNENCRYPTED_GROUPS": "1",
            "QUINTET_HTTP_PORT": str(ports.http),
            "QUINTET_METRICS_PORT": "0",
            "QUINTET_MAX_SESSIONS": "1000",
            "QUINTET_SHUTDOWN_SECONDS": "1",
            "VPMX_PORT": str(ports.sametime),
        }
    return render_ini(keys)


def _community(directory: DemoDirectory, level: Protection) -> str:
    connection = {
        "HostName": HOST,
        "Port": str(directory.port),
        "SSLEnabled": str(int(level is not Protection.NONE)),
        "SSLPort": str(directory.tls_port),
        "SearchOrder": "1",
        "BindEntryDn": sample.READER,
        "BindEntryPwd": sample.READER_PASSWORD,
        "PersonResolveBase": str(sample.PEOPLE),
        "PersonResolveFilter": "(&(objectclass=inetOrgPerson)(|(cn=%s*)(givenName=%s*)(sn=%s*)(mail=%s*)))",
        "UserDnSearchFilter": "(&(objectclass=inetOrgPerson)(|(uid=%s)(mail=%s)))",
        "PersonObjectClass": "inetOrgPerson",
        "NameAttribute": "displayName",
        "GroupResolveBase": str(sample.GROUPS),
        "GroupResolveFilter": "(&(|(objectclass=groupOfNames)(objectclass=groupOfUniqueNames))(cn=%s*))",
        "GroupMembership": "(|(member=%s)(uniqueMember=%s))",
        "GroupObjectClass": "groupOfNames,groupOfUniqueNames",
        "GroupMemberAttribute": "member,uniqueMember",
    }
    return render_community([connection])


def _cards(directory: DemoDirectory, level: Protection, password: str) -> str:
    server = {
        "HostName": HOST,
        "Port": str(directory.port),
        "SslEnabled": str(level is Protection.ALL).lower(),
        "SslPort": str(directory.tls_port),
        "UserName": sample.READER,
        "Password": sample.READER_PASSWORD,
        "BaseDN": str(sample.PEOPLE),
        "PersonObjectClass": "inetOrgPerson",
        "SearchFilter": "(&(objectclass=inetOrgPerson)(|(uid=%s)(mail=%s)(cn=%s)))",
    }
    details = {
        "MailAddress": "mail",
        "Name": "displayName",
        "Title": "title",
        "Location": "postalAddress",
        "Telephone": "telephoneNumber,mobile",
        "Company": "ou",
        "Photo": "jpegPhoto",
    }
    return render_cards([server], {"KeyStorePath": STORE, "KeyStorePassword": password}, details)


def _certificates() -> tuple[x509.Certificate, ssl.SSLContext]:
    """An authority whose key is not kept, and what the server needs to show a certificate by it."""
    authority_key, server_key = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    authority_name = _name("Quintet demo authority")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    names = x509.SubjectAlternativeName([x509.DNSName(HOST), x509.IPAddress(IPv4Address("127.0.0.1"))])
    server = (
        _builder(_name(HOST), authority_name, server_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(names, critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    return authority, _server_context(server, server_key)


def _server_context(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> ssl.SSLContext:
    """`ssl` reads keys from files only: a private one that is removed at once."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with tempfile.NamedTemporaryFile(suffix=".pem") as file:
        file.write(pem + certificate.public_bytes(serialization.Encoding.PEM))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Quintet demo"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=_VALID_DAYS))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
