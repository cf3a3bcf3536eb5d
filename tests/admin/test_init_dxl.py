"""Reading an exported stconfig.nsf: what it says is taken, what it does not say is not invented."""

from collections.abc import Callable, Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.admin.init import dxl
from quintet.admin.init.dxl import Export, ExportedServer, parse_export
from quintet.config import CONNECTION, load
from quintet.diagnostics import Code, Finding, Pitfall, SettingsError, Severity
from quintet.directory import Protection
from support import certs, small
from support.command import Ran, run_program
from support.slapd import Slapd

FILE = Path("/exports/stconfig.xml")
HEAD = """<?xml version='1.0' encoding='utf-8'?>
<!DOCTYPE database SYSTEM 'xmlschemas/domino_9_0_1.dtd'>
<database xmlns='http://www.lotus.com/dxl' version='9.0' maintenanceversion='1.3' title='STConfig'>
"""
OTHERS = """<document form='CommunityServices'>
<item name='HostName'><text>not.this.one</text></item></document>
<form name='LDAPServer'><body><richtext><par>no document</par></richtext></body></form>
"""
NOTE = """<noteinfo noteid='916' unid='0' sequence='1'>
<created><datetime dst='true'>20110501T101010,00+02</datetime></created></noteinfo>
<updatedby><name>CN=Admin/O=Example</name></updatedby>
<item name='Form'><text>LDAPServer</text></item>
<item name='$Revisions'><datetimelist><datetime>20110501T101010,00+02</datetime></datetimelist></item>
"""
FILTER = "(&(objectclass=inetOrgPerson)(|(uid=%s*)(cn=%s*)))"


def document(items: Mapping[str, str], more: str = "", form: str = "LDAPServer") -> str:
    texts = "".join(
        f"<item name={quoteattr(name)}><text>{escape(value)}</text></item>\n" for name, value in items.items()
    )
    return f"<document form={quoteattr(form)}>\n{NOTE}{texts}{more}</document>\n"


def export(*documents: str, head: str = HEAD) -> bytes:
    return (head + OTHERS + "".join(documents) + "</database>\n").encode()


def parsed(*documents: str) -> Export:
    return parse_export(export(*documents), FILE)


def only(items: Mapping[str, str], more: str = "") -> ExportedServer:
    (server,) = parsed(document(items, more)).servers
    return server


def codes(data: bytes) -> set[Code]:
    with pytest.raises(SettingsError) as raised:
        parse_export(data, FILE)
    return {each.code for each in raised.value.problems if each.severity is Severity.ERROR}


def test_every_item_that_is_named_like_a_setting_is_taken() -> None:
    server = only(
        {
            "HostName": "ldap.example.com",
            "Port": "1389",
            "SSLEnabled": "true",
            "SSLPort": "1636",
            "SearchOrder": "3",
            "BindEntryDn": "cn=reader,o=example",
            "PersonResolveBase": "ou=people,o=example",
            "PersonResolveScope": "onelevel",
            "PersonResolveFilter": FILTER,
            "UserIdAttribute": "entryUUID",
        }
    )
    assert server == ExportedServer(
        ("ldap.example.com",),
        1389,
        1636,
        Protection.ALL,
        "cn=reader,o=example",
        3,
        {
            "PersonResolveBase": "ou=people,o=example",
            "PersonResolveScope": "onelevel",
            "PersonResolveFilter": FILTER,
            "UserIdAttribute": "entryUUID",
        },
    )


def test_absent_and_blank_items_are_not_invented() -> None:
    server = only({"HostName": "h", "PersonResolveBase": "", "BindEntryDn": " ", "GroupResolveFilter": "  "})
    assert server == ExportedServer(("h",))


def test_numbers_lists_and_line_breaks_are_read() -> None:
    more = (
        "<item name='Port'><number>389</number></item>"
        "<item name='HostName'><textlist><text>a</text><text>b</text></textlist></item>"
        "<item name='PersonResolveFilter'><text>(&amp;(objectclass=person)<break/>(cn=%s*))</text></item>"
    )
    server = only({}, more)
    assert (server.hosts, server.port) == (("a", "b"), 389)
    assert server.connection["PersonResolveFilter"] == "(&(objectclass=person)\n(cn=%s*))"


@pytest.mark.parametrize(("written", "level"), [("true", Protection.ALL), ("0", Protection.NONE)])
def test_the_switch_says_whether_all_or_nothing_is_encrypted(written: str, level: Protection) -> None:
    assert only({"HostName": "h", "SSLEnabled": written}).protection is level


def test_the_password_is_not_taken_and_not_shown() -> None:
    found = parsed(document({"HostName": "h", "BindEntryDn": "cn=r", "BindEntryPwd": "s3cret-word"}))
    assert "s3cret-word" not in repr(found)


def test_several_documents_are_in_search_order() -> None:
    found = parsed(
        document({"HostName": "second", "SearchOrder": "2"}),
        document({"HostName": "first", "SearchOrder": "1"}, form="ldapserver"),
    )
    assert [each.hosts for each in found.servers] == [("first",), ("second",)]


