"""XML that is damaged, hostile or strange (row C63, pitfall D15)."""

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quintet.config.setting import Kind, Setting
from quintet.config.source import EditError
from quintet.config.xml_document import Element, read_root, read_xml, settings_of
from quintet.diagnostics import Diagnostic, Diagnostics, Finding, Pitfall, Severity

FILE = "File.xml"


def read(data: str | bytes) -> tuple[Element | None, tuple[Diagnostic, ...]]:
    findings = Diagnostics()
    raw = data.encode() if isinstance(data, str) else data
    return read_root(raw, findings, FILE), findings.problems


def refused(data: str | bytes) -> Diagnostic:
    tree, problems = read(data)
    assert tree is None
    (problem,) = problems
    assert problem.severity is Severity.ERROR
    assert problem.place is not None
    assert problem.place.file == FILE
    return problem


def line_of(problem: Diagnostic) -> int | None:
    return None if problem.place is None else problem.place.line


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("<a>\n<b c=“1”/></a>", 2, 6, "left double quotation mark (U+201C)"),
        ('<a>\n<b c="1”/>\n<d/></a>', 2, 8, "right double quotation mark (U+201D)"),
        ("<a>\n<b c=‘1’/></a>", 2, 6, "left single quotation mark (U+2018)"),
        ('<a>\n<b c="x & y"/></a>', 2, 9, "&amp;"),
        ('<a>\n<b c="x&y=z"/></a>', 2, 8, "&amp;"),
        ('<a>\n<b c="pass&word;1"/></a>', 2, 11, "&amp;"),
        ("<a>\n<b>x & y</b></a>", 2, 6, "&amp;"),
        ('<a>\n<b c="x<y"/></a>', 2, 8, "&lt;"),
        ('<a>\n<b c="1" c="2"/></a>', 2, 10, "twice"),
        ("<a>\n<b></a>", 2, 6, "end tag"),
        ("<a>\n<b/>", 2, 5, "closed"),
        ("<a/>\n<b/>", 2, 1, "follows the end"),
        ("password=hunter2", 1, 1, "not XML"),
        ("<a b=1/>", 1, 6, "quotes"),
        ('<a b="\x01"/>', 1, 7, "control character"),
        ('<a>\n<StorageType="LDAP"></a>', 2, 13, '<Storage type="LDAP">'),
        ('<a\n b="1" c=“2” d="a>b"/>', 2, 10, "U+201C"),
        ('<a b="“fine”"\n c="x & y"/>', 2, 7, "&amp;"),
        ('<a b="“fine”">\n<b c=1/></a>', 2, 6, "quotes"),
        ('<a b="“fine”">]]>\n</a>', 1, 17, "rules of XML"),
        ('<a b="1"c="2"/>', 1, 9, "blank"),
        ("<a>&#0;</a>", 1, 4, "number"),
        ("<a>&nbsp;</a>", 1, 4, "&amp;"),
        ('<a b="x', 1, 1, "inside a tag"),
        ("<a>\n<![CDATA[x", 2, 1, "CDATA"),
        ("<a/>\nx", 2, 1, "follows the end"),
        ('<ë b="“">\n<ü b="&"/></ë>', 2, 7, "&amp;"),
        ("<!doctype a><a/>", 1, 1, "rules of XML"),
        ("<a><?xml version='1.0'?></a>", 1, 4, "declaration"),
    ],
)
def test_c63_d15_damage_is_told_with_line_column_and_character(
    text: str, line: int, column: int, words: str
) -> None:
    problem = refused(text)
    assert (problem.code, line_of(problem)) == (Pitfall.D15, line)
    assert f"column {column}" in problem.message
    assert words in problem.message + problem.fix


