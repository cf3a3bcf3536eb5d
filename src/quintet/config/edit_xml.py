"""Changing an XML file in place: one attribute, one text, one new element; every other letter stays.

The edited text is parsed again and must give exactly the tree that was meant, or nothing is changed.
"""

import copy
import re
from collections.abc import Iterable
from dataclasses import dataclass
from xml.sax.saxutils import escape

from lxml import etree

from quintet.config.source import EditError
from quintet.config.xml_document import Attribute, Element, Markup, read_markup

_PLAIN_CONTENT = re.compile(r"(\s*)(?:<!\[CDATA\[.*?\]\]>|[^<]*?)(\s*)", re.DOTALL)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff￾￿]")


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """Gives `element` the attribute. An attribute of that very name is changed where it stands.

    A new one goes behind the first of `after` that the element has, else behind its last attribute.
    """

    element: Element
    name: str
    value: str
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SetText:
    """Gives `element`, which has no children, this text."""

    element: Element
    text: str


@dataclass(frozen=True, slots=True)
class AddSibling:
    """Puts an empty element with these attributes behind `element`, indented as that is."""

    element: Element
    name: str
    attributes: tuple[tuple[str, str], ...]


Change = SetAttribute | SetText | AddSibling


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    stop: int
    text: str


def edit(markup: Markup, changes: Iterable[Change]) -> bytes:
    """The bytes of the file with the changes made. Raises `EditError` when they cannot be made safely."""
    changes = tuple(changes)
    text = markup.source.text
    edits = sorted((_edit(markup, c) for c in changes), key=lambda e: e.start)
    for one in edits[::-1]:
        text = text[: one.start] + one.text + text[one.stop :]
    data = markup.source.encode(text, errors="xmlcharrefreplace")
    if _shape(read_markup(data).tree) != _shape(_intended(markup, changes)):
        raise EditError("the change would alter more than it should; edit the file by hand")
    return data


def _edit(markup: Markup, change: Change) -> _Edit:
    match change:
        case SetAttribute():
            return _attribute(markup, change)
        case SetText():
            return _text(markup, change)
        case AddSibling():
            return _sibling(markup, change)


def _attribute(markup: Markup, change: SetAttribute) -> _Edit:
    text = markup.source.text
    existing = next((a for a in change.element.attributes if a.name == change.name), None)
    if existing is not None:
        quote = text[existing.value_stop]
        return _Edit(existing.value_start, existing.value_stop, _quoted(change.value, quote))
    neighbour = next((a for name in change.after if (a := change.element.get(name))), None)
    if neighbour is None and change.element.attributes:
        neighbour = change.element.attributes[-1]
    if neighbour is None:
        at = change.element.start + len("<") + len(_name_in_text(markup, change.element))
        return _Edit(at, at, f' {change.name}="{_quoted(change.value, chr(34))}"')
    at = neighbour.value_stop + 1
    quote = text[neighbour.value_stop]
    gap = _gap(markup, change.element, neighbour)
    return _Edit(at, at, f"{gap}{change.name}={quote}{_quoted(change.value, quote)}{quote}")


def _gap(markup: Markup, element: Element, neighbour: Attribute) -> str:
    """The blanks before a new attribute: its neighbour's, where each stands on a line of its own."""
    gaps = [_blanks_before(markup, a.start) for a in element.attributes]
    if len(gaps) < 2 or not all("\n" in gap or "\r" in gap for gap in gaps[1:]):
        return " "
    return gaps[max(1, element.attributes.index(neighbour))]


def _blanks_before(markup: Markup, at: int) -> str:
    before = markup.source.text[:at]
    return before[len(before.rstrip()) :]


def _text(markup: Markup, change: SetText) -> _Edit:
    element = change.element
    new = escape(_allowed(change.text))
    if element.empty:
        name = _name_in_text(markup, element)
        tag = markup.source.text[element.start : element.tag_stop]
        return _Edit(element.start, element.stop, f"{tag[:-2].rstrip()}>{new}</{name}>")
    content = _PLAIN_CONTENT.fullmatch(markup.content(element))
    if content is None:
        line = markup.source.line(element.start)
        raise EditError(
            f"the value of {element.name} has other markup in it; write it as plain text first", line
        )
    return _Edit(element.tag_stop, element.content_stop, content[1] + new + content[2])


def _sibling(markup: Markup, change: AddSibling) -> _Edit:
    gap = _blanks_before(markup, change.element.start)
    attributes = "".join(f' {name}="{_quoted(value, chr(34))}"' for name, value in change.attributes)
    at = change.element.stop
    return _Edit(at, at, f"{gap}<{change.name}{attributes}/>")


def _name_in_text(markup: Markup, element: Element) -> str:
    """The element's name with its prefix, as it stands in the tag."""
    found = re.compile(r"[^\s/>]+").match(markup.source.text, element.start + 1)
    return found[0] if found else element.name


def _quoted(value: str, quote: str) -> str:
    blanks = {"\t": "&#9;", "\n": "&#10;", "\r": "&#13;"}
    return escape(_allowed(value), blanks | {quote: "&quot;" if quote == '"' else "&apos;"})


def _allowed(value: str) -> str:
    if _FORBIDDEN.search(value):
        raise EditError("the value holds a letter that XML cannot hold")
    return value


def _intended(markup: Markup, changes: tuple[Change, ...]) -> "etree._Element":
    """The tree as it shall be, made from the old tree without looking at the text."""
    tree = copy.deepcopy(markup.tree)
    nodes = [e for e in tree.iter() if isinstance(e.tag, str)]
    for change in changes:
        node = nodes[change.element.index]
        match change:
            case SetAttribute():
                node.set(change.name, change.value)
            case SetText():
                node.text = change.text
            case AddSibling():
                added = etree.Element(change.name, dict(change.attributes))
                added.tail, node.tail = node.tail, None
                node.addnext(added)
    return tree


def _shape(tree: "etree._Element") -> list[object]:
    """Everything that a tree says. Blanks around text do not count: they are layout."""
    return [
        (
            node.tag if isinstance(node.tag, str) else node.tag.__name__,
            sorted(node.attrib.items()) if isinstance(node.tag, str) else None,
            (node.text or "").strip(),
            (node.tail or "").strip(),
            len(node),
        )
        for node in tree.iter()
    ]
