"""`quintet trust` fetches, imports, lists, removes, converts and stashes, and says what is wrong instead."""

import asyncio
import dataclasses
import hashlib
import io
import json
import ssl
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from quintet.cli.app import main
from quintet.tls import fingerprint, read_stash
from support import certs, keytool, odd
from support.slapd import Slapd

ROOT = certs.authority("Root")
MIDDLE = certs.authority("Middle", issuer=ROOT)
OTHER = certs.authority("Other", use="other")


def whole(issued: certs.Issued, root: certs.Issued) -> certs.Issued:
    """The same, shown with its root."""
    return dataclasses.replace(issued, chain=(*issued.chain, root.certificate))


@pytest.fixture(scope="module")
def with_root() -> Iterator[Slapd]:
    """A server that sends its whole chain: leaf, intermediate, root."""
    certificate = whole(certs.leaf(MIDDLE, *certs.LOCAL), ROOT)
    with Slapd(authority=ROOT, certificate=certificate) as server:
        yield server


@pytest.fixture(scope="module")
def without_root() -> Iterator[Slapd]:
    """A server that sends leaf and intermediate, as RFC 8446 allows."""
    with Slapd(authority=ROOT, certificate=certs.leaf(MIDDLE, *certs.LOCAL)) as server:
        yield server


@pytest.fixture
def quintet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> "Command":
    return Command(tmp_path, capsys)


