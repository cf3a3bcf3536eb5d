"""The XML files are changed in place, letter by letter, and parse to exactly what was meant."""

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from quintet.config.edit import (
    AddSibling,
    SetAttribute,
    SetText,
    edit,
    storages_without_store,
    switch_cards,
    switch_connections,
)
from quintet.config.source import EditError
from quintet.config.stcommunityconfig import read_community
from quintet.config.xml_document import read_xml
from quintet.diagnostics import Diagnostics

COMMUNITY = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- ours: <Connection SSLEnabled="0"/> -->
<StCommunityConfig>
  <LDAP>
    <Connection HostName="ldap1.example.com" Port='389'  SSLEnabled = "0" SearchOrder="1"
      PersonResolveFilter="(&amp;(a>b)(cn=%s*))" />
    <Connection
        HostName="ldap2.example.com"
        Port="389"
        SearchOrder="2"
    />
  </LDAP>
</StCommunityConfig>
"""
CARDS = b"""<UserInformation>\r
  <Resources>\r
    <Storage type="LDAP">\r
      <StorageDetails HostName="a" Port="389" SslEnabled="False" BaseDN=""/>\r
      <!-- the second -->\r
      <StorageDetails HostName="b" SslPort="1636"/>\r
      <Details><Detail Id="Name" FieldName="cn"/></Details>\r
    </Storage>\r
  </Resources>\r
