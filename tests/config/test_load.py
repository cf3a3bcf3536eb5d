"""The files and the environment together (rows C2 to C6, C11, C12, C20, C26 to C29, C63, C81 to C84)."""

import os
import ssl
from pathlib import Path

import pytest

from quintet.config.load import check, load, read
from quintet.config.settings import DirectorySettings, TraceSettings
from quintet.diagnostics import Diagnostic, Diagnostics, SettingsError, Severity
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
    assert f"{INI}:2" in problem.message


def test_c5_the_flag_in_another_section_changes_nothing(folder: Path) -> None:
    write(folder, INI, f"[Config]\n{FLAG}=1\n")
    assert protection(folder) is Protection.NONE
    assert [p.key for p in warnings(folder)] == [FLAG]


def test_c6_d6_clear_cards_beside_encrypted_connections_are_told(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    (problem,) = [p for p in warnings(folder) if p.place.file == CARDS]
    assert "in clear" in problem.message


def test_c6_cards_follow_their_own_file_alone(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    settings, _ = read(folder, {})
    assert settings is not None
    assert settings.cards is not None
    assert not settings.cards.storages[0].servers[0].ssl_enabled


def test_encrypting_without_a_trust_store_is_an_error_that_names_the_keys(folder: Path) -> None:
    write(folder, COMMUNITY, community('SSLEnabled="1"'))
    problem = only_error(folder)
    assert problem.place.file == COMMUNITY
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
    assert only_error(folder).place.file == INI


def test_c28_sslv3_is_an_error_that_names_the_key_and_its_line(folder: Path) -> None:
    write(folder, INI, "[Config]\n\nSTLDAP_TLS_MIN_PROTOCOL_VERSION=0x300\n")
    problem = only_error(folder)
    assert (problem.key, problem.place.line) == ("STLDAP_TLS_MIN_PROTOCOL_VERSION", 3)


def test_c29_an_unknown_suite_is_an_error_with_file_and_line(folder: Path) -> None:
    write(folder, INI, "[Config]\nST_TLS_CIPHER_SUITES=TLS_NO_SUCH\n")
    problem = only_error(folder)
    assert (problem.place.file, problem.place.line) == (INI, 2)
    assert "TLS_NO_SUCH" in problem.message


def test_c29_suites_from_the_environment_are_told_as_such(folder: Path) -> None:
    problem = only_error(folder, STI__Config__STLDAP_TLS_CIPHER_SUITES="TLS_NO_SUCH")
    assert (problem.place.file, problem.place.line) == ("environment", None)


def test_d37_a_store_and_its_password_from_different_scopes_are_told(folder: Path) -> None:
    write(folder, INI, "[Config]\nSTLDAP_TLS_TRUST_STORE_FILE=a.p12\nST_TLS_TRUST_STORE_PASSWORD=x\n")
    assert any(p.key == "ST_TLS_TRUST_STORE_PASSWORD" for p in warnings(folder))


def test_d37_one_scope_partly_in_the_environment_is_no_mixture(folder: Path) -> None:
    write(folder, INI, "[Config]\nSTLDAP_TLS_TRUST_STORE_FILE=a.p12\n")
    found = warnings(folder, STI__Config__STLDAP_TLS_TRUST_STORE_PASSWORD="x")
    assert not any("comes from the scope" in p.message for p in found)


def test_all_problems_of_all_files_are_told_in_one_go(folder: Path) -> None:
    write(folder, INI, "[Directory]\nST_DB_LDAP_MAX_RESULTS=many\n[Config]\nST_TLS_SECURITY_LEVEL=9\n")
    write(folder, COMMUNITY, community('Port="x"'))
    write(folder, CARDS, cards('Port="y"'))
    with pytest.raises(SettingsError) as raised:
        load(folder, {})
    assert {(p.place.file, p.key) for p in raised.value.problems} == {
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


def test_without_the_community_file_there_is_an_error_with_a_cure(folder: Path) -> None:
    (folder / COMMUNITY).rename(folder / COMMUNITY.lower())
    problem = only_error(folder)
    assert "quintet init" in problem.message
    assert COMMUNITY.lower() in problem.message


def test_without_sametime_ini_defaults_count_with_a_note(folder: Path) -> None:
    (folder / INI).unlink()
    assert [(p.severity, p.place.file) for p in check(folder, {})] == [(Severity.NOTE, INI)]
    assert load(folder, {"STI__Directory__ST_DB_LDAP_MAX_RESULTS": "7"}).directory.max_results == 7


def test_without_the_cards_file_there_are_no_cards_with_a_note(folder: Path) -> None:
    (folder / CARDS).unlink()
    assert [(p.severity, p.place.file) for p in check(folder, {})] == [(Severity.NOTE, CARDS)]
    assert load(folder, {}).cards is None


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "no such folder" in only_error(tmp_path / "nowhere").message


def test_c63_damaged_xml_is_told_with_its_place_and_nothing_else_of_that_file(folder: Path) -> None:
    write(folder, COMMUNITY, "<R>\n<LDAP>\n<Connection HostName=“h”/></LDAP></R>")
    problem = only_error(folder)
    assert str(problem.place) == f"{COMMUNITY}:3"


@pytest.mark.parametrize("name", [INI, COMMUNITY, CARDS])
def test_a_file_of_10_mb_is_refused(folder: Path, name: str) -> None:
    write(folder, name, b"; x\n" * 2_500_000)
    problem = only_error(folder)
    assert problem.place.file == name
    assert "larger" in problem.message


@pytest.mark.parametrize("name", [INI, COMMUNITY, CARDS])
def test_what_is_no_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    assert "no regular file" in only_error(folder).message


def test_contents_may_be_given_instead_of_files(folder: Path) -> None:
    instead = {COMMUNITY: community('Port="1389"').encode()}
    assert load(folder, {}, instead=instead).servers[0].port == 1389
    assert load(folder, {}).servers[0].port == 389


def test_d20_an_id_attribute_that_the_cards_lack_is_told(folder: Path) -> None:
    write(folder, COMMUNITY, community('UserIdAttribute="entryUUID"'))
    (problem,) = warnings(folder)
    assert (problem.place.file, problem.key) == (CARDS, "UserIdAttribute")


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
    (problem,) = [p for p in warnings(folder) if "SCRAM" in p.message]
    assert (str(problem.place), problem.key) == (f"{CARDS}:4", key)
    for words in (
        "anonymous",
        "cn=cards,o=x",
        f"quintet protect {level} --cards",
        "SslEnabled",
        f"{ALLOW}=1",
    ):
        assert words in problem.message
    assert SECRET not in str(problem)


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
    assert not any("SCRAM" in p.message for p in warnings(folder))


def test_c59_d36_the_account_of_the_four_clear_connections_is_told(folder: Path) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}=1\n")
    write(folder, COMMUNITY, community(f'SSLEnabled="1"\n{ACCOUNT}'))
    (problem,) = [p for p in warnings(folder) if "SCRAM" in p.message]
    assert (str(problem.place), problem.key) == (f"{COMMUNITY}:3", "BindEntryDn")
    for words in ("anonymous", "start-up stops", "quintet protect all", f"{ALLOW}=1"):
        assert words in problem.message
    assert SECRET not in str(problem)


@pytest.mark.parametrize("only_passwords", [True, False])
def test_c59_d36_the_leave_to_send_it_in_clear_is_told_in_place_of_that(
    folder: Path, only_passwords: bool
) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}={int(only_passwords)}\n{ALLOW}=1\n")
    write(folder, COMMUNITY, community(f'SSLEnabled="1" {ACCOUNT}'))
    write(folder, CARDS, cards(CARD_ACCOUNTS["UserName"]))
    assert not any("SCRAM" in p.message for p in warnings(folder))
    told = [p for p in warnings(folder) if p.key == ALLOW]
    assert [str(p.place) for p in told] == [f"{INI}:3"] * (2 if only_passwords else 1)
    assert "cards" in told[-1].message


def test_start_tls_where_nothing_is_encrypted_is_told_to_have_no_effect(folder: Path) -> None:
    write(folder, INI, "[Directory]\nQUINTET_START_TLS=1\n")
    (problem,) = warnings(folder)
    assert (problem.key, str(problem.place)) == ("QUINTET_START_TLS", f"{INI}:2")
    assert "no effect" in problem.message


@pytest.mark.parametrize("encrypted", [f"STI__Directory__{FLAG}", ""])
def test_start_tls_where_something_is_encrypted_is_taken(folder: Path, encrypted: str) -> None:
    write(folder, INI, "[Directory]\nQUINTET_START_TLS=1\n")
    write(folder, COMMUNITY, community("" if encrypted else 'SSLEnabled="1"'))
    settings, problems = read(folder, {encrypted: "1"})
    assert settings is not None
    assert settings.directory.start_tls
    assert not any(p.key == "QUINTET_START_TLS" for p in problems)


def test_c2_a_server_left_in_clear_beside_an_encrypted_one_is_told(folder: Path) -> None:
    servers = (
        '<Connection HostName="a" SSLEnabled="1" SearchOrder="1"'
        ' PersonResolveBase="o=a" GroupResolveBase="o=a"/>'
        '\n<Connection HostName="b" SearchOrder="2" PersonResolveBase="o=b" GroupResolveBase="o=b"/>'
    )
    write(folder, COMMUNITY, f"<R><LDAP>{servers}</LDAP></R>")
    (problem,) = [p for p in warnings(folder) if p.key == "SSLEnabled"]
    assert str(problem.place) == f"{COMMUNITY}:2"


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
    assert (problem.place.file, problem.key) == (CARDS, "UserIdAttribute")
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
    assert "one order" in problem.message
    listed = cards().replace('HostName="h"', 'HostName="a"')
    write(folder, CARDS, listed.replace("<Details>", '<StorageDetails HostName="b"/><Details>'))
    assert not warnings(folder)


def test_c59_the_leave_to_send_the_accounts_password_in_clear_is_told_every_time(folder: Path) -> None:
    write(folder, INI, f"[Directory]\n{FLAG}=1\nQUINTET_ALLOW_CLEAR_SERVICE_BIND=1\n")
    (problem,) = [p for p in warnings(folder) if p.key == "QUINTET_ALLOW_CLEAR_SERVICE_BIND"]
    assert str(problem.place) == f"{INI}:3"


def test_a_file_that_is_wrong_throughout_gives_a_bounded_list(folder: Path) -> None:
    write(folder, INI, "prose\n" * 15_000 + "[Config]\nST_TLS_SECURITY_LEVEL=9\n")
    found = check(folder, {})
    assert len(found) <= Diagnostics.MOST + 2
    assert found[0].key == "ST_TLS_SECURITY_LEVEL"
    assert "more are not listed" in found[-1].message


def test_errors_are_kept_however_many_notes_and_warnings_come_before(folder: Path) -> None:
    write(folder, INI, "prose\n" * 3_000)
    write(folder, COMMUNITY, community('Port="x" SSLPort="y" PersonResolveScope="z"'))
    assert {p.key for p in errors(folder)} == {"Port", "SSLPort", "PersonResolveScope"}
    assert len(errors(folder)) == 3


def test_what_is_not_listed_is_counted_file_by_file(folder: Path) -> None:
    write(folder, INI, "prose\n" * 1_500)
    slips = "".join(f'<Set SetId="{n}" params="Nme{n}"/>' for n in range(700))
    write(folder, CARDS, cards().replace("</ParamsSets>", f"{slips}</ParamsSets>"))
    left = {p.place.file: p.message for p in check(folder, {}) if "not listed" in p.message}
    counted = {file: int(message.split()[0]) for file, message in left.items()}
    assert counted.keys() == {INI, CARDS}
    listed = sum("not listed" not in p.message for p in check(folder, {}))
    assert sum(counted.values()) + listed == 1_500 + 701
    assert listed == Diagnostics.MOST


def test_a_file_of_too_many_lines_is_refused(folder: Path) -> None:
    write(folder, INI, "A=1\n" * 30_000)
    assert "lines" in only_error(folder).message


INBOUND = (("CLIENT_AUTH", "2"), ("SESSION_CACHE_SIZE", "-1"), ("SESSION_CACHE_TIME", "600"))
UNDOCUMENTED = (("MIRROR_TRUSTED_HOSTS", "1"), ("MAX_SESSION_AGE", "-1"))


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
