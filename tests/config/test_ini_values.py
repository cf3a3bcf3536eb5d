"""The environment above the file, scopes, and slips in names (rows C5, C11 to C17, C86; D5, D34)."""

import pytest

from quintet.config.environment import read_environment
from quintet.config.ini import read_ini
from quintet.config.ini_values import IniValues, place_of
from quintet.config.schema import INI_KEYS, KNOWN_INI
from quintet.diagnostics import Diagnostic, Diagnostics, Place, Severity

FLAG = "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"


def values(text: str = "", **environ: str) -> IniValues:
    findings = Diagnostics()
    return IniValues(read_ini(text.encode(), findings), read_environment(environ, findings))


def problems(text: str = "", **environ: str) -> tuple[Diagnostic, ...]:
    findings = Diagnostics()
    found = IniValues(read_ini(text.encode(), findings), read_environment(environ, findings))
    found.check_names(findings)
    return findings.problems


def text_of(found: IniValues, name: str) -> str | None:
    value = found.get(name)
    return value.text if value else None


def test_c5_the_flag_in_another_section_has_no_effect_and_is_told() -> None:
    text = f"[Config]\n{FLAG}=1\n"
    assert values(text).get(FLAG) is None
    (problem,) = problems(text)
    assert problem.severity is Severity.WARNING
    assert problem.place == Place("sametime.ini", 2)
    assert "[Directory]" in problem.message


def test_c5_d5_a_variable_with_the_wrong_section_is_told_with_the_right_one() -> None:
    (problem,) = problems(STI__Config__ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS="1")
    assert f"STI__Directory__{FLAG}" in problem.message


def test_c12_the_environment_wins_over_the_file() -> None:
    found = values("[Config]\nST_COMMUNITY_ID=file\n", STI__Config__ST_COMMUNITY_ID="variable")
    value = found.get("ST_COMMUNITY_ID")
    assert value is not None
    assert (value.text, value.place) == ("variable", Place("environment"))
    assert value.key == "STI__Config__ST_COMMUNITY_ID"


def test_c12_an_empty_variable_is_as_if_it_were_not_set() -> None:
    found = values("[Config]\nST_COMMUNITY_ID=file\n", STI__Config__ST_COMMUNITY_ID=" ")
    assert text_of(found, "ST_COMMUNITY_ID") == "file"


def test_an_empty_value_in_the_file_is_not_set() -> None:
    assert values("[Config]\nST_COMMUNITY_ID=\n").get("ST_COMMUNITY_ID") is None


@pytest.mark.parametrize("section", ["Debug", "debug", "DEBUG"])
def test_c13_sections_of_variables_are_read_in_any_case(section: str) -> None:
    assert text_of(values(**{f"STI__{section}__VP_LDAP_TRACE": "1"}), "VP_LDAP_TRACE") == "1"


def test_c13_a_component_section_with_an_underscore_is_that_with_a_hyphen() -> None:
    noted = problems(STI__Debug_StUsers__VP_TRACE_ALL="1")
    assert all(p.severity is Severity.NOTE for p in noted)
    assert not any("belongs" in p.message for p in noted)


@pytest.mark.parametrize(
    "variable", [f"STI_Directory_{FLAG}", f"STI_directory_{FLAG}", f"STI__Directory_{FLAG}"]
)
def test_c14_single_underscores_are_accepted_with_a_warning(variable: str) -> None:
    assert text_of(values(**{variable: "1"}), FLAG) == "1"
    told = [p for p in problems(**{variable: "1"}) if f"__{FLAG}" in p.message]
    assert [p.severity for p in told] == [Severity.WARNING]


@pytest.mark.parametrize("variable", ["STI_Debug_StUsers_VP_TRACE_ALL", "STI__Debug_StUsers_VP_TRACE_ALL"])
def test_c13_c14_the_slip_in_a_component_section_is_told_with_the_right_form(variable: str) -> None:
    (told,) = [p for p in problems(**{variable: "1"}) if p.severity is Severity.WARNING]
    assert "STI__Debug_StUsers__VP_TRACE_ALL" in told.message
    (entry,) = read_environment({variable: "1"}, Diagnostics())
    assert (entry.section, entry.key) == ("Debug_StUsers", "VP_TRACE_ALL")


def test_c14_a_slip_in_a_key_that_is_ignored_is_not_said_to_be_read() -> None:
    assert not any("is read" in p.message for p in problems(STI_Config_FOO="1"))


@pytest.mark.parametrize("empty", ["STI__directory__", "STI__DIRECTORY__", "STI_Directory_"])
def test_c12_an_empty_variable_does_not_hide_a_filled_one_of_another_spelling(empty: str) -> None:
    key = "ST_DB_LDAP_MAX_RESULTS"
    environ = {empty + key: "", f"STI__Directory__{key}": "6"}
    assert text_of(values(**environ), key) == "6"
    assert problems(**environ) == ()


def test_no_value_is_in_the_repr_of_an_entry() -> None:
    (entry,) = read_ini(b"[Config]\nST_TLS_KEY_STORE_PASSWORD=hunter2\n", Diagnostics())
    assert "hunter2" not in repr(
        (entry, values("[Config]\nST_TLS_KEY_LABEL=hunter2\n").get("ST_TLS_KEY_LABEL"))
    )


def test_c14_the_proper_form_wins_over_the_slip() -> None:
    environ = {f"STI_Directory_{FLAG}": "0", f"STI__Directory__{FLAG}": "1"}
    assert text_of(values(**environ), FLAG) == "1"
    assert any("set the same key" in p.message for p in problems(**environ))