@dataclasses.dataclass
class Command:
    """`quintet trust` in a settings folder; after a call, `out` and `err` have what it printed."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    out: str = ""
    err: str = ""

    def __call__(self, *arguments: str | Path) -> int:
        self.capsys.readouterr()
        code = main(["--config", str(self.folder), "trust", *map(str, arguments)])
        self.out, self.err = self.capsys.readouterr()
        return code

    def aliases(self, *arguments: str | Path) -> list[str]:
        assert self("list", "--json", *arguments) == 0
        return [entry["alias"] for entry in json.loads(self.out)["entries"]]

    def words(self) -> str:
        """All that was printed, without line breaks."""
        return " ".join((self.out + self.err).split())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@contextmanager
def service(says: bytes | None, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """A service on loopback in a thread of its own, that answers `says`; None keeps silent."""
    ports: list[int] = []
    up, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def visit(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        if says is None:
            await reader.read()
        else:
            writer.write(says)
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(visit, "127.0.0.1", 0, ssl=tls)
        async with server:
            ports.append(server.sockets[0].getsockname()[1])
            up.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    up.wait()
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


@pytest.mark.real
def test_fetch_takes_the_root_and_makes_the_store(quintet: Command, with_root: Slapd) -> None:
    code = quintet("fetch", f"localhost:{with_root.tls_port}", "--accept", fingerprint(ROOT.certificate))
    assert code == 0
    assert f"localhost:{with_root.tls_port} is trusted now" in quintet.words()
    assert quintet.aliases() == ["root"]
    password = read_stash(quintet.folder / "ldaptruststore.sth").reveal()
    assert keytool.entries(quintet.folder / "ldaptruststore.p12", password) == {"root": "trustedCertEntry"}
    assert "STLDAP_TLS_TRUST_STORE_FILE=" in (quintet.folder / "sametime.ini").read_text()
    assert password not in quintet.words()


@pytest.mark.real
def test_fetch_works_over_starttls(quintet: Command, with_root: Slapd) -> None:
    address = f"localhost:{with_root.port}"
    assert quintet("fetch", address, "--starttls", "--accept", fingerprint(ROOT.certificate)) == 0
    assert quintet.aliases() == ["root"]


@pytest.mark.real
def test_fetch_asks_and_a_yes_imports(
    quintet: Command, with_root: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))
    assert quintet("fetch", f"localhost:{with_root.tls_port}") == 0
    assert fingerprint(ROOT.certificate) in quintet.err
    assert quintet.aliases() == ["root"]


@pytest.mark.real
def test_fetch_asks_and_anything_else_changes_nothing(
    quintet: Command, with_root: Slapd, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert quintet("fetch", f"localhost:{with_root.tls_port}") == 1
    assert contents(quintet.folder) == {}


@pytest.mark.real
def test_fetch_refuses_when_another_fingerprint_was_accepted(quintet: Command, with_root: Slapd) -> None:
    address = f"localhost:{with_root.tls_port}"
    assert quintet("fetch", address, "--accept", fingerprint(OTHER.certificate)) == 1
    assert fingerprint(ROOT.certificate) in "".join(quintet.err.split())
    assert contents(quintet.folder) == {}


@pytest.mark.real
def test_fetch_refuses_what_is_no_fingerprint(quintet: Command, with_root: Slapd) -> None:
    assert quintet("fetch", f"localhost:{with_root.tls_port}", "--accept", "yes") == 2
    assert "64 hexadecimal digits" in quintet.words()


@pytest.mark.real
def test_fetch_json_shows_the_chain_and_changes_nothing(quintet: Command, with_root: Slapd) -> None:
    assert quintet("fetch", f"localhost:{with_root.tls_port}", "--json") == 0
    document = json.loads(quintet.out)
    assert [c["subject"].split(",")[0] for c in document["chain"]] == ["CN=localhost", "CN=Middle", "CN=Root"]
    assert document["anchor"]["found"] == "in-chain"
    assert document["anchor"]["fingerprint"] == fingerprint(ROOT.certificate)
    assert document["imported"] is None
    assert contents(quintet.folder) == {}


@pytest.mark.real
def test_fetch_names_the_root_that_is_not_sent(quintet: Command, without_root: Slapd) -> None:
    assert quintet("fetch", f"localhost:{without_root.tls_port}") == 1
    assert "does not send the certificate to trust: CN=Root,O=Quintet Tests" in quintet.words()
    assert "quintet trust import" in quintet.words()
    assert contents(quintet.folder) == {}


@pytest.mark.real
def test_fetch_takes_an_intermediate_that_is_accepted_by_name(quintet: Command, without_root: Slapd) -> None:
    address = f"localhost:{without_root.tls_port}"
    assert quintet("fetch", address, "--accept", fingerprint(MIDDLE.certificate)) == 0
    assert "is trusted now" in quintet.words()


@pytest.mark.real
def test_c9_fetch_takes_a_self_signed_certificate(quintet: Command, make_slapd: Callable[..., Slapd]) -> None:
    own = certs.self_signed()
    server = make_slapd(authority=own, certificate=own)
    address = f"localhost:{server.tls_port}"
    assert quintet("fetch", address, "--accept", fingerprint(own.certificate)) == 0
    assert "is trusted now" in quintet.words()


@pytest.mark.real
def test_fetch_tells_when_the_name_still_does_not_match(
    quintet: Command, make_slapd: Callable[..., Slapd]
) -> None:
    server = make_slapd(authority=ROOT, certificate=whole(certs.leaf(ROOT, "ldap.example.com"), ROOT))
    address = f"localhost:{server.tls_port}"
    accept = ("--accept", fingerprint(ROOT.certificate))
    assert quintet("fetch", address, "--json", *accept) == 0
    document = json.loads(quintet.out)
    assert (document["imported"], document["trusted"], document["code"]) == ("root", False, "T206")
    assert "ldap.example.com" in document["problem"]
    assert quintet("fetch", address, *accept) == 0
    assert "is still not trusted" in quintet.words()


@pytest.mark.real
def test_fetch_finds_that_all_is_well_already(quintet: Command, with_root: Slapd) -> None:
    address = f"localhost:{with_root.tls_port}"
    quintet("fetch", address, "--accept", fingerprint(ROOT.certificate))
    before = contents(quintet.folder)
    assert quintet("fetch", address) == 0
    assert "holds CN=Root,O=Quintet Tests already" in quintet.words()
    assert contents(quintet.folder) == before


@pytest.mark.real
def test_fetch_tells_a_clear_port_given_as_the_tls_port(quintet: Command, with_root: Slapd) -> None:
    assert quintet("fetch", f"localhost:{with_root.port}") == 3
    assert "is a plain LDAP port" in quintet.words()


@pytest.mark.real
def test_fetch_tells_a_tls_port_given_for_starttls(quintet: Command, with_root: Slapd) -> None:
    assert quintet("fetch", f"localhost:{with_root.tls_port}", "--starttls") == 3
    assert "leave out --starttls" in quintet.words()


@pytest.mark.parametrize(
    ("says", "words"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a web server answers ('HTTP/1.1 400 Bad Request')"),
        (b"220 mail ESMTP\r\n", "speaks neither LDAP nor TLS ('220 mail ESMTP')"),
        (b"\x00\x01garbage", "speaks neither LDAP nor TLS"),
        (b"", "closes them at once"),
    ],
)
def test_fetch_tells_what_answers_instead_of_a_tls_server(quintet: Command, says: bytes, words: str) -> None:
    with service(says) as port:
        assert quintet("fetch", f"127.0.0.1:{port}") == 3
    assert words in quintet.words()
    assert contents(quintet.folder) == {}


def test_fetch_tells_a_server_that_says_nothing(quintet: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quintet.admin.fetching.PATIENCE", 0.2)
    with service(None) as port:
        assert quintet("fetch", f"127.0.0.1:{port}") == 3
    assert "does not answer" in quintet.words()


def test_fetch_tells_that_nothing_listens(quintet: Command) -> None:
    assert quintet("fetch", "127.0.0.1:1") == 3
    assert "127.0.0.1:1 refuses connections" in quintet.words()


def test_fetch_tells_a_name_that_does_not_resolve(quintet: Command) -> None:
    assert quintet("fetch", "no-such-host.invalid:636") == 3
    assert "'no-such-host.invalid' does not resolve" in quintet.words()


@pytest.mark.parametrize("address", ["", "a:b", "a:0", "a:65536", "ldaps://a:636", "a b:1", "::1:636"])
def test_fetch_refuses_what_is_no_address(quintet: Command, address: str) -> None:
    assert quintet("fetch", address) == 2


@pytest.mark.real
def test_import_makes_the_store_and_leaves_the_leaf_out(quintet: Command, tmp_path: Path) -> None:
    bundle = tmp_path.parent / f"{tmp_path.name}.pem"
    bundle.write_bytes(certs.bundle(certs.leaf(MIDDLE, "a"), MIDDLE, ROOT))
    assert quintet("import", bundle, "--yes") == 0
    assert "Imported: middle, root" in quintet.words()
    assert "CN=a,O=Quintet Tests is not imported: it is a server's own certificate" in quintet.words()
    assert quintet.aliases() == ["middle", "root"]


def test_import_of_a_leaf_alone_is_refused(quintet: Command, tmp_path: Path) -> None:
    file = tmp_path.parent / f"{tmp_path.name}.der"
    file.write_bytes(certs.leaf(ROOT, "a").der)
    assert quintet("import", file, "--yes") == 1
    assert "issued by 'CN=Root,O=Quintet Tests'" in quintet.words()
    assert contents(quintet.folder) == {}


def test_import_by_force_takes_a_leaf(quintet: Command, tmp_path: Path) -> None:
    file = tmp_path.parent / f"{tmp_path.name}.der"
    file.write_bytes(certs.leaf(ROOT, "a").der)
    assert quintet("import", file, "--yes", "--force", "--alias", "server-a") == 0
    assert quintet.aliases() == ["server-a"]


def test_import_of_no_certificate_is_refused_with_the_file(quintet: Command, tmp_path: Path) -> None:
    file = tmp_path.parent / f"{tmp_path.name}.txt"
    file.write_text("hello")
    assert quintet("import", file, "--yes") == 2
    assert f"{file}: it is neither PEM, DER nor PKCS#7" in quintet.words()


def test_import_of_a_missing_file_is_refused(quintet: Command) -> None:
    assert quintet("import", "none.pem", "--yes") == 2
    assert "none.pem" in quintet.err


@pytest.mark.real
@pytest.mark.parametrize("name", ["some.p12", "some.pfx", "some.jks"])
def test_any_store_is_made_listed_changed_and_converted(quintet: Command, tmp_path: Path, name: str) -> None:
    store, password, pem = tmp_path / name, tmp_path / "password", tmp_path / "root.pem"
    password.write_text("long-enough\nand a comment\n")
    pem.write_bytes(ROOT.pem)
    given = ("--store", store, "--password-file", password)
    assert quintet("create", *given) == 0
    assert quintet.aliases(*given) == []
    assert quintet("import", pem, "--yes", *given) == 0
    assert keytool.entries(store, "long-enough") == {"root": "trustedCertEntry"}
    assert quintet("convert", tmp_path / "other.p12", "--legacy", *given) == 0
    assert keytool.entries(tmp_path / "other.p12", "long-enough") == {"root": "trustedCertEntry"}
    assert quintet("remove", "root", "--yes", *given) == 0
    assert quintet.aliases(*given) == []
    assert not (tmp_path / "sametime.ini").exists()


def at_a_terminal(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Answers are typed. The list gets the questions."""
    asked: list[str] = []
    typed = iter(answers)

    def getpass(prompt: str, stream: object) -> str:
        assert stream is sys.stderr
        asked.append(prompt)
        return next(typed)

    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("quintet.cli.prompts.getpass", getpass)
    return asked


