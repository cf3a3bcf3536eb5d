"""An XML file as its elements, each with what it says and where it lies in the text.

A parser gives the tree and forgets the text; whoever tells of a line, or changes one attribute and nothing
else, needs both. A small tokenizer cuts the text, beside lxml's tree of it. Document types are refused before
anything is parsed, so that there are no entities to expand and nothing to fetch.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import final

from lxml import etree

from quintet.config.source import LINE_END, EditError, Lines, SourceText, read_xml_source
from quintet.config.xml_damage import explain
from quintet.diagnostics import Finding

# XML's own blanks (XML 1.0, production 3), which are fewer than those of `\s`.
_BLANK = "[ \t\r\n]"
_ATTRIBUTE = re.compile(
    rf"""{_BLANK}+(?P<name>[^ \t\r\n=/>"']+){_BLANK}*={_BLANK}*(?P<quote>["'])(?P<value>.*?)(?P=quote)""",
    re.DOTALL,
)
_TAG_NAME = re.compile("[^ \t\r\n/>]+")
_TAG_END = re.compile(f"{_BLANK}*(?P<empty>/?)>")
_DECLARATION = re.compile(r"\A\s*<\?xml\s[^>]*\?>")
_PROLOG = re.compile(r"\s+|<\?.*?\?>|<!--.*?-->", re.DOTALL)
_SKIPPED = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"))
_NOT_UNDERSTOOD = "the XML is written in a way that is not understood here; write it more plainly"
_MOST_PARTS = 5_000


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute. In the text, `start` is that of its name; the value lies between its quotes."""

    name: str
    value: str = field(repr=False)
    line: int
    start: int
    value_start: int
    value_stop: int


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """The `index`-th element of the file. `text` is what stands directly in it, without the elements inside.

    In the text, its content lies between `tag_stop` and `content_stop`, where its end tag begins.
    """

    index: int
    parent: int | None
    name: str
    line: int
    attributes: tuple[Attribute, ...]
    children: tuple["Element", ...]
    text: str = field(repr=False)
    empty: bool
    start: int
    tag_stop: int
    content_stop: int
    stop: int

    def is_named(self, *names: str) -> bool:
        return self.name.casefold() in {name.casefold() for name in names}

    def get(self, *names: str) -> Attribute | None:
        """The first attribute that has one of these names, in any case."""
        return next(iter(self.all(*names)), None)

    def all(self, *names: str) -> list[Attribute]:
        wanted = {name.casefold() for name in names}
        return [a for a in self.attributes if a.name.casefold() in wanted]

    def walk(self) -> Iterator["Element"]:
        """The element and all below it, in the order of the file."""
        yield self
        for child in self.children:
            yield from child.walk()

    def named(self, *names: str) -> Iterator["Element"]:
        """The element or those below it that bear one of these names, in any case."""
        return (each for each in self.walk() if each.is_named(*names))


@dataclass(frozen=True, slots=True)
class Markup:
    """An XML file: its text, its elements in the order of the file, and lxml's tree of it."""

    source: SourceText
    elements: tuple[Element, ...]
    tree: "etree._Element"

    @property
    def root(self) -> Element:
        return self.elements[0]

    def ancestors(self, element: Element) -> Iterator[Element]:
        """The elements around `element`, the nearest first."""
        while element.parent is not None:
            element = self.elements[element.parent]
            yield element

    def content(self, element: Element) -> str:
        return self.source.text[element.tag_stop : element.content_stop]


def read_markup(data: bytes) -> Markup:
    """The XML in `data`. Raises `EditError`, with the line, for what is damaged, and for document types.

    No piece of the text is in the exception: it might be a password.
    """
    source = read_xml_source(data)
    if not source.text.strip():
        raise EditError("the file is empty")
    at = _doctype(source.text)
    if at is not None:
        message = "the file has a document type (<!DOCTYPE), which could include other files"
        raise EditError(message, source.line(at), code=Finding.Q47)
    tree = _parsed(source.text)
    nodes = [node for node in tree.iter() if isinstance(node.tag, str)]
    if len(nodes) + sum(len(node.attrib) for node in nodes) > _MOST_PARTS:
        message = f"the file has more than {_MOST_PARTS} elements and attributes"
        raise EditError(message, code=Finding.Q43)
    return Markup(source, _Tokenizer(source.text, nodes).elements(), tree)


def _doctype(text: str) -> int | None:
    """Where a document type stands: only before the outermost element (XML 1.0, production 22)."""
    at = 0
    while found := _PROLOG.match(text, at):
        at = found.end()
    return at if text[at : at + 9].upper() == "<!DOCTYPE" else None


def _parsed(text: str) -> "etree._Element":
    """The tree that lxml sees, with entities, DTDs and the network off.

    The declaration is left out, since the text is decoded already, and line ends are made those that lxml
    counts. Neither changes what the text says (XML 1.0, 2.11).
    """
    text = LINE_END.sub("\n", text)
    declaration = _DECLARATION.match(text)
    if declaration:
        text = re.sub(r"[^\n]", " ", declaration[0]) + text[declaration.end() :]
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        return etree.fromstring(text.encode("utf-8", "surrogatepass"), parser)
    except etree.XMLSyntaxError as error:
        raise explain(text, *error.position, str(error.msg)) from None


@dataclass(slots=True)
class _Open:
    """An element whose end tag was not seen yet."""

    index: int
    name: str
    start: int
    tag_stop: int
    attributes: tuple[Attribute, ...]
    children: list[Element] = field(default_factory=list)


@final
class _Tokenizer:
    """One pass over well-formed XML, beside lxml's `nodes` of it."""

    def __init__(self, text: str, nodes: "list[etree._Element]") -> None:
        self._text = text
        self._lines = Lines(text)
        self._nodes = nodes
        self._count = 0
        self._open: list[_Open] = []
        self._done: dict[int, Element] = {}

    def elements(self) -> tuple[Element, ...]:
        """All elements in the order of the file. Raises `EditError` where lxml sees another tree."""
        at = self._text.find("<")
        while at >= 0:
            stop = self._skipped(at)
            if stop is None and self._text.startswith("</", at):
                stop = self._find(">", at) + 1
                self._close(at, stop)
            elif stop is None:
                stop = self._opened(at)
            at = self._text.find("<", stop)
        if self._open or self._count != len(self._nodes):
            raise EditError(_NOT_UNDERSTOOD)
        return tuple(self._done[index] for index in range(self._count))

    def _not_understood(self, at: int) -> EditError:
        return EditError(_NOT_UNDERSTOOD, self._lines.at(at))

    def _skipped(self, at: int) -> int | None:
        for begin, end in _SKIPPED:
            if self._text.startswith(begin, at):
                return self._find(end, at + len(begin)) + len(end)
        return None

    def _find(self, text: str, at: int) -> int:
        found = self._text.find(text, at)
        if found < 0:
            raise self._not_understood(at)
        return found

    def _opened(self, at: int) -> int:
        name = _TAG_NAME.match(self._text, at + 1)
        if name is None or self._count == len(self._nodes):
            raise self._not_understood(at)
        written = []
        stop = name.end()
        while found := _ATTRIBUTE.match(self._text, stop):
            written.append(found)
            stop = found.end()
        end = _TAG_END.match(self._text, stop)
        if end is None:
            raise self._not_understood(at)
        index, self._count = self._count, self._count + 1
        attributes = self._attributes(written, index, at)
        self._open.append(_Open(index, _local(name[0]), at, end.end(), attributes))
        if end["empty"]:
            self._close(end.end(), end.end(), empty=True)
        return end.end()

    def _attributes(self, written: Iterable[re.Match[str]], index: int, at: int) -> tuple[Attribute, ...]:
        found = [each for each in written if not _is_namespace(each["name"])]
        parsed = self._nodes[index].attrib.items()
        names = [etree.QName(str(name)).localname for name, _ in parsed]
        if names != [_local(each["name"]) for each in found]:
            raise self._not_understood(at)
        return tuple(
            Attribute(name, str(value), self._lines.at(start), start, *each.span("value"))
            for name, (_, value), each in zip(names, parsed, found, strict=True)
            for start in (each.start("name"),)
        )

    def _close(self, content_stop: int, stop: int, *, empty: bool = False) -> None:
        if not self._open:
            raise self._not_understood(content_stop)
        opened = self._open.pop()
        node = self._nodes[opened.index]
        around = self._open[-1] if self._open else None
        parent = None if around is None else around.index
        if etree.QName(node).localname != opened.name or node.getparent() is not (
            None if parent is None else self._nodes[parent]
        ):
            raise self._not_understood(opened.start)
        element = Element(
            index=opened.index,
            parent=parent,
            name=opened.name,
            line=self._lines.at(opened.start),
            attributes=opened.attributes,
            children=tuple(opened.children),
            text=(node.text or "") + "".join(child.tail or "" for child in node),
            empty=empty,
            start=opened.start,
            tag_stop=opened.tag_stop,
            content_stop=content_stop,
            stop=stop,
        )
        self._done[opened.index] = element
        if around is not None:
            around.children.append(element)


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _is_namespace(name: str) -> bool:
    return name == "xmlns" or name.startswith("xmlns:")
