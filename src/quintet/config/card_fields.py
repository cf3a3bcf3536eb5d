"""What business cards show (config 4.4, 4.5): fields from attributes, and sets of fields."""

from collections.abc import Iterator, Mapping
from typing import final

from quintet.config.parsers import SettingsReader, Value, attribute, invalid, words
from quintet.config.setting import Setting
from quintet.config.settings import Detail
from quintet.config.xml_document import Element, settings_of
from quintet.config.xml_schema import CARD_SET, DETAIL, DETAIL_IDS
from quintet.diagnostics import Diagnostics, Finding, Pitfall, Place, did_you_mean, shown


@final
class CardFieldsReader:
    """Reads `Detail` and `Set`."""

    def __init__(self, findings: Diagnostics, file: str) -> None:
        self._findings = findings
        self._file = file

    def _place(self, element: Element) -> Place:
        return Place(self._file, element.line)

    def _read(self, element: Element, table: Mapping[str, Setting]) -> SettingsReader:
        return settings_of((element,), table, self._file, self._findings)

    def details(self, storage: Element) -> tuple[Detail, ...]:
        """The fields of a storage, one for each Id."""
        found: dict[str, tuple[Detail, int]] = {}
        for element in storage.named("Detail"):
            detail = self._detail(element)
            if detail is None:
                continue
            if detail.id in found:
                self._report_twice(f"Detail Id {shown(detail.id)}", "Id", found[detail.id][1], element)
            found[detail.id] = (detail, element.line)
        return tuple(detail for detail, _ in found.values())

    def _report_twice(self, what: str, key: str, first: int, element: Element) -> None:
        message = f"{what} is in line {first} and in line {element.line}; line {element.line} is used"
        self._findings.add(Finding.Q50, self._place(element), key, message, f"remove line {first}")

    def _detail(self, element: Element) -> Detail | None:
        place, read = self._place(element), self._read(element, DETAIL)
        ident, field = read.value("Id"), read.value("FieldName")
        if ident is None:
            self._findings.add(Finding.Q95, place, "Id", "Detail has no Id")
            return None
        own = ident.text.strip()
        if own not in DETAIL_IDS and (near := self._findings.nearest(own, DETAIL_IDS)):
            message = (
                f"Detail Id {shown(own)} is not one of the Ids that clients know, which are case-sensitive"
            )
            message += did_you_mean(near)
            self._findings.add(Pitfall.D32, ident.place, ident.key, message, f"write {near}")
        attributes = tuple(
            name
            for part in words(field)
            if field and (name := attribute(Value(part, field.key, field.place), self._findings))
        )
        if not attributes:
            message = f"FieldName of Detail {shown(own)} names no LDAP attribute"
            self._findings.add(Finding.Q95, place, "FieldName", message)
            return None
        kind, media = read.value("Type"), read.text("Type")
        if kind is not None and not media.casefold().startswith(("text/", "image/")):
            invalid(kind, "text/plain or image/…", self._findings)
        return Detail(own, attributes, media, read.raw("DisplaySeparator"))

    def sets(self, root: Element, ids: set[str]) -> dict[int, tuple[str, ...]]:
        """The Ids of each set; `ids` are those that there are."""
        found: dict[int, tuple[str, ...]] = {}
        lines: dict[int, int] = {}
        for element in root.named("Set"):
            read = self._read(element, CARD_SET)
            if read.value("SetId") is None:
                self._findings.add(Finding.Q95, self._place(element), "SetId", "Set has no SetId")
                continue
            nth = read.number("SetId", -1)
            if nth < 0:
                continue
            if nth in found:
                self._report_twice(f"Set {nth}", "SetId", lines[nth], element)
            lines[nth] = element.line
            found[nth] = tuple(self._shown_ids(read.value("params"), ids))
        if not found:
            message = "there is no Set, so no business card shows anything"
            fix = 'add <ParamsSets><Set SetId="1" params="Name,MailAddress"/></ParamsSets>'
            self._findings.add(Finding.Q94, self._place(root), "ParamsSets", message, fix)
        return found

    def _shown_ids(self, params: Value | None, ids: set[str]) -> Iterator[str]:
        for each in dict.fromkeys(words(params)):
            if each in ids:
                yield each
            elif params is not None:
                near = did_you_mean(self._findings.nearest(each, ids))
                message = f"{params.key}: {shown(each)} is not a Detail Id; it is left out{near}"
                self._findings.add(Pitfall.D32, params.place, params.key, message)