def test_the_password_is_asked_for(quintet: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "a.p12"
    asked = at_a_terminal(monkeypatch, "one-password", "another", *["typed-password"] * 3)
    assert quintet("create", "--store", store) == 0
    assert "differ" in quintet.err
    assert quintet("list", "--store", store) == 0
    once, again = f"Password of {store}: ", "Repeat: "
    assert asked == [once, again, once, again, once]


@pytest.mark.parametrize("content", [b"", b"\n", b"\xef\xbb\xbf\r\n", b"\xff\xfea\0", b"x" * 5000])
def test_a_file_without_a_password_is_told_and_makes_no_store(
    quintet: Command, tmp_path: Path, content: bytes
) -> None:
    password = tmp_path / "password"
    password.write_bytes(content)
    assert quintet("create", "--store", tmp_path / "a.p12", "--password-file", password) == 2
    assert "password" in quintet.err
    assert not (tmp_path / "a.p12").exists()


def test_an_empty_password_makes_no_store(
    quintet: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_a_terminal(monkeypatch, "", "")
    assert quintet("create", "--store", tmp_path / "a.p12") == 2
    assert not (tmp_path / "a.p12").exists()


@pytest.mark.parametrize("alias", ["nobody", "roott"])
def test_removing_an_unknown_entry_is_a_no(quintet: Command, tmp_path: Path, alias: str) -> None:
    pem = tmp_path / "root.pem"
    pem.write_bytes(ROOT.pem)
    quintet("import", pem, "--yes")
    before = contents(quintet.folder)
    assert quintet("remove", alias, "--yes") == 1
    assert "the entries are: root" in quintet.words()
    assert contents(quintet.folder) == before


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"a text\n", "it is text"), (b"", "the file is empty"), (ROOT.pem, "PEM text")],
)
def test_a_store_that_is_none_is_told(quintet: Command, tmp_path: Path, data: bytes, words: str) -> None:
    store, password = tmp_path / "a.p12", tmp_path / "password"
    store.write_bytes(data)
    password.write_text("x")
    assert quintet("list", "--store", store, "--password-file", password) == 2
    assert words in quintet.words()
    assert store.read_bytes() == data


