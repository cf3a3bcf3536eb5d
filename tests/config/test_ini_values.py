"""The environment above the file, scopes, and misspelt names (rows C5, C11 to C17, C86; D5, D34)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.environment import read_env_file, read_variables, variables_of
from quintet.config.ini import read_ini
from quintet.config.ini_values import IniValues, is_variable
from quintet.config.schema import INI_KEYS, KNOWN_INI
from quintet.config.source import EditError
from quintet.diagnostics import Diagnostic, Diagnostics, Finding, Pitfall, Place, Severity

FLAG = "ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS"


def values(text: str = "", **environ: str) -> IniValues:
    findings = Diagnostics()
    return IniValues(read_ini(text.encode(), findings), read_variables(variables_of(environ), findings))


def problems(text: str = "", **environ: str) -> tuple[Diagnostic, ...]:
    findings = Diagnostics()
    found = IniValues(read_ini(text.encode(), findings), read_variables(variables_of(environ), findings))
    found.check_names(findings)
    return findings.problems


def text_of(found: IniValues, name: str) -> str | None:
    value = found.get(name)
    return value.text if value else None


def test_c5_the_flag_in_another_section_has_no_effect_and_is_told() -> None:
    text = f"[Config]\n{FLAG}=1\n"
    assert values(text).get(FLAG) is None
    (problem,) = problems(text)
    assert (problem.code, problem.severity) == (Finding.Q55, Severity.WARNING)
    assert problem.place == Place("sametime.ini", 2)
    assert "[Directory]" in problem.fix


def test_c5_d5_a_variable_with_the_wrong_section_is_told_with_the_right_one() -> None:
    (problem,) = problems(STI__Config__ST_DB_LDAP_SSL_ONLY_FOR_PASSWORDS="1")
    assert (problem.code, problem.fix) == (Finding.Q55, f"write STI__Directory__{FLAG}")


@pytest.mark.parametrize(
    "text", ["[Debug]\nSTLDAP_TLS_TRUST_STORE_FILE=a\n", "ST_TLS_KEY_STORE_PASSWORD=a\n"]
)
def test_d5_a_key_of_a_store_in_another_section_has_the_code_of_that_pitfall(text: str) -> None:
    assert [(p.code, p.severity) for p in problems(text)] == [(Pitfall.D5, Severity.WARNING)]


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
    assert {p.code for p in problems(STI__Debug_StUsers__VP_TRACE_ALL="1")} == {Finding.Q57}


@pytest.mark.parametrize(
    "variable", [f"STI_Directory_{FLAG}", f"STI_directory_{FLAG}", f"STI__Directory_{FLAG}"]
)
def test_c14_single_underscores_are_accepted_with_a_warning(variable: str) -> None:
    assert text_of(values(**{variable: "1"}), FLAG) == "1"
    told = [p for p in problems(**{variable: "1"}) if p.code is Finding.Q52]
    assert [(p.severity, p.key) for p in told] == [(Severity.WARNING, variable)]
    assert f"__{FLAG}" in told[0].fix


@pytest.mark.parametrize("section", ["STCONVOMAP", "stconvomap"])
def test_c14_the_section_of_conversations_is_known_with_single_underscores(section: str) -> None:
    (problem,) = problems(**{f"STI_{section}_CONVOMAP_READ_LIST_ENABLED": "1"})
    assert problem.code is Finding.Q52


@pytest.mark.parametrize("variable", ["STI_Debug_StUsers_VP_TRACE_ALL", "STI__Debug_StUsers_VP_TRACE_ALL"])
def test_c13_c14_the_slip_in_a_component_section_is_told_with_the_right_form(variable: str) -> None:
    (told,) = [p for p in problems(**{variable: "1"}) if p.severity is Severity.WARNING]
    assert told.fix == "write STI__Debug_StUsers__VP_TRACE_ALL"
    (entry,) = read_variables(variables_of({variable: "1"}), Diagnostics())
    assert (entry.section, entry.key) == ("Debug_StUsers", "VP_TRACE_ALL")


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
    assert Finding.Q50 in {p.code for p in problems(**environ)}


def test_a_variable_is_split_at_the_first_two_double_underscores() -> None:
    (entry,) = read_variables(variables_of({"STI__Config__A__B": "1"}), Diagnostics())
    assert (entry.section, entry.key) == ("Config", "A__B")


def test_other_variables_are_none_of_our_business() -> None:
    assert problems(PATH="/bin", STICKY="1", STI="x") == ()


def test_a_variable_of_no_known_form_is_told() -> None:
    (problem,) = problems(STI__Nothing="1")
    assert (problem.code, problem.key) == (Finding.Q53, "STI__Nothing")


def test_c15_the_global_scope_applies_where_no_narrower_key_is_set() -> None:
    found = values("[Config]\nST_TLS_SECURITY_LEVEL=1\n")
    value = found.scoped("TLS_SECURITY_LEVEL")
    assert value is not None
    assert value[0] == "1"
    assert value[1].key == "ST_TLS_SECURITY_LEVEL"
    assert value[1].place == Place("sametime.ini", 2)


def test_c16_the_ldap_scope_overrides_key_by_key_with_its_origin() -> None:
    text = "[Config]\nST_TLS_TRUST_STORE_FILE=a\nST_TLS_TRUST_STORE_TYPE=p12\nSTLDAP_TLS_TRUST_STORE_FILE=b\n"
    found = values(text)
    file, kind = found.scoped("TLS_TRUST_STORE_FILE"), found.scoped("TLS_TRUST_STORE_TYPE")
    assert file is not None
    assert kind is not None
    assert (file[0], file[1].place) == ("b", Place("sametime.ini", 4))
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


def test_c86_an_unknown_key_gets_one_note() -> None:
    (problem,) = problems("[Directory]\nX_SHOE_SIZE=1\n")
    assert (problem.code, problem.severity, problem.key) == (Finding.Q58, Severity.NOTE, "X_SHOE_SIZE")


@pytest.mark.parametrize("name", ["ST_DB_LDAP_MAX_RESULT", "ST_DB_LDAP_MAXRESULTS", "VP_LDAP_TRACES"])
def test_a_key_that_is_nearly_a_known_one_is_a_warning_with_the_right_name(name: str) -> None:
    (problem,) = problems(f"[Directory]\n{name}=1\n[Config]\n")
    assert (problem.code, problem.severity, problem.key) == (Finding.Q59, Severity.WARNING, name)
    assert any(known in problem.fix for known in ("ST_DB_LDAP_MAX_RESULTS", "VP_LDAP_TRACE"))


def test_a_key_of_another_part_of_sametime_is_not_taken_for_a_misspelling() -> None:
    assert problems("[Config]\nVP_SECURITY_LEVEL=7000\n") == ()
    assert [p.code for p in problems("[Config]\nVPS_HOST=ldap\n")] == [Finding.Q58]


@pytest.mark.parametrize("name", [key.name for key in INI_KEYS if key.security])
def test_a_key_that_is_nearly_a_security_setting_is_an_error(name: str) -> None:
    section = KNOWN_INI[name.casefold()].sections[0]
    if not name.startswith("STSRV_"):
        (problem,) = problems(f"[{section}]\n{name}X=1\n")
        assert (problem.code, problem.severity) == (Finding.Q60, Severity.ERROR)
        (problem,) = problems(**{f"STI__{section}__{name[:-1]}": "1"})
        assert (problem.code, problem.place) == (Finding.Q60, Place("environment"))


def test_the_only_passwords_flag_without_its_last_letter_is_an_error_that_names_it() -> None:
    (problem,) = problems(f"[Directory]\n{FLAG[:-1]}=1\n")
    assert (problem.code, problem.severity) == (Finding.Q60, Severity.ERROR)
    assert f"write {FLAG} " in problem.fix


def test_c12_d34_a_variable_that_stands_in_the_file_is_told_as_one() -> None:
    (problem,) = problems(f"[Directory]\nSTI__Directory__{FLAG}=1\n")
    assert (problem.code, problem.place) == (Finding.Q54, Place("sametime.ini", 2))
    assert problem.fix == f"write {FLAG} below [Directory]"


def test_c86_a_key_without_documented_meaning_gets_one_note() -> None:
    (problem,) = problems("[Directory]\nST_DB_LDAP_TIMEOUT=1\n")
    assert (problem.code, problem.severity) == (Finding.Q57, Severity.NOTE)


def test_keys_are_found_in_any_case_with_a_warning() -> None:
    text = "[config]\nst_community_id=x\n"
    assert text_of(values(text), "ST_COMMUNITY_ID") == "x"
    (problem,) = problems(text)
    assert (problem.code, problem.severity) == (Finding.Q56, Severity.WARNING)
    assert problem.fix == "write ST_COMMUNITY_ID"


def test_d34_typographic_quotes_are_told_and_a_password_is_not_shown() -> None:
    (problem,) = problems(STI__Config__STLDAP_TLS_TRUST_STORE_PASSWORD="“hunter2”")
    assert (problem.code, "U+201C" in problem.message) == (Pitfall.D34, True)
    assert "hunter2" not in repr(problem)


@pytest.mark.parametrize("char", "\u200b\u00a0\u2007\ufeff\u2060")
def test_invisible_characters_at_the_end_of_a_value_are_told_by_number(char: str) -> None:
    """Python takes some of them for blanks and some not; Sametime may read all as a part of the value."""
    for text in (f"hunter2{char}", f"{char}hunter2"):
        (problem,) = problems(f"[Config]\nSTLDAP_TLS_TRUST_STORE_PASSWORD={text}\n")
        assert (problem.code, problem.place) == (Finding.Q51, Place("sametime.ini", 2))
        assert f"U+{ord(char):04X}" in problem.message
        assert "hunter2" not in repr(problem)


def test_an_origin_has_its_place_and_knows_whether_it_is_a_variable() -> None:
    found = values("[Config]\nST_TLS_KEY_LABEL=x\n", STI__Config__STLDAP_TLS_SECURITY_LEVEL="1")
    label, level = found.scoped("TLS_KEY_LABEL"), found.scoped("TLS_SECURITY_LEVEL")
    assert label is not None
    assert level is not None
    assert (label[1].place, is_variable(label[1])) == (Place("sametime.ini", 2), False)
    assert (level[1].place, is_variable(level[1])) == (Place("environment"), True)


def test_no_key_is_in_the_table_twice() -> None:
    assert len(KNOWN_INI) == len(INI_KEYS)


def test_straight_quotes_around_a_value_are_told() -> None:
    (problem,) = problems(STI__Config__ST_TLS_TRUST_STORE_FILE='"/a/b.p12"')
    assert (problem.code, problem.severity) == (Pitfall.D34, Severity.WARNING)


# Files of variables (config 2.2).


def env_file(text: str) -> dict[str, tuple[str, Place]]:
    return {v.name: (v.value, v.place) for v in read_env_file(text.encode(), "custom.env")}


def test_an_env_file_gives_its_variables_with_their_lines() -> None:
    assert env_file("# ours\n\nHTTPS_PORT=443\nSTI__Config__A=1\nexport STI__Config__B = 2 \n") == {
        "STI__Config__A": ("1", Place("custom.env", 4)),
        "STI__Config__B": ("2", Place("custom.env", 5)),
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [('"a b"', "a b"), ("'a=b'", "a=b"), ('"', '"'), ("", ""), ("a#b", "a#b"), ('a"b"', 'a"b"')],
)
def test_a_pair_of_quotes_around_a_value_of_an_env_file_is_removed(written: str, meant: str) -> None:
    assert env_file(f"STI__Config__A={written}") == {"STI__Config__A": (meant, Place("custom.env", 1))}


def test_lines_of_an_env_file_that_set_nothing_are_ignored() -> None:
    assert env_file("STI__Config__A\n=1\n;STI__Config__B=2\nSTI Config=1\n") == {}


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader_of_env_files(data: bytes) -> None:
    try:
        found = read_env_file(data, "custom.env")
    except EditError:
        return
    assert len(found) <= data.count(b"=")


def test_the_environment_wins_over_env_files_and_the_difference_is_told() -> None:
    name = "STI__Config__ST_COMMUNITY_ID"
    variables = (*variables_of({name: "ours"}), *read_env_file(f"{name}=theirs".encode(), "custom.env"))
    findings = Diagnostics()
    (entry,) = read_variables(variables, findings)
    assert (entry.value, entry.place) == ("ours", Place("environment"))
    assert [(p.code, p.place) for p in findings.problems] == [(Finding.Q50, Place("environment"))]


def test_a_later_env_file_wins_over_an_earlier_one() -> None:
    name = "STI__Config__ST_COMMUNITY_ID"
    first, second = (read_env_file(f"{name}={file}".encode(), file) for file in ("a.env", "b.env"))
    (entry,) = read_variables((*first, *second), Diagnostics())
    assert entry.value == "b.env"


def test_the_same_value_in_two_places_is_not_told() -> None:
    name = "STI__Config__ST_COMMUNITY_ID"
    variables = (*variables_of({name: "x"}), *read_env_file(f"{name}=x".encode(), "custom.env"))
    findings = Diagnostics()
    read_variables(variables, findings)
    assert findings.problems == ()
