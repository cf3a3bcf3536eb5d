"""Reading UserInfoConfig.xml (rows C6, C58, C65 to C75 of the reference; pitfalls D7, D10, D25, D32)."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.settings import CardServer, CardSettings
from quintet.config.userinfoconfig import read_user_info
from quintet.diagnostics import Diagnostic, Diagnostics, Finding, Pitfall, Severity
from quintet.ldap import Scope
from quintet.ldap.dn import DN
from quintet.tls import StoreKind

FOLDER = Path("/settings")
DETAILS = '<Details><Detail Id="Name" FieldName="cn"/><Detail Id="MailAddress" FieldName="mail"/></Details>'
SETS = '<ParamsSets><Set SetId="0" params="Name"/><Set SetId="1" params="Name,MailAddress"/></ParamsSets>'


def read(text: str) -> tuple[CardSettings | None, tuple[Diagnostic, ...]]:
    findings = Diagnostics()
    return read_user_info(text.encode(), FOLDER, findings), findings.problems


def document(
    server: str = "", *, storage: str = "", details: str = DETAILS, sets: str = SETS, root: str = ""
) -> str:
    return (
        f'<UserInformation>{root}<Resources><Storage type="LDAP">{storage}\n'
        f'<StorageDetails HostName="h" {server}/>\n{details}</Storage></Resources>{sets}</UserInformation>'
    )


def cards(text: str) -> CardSettings:
    found, problems = read(text)
    assert not problems
    assert found is not None
    return found


def server(attributes: str) -> CardServer:
    return cards(document(attributes)).storages[0].servers[0]


def only_problem(text: str, severity: Severity) -> Diagnostic:
    _, problems = read(text)
    assert len(problems) == 1, problems
    assert problems[0].severity is severity
    return problems[0]


def encoded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def test_defaults_apply_where_nothing_is_set() -> None:
    found = server("")
    assert (found.port, found.ssl_port, found.ssl_enabled) == (389, 636, False)
    assert (found.account, found.base, found.scope) == (None, DN(), Scope.SUBTREE)
    assert "(cn=%s)(givenname=%s)(sn=%s)(mail=%s)" in found.filter.text
    assert (found.user_id_attribute, found.person_class) == (None, None)


def test_c65_servers_and_storages_keep_their_order() -> None:
    text = document().replace("</Storage>", '<StorageDetails HostName="i"/></Storage>')
    second = f'<Storage type="ldap"><StorageDetails HostName="j"/>{DETAILS}</Storage></Resources>'
    found = cards(text.replace("</Resources>", second))
    assert [[s.host for s in storage.servers] for storage in found.storages] == [["h", "i"], ["j"]]


def test_c65_a_storage_without_a_type_is_read_as_ldap_with_a_warning() -> None:
    for written in ("<Storage>", '<Storage type="">'):
        found, problems = read(document().replace('<Storage type="LDAP">', written))
        assert found is not None
        assert [(p.code, p.severity) for p in problems] == [(Finding.Q93, Severity.WARNING)]


def test_c65_storages_of_other_kinds_are_skipped_with_a_note() -> None:
    text = document().replace("<Resources>", '<Resources><Storage type="NOTES"/>')
    assert only_problem(text, Severity.NOTE).code is Finding.Q57


def test_c65_without_any_ldap_storage_there_is_an_error_with_a_fix() -> None:
    problem = only_problem("<UserInformation/>", Severity.ERROR)
    assert (problem.code, '<Storage type="LDAP">' in problem.fix) == (Finding.Q92, True)


def test_the_printed_slip_for_storage_is_told_with_the_right_form() -> None:
    text = document().replace('<Storage type="LDAP">', '<StorageType="LDAP">')
    problem = only_problem(text, Severity.ERROR)
    assert (problem.code, '<Storage type="LDAP">' in problem.message) == (Pitfall.D15, True)


def test_c66_user_name_and_password() -> None:
    account = server('UserName="cn=a,o=x" Password="p w"').account
    assert account is not None
    assert (account.name, account.password.reveal()) == ("cn=a,o=x", "p w")


def test_c58_c66_encoded_credentials_are_decoded_and_split_at_the_first_colon() -> None:
    account = server(f'UserName="" Password="" UserEncodedAuth="{encoded("cn=a,o=x:p:w")}"').account
    assert account is not None
    assert (account.name, account.password.reveal()) == ("cn=a,o=x", "p:w")


def test_c66_encoded_credentials_win_over_clear_ones() -> None:
    text = document(f'UserName="cn=b" Password="q" UserEncodedAuth="{encoded("cn=a:p")}"')
    found, problems = read(text)
    assert found is not None
    account = found.storages[0].servers[0].account
    assert account is not None
    assert account.name == "cn=a"
    assert [p.severity for p in problems] == [Severity.NOTE]


def test_c58_d10_outer_blanks_of_encoded_credentials_are_taken_off_with_a_warning() -> None:
    text = document(f'UserEncodedAuth=" {encoded("cn=a:p")} "')
    found, _ = read(text)
    assert found is not None
    assert found.storages[0].servers[0].account is not None
    assert only_problem(text, Severity.WARNING).code is Pitfall.D10


@pytest.mark.parametrize(
    "value",
    [
        f"“{encoded('cn=a:hunter2')}”",
        f"{encoded('cn=a:hunter2')[:8]} {encoded('cn=a:hunter2')[8:]}",
        f"{encoded('cn=a:hunter2')[:8]}\u200b{encoded('cn=a:hunter2')[8:]}",
        "hunter2!",
        encoded("cn=a:hunter2")[:-1],
        encoded(b"cn=a:hunter2\xff"),
        encoded("hunter2"),
        encoded(":hunter2"),
        encoded("hunter2:"),
    ],
)
def test_c66_d10_bad_encoded_credentials_are_an_error_that_shows_nothing(value: str) -> None:
    problem = only_problem(document(f'UserEncodedAuth="{value}"'), Severity.ERROR)
    assert (problem.code, problem.key) == (Pitfall.D10, "UserEncodedAuth")
    assert "hunter2" not in repr(problem)
    assert value not in repr(problem)


@pytest.mark.parametrize("plain", ["“cn=a:hunter2”", "cn=a:hunter2\n", "cn=a: hunter2"])
def test_d10_credentials_that_were_encoded_with_too_much_are_told(plain: str) -> None:
    problem = only_problem(document(f'UserEncodedAuth="{encoded(plain)}"'), Severity.WARNING)
    assert problem.code is Pitfall.D10
    assert "hunter2" not in repr(problem)


@given(
    st.text("abc=,ë ", min_size=1).filter(str.strip),
    st.text(st.characters(blacklist_categories=["Cs"]), min_size=1),
)
def test_encoded_credentials_round_trip(user: str, password: str) -> None:
    found, _ = read(document(f'UserEncodedAuth="{encoded(f"{user}:{password}")}"'))
    assert found is not None
    account = found.storages[0].servers[0].account
    assert account is not None
    assert (account.name, account.password.reveal()) == (user.strip(), password)


def test_an_account_without_a_password_is_an_error() -> None:
    problem = only_problem(document('UserName="cn=a,o=x"'), Severity.ERROR)
    assert (problem.code, problem.key) == (Finding.Q75, "UserName")


@pytest.mark.parametrize(("text", "scope"), [("0", Scope.BASE), ("1", Scope.ONE_LEVEL), ("2", Scope.SUBTREE)])
def test_c67_scopes_are_numbers(text: str, scope: Scope) -> None:
    assert server(f'Scope="{text}"').scope is scope


@pytest.mark.parametrize("text", ["3", "subtree", "-1"])
def test_c67_other_scopes_are_errors(text: str) -> None:
    problem = only_problem(document(f'Scope="{text}"'), Severity.ERROR)
    assert (problem.code, problem.fix) == (Finding.Q61, "set Scope to 0 or 1 or 2")


SSL = 'SslEnabled="true" SslPort="1636"'


def properties(path: str, password: str = 'KeyStorePassword="hunter2"') -> str:
    return f'<SslProperties KeyStorePath="{path}" {password}/>'


@pytest.mark.parametrize(
    ("path", "where", "kind"),
    [
        ("/a/store.p12", Path("/a/store.p12"), StoreKind.PKCS12),
        ("store.PFX", FOLDER / "store.PFX", StoreKind.PKCS12),
        ("sub/store.jks", FOLDER / "sub/store.jks", StoreKind.JKS),
    ],
)
def test_c68_the_store_is_that_of_ssl_properties(path: str, where: Path, kind: StoreKind) -> None:
    storage = cards(document(SSL, storage=properties(path))).storages[0]
    store = storage.tls.trust_store
    assert store is not None
    assert store.password is not None
    assert (store.path, store.kind, store.password.reveal()) == (where, kind, "hunter2")
    assert (storage.servers[0].ssl_enabled, storage.servers[0].ssl_port) == (True, 1636)


@pytest.mark.parametrize("storage", ["", properties("")])
def test_c68_tls_without_a_store_is_an_error_with_a_fix(storage: str) -> None:
    problem = only_problem(document(SSL, storage=storage), Severity.ERROR)
    assert (problem.code, "<SslProperties KeyStorePath=" in problem.fix) == (Pitfall.D5, True)


def test_c68_a_store_without_a_password_is_an_error() -> None:
    problem = only_problem(document(SSL, storage=properties("a.p12", "")), Severity.ERROR)
    assert (problem.code, problem.key) == (Pitfall.D5, "KeyStorePassword")


def test_c69_the_id_attribute_goes_with_its_object_class() -> None:
    found = server('UserIdAttribute="entryUUID" PersonObjectClass="person"')
    assert (found.user_id_attribute, found.person_class) == ("entryUUID", "person")
    problem = only_problem(document('UserIdAttribute="entryUUID"'), Severity.WARNING)
    assert (problem.code, problem.key) == (Pitfall.D20, "PersonObjectClass")


def test_c70_several_attributes_and_their_separator() -> None:
    details = (
        '<Detail Id="Name" FieldName=" cn, sn ,"/>'
        '<Detail Id="MailAddress" FieldName="mail,x" DisplaySeparator=" / "/>'
    )
    found = cards(document(details=details)).storages[0].details
    assert [(d.attributes, d.separator) for d in found] == [(("cn", "sn"), " "), (("mail", "x"), " / ")]


def test_c71_sets_by_number() -> None:
    assert cards(document()).sets == {0: ("Name",), 1: ("Name", "MailAddress")}


def test_d32_an_id_in_a_set_without_a_detail_is_dropped_with_a_warning() -> None:
    sets = '<ParamsSets><Set SetId="0" params="Name,mailaddress"/></ParamsSets>'
    found, _ = read(document(sets=sets))
    assert found is not None
    assert found.sets == {0: ("Name",)}
    problem = only_problem(document(sets=sets), Severity.WARNING)
    assert (problem.code, "did you mean MailAddress?" in problem.message) == (Pitfall.D32, True)


def test_c72_d32_an_id_in_the_wrong_case_is_kept_and_told() -> None:
    details = DETAILS + '<Detail Id="telephone" FieldName="telephoneNumber"/>'
    found, _ = read(document(details=details))
    assert found is not None
    assert found.storages[0].details[-1].id == "telephone"
    problem = only_problem(document(details=details), Severity.WARNING)
    assert (problem.code, problem.fix) == (Pitfall.D32, "write Telephone")


def test_c72_ids_of_ones_own_are_fine() -> None:
    assert cards(document(details=DETAILS + '<Detail Id="Shoe" FieldName="shoeSize"/>'))


@pytest.mark.parametrize("sets", ["", "<ParamsSets/>"])
def test_without_sets_nothing_is_shown_and_that_is_told(sets: str) -> None:
    problem = only_problem(document(sets=sets), Severity.WARNING)
    assert (problem.code, problem.key) == (Finding.Q94, "ParamsSets")


def test_a_set_or_detail_given_twice_is_told_with_both_lines() -> None:
    twice = SETS.replace("</ParamsSets>", '\n<Set SetId="1" params="Name"/></ParamsSets>')
    assert only_problem(document(sets=twice), Severity.WARNING).code is Finding.Q50
    details = DETAILS + '\n<Detail Id="Name" FieldName="sn"/>'
    found, _ = read(document(details=details))
    assert found is not None
    assert {d.id: d.attributes for d in found.storages[0].details}["Name"] == ("sn",)


@pytest.mark.parametrize(
    ("detail", "key"),
    [
        ('<Detail FieldName="cn"/>', "Id"),
        ('<Detail Id="Title"/>', "FieldName"),
        ('<Detail Id="Title" FieldName="title" Type="jpeg"/>', "Type"),
    ],
)
def test_a_detail_that_says_too_little_is_an_error(detail: str, key: str) -> None:
    assert only_problem(document(details=DETAILS + detail), Severity.ERROR).key == key


def test_c75_the_common_field_and_search_by_it_alone() -> None:
    found = cards(
        document(storage='<CommonField CommonFieldName="Name"/>', root="<SearchOnlyByCommonField/>")
    )
    assert found.storages[0].common_field == "Name"
    assert found.search_only_by_common_field


def test_c75_defaults_of_the_common_field() -> None:
    found = cards(document())
    assert found.storages[0].common_field == "MailAddress"
    assert not found.search_only_by_common_field
    assert not cards(document(root='<SearchOnlyByCommonField value="false"/>')).search_only_by_common_field


def test_c75_a_common_field_that_is_no_detail_is_told() -> None:
    problem = only_problem(document(storage='<CommonField CommonFieldName="mailAddress"/>'), Severity.WARNING)
    assert (problem.code, "did you mean MailAddress?" in problem.message) == (Pitfall.D32, True)


def test_black_boxes_bound_the_connections() -> None:
    root = (
        '<BlackBoxConfiguration><BlackBox type="NOTES" MaxInstances="9"/>'
        '<BlackBox type="LDAP" name="x.Y" MaxInstances="4"/></BlackBoxConfiguration>'
    )
    assert cards(document(root=root)).storages[0].max_instances == 4
    assert cards(document()).storages[0].max_instances == 1


@pytest.mark.parametrize(("text", "limit"), [("5", 5.0), ("5000", 5.0), ("0", None)])
def test_the_unit_of_the_search_timeout_is_guessed_aloud(text: str, limit: float | None) -> None:
    found, problems = read(document(root=f'<SearchProperties SearchTimeout="{text}"/>'))
    assert found is not None
    assert found.search_timeout == limit
    assert [(p.code, p.severity) for p in problems] == [(Finding.Q96, Severity.NOTE)]


@pytest.mark.parametrize(
    "root",
    ['<ReadStConfigUpdates value="true"/>', "<HandleHttpOnly/>", '<Document MaxSize="1"/>', "<Gizmo/>"],
)
def test_what_has_no_effect_gets_one_note(root: str) -> None:
    assert only_problem(document(root=root), Severity.NOTE)


def test_an_attribute_that_is_nearly_a_known_one_is_a_warning_with_the_right_name() -> None:
    problem = only_problem(document('SearchFiter="(cn=%s)"'), Severity.WARNING)
    assert (problem.code, "SearchFilter" in problem.fix) == (Finding.Q59, True)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        (document('SslEnable="true"'), "SslEnabled"),
        (document('SSL_Enabled="true"'), "SslEnabled"),
        (document(storage='<SslPropertys KeyStorePath="a.p12"/>'), "SslProperties"),
        (document(storage='<SslProperties KeyStorPath="a.p12"/>'), "KeyStorePath"),
    ],
)
def test_what_is_nearly_a_security_setting_is_an_error(text: str, meant: str) -> None:
    problem = only_problem(text, Severity.ERROR)
    assert (problem.code, meant in problem.fix) == (Finding.Q60, True)


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (document(root="<Port/>"), "Port", "belongs in StorageDetails"),
        (document(details=DETAILS + "<SslEnabled>true</SslEnabled>"), "SslEnabled", "StorageDetails"),
        (document().replace('type="LDAP"', 'type="LDAP" SslEnabled="true"'), "SslEnabled", "StorageDetails"),
        (
            document().replace("<User", '<UserInformation SslEnabled="true"><User') + "</UserInformation>",
            "SslEnabled",
            "StorageDetails",
        ),
        (document(root='<StorageDetails HostName="i"/>'), "StorageDetails", "outside every Storage"),
        (document(root='<SslProperties KeyStorePath="a"/>'), "SslProperties", "outside every Storage"),
        (document(root='<StorageDetals HostName="i"/>'), "StorageDetals", "did you mean StorageDetails?"),
    ],
)
def test_what_would_be_lost_where_it_stands_is_a_warning(text: str, key: str, words: str) -> None:
    problem = only_problem(text, Severity.WARNING)
    assert (problem.code in (Finding.Q55, Finding.Q59), problem.key) == (True, key)
    assert words in problem.message


def test_a_name_is_known_only_where_it_has_a_meaning() -> None:
    assert only_problem(document(root="<Id/>"), Severity.NOTE).key == "Id"
    text = (
        document()
        .replace('HostName="h" ', "")
        .replace("/>\n<Details>", "><HostName>h</HostName></StorageDetails><Details>")
    )
    assert cards(text).storages[0].servers[0].host == "h"


@pytest.mark.parametrize(
    ("attributes", "odd"), [('Port="636"', "636"), ('SslPort="389" SslEnabled="true"', "389")]
)
def test_d8_a_port_that_is_usually_the_other_one_is_told(attributes: str, odd: str) -> None:
    problem = only_problem(document(attributes, storage=properties("a.p12")), Severity.WARNING)
    assert problem.code is Pitfall.D8
    assert odd in problem.message
    assert "SslEnabled" in problem.fix


def test_card_settings_cannot_be_changed_and_can_be_hashed() -> None:
    sets = {0: ("Name",)}
    found = CardSettings((), sets)
    sets[0] = ("Photo",)
    assert found.sets == {0: ("Name",)}
    with pytest.raises(TypeError):
        found.sets[0] = ()  # type: ignore[index]
    assert hash(cards(document())) == hash(cards(document()))


def test_a_bind_by_digest_is_refused() -> None:
    problem = only_problem(document('BindType="SaslDigestMD5"'), Severity.ERROR)
    assert (problem.code, problem.key) == (Finding.Q61, "BindType")


def test_two_hosts_in_one_server_are_an_error() -> None:
    problem = only_problem(document().replace('"h"', '"h,i"'), Severity.ERROR)
    assert (problem.code, problem.key) == (Finding.Q65, "HostName")
