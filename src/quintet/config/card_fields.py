"""What business cards show (reference 4.4, 4.5): fields from attributes, and sets of fields."""

from collections.abc import Iterator
from typing import final

from quintet.config.parsers import Value, attribute, number, words
from quintet.config.schema import DETAIL_IDS
from quintet.config.settings import Detail
from quintet.config.xml_document import Element
from quintet.config.xml_tree import one_value, own_values
from quintet.diagnostics import Diagnostics, Place, shown


@final
class CardFields:
    """Reads `Detail` and `Set`."""

    def __init__(self, findings: Diagnostics, file: str) -> None:
        self._findings = findings
        self._file = file

    def _place(self, element: Element) -> Place:
        return Place(self._file, element.line)

    def _value(self, element: Element, name: str) -> Value | None:
        return one_value(own_values(element, (name,), self._file), self._findings)

    def details(self, storage: Element) -> tuple[Detail, ...]:
        """The fields of a storage, one for each Id."""
        found: dict[str, tuple[Detail, int]] = {}
        for element in storage.named("Detail"):
            detail = self._detail(element)
            if detail is None:
                continue
            if detail.id in found:
                self._findings.warning(
                    self._place(element),
                    "Id",
                    f"{shown(detail.id)} stands in line {found[detail.id][1]} and in line {element.line};"
                    f" line {element.line} counts",
                )
            found[detail.id] = (detail, element.line)
        return tuple(detail for detail, _ in found.values())

    def _detail(self, element: Element) -> Detail | None:
        ident, field = self._value(element, "Id"), self._value(element, "FieldName")
        place = self._place(element)
        if ident is None or not ident.text.strip():
            self._findings.error(place, "Id", "is missing in Detail")
            return None
        own = ident.text.strip()
        if own not in DETAIL_IDS and (near := self._findings.meant(own, DETAIL_IDS)):
            self._findings.warning(
                ident.place,
                ident.key,
                f"{shown(own)} is none of the fixed Ids, which are case-sensitive{near}",
            )
        attributes = tuple(
            read
            for part in words(field)
            if field and (read := attribute(Value(part, field.key, field.place), "", self._findings))
        )
        if not attributes:
            self._findings.error(place, "FieldName", f"names no LDAP attribute for {shown(own)}")
            return None
        kind = self._value(element, "Type")
        media = kind.text.strip() if kind and kind.text.strip() else "text/plain"
        if kind is not None and not media.casefold().startswith(("text/", "image/")):
            self._findings.error(kind.place, kind.key, f"{shown(media)} must be text/plain or image/…")
        separator = self._value(element, "DisplaySeparator")
        return Detail(own, attributes, media, separator.text if separator is not None else " ")

    def sets(self, root: Element, ids: set[str]) -> dict[int, tuple[str, ...]]:
        """The Ids of each set; `ids` are those that there are."""
        found: dict[int, tuple[str, ...]] = {}
        lines: dict[int, int] = {}
        for element in root.named("Set"):
            ident, params = self._value(element, "SetId"), self._value(element, "params")
            if ident is None or not ident.text.strip():
                self._findings.error(self._place(element), "SetId", "is missing in Set")
                continue
            nth = number(ident, -1, self._findings, least=0, most=1000)
            if nth < 0:
                continue
            if nth in found:
                self._findings.warning(
                    ident.place,
                    ident.key,
                    f"set {nth} stands in line {lines[nth]} and in line {element.line}; line {element.line}"
                    " counts",
                )
            lines[nth] = element.line
            found[nth] = tuple(self._shown_ids(params, ids))
        if not found:
            self._findings.warning(
                self._place(root),
                "ParamsSets",
                'there is no Set, so no card shows anything; add <ParamsSets><Set SetId="1"'
                ' params="Name,MailAddress"/></ParamsSets>',
            )
        return found

    def _shown_ids(self, params: Value | None, ids: set[str]) -> Iterator[str]:
        for each in dict.fromkeys(words(params)):
            if each in ids:
                yield each
            elif params is not None:
                self._findings.warning(
                    params.place,
                    params.key,
                    f"{shown(each)} is no Detail Id; it is left out{self._findings.meant(each, ids)}",
                )