def test_a_wrong_password_is_told_and_not_shown(quintet: Command, tmp_path: Path) -> None:
    store, password = tmp_path / "a.p12", tmp_path / "password"
    password.write_text("right-one")
    quintet("create", "--store", store, "--password-file", password)
    password.write_text("hush-hush")
    assert quintet("list", "--store", store, "--password-file", password) == 2
    assert "the password does not open the store" in quintet.words()
    assert "hush" not in quintet.words()


def test_list_without_any_store_tells_how_to_make_one(quintet: Command) -> None:
    assert quintet("list") == 2
    assert "quintet trust fetch HOST:PORT" in quintet.words()


def test_list_prints_an_entry_a_line_with_whole_names(quintet: Command, tmp_path: Path) -> None:
    pem = tmp_path / "root.pem"
    pem.write_bytes(certs.bundle(ROOT, OTHER, certs.self_signed("a-rather-long-host-name.ldap.example.com")))
    quintet("import", pem, "--yes")
    assert quintet("list") == 0
    assert [line.count("\t") for line in quintet.out.splitlines()[:-1]] == [4] * 4
    assert "CN=a-rather-long-host-name.ldap.example.com" in quintet.out
    assert "Sametime: yes" in quintet.out


def test_stash_moves_the_password(quintet: Command, tmp_path: Path) -> None:
    store, password = tmp_path / "a.p12", tmp_path / "password"
    password.write_text("right-one")
    quintet("create", "--store", store, "--password-file", password)
    (tmp_path / "sametime.ini").write_text(
        f"[Config]\nST_TLS_TRUST_STORE_FILE={store}\nST_TLS_TRUST_STORE_PASSWORD=right-one\n"
    )
    assert quintet("stash", "--yes") == 0
    assert (tmp_path / "sametime.ini").read_text() == (
        f"[Config]\nST_TLS_TRUST_STORE_FILE={store}\n"
        f"ST_TLS_TRUST_STORE_PASSWORD_STASH_FILE={tmp_path / 'a.sth'}\n"
    )
    assert quintet("list") == 0


