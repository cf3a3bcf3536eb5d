"""The files and the environment together (rows C2 to C6, C11, C12, C20, C26 to C29, C63, C81 to C84)."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from quintet.config.load import check, load, read, settings_file
from quintet.config.settings import DirectorySettings, TraceSettings
from quintet.diagnostics import Code, Diagnostic, Diagnostics, Finding, Pitfall, SettingsError, Severity
from quintet.directory import TASKS, Protection, Service

INI = "sametime.ini"
COMMUNITY = "StCommunityConfig.xml"
CARDS = "UserInfoConfig.xml"
FLAG = "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"
SECRET = "hunter2"


def community(attributes: str = "") -> str:
    return f'<R><LDAP>\n<Connection HostName="h" {attributes}/>\n</LDAP></R>'


def cards(server: str = "", storage: str = "") -> str:
    return (
        f'<UserInformation><Resources><Storage type="LDAP">{storage}\n<StorageDetails HostName="h" {server}/>'
        '<Details><Detail Id="Name" FieldName="cn"/><Detail Id="MailAddress" FieldName="mail"/></Details>'
        '</Storage></Resources><ParamsSets><Set SetId="1" params="Name"/></ParamsSets></UserInformation>'
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, INI, "[Config]\n")
    write(tmp_path, COMMUNITY, community())
    write(tmp_path, CARDS, cards())
    return tmp_path


def write(folder: Path, name: str, text: str | bytes) -> None:
    (folder / name).write_bytes(text.encode() if isinstance(text, str) else text)


def errors(folder: Path, **environ: str) -> list[Diagnostic]:
    return [p for p in check(folder, environ) if p.severity is Severity.ERROR]


def warnings(folder: Path, **environ: str) -> list[Diagnostic]:
    return [p for p in check(folder, environ) if p.severity is Severity.WARNING]


def codes(folder: Path, **environ: str) -> set[Code]:
    return {p.code for p in check(folder, environ)}


def file_of(problem: Diagnostic) -> str | None:
    return None if problem.place is None else problem.place.file


def only_error(folder: Path, **environ: str) -> Diagnostic:
    found = errors(folder, **environ)
    assert len(found) == 1, found
    return found[0]


def protection(folder: Path, **environ: str) -> Protection:
    settings, _ = read(folder, environ)
    assert settings is not None
    return Protection.of(
        ssl_enabled=settings.servers[0].ssl_enabled, only_passwords=settings.directory.only_passwords
    )


def test_c2_the_smallest_folder_encrypts_nothing_and_has_no_problem(folder: Path) -> None:
    assert check(folder, {}) == ()
    settings = load(folder, {})
    assert settings.directory == DirectorySettings()
    assert settings.traces == TraceSettings()
    assert settings.folder == folder
    assert protection(folder) is Protection.NONE


def test_c3_ssl_enabled_encrypts_all_five(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    assert all(protection(folder).encrypts(task) for task in TASKS)


def test_c4_c12_the_flag_encrypts_authentication_alone(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    level = protection(folder, **{f"STI__Directory__{FLAG}": "1"})
    assert [task for task in TASKS if level.encrypts(task)] == [Service.AUTHENTICATE]


def test_c4_the_flag_without_ssl_enabled_is_only_passwords_with_a_warning(folder: Path) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}=1\n")
    assert protection(folder) is Protection.PASSWORDS
    (problem,) = [p for p in warnings(folder) if p.key == "SSLEnabled"]
    assert (problem.code, f"{INI}:2" in problem.message) == (Finding.Q80, True)


def test_c5_the_flag_in_another_section_changes_nothing(folder: Path) -> None:
    write(folder, INI, f"[Config]\n{FLAG}=1\n")
    assert protection(folder) is Protection.NONE
    assert [(p.code, p.key) for p in warnings(folder)] == [(Finding.Q55, FLAG)]


def test_c6_d6_clear_cards_beside_encrypted_connections_are_told(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    (problem,) = [p for p in warnings(folder) if file_of(p) == CARDS]
    assert (problem.code, problem.key) == (Pitfall.D6, "SslEnabled")


def test_c6_cards_follow_their_own_file_alone(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    settings, _ = read(folder, {})
    assert settings is not None
    assert settings.cards is not None
    assert not settings.cards.storages[0].servers[0].ssl_enabled


def test_encrypting_without_a_trust_store_is_an_error_that_names_the_keys(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    problem = only_error(folder)
    assert (problem.code, file_of(problem)) == (Pitfall.D5, COMMUNITY)
    for part in ("TYPE", "FILE", "PASSWORD"):
        assert f"STLDAP_TLS_TRUST_STORE_{part}" in problem.message


def test_c20_no_key_store_is_demanded(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    assert "KEY_STORE" not in " ".join(str(p) for p in check(folder, {}))


def test_c27_the_default_versions_are_tls_1_2_and_our_extension(folder: Path) -> None:
    write(folder, INI, "[Config]\nST_TLS_MIN_PROTOCOL_VERSION=\n")
    tls = load(folder, {}).tls
    assert (tls.minimum, tls.maximum) == (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


def test_c28_minimum_above_maximum_is_an_error(folder: Path) -> None:
    write(folder, INI, "[Config]\nST_TLS_MIN_PROTOCOL_VERSION=0x304\nST_TLS_MAX_PROTOCOL_VERSION=0x303\n")
    problem = only_error(folder)
    assert (problem.code, file_of(problem)) == (Finding.Q84, INI)


def test_c28_sslv3_is_an_error_that_names_the_key_and_its_line(folder: Path) -> None:
    write(folder, INI, "[Config]\n\nSTLDAP_TLS_MIN_PROTOCOL_VERSION=0x300\n")
    problem = only_error(folder)
    assert (problem.key, str(problem.place)) == ("STLDAP_TLS_MIN_PROTOCOL_VERSION", f"{INI}:3")


def test_c29_an_unknown_suite_is_an_error_with_file_and_line(folder: Path) -> None:
    write(folder, INI, "[Config]\nST_TLS_CIPHER_SUITES=TLS_NO_SUCH\n")
    problem = only_error(folder)
    assert (problem.code, str(problem.place)) == (Finding.Q86, f"{INI}:2")
    assert "TLS_NO_SUCH" in problem.message


def test_c29_suites_from_the_environment_are_told_as_such(folder: Path) -> None:
    problem = only_error(folder, STI__Config__STLDAP_TLS_CIPHER_SUITES="TLS_NO_SUCH")
    assert str(problem.place) == "environment"


def test_d37_a_store_and_its_password_from_different_scopes_are_told(folder: Path) -> None:
    write(folder, INI, "[Config]\nSTLDAP_TLS_TRUST_STORE_FILE=a.p12\nST_TLS_TRUST_STORE_PASSWORD=x\n")
    assert (Pitfall.D37, "ST_TLS_TRUST_STORE_PASSWORD") in {(p.code, p.key) for p in warnings(folder)}


def test_d37_the_scope_of_https_in_a_file_and_in_the_environment_is_one(folder: Path) -> None:
    keys = (
        "QUINTET_HTTP_TLS=1",
        "QUINTET_HTTP_TLS_KEY_STORE_TYPE=p12",
        "QUINTET_HTTP_TLS_KEY_STORE_FILE=a.p12",
    )
    write(folder, INI, "\n".join(("[Config]", *keys)))
    assert Pitfall.D37 not in codes(folder, STI__Config__QUINTET_HTTP_TLS_KEY_STORE_PASSWORD="x")
    assert Pitfall.D37 in codes(folder, STI__Config__ST_TLS_KEY_STORE_PASSWORD="x")


def test_d37_one_scope_partly_in_the_environment_is_no_mixture(folder: Path) -> None:
    write(folder, INI, "[Config]\nSTLDAP_TLS_TRUST_STORE_FILE=a.p12\n")
    assert Pitfall.D37 not in codes(folder, STI__Config__STLDAP_TLS_TRUST_STORE_PASSWORD="x")


def test_all_problems_of_all_files_are_told_in_one_go(folder: Path) -> None:
    write(folder, INI, "[Directory]\nST_DB_LDAP_MAX_RESULTS=many\n[Config]\nST_TLS_SECURITY_LEVEL=9\n")
    write(folder, COMMUNITY, community('Port="x"'))
    write(folder, CARDS, cards('Port="y"'))
    with pytest.raises(SettingsError) as raised:
        load(folder, {})
    assert {(file_of(p), p.key) for p in raised.value.problems} == {
        (INI, "ST_DB_LDAP_MAX_RESULTS"),
        (INI, "ST_TLS_SECURITY_LEVEL"),
        (COMMUNITY, "Port"),
        (CARDS, "Port"),
    }
    for name in (INI, COMMUNITY, CARDS):
        assert name in str(raised.value)


def test_errors_come_first(folder: Path) -> None:
    write(folder, INI, "[Config]\nFOO=1\nst_community_id=1\n")
    write(folder, COMMUNITY, community('Port="x"'))
    order = [p.severity for p in check(folder, {})]
    assert order == sorted(order, key=list(Severity).index)
    assert len(set(order)) == 3


def test_warnings_and_notes_stay_with_the_settings(folder: Path) -> None:
    write(folder, INI, "[Config]\nFOO=1\n")
    assert load(folder, {}).problems == check(folder, {})


def test_without_the_community_file_there_is_an_error_with_a_fix(folder: Path) -> None:
    (folder / COMMUNITY).unlink()
    problem = only_error(folder)
    assert (problem.code, file_of(problem)) == (Finding.Q41, COMMUNITY)
    assert "quintet init" in problem.fix


@pytest.mark.parametrize("name", [INI, COMMUNITY, CARDS])
def test_c95_d42_a_file_whose_name_is_in_another_letter_case_is_used_with_a_note(
    folder: Path, name: str
) -> None:
    settings = load(folder, {})
    (folder / name).rename(folder / name.swapcase())
    assert load(folder, {}) == settings
    (problem,) = check(folder, {})
    assert (problem.code, problem.severity) == (Pitfall.D42, Severity.NOTE)
    assert (file_of(problem), problem.fix) == (name.swapcase(), f"rename it to {name}")


@pytest.mark.parametrize("name", [INI, COMMUNITY, CARDS])
def test_c95_d42_of_two_such_files_none_is_used(folder: Path, name: str) -> None:
    (folder / name).rename(folder / name.lower().capitalize())
    write(folder, name.upper(), "")
    problem = only_error(folder)
    assert (problem.code, file_of(problem)) == (Pitfall.D42, name)
    assert name.upper() in problem.message


def test_d42_a_file_in_another_case_beside_the_one_that_is_used_is_told(folder: Path) -> None:
    write(folder, COMMUNITY.upper(), "damaged")
    (problem,) = check(folder, {})
    assert (problem.code, problem.severity) == (Pitfall.D42, Severity.WARNING)
    assert file_of(problem) == COMMUNITY.upper()


def test_d42_problems_in_such_a_file_have_its_own_name(folder: Path) -> None:
    (folder / COMMUNITY).unlink()
    write(folder, "stcommunityconfig.xml", community('\nPort="x"'))
    assert str(only_error(folder).place) == "stcommunityconfig.xml:3"


@pytest.mark.parametrize("name", ["sametime.ini", "Sametime.ini", "SAMETIME.INI"])
def test_d42_a_file_is_found_where_it_is(tmp_path: Path, name: str) -> None:
    assert settings_file(tmp_path, INI) == tmp_path / INI
    write(tmp_path, name, "")
    assert settings_file(tmp_path, INI) == tmp_path / name


def test_a_missing_file_is_told_with_one_of_nearly_its_name(folder: Path) -> None:
    (folder / CARDS).rename(folder / "UserInfoConf.xml")
    (problem,) = check(folder, {})
    assert (problem.code, problem.severity) == (Finding.Q41, Severity.WARNING)
    assert "UserInfoConf.xml" in problem.fix


def test_a_backup_is_not_taken_for_a_file_of_nearly_its_name(folder: Path) -> None:
    (folder / CARDS).rename(folder / f"{CARDS}.bak")
    assert [p.severity for p in check(folder, {})] == [Severity.NOTE]


def test_without_sametime_ini_defaults_count_with_a_note(folder: Path) -> None:
    (folder / INI).unlink()
    assert [(p.code, p.severity, file_of(p)) for p in check(folder, {})] == [
        (Finding.Q41, Severity.NOTE, INI)
    ]
    assert load(folder, {"STI__Directory__ST_DB_LDAP_MAX_RESULTS": "7"}).directory.max_results == 7


def test_without_the_cards_file_there_are_no_cards_with_a_note(folder: Path) -> None:
    (folder / CARDS).unlink()
    assert [(p.code, p.severity, file_of(p)) for p in check(folder, {})] == [
        (Finding.Q41, Severity.NOTE, CARDS)
    ]
    assert load(folder, {}).cards is None


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert only_error(tmp_path / "nowhere").code is Finding.Q40


def test_c63_damaged_xml_is_told_with_its_place_and_nothing_else_of_that_file(folder: Path) -> None:
    write(folder, COMMUNITY, "<R>\n<LDAP>\n<Connection HostName=“h”/></LDAP></R>")
    problem = only_error(folder)
    assert (problem.code, str(problem.place)) == (Pitfall.D15, f"{COMMUNITY}:3")


@pytest.mark.parametrize("name", [INI, COMMUNITY, CARDS])
def test_a_file_of_10_mb_is_refused(folder: Path, name: str) -> None:
    write(folder, name, b"; x\n" * 2_500_000)
    problem = only_error(folder)
    assert (problem.code, file_of(problem)) == (Finding.Q43, name)


@pytest.mark.parametrize("name", [INI, COMMUNITY, CARDS])
def test_what_is_not_a_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    problem = only_error(folder)
    assert (problem.code, file_of(problem)) == (Finding.Q42, name)


def test_contents_may_be_given_in_place_of_files(folder: Path) -> None:
    overrides = {COMMUNITY: community('Port="1389"').encode()}
    assert load(folder, {}, overrides=overrides).servers[0].port == 1389
    assert load(folder, {}).servers[0].port == 389


def test_d20_an_id_attribute_that_the_cards_lack_is_told(folder: Path) -> None:
    write(folder, COMMUNITY, community('UserIdAttribute="entryUUID"'))
    (problem,) = warnings(folder)
    assert (problem.code, file_of(problem), problem.key) == (Pitfall.D20, CARDS, "UserIdAttribute")


@pytest.mark.parametrize(
    ("key", "text", "field", "value"),
    [
        ("ST_DB_LDAP_CONNECTIONS_NUMBER", "3", "connections_per_task", 3),
        ("ST_DB_LDAP_CONNECTIONS_NUMBER", "3", "bind_connections", 6),
        ("ST_DB_LDAP_PENDING_MAX", "100", "pending_high", 100),
        ("ST_DB_LDAP_PENDING_MAX", "10", "pending_low", 5),
        ("ST_DB_LDAP_PENDING_LOW", "5", "pending_low", 5),
        ("ST_DB_LDAP_MAX_RESULTS", "50", "max_results", 50),
        ("ST_DB_LDAP_RESPRAY_INTERVAL", "10", "respray_interval", 600.0),
        ("ST_DB_LDAP_RESPRAY_INTERVAL", "0", "respray_interval", None),
        ("QUINTET_ALLOW_CLEAR_SERVICE_BIND", "1", "allow_clear_service_bind", True),
        ("QUINTET_SASL_USER", "reader", "sasl_user", "reader"),
        ("QUINTET_CONNECT_TIMEOUT", "2.5", "connect_timeout", 2.5),
        ("QUINTET_OPERATION_TIMEOUT", "60", "operation_timeout", 60.0),
        ("QUINTET_MAX_MEMBERS", "2000", "max_members", 2000),
    ],
)
def test_c80_c81_keys_of_the_directory_section(
    folder: Path, key: str, text: str, field: str, value: object
) -> None:
    write(folder, INI, f"[Directory]\n{key}={text}\n")
    assert not warnings(folder)
    assert getattr(load(folder, {}).directory, field) == value


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ST_DB_LDAP_CONNECTIONS_NUMBER", "0"),
        ("ST_DB_LDAP_MAX_RESULTS", "-5"),
        ("QUINTET_CONNECT_TIMEOUT", "0"),
        ("QUINTET_OPERATION_TIMEOUT", "soon"),
        ("QUINTET_START_TLS", "maybe"),
        ("ST_DB_LDAP_PENDING_LOW", "60"),
    ],
)
def test_bad_values_of_the_directory_section_are_told_with_key_and_line(
    folder: Path, key: str, text: str
) -> None:
    write(folder, INI, f"[Directory]\n\n{key}={text}\n")
    problem = only_error(folder)
    assert (problem.key, str(problem.place)) == (key, f"{INI}:3")


def test_c82_browsing_is_turned_off_in_the_debug_section(folder: Path) -> None:
    write(folder, INI, "[debug]\nVPDIR_IGNORE_BROWSE=1\n")
    assert not load(folder, {}).directory.browse


def test_c83_resolve_lists(folder: Path) -> None:
    write(folder, INI, "[Config]\nST_RESOLVE_BLACKLIST= *.Evil.org , x.org\nST_RESOLVE_WHITELIST=y.org\n")
    directory = load(folder, {}).directory
    assert directory.resolve_blacklist == ("*.evil.org", "x.org")
    assert directory.resolve_whitelist == ("y.org",)


def test_c84_traces(folder: Path) -> None:
    write(folder, INI, "[Debug]\nVP_LDAP_TRACE=1\nST_TLS_DEBUG=1\nUSERINFO_DEBUG_LEVEL=5\n")
    assert load(folder, {}).traces == TraceSettings(ldap=True, tls=True, user_info=True)


def test_c61_c62_intervals_come_from_the_community_file(folder: Path) -> None:
    text = community().replace("<R>", '<R><S DirRefreshInterval="240" ConfigRefreshInterval="1"/>')
    write(folder, COMMUNITY, text)
    directory = load(folder, {}).directory
    assert (directory.refresh_interval, directory.config_refresh_interval) == (14400.0, 60.0)


def test_no_secret_is_in_any_problem(folder: Path) -> None:
    lines = "".join(
        f"{prefix}TLS_{store}_STORE_PASSWORD={SECRET}\nST_TLS_{store}_STORE_PASSWRD={SECRET}\n"
        for prefix in ("ST_", "STLDAP_", "st_")
        for store in ("TRUST", "KEY")
    )
    write(folder, INI, f"[Config]\n{lines}[Directory]\n{lines}STLDAP_TLS_KEY_STORE_PASSWORD=\x01{SECRET}\n")
    write(folder, COMMUNITY, community(f'BindEntryPassword="“{SECRET}” " BindPasswrd="{SECRET}"'))
    write(folder, CARDS, cards(f'Password="{SECRET}" UserEncodedAuth="{SECRET}!" Pasword="{SECRET}"'))
    found = check(folder, {"STI__Nowhere__ST_TLS_KEY_STORE_PASSWORD": SECRET, "STI__X": SECRET})
    assert found
    assert SECRET not in repr(found)


ACCOUNT = 'BindEntryDn="cn=reader,o=x" BindEntryPassword="hunter2"'
CARD_ACCOUNTS = {
    "UserName": 'UserName="cn=cards,o=x" Password="hunter2"',
    "UserEncodedAuth": 'UserEncodedAuth="Y249Y2FyZHMsbz14Omh1bnRlcjI="',
}
ALLOW = "QUINTET_ALLOW_CLEAR_SERVICE_BIND"


@pytest.mark.parametrize("key", CARD_ACCOUNTS)
@pytest.mark.parametrize("level", ["all", "passwords"])
def test_c6_c59_d36_the_account_of_clear_cards_is_told_to_keep_its_password(
    folder: Path, level: str, key: str
) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}={int(level == 'passwords')}\n")
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    write(folder, CARDS, cards(f"\n\n{CARD_ACCOUNTS[key]}"))
    (problem,) = [p for p in warnings(folder) if p.code is Pitfall.D36]
    assert (str(problem.place), problem.key) == (f"{CARDS}:4", key)
    assert "cn=cards,o=x" in problem.message
    for words in (f"quintet protect {level} --cards", "SslEnabled", f"{ALLOW}=1"):
        assert words in problem.fix
    assert SECRET not in repr(problem)


@pytest.mark.parametrize(
    ("server", "card"),
    [
        ("", CARD_ACCOUNTS["UserName"]),
        ('SSLEnabled="1"', ""),
        ('SSLEnabled="1"', f'SslEnabled="true" {CARD_ACCOUNTS["UserName"]}'),
    ],
    ids=["nothing is encrypted", "no account", "encrypted cards"],
)
def test_c59_nothing_is_told_where_no_promise_is_at_stake(folder: Path, server: str, card: str) -> None:
    write(folder, COMMUNITY, community(server))
    write(folder, CARDS, cards(card))
    assert Pitfall.D36 not in codes(folder)


def test_c59_d36_the_account_of_the_four_clear_connections_is_told(folder: Path) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}=1\n")
    write(folder, COMMUNITY, community(f'SSLEnabled="1"\n{ACCOUNT}'))
    (problem,) = [p for p in warnings(folder) if p.code is Pitfall.D36]
    assert (str(problem.place), problem.key) == (f"{COMMUNITY}:3", "BindEntryDn")
    for words in ("quintet protect all", f"{ALLOW}=1"):
        assert words in problem.fix
    assert SECRET not in repr(problem)


@pytest.mark.parametrize("only_passwords", [True, False])
def test_c59_d36_the_leave_to_send_it_in_clear_is_told_in_place_of_that(
    folder: Path, only_passwords: bool
) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}={int(only_passwords)}\n{ALLOW}=1\n")
    write(folder, COMMUNITY, community(f'SSLEnabled="1" {ACCOUNT}'))
    write(folder, CARDS, cards(CARD_ACCOUNTS["UserName"]))
    told = [p for p in warnings(folder) if p.code is Pitfall.D36]
    assert [(str(p.place), p.key) for p in told] == [(f"{INI}:3", ALLOW)] * (2 if only_passwords else 1)


def test_start_tls_where_nothing_is_encrypted_is_told_to_have_no_effect(folder: Path) -> None:
    write(folder, INI, "[Directory]\nQUINTET_START_TLS=1\n")
    (problem,) = warnings(folder)
    assert (problem.code, str(problem.place)) == (Finding.Q82, f"{INI}:2")


@pytest.mark.parametrize("encrypted", [f"STI__Directory__{FLAG}", ""])
def test_start_tls_where_something_is_encrypted_is_taken(folder: Path, encrypted: str) -> None:
    write(folder, INI, "[Directory]\nQUINTET_START_TLS=1\n")
    write(folder, COMMUNITY, community("" if encrypted else 'SSLEnabled="1"'))
    settings, problems = read(folder, {encrypted: "1"})
    assert settings is not None
    assert settings.directory.start_tls
    assert Finding.Q82 not in {p.code for p in problems}


def test_c2_a_server_left_in_clear_beside_an_encrypted_one_is_told(folder: Path) -> None:
    servers = (
        '<Connection HostName="a" SSLEnabled="1" SearchOrder="1"'
        ' PersonResolveBase="o=a" GroupResolveBase="o=a"/>'
        '\n<Connection HostName="b" SearchOrder="2" PersonResolveBase="o=b" GroupResolveBase="o=b"/>'
    )
    write(folder, COMMUNITY, f"<R><LDAP>{servers}</LDAP></R>")
    (problem,) = [p for p in warnings(folder) if p.key == "SSLEnabled"]
    assert (problem.code, str(problem.place)) == (Finding.Q81, f"{COMMUNITY}:2")


@pytest.mark.parametrize("attribute", ["DistinguishedName", "distinguishedName", "entryDN", "dn"])
def test_d20_an_id_attribute_that_means_the_dn_asks_nothing_of_the_cards(
    folder: Path, attribute: str
) -> None:
    write(folder, COMMUNITY, community(f'UserIdAttribute="{attribute}"'))
    assert not warnings(folder)


def test_d20_an_id_attribute_other_than_that_of_the_cards_is_told(folder: Path) -> None:
    write(folder, COMMUNITY, community('UserIdAttribute="entryUUID"'))
    write(folder, CARDS, cards('UserIdAttribute="uid" PersonObjectClass="person"'))
    (problem,) = warnings(folder)
    assert (problem.code, file_of(problem), problem.key) == (Pitfall.D20, CARDS, "UserIdAttribute")
    write(folder, CARDS, cards('UserIdAttribute="ENTRYUUID" PersonObjectClass="person"'))
    assert not warnings(folder)


def test_d25_cards_in_another_order_than_the_servers_are_told(folder: Path) -> None:
    servers = "".join(
        f'<Connection HostName="{host}" SearchOrder="{at}" PersonResolveBase="o={host}"'
        f' GroupResolveBase="o={host}"/>'
        for at, host in enumerate("ab")
    )
    write(folder, COMMUNITY, f"<R><LDAP>{servers}</LDAP></R>")
    listed = cards().replace('HostName="h"', 'HostName="b"')
    write(folder, CARDS, listed.replace("<Details>", '<StorageDetails HostName="a"/><Details>'))
    (problem,) = warnings(folder)
    assert (problem.code, file_of(problem)) == (Pitfall.D25, CARDS)
    listed = cards().replace('HostName="h"', 'HostName="a"')
    write(folder, CARDS, listed.replace("<Details>", '<StorageDetails HostName="b"/><Details>'))
    assert not warnings(folder)


def test_c59_the_leave_to_send_the_accounts_password_in_clear_is_told_every_time(folder: Path) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}=1\nQUINTET_ALLOW_CLEAR_SERVICE_BIND=1\n")
    (problem,) = [p for p in warnings(folder) if p.key == "QUINTET_ALLOW_CLEAR_SERVICE_BIND"]
    assert (problem.code, str(problem.place)) == (Pitfall.D36, f"{INI}:3")


def test_a_file_that_is_wrong_throughout_gives_a_bounded_list(folder: Path) -> None:
    write(folder, INI, "prose\n" * 15_000 + "[Config]\nST_TLS_SECURITY_LEVEL=9\n")
    found = check(folder, {})
    assert len(found) <= Diagnostics.MOST + 2
    assert found[0].key == "ST_TLS_SECURITY_LEVEL"
    assert found[-1].code is Finding.Q44


def test_errors_are_kept_however_many_notes_and_warnings_come_before(folder: Path) -> None:
    write(folder, INI, "prose\n" * 3_000)
    write(folder, COMMUNITY, community('Port="x" SSLPort="y" PersonResolveScope="z"'))
    assert {p.key for p in errors(folder)} == {"Port", "SSLPort", "PersonResolveScope"}
    assert len(errors(folder)) == 3


def test_what_is_not_listed_is_counted_file_by_file(folder: Path) -> None:
    write(folder, INI, "prose\n" * 1_500)
    slips = "".join(f'<Set SetId="{n}" params="Nme{n}"/>' for n in range(700))
    write(folder, CARDS, cards().replace("</ParamsSets>", f"{slips}</ParamsSets>"))
    left = {file_of(p): p.message for p in check(folder, {}) if p.code is Finding.Q44}
    counted = {file: int(message.split()[0]) for file, message in left.items()}
    assert counted.keys() == {INI, CARDS}
    listed = sum(p.code is not Finding.Q44 for p in check(folder, {}))
    assert sum(counted.values()) + listed == 1_500 + 701
    assert listed == Diagnostics.MOST


def test_a_file_of_too_many_lines_is_refused(folder: Path) -> None:
    write(folder, INI, "A=1\n" * 30_000)
    assert only_error(folder).code is Finding.Q43


INBOUND = (("CLIENT_AUTH", "2"), ("SESSION_CACHE_SIZE", "-1"), ("SESSION_CACHE_TIME", "600"))
UNDOCUMENTED = (("MAX_SESSION_AGE", "-1"),)


@pytest.mark.parametrize("scope", ["ST", "STLDAP"])
@pytest.mark.parametrize(("key", "value"), INBOUND)
def test_c34_keys_for_inbound_tls_do_not_touch_ldap(folder: Path, scope: str, key: str, value: str) -> None:
    plain = load(folder, {}).tls
    write(folder, INI, f"[Config]\n{scope}_TLS_{key}={value}\n")
    assert load(folder, {}).tls == plain


@pytest.mark.parametrize("value", ["1", "", "what is this?", "-99999999999999999999"])
@pytest.mark.parametrize("key", [key for key, _ in UNDOCUMENTED])
def test_c38_keys_without_a_documented_meaning_are_taken_and_never_fail(
    folder: Path, key: str, value: str
) -> None:
    plain = load(folder, {}).tls
    write(folder, INI, f"[Config]\nST_TLS_{key}={value}\n")
    assert errors(folder) == []
    assert load(folder, {}).tls == plain


# Row C94, pitfall D41: the four unencrypted connections of "only passwords" go to `Port`.


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ('Port="636"', True),
        ('Port="1389"', True),
        ('Port="3269" SSLPort="3269"', True),
        ('Port="389"', False),
        ("", False),
        ('Port="3268" SSLPort="3269"', False),
    ],
)
def test_c94_d41_a_plain_port_that_is_a_tls_port_is_told_under_only_passwords(
    folder: Path, ports: str, told: bool
) -> None:
    write(folder, COMMUNITY, community(f'SSLEnabled="1"\n{ports}'))
    assert Pitfall.D41 not in codes(folder)
    write(folder, INI, f"[Directory]\n{FLAG}=1\n")
    found = [p for p in warnings(folder) if p.code is Pitfall.D41]
    assert [(str(p.place), p.key) for p in found] == [(f"{COMMUNITY}:3", "Port")] * told


def test_c94_d41_with_start_tls_everything_goes_to_port_anyway(folder: Path) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}=1\nQUINTET_START_TLS=1\n")
    write(folder, COMMUNITY, community('SSLEnabled="1" Port="1389"'))
    assert Pitfall.D41 not in codes(folder)


# Row D44, as far as the settings show it.


@pytest.mark.parametrize(
    ("hosts", "listed", "told"),
    [
        ("ldap.example.com", "*.example.com", False),
        ("ldap.example.com", "ldap.example.com,other", False),
        ("ldap.example.com", "old.example.com", True),
        ("ldap.example.com", "*.com", True),
        ("192.0.2.1", "ldap.example.com", False),
    ],
)
def test_d44_a_host_that_the_list_of_trusted_hosts_does_not_cover_is_told(
    folder: Path, hosts: str, listed: str, told: bool
) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"').replace('"h"', f'"{hosts}"'))
    write(folder, INI, f"[Config]\nST_TLS_TRUSTED_HOSTS={listed}\n")
    found = [p for p in warnings(folder) if p.code is Pitfall.D44]
    assert [str(p.place) for p in found] == [f"{INI}:2"] * told


# Variables in files (config 2.2).

ENV_LINE = f"STI__Directory__{FLAG}=1\n"


@pytest.mark.parametrize("name", ["custom.env", "tlsldap.env"])
def test_c12_an_env_file_beside_the_settings_is_read(folder: Path, name: str) -> None:
    write(folder, name, ENV_LINE)
    assert protection(folder) is Protection.PASSWORDS
    assert protection(folder, **{f"STI__Directory__{FLAG}": "0"}) is Protection.NONE


def test_c12_an_env_file_that_is_named_is_read_and_wins_over_one_beside_the_settings(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("env") / "production.env"
    other.write_text(f"STI__Directory__{FLAG}=0\n", encoding="utf-8")
    write(folder, "custom.env", ENV_LINE)
    settings, problems = read(folder, {}, env_files=[other])
    assert settings is not None
    assert not settings.directory.only_passwords
    assert (Finding.Q50, f"{other}:1") in {(p.code, str(p.place)) for p in problems}


def test_problems_of_an_env_file_have_its_name_and_line(folder: Path) -> None:
    write(folder, "custom.env", "# ours\nSTI__Directory__QUINTET_MAX_MEMBERS=many\n")
    problem = only_error(folder)
    assert (problem.code, str(problem.place)) == (Finding.Q61, "custom.env:2")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.write_bytes(b"#" * 2_000_000)])
def test_what_is_no_env_file_is_refused(folder: Path, make: Callable[[Path], object]) -> None:
    make(folder / "custom.env")
    problem = only_error(folder)
    assert (problem.code in (Finding.Q42, Finding.Q43), file_of(problem)) == (True, "custom.env")


def test_an_env_file_that_is_named_and_missing_is_an_error(folder: Path) -> None:
    (problem,) = check(folder, {}, env_files=[folder / "none.env"])
    assert (problem.code, file_of(problem)) == (Finding.Q41, str(folder / "none.env"))


# Further settings of Sametime.


def test_c88_the_attributes_that_tell_similar_names_apart(folder: Path) -> None:
    write(folder, COMMUNITY, community('DescAttribute="title" GroupDescAttribute="description"'))
    server = load(folder, {}).servers[0]
    assert server.description_attribute == "title"
    assert server.group_description_attribute == "description"


@pytest.mark.parametrize("name", ["AnonymousBindingEnable", "MixedResolveFilter", "BrowseChunkSize"])
def test_c89_further_names_of_sametime_are_known_and_get_one_note(folder: Path, name: str) -> None:
    write(folder, COMMUNITY, community(f'{name}="1"'))
    assert [(p.code, p.severity, p.key) for p in check(folder, {})] == [(Finding.Q57, Severity.NOTE, name)]


def test_c89_what_anonymous_users_may_do_gets_one_note_each(folder: Path) -> None:
    text = community().replace(
        "<R>", '<R><AnonymousAccess BrowseEnabled="1"><Domain>x</Domain></AnonymousAccess>'
    )
    write(folder, COMMUNITY, text)
    assert [(p.code, p.key) for p in check(folder, {})] == [
        (Finding.Q57, "BrowseEnabled"),
        (Finding.Q57, "Domain"),
    ]
