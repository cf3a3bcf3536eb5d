"""The settings of a community of several servers: the URL, the key file, and what must be set besides."""

import base64
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config import Settings, ValkeyAddress, parse_valkey_url, read_cluster_keys
from quintet.config.load import read
from quintet.diagnostics import Severity
from quintet.secret import Secret
from support import certs, keytool

KEY = base64.b64encode(bytes(range(32))).decode()
OTHER = base64.b64encode(bytes(32)).decode()
DATABASE = "QUINTET_DATABASE=postgresql://u:p@localhost/q"
MINIMAL = b'<R><LDAP><Connection HostName="h"/></LDAP></R>'


def loaded(folder: Path, *lines: str) -> tuple[Settings, dict[str, Severity]]:
    """The settings with these lines below [Config], and the codes about the cluster."""
    ini = "\n".join(("[Config]", *lines)).encode()
    found, problems = read(folder, {}, overrides={"sametime.ini": ini, "StCommunityConfig.xml": MINIMAL})
    assert found is not None
    told = {each.code.name: each.severity for each in problems}
    return found, {code: how for code, how in told.items() if code.startswith("Q15") or code == "Q61"}


def key_file(folder: Path, text: str = KEY, mode: int = 0o600) -> Path:
    path = folder / "cluster.key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_server_without_the_key_is_on_its_own(tmp_path: Path) -> None:
    settings, codes = loaded(tmp_path)
    assert settings.cluster is None
    assert codes == {}


def test_a_cluster_has_an_address_keys_and_a_name(tmp_path: Path) -> None:
    key_file(tmp_path, f"# first\n{KEY}\n\n{OTHER}\n")
    settings, codes = loaded(
        tmp_path, "QUINTET_CLUSTER=redis://localhost", "QUINTET_CLUSTER_KEY_FILE=cluster.key", DATABASE
    )
    assert codes == {}
    assert settings.cluster is not None
    assert settings.cluster.address == ValkeyAddress((("localhost", 6379),))
    assert settings.cluster.keys == (Secret(KEY), Secret(OTHER))
    assert settings.cluster.community == "quintet"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["QUINTET_CLUSTER=http://localhost"], "Q150"),
        (["QUINTET_CLUSTER=redis+cluster://localhost"], "Q150"),
        (["QUINTET_CLUSTER=redis://localhost", DATABASE], "Q151"),
        (["QUINTET_CLUSTER=redis://localhost", DATABASE, "QUINTET_CLUSTER_KEY_FILE=missing"], "Q151"),
        (["QUINTET_CLUSTER=redis://localhost", DATABASE, "QUINTET_CLUSTER_KEY_FILE=."], "Q151"),
        (["QUINTET_CLUSTER=redis://valkey.example.com", DATABASE], "Q152"),
        (["QUINTET_CLUSTER=redis://192.0.2.1", DATABASE], "Q152"),
        (["QUINTET_CLUSTER=redis+sentinel://localhost/m", DATABASE], "Q152"),
        (["QUINTET_CLUSTER=redis://localhost"], "Q153"),
        (["QUINTET_CLUSTER=redis://localhost", "QUINTET_DATABASE=sqlite:///q.db"], "Q153"),
        (["QUINTET_CLUSTER=rediss://localhost", DATABASE], "Q154"),
        (["QUINTET_COMMUNITY=two words"], "Q61"),
        (["QUINTET_NODE=a|b"], "Q61"),
    ],
)
def test_what_is_wrong_is_an_error_with_its_code(tmp_path: Path, lines: list[str], code: str) -> None:
    _, codes = loaded(tmp_path, *lines)
    assert codes[code] is Severity.ERROR


def test_an_unencrypted_valkey_elsewhere_may_be_allowed(tmp_path: Path) -> None:
    key_file(tmp_path)
    settings, codes = loaded(
        tmp_path,
        *("QUINTET_CLUSTER=redis://valkey.example.com", "QUINTET_CLUSTER_KEY_FILE=cluster.key", DATABASE),
        "QUINTET_ALLOW_UNENCRYPTED_CLUSTER=1",
    )
    assert codes == {"Q152": Severity.WARNING}
    assert settings.cluster is not None


