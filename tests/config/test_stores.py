"""Stores and stashes as the settings name them (rows C16, C18, C20, C22 to C26, C68; pitfalls D4, D35)."""

import datetime as dt
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from quintet.config.load import check, load
from quintet.config.stash_migration import stash_passwords
from quintet.diagnostics import Diagnostic, Finding, Pitfall, Severity
from quintet.secret import Secret
from quintet.tls import StoreKind, new_store, open_store, read_stash, save_store, write_stash
from support import certs, keytool

INI = "sametime.ini"
COMMUNITY = "StCommunityConfig.xml"
CARDS = "UserInfoConfig.xml"
PASSWORD = "hunter2"
FILE = "STLDAP_TLS_TRUST_STORE_FILE"
CLEAR = "STLDAP_TLS_TRUST_STORE_PASSWORD"
STASH = "STLDAP_TLS_TRUST_STORE_PASSWORD_STASH_FILE"
VARIABLE = f"STI__Config__{CLEAR}"


@pytest.fixture(scope="module")
def certificate() -> x509.Certificate:
    return certs.authority().certificate


@pytest.fixture
def folder(tmp_path: Path, certificate: x509.Certificate) -> Path:
    """All is encrypted, and right."""
    store = new_store().with_trusted("ldap", certificate)
    save_store(tmp_path / "trust.p12", store, PASSWORD)
    ini(tmp_path, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}")
    text = '<R><LDAP><Connection HostName="h" SSLEnabled="1"/></LDAP></R>'
    (tmp_path / COMMUNITY).write_text(text, encoding="utf-8")
    return tmp_path


def ini(folder: Path, *lines: str) -> None:
    (folder / INI).write_text("\n".join(["[Config]", *lines, ""]), encoding="utf-8")


def serious(folder: Path, **environ: str) -> list[Diagnostic]:
    return [p for p in check(folder, environ) if p.severity is not Severity.NOTE]


def only(folder: Path, severity: Severity, **environ: str) -> Diagnostic:
    found = serious(folder, **environ)
    assert len(found) == 1, found
    assert found[0].severity is severity
    return found[0]


def encrypt_nothing(folder: Path) -> None:
    text = (folder / COMMUNITY).read_text(encoding="utf-8").replace('"1"', '"0"')
    (folder / COMMUNITY).write_text(text, encoding="utf-8")


def test_c20_a_trust_store_is_all_that_encryption_needs(folder: Path) -> None:
    assert not serious(folder)
    ref = load(folder, {}).tls.trust_store
    assert ref is not None
    assert ref.path == folder / "trust.p12"


@pytest.mark.parametrize("name", ["t.p12", "t.pfx", "t.jks"])
def test_c18_every_kind_of_store_is_taken_by_its_name(
    folder: Path, certificate: x509.Certificate, name: str
) -> None:
    kind = StoreKind.JKS if name.endswith("jks") else StoreKind.PKCS12
    save_store(folder / name, new_store(kind).with_trusted("ldap", certificate), PASSWORD)
    ini(folder, f"{FILE}={name}", f"{CLEAR}={PASSWORD}")
    assert not serious(folder)


def test_c16_the_origin_of_the_store_is_told_with_the_profile(folder: Path) -> None:
    origin = load(folder, {VARIABLE: PASSWORD}).tls.origins
    assert (origin["trust_store"].key, str(origin["trust_store"].place)) == (FILE, f"{INI}:2")
    assert (origin["trust_store_password"].key, str(origin["trust_store_password"].place)) == (
        VARIABLE,
        "environment",
    )


def test_d4_a_missing_store_is_an_error_that_names_key_line_and_file(folder: Path) -> None:
    (folder / "trust.p12").unlink()
    problem = only(folder, Severity.ERROR)
    assert (problem.code, problem.key, str(problem.place)) == (Pitfall.D4, FILE, f"{INI}:2")
    assert str(folder / "trust.p12") in problem.message
    assert "quintet trust fetch" in problem.fix


def test_a_store_that_nobody_uses_is_only_warned_about(folder: Path) -> None:
    (folder / "trust.p12").unlink()
    encrypt_nothing(folder)
    assert only(folder, Severity.WARNING).key == FILE


