"""HTTPS from the stores of the settings: what is presented, and how it is renewed."""

import asyncio
import signal
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from cryptography import x509

from quintet.config import WebSettings, check, read
from quintet.tls import RenewableContext, StoreError, TlsSettings, TlsSettingsError
from quintet.web.security import Guard
from quintet.web.server import listening
from support import certs, keytool
from support.certs import Issued
from support.folder import settings_folder
from support.serving import Serving, free_port
from support.slapd import Slapd

HOST = "people.example.com"
RSA = certs.leaf(certs.authority(), HOST, "localhost")
EC = certs.leaf(certs.authority(), HOST, "localhost", kind="p256", use="https")
Ask = Callable[[], Awaitable[bytes]]
REQUEST = b"GET /sign-in HTTP/1.1\r\nhost: localhost\r\n\r\n"


def store(path: Path, issued: Issued, *, legacy: bool = False) -> Path:
    path.unlink(missing_ok=True)
    return keytool.key_store(path, {"https": issued}, legacy=legacy)


def keys(path: Path, prefix: str = "QUINTET_HTTP_") -> dict[str, str]:
    return {
        "QUINTET_HTTP_TLS": "1",
        f"{prefix}TLS_KEY_STORE_TYPE": "p12",
        f"{prefix}TLS_KEY_STORE_FILE": str(path),
        f"{prefix}TLS_KEY_STORE_PASSWORD": keytool.PASSWORD,
    }


def ini(**values: str) -> str:
    return "[Config]\n" + "".join(f"{key}={value}\n" for key, value in values.items())


def codes(folder: Path, text: str) -> set[str]:
    return {each.code.name for each in check(folder, {}, overrides={"sametime.ini": text.encode()})}


def profile(folder: Path, text: str) -> TlsSettings | None:
    settings, _ = read(folder, {}, overrides={"sametime.ini": text.encode()})
    assert settings is not None
    return settings.web.tls


# The settings.


def test_our_own_keys_override_those_of_the_server_one_by_one(tmp_path: Path) -> None:
    shared = {"ST_TLS_KEY_STORE_FILE": "st.p12", "ST_TLS_KEY_LABEL": "st", "STLDAP_TLS_KEY_LABEL": "ldap"}
    assert profile(tmp_path, ini(**shared)) is None
    tls = profile(tmp_path, ini(QUINTET_HTTP_TLS="1", **shared))
    assert tls is not None
    assert tls.key_store is not None
    assert (tls.key_store.path.name, tls.key_label, tls.trust_store) == ("st.p12", "st", None)
    tls = profile(tmp_path, ini(QUINTET_HTTP_TLS="1", QUINTET_HTTP_TLS_KEY_LABEL="mine", **shared))
    assert tls is not None
    assert tls.key_label == "mine"


def test_check_finds_what_is_wrong_with_the_key(tmp_path: Path) -> None:
    assert "Q143" in codes(tmp_path, ini(QUINTET_HTTP_TLS="1"))
    assert "Q143" in codes(tmp_path, ini(**keys(tmp_path / "missing.p12")))
    good = store(tmp_path / "good.p12", RSA)
    assert not codes(tmp_path, ini(**keys(good))) & {"Q143", "Q144", "Q88"}
    label = {"QUINTET_HTTP_TLS_KEY_LABEL": "other"}
    several = keytool.key_store(tmp_path / "several.p12", {"a": RSA, "b": EC})
    assert "Q88" in codes(tmp_path, ini(**keys(several), **label))
    strong = {"QUINTET_HTTP_TLS_SECURITY_LEVEL": "4"}
    assert "Q143" in codes(tmp_path, ini(**keys(good), **strong))


def test_check_finds_a_certificate_that_browsers_refuse(tmp_path: Path) -> None:
    old = certs.leaf(certs.authority(), HOST, starts=-30, ends=-2)
    assert "Q112" in codes(tmp_path, ini(**keys(store(tmp_path / "old.p12", old))))
    good = keys(store(tmp_path / "good.p12", RSA))
    for host, wrong in ((HOST, False), ("other.example.com", True)):
        found = codes(tmp_path, ini(**good, QUINTET_PUBLIC_URL=f"https://{host}"))
        assert ("Q144" in found) is wrong


# The listener.


async def shown(port: int, name: str | None = HOST) -> tuple[x509.Certificate, asyncio.StreamWriter, Ask]:
    """The certificate that a new connection is shown, and the connection."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname=name or "")
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)

    async def ask() -> bytes:
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        (length,) = (line for line in head.split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.partition(b":")[2]))
        return head

    return x509.load_der_x509_certificate(der), writer, ask


@pytest.mark.real
async def test_it_serves_https_and_takes_a_new_certificate_without_dropping_connections(
    tmp_path: Path, slapd: Slapd
) -> None:
    port = free_port()
    path = store(tmp_path / "https.p12", RSA)
    config = keys(path, "ST_") | {"QUINTET_HTTP_PORT": str(port)}
    folder = settings_folder(tmp_path / "s", slapd, level="none", account=None, config=config)
    running = Serving(folder, STI__Config__QUINTET_HTTP_PORT=str(port))
    try:
        told = await asyncio.to_thread(running.until, "serving")
        assert told
        first, open_one, ask = await shown(port)
        head = (await ask()).lower()
        assert first == RSA.certificate
        assert b"strict-transport-security: max-age=" in head
        store(path, EC)
        running.send(signal.SIGHUP)
        await asyncio.to_thread(running.until, "new settings")
        for name in (HOST, None):
            renewed, writer, _ = await shown(port, name)
            assert renewed == EC.certificate
            writer.close()
        assert (await ask()).startswith(b"HTTP/1.1 200")
        path.write_bytes(b"no store")
        running.send(signal.SIGHUP)
        await asyncio.to_thread(running.until, "new settings rejected; the old ones stay in use")
        kept, writer, _ = await shown(port)
        assert kept == EC.certificate
        for each in (writer, open_one):
            each.close()
    finally:
        assert running.end() == 0, running.text


async def test_what_is_not_tls_is_closed(tmp_path: Path) -> None:

    tls = profile(tmp_path, ini(**keys(store(tmp_path / "a.p12", RSA))))
    assert tls is not None

    async def never(*_: object) -> None:
        raise AssertionError

    context = RenewableContext(tls)
    async with listening(Guard(never, WebSettings), "127.0.0.1", 0, "X", context.context) as listener:
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        writer.write(REQUEST)
        async with asyncio.timeout(10):
            assert b"HTTP" not in await reader.read()
        writer.close()


def test_a_store_that_can_not_be_used_changes_nothing(tmp_path: Path) -> None:

    path = store(tmp_path / "a.p12", RSA)
    tls = profile(tmp_path, ini(**keys(path)))
    assert tls is not None
    context = RenewableContext(tls)
    before = context._newest
    path.write_bytes(b"no store")
    with pytest.raises((StoreError, TlsSettingsError)):
        context.renew(tls)
    assert context._newest is before
