"""Reading UserInfoConfig.xml (reference 4): where business cards come from and what they show."""

import base64
import binascii
from collections.abc import Iterable, Iterator
from pathlib import Path

from quintet.config.community import check_account
from quintet.config.known import (
    CARD_ELEMENTS,
    CARD_SERVER_SETTINGS,
    DETAIL_IDS,
    IGNORED_CARD_ELEMENTS,
    XmlSetting,
)
from quintet.config.markup import Element
from quintet.config.problems import Findings, Place, shown
from quintet.config.readings import (
    TYPOGRAPHIC,
    Value,
    attribute,
    check_quotes,
    choice,
    flag,
    hosts,
    name,
    number,
    port,
    template,
    words,
)
from quintet.config.settings import Account, CardServer, CardSettings, CardStorage, Detail, Scope
from quintet.config.xml_tree import one_value, own_values, read_tree
from quintet.secret import Secret
from quintet.tls.profile import Keys, Origin, StoreKind, StoreRef, TlsProfile

FILE = "UserInfoConfig.xml"

_SETTINGS: dict[str, XmlSetting] = {setting.name: setting for setting in CARD_SERVER_SETTINGS}
_SCOPES = {"0": Scope.BASE, "1": Scope.ONE, "2": Scope.SUBTREE}
_ELEMENTS = {element.casefold(): element for element in CARD_ELEMENTS}
_IGNORED = {element.casefold() for element in IGNORED_CARD_ELEMENTS}
_LINK = "MailAddress"
# Cards take nothing of sametime.ini (reference 4.3).
_KEYS = Keys(host=f"HostName in {FILE}", store=f"SslProperties in {FILE}", prefix=None)
# SearchTimeout has no documented unit. So many seconds nobody waits: they must be milliseconds.
_MILLISECONDS = 1000


def read_user_info(data: bytes, folder: Path, findings: Findings, file: str = FILE) -> CardSettings | None:
    """The settings in `data`; None when it is unreadable or names no server. Paths count from `folder`."""
    root = read_tree(data, findings, file)
    if root is None:
        return None
    reader = _Reader(root, folder, findings, file)
    reader.check_names()
    storages = tuple(reader.storages())
    if not storages:
        findings.error(
            Place(file, root.line),
            "Storage",
            'there is no LDAP server for business cards; add <Storage type="LDAP"> with a <StorageDetails>,'
            " or remove the file to have no cards",
        )
        return None
    return CardSettings(
        storages=storages,
        sets=reader.sets({d.id for s in storages for d in s.details}),
        search_only_by_common_field=reader.switch("SearchOnlyByCommonField"),
        search_timeout=reader.timeout(),
    )


