"""Settings in an XML file: the root element, and where below it a setting is written."""

from collections.abc import Sequence
from dataclasses import dataclass

from quintet.config.parsers import Value
from quintet.config.source import EditError
from quintet.config.xml_document import Attribute, Element, read_markup
from quintet.diagnostics import Diagnostics, Finding, Place


@dataclass(frozen=True, slots=True)
class Holder:
    """Where a setting is written: in an attribute of `element`, or in its text when that is None."""

    element: Element
    attribute: Attribute | None
    name: str

    @property
    def value(self) -> str:
        if self.attribute is not None:
            return self.attribute.value
        text = self.element.text
        return text.strip() if "\n" in text else text  # what stands on lines of its own is laid out

    @property
    def line(self) -> int:
        return self.element.line if self.attribute is None else self.attribute.line


def holders(element: Element, names: Sequence[str]) -> list[Holder]:
    """All that `element` itself says of a setting: by attribute, or by a child with text or `value`.

    Names compare without case (reference 3.1).
    """
    return [
        *(Holder(element, each, each.name) for each in element.all(*names)),
        *(Holder(each, each.get("value"), each.name) for each in element.children if each.is_named(*names)),
    ]


def own_values(element: Element, names: Sequence[str], file: str) -> list[Value]:
    """All values that `element` itself gives a setting."""
    return [Value(each.value, each.name, Place(file, each.line)) for each in holders(element, names)]


def one_value(found: Sequence[Value], findings: Diagnostics) -> Value | None:
    """The value that counts, which is the last, with a warning that names the others."""
    if not found:
        return None
    last = found[-1]
    for other in found[:-1]:
        message = (
            f"{other.key} in line {other.place.line} and {last.key} in line {last.place.line} are the same"
            f" setting; the last one, {last.key}, is used"
        )
        findings.add(Finding.Q50, last.place, last.key, message, f"remove {other.key}")
    return last


def read_tree(data: bytes, findings: Diagnostics, file: str) -> Element | None:
    """The root element, or None with an error in `findings` when this is not well-formed XML."""
    try:
        return read_markup(data).root
    except EditError as error:
        findings.add(error.code, Place(file, error.line), None, error.message, error.fix)
        return None