</UserInformation>\r
"""


def connection(inside: str) -> bytes:
    return f"<S><LDAP>{inside}</LDAP></S>".encode()


def test_ssl_is_switched_on_for_every_connection_and_nothing_else_changes() -> None:
    assert switch_connections(COMMUNITY, ssl_enabled=True) == COMMUNITY.replace(
        b'SSLEnabled = "0" SearchOrder', b'SSLEnabled = "1" SSLPort="636" SearchOrder'
    ).replace(
        b"""        Port="389"\n""",
        b"""        Port="389"\n        SSLEnabled="1"\n        SSLPort="636"\n""",
    )


def test_switching_on_twice_changes_nothing_more() -> None:
    once = switch_connections(COMMUNITY, ssl_enabled=True)
    assert switch_connections(once, ssl_enabled=True) == once


def test_switching_off_adds_nothing() -> None:
    assert switch_connections(COMMUNITY, ssl_enabled=False) == COMMUNITY


@pytest.mark.parametrize("name", ["SSLEnabled", "SslEnabled", "SSL", "sslenabled"])
@pytest.mark.parametrize(
    ("off", "on"),
    [("0", "1"), ("false", "true"), ("FALSE", "TRUE"), ("No", "Yes"), ("", "1"), ("maybe", "1")],
)
def test_c43_each_alias_and_each_word_for_a_switch_is_kept(name: str, off: str, on: str) -> None:
    file = f"<Connection {name}='{off}' SSLPort='1'/>"
    assert switch_connections(connection(file), ssl_enabled=True) == connection(
        file.replace(f"'{off}'", f"'{on}'", 1)
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "<Connection SSLPort='1'><SSL> no </SSL></Connection>",
            "<Connection SSLPort='1'><SSL> yes </SSL></Connection>",
        ),
        (
            "<Connection SSLPort='1'><SSLEnabled value='0'/></Connection>",
            "<Connection SSLPort='1'><SSLEnabled value='1'/></Connection>",
        ),
        (
            "<Connection SSLPort='1'><SSLEnabled /></Connection>",
            "<Connection SSLPort='1'><SSLEnabled>1</SSLEnabled></Connection>",
        ),
        (
            "<Connection SSLPort='1'><SSLEnabled><![CDATA[0]]></SSLEnabled></Connection>",
            "<Connection SSLPort='1'><SSLEnabled>1</SSLEnabled></Connection>",
        ),
        (
            "<x SSLEnabled='0' SSLPort='1'><Connection Host='a'/><Connection SSL='0'/></x>",
            "<x SSLEnabled='1' SSLPort='1'><Connection Host='a'/><Connection SSL='1'/></x>",
        ),
        (
            "<SslEnabled>0</SslEnabled><sslport>1</sslport><Connection/><Connection/>",
            "<SslEnabled>1</SslEnabled><sslport>1</sslport><Connection/><Connection/>",
        ),
        ("<Connection></Connection>", '<Connection SSLEnabled="1" SSLPort="636"></Connection>'),
    ],
)
def test_c43_the_setting_is_changed_where_it_takes_effect(before: str, after: str) -> None:
    assert switch_connections(connection(before), ssl_enabled=True) == connection(after)


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize(
    "inside",
    [
        "<Connection HostName='a'/>",
        "<Connection HostName='a' SSL='No' SSLEnabled='0'/>",
        "<Connection HostName='a' SSLEnabled='1'><SSL>0</SSL><sslenabled value='0'/></Connection>",
        "<SSL>1</SSL><Connection HostName='a'/><Connection HostName='b' SslEnabled='FALSE'/>",
        "<x SSL='0'><Connection HostName='a'/></x><x><SSL value='1'/><Connection HostName='b'/></x>",
        "<LDAP><Connection HostName='a'/></LDAP><SSLEnabled>true</SSLEnabled>",
    ],
)
def test_c43_the_reader_finds_what_was_set(inside: str, on: bool) -> None:
    changed = switch_connections(connection(inside), ssl_enabled=on)
    servers = read_community(changed, Diagnostics()).servers
    assert servers
    assert {server.ssl_enabled for server in servers} == {on}


def test_a_value_with_a_comment_inside_is_refused_with_its_line() -> None:
    file = connection("\n<Connection><SSL>0<!-- off --></SSL></Connection>")
    with pytest.raises(EditError, match="line 2: the value of SSL contains other markup"):
        switch_connections(file, ssl_enabled=True)


def test_a_file_without_connections_is_refused() -> None:
    with pytest.raises(EditError, match="no Connection in an LDAP section"):
        switch_connections(b"<S><Connection/></S>", ssl_enabled=True)


def test_cards_get_ssl_ports_and_the_store_behind_the_last_server() -> None:
    changed = switch_cards(CARDS, ssl_enabled=True, store=("/t/trust.p12", 'a&"<b'))
    assert changed == CARDS.replace(
        b'"389" SslEnabled="False"', b'"389" SslEnabled="True" SslPort="636"'
    ).replace(
        b'SslPort="1636"/>\r\n',
        b'SslPort="1636" SslEnabled="true"/>\r\n      '
        b'<SslProperties KeyStorePath="/t/trust.p12" KeyStorePassword="a&amp;&quot;&lt;b"/>\r\n',
    )


def test_cards_keep_a_store_of_their_own() -> None:
    file = CARDS.replace(b"<Details>", b'<SslProperties KeyStorePath="k" KeyStorePassword="p"/><Details>')
    assert storages_without_store(CARDS) == 1
    assert storages_without_store(file) == 0
    assert b"/t/" not in switch_cards(file, ssl_enabled=True, store=("/t/trust.p12", "p"))


def test_cards_that_are_switched_on_can_use_starttls() -> None:
    file = b"<U><Storage><StorageDetails SslEnabled='false' SslPort='1'/></Storage></U>"
    changed = switch_cards(file, ssl_enabled=True, start_tls=True)
    assert changed == file.replace(b"'false'", b"'true' QUINTET_START_TLS='true'")
    assert switch_cards(changed, ssl_enabled=True, start_tls=True) == changed


def test_cards_that_say_how_they_are_encrypted_keep_it() -> None:
    file = b"<U><Storage><StorageDetails SslEnabled='false' SslPort='1' quintet_start_tls='0'/></Storage></U>"
    assert switch_cards(file, ssl_enabled=True, start_tls=True) == file.replace(b"'false'", b"'true'")


def test_an_empty_store_element_is_filled() -> None:
    file = (
        b"<U><Storage><StorageDetails SslEnabled='1' SslPort='1'/>"
        b"<SslProperties keystorepath=''/></Storage></U>"
    )
    assert switch_cards(file, ssl_enabled=True, store=("p", "q")) == (
        b"<U><Storage><StorageDetails SslEnabled='1' SslPort='1'/>"
        b"<SslProperties keystorepath='p' KeyStorePassword='q'/></Storage></U>"
    )


def test_a_store_that_is_named_in_child_elements_is_filled_there() -> None:
    inside = "<SslProperties><KeyStorePath/><KeyStorePassword>x</KeyStorePassword></SslProperties>"
    file = f"<U><Storage><StorageDetails SslEnabled='1' SslPort='1'/>{inside}</Storage></U>"
    expected = file.replace("<KeyStorePath/>", "<KeyStorePath>p</KeyStorePath>").replace(">x<", ">q<")
    assert switch_cards(file.encode(), ssl_enabled=True, store=("p", "q")) == expected.encode()


def test_only_storages_of_type_ldap_are_switched() -> None:
    file = CARDS.replace(b'type="LDAP"', b'type="NOTES"')
    with pytest.raises(EditError, match="no Storage of type LDAP"):
        switch_cards(file, ssl_enabled=True)


def test_switching_cards_off_leaves_port_and_store() -> None:
    on = switch_cards(CARDS, ssl_enabled=True, store=("p", "q"))
    assert switch_cards(on, ssl_enabled=False) == on.replace(b'"True"', b'"False"').replace(
        b'"true"', b'"false"'
    )


@pytest.mark.parametrize(
    ("file", "line"),
    [
        (b"<a>\n<b>\n</a>", 3),
        (b"<a>\n&nbsp;</a>", 2),
        (b"<a x=1/>", 1),
        (b"<a>\n&</a>", 2),
        (b"", None),
        (b"no xml", 1),
        (b'<?xml version="1.0" encoding="klingon"?><a/>', 1),
        (b"<a>\n\xe4</a>", 2),
        (b'<!DOCTYPE a [<!ENTITY x "y">]>\n<a/>', 1),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(file: bytes, line: int | None) -> None:
    with pytest.raises(EditError) as caught:
        read_xml(file)
    assert line is None or caught.value.line == line


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "cp1252"])
def test_the_encoding_stays(encoding: str) -> None:
    declared = encoding.replace("-sig", "")
    text = f"<?xml version='1.0' encoding='{declared}'?><a>\r\n<b n='Zoë'/></a>"
    markup = read_xml(text.encode(encoding))
    changed = edit(markup, [SetAttribute(markup.elements[1], "m", "ë")])
    assert changed == text.replace("'Zoë'", "'Zoë' m='ë'").encode(encoding)


def test_a_letter_that_the_encoding_lacks_becomes_a_character_reference() -> None:
    markup = read_xml(b"<?xml version='1.0' encoding='us-ascii'?><a/>")
    assert edit(markup, [SetAttribute(markup.elements[0], "m", "ж")]).endswith(b'<a m="&#1078;"/>')


_text = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=8)
_name = st.sampled_from(["a", "B", "c-d", "é"])
_space = st.sampled_from(["", " ", "\n\t", "\r\n"])


@st.composite
def _attributes(draw: st.DrawFn) -> str:
    out = ""
    for name in draw(st.lists(_name, unique=True, max_size=3)):
        quote = draw(st.sampled_from("\"'"))
        value = draw(_text).replace("&", "&amp;").replace("<", "&lt;").replace(quote, "&#34;&#39;")
        out += f" {draw(_space)}{name}{draw(_space)}={draw(_space)}{quote}{value}{quote}"
    return out


_noise = st.one_of(
    _space,
    _text.map(escape),
    _text.map(lambda t: f"<!--{t.replace('-', '')}<a>-->"),
    st.just("<![CDATA[<a b='c'>]]>"),
    st.just("<?pi <a> ?>"),
)
_xml = st.recursive(
    st.builds("<e{}{}/>".format, _attributes(), _space),
    lambda inner: st.builds(
        lambda attributes, space, parts: f"<e{attributes}{space}>{''.join(parts)}</e{space}>",
        _attributes(),
        _space,
        st.lists(st.one_of(inner, _noise), max_size=4),
    ),
    max_leaves=8,
)


@given(_xml)
def test_another_reader_sees_the_same_elements(file: str) -> None:
    data = file.encode()
    nodes = [each for each in etree.fromstring(data).iter() if isinstance(each.tag, str)]
    elements = read_xml(data).elements
    assert [(e.name, [(a.name, a.value) for a in e.attributes], e.text) for e in elements] == [
        (n.tag, list(n.attrib.items()), (n.text or "") + "".join(c.tail or "" for c in n)) for n in nodes
    ]
    for element in elements:
        assert file[element.start : element.tag_stop].startswith(f"<{element.name}")
        assert [file[a.start : a.start + len(a.name)] for a in element.attributes] == [
            a.name for a in element.attributes
        ]


@given(st.text(alphabet="<>/&;ab ='\"!-[]?\n", max_size=40))
def test_another_reader_agrees_on_what_is_well_formed(text: str) -> None:
    data = f"<a>{text}</a>".encode()
    try:
        etree.fromstring(data)
    except etree.XMLSyntaxError:
        with pytest.raises(EditError):
            read_xml(data)
    else:
        assert read_xml(data).root.name == "a"


def canonical(data: bytes) -> bytes:
    return etree.tostring(etree.fromstring(data), method="c14n")


@given(_xml, st.integers(0), _name, _text)
def test_setting_an_attribute_gives_just_the_intended_tree(
    file: str, pick: int, name: str, value: str
) -> None:
    data = file.encode()
    markup = read_xml(data)
    element = markup.elements[pick % len(markup.elements)]
    changed = edit(markup, [SetAttribute(element, name, value)])

    intended = etree.fromstring(data)
    [e for e in intended.iter() if isinstance(e.tag, str)][element.index].set(name, value)
    assert canonical(changed) == etree.tostring(intended, method="c14n")
    again = read_xml(changed)
    assert edit(again, [SetAttribute(again.elements[element.index], name, value)]) == changed


@given(_xml, st.integers(0), _text)
def test_only_the_letters_of_the_attribute_change(file: str, pick: int, value: str) -> None:
    markup = read_xml(file.encode())
    element = markup.elements[pick % len(markup.elements)]
    changed = edit(markup, [SetAttribute(element, "new", value)]).decode()
    common = len(changed) - len(file)
    at = next((i for i, (a, b) in enumerate(zip(file, changed, strict=False)) if a != b), len(file))
    assert changed[:at] + changed[at + common :] == file


@given(_xml, _text)
def test_an_added_sibling_stands_behind_its_element(file: str, value: str) -> None:
    markup = read_xml(f"<r>{file}\n</r>".encode())
    changed = edit(markup, [AddSibling(markup.elements[1], "added", (("v", value),))])
    added = read_xml(changed)
    children = [e.name for e in added.root.children]
    assert children == ["e", "added"]
    assert added.root.children[-1].attributes[0].value == value


@given(_text)
def test_a_text_is_read_back(value: str) -> None:
    markup = read_xml(b"<a><b>old</b></a>")
    changed = edit(markup, [SetText(markup.elements[1], value)])
    assert read_xml(changed).root.children[0].text == value


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        markup = read_xml(data)
    except EditError:
        return
    assert edit(markup, []) == data


@given(st.text(alphabet="<>/&;ab ='\"!-[]?\n", max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        markup = read_xml(text.encode())
    except EditError:
        return
    assert edit(markup, []) == text.encode()
