"""What is written anew is read as it was meant."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.load import load
from quintet.config.render import render_cards, render_community, render_ini
from quintet.config.schema import INI_KEYS
from quintet.config.setting import Setting
from quintet.config.xml_document import read_xml
from quintet.config.xml_schema import CARD_SERVER, CONNECTION
from quintet.diagnostics import Severity

_VALUES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co"), include_characters="\n\r\t"),
    max_size=12,
)


def test_the_three_files_are_read_without_a_problem(tmp_path: Path) -> None:
    files = {
        "sametime.ini": render_ini({"ST_DB_LDAP_MAX_RESULTS": "7", "VP_LDAP_TRACE": "1"}),
        "StCommunityConfig.xml": render_community(
            [
                {"HostName": "a", "SearchOrder": "1", "PersonResolveBase": "o=a", "GroupResolveBase": "o=a"},
                {"HostName": "b", "SearchOrder": "2", "PersonResolveBase": "o=b", "GroupResolveBase": "o=b"},
            ]
        ),
        "UserInfoConfig.xml": render_cards(
            [{"HostName": "a"}], {}, {"Name": "cn", "MailAddress": "mail,x", "Photo": "jpegPhoto"}
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = load(tmp_path, {})
    assert [p for p in settings.problems if p.severity is not Severity.NOTE] == []
    assert (settings.directory.max_results, settings.traces.ldap) == (7, True)
    assert [server.hosts for server in settings.servers] == [("a",), ("b",)]
    assert settings.cards is not None
    assert settings.cards.sets == {0: ("Name",), 1: ("Name", "MailAddress", "Photo")}
    assert [d.type for d in settings.cards.storages[0].details] == ["text/plain", "text/plain", "image/jpeg"]


@given(st.dictionaries(st.sampled_from(list(CONNECTION)), _VALUES))
def test_every_value_of_a_connection_comes_back(values: dict[str, str]) -> None:
    elements = read_xml(render_community([values]).encode()).elements
    connection = next(each for each in elements if each.name == "Connection")
    assert {a.name: a.value for a in connection.attributes} == values


@given(st.dictionaries(st.sampled_from(list(CARD_SERVER)), _VALUES))
def test_every_value_of_a_server_of_the_cards_comes_back(values: dict[str, str]) -> None:
    store = {"KeyStorePath": "a.p12", "KeyStorePassword": 'a&"<b'}
    document = read_xml(render_cards([values], store, {"Name": "cn"}).encode())
    found = {each.name: {a.name: a.value for a in each.attributes} for each in document.elements}
    assert (found["StorageDetails"], found["SslProperties"]) == (values, store)


@pytest.mark.parametrize("key", INI_KEYS, ids=lambda key: key.name)
def test_every_key_is_written_in_its_section(key: Setting) -> None:
    text = render_ini({key.name: "1"})
    section = key.sections[0]
    assert f"[{section}]\n{key.name}=1\n" in text


@pytest.mark.parametrize("name", ["SSLEnable", "sslenabled", "BindEntryPassword"])
def test_a_name_that_the_schema_does_not_have_is_not_written(name: str) -> None:
    with pytest.raises(KeyError):
        render_community([{name: "1"}])
    with pytest.raises(KeyError):
        render_ini({name: "1"})