def test_unknown_items_are_named_in_one_note_and_those_of_domino_are_not() -> None:
    found = parsed(
        document({"HostName": "h", "Mystery": "x", "Another": "y"}),
        document({"HostName": "i", "Mystery": "z"}),
    )
    (note,) = [each for each in found.problems if each.code is Finding.Q58]
    assert note.severity is Severity.NOTE
    assert note.message.endswith('"Mystery", "Another"')


def test_a_rich_text_item_is_not_used() -> None:
    more = "<item name='PersonResolveBase'><richtext><par><run>o=x</run></par></richtext></item>"
    found = parsed(document({"HostName": "h"}, more))
    assert found.servers == (ExportedServer(("h",)),)
    assert [each.key for each in found.problems] == ["PersonResolveBase"]


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ({}, Finding.Q71),
        ({"HostName": "http://h"}, Finding.Q65),
        ({"HostName": "h", "Port": "many"}, Finding.Q61),
        ({"HostName": "h", "SSLEnabled": "perhaps"}, Finding.Q61),
        ({"HostName": "h", "PersonResolveBase": "people"}, Finding.Q62),
        ({"HostName": "h", "PersonResolveFilter": "(cn=%s"}, Finding.Q63),
        ({"HostName": "h", "NameAttribute": "a b"}, Finding.Q64),
        ({"HostName": "h", "PersonResolveFilter": "Class.method()"}, Finding.Q67),
    ],
)
def test_a_value_that_cannot_be_used_is_an_error(items: Mapping[str, str], code: Code) -> None:
    assert code in codes(export(document(items)))


def test_a_repeated_item_is_told() -> None:
    more = "<item name='hostname'><text>second</text></item>"
    found = parsed(document({"HostName": "first"}, more))
    assert found.servers[0].hosts == ("second",)
    assert Finding.Q50 in {each.code for each in found.problems}


@pytest.mark.parametrize(
    "subset",
    [
        "[<!ENTITY x SYSTEM 'file:///etc/passwd'>]",
        "[<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]",
        "[<!ATTLIST document form CDATA 'LDAPServer'>]",
        "[<!ENTITY % p SYSTEM 'http://127.0.0.1:1/x.dtd'> %p;]",
    ],
)
def test_a_document_type_that_declares_something_is_refused(subset: str) -> None:
    head = f"<!DOCTYPE database SYSTEM 'domino.dtd' {subset}><database>"
    assert codes(export(document({"HostName": "h"}), head=head)) == {Finding.Q47}


def test_entities_of_the_document_type_are_not_expanded() -> None:
    more = "<item name='PersonResolveBase'><text>&other;</text></item>"
    assert codes(export(document({"HostName": "h"}, more))) == {Finding.Q47}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", Pitfall.D15),
        (b"PK\x03\x04", Pitfall.D15),
        (b"<database>", Pitfall.D15),
        (b"<database/>", Finding.Q72),
        (b"<document form='Other'/>", Finding.Q72),
        *(
            (f"<?xml version='1.0' encoding='{name}'?><database/>".encode(), Finding.Q46)
            for name in ("nonsense", "idna", "undefined", "zlib", "utf-7")
        ),
        (b"<a>" * 1000, Finding.Q43),
        (b"<document form='LDAPServer'>" + b"<item/>" * 1001, Finding.Q43),
        (b"<document form='LDAPServer'><item><text>" + b"a" * 70_000, Finding.Q43),
        (b"<d>" + b"<document form='LDAPServer'/>" * 101, Finding.Q43),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_export_is_an_error_with_a_code(data: bytes, code: Code) -> None:
    assert codes(data) == {code}


def test_the_number_of_elements_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dxl, "_MOST_ELEMENTS", 100)
    assert codes(b"<d>" + b"<a/>" * 101) == {Finding.Q43}


def test_a_large_file_is_refused_before_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dxl, "_MOST_BYTES", 100)
    assert codes(b"<d>" + b" " * 100) == {Finding.Q43}


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused_with_a_code(data: bytes) -> None:
    assert codes(data)


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from([*CONNECTION, "Mystery", "$x"]) | st.text("abc\u00e4 ", max_size=5),
            st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=40),
            max_size=8,
        ),
        max_size=4,
    )
)
def test_any_items_are_taken_as_they_are_or_refused(documents: list[dict[str, str]]) -> None:
    data = export(*(document(each) for each in documents))
    try:
        found = parse_export(data, FILE)
    except SettingsError as error:
        assert any(each.severity is Severity.ERROR for each in error.problems)  # noqa: PT017
        return
    said = {value.strip().strip('"').strip() for each in documents for value in each.values()}
    assert len(found.servers) == len(documents)
    for server in found.servers:
        assert set(server.connection.values()) <= said
        assert server.account is None or server.account in said


@given(st.data())
def test_a_damaged_export_is_read_or_refused(data: st.DataObject) -> None:
    whole = export(document({"HostName": "h", "PersonResolveFilter": FILTER}))
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at] + data.draw(st.binary(max_size=4)) + whole[at + data.draw(st.integers(0, 4)) :]
    try:
        assert parse_export(damaged, FILE).servers
    except SettingsError as error:
        assert error.problems  # noqa: PT017


