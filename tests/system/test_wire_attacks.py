"""An attacker on the wire who answers unencrypted, strips StartTLS or shows another certificate gets nothing.

He agrees to everything. Where a connection is to be encrypted, no name and no password may reach him in any
way: first try, repetition, other host, new settings, card.
"""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from quintet.cards import Cards
from quintet.config.load import load
from quintet.config.settings import Settings
from quintet.directory import (
    AuthenticationError,
    ConnectionState,
    Directory,
    DirectoryError,
    DirectoryUnavailableError,
    Protection,
    Service,
    UntrustedServerError,
)
from quintet.ldap.ber import BerError, header
from quintet.ldap.messages import (
    START_TLS,
    BindRequest,
    BindResponse,
    ExtendedRequest,
    ExtendedResponse,
    Message,
    Result,
    SearchRequest,
    SearchResultDone,
    SearchResultEntry,
    UnbindRequest,
    decode,
    encode,
)
from support import certs, keytool, small
from support.certs import Issued
from support.folder import settings_folder
from support.slapd import Slapd

pytestmark = pytest.mark.real

SECRETS = (b"alice-secret", b"wrong-secret", small.READER_PASSWORD.encode())
NAMES = (b"alice", b"people", b"engineers", small.READER_DN.encode())
GOODBYE = encode(Message(1, UnbindRequest()))
"""All that is said to a server that is not trusted, when its certificate has been looked at."""


@dataclass(slots=True)
class Attacker:
    """Says yes to whatever is asked. `heard` is all that he could read, `callers` how often he was called."""

    port: int = 0
    tls: ssl.SSLContext | None = None
    start_tls: int = 0
    """His result code for StartTLS; 0 agrees, and goes on unencrypted."""
    eager: bytes = b""
    """What he says before he is asked."""
    mute: bool = False
    heard: bytearray = field(default_factory=bytearray)
    callers: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.callers += 1
        with contextlib.suppress(OSError, ssl.SSLError):
            writer.write(self.eager)
            kept = b""
            while data := await reader.read(4096):
                self.heard += data
                kept += data
                if self.mute:
                    continue
                if not kept.startswith(b"\x30"):
                    break
                with contextlib.suppress(BerError):
                    while kept:
                        _, _, stop = header(kept, 0, len(kept))
                        message, kept = decode(kept[:stop]), kept[stop:]
                        for answer in self.answers(message):
                            writer.write(encode(answer))
                await writer.drain()
        writer.close()

    def answers(self, message: Message) -> Iterator[Message]:
        match message.op:
            case BindRequest():
                yield Message(message.id, BindResponse(Result(), None))
            case ExtendedRequest():
                yield Message(message.id, ExtendedResponse(Result(self.start_tls), START_TLS, None))
                if self.eager:
                    yield Message(message.id, BindResponse(Result(), None))
            case SearchRequest():
                yield Message(message.id, SearchResultEntry(small.person_dn("alice"), {"cn": [b"Alice"]}))
                yield Message(message.id, SearchResultDone(Result()))

    def holds(self, *marks: bytes) -> list[bytes]:
        return [mark for mark in marks if mark in self.heard]


@asynccontextmanager
async def listening(attacker: Attacker) -> AsyncIterator[Attacker]:
    server = await asyncio.start_server(attacker.serve, "127.0.0.1", 0, ssl=attacker.tls)
    attacker.port = server.sockets[0].getsockname()[1]
    try:
        yield attacker
    finally:
        server.close()


def showing(folder: Path, issued: Issued) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issued.write(folder, "attacker"))
    return context


def encrypted_services(level: str) -> set[Service]:
    return {each for each in Service if Protection[level.upper()].encrypts(each)} | {Service.BUSINESS_CARD}


async def try_everything(settings: Settings, attacker: Attacker, level: str) -> list[BaseException]:
    """Every task that is to be encrypted, in every way that could slip: each outcome that was an error."""
    aimed = encrypted_services(level)

    def route(service: Service, host: str, port: int) -> tuple[str, int]:
        return ("127.0.0.1", attacker.port) if service in aimed else (host, port)

    failures: list[BaseException] = []

    async def note(asked: Awaitable[object]) -> None:
        with pytest.raises(DirectoryError) as told:
            await asked
        failures.append(told.value)

    settings = replace(settings, directory=replace(settings.directory, connect_timeout=2.0))
    async with Directory(settings, route=route) as directory, Cards(settings, route=route) as cards:

        async def round_of_tasks() -> None:
            await note(directory.authenticate("alice", "alice-secret"))
            await note(directory.authenticate("alice", "wrong-secret"))
            await note(cards.card("alice"))
            if level == "all":
                await note(directory.resolve("alice"))
                await note(directory.browse(small.PEOPLE))
                await note(directory.members("engineers"))

        await round_of_tasks()
        await directory.connect_all()
        await cards.connect_all()
        await round_of_tasks()
        changed = replace(settings.directory, connect_timeout=3.0, operation_timeout=9.0)
        await directory.reload(replace(settings, directory=changed))
        await round_of_tasks()
        assert not any(
            row.state is ConnectionState.CONNECTED for row in directory.status() if row.service in aimed
        )
    return failures