@pytest.mark.parametrize("scope", ["QUINTET_CLUSTER_", "ST_"])
def test_tls_has_a_trust_store_of_its_own_scope_or_of_the_whole_server(tmp_path: Path, scope: str) -> None:
    key_file(tmp_path)
    store = keytool.trust_store(tmp_path / "trust.p12", {"ca": certs.authority()})
    lines = (
        *("QUINTET_CLUSTER=rediss://localhost", "QUINTET_CLUSTER_KEY_FILE=cluster.key", DATABASE),
        f"{scope}TLS_TRUST_STORE_FILE={store}",
        f"{scope}TLS_TRUST_STORE_PASSWORD={keytool.PASSWORD}",
    )
    settings, codes = loaded(tmp_path, *lines)
    assert codes == {}
    assert settings.cluster is not None
    assert settings.cluster.tls.trust_store is not None
    assert settings.cluster.tls.trust_store.path == store
    store.write_bytes(b"damaged")
    assert loaded(tmp_path, *lines)[1]["Q154"] is Severity.ERROR


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (KEY, 0o604),
        (KEY, 0o620),
        (KEY, 0o601),
        ("", 0o600),
        ("# only a comment\n", 0o600),
        (KEY[:-4], 0o600),
        (base64.b64encode(bytes(33)).decode(), 0o600),
        ("not base64 at all!", 0o600),
        (f"{KEY} {KEY}", 0o600),
        (f"{KEY}\n{KEY}", 0o600),
        ("\n".join(base64.b64encode(bytes([n]) * 32).decode() for n in range(17)), 0o600),
        ("#" * 20_000, 0o600),
    ],
)
def test_a_key_file_that_others_may_read_or_that_is_damaged_is_refused(
    tmp_path: Path, text: str, mode: int
) -> None:
    path = key_file(tmp_path, text, mode)
    with pytest.raises(ValueError) as refused:  # noqa: PT011  (each has a text of its own)
        read_cluster_keys(path)
    assert KEY[:8] not in str(refused.value)
    _, codes = loaded(
        tmp_path, "QUINTET_CLUSTER=redis://localhost", f"QUINTET_CLUSTER_KEY_FILE={path}", DATABASE
    )
    assert codes == {"Q151": Severity.ERROR}


def test_a_key_file_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(OSError, match="regular"):
        read_cluster_keys(tmp_path / "pipe")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h", ValkeyAddress((("h", 6379),))),
        ("valkey://h:1", ValkeyAddress((("h", 1),))),
        ("REDISS://h/7", ValkeyAddress((("h", 6379),), encrypted=True, database=7)),
        ("redis://:p%40ss@[::1]:2/", ValkeyAddress((("::1", 2),), password=Secret("p@ss"))),
        ("redis://u:p:q@h", ValkeyAddress((("h", 6379),), user="u", password=Secret("p:q"))),
        (
            "rediss+sentinel://u:p@a,b:2/main/3",
            ValkeyAddress((("a", 26379), ("b", 2)), True, "main", "u", Secret("p"), 3),
        ),
        ("redis+sentinel://a/main", ValkeyAddress((("a", 26379),), master="main")),
    ],
)
def test_a_url_names_the_server(url: str, expected: ValkeyAddress) -> None:
    assert parse_valkey_url(url) == expected
    assert "p@ss" not in repr(parse_valkey_url(url))


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "redis",
            "redis://",
            "redis:///0",
            "redis://h:0",
            "redis://h:65536",
            "redis://h/x",
            "redis://h/0/1",
        ),
        *(
            "redis://h?x=1",
            "redis://h#x",
            "redis://a,b",
            "redis://user@h",
            "redis://[::g]",
            "redis+cluster://h",
        ),
        *("rediss+sentinel://h", "redis+sentinel://h/", "redis+sentinel:///m", "redis+ssl://h", "unix:///x"),
        *("redis://h\n", "redis://ü", "redis://h/" + "9" * 6, "redis://h ", "redis://:p@a@b"),
    ],
)
def test_another_text_is_no_url_of_valkey(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_valkey_url(url)


@given(st.text(max_size=40) | st.text(max_size=30).map(lambda text: f"redis://:SECRET{text}@h"))
def test_any_text_is_an_address_or_an_error_without_its_text(text: str) -> None:
    told = ""
    try:
        found = parse_valkey_url(text)
        told = f"{found} {found!r}"
    except ValueError as error:
        told = str(error)
    assert "SECRET" not in told


@pytest.mark.parametrize("url", ["redis://localhost", "redis://127.0.0.2", "redis://[::1]"])
def test_what_stays_on_this_machine_needs_no_encryption(url: str) -> None:
    assert parse_valkey_url(url).local


@pytest.mark.parametrize(
    "url", ["redis://localhost.example.com", "redis://10.0.0.1", "redis+sentinel://localhost/m"]
)
def test_what_may_leave_this_machine_does(url: str) -> None:
    assert not parse_valkey_url(url).local