@pytest.fixture
def init(tmp_path: Path) -> Callable[..., Ran]:
    def init(file: bytes, *options: str, typed: str = f"{small.READER_PASSWORD}\n") -> Ran:
        (tmp_path / "stconfig.xml").write_bytes(file)
        folder = tmp_path / "settings"
        arguments = ("init", "--from-dxl", str(tmp_path / "stconfig.xml"), *options)
        return run_program("--config", folder, *arguments, typed=typed)

    return init


def exported(server: Slapd, **items: str) -> dict[str, str]:
    return {
        "HostName": "localhost",
        "Port": str(server.port),
        "SSLEnabled": "true",
        "SSLPort": str(server.tls_port),
        "BindEntryDn": small.READER_DN,
        "PersonResolveFilter": FILTER,
        "GroupNameAttribute": "description",
    } | items


def trusting(*servers: Slapd, folder: Path) -> tuple[str, ...]:
    file = folder / "ca.pem"
    file.write_bytes(b"".join(each.authority.pem for each in servers))
    return ("--yes", "--ca", str(file), "--password-stdin")


@pytest.mark.real
def test_init_writes_what_the_export_says(
    tmp_path: Path, small_slapd: Slapd, init: Callable[..., Ran]
) -> None:
    ran = init(export(document(exported(small_slapd))), *trusting(small_slapd, folder=tmp_path))
    assert ran.code == 0, ran.err
    (server,) = load(tmp_path / "settings", {}).servers
    assert server.person_filter.text == FILTER
    assert server.group_name_attribute == "description"
    assert str(server.person_base) == small.PEOPLE
    assert (server.ssl_enabled, server.ssl_port) == (True, small_slapd.tls_port)
    assert server.account is not None
    assert server.account.name == small.READER_DN
    assert "never tried on a real export" in ran.err


@pytest.mark.real
def test_init_takes_several_servers(
    tmp_path: Path, make_slapd: Callable[..., Slapd], small_slapd: Slapd, init: Callable[..., Ran]
) -> None:
    ldif = small.LDIF.replace(b"o=example", b"o=partner").replace(b"o: example", b"o: partner")
    other = make_slapd(ldif=ldif, base="o=partner", authority=certs.authority("Another CA"))
    documents = (
        document(exported(small_slapd, SearchOrder="2")),
        document(exported(other, HostName="127.0.0.1", SearchOrder="1", BindEntryDn="")),
    )
    ran = init(export(*documents), *trusting(small_slapd, other, folder=tmp_path), "--json")
    assert ran.code == 0, ran.err
    assert len(ran.document["servers"]) == 2
    settings = load(tmp_path / "settings", {})
    assert [each.hosts for each in settings.servers] == [("127.0.0.1",), ("localhost",)]
    opened = run_program("--config", tmp_path / "settings", "connections", "--json")
    assert opened.code == 0
    assert len(opened.document["connections"]) == 12
    assert all(each["encrypted"] for each in opened.document["connections"])


@pytest.mark.real
def test_the_command_line_comes_before_the_export(
    tmp_path: Path, small_slapd: Slapd, init: Callable[..., Ran]
) -> None:
    file = export(document(exported(small_slapd, HostName="nowhere.invalid", SSLEnabled="false")))
    options = ("--host", "localhost", "--protection", "passwords", "--person-base", small.BASE)
    ran = init(file, *trusting(small_slapd, folder=tmp_path), *options)
    assert ran.code == 0, ran.err
    settings = load(tmp_path / "settings", {})
    assert settings.directory.only_passwords
    assert str(settings.servers[0].person_base) == small.BASE


@pytest.mark.real
def test_an_export_without_encryption_says_so(
    tmp_path: Path, small_slapd: Slapd, init: Callable[..., Ran]
) -> None:
    file = export(document(exported(small_slapd, SSLEnabled="false")))
    ran = init(file, *trusting(small_slapd, folder=tmp_path))
    assert "passwords included, will be readable" in ran.err
    assert not load(tmp_path / "settings", {}).servers[0].ssl_enabled


@pytest.mark.real
def test_an_export_with_encryption_is_not_downgraded(
    tmp_path: Path, make_slapd: Callable[..., Slapd], init: Callable[..., Ran]
) -> None:
    server = make_slapd(tls=False)
    ran = init(export(document(exported(server))), "--yes", "--password-stdin")
    assert ran.code == 2
    assert not (tmp_path / "settings").exists()


@pytest.mark.real
def test_damaged_exports_are_2_without_a_traceback(init: Callable[..., Ran], tmp_path: Path) -> None:
    for data in (b"", b"<database/>", export(document({"HostName": "h", "Port": "x"}))):
        ran = init(data, "--yes")
        assert ran.code == 2, data
        assert "Traceback" not in ran.err
        assert "stconfig.xml" in ran.err
    assert run_program("init", "--from-dxl", tmp_path / "none").code == 2
    assert run_program("init", "--from-dxl", tmp_path).code == 2
