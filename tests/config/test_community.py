"""Reading StCommunityConfig.xml (rows C2 to C4, C39, C41 to C47, C57 to C63 of the reference)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.settings import Scope, ServerSettings
from quintet.config.stcommunityconfig import Community, read_community
from quintet.diagnostics import Diagnostic, Diagnostics, Severity
from quintet.ldap.dn import DN


def read(text: str) -> tuple[Community, tuple[Diagnostic, ...]]:
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
    assert [problem.severity for problem in problems] == [Severity.NOTE] * noted
    assert all("no answer is old" in problem.message for problem in problems)


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


def test_an_unknown_name_is_kept_and_noted_with_the_nearest_one() -> None:
    problem = only_problem(connection('PersonResolvBase="o=x"'))
    assert problem.severity is Severity.NOTE
    assert problem.place.line == 2
    assert "PersonResolveBase" in problem.message


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
    assert (problem.severity, problem.key, problem.place.line) == (Severity.WARNING, slip, 2)
    assert f"did you mean {meant}?" in problem.message


@pytest.mark.parametrize(
    "text", ['<R><LDAP>\n<Conection HostName="i"/></LDAP></R>', '<R>\n<LDPA><X HostName="h"/></LDPA></R>']
)
def test_without_a_server_its_misspelt_name_is_told(text: str) -> None:
    problem = only_problem(text)
    assert problem.severity is Severity.ERROR
    assert "there is no LDAP server" in problem.message
    assert "line 2; did you mean" in problem.message


def test_c86_names_of_other_parts_of_the_file_are_none_of_ours() -> None:
    _, problems = read(
        '<R Version="1"><Mux Port="1533" HostName="m"/><Policies><Policy Id="1" Weight="0"/></Policies>'
        '<LDAP><Connection HostName="h"/></LDAP></R>'
    )
    assert not problems


def test_a_server_outside_the_ldap_section_is_told_also_beside_one_inside() -> None:
    problem = only_problem('<R><LDAP><Connection HostName="h"/></LDAP>\n<Connection Host="i"/></R>')
    assert (problem.severity, problem.place.line) == (Severity.WARNING, 2)
    assert "outside the LDAP section" in problem.message


@pytest.mark.parametrize("text", ['<R SSLEnabled="1">', "<R><SSLEnabled>1</SSLEnabled>"])
def test_c43_a_setting_around_the_ldap_section_has_no_effect_and_is_told(text: str) -> None:
    community, problems = read(f'{text}<LDAP><Connection HostName="h"/></LDAP></R>')
    assert not community.servers[0].ssl_enabled
    assert [(p.severity, p.key) for p in problems] == [(Severity.WARNING, "SSLEnabled")]


def test_two_spellings_of_one_setting_are_told_and_the_last_counts() -> None:
    community, problems = read(connection('SSLEnabled="1"\nSSL="0"'))
    assert not community.servers[0].ssl_enabled
    (problem,) = problems
    assert "line 2" in problem.message
    assert "line 3" in problem.message


def test_a_problem_names_the_line_of_its_attribute() -> None:
    assert error('\n\nPort="many"').place.line == 4


@pytest.mark.parametrize("port", ["0", "65536", "-1", "many", "389.5", "0x1", "9" * 30, "٣٨٩"])
def test_a_port_out_of_range_is_an_error(port: str) -> None:
    problem = error(f'Port="{port}"')
    assert (problem.key, "1 to 65535" in problem.message) == ("Port", True)


@pytest.mark.parametrize(
    ("setting", "value", "allowed"),
    [
        ("SSLEnabled", "maybe", "0 or 1"),
        ("PersonResolveScope", "deep", "recursive or onelevel"),
        ("PersonResolveBase", "people", "distinguished name"),
        ("PersonResolveFilter", "(cn=%s", "LDAP filter"),
        ("NameAttribute", "cn, sn", "LDAP name"),
        ("SearchOrder", "first", "whole number"),
    ],
)
def test_a_value_that_cannot_be_read_says_what_is_allowed(setting: str, value: str, allowed: str) -> None:
    problem = error(f'{setting}="{value}"')
    assert problem.key == setting
    assert value in problem.message
    assert allowed in problem.message


def test_a_scope_nearly_right_is_told_with_the_right_one() -> None:
    assert "did you mean recursive?" in error('PersonResolveScope="recursiv"').message


def test_all_problems_are_told_at_once() -> None:
    _, problems = read(connection('Port="x" SSLPort="y" PersonResolveScope="z" GroupResolveBase="w"'))
    assert {p.key for p in problems} == {"Port", "SSLPort", "PersonResolveScope", "GroupResolveBase"}


def test_several_hosts_of_one_directory_keep_their_order() -> None:
    community, _ = read('<R><LDAP><Connection HostName="b, a ,::1,[::2],127.0.0.1"/></LDAP></R>')
    assert community.servers[0].hosts == ("b", "a", "::1", "::2", "127.0.0.1")


@pytest.mark.parametrize("host", ["ldap://h", "h:636", "a b", "h/", "u@h"])
def test_a_host_that_is_more_than_a_host_is_an_error(host: str) -> None:
    problem = only_problem(f'<R><LDAP><Connection HostName="{host}"/></LDAP></R>')
    assert problem.severity is Severity.ERROR
    assert problem.key == "HostName"


@pytest.mark.parametrize("attributes", ["", 'HostName=""', 'HostName=" , "'])
def test_a_missing_host_is_an_error(attributes: str) -> None:
    problem = only_problem(f"<R><LDAP><Connection {attributes}/></LDAP></R>")
    assert (problem.severity, problem.key) == (Severity.ERROR, "HostName")


@pytest.mark.parametrize("text", ["<R/>", "<R><LDAP/></R>", '<R><Connection HostName="h"/></R>'])
def test_without_a_server_there_is_an_error_with_a_cure(text: str) -> None:
    problem = only_problem(text)
    assert problem.severity is Severity.ERROR
    assert "<LDAP>" in problem.message


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
    assert problem.severity is Severity.WARNING
    assert "line 2" in problem.message
    assert "line 3" in problem.message


def test_c39_without_search_order_the_order_of_the_file_counts_with_a_warning() -> None:
    community, problems = read(two('SearchOrder="9"', ""))
    assert [s.label for s in community.servers] == ["a", "b"]
    assert [(p.key, p.place.line) for p in problems] == [("SearchOrder", 3)]


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
    assert problem.severity is Severity.WARNING
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
    assert (problem.severity, problem.key, problem.place.line) == (Severity.WARNING, key, 2)
    assert (" a " in problem.message, " b " in problem.message) == (True, True)


def test_c41_d26_a_blank_base_overlaps_with_every_other() -> None:
    found = overlap("", "o=x")
    assert [p.key for p in found] == ["PersonResolveBase", "GroupResolveBase"]
    assert all("the whole directory" in p.message for p in found)


def test_c41_a_server_without_a_name_is_not_compared() -> None:
    (problem,) = read(two('SearchOrder="1"', 'SearchOrder="2"').replace('"b"', '"b c"'))[1]
    assert (problem.severity, problem.key) == (Severity.ERROR, "HostName")


def test_c41_bases_apart_are_fine() -> None:
    assert not overlap("o=renovations,c=us", "o=sales")


def test_the_same_host_twice_is_told() -> None:
    text = two('SearchOrder="1"', 'SearchOrder="2"').replace('"b"', '"A"')
    (problem,) = read(text)[1]
    assert "unique" in problem.message


@pytest.mark.parametrize("setting", ["OrganizationName", "HomeServerAttribute"])
def test_c45_d24_what_is_not_to_be_used_is_ignored_with_a_warning(setting: str) -> None:
    assert warning(f'{setting}="x"').key == setting


def test_c46_scopes() -> None:
    found = server('PersonResolveScope="OneLevel" GroupResolveScope="RECURSIVE"')
    assert (found.person_scope, found.group_scope) == (Scope.ONE, Scope.SUBTREE)


def test_c47_every_hole_of_a_template_is_found() -> None:
    assert server('PersonResolveFilter="(|(cn=%s*)(mail=%s))"').person_filter.holes == 2


def test_c47_a_filter_without_a_hole_is_told() -> None:
    assert "%s" in warning('UserDnSearchFilter="(cn=x)"').message


def test_c48_d30_a_wildcard_in_the_login_filter_is_told() -> None:
    assert "*" in warning('UserDnSearchFilter="(cn=%s*)"').message


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
    assert "hunter2" not in str(problem)


def test_an_account_without_a_password_would_be_no_authentication_and_is_an_error() -> None:
    assert error('BindEntryDn="cn=a,o=x"').key == "BindEntryDn"


def test_c58_the_bind_password_is_clear_text_even_when_it_looks_like_base64() -> None:
    account = server('BindEntryDn="cn=a" BindEntryPassword="czNjcmV0"').account
    assert account is not None
    assert account.password.reveal() == "czNjcmV0"


@pytest.mark.parametrize("name", ["reader@example.com", r"EXAMPLE\reader", "cn=reader,o=example"])
def test_an_account_may_be_a_dn_or_a_mail_form(name: str) -> None:
    assert server(f'BindEntryDn="{name}" BindEntryPassword="x"').account is not None


@pytest.mark.parametrize("name", ["reader", "cn=a,,o=b"])
def test_an_account_that_is_neither_is_told(name: str) -> None:
    assert warning(f'BindEntryDn="{name}" BindEntryPassword="x"').key == "BindEntryDn"


def test_d34_typographic_quotes_in_a_password_are_told_and_not_shown() -> None:
    problem = warning('BindEntryDn="cn=a" BindEntryPassword="“hunter2”"')
    assert "U+201C" in problem.message
    assert "hunter2" not in problem.message


@pytest.mark.parametrize(
    "setting", ["PersonResolveFilter", "GroupResolveFilter", "UserDnSearchFilter", "NameAttribute"]
)
def test_c60_a_java_class_is_recognised_and_refused_in_words(setting: str) -> None:
    problem = error(f'{setting}="StLdapCustomized.peopleResolveFilter(cn, sn)"')
    assert problem.key == setting
    assert "Java" in problem.message


@pytest.mark.parametrize(
    ("attributes", "odd"), [('Port="636"', "636"), ('SSLEnabled="1" SSLPort="389"', "389")]
)
def test_d8_a_port_that_is_usually_the_other_one_is_told(attributes: str, odd: str) -> None:
    assert odd in warning(attributes).message


def test_a_base_for_each_organisation_is_refused() -> None:
    assert "%S" in error('PersonResolveBase="o=%S"').message


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