def test_a_variable_is_split_at_the_first_two_double_underscores() -> None:
    (entry,) = read_environment({"STI__Config__A__B": "1"}, Diagnostics())
    assert (entry.section, entry.key) == ("Config", "A__B")


def test_other_variables_are_none_of_our_business() -> None:
    assert problems(PATH="/bin", STICKY="1", STI="x") == ()


def test_a_variable_of_no_known_form_is_told() -> None:
    (problem,) = problems(STI__Nothing="1")
    assert "STI__Section__KEY" in problem.message


def test_c15_the_global_scope_applies_where_no_narrower_key_is_set() -> None:
    found = values("[Config]\nST_TLS_SECURITY_LEVEL=1\n")
    value = found.scoped("TLS_SECURITY_LEVEL")
    assert value is not None
    assert value[0] == "1"
    assert value[1].key == "ST_TLS_SECURITY_LEVEL"
    assert value[1].place == "sametime.ini:2"


def test_c16_the_ldap_scope_overrides_key_by_key_with_its_origin() -> None:
    text = "[Config]\nST_TLS_TRUST_STORE_FILE=a\nST_TLS_TRUST_STORE_TYPE=p12\nSTLDAP_TLS_TRUST_STORE_FILE=b\n"
    found = values(text)
    file, kind = found.scoped("TLS_TRUST_STORE_FILE"), found.scoped("TLS_TRUST_STORE_TYPE")
    assert file is not None
    assert kind is not None
    assert (file[0], file[1].place) == ("b", "sametime.ini:4")
    assert (kind[0], kind[1].key) == ("p12", "ST_TLS_TRUST_STORE_TYPE")


def test_c16_the_ldap_scope_in_the_file_wins_over_the_global_one_in_the_environment() -> None:
    found = values(
        "[Config]\nSTLDAP_TLS_TRUST_STORE_FILE=narrow\n", STI__Config__ST_TLS_TRUST_STORE_FILE="global"
    )
    file = found.scoped("TLS_TRUST_STORE_FILE")
    assert file is not None
    assert file[0] == "narrow"


def test_c16_a_blank_ldap_key_leaves_the_global_one() -> None:
    found = values("[Config]\nSTLDAP_TLS_CIPHER_SUITES=\nST_TLS_CIPHER_SUITES=x\n")
    suites = found.scoped("TLS_CIPHER_SUITES")
    assert suites is not None
    assert suites[0] == "x"


@pytest.mark.parametrize(
    "key", ["STMUX_TLS_CIPHER_SUITES", "STSRV_TLS_CIPHER_SUITES", "STSAML_CIPHER_SUITES"]
)
def test_c17_other_scopes_do_not_influence_ldap_and_are_not_told(key: str) -> None:
    text = f"[Config]\n{key}=x\n"
    assert values(text).scoped("TLS_CIPHER_SUITES") is None
    assert problems(text) == ()


def test_c86_an_unknown_key_gets_one_note_with_the_nearest_name() -> None:
    (problem,) = problems("[Directory]\nST_DB_LDAP_SSL_ONLY_FOR_PASSWORD=1\n")
    assert problem.severity is Severity.NOTE
    assert f"did you mean {FLAG}?" in problem.message


def test_c12_d34_a_variable_that_stands_in_the_file_is_told_as_one() -> None:
    (problem,) = problems(f"[Directory]\nSTI__Directory__{FLAG}=1\n")
    assert (problem.severity, problem.place) == (Severity.WARNING, Place("sametime.ini", 2))
    assert problem.message.endswith(f"write {FLAG} below [Directory]")


def test_c86_a_key_without_documented_meaning_gets_one_note() -> None:
    (problem,) = problems("[Directory]\nST_DB_LDAP_TIMEOUT=1\n")
    assert problem.severity is Severity.NOTE


def test_keys_are_found_in_any_case_with_a_warning() -> None:
    text = "[config]\nst_community_id=x\n"
    assert text_of(values(text), "ST_COMMUNITY_ID") == "x"
    (problem,) = problems(text)
    assert problem.severity is Severity.WARNING
    assert "ST_COMMUNITY_ID" in problem.message


def test_d34_typographic_quotes_are_told_and_a_password_is_not_shown() -> None:
    (problem,) = problems(STI__Config__STLDAP_TLS_TRUST_STORE_PASSWORD="“hunter2”")
    assert "U+201C" in problem.message
    assert "hunter2" not in problem.message


def test_an_origin_leads_back_to_its_place() -> None:
    found = values("[Config]\nST_TLS_KEY_LABEL=x\n", STI__Config__STLDAP_TLS_SECURITY_LEVEL="1")
    label, level = found.scoped("TLS_KEY_LABEL"), found.scoped("TLS_SECURITY_LEVEL")
    assert label is not None
    assert level is not None
    assert place_of(label[1]) == Place("sametime.ini", 2)
    assert place_of(level[1]) == Place("environment")


def test_no_key_is_in_the_table_twice() -> None:
    assert len(KNOWN_INI) == len(INI_KEYS)


def test_straight_quotes_around_a_value_are_told() -> None:
    (problem,) = problems(STI__Config__ST_TLS_TRUST_STORE_FILE='"/a/b.p12"')
    assert problem.severity is Severity.WARNING
    assert "quotes" in problem.message
