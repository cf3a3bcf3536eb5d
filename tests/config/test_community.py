"""Reading StCommunityConfig.xml (rows C2 to C4, C39, C41 to C47, C57 to C63 of the reference)."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.settings import ServerSettings
from quintet.config.stcommunityconfig import CommunitySettings, read_community
from quintet.diagnostics import Code, Diagnostic, Diagnostics, Finding, Pitfall, Severity
from quintet.ldap import Scope
from quintet.ldap.dn import DN


def read(text: str) -> tuple[CommunitySettings, tuple[Diagnostic, ...]]:
    findings = Diagnostics()
    return read_community(text.encode(), findings), findings.problems


def connection(attributes: str) -> str:
    return f'<Root><LDAP>\n<Connection HostName="h" {attributes}/>\n</LDAP></Root>'


def server(attributes: str) -> ServerSettings:
    community, problems = read(connection(attributes))
    assert not problems
    return community.servers[0]


def only_problem(text: str) -> Diagnostic:
    _, problems = read(text)
    assert len(problems) == 1, problems
    return problems[0]


def line_of(problem: Diagnostic) -> int | None:
    return None if problem.place is None else problem.place.line


def error(attributes: str) -> Diagnostic:
    problem = only_problem(connection(attributes))
    assert problem.severity is Severity.ERROR
    return problem


def warning(attributes: str) -> Diagnostic:
    problem = only_problem(connection(attributes))
    assert problem.severity is Severity.WARNING
    return problem


def test_c2_c44_defaults_apply_where_nothing_is_set() -> None:
    found = server("")
    person = "(&(objectclass=organizationalPerson)(|(cn=%s*)(givenname=%s*)(sn=%s*)(mail=%s*)))"
    assert (found.port, found.ssl_port, found.ssl_enabled) == (389, 636, False)
    assert (found.person_base, found.group_base) == (DN(), DN())
    assert (found.person_scope, found.group_scope) == (Scope.SUBTREE, Scope.SUBTREE)
    assert found.person_filter.text == person
    assert found.login_filter.text == person.replace("*", "")
    assert found.group_filter.text == "(&(objectclass=groupOfNames)(cn=%s*))"
    assert found.group_membership is not None
    assert found.group_membership.text == "(&(objectclass=groupOfNames)(member=%s))"
    assert (found.person_class, found.group_class) == ("organizationalPerson", "groupOfNames")
    assert (found.name_attribute, found.group_name_attribute) == ("cn", "cn")
    assert (found.mail_attribute, found.group_member_attribute) == ("Mail", "Member")
    assert (found.user_id_attribute, found.account, found.description_attribute) == (None, None, None)


def test_c44_blank_settings_are_as_if_absent() -> None:
    assert server('Port="" SSLPort=" " PersonResolveFilter="" NameAttribute="" UserIdAttribute=""') == server(
        ""
    )


def test_c44_c61_c62_intervals_are_an_hour_unless_set_in_minutes() -> None:
    community, _ = read(connection(""))
    assert (community.refresh_interval, community.config_refresh_interval) == (3600, 3600)
    community, _ = read(
        '<R><Settings DirRefreshInterval="240" ConfigRefreshInterval="5"/>'
        '<LDAP><Connection HostName="h"/></LDAP></R>'
    )
    assert (community.refresh_interval, community.config_refresh_interval) == (14400, 300)


@pytest.mark.parametrize(("minutes", "noted"), [("60", 0), ("240", 1)])
def test_c61_a_refresh_that_somebody_chose_is_noted_to_have_no_effect(minutes: str, noted: int) -> None:
    """Quintet asks the directory each time: there is nothing to refresh."""
    text = f'<R><S DirRefreshInterval="{minutes}"/>\n<LDAP><Connection HostName="h"/></LDAP></R>'
    _, problems = read(text)
    assert [(p.code, p.severity) for p in problems] == [(Finding.Q57, Severity.NOTE)] * noted


@pytest.mark.parametrize(
    "alias",
    ["HostName", "Hostname", "Host", "HOSTNAME", "hostName"],
)
def test_c43_host_name_in_every_spelling(alias: str) -> None:
    community, problems = read(f'<R><ldap><connection {alias}="h"/></ldap></R>')
    assert not problems
    assert community.servers[0].hosts == ("h",)


@pytest.mark.parametrize("alias", ["SSLEnabled", "SslEnabled", "SSL", "ssl"])
@pytest.mark.parametrize("true", ["1", "true", "TRUE", "yes", "Yes"])
def test_c3_c43_tls_in_every_spelling(alias: str, true: str) -> None:
    assert server(f'{alias}="{true}"').ssl_enabled


@pytest.mark.parametrize("false", ["0", "false", "No", ""])
def test_c2_c43_no_tls_in_every_spelling(false: str) -> None:
    assert not server(f'SSLEnabled="{false}"').ssl_enabled


@pytest.mark.parametrize("dn", ["BindEntryDn", "BindEntryDN", "BindDn"])
@pytest.mark.parametrize("password", ["BindEntryPassword", "BindEntryPwd", "BindPassword"])
def test_c43_the_account_in_every_spelling(dn: str, password: str) -> None:
    account = server(f'{dn}="cn=a" {password}=" s &amp; t "').account
    assert account is not None
    assert (account.name, account.password.reveal()) == ("cn=a", " s & t ")


def test_c43_settings_may_be_child_elements_with_text_or_value() -> None:
    text = '<R><LDAP><Connection><HostName>h</HostName><Port value="1389"/></Connection></LDAP></R>'
    community, problems = read(text)
    assert not problems
    assert (community.servers[0].hosts, community.servers[0].port) == (("h",), 1389)


@pytest.mark.parametrize(
    ("written", "meant"), [("\n    s e\n  ", "s e"), (" s e ", " s e "), ("<![CDATA[s&e]]>", "s&e")]
)
def test_c43_a_value_on_lines_of_its_own_is_taken_without_its_layout(written: str, meant: str) -> None:
    community, problems = read(
        '<R><LDAP><Connection HostName="h" BindEntryDn="cn=a">'
        f"<BindEntryPassword>{written}</BindEntryPassword></Connection></LDAP></R>"
    )
    assert not problems
    account = community.servers[0].account
    assert account is not None
    assert account.password.reveal() == meant


def test_c43_settings_further_out_are_the_default_of_all_connections() -> None:
    text = (
        '<R><LDAP Port="1"><UserIdAttribute>uid</UserIdAttribute><Group Port="2">'
        '<Connection HostName="a" SearchOrder="1" PersonResolveBase="o=a" GroupResolveBase="o=a"/>'
        '<Connection HostName="b" SearchOrder="2" PersonResolveBase="o=b" GroupResolveBase="o=b" Port="3"/>'
        "</Group></LDAP></R>"
    )
    community, problems = read(text)
    assert not problems
    assert [s.port for s in community.servers] == [2, 3]
    assert [s.user_id_attribute for s in community.servers] == ["uid", "uid"]


def test_c43_filters_in_quotes_are_unwrapped() -> None:
    assert server("""UserDnSearchFilter='"(uid=%s)"'""").login_filter.text == "(uid=%s)"


def test_c86_an_unknown_name_is_noted() -> None:
    problem = only_problem(connection('ShoeSize="42"'))
    assert (problem.code, problem.severity, line_of(problem)) == (Finding.Q58, Severity.NOTE, 2)


def test_a_name_that_is_nearly_a_known_one_is_a_warning_with_the_right_name() -> None:
    problem = only_problem(connection('PersonResolvBase="o=x"'))
    assert (problem.code, problem.severity, line_of(problem)) == (Finding.Q59, Severity.WARNING, 2)
    assert "PersonResolveBase" in problem.fix


@pytest.mark.parametrize("name", ["SSLEnable", "SSLEnabld", "SSL_Enabled", "TLSEnabled", "SLLEnabled"])
@pytest.mark.parametrize(
    "text",
    [
        '<R><LDAP>\n<Connection HostName="h" {name}="1"/></LDAP></R>',
        '<R><LDAP>\n<Connection HostName="h"><{name}>1</{name}></Connection></LDAP></R>',
        '<R>\n<LDAP {name}="1"><Connection HostName="h"/></LDAP></R>',
    ],
)
def test_a_name_that_is_nearly_the_switch_of_encryption_is_an_error(text: str, name: str) -> None:
    problem = only_problem(text.format(name=name))
    assert (problem.code, problem.severity, problem.key) == (Finding.Q60, Severity.ERROR, name)
    assert "SSLEnabled" in problem.fix
    assert line_of(problem) == 2


@pytest.mark.parametrize("name", [":", "a:b", "x:SSLEnabled"])
def test_names_with_colons_are_read(name: str) -> None:
    community, _ = read(f'<R><LDAP><Connection HostName="h" {name}="1"/><{name}/></LDAP></R>')
    assert len(community.servers) == 1


@pytest.mark.parametrize(
    ("text", "slip", "meant"),
    [
        (
            '<R><LDAP><Connection HostName="h"/>\n<Conection HostName="i"/></LDAP></R>',
            "Conection",
            "Connection",
        ),
        ('<R><LDAP><Connection HostName="h"/></LDAP>\n<LDPA/></R>', "LDPA", "LDAP"),
        (
            '<R><LDAP><Connection HostName="h"/></LDAP>\n<Settings DirRefreshIntervl="240"/></R>',
            "DirRefreshIntervl",
            "DirRefreshInterval",
        ),
        (
            '<R><LDAP><Connection HostName="h"/></LDAP>\n<DirRefreshIntervl>240</DirRefreshIntervl></R>',
            "DirRefreshIntervl",
            "DirRefreshInterval",
        ),
    ],
)
def test_a_slip_that_loses_a_server_or_a_setting_is_a_warning_with_the_right_name(
    text: str, slip: str, meant: str
) -> None:
    problem = only_problem(text)
    assert (problem.severity, problem.key, line_of(problem)) == (Severity.WARNING, slip, 2)
    assert (problem.code, meant in problem.fix) == (Finding.Q59, True)


@pytest.mark.parametrize(
    "text", ['<R><LDAP>\n<Conection HostName="i"/></LDAP></R>', '<R>\n<LDPA><X HostName="h"/></LDPA></R>']
)
def test_without_a_server_its_misspelt_name_is_told(text: str) -> None:
    problem = only_problem(text)
    assert (problem.code, problem.severity) == (Finding.Q72, Severity.ERROR)
    assert "line 2; did you mean" in problem.message


def test_c86_names_of_other_parts_of_the_file_are_none_of_ours() -> None:
    _, problems = read(
        '<R Version="1"><Mux Port="1533" HostName="m"/><Policies><Policy Id="1" Weight="0"/></Policies>'
        '<LDAP><Connection HostName="h"/></LDAP></R>'
    )
    assert not problems


def test_a_server_outside_the_ldap_section_is_told_also_beside_one_inside() -> None:
    problem = only_problem('<R><LDAP><Connection HostName="h"/></LDAP>\n<Connection Host="i"/></R>')
    assert (problem.code, problem.severity, line_of(problem)) == (Finding.Q55, Severity.WARNING, 2)


@pytest.mark.parametrize("text", ['<R SSLEnabled="1">', "<R><SSLEnabled>1</SSLEnabled>"])
def test_c43_a_setting_around_the_ldap_section_has_no_effect_and_is_told(text: str) -> None:
    community, problems = read(f'{text}<LDAP><Connection HostName="h"/></LDAP></R>')
    assert not community.servers[0].ssl_enabled
    assert [(p.code, p.severity, p.key) for p in problems] == [(Finding.Q55, Severity.WARNING, "SSLEnabled")]


def test_two_spellings_of_one_setting_are_told_and_the_last_counts() -> None:
    community, problems = read(connection('SSLEnabled="1"\nSSL="0"'))
    assert not community.servers[0].ssl_enabled
    (problem,) = problems
    assert (problem.code, problem.key, line_of(problem)) == (Finding.Q50, "SSL", 3)


def test_a_problem_names_the_line_of_its_attribute() -> None:
    assert line_of(error('\n\nPort="many"')) == 4


@pytest.mark.parametrize("port", ["0", "65536", "-1", "many", "389.5", "0x1", "9" * 30, "٣٨٩"])
def test_a_port_out_of_range_is_an_error(port: str) -> None:
    problem = error(f'Port="{port}"')
    assert (problem.code, problem.key) == (Finding.Q61, "Port")
    assert "1 to 65535" in problem.fix


@pytest.mark.parametrize(
    ("setting", "value", "code"),
    [
        ("SSLEnabled", "maybe", Finding.Q61),
        ("PersonResolveScope", "deep", Finding.Q61),
        ("PersonResolveBase", "people", Finding.Q62),
        ("PersonResolveFilter", "(cn=%s", Finding.Q63),
        ("NameAttribute", "cn, sn", Finding.Q64),
        ("SearchOrder", "first", Finding.Q61),
    ],
)
def test_a_value_that_cannot_be_read_is_an_error_that_shows_it(setting: str, value: str, code: Code) -> None:
    problem = error(f'{setting}="{value}"')
    assert (problem.code, problem.key) == (code, setting)
    assert value in problem.message


def test_the_wording_of_a_value_that_cannot_be_read() -> None:
    problem = error('Port="many"')
    assert problem.message == 'Port "many" is not valid: expected a whole number from 1 to 65535'
    assert problem.fix == "set Port to a whole number from 1 to 65535"


def test_a_scope_nearly_right_is_told_with_the_right_one() -> None:
    assert "did you mean recursive?" in error('PersonResolveScope="recursiv"').message


@pytest.mark.parametrize(
    "text",
    [
        "(&(cn=%s*)(memberOf=CN=Testers (1),O=x))",
        "(&(|(uid=%s)(mail=%s)(cn=%s))(a=b (1)))",
        "(memberOf=a (1))",
    ],
)
def test_the_place_of_an_error_in_a_filter_is_that_of_the_fault_however_many_names_precede_it(
    text: str,
) -> None:
    at = text.index(" (1)") + 2
    problem = error(f'PersonResolveFilter="{text.replace("&", "&amp;")}"')
    assert (problem.code, f'; character {at}, before "(1)' in problem.message) == (Finding.Q63, True)


@pytest.mark.parametrize(
    "text", ["(&(uid=%s)(a=CN=Doe\\, Jane))", "(&(uid=%s)(a=\\28%s\\zz))", "(|(a=%s\\))"]
)
def test_a_lone_backslash_in_a_filter_is_told_with_its_place_and_its_fix(text: str) -> None:
    at = next(found.start() for found in re.finditer(r"\\(?![0-9a-f]{2})", text)) + 1
    problem = error(f'UserDnSearchFilter="{text.replace("&", "&amp;")}"')
    assert (problem.code, f"; character {at}, " in problem.message) == (Finding.Q63, True)
    assert "\\5c" in problem.message + problem.fix


@pytest.mark.parametrize("char", "\u200b\u00a0\u2060\u00ad\ufeff")
def test_invisible_characters_are_told_by_number_wherever_they_are(char: str) -> None:
    _, problems = read(connection(f'PersonResolveBase="ou=people,{char}o=example"'))
    assert Finding.Q51 in {p.code for p in problems}
    assert f"U+{ord(char):04X}" in problems[0].message
    _, problems = read(connection(f'BindEntryDn="cn=a,o=b{char}" BindEntryPwd="hunter2{char}"'))
    told = [p for p in problems if p.code is Finding.Q51]
    assert [p.key for p in told] == ["BindEntryDn", "BindEntryPwd"]
    assert all(f"U+{ord(char):04X}" in p.message for p in told)
    assert "hunter2" not in repr(problems)


@pytest.mark.parametrize("base", ["ou=می\u200cخواهم,o=x", "ou=営業\u3000部,o=x", "ou=a b,o=x"])
def test_characters_that_some_scripts_need_are_not_told(base: str) -> None:
    assert str(server(f'PersonResolveBase="{base}"').person_base)


def test_all_problems_are_told_at_once() -> None:
    _, problems = read(connection('Port="x" SSLPort="y" PersonResolveScope="z" GroupResolveBase="w"'))
    assert {p.key for p in problems} == {"Port", "SSLPort", "PersonResolveScope", "GroupResolveBase"}


def test_several_hosts_of_one_directory_keep_their_order() -> None:
    community, _ = read('<R><LDAP><Connection HostName="b, a ,::1,[::2],127.0.0.1"/></LDAP></R>')
    assert community.servers[0].hosts == ("b", "a", "::1", "::2", "127.0.0.1")


@pytest.mark.parametrize("host", ["ldap://h", "h:636", "a b", "h/", "u@h"])
def test_a_host_that_is_more_than_a_host_is_an_error(host: str) -> None:
    problem = only_problem(f'<R><LDAP><Connection HostName="{host}"/></LDAP></R>')
    assert (problem.code, problem.key) == (Finding.Q65, "HostName")


def test_d34_a_host_whose_name_holds_the_word_quotes_is_a_host() -> None:
    problem = only_problem('<R><LDAP><Connection HostName="ldap://stockquotes.example.com"/></LDAP></R>')
    assert problem.code is Finding.Q65
    assert not read('<R><LDAP><Connection HostName="stockquotes.example.com"/></LDAP></R>')[1]


@pytest.mark.parametrize("attributes", ["", 'HostName=""', 'HostName=" , "'])
def test_a_missing_host_is_an_error(attributes: str) -> None:
    problem = only_problem(f"<R><LDAP><Connection {attributes}/></LDAP></R>")
    assert (problem.code, problem.key) == (Finding.Q71, "HostName")


@pytest.mark.parametrize("text", ["<R/>", "<R><LDAP/></R>", '<R><Connection HostName="h"/></R>'])
def test_without_a_server_there_is_an_error_with_a_fix(text: str) -> None:
    problem = only_problem(text)
    assert (problem.code, problem.severity) == (Finding.Q72, Severity.ERROR)
    assert "<LDAP>" in problem.fix


def two(first: str, second: str) -> str:
    return (
        f'<R><LDAP>\n<Connection HostName="a" PersonResolveBase="o=a" GroupResolveBase="o=a" {first}/>\n'
        f'<Connection HostName="b" PersonResolveBase="o=b" GroupResolveBase="o=b" {second}/>\n</LDAP></R>'
    )


def test_c39_servers_stand_in_search_order() -> None:
    community, problems = read(two('SearchOrder="20"', 'SearchOrder="10"'))
    assert not problems
    assert [s.label for s in community.servers] == ["b", "a"]


def test_c39_d25_a_search_order_given_twice_is_told_with_both_lines() -> None:
    community, problems = read(two('SearchOrder="2"', 'SearchOrder="2"'))
    assert [s.label for s in community.servers] == ["a", "b"]
    (problem,) = problems
    assert (problem.code, problem.severity, line_of(problem)) == (Pitfall.D25, Severity.WARNING, 3)
    assert "line 2" in problem.message


def test_c39_without_search_order_the_order_of_the_file_counts_with_a_warning() -> None:
    community, problems = read(two('SearchOrder="9"', ""))
    assert [s.label for s in community.servers] == ["a", "b"]
    assert [(p.code, p.key, line_of(p)) for p in problems] == [(Pitfall.D25, "SearchOrder", 3)]


def overlap(first: str, second: str) -> list[Diagnostic]:
    text = (
        "<R><LDAP>"
        f'<Connection HostName="a" SearchOrder="1" GroupResolveBase="o=g" PersonResolveBase="{first}"/>'
        f'<Connection HostName="b" SearchOrder="2" GroupResolveBase="o=h" PersonResolveBase="{second}"/>'
        "</LDAP></R>"
    )
    return list(read(text)[1])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("o=renovations", "o=sales,o=renovations"),
        ("o=sales,o=renovations", "O = Renovations"),
        ("o=x", "o=x"),
    ],
)
def test_c41_d26_overlapping_bases_are_told_with_both(first: str, second: str) -> None:
    (problem,) = overlap(first, second)
    assert (problem.code, problem.severity) == (Pitfall.D26, Severity.WARNING)
    assert problem.key == "PersonResolveBase"
    assert " a " in problem.message
    assert " b " in problem.message


@pytest.mark.parametrize(
    ("people", "groups", "key"),
    [
        ("o=g", "o=h", "PersonResolveBase"),
        ("ou=people,o=g", "o=h", "PersonResolveBase"),
        ("o=q", "ou=staff,o=p", "GroupResolveBase"),
    ],
)
def test_c41_d26_bases_of_people_and_of_groups_are_compared_too(people: str, groups: str, key: str) -> None:
    text = (
        '<R><LDAP><Connection HostName="a" SearchOrder="1" PersonResolveBase="o=p" GroupResolveBase="o=g"/>\n'
        f'<Connection HostName="b" SearchOrder="2" PersonResolveBase="{people}" GroupResolveBase="{groups}"/>'
        "</LDAP></R>"
    )
    problem = only_problem(text)
    assert (problem.code, problem.key, line_of(problem)) == (Pitfall.D26, key, 2)
    assert (" a " in problem.message, " b " in problem.message) == (True, True)


def test_c41_d26_a_blank_base_overlaps_with_every_other() -> None:
    found = overlap("", "o=x")
    assert [p.key for p in found] == ["PersonResolveBase", "GroupResolveBase"]
    assert all("the whole directory" in p.message for p in found)


def test_c41_a_server_without_a_name_is_not_compared() -> None:
    (problem,) = read(two('SearchOrder="1"', 'SearchOrder="2"').replace('"b"', '"b c"'))[1]
    assert (problem.code, problem.key) == (Finding.Q65, "HostName")


def test_c41_bases_apart_are_fine() -> None:
    assert not overlap("o=renovations,c=us", "o=sales")


def test_the_same_host_twice_is_told() -> None:
    text = two('SearchOrder="1"', 'SearchOrder="2"').replace('"b"', '"A"')
    (problem,) = read(text)[1]
    assert (problem.code, problem.key) == (Finding.Q5, "HostName")


@pytest.mark.parametrize(
    ("setting", "code"), [("OrganizationName", Pitfall.D24), ("HomeServerAttribute", Finding.Q57)]
)
def test_c45_d24_what_is_not_to_be_used_is_ignored_with_a_warning(setting: str, code: Code) -> None:
    problem = warning(f'{setting}="x"')
    assert (problem.code, problem.key) == (code, setting)


def test_c46_scopes() -> None:
    found = server('PersonResolveScope="OneLevel" GroupResolveScope="RECURSIVE"')
    assert (found.person_scope, found.group_scope) == (Scope.ONE_LEVEL, Scope.SUBTREE)


def test_c47_every_hole_of_a_template_is_found() -> None:
    assert server('PersonResolveFilter="(|(cn=%s*)(mail=%s))"').person_filter.holes == 2


def test_c47_a_filter_without_a_hole_is_told() -> None:
    assert warning('UserDnSearchFilter="(cn=x)"').code is Finding.Q66


def test_c48_d30_a_wildcard_in_the_login_filter_is_told() -> None:
    assert warning('UserDnSearchFilter="(cn=%s*)"').code is Pitfall.D30


def test_c48_presence_in_the_login_filter_is_no_wildcard() -> None:
    assert server('UserDnSearchFilter="(&amp;(objectclass=*)(uid=%s))"').login_filter.holes == 1


def test_c55_group_membership_may_be_an_attribute_of_the_person() -> None:
    found = server('GroupMembership="memberOf"')
    assert (found.group_membership, found.member_of) == (None, "memberOf")


def test_c51_a_user_id_attribute_is_taken() -> None:
    assert server('UserIdAttribute="objectGUID"').user_id_attribute == "objectGUID"


@pytest.mark.parametrize("password", ["", 'BindEntryPassword=""'])
def test_c57_a_blank_account_is_anonymous(password: str) -> None:
    assert server(f'BindEntryDn=" " {password}').account is None


def test_c57_a_password_without_an_account_is_told_and_not_shown() -> None:
    problem = warning('BindEntryPassword="hunter2"')
    assert problem.code is Finding.Q74
    assert "hunter2" not in repr(problem)


def test_an_account_without_a_password_would_be_no_authentication_and_is_an_error() -> None:
    problem = error('BindEntryDn="cn=a,o=x"')
    assert (problem.code, problem.key) == (Finding.Q75, "BindEntryDn")
    assert "BindEntryPwd" in problem.fix


def test_c58_the_bind_password_is_clear_text_even_when_it_looks_like_base64() -> None:
    account = server('BindEntryDn="cn=a" BindEntryPassword="czNjcmV0"').account
    assert account is not None
    assert account.password.reveal() == "czNjcmV0"


@pytest.mark.parametrize("name", ["reader@example.com", r"EXAMPLE\reader", "cn=reader,o=example"])
def test_an_account_may_be_a_dn_or_a_mail_form(name: str) -> None:
    assert server(f'BindEntryDn="{name}" BindEntryPassword="x"').account is not None


@pytest.mark.parametrize("name", ["reader", "cn=a,,o=b"])
def test_an_account_that_is_neither_is_told(name: str) -> None:
    problem = warning(f'BindEntryDn="{name}" BindEntryPassword="x"')
    assert (problem.code, problem.key) == (Finding.Q76, "BindEntryDn")


def test_d34_typographic_quotes_in_a_password_are_told_and_not_shown() -> None:
    problem = warning('BindEntryDn="cn=a" BindEntryPassword="“hunter2”"')
    assert (problem.code, "U+201C" in problem.message) == (Pitfall.D34, True)
    assert "hunter2" not in repr(problem)


@pytest.mark.parametrize(
    "setting",
    [
        "PersonResolveFilter",
        "GroupResolveFilter",
        "UserDnSearchFilter",
        "NameAttribute",
        "PersonResolveBase",
        "GroupResolveBase",
    ],
)
def test_c60_a_java_class_is_recognised_and_refused_in_words(setting: str) -> None:
    problem = error(f'{setting}="StLdapCustomized.peopleResolveFilter(cn, sn)"')
    assert (problem.code, problem.key) == (Finding.Q67, setting)


@pytest.mark.parametrize(
    ("attributes", "odd"), [('Port="636"', "636"), ('SSLEnabled="1" SSLPort="389"', "389")]
)
def test_d8_a_port_that_is_usually_the_other_one_is_told(attributes: str, odd: str) -> None:
    problem = warning(attributes)
    assert (problem.code, odd in problem.message) == (Pitfall.D8, True)


def test_a_base_for_each_organisation_is_refused() -> None:
    assert error('PersonResolveBase="o=%S"').code is Finding.Q68


@given(
    st.dictionaries(
        st.sampled_from(
            ["Port", "SSLEnabled", "PersonResolveBase", "UserDnSearchFilter", "BindEntryDn", "SearchOrder"]
        ),
        st.text(
            st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters='<&"\ufffe\uffff'),
            max_size=15,
        ),
    )
)
def test_no_value_breaks_the_reader(settings: dict[str, str]) -> None:
    text = connection(" ".join(f'{name}="{value}"' for name, value in settings.items()))
    community, _ = read(text)
    assert len(community.servers) == 1