@pytest.mark.parametrize(
    "text",
    [
        '<a p="hunter2"hunter3 hunter4/>',
        '<a p="x&hunter2;"/>',
        "<a><p>x<hunter2</p></a>",
        '<a p="hunter2“ b=”"/><hunter2>',
        "<a p=hunter2/>",
    ],
)
def test_no_piece_of_a_damaged_file_is_shown(text: str) -> None:
    assert "hunter" not in str(refused(text))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    "data",
    [
        b"<a>~<b c=1/></a>",
        b"<!-- c -->~<!DOCTYPE a><a/>",
        b"<a>~<b c='\xeb'/></a>",
        b"<?xml version='1.0'?>~<b c='x & y'/>",
    ],
)
def test_lines_are_counted_in_one_way_whatever_ends_them(data: bytes, end: str) -> None:
    assert line_of(refused(data.replace(b"~", end.encode()))) == 2


def test_a_damaged_file_shows_nothing_to_whoever_wants_to_edit_it_either() -> None:
    with pytest.raises(EditError) as caught:
        read_xml(b'<a p="x&hunter2;"/>')
    assert "&amp;" in caught.value.message
    assert "hunter" not in str(caught.value)


def test_no_value_is_in_the_repr_of_what_was_read() -> None:
    markup = read_xml(b'<a Password="hunter2"><UserName>hunter3</UserName></a>')
    names = ("Password", "UserName")
    table = {name: Setting(name, Kind.SECRET, "") for name in names}
    read = settings_of((markup.root,), table, FILE, Diagnostics())
    values = [read.value(name) for name in names]
    assert [value and value.text for value in values] == ["hunter2", "hunter3"]
    assert "hunter" not in repr((markup, values))


def test_of_two_settings_on_one_line_the_one_that_counts_is_named() -> None:
    tree, _ = read('<a Port="1" PORT="2"/>')
    assert tree is not None
    findings = Diagnostics()
    table = {"Port": Setting("Port", Kind.PORT, "")}
    found = settings_of((tree,), table, FILE, findings).value("Port")
    assert found is not None
    assert (found.text, found.key) == ("2", "PORT")
    assert (findings.problems[0].code, findings.problems[0].key) == (Finding.Q50, "PORT")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("text", ["\0<\0a\0/\0>", "<\0a\0/\0>\0", "\0\0bü<c/>", "<a>\n\0</a>", "\0<\0a\0é"])
def test_a_text_with_nuls_is_not_read_in_another_encoding(text: str, encoding: str) -> None:
    """The parser would take some of them for UTF-16 inside of UTF-8."""
    assert refused(text.encode(encoding)).code is Pitfall.D15


def test_an_empty_file_is_told() -> None:
    assert refused(" \n").code is Pitfall.D15


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        '<?xml version="1.0"?><!-- c --><?pi x?>\n<!DOCTYPE a SYSTEM "http://127.0.0.1:9/x.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a b="&x;"/>',
    ],
)
def test_a_document_type_is_refused(text: str) -> None:
    assert refused(text).code is Finding.Q47


def test_a_document_type_in_another_encoding_is_refused_too() -> None:
    text = '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>'
    assert refused(text.encode("utf-16")).code is Finding.Q47
    assert read(text.encode("utf-16-le"))[0] is None


@pytest.mark.parametrize("in_attribute", [True, False])
def test_an_xml_bomb_does_not_go_off(in_attribute: bool) -> None:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 30))
    use = '<a b="&e29;"/>' if in_attribute else "<a>&e29;</a>"
    assert refused(f'<!DOCTYPE a [<!ENTITY e0 "boom">{levels}]>{use}').code is Finding.Q47