class _Reader:
    def __init__(self, root: Element, folder: Path, findings: Findings, file: str) -> None:
        self._root = root
        self._folder = folder
        self._findings = findings
        self._file = file

    def _place(self, element: Element) -> Place:
        return Place(self._file, element.line)

    def _value(self, element: Element, *names: str) -> Value | None:
        return one_value(own_values(element, names, self._file), self._findings)

    def switch(self, element: str) -> bool:
        """An element that says yes by being there, unless its `value` says otherwise."""
        found = next(self._root.named(element), None)
        return found is not None and flag(self._value(found, "value"), default=True, findings=self._findings)

    def timeout(self) -> float | None:
        for each in self._root.walk():
            for value in own_values(each, ("SearchTimeout",), self._file):
                limit = number(value, 0, self._findings, least=0, most=86_400_000)
                unit = "milliseconds" if limit >= _MILLISECONDS else "seconds"
                self._findings.note(
                    value.place, value.key, f"its unit is not documented; {limit} is taken as {unit}"
                )
                return (limit / 1000 if limit >= _MILLISECONDS else float(limit)) or None
        return None

    def check_names(self) -> None:
        """A note for each name that nobody knows, and for each that has no effect here."""
        for element in self._root.walk():
            known = _ELEMENTS.get(element.name.casefold())
            if element is self._root:
                continue
            if element.name.casefold() in _IGNORED:
                self._findings.note(
                    self._place(element), element.name, "concerns Domino, and is accepted and ignored"
                )
            elif known is None:
                if not self._is_setting(element):
                    self._unknown(element.name, self._place(element), CARD_ELEMENTS)
            else:
                self._check_attributes(element, CARD_ELEMENTS[known])
        if self.switch("ReadStConfigUpdates"):
            found = next(self._root.named("ReadStConfigUpdates"))
            self._findings.note(
                self._place(found), found.name, f"has no effect: business cards are set by {self._file} alone"
            )

    def _is_setting(self, element: Element) -> bool:
        """Settings of a `StorageDetails` may be child elements too."""
        wanted = element.name.casefold()
        known = {n.casefold() for names in CARD_ELEMENTS.values() for n in names}
        return wanted in known

    def _check_attributes(self, element: Element, known: tuple[str, ...]) -> None:
        names = {n.casefold() for n in known}
        for each in element.attributes:
            if each.name.casefold() not in names:
                self._unknown(each.name, Place(self._file, each.line), known)

    def _unknown(self, unknown: str, place: Place, known: Iterable[str]) -> None:
        self._findings.note(
            place,
            unknown[:60],
            f"{shown(unknown)} is not known; it is ignored{self._findings.meant(unknown, known)}",
        )

    def storages(self) -> Iterator[CardStorage]:
        common = self._common_field()
        for element in self._root.named("Storage"):
            kind = self._value(element, "type")
            if kind is None:
                self._findings.warning(
                    self._place(element), "type", 'is missing in Storage; it is read as type="LDAP"'
                )
            elif kind.text.strip().casefold() != "ldap":
                self._findings.note(
                    kind.place,
                    kind.key,
                    f"a storage of type {shown(kind.text)} is skipped: only LDAP is supported here",
                )
                continue
            storage = self._storage(element, common)
            if storage.servers:
                yield storage
            else:
                self._findings.warning(
                    self._place(element),
                    "StorageDetails",
                    "is missing in this Storage, so it is not searched",
                )

    def _storage(self, element: Element, common: Value | None) -> CardStorage:
        servers = tuple(self._server(each) for each in element.named("StorageDetails"))
        details = tuple(self._details(element))
        if not details:
            self._findings.warning(
                self._place(element),
                "Detail",
                'is missing in this Storage, so its cards are empty; add <Details><Detail Id="Name"'
                ' FieldName="cn" Type="text/plain"/></Details>',
            )
        link = common.text.strip() if common is not None else _LINK
        ids = [d.id for d in details]
        if common is not None and link not in ids and details:
            hint = self._findings.meant(link, ids)
            self._findings.warning(
                common.place,
                common.key,
                f"{shown(link)} is no Detail Id of the Storage in line {element.line}{hint}",
            )
        return CardStorage(
            servers=servers,
            details=details,
            tls=self._tls(element, servers),
            common_field=link,
            max_instances=self._max_instances(),
        )

    def _common_field(self) -> Value | None:
        for each in self._root.named("CommonField"):
            value = self._value(each, "CommonFieldName")
            if value is not None and value.text.strip():
                return value
        return None

    def _max_instances(self) -> int:
        for each in self._root.named("BlackBox"):
            kind = self._value(each, "type")
            if kind is None or kind.text.strip().casefold() == "ldap":
                return number(self._value(each, "MaxInstances"), 1, self._findings, least=1, most=1000)
        return 1

    def _server(self, element: Element) -> CardServer:
        findings = self._findings

        def get(setting: str) -> Value | None:
            return self._value(element, *_SETTINGS[setting].names)

        found = hosts(get("HostName"), self._place(element), findings)
        if len(found) > 1:
            self._findings.error(
                self._place(element),
                "HostName",
                "takes one host here; add a StorageDetails for each further one",
            )
        person_class = attribute(get("PersonObjectClass"), "", findings) or None
        user_id = attribute(get("UserIdAttribute"), "", findings) or None
        if user_id and not person_class:
            findings.warning(
                self._place(element),
                "PersonObjectClass",
                f"goes with UserIdAttribute={shown(user_id)} and is missing; any entry with that ID is taken",
            )
        bind_type = get("BindType")
        if bind_type is not None and bind_type.text.strip().casefold() not in ("", "simple"):
            findings.error(
                bind_type.place, bind_type.key, f"{shown(bind_type.text)} is not supported; write Simple"
            )
        return CardServer(
            host=found[0] if found else "",
            port=port(get("Port"), 389, findings),
            ssl_port=port(get("SslPort"), 636, findings),
            ssl_enabled=flag(get("SslEnabled"), default=False, findings=findings),
            account=self._account(get("UserName"), get("Password"), get("UserEncodedAuth")),
            base=name(get("BaseDN"), findings),
            scope=choice(get("Scope"), _SCOPES, Scope.SUBTREE, findings),
            filter=template(get("SearchFilter"), _SETTINGS["SearchFilter"].default, findings),
            user_id_attribute=user_id,
            person_class=person_class,
            place=self._place(element),
        )

    def _account(self, user: Value | None, password: Value | None, encoded: Value | None) -> Account | None:
        who = user.text.strip() if user else ""
        if encoded is not None and encoded.text.strip():
            if who or (password is not None and password.text):
                self._findings.note(
                    encoded.place, encoded.key, "is used; UserName and Password beside it are ignored"
                )
            return self._decoded(encoded)
        if user is None or not who:
            if password is not None and password.text:
                self._findings.warning(
                    password.place, password.key, "there is a password and no UserName; the bind is anonymous"
                )
            return None
        if password is None or not password.text:
            self._findings.error(
                user.place,
                user.key,
                "there is no Password for this account; set one, or leave UserName blank to bind anonymously",
            )
            return None
        check_account(user, who, self._findings)
        check_quotes(password, password.text, "the password", self._findings)
        return Account(who, Secret(password.text))

    def _decoded(self, value: Value) -> Account | None:
        """Base64 of `user:password` (reference 4.3, D10). Nothing of it is ever shown."""
        findings, place, key = self._findings, value.place, value.key
        text = value.text.strip()
        redo = "encode it anew: printf '%s' 'USER:PASSWORD' | base64 -w0"
        if text != value.text:
            findings.warning(place, key, "has blanks around it, which are taken off")
        if any(c in TYPOGRAPHIC for c in text):
            findings.error(place, key, f"has typographic quotes in it, from copying; {redo}")
            return None
        if any(c.isspace() for c in text):
            findings.error(place, key, f"has blanks or line breaks inside; write it on one line, or {redo}")
            return None
        try:
            plain = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            findings.error(place, key, f"is not base64 (letters, digits, + / and = at the end); {redo}")
            return None
        try:
            who, colon, password = plain.decode().partition(":")
        except UnicodeDecodeError:
            findings.error(place, key, f"decodes to something that is no UTF-8 text; {redo}")
            return None
        if not colon or not who.strip() or not password:
            findings.error(place, key, f"must decode to user:password, both not empty; {redo}")
            return None
        self._check_decoded(value, who, password, redo)
        return Account(who.strip(), Secret(password))

    def _check_decoded(self, value: Value, who: str, password: str, redo: str) -> None:
        findings, place, key = self._findings, value.place, value.key
        if who[0] in TYPOGRAPHIC or password[-1] in TYPOGRAPHIC:
            findings.warning(place, key, f"decodes to text in typographic quotes; {redo}")
        if password != password.rstrip("\r\n"):
            findings.warning(
                place, key, f"the password in it ends with a line feed (echo without -n?); {redo}"
            )
        elif password != password.strip() or who != who.strip():
            findings.warning(
                place, key, f"decodes to text with blanks around the name or the password; {redo}"
            )

    def _tls(self, storage: Element, servers: tuple[CardServer, ...]) -> TlsProfile:
        properties = next(storage.named("SslProperties"), None)
        path = self._value(properties, "KeyStorePath") if properties else None
        if properties is None or path is None or not path.text.strip():
            encrypted = next((s for s in servers if s.ssl_enabled), None)
            if encrypted is not None:
                self._findings.error(
                    encrypted.place,
                    "SslProperties",
                    "SslEnabled is true and this Storage names no trust store; add inside the Storage:"
                    ' <SslProperties KeyStorePath="/path/ldaptruststore.p12" KeyStorePassword="…"/>',
                )
            return TlsProfile(keys=_KEYS)
        password = self._value(properties, "KeyStorePassword") if properties else None
        if password is None or not password.text:
            self._findings.error(
                path.place, "KeyStorePassword", f"is missing: nothing opens {shown(path.text.strip())}"
            )
        text = path.text.strip()
        kind = StoreKind.JKS if text.casefold().endswith(".jks") else StoreKind.PKCS12
        store = StoreRef(
            path=self._folder / text,
            kind=kind,
            password=Secret(password.text) if password is not None and password.text else None,
        )
        origins = {"trust_store": Origin(path.key, str(path.place))}
        return TlsProfile(trust_store=store, origins=origins, keys=_KEYS)

    def _details(self, storage: Element) -> Iterator[Detail]:
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
        return (detail for detail, _ in found.values())

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

    def sets(self, ids: set[str]) -> dict[int, tuple[str, ...]]:
        found: dict[int, tuple[str, ...]] = {}
        lines: dict[int, int] = {}
        for element in self._root.named("Set"):
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
                Place(self._file, self._root.line),
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