def test_d4_a_wrong_password_is_an_error_that_does_not_show_it(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{CLEAR}=wrong-{PASSWORD}")
    problem = only(folder, Severity.ERROR)
    assert problem.code is Pitfall.D4
    assert "password" in problem.fix
    assert PASSWORD not in repr(problem)


@pytest.mark.parametrize(
    "content", [b"", b"just a text", b"-----BEGIN CERTIFICATE-----\n", b"<html>", b"\x30\x82\x10\x00cut"]
)
def test_d4_what_is_no_store_is_an_error(folder: Path, content: bytes) -> None:
    (folder / "trust.p12").write_bytes(content)
    problem = only(folder, Severity.ERROR)
    assert (problem.code, problem.key) == (Pitfall.D4, FILE)


def test_d4_a_jks_named_p12_is_told_as_such(folder: Path, certificate: x509.Certificate) -> None:
    save_store(folder / "trust.p12", new_store(StoreKind.JKS).with_trusted("ldap", certificate), PASSWORD)
    problem = only(folder, Severity.ERROR)
    assert (problem.code, ".jks" in problem.message) == (Pitfall.D4, True)


def test_a_trust_store_without_certificates_is_an_error(folder: Path) -> None:
    save_store(folder / "trust.p12", new_store(StoreKind.JKS), PASSWORD, kind=StoreKind.JKS)
    ini(folder, "STLDAP_TLS_TRUST_STORE_TYPE=jks", f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}")
    assert only(folder, Severity.ERROR).code is Pitfall.D4


def with_cards(folder: Path, path: str, password: str = PASSWORD) -> None:
    (folder / CARDS).write_text(
        '<U><Resources><Storage type="LDAP"><StorageDetails HostName="h" SslEnabled="true"/>\n'
        f'<SslProperties KeyStorePath="{path}" KeyStorePassword="{password}"/>'
        '<Details><Detail Id="Name" FieldName="cn"/></Details></Storage></Resources>'
        '<ParamsSets><Set SetId="1" params="Name"/></ParamsSets></U>',
        encoding="utf-8",
    )


def test_c68_the_cards_store_is_their_own(folder: Path) -> None:
    with_cards(folder, "trust.p12")
    assert not serious(folder)


def test_c68_cures_for_cards_name_their_file_since_they_take_no_tls_keys(folder: Path) -> None:
    with_cards(folder, "trust.p12")
    cards = load(folder, {}).cards
    assert cards is not None
    keys = cards.storages[0].tls.names
    assert (keys.host, keys.prefix) == ("HostName in UserInfoConfig.xml", None)
    assert keys.store == "SslProperties in UserInfoConfig.xml"


@pytest.mark.parametrize(("path", "password"), [("other.p12", PASSWORD), ("trust.p12", "wrong")])
def test_c68_d7_a_cards_store_that_does_not_open_is_an_error_in_their_file(
    folder: Path, path: str, password: str
) -> None:
    with_cards(folder, path, password)
    problem = only(folder, Severity.ERROR)
    assert (problem.code, str(problem.place)) == (Pitfall.D7, f"{CARDS}:2")


@pytest.fixture(scope="module")
def two_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    ca = certs.authority()
    keys = {"first": certs.leaf(ca, *certs.LOCAL), "second": certs.leaf(ca, *certs.LOCAL)}
    return keytool.key_store(tmp_path_factory.mktemp("keys") / "keys.p12", keys, password=PASSWORD)


@pytest.mark.real
@pytest.mark.parametrize(("label", "good"), [("first", True), ("SECOND", True), ("third", False)])
def test_c22_an_unknown_label_among_several_keys_is_an_error(
    folder: Path, two_keys: Path, label: str, good: bool
) -> None:
    ini(
        folder,
        f"{FILE}=trust.p12",
        f"{CLEAR}={PASSWORD}",
        f"ST_TLS_KEY_STORE_FILE={two_keys}",
        f"ST_TLS_KEY_STORE_PASSWORD={PASSWORD}",
        f"ST_TLS_KEY_LABEL={label}",
    )
    if good:
        assert not serious(folder)
    else:
        problem = only(folder, Severity.ERROR)
        assert (problem.code, problem.key) == (Finding.Q88, "ST_TLS_KEY_LABEL")
        assert "first, second" in problem.message + problem.fix


@pytest.mark.real
def test_c22_several_keys_without_a_label_are_an_error_where_the_store_is_named(
    folder: Path, two_keys: Path
) -> None:
    store = (f"ST_TLS_KEY_STORE_FILE={two_keys}", f"ST_TLS_KEY_STORE_PASSWORD={PASSWORD}")
    ini(folder, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}", *store)
    problem = only(folder, Severity.ERROR)
    assert (problem.code, problem.key) == (Finding.Q88, "ST_TLS_KEY_STORE_FILE")
    assert "first, second" in problem.message


def stashing(folder: Path, *more: str) -> Path:
    ini(folder, *more, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}", f"{STASH}=trust.sth")
    return folder / "trust.sth"


def test_c23_the_first_start_writes_the_stash_and_removes_the_clear_line_alone(folder: Path) -> None:
    stash = folder / "trust.sth"
    before = (
        "\ufeff; Zoë's file\r\n\r\n[Config]\r\n"
        f"{FILE} = trust.p12\r\nstldap_tls_trust_store_password={PASSWORD}\r\n{STASH}=trust.sth\r\n"
        "\r\nprose [Debug]\r\n[Directory]\r\nX=1"
    ).encode()
    (folder / INI).write_bytes(before)
    (folder / INI).chmod(0o640)
    (told,) = stash_passwords(folder, {})
    assert (told.code, told.severity) == (Finding.Q89, Severity.NOTE)
    assert read_stash(stash).reveal() == PASSWORD
    assert stat.S_IMODE(stash.stat().st_mode) == 0o600
    line = f"stldap_tls_trust_store_password={PASSWORD}\r\n".encode()
    assert (folder / INI).read_bytes() == before.replace(line, b"")
    assert stat.S_IMODE((folder / INI).stat().st_mode) == 0o640


def test_c24_later_starts_need_no_clear_password_and_change_nothing(folder: Path) -> None:
    stashing(folder)
    stash_passwords(folder, {})
    after = (folder / INI).read_bytes()
    assert PASSWORD.encode() not in after
    assert stash_passwords(folder, {}) == ()
    assert (folder / INI).read_bytes() == after
    assert not serious(folder)
    ref = load(folder, {}).tls.trust_store
    assert ref is not None
    assert ref.password is None
    assert len(open_store(ref).trusted) == 1


def test_c23_before_the_first_start_the_clear_password_counts(folder: Path) -> None:
    stashing(folder)
    assert not serious(folder)


def test_c23_a_password_from_the_environment_is_stashed_and_the_variable_named(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{STASH}=trust.sth")
    before = (folder / INI).read_bytes()
    (told,) = stash_passwords(folder, {VARIABLE: PASSWORD})
    assert (told.code, told.severity) == (Finding.Q89, Severity.WARNING)
    assert "environment" in told.fix
    assert read_stash(folder / "trust.sth").reveal() == PASSWORD
    assert (folder / INI).read_bytes() == before


def test_c23_a_wrong_password_is_not_stashed_and_stays(folder: Path) -> None:
    stash = stashing(folder)
    text = (folder / INI).read_bytes().replace(PASSWORD.encode(), b"wrong")
    (folder / INI).write_bytes(text)
    (told,) = stash_passwords(folder, {})
    assert (told.code, told.severity) == (Pitfall.D35, Severity.ERROR)
    assert not stash.exists()
    assert (folder / INI).read_bytes() == text


def test_c23_without_a_stash_file_set_nothing_happens(folder: Path) -> None:
    before = (folder / INI).read_bytes()
    assert stash_passwords(folder, {}) == ()
    assert (folder / INI).read_bytes() == before


def test_c23_a_stash_that_cannot_be_written_leaves_the_password(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}", f"{STASH}=nowhere/trust.sth")
    before = (folder / INI).read_bytes()
    (told,) = stash_passwords(folder, {})
    assert told.severity is Severity.ERROR
    assert (folder / INI).read_bytes() == before


def test_a_stash_and_a_clear_password_that_both_work_are_told(folder: Path) -> None:
    write_stash(stashing(folder), Secret(PASSWORD))
    problem = only(folder, Severity.WARNING)
    assert (problem.code, problem.key) == (Pitfall.D35, CLEAR)


def test_a_stash_that_fails_beside_a_clear_password_that_works_is_told_and_both_are_left(
    folder: Path,
) -> None:
    stash = stashing(folder)
    write_stash(stash, Secret("wrong"))
    before = (folder / INI).read_bytes(), stash.read_bytes()
    problem = only(folder, Severity.WARNING)
    assert (problem.code, problem.key) == (Pitfall.D35, STASH)
    assert stash_passwords(folder, {}) == ()
    assert ((folder / INI).read_bytes(), stash.read_bytes()) == before


def test_a_missing_stash_without_a_clear_password_is_an_error(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{STASH}=trust.sth")
    assert only(folder, Severity.ERROR).code is Pitfall.D35


def test_c25_a_stash_that_others_can_read_is_told(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{STASH}=trust.sth")
    write_stash(folder / "trust.sth", Secret(PASSWORD))
    (folder / "trust.sth").chmod(0o644)
    assert only(folder, Severity.WARNING).code is Pitfall.D35


@pytest.mark.parametrize("absolute", [True, False])
def test_c26_stash_paths_count_from_the_settings_folder(folder: Path, absolute: bool) -> None:
    (folder / "sub").mkdir()
    stash = folder / "sub" / "trust.sth"
    write_stash(stash, Secret(PASSWORD))
    ini(folder, f"{FILE}=trust.p12", f"{STASH}={stash if absolute else 'sub/trust.sth'}")
    ref = load(folder, {}).tls.trust_store
    assert ref is not None
    assert ref.stash == stash


# Stores of a container (config 2.3): their paths do not exist elsewhere.

CONTAINER = "/local/notesdata"


def test_a_store_of_the_container_is_taken_from_the_settings_folder_with_a_note(folder: Path) -> None:
    ini(folder, f"{FILE}={CONTAINER}/trust.p12", f"{CLEAR}={PASSWORD}")
    assert not serious(folder)
    assert [(p.code, p.key) for p in check(folder, {}) if p.key == FILE] == [(Finding.Q97, FILE)]
    ref = load(folder, {}).tls.trust_store
    assert ref is not None
    assert ref.path == folder / "trust.p12"


def test_a_stash_file_of_the_container_likewise(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{STASH}={CONTAINER}/trust.sth")
    write_stash(folder / "trust.sth", Secret(PASSWORD))
    assert not serious(folder)


def test_the_cards_store_of_the_container_likewise(folder: Path) -> None:
    with_cards(folder, f"{CONTAINER}/trust.p12")
    assert not serious(folder)


@pytest.mark.parametrize("path", ["/etc/trust.p12", f"{CONTAINER}/other.p12"])
def test_no_other_store_is_taken_in_place_of_one_that_is_missing(folder: Path, path: str) -> None:
    ini(folder, f"{FILE}={path}", f"{CLEAR}={PASSWORD}")
    assert only(folder, Severity.ERROR).code is Pitfall.D4


def test_c23_d42_the_clear_line_is_removed_from_a_file_whose_name_is_in_another_case(folder: Path) -> None:
    stashing(folder)
    (folder / INI).rename(folder / "SameTime.ini")
    (told,) = stash_passwords(folder, {})
    assert (told.code, str(told.place)) == (Finding.Q89, "SameTime.ini")
    assert PASSWORD not in (folder / "SameTime.ini").read_text(encoding="utf-8")
    assert not (folder / INI).exists()


def test_c23_a_password_from_an_env_file_is_stashed_and_the_variable_named(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{STASH}=trust.sth")
    (folder / "custom.env").write_text(f"{VARIABLE}={PASSWORD}\n", encoding="utf-8")
    (told,) = stash_passwords(folder, {})
    assert (told.code, told.severity, str(told.place)) == (Finding.Q89, Severity.WARNING, "custom.env:1")
    assert read_stash(folder / "trust.sth").reveal() == PASSWORD


# CRLs and trusted hosts


def crl(folder: Path, *, ends: float) -> Path:
    """A CRL of the authority, due for its next update in `ends` days."""
    ca, now = certs.authority(), dt.datetime.now(dt.UTC)
    builder = x509.CertificateRevocationListBuilder().issuer_name(ca.certificate.subject)
    builder = builder.last_update(now - dt.timedelta(9)).next_update(now + dt.timedelta(ends))
    path = folder / "ca.crl"
    path.write_bytes(builder.sign(ca.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return path


def test_the_crl_file_counts_for_all_connections_and_from_the_folder(folder: Path) -> None:
    path = crl(folder, ends=1)
    with_cards(folder, "trust.p12")
    ini(folder, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}", "QUINTET_TLS_CRL_FILE=ca.crl")
    assert not serious(folder)
    settings = load(folder, {})
    assert settings.cards is not None
    assert settings.tls.crl_file == settings.cards.storages[0].tls.crl_file == path


@pytest.mark.parametrize("content", [None, b"", b"hello"])
def test_a_crl_file_that_cannot_be_used_is_an_error(folder: Path, content: bytes | None) -> None:
    if content is not None:
        (folder / "ca.crl").write_bytes(content)
    ini(folder, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}", "QUINTET_TLS_CRL_FILE=ca.crl")
    assert only(folder, Severity.ERROR).key == "QUINTET_TLS_CRL_FILE"


def test_a_crl_that_should_have_been_replaced_is_an_error(folder: Path) -> None:
    crl(folder, ends=-1)
    ini(folder, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}", "QUINTET_TLS_CRL_FILE=ca.crl")
    assert only(folder, Severity.ERROR).key == "QUINTET_TLS_CRL_FILE"


@pytest.mark.parametrize(("value", "fails"), [("1", True), ("0", False), ("what is this?", True)])
def test_c38_mirrored_names_need_a_key_store(folder: Path, value: str, fails: bool) -> None:
    ini(folder, f"{FILE}=trust.p12", f"{CLEAR}={PASSWORD}", f"ST_TLS_MIRROR_TRUSTED_HOSTS={value}")
    assert [each.key for each in serious(folder)] == ["ST_TLS_MIRROR_TRUSTED_HOSTS"] * fails


def test_a_store_whose_password_is_missing_is_an_error_of_its_key(folder: Path) -> None:
    ini(folder, f"{FILE}=trust.p12")
    assert only(folder, Severity.ERROR).key == FILE
