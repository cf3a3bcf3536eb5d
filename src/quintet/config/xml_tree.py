"""An XML file as a plain tree, in which every element and attribute knows its line.

Document types are refused before anything is parsed, so that there are no entities to expand and nothing to
fetch. What is not well formed is told with line, column and the character at fault, and never with a piece
of the text: it might be a password.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from lxml import etree

from quintet.config.markup import read_markup
from quintet.config.problems import Findings, Place
from quintet.config.readings import Value
from quintet.config.source import CannotEdit, read_xml_source

_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]*\?>")
_PROLOG = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_QUOTES = "\u2018\u2019\u201a\u201b\u201c\u201d\u201e\u201f\u00ab\u00bb\u2032\u2033"
_REFERENCE = re.compile(r"&(#[0-9]+|#x[0-9A-Fa-f]+|lt|gt|amp|quot|apos);")
_MOST_PARTS = 5_000


@dataclass(frozen=True, slots=True)
class Attribute:
    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Element:
    """An element. `text` is what stands directly in it, without the elements inside."""

    name: str
    line: int
    attributes: tuple[Attribute, ...]
    children: tuple["Element", ...]
    text: str

    def is_named(self, *names: str) -> bool:
        return self.name.casefold() in {name.casefold() for name in names}

    def walk(self) -> Iterator["Element"]:
        """The element and all below it, in the order of the file."""
        yield self
        for child in self.children:
            yield from child.walk()

    def named(self, *names: str) -> Iterator["Element"]:
        """The element or those below it that bear one of these names, in any case."""
        return (each for each in self.walk() if each.is_named(*names))


def own_values(element: Element, names: tuple[str, ...], file: str) -> list[Value]:
    """All values that `element` itself gives a setting: by attribute, or by a child with text or `value`."""
    wanted = {name.casefold() for name in names}
    found = [
        Value(a.value, a.name, Place(file, a.line)) for a in element.attributes if a.name.casefold() in wanted
    ]
    for child in element.children:
        if child.name.casefold() in wanted:
            value = next((a for a in child.attributes if a.name.casefold() == "value"), None)
            if value is not None:
                found.append(Value(value.value, child.name, Place(file, value.line)))
            else:
                found.append(Value(child.text, child.name, Place(file, child.line)))
    return found


def one_value(found: list[Value], findings: Findings) -> Value | None:
    """The value that counts, which is the last, with a warning that names the others."""
    if not found:
        return None
    last = found[-1]
    for other in found[:-1]:
        findings.warning(
            last.place,
            last.key,
            f"{other.key} in line {other.place.line} and {last.key} in line {last.place.line} set the same;"
            f" line {last.place.line} counts",
        )
    return last


def read_tree(data: bytes, findings: Findings, file: str) -> Element | None:
    """The outermost element, or None with an error in `findings` when this is not well-formed XML."""
    try:
        text = read_xml_source(data).text
    except CannotEdit as error:
        findings.error(Place(file, error.line), None, f"{error.what}; save the file as UTF-8")
        return None
    if not text.strip():
        findings.error(Place(file), None, "the file is empty")
        return None
    at = _doctype(text)
    if at is not None:
        findings.error(
            Place(file, text.count("\n", 0, at) + 1),
            None,
            "the file has a document type (<!DOCTYPE), which could bring in other files; remove it",
        )
        return None
    root = _parse(text, findings, file)
    if root is None:
        return None
    nodes = [node for node in root.iter() if isinstance(node.tag, str)]
    if len(nodes) + sum(len(node.attrib) for node in nodes) > _MOST_PARTS:
        what = f"the file has more than {_MOST_PARTS} elements and attributes; is it the right one?"
        findings.error(Place(file), None, what)
        return None
    return _build(root, _lines(data, nodes))


def _doctype(text: str) -> int | None:
    """Where a document type stands: only before the outermost element (XML 1.0, production 22)."""
    at = 0
    while found := _PROLOG.match(text, at):
        at = found.end()
    return at if text[at : at + 9].upper() == "<!DOCTYPE" else None


def _parse(text: str, findings: Findings, file: str) -> "etree._Element | None":
    # The declared encoding is replaced: what was looked at above is what is parsed.
    declaration = _DECLARATION.match(text)
    if declaration:
        blank = re.sub(r"[^\r\n]", " ", declaration[0])
        text = blank + text[declaration.end() :]
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        return etree.fromstring(text.encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        line, message = _malformed(text, *error.position, str(error.msg))
        findings.error(Place(file, line or None), None, message)
        return None


def _malformed(text: str, line: int, column: int, said: str) -> tuple[int, str]:
    """The line at fault, and what is wrong there."""
    rows = re.split(r"\r\n|\r|\n", text)
    row = rows[line - 1] if 0 < line <= len(rows) else ""
    if re.search(r"<StorageType\s*=", row):
        return _damage(line, column, '<StorageType="LDAP"> is not XML; write <Storage type="LDAP">')
    if "Entity" in said or "CharRef" in said:
        bare = next((m.start() for m in re.finditer("&", row) if not _REFERENCE.match(row, m.start())), None)
        if bare is not None:
            return _damage(line, bare + 1, "a bare & (ampersand) stands here; write &amp; for it")
    for back, candidate in enumerate(reversed(rows[max(0, line - 3) : line])):
        quote = next((c for c in candidate if c in _QUOTES), None)
        if quote is not None and (back == 0 or "'<'" in said):
            what = f'{_called(quote)} stands here; write a straight quote (") for it'
            return _damage(line - back, candidate.index(quote) + 1, what)
    for part, meaning in _MEANINGS:
        if part in said:
            return _damage(line, column, meaning)
    return _damage(line, column, "the text does not follow the rules of XML")


# What libxml2 says, by a part of it that holds nothing of the file's text.
_MEANINGS = (
    ("'<' not allowed", "a bare < (less-than sign) stands inside a value; write &lt; for it"),
    ("redefined", "an attribute stands twice in one element; remove one of the two"),
    ("mismatch", "an element is closed by the end tag of another"),
    ("Premature end", "the file ends before all its elements are closed"),
    ("EndTag", "an end tag is damaged"),
    ("Extra content", "something follows the end of the outermost element"),
    ("Start tag expected", "this is not XML; the file must begin with <"),
    ("invalid character", "a control character stands here, which XML does not allow"),
    ("Char 0x", "a control character stands here, which XML does not allow"),
    ("CharRef", "a character is written by a number that XML does not allow"),
    ("ttribute", 'an attribute must be written NAME="VALUE", with a blank before it'),
    ("AttValue", 'the value of an attribute must stand in straight quotes: NAME="VALUE"'),
    ("depth", "the elements nest too deep"),
    ("huge", "a value is too long"),
)


def _damage(line: int, column: int, what: str) -> tuple[int, str]:
    return line, f"the XML is damaged in line {line}, column {column}: {what}"


def _called(char: str) -> str:
    return f"{unicodedata.name(char, 'a character').lower()} (U+{ord(char):04X})"


class _Lines:
    """The line of every element and of each of its attributes, by the element's position in the file."""

    def __init__(self, elements: list[int], attributes: list[list[int]]) -> None:
        self.elements = elements
        self.attributes = attributes