# JSON


def test_every_change_is_a_document_in_json(quintet: Command, tmp_path: Path) -> None:
    pem = tmp_path.parent / f"{tmp_path.name}.pem"
    pem.write_bytes(certs.bundle(certs.leaf(ROOT, "a"), ROOT, OTHER))
    store = tmp_path / "ldaptruststore.p12"

    def document(*arguments: str | Path) -> dict[str, Any]:
        assert quintet(*arguments, "--json") == 0
        found = json.loads(quintet.out)
        assert isinstance(found, dict)
        return found

    made = document("create")
    assert (made["store"], made["kind"], made["created"], made["legacy"]) == (str(store), "p12", True, True)
    assert made["stash"] == str(store.with_suffix(".sth"))
    assert "STLDAP_TLS_TRUST_STORE_FILE" in made["settings"]

    imported = document("import", pem, "--yes")
    assert [each["alias"] for each in imported["imported"]] == ["root", "other"]
    assert imported["imported"][0]["fingerprint"] == fingerprint(ROOT.certificate)
    assert [each["subject"] for each in imported["left_out"]] == ["CN=a,O=Quintet Tests"]
    assert imported["backups"] == [f"{store}.bak"]

    removed = document("remove", "other", "--yes")
    assert (removed["removed"], removed["trusted_left"]) == (["other"], 1)

    converted = document("convert", tmp_path / "other.jks", "--yes")
    assert (converted["store"], converted["kind"]) == (str(tmp_path / "other.jks"), "jks")

    listed = document("list")
    assert [(each["alias"], each["java"], each["sametime"]) for each in listed["entries"]] == [
        ("root", True, True)
    ]
    assert (listed["unreadable"], listed["notes"]) == ([], [])


def test_import_of_nothing_that_helps_is_a_document_and_exit_1(quintet: Command, tmp_path: Path) -> None:
    file = tmp_path.parent / f"{tmp_path.name}.der"
    file.write_bytes(certs.leaf(ROOT, "a").der)
    assert quintet("import", file, "--yes", "--json") == 1
    document = json.loads(quintet.out)
    assert document["imported"] == []
    assert len(document["left_out"]) == 1


def test_stash_is_a_document_in_json(quintet: Command, tmp_path: Path) -> None:
    store, password = tmp_path / "a.p12", tmp_path / "password"
    password.write_text("right-one")
    quintet("create", "--store", store, "--password-file", password)
    (tmp_path / "sametime.ini").write_text(
        f"[Config]\nST_TLS_TRUST_STORE_FILE={store}\nST_TLS_TRUST_STORE_PASSWORD=right-one\n"
    )
    assert quintet("stash", "--yes", "--json") == 0
    document = json.loads(quintet.out)
    assert document["stash"] == str(tmp_path / "a.sth")
    assert document["variable"] is None
    assert "right-one" not in quintet.words()


