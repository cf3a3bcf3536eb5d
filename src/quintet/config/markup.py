"""Where every element and attribute of an XML file lies in its text.

A parser gives the tree and forgets the text; whoever changes one attribute and nothing else needs both. The
text is cut by a small tokenizer, and the outcome is compared with lxml's tree of the same bytes: when they
disagree, nothing is edited.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lxml import etree

from quintet.config.source import CannotEdit, SourceText, read_xml_source

_ATTRIBUTE = re.compile(
    r"""\s+(?P<name>[^\s=/>"']+)\s*=\s*(?P<quote>["'])(?P<value>.*?)(?P=quote)""", re.DOTALL
)
_TAG_NAME = re.compile(r"[^\s/>]+")
_TAG_END = re.compile(r"\s*(?P<empty>/?)>")
_NOT_UNDERSTOOD = "the file is written in a way that this program cannot edit without risk"
_SKIPPED = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute in the text. `start` is that of its name; the value lies between its quotes."""

    name: str
    start: int
    value_start: int
    value_stop: int
    value: str


@dataclass(frozen=True, slots=True)
class Element:
    """An element in the text, the `index`-th of the file. Its content ends where its end tag begins."""

    index: int
    parent: int | None
    name: str
    start: int
    tag_stop: int
    empty: bool
    attributes: tuple[Attribute, ...]
    content_stop: int
    stop: int

    def get(self, *names: str) -> Attribute | None:
        """The first attribute that has one of these names, in any case."""
        return next(iter(self.all(*names)), None)

    def all(self, *names: str) -> list[Attribute]:
        wanted = {name.casefold() for name in names}
        return [a for a in self.attributes if a.name.casefold() in wanted]

    def is_named(self, *names: str) -> bool:
        return self.name.casefold() in {name.casefold() for name in names}


@dataclass(frozen=True, slots=True)
class Markup:
    """An XML file: its text, its elements in the order of the file, and lxml's tree of it."""

    source: SourceText
    elements: tuple[Element, ...]
    tree: "etree._Element"

    def parent(self, element: Element) -> Element | None:
        return None if element.parent is None else self.elements[element.parent]

    def ancestors(self, element: Element) -> Iterator[Element]:
        """The elements around `element`, the nearest first."""
        above = self.parent(element)
        while above is not None:
            yield above
            above = self.parent(above)

    def children(self, element: Element) -> list[Element]:
        return [e for e in self.elements if e.parent == element.index]

    def inside(self, element: Element) -> Iterator[Element]:
        """All elements below `element`, in the order of the file."""
        return (e for e in self.elements[element.index + 1 :] if e.start < element.stop)

    def content(self, element: Element) -> str:
        return self.source.text[element.tag_stop : element.content_stop]


def read_markup(data: bytes) -> Markup:
    """The outline of the XML in `data`. Raises `CannotEdit` with the line where it is not well formed."""
    source = read_xml_source(data)
    tree = parse_tree(data)
    elements = tuple(sorted(_Tokenizer(source).elements(), key=lambda e: e.index))
    if not _agree(elements, tree):
        raise CannotEdit(_NOT_UNDERSTOOD)
    return Markup(source, elements, tree)


def parse_tree(data: bytes) -> "etree._Element":
    """The tree that lxml sees, with entities, DTDs and the network off."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        return etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise CannotEdit(f"the XML is damaged: {error.msg}", error.lineno) from None


class _Tokenizer:
    """One pass over well-formed XML."""

    def __init__(self, source: SourceText) -> None:
        self._source = source
        self._text = source.text
        self._count = 0
        self._open: list[tuple[int, str, int, int, tuple[Attribute, ...]]] = []

    def elements(self) -> Iterator[Element]:
        at = self._text.find("<")
        while at >= 0:
            stop = self._skipped(at)
            if stop is None and self._text.startswith("</", at):
                stop = self._find(">", at) + 1
                yield self._closed(at, stop)
            elif stop is None:
                element, stop = self._opened(at)
                if element is not None:
                    yield element
            at = self._text.find("<", stop)
        if self._open:
            raise CannotEdit("an element is not closed", self._source.line(self._open[-1][2]))

    def _skipped(self, at: int) -> int | None:
        for begin, end in _SKIPPED:
            if self._text.startswith(begin, at):
                return self._find(end, at + len(begin)) + len(end)
        if self._text.startswith("<!", at):
            line = self._source.line(at)
            raise CannotEdit("the file has a document type, which this program does not edit", line)
        return None

    def _find(self, text: str, at: int) -> int:
        found = self._text.find(text, at)
        if found < 0:
            raise CannotEdit(_NOT_UNDERSTOOD, self._source.line(at))
        return found

    def _opened(self, at: int) -> tuple[Element | None, int]:
        name = _TAG_NAME.match(self._text, at + 1)
        if name is None:
            raise CannotEdit("a tag has no name", self._source.line(at))
        attributes = []
        stop = name.end()
        while found := _ATTRIBUTE.match(self._text, stop):
            attributes.append(
                Attribute(found["name"], found.start("name"), *found.span("value"), found["value"])
            )
            stop = found.end()
        end = _TAG_END.match(self._text, stop)
        if end is None:
            raise CannotEdit(f"the tag of {name[0]} is not understood", self._source.line(at))
        index, self._count = self._count, self._count + 1
        opened = (index, name[0], at, end.end(), tuple(attributes))
        if not end["empty"]:
            self._open.append(opened)
            return None, end.end()
        return self._element(opened, end.end(), end.end(), empty=True), end.end()

    def _closed(self, at: int, stop: int) -> Element:
        if not self._open:
            raise CannotEdit("an element is closed that was not opened", self._source.line(at))
        return self._element(self._open.pop(), at, stop, empty=False)

    def _element(
        self,
        opened: tuple[int, str, int, int, tuple[Attribute, ...]],
        content_stop: int,
        stop: int,
        *,
        empty: bool,
    ) -> Element:
        index, name, start, tag_stop, attributes = opened
        parent = self._open[-1][0] if self._open else None
        return Element(index, parent, _local(name), start, tag_stop, empty, attributes, content_stop, stop)


def _agree(elements: tuple[Element, ...], tree: "etree._Element") -> bool:
    parsed = [e for e in tree.iter() if isinstance(e.tag, str)]
    if len(parsed) != len(elements):
        return False
    places = {node: at for at, node in enumerate(parsed)}
    for element, node in zip(elements, parsed, strict=True):
        above = node.getparent()
        parent = None if above is None else places[above]
        names = [_local(a.name) for a in element.attributes if not _is_namespace(a.name)]
        if (
            element.name != etree.QName(node).localname
            or element.parent != parent
            or names != [etree.QName(name).localname for name in node.attrib]
        ):
            return False
    return True


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _is_namespace(name: str) -> bool:
    return name == "xmlns" or name.startswith("xmlns:")