def _lines(data: bytes, nodes: "list[etree._Element]") -> _Lines:
    try:
        markup = read_markup(data)
    except CannotEdit:
        elements = [cast("int", node.sourceline) for node in nodes]
        return _Lines(elements, [[at] * len(node.attrib) for at, node in zip(elements, nodes, strict=True)])
    starts = [0, *(m.end() for m in re.finditer(r"\r\n|\r|\n", markup.source.text))]

    def line(at: int) -> int:
        return bisect_right(starts, at)

    return _Lines(
        [line(e.start) for e in markup.elements],
        [
            [line(a.start) for a in e.attributes if a.name != "xmlns" and not a.name.startswith("xmlns:")]
            for e in markup.elements
        ],
    )


def _build(root: "etree._Element", lines: _Lines) -> Element:
    count = iter(range(len(lines.elements)))

    def build(node: "etree._Element") -> Element:
        at = next(count)
        attributes = tuple(
            Attribute(etree.QName(str(name)).localname, str(value), line)
            for (name, value), line in zip(node.attrib.items(), lines.attributes[at], strict=True)
        )
        children = tuple(build(child) for child in node if isinstance(child.tag, str))
        text = (node.text or "") + "".join(child.tail or "" for child in node)
        return Element(etree.QName(node).localname, lines.elements[at], attributes, children, text)

    return build(root)