# Stores of others


@pytest.mark.real
@pytest.mark.parametrize("made_by", ["openssl", "keytool"])
def test_a_store_without_a_password_is_listed_with_an_empty_password_file_or_none(
    quintet: Command, tmp_path: Path, made_by: str
) -> None:
    store, pem = tmp_path / "empty.p12", tmp_path / "ca.pem"
    pem.write_bytes(ROOT.pem)
    if made_by == "openssl":
        making = ("openssl", "pkcs12", "-export", "-nokeys", "-in", pem, "-out", store, "-passout", "pass:")
        subprocess.run(making, check=True)
    else:
        keytool.keytool(
            *("-J-Dkeystore.pkcs12.certProtectionAlgorithm=NONE", "-J-Dkeystore.pkcs12.macAlgorithm=NONE"),
            *("-importcert", "-noprompt", "-alias", "root", "-file", pem, "-storetype", "PKCS12"),
            *("-storepass", "changeit", "-keystore", store),
        )
    for content in (None, "", "\n"):
        given: tuple[str | Path, ...] = ()
        if content is not None:
            (tmp_path / "password").write_text(content)
            given = ("--password-file", tmp_path / "password")
        assert quintet("list", "--store", store, *given, "--json") == 0
        assert len(json.loads(quintet.out)["entries"]) == 1


def test_a_new_store_needs_a_password(quintet: Command, tmp_path: Path) -> None:
    (tmp_path / "password").write_text("")
    given = ("--password-file", tmp_path / "password")
    assert quintet("create", "--store", tmp_path / "a.p12", *given) == 2
    assert not (tmp_path / "a.p12").exists()


def test_an_entry_that_cannot_be_read_is_named_and_the_others_are_listed(
    quintet: Command, tmp_path: Path
) -> None:
    bad = odd.edited(ROOT, ROOT, odd.version(4))
    body = b"\xfe\xed\xfe\xed" + struct.pack(">II", 2, 2)
    for alias, data in (("odd", bad), ("good", ROOT.der)):
        body += struct.pack(">IH", 2, len(alias)) + alias.encode() + bytes(8)
        body += b"\0\5X.509" + struct.pack(">I", len(data)) + data
    digest = hashlib.sha1("secret".encode("utf-16-be") + b"Mighty Aphrodite" + body).digest()
    (tmp_path / "odd.jks").write_bytes(body + digest)
    (tmp_path / "password").write_text("secret")
    given = ("--store", tmp_path / "odd.jks", "--password-file", tmp_path / "password")
    assert quintet("list", *given, "--json") == 0
    document = json.loads(quintet.out)
    assert [each["alias"] for each in document["entries"]] == ["good"]
    assert [each["alias"] for each in document["unreadable"]] == ["odd"]
    assert [each["code"] for each in document["notes"]] == ["T126"]
    assert not document["entries"][0]["java"]
    assert quintet("remove", "good", "--yes", *given) == 2
    assert quintet("remove", "odd", "--yes", *given) == 0
    assert quintet.aliases(*given) == ["good"]


@pytest.mark.real
def test_a_store_is_in_the_legacy_encoding_unless_the_modern_one_is_asked_for(
    quintet: Command, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("right-one")
    (tmp_path / "ca.pem").write_bytes(ROOT.pem)
    for options, legacy in (((), True), (("--legacy",), True), (("--modern",), False)):
        store = tmp_path / f"{len(list(tmp_path.iterdir()))}.p12"
        given = ("--store", store, "--password-file", tmp_path / "password")
        assert quintet("create", *given, *options) == 0
        assert quintet("import", tmp_path / "ca.pem", "--yes", *given) == 0
        assert quintet("list", *given, "--json") == 0
        (entry,) = json.loads(quintet.out)["entries"]
        assert (entry["java"], entry["sametime"]) == (True, legacy)
        assert quintet("convert", "--yes", *given) == 0
        assert quintet("list", *given, "--json") == 0
        assert json.loads(quintet.out)["entries"][0]["sametime"]