Make = Callable[..., Settings]


@pytest.fixture
def make(tmp_path: Path, small_slapd: Slapd) -> Make:
    def make(level: str, hosts: str = "localhost", **keys: str) -> Settings:
        folder = settings_folder(
            tmp_path / level,
            small_slapd,
            level=level,
            cards_encrypted=True,
            directory=keys,
            connection={"HostName": hosts},
        )
        return load(folder, {})

    return make


@pytest.mark.parametrize("eager", [b"", encode(Message(1, BindResponse(Result(), None)))], ids=["", "eager"])
@pytest.mark.parametrize("level", ["all", "passwords"])
async def test_c7_a_secure_port_that_speaks_clear_ldap_hears_no_ldap_at_all(
    make: Make, level: str, eager: bytes
) -> None:
    async with listening(Attacker(eager=eager)) as attacker:
        failures = await try_everything(make(level), attacker, level)
    assert attacker.callers > 3
    assert not attacker.holds(*SECRETS, *NAMES)
    assert all(isinstance(each, UntrustedServerError | DirectoryUnavailableError) for each in failures)
    assert any(isinstance(each, UntrustedServerError) for each in failures)


@pytest.mark.parametrize(("answer", "eager"), [(2, b""), (52, b""), (0, b""), (0, b"\x30")])
@pytest.mark.parametrize("level", ["all", "passwords"])
async def test_start_tls_cannot_be_stripped(make: Make, level: str, answer: int, eager: bytes) -> None:
    settings = make(level, QUINTET_START_TLS="1")
    async with listening(Attacker(start_tls=answer, eager=eager)) as attacker:
        failures = await try_everything(settings, attacker, level)
    assert not attacker.holds(*SECRETS, *NAMES)
    assert not any(isinstance(each, AuthenticationError) for each in failures)


@pytest.mark.parametrize("kind", ["other host", "other authority", "expired", "self-signed", "not yet valid"])
@pytest.mark.parametrize("level", ["all", "passwords"])
async def test_c8_a_wrong_certificate_gets_no_request(
    make: Make, tmp_path: Path, small_slapd: Slapd, level: str, kind: str
) -> None:
    authority = small_slapd.authority
    shown = {
        "other host": lambda: certs.leaf(authority, "evil.example"),
        "other authority": lambda: certs.leaf(certs.authority("Evil CA"), *certs.LOCAL),
        "expired": lambda: certs.expired(authority, *certs.LOCAL),
        "self-signed": lambda: certs.self_signed(*certs.LOCAL),
        "not yet valid": lambda: certs.not_yet_valid(authority, *certs.LOCAL),
    }[kind]()
    async with listening(Attacker(tls=showing(tmp_path, shown))) as attacker:
        failures = await try_everything(make(level), attacker, level)
    assert attacker.heard.replace(GOODBYE, b"") == b""
    assert any(isinstance(each, UntrustedServerError) for each in failures)
    assert not any(isinstance(each, AuthenticationError) for each in failures)


async def test_an_old_version_of_tls_is_no_way_in(make: Make, tmp_path: Path, small_slapd: Slapd) -> None:
    old = showing(tmp_path, certs.leaf(small_slapd.authority, *certs.LOCAL))
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    async with listening(Attacker(tls=old)) as attacker:
        await try_everything(make("all"), attacker, "all")
    assert attacker.heard.replace(GOODBYE, b"") == b""


async def test_a_second_host_does_not_get_in_clear_what_the_first_would_not_take(make: Make) -> None:
    async with listening(Attacker()) as attacker:
        failures = await try_everything(make("passwords", "localhost,127.0.0.1"), attacker, "passwords")
    assert not attacker.holds(*SECRETS)
    assert not any(isinstance(each, AuthenticationError) for each in failures)


def test_the_errors_of_an_attacked_connection_hold_no_secret(
    make: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    async def attacked() -> str:
        async with listening(Attacker()) as attacker:
            failures = await try_everything(make("all"), attacker, "all")
        return "".join(f"{each!r}{each}{each.__cause__!r}{each.__cause__}" for each in failures)

    told = asyncio.run(attacked()) + "".join(capsys.readouterr())
    assert not any(secret.decode() in told for secret in (*SECRETS, keytool.PASSWORD.encode()))


async def test_a_secure_port_that_says_nothing_is_called_once_and_not_again_to_explain(make: Make) -> None:
    attacker = Attacker(mute=True)
    settings = make("all")
    quick = replace(settings, directory=replace(settings.directory, connect_timeout=0.3))
    async with (
        listening(attacker),
        Directory(quick, route=lambda *_: ("127.0.0.1", attacker.port)) as directory,
    ):
        with pytest.raises(UntrustedServerError, match="does not answer"):
            await directory.resolve("alice")
    assert attacker.callers == 1