@pytest.fixture
def visits() -> Iterator[tuple[int, list[str]]]:
    seen: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.path)
            self.send_error(404)

        def log_message(self, *args: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port, seen
        server.shutdown()
        thread.join()


def test_nothing_is_fetched(visits: tuple[int, list[str]], tmp_path: Path) -> None:
    port, seen = visits
    url = f"http://127.0.0.1:{port}/x"
    read(f'<!DOCTYPE a SYSTEM "{url}"><a/>')
    read(f'<!DOCTYPE a [<!ENTITY x SYSTEM "{url}">]><a>&x;</a>')
    tree, _ = read(f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="{url}"/></a>')
    assert tree is not None
    assert not seen


def test_elements_nested_without_end_are_refused() -> None:
    assert refused("<a>" * 10_000 + "</a>" * 10_000).code is Finding.Q43


def test_elements_without_end_are_refused() -> None:
    assert refused("<a>" + "<b/>" * 6_000 + "</a>").code is Finding.Q43


@pytest.mark.parametrize(
    "data",
    [
        "<a b='ë'/>".encode(),
        "\ufeff<a b='ë'/>".encode(),
        "<?xml version='1.0' encoding='ISO-8859-1'?><a b='ë'/>".encode("latin-1"),
        "<?xml version='1.0' encoding='UTF-16'?><a b='ë'/>".encode("utf-16"),
        "\n <?xml version='1.0' encoding='utf-8'?><a b='ë'/>".encode(),
    ],
)
def test_encodings_are_read(data: bytes) -> None:
    tree, problems = read(data)
    assert not problems
    assert tree is not None
    assert tree.attributes[0].value == "ë"


def test_bytes_that_are_not_what_the_file_says_are_told_with_the_line() -> None:
    problem = refused("<a>\n<b c='ë'/></a>".encode("latin-1"))
    assert (problem.code, line_of(problem)) == (Finding.Q46, 2)


def test_a_file_that_declares_no_encoding_is_not_said_to_declare_one() -> None:
    assert "declaration" not in refused(b"<a b='\xeb'/>").message
    assert "declaration" in refused(b"<?xml version='1.0' encoding='utf-8'?><a b='\xeb'/>").message


@pytest.mark.parametrize("filling", ["", "\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "UTF-16LE", "utf-32", "cp037", "ucs-2"])
def test_an_encoding_that_is_declared_and_not_used_is_told_as_that(encoding: str, filling: str) -> None:
    """A .NET StringWriter declares UTF-16 in what is then written as UTF-8."""
    problem = refused(f'<?xml version="1.0" encoding="{encoding}"?>\n<a b="x-ë"/>{filling}')
    assert (problem.code, line_of(problem)) == (Finding.Q46, 1)
    assert encoding in problem.message
    assert "UTF-8" in problem.fix


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_its_mark_is_told_as_such(encoding: str) -> None:
    problem = refused('<a b="1"/>'.encode(encoding))
    assert (problem.code, line_of(problem)) == (Finding.Q46, 1)


def test_every_element_and_attribute_knows_its_line() -> None:
    tree, _ = read(
        '<?xml version="1.0"?>\n<!-- c\n -->\n<a>\n  <b c="1"\n     d="2"><![CDATA[<x/>]]></b>\n</a>'
    )
    assert tree is not None
    (child,) = tree.children
    assert (tree.line, child.line) == (4, 5)
    assert [(a.name, a.line) for a in child.attributes] == [("c", 5), ("d", 6)]
    assert child.text == "<x/>"


def test_namespaces_do_not_matter() -> None:
    tree, _ = read('<x:a xmlns:x="urn:x" x:b="1"><c xmlns="urn:y"/></x:a>')
    assert tree is not None
    assert (tree.name, tree.attributes[0].name, tree.children[0].name) == ("a", "b", "c")


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    tree, problems = read(data)
    assert tree is not None or problems


@given(st.text('<>/="& \n!-[]?abAB\u201c', max_size=60))
def test_no_markup_breaks_the_reader(text: str) -> None:
    tree, problems = read(f"<a>{text}</a>")
    assert tree is not None or problems


@pytest.mark.parametrize(
    "encoding", ["undefined", "idna", "punycode", "unicode_escape", "hex", "utf-7", "no-such"]
)
def test_encodings_that_are_none_for_files_are_refused(encoding: str) -> None:
    problem = refused(f'<?xml version="1.0" encoding="{encoding}"?><a b="x-ë"/>')
    assert (problem.code, line_of(problem), "UTF-8" in problem.fix) == (Finding.Q46, 1, True)
