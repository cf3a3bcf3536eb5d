"""The files of the settings, read and edited in place: sametime.ini, files of variables, and XML."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from fuzz.target import Target, halves, text_of
from quintet.config.edit import (
    AddSibling,
    Change,
    SetAttribute,
    SetText,
    edit,
    get_key,
    remove_key,
    set_key,
    switch_cards,
    switch_connections,
)
from quintet.config.environment import read_env_file, read_variables
from quintet.config.ini import parse_ini, read_ini, read_ini_source
from quintet.config.source import EditError
from quintet.config.stcommunityconfig import read_community
from quintet.config.userinfoconfig import read_user_info
from quintet.config.xml_document import XmlDocument, read_xml
from quintet.diagnostics import Diagnostics

_SECTION, _KEY = "Config", "ST_TLS_MIN"


def _kept(before: bytes, after: bytes) -> int:
    """How many bytes at the beginning and at the end are the same."""
    end = _same_start(before[::-1], after[::-1])
    return min(_same_start(before, after) + end, len(before), len(after))


def _same_start(one: bytes, other: bytes) -> int:
    size = min(len(one), len(other))
    return next((at for at in range(size) if one[at] != other[at]), size)


# sametime.ini


def _read_ini(data: bytes) -> tuple[bytes, str, bytes]:
    """A value for a key, and the file that it is set in."""
    given, file = halves(data)
    read_ini(file, Diagnostics())
    value = text_of(given)
    return file, value, set_key(file, _SECTION, _KEY, value)


def _check_ini(read: tuple[bytes, str, bytes]) -> None:
    file, value, changed = read
    assert get_key(changed, _SECTION, _KEY) == value
    assert set_key(changed, _SECTION, _KEY, value) == changed
    lines = parse_ini(read_ini_source(file).text)
    assert "".join(line.text + line.end for line in lines) == read_ini_source(file).text
    longest = max((len(line.text.encode("utf-16")) for line in lines), default=0)
    set_before = get_key(file, _SECTION, _KEY) is not None
    assert _kept(file, changed) >= len(file) - (longest if set_before else 0)
    removed = remove_key(changed, _SECTION, _KEY)
    assert get_key(removed, _SECTION, _KEY) is None
    for section, key in ((_SECTION, "OTHER"), ("Directory", _KEY), ("Debug", "X")):
        assert get_key(file, section, key) == get_key(changed, section, key) == get_key(removed, section, key)


_INIS: Final = (
    b"1.2\0; x\n[Config]\nST_TLS_MIN = 1.0 \nOTHER=1\n\n[Directory]\nST_TLS_MIN=1\n[Debug]\r\nX=2\r\n",
    b"1.2\0[config]\rst_tls_min=1\r[Debug-StUsers]\r#x\rX\r",
    "ä".encode() + b"\0" + "\ufeff[Config]\nOTHER=ü\n".encode("utf-16-le"),
    b"x\0\xef\xbb\xbf[A]\nk=\xff",
    b"x\0",
)


def _read_variables(data: bytes) -> None:
    read_variables(read_env_file(data, "custom.env"), Diagnostics())


_VARIABLES: Final = (
    b'STI__Config__ST_TLS_MIN=1.2\nexport STI__Debug__X="a b"\n# x\n',
    b"STI_Config_X=1\nSTI__Config__st_tls_min='1'\r\nSTI__CONFIG__ST_TLS_MIN=2\n",
)

# XML


def _check_xml(document: XmlDocument) -> None:
    data = edit(document, ())
    assert data == document.source.encode(document.source.text)
    assert read_xml(data).parts == document.parts
    leaf = next((each for each in reversed(document.elements) if not each.children), document.root)
    changes: list[Change] = [SetAttribute(document.root, "Quintet", 'a"<&>é\t\n')]
    if not leaf.children:
        changes.append(SetText(leaf, "]]> & é"))
    if leaf is not document.root:
        changes.append(AddSibling(leaf, "Quintet", (("a", "'\""),)))
    for change in changes:
        try:
            changed = edit(document, (change,))
        except EditError:  # it would not be safe
            continue
        again = read_xml(changed)
        if isinstance(change, SetAttribute):
            found = next(each for each in again.root.attributes if each.name == "Quintet")
            assert found.value == change.value
        if not isinstance(change, SetText):
            assert len(changed) > len(data) or isinstance(change, SetAttribute)


_XML: Final = (
    b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- x --><?x y?>
<StCommunityConfig>
  <LDAP SSLEnabled='0'>
    <Connection HostName="ldap1.example.com" Port='389'  SSLEnabled = "0" SearchOrder="1"
      PersonResolveFilter="(&amp;(a&gt;b)(cn=%s*))" BaseDN="o=x" /><Connection HostName='b'>
      <Port>636</Port><SSLPort value="1"/><SSL><![CDATA[ no ]]></SSL></Connection>
  </LDAP>
</StCommunityConfig>
""",
    b"""<UserInformation>\r
  <Resources>\r
    <Storage type="LDAP">\r
      <StorageDetails HostName="a" Port="389" SslEnabled="False" BaseDN="" UserName="cn=a" Password="YQ=="\r
        SearchFilter="(uid=%s)" Scope="2"/>\r
      <SslProperties KeyStorePath="/s.p12" KeyStorePassword="x"/>\r
      <Details><Detail Id="Name" FieldName="cn" Type="text/plain"/><Detail Id="Photo" FieldName="jpegPhoto"\r
        Type="image/jpeg"/></Details>\r
    </Storage>\r
  </Resources>\r
  <ParamsSets><Set SetId="0" params="Name,Photo"/></ParamsSets>\r
  <BlackBox type="LDAP" name="x" MaxInstances="4"/>\r
</UserInformation>\r
""",
    '<?xml version="1.0" encoding="iso-8859-1"?><a b="\u00e9">&#233;&lt;</a>'.encode("latin-1"),
    "\ufeff<a xmlns:x='y'><x:b x:c=''/></a>".encode("utf-16-le"),
    b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
)


def _read_community(data: bytes) -> tuple[bytes, bytes]:
    read_community(data, Diagnostics())
    return data, switch_connections(data, ssl_enabled=True)


def _check_community(switched: tuple[bytes, bytes]) -> None:
    data, changed = switched
    assert switch_connections(changed, ssl_enabled=True) == changed
    assert len(read_community(changed, Diagnostics()).servers) == len(
        read_community(data, Diagnostics()).servers
    )


def _read_cards(data: bytes) -> bytes:
    read_user_info(data, Path("/nonexistent"), Diagnostics())
    return switch_cards(data, ssl_enabled=True, store=("/s.p12", "secret"))


def _check_cards(changed: bytes) -> None:
    assert switch_cards(changed, ssl_enabled=True, store=("/s.p12", "secret")) == changed
    read_user_info(changed, Path("/nonexistent"), Diagnostics())


def _xml() -> Iterator[bytes]:
    return iter(_XML)


TARGETS: Final = (
    Target("ini", "sametime.ini, read and edited", _read_ini, (EditError,), _check_ini, lambda: _INIS),
    Target(
        "variables", "files of variables", _read_variables, (EditError,), lambda _: None, lambda: _VARIABLES
    ),
    Target("xml", "XML, read and edited", read_xml, (EditError,), _check_xml, _xml),
    Target("community-xml", "StCommunityConfig.xml", _read_community, (EditError,), _check_community, _xml),
    Target("cards-xml", "UserInfoConfig.xml", _read_cards, (EditError,), _check_cards, _xml),
)
