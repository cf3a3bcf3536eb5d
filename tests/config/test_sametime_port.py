"""The keys of the port for Sametime clients: values, and what is wrong with them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from quintet.config import ClientCertificates, SametimePortSettings, check, load, read
from quintet.config.schema import KNOWN_INI
from quintet.config.server_limits import limits_table
from quintet.diagnostics import Code, Finding, Severity
from quintet.runtime.sametime_port import server_settings
from quintet.sametime.serving import LegacyClients, SametimeSettings, SignInRule
from support import certs, keytool
from support.served_clients import certificate_keys, write_certificate

COMMUNITY = '<StCommunityConfig><LDAP><Connection HostName="localhost"/></LDAP></StCommunityConfig>'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "StCommunityConfig.xml").write_text(COMMUNITY)
    return tmp_path


def write(folder: Path, debug: str = "", **config: str) -> None:
    keys = "".join(f"{name}={value}\n" for name, value in config.items())
    (folder / "sametime.ini").write_text(f"[Config]\n{keys}[Debug]\n{debug}\n")


def problems(folder: Path) -> list[tuple[Code, Severity, str | None]]:
    """What is found about the port; that there are no business cards is not."""
    return [(p.code, p.severity, p.key) for p in check(folder, {}) if p.code is not Finding.Q41]


def test_without_keys_the_defaults_are_those_of_the_server(folder: Path) -> None:
    write(folder)
    assert problems(folder) == []
    settings = load(folder, {})
    assert settings.sametime == SametimePortSettings()
    made, usual = server_settings(settings), SametimeSettings()
    assert (made.port, made.legacy_clients, made.sign_ins) == (1533, LegacyClients.LOOPBACK, SignInRule.MANY)
    assert (made.limits, made.anonymous, made.browse_pages) == (usual.limits, False, False)
    assert made.node == made.server_name != ""


def test_the_words_of_the_schema_are_those_of_the_server() -> None:
    assert set(KNOWN_INI["quintet_legacy_clients"].choices) == {each.value for each in LegacyClients}
    assert set(KNOWN_INI["quintet_sign_ins"].choices) == {each.value for each in SignInRule}


def test_every_key_reaches_the_server(folder: Path) -> None:
    limits = {each.setting: str(int(each.least)) for each in limits_table()}
    write(
        folder,
        "VPMX_PORT=1534",
        QUINTET_ADDRESS="127.0.0.1",
        QUINTET_LEGACY_CLIENTS="allow",
        QUINTET_TRUSTED_PROXIES="10.0.0.0/8",
        QUINTET_SIGN_INS="newest",
        QUINTET_ANONYMOUS_USERS="1",
        QUINTET_RECHECK_MINUTES="5",
        QUINTET_ADMIN_GROUP="cn=admins,o=x",
        QUINTET_ALLOW_UNENCRYPTED_GROUPS="1",
        QUINTET_FIRST_CONTACTS="cn=All Staff,o=x; cn=Help,o=x",
        QUINTET_NODE="node1",
        QUINTET_BROWSE_PAGES="1",
        QUINTET_FILE_TRANSFER="0",
        QUINTET_MAX_FILE_KB="100",
        ST_RESOLVE_WHITELIST="example.com",
        **limits,
    )
    assert problems(folder) == []
    made = server_settings(load(folder, {}))
    assert (made.port, made.address, made.node) == (1534, "127.0.0.1", "node1")
    assert (made.legacy_clients, made.sign_ins) == (LegacyClients.ALLOW, SignInRule.NEWEST)
    assert (made.anonymous, made.recheck_minutes, made.admin_group) == (True, 5, "cn=admins,o=x")
    assert [str(each) for each in made.trusted_proxies] == ["10.0.0.0/8"]
    assert made.first_contacts == (("cn=All Staff,o=x", "All Staff"), ("cn=Help,o=x", "Help"))
    assert (made.browse_pages, made.file_transfer, made.largest_file_kb) == (True, False, 100)
    assert made.domains_allowed == ("example.com",)
    assert all(getattr(made.limits, each.name) == int(each.least) for each in limits_table())


@pytest.mark.parametrize("each", list(limits_table()), ids=lambda each: each.setting)
def test_a_limit_outside_of_its_range_is_an_error(folder: Path, each: object) -> None:
    name, most = str(getattr(each, "setting", "")), int(getattr(each, "most", 0))
    write(folder, **{name: str(most + 1)})
    assert problems(folder) == [(Finding.Q61, Severity.ERROR, name)]


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("QUINTET_LEGACY_CLIENTS", "sometimes", Finding.Q61),
        ("QUINTET_SIGN_INS", "all", Finding.Q61),
        ("QUINTET_ANONYMOUS_USERS", "perhaps", Finding.Q61),
        ("QUINTET_FIRST_CONTACTS", "no dn", Finding.Q62),
        ("QUINTET_DATABASE", "here", Finding.Q110),
        ("QUINTET_DATABASE", "sqlite://quintet.db", Finding.Q110),
        ("QUINTET_DATABASE", "sqlite:///", Finding.Q110),
        ("QUINTET_DATABASE", "postgresql://u:secret@h", Finding.Q110),
        ("QUINTET_DATABASE", "postgresql://u:secret@h:port/d", Finding.Q110),
        ("QUINTET_DATABASE", "mysql://u:secret@h/d", Finding.Q110),
    ],
)
def test_a_wrong_value_is_an_error_that_shows_no_secret(
    folder: Path, key: str, value: str, code: Code
) -> None:
    write(folder, **{key: value})
    assert problems(folder) == [(code, Severity.ERROR, key)]
    assert not [each for each in check(folder, {}) if "secret" in f"{each.message}{each.fix}"]


@pytest.mark.parametrize("url", ["sqlite:///lists.db", "postgresql://u:secret@h/d?sslmode=verify-full"])
def test_a_database_url_is_kept_as_a_secret(folder: Path, url: str) -> None:
    write(folder, QUINTET_DATABASE=url)
    assert problems(folder) == []
    settings = load(folder, {})
    assert settings.sametime.database.reveal() == url
    assert url not in repr(settings)


def test_clients_without_tls_on_the_network_are_a_warning_at_the_key(folder: Path) -> None:
    write(folder, QUINTET_LEGACY_CLIENTS="allow")
    assert problems(folder) == [(Finding.Q113, Severity.WARNING, "QUINTET_LEGACY_CLIENTS")]
    write(folder, QUINTET_LEGACY_CLIENTS="allow", QUINTET_ADDRESS="127.0.0.1")
    assert problems(folder) == []


def test_neither_a_certificate_nor_clients_without_it_is_an_error(folder: Path) -> None:
    write(folder, QUINTET_LEGACY_CLIENTS="refuse")
    assert problems(folder) == [(Finding.Q114, Severity.ERROR, "QUINTET_LEGACY_CLIENTS")]
    write(folder, "VPMX_PORT=0", QUINTET_LEGACY_CLIENTS="refuse")
    assert problems(folder) == []


def test_the_certificate_is_that_of_the_narrower_scope(folder: Path) -> None:
    store = write_certificate(folder / "port.p12", certs.leaf(certs.authority(), *certs.LOCAL))
    write(folder, QUINTET_LEGACY_CLIENTS="refuse", **certificate_keys(store))
    assert problems(folder) == []
    settings = load(folder, {})
    assert settings.sametime.tls.key_store is not None
    assert settings.tls.key_store is None
    global_keys = {name.replace("STMUX_", "ST_"): value for name, value in certificate_keys(store).items()}
    write(folder, **global_keys)
    assert load(folder, {}).sametime.tls.key_store == settings.sametime.tls.key_store


@pytest.mark.parametrize("content", [None, b"what is this?"], ids=["missing", "no store"])
def test_a_certificate_that_cannot_be_used_is_an_error_at_its_line(
    folder: Path, content: bytes | None
) -> None:
    store = folder / "port.p12"
    if content is not None:
        store.write_bytes(content)
    write(folder, **certificate_keys(store))
    (problem,) = [each for each in check(folder, {}) if each.severity is Severity.ERROR]
    assert (problem.code, problem.key) == (Finding.Q111, "STMUX_TLS_KEY_STORE_FILE")
    assert problem.place is not None
    assert problem.place.line == 3
    write(folder, "VPMX_PORT=0", **certificate_keys(store))
    assert not [each for each in check(folder, {}) if each.severity is Severity.ERROR]


def test_an_expired_certificate_is_a_warning(folder: Path) -> None:
    issued = certs.expired(certs.authority(), *certs.LOCAL)
    assert issued.certificate.not_valid_after_utc < datetime.now(UTC)
    write(folder, **certificate_keys(write_certificate(folder / "port.p12", issued)))
    assert problems(folder) == [(Finding.Q112, Severity.WARNING, "STMUX_TLS_KEY_STORE_FILE")]


@pytest.mark.parametrize("prefix", ["STMUX", "ST"])
def test_c34_clients_are_asked_for_certificates_as_the_key_says(folder: Path, prefix: str) -> None:
    for value in ClientCertificates:
        write(folder, **{f"{prefix}_TLS_CLIENT_AUTH": str(int(value))})
        assert read(folder, {})[0].sametime.client_certificates is value  # type: ignore[union-attr]
    write(folder, **{f"{prefix}_TLS_CLIENT_AUTH": "3"})
    assert problems(folder) == [(Finding.Q61, Severity.ERROR, f"{prefix}_TLS_CLIENT_AUTH")]


def test_two_services_at_one_port_are_an_error(folder: Path) -> None:
    write(folder, "VPMX_PORT=8080")
    assert problems(folder) == [(Finding.Q115, Severity.ERROR, "VPMX_PORT")]


def test_the_password_of_the_ports_store_is_not_shown(folder: Path) -> None:
    store = write_certificate(folder / "port.p12", certs.leaf(certs.authority(), *certs.LOCAL))
    write(folder, **certificate_keys(store))
    assert keytool.PASSWORD not in repr(load(folder, {}))
